#include "pages/markdown.h"

#include <string.h>

static FILE *to_of(struct pages_out *out) { return ((struct pages_markdown *)out)->to; }

/* Outside of code, what Markdown would take for its own is escaped. */
static void put(FILE *to, const char *text, size_t len)
{
    bool code = false;
    for (size_t i = 0; i < len; i++) {
        code ^= text[i] == '`';
        if (!code && strchr("\\*_<>[]#|", text[i]))
            fputc('\\', to);
        fputc(text[i], to);
    }
}

static void put_title(struct pages_out *out, const char *key, const char *kind, const char *name)
{
    (void)kind;
    FILE *to = to_of(out);
    fputs("# ", to);
    put(to, key, strlen(key));
    fputs(*key ? ": " : "", to);
    put(to, name, strlen(name));
    fputc('\n', to);
}

static void put_heading(struct pages_out *out, const char *anchor, const char *text)
{
    (void)anchor;
    fprintf(to_of(out), "\n## %s\n", text);
}

static void put_subheading(struct pages_out *out, const char *anchor, const char *text)
{
    (void)anchor;
    FILE *to = to_of(out);
    fputs("\n### ", to);
    put(to, text, strlen(text));
    fputc('\n', to);
}

/* Paragraphs are parted by an empty line, the items of a list are not. */
static void put_text(struct pages_out *out, const char *text)
{
    FILE *to = to_of(out);
    bool item = false;
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, "\n");
        bool is_item = strncmp(p, "- ", 2) == 0;
        if (!is_item || !item)
            fputc('\n', to);
        put(to, p, len);
        fputc('\n', to);
        item = is_item;
        p += len + (p[len] == '\n');
    }
}

static void put_transcript(struct pages_out *out, const struct reference_transcript *t)
{
    FILE *to = to_of(out);
    fputs("\n```\n", to);
    for (size_t i = 0; i < t->n; i++)
        fprintf(to, "%s%s\n",
                t->lines[i].from == 'S'   ? "S: "
                : t->lines[i].from == 'C' ? "C: "
                                          : "-- ",
                t->lines[i].text);
    fputs("```\n", to);
}

static void put_facts(struct pages_out *out, const struct pages_facts *facts)
{
    FILE *to = to_of(out);
    fputc('\n', to);
    for (size_t i = 0; i < facts->n; i++) {
        const struct pages_fact *fact = &facts->fact[i];
        fprintf(to, "- **%s**: ", fact->label);
        if (fact->other)
            fprintf(to, "\n  - `%s`: ", facts->heads[0]);
        put(to, fact->value, strlen(fact->value));
        if (fact->other) {
            fprintf(to, "\n  - `%s`: ", facts->heads[1]);
            put(to, fact->other, strlen(fact->other));
        }
        fputc('\n', to);
    }
}

static void put_beside(struct pages_out *out, const char *const titles[2], const char *const texts[2])
{
    for (size_t i = 0; i < 2; i++) {
        put_subheading(out, NULL, titles[i]);
        put_text(out, texts[i]);
    }
}

static const struct pages_ops ops = {put_title,      put_heading, put_subheading, put_text, put_text,
                                     put_transcript, put_facts,   put_beside,     put_text};

void pages_markdown_init(struct pages_markdown *m, FILE *to, enum reference_lang lang)
{
    *m = (struct pages_markdown){{&ops, lang}, to};
}
