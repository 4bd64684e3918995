#include "cli/page.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BOLD  "\033[1m"
#define DIM   "\033[2m"
#define GREEN "\033[32m"
#define OFF   "\033[0m"

enum {
    NARROWEST = 30,
    WIDEST = 1000,
    TEXT_WIDEST = 100,
    BESIDE_NARROWEST = 110,
    GUTTER = 4,
    DEFAULT_SCREEN = 80
};

static size_t screen_of(FILE *to)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    unsigned long n = columns ? strtoul(columns, NULL, 10) : 0;
    if (n == 0 && isatty(fileno(to)) && ioctl(fileno(to), TIOCGWINSZ, &size) == 0)
        n = size.ws_col;
    if (n == 0)
        n = DEFAULT_SCREEN;
    return n < NARROWEST ? NARROWEST : n > WIDEST ? WIDEST : n;
}

static bool wants_colour(FILE *to)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(to)) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static const char *code(const struct cli_page *page, const char *escape)
{
    return page->colour ? escape : "";
}

static void print_lines(struct cli_page *page, size_t indent, const char *escape, const char *text,
                        struct cli_wrap how)
{
    struct cli_lines lines = {NULL, 0};
    cli_wrap(&lines, text, how);
    for (size_t i = 0; i < lines.n; i++) {
        if (lines.line[i].bytes[0] == '\0')
            fputc('\n', page->to);
        else
            fprintf(page->to, "%*s%s%s%s\n", (int)indent, "", code(page, escape), lines.line[i].bytes,
                    *escape ? code(page, OFF) : "");
    }
    cli_lines_free(&lines);
    page->begun = true;
}

static size_t room(const struct cli_page *page, size_t indent)
{
    return page->width > indent ? page->width - indent : 1;
}

void cli_page_gap(struct cli_page *page)
{
    if (page->begun)
        fputc('\n', page->to);
}

void cli_page_title(struct cli_page *page, const char *key, const char *name)
{
    char *title;
    if (asprintf(&title, "%s  %s", key, name) < 0)
        abort();
    cli_page_gap(page);
    print_lines(page, 0, BOLD, title, (struct cli_wrap){.width = page->width, .hang = cli_columns(key) + 2});
    free(title);
}

void cli_page_heading(struct cli_page *page, const char *text)
{
    cli_page_gap(page);
    print_lines(page, 0, BOLD, text, (struct cli_wrap){.width = page->width});
}

void cli_page_subheading(struct cli_page *page, size_t indent, const char *text)
{
    cli_page_gap(page);
    print_lines(page, indent, BOLD, text, (struct cli_wrap){.width = room(page, indent), .hang = 3});
}

void cli_page_text(struct cli_page *page, size_t indent, const char *text)
{
    print_lines(page, indent, "", text,
                (struct cli_wrap){.width = room(page, indent), .markup = true, .colour = page->colour});
}

void cli_page_transcript(struct cli_page *page, size_t indent, const struct reference_transcript *transcript)
{
    for (size_t i = 0; i < transcript->n; i++) {
        const struct reference_line *line = &transcript->lines[i];
        const char *before = line->from == 'S' ? "S: " : line->from == 'C' ? "C: " : "-- ";
        const char *escape = line->from == 'S' ? "" : line->from == 'C' ? GREEN : DIM;
        char *text;
        if (asprintf(&text, "%s%s", before, line->text) < 0)
            abort();
        print_lines(page, indent, escape, text, (struct cli_wrap){.width = room(page, indent), .hang = 7});
        free(text);
    }
}

void cli_page_fact(struct cli_page *page, size_t label_columns, const char *label, const char *value)
{
    size_t indent = 2 + label_columns + 2;
    struct cli_lines lines = {NULL, 0};
    cli_wrap(&lines, value,
             (struct cli_wrap){.width = room(page, indent), .markup = true, .colour = page->colour});
    for (size_t i = 0; i < lines.n; i++) {
        if (i == 0)
            fprintf(page->to, "  %s:%*s%s\n", label, (int)(label_columns - cli_columns(label) + 1), "",
                    lines.line[i].bytes);
        else
            fprintf(page->to, "%*s%s\n", (int)indent, "", lines.line[i].bytes);
    }
    cli_lines_free(&lines);
    page->begun = true;
}

bool cli_page_is_wide(const struct cli_page *page) { return page->screen >= BESIDE_NARROWEST; }

void cli_page_beside(struct cli_page *page, const char *left, const char *right)
{
    size_t width = (page->screen < 2 * TEXT_WIDEST ? page->screen : 2 * TEXT_WIDEST) / 2 - GUTTER;
    struct cli_wrap how = {.width = width, .markup = true, .colour = page->colour};
    struct cli_lines a = {NULL, 0}, b = {NULL, 0};
    cli_wrap(&a, left, how);
    cli_wrap(&b, right, how);
    for (size_t i = 0; i < a.n || i < b.n; i++) {
        const char *l = i < a.n ? a.line[i].bytes : "", *r = i < b.n ? b.line[i].bytes : "";
        size_t used = i < a.n ? a.line[i].columns : 0;
        if (*r != '\0')
            fprintf(page->to, "  %s%*s%s\n", l, (int)(width + GUTTER - used), "", r);
        else
            fprintf(page->to, "%s%s\n", *l ? "  " : "", l);
    }
    cli_lines_free(&a);
    cli_lines_free(&b);
    page->begun = true;
}

/* --- the blocks of a page ------------------------------------------------------------------------ */

enum { INDENT = 2, STEP = 3 };

static struct cli_page *page_of(struct pages_out *out) { return (struct cli_page *)out; }

static void put_title(struct pages_out *out, const char *key, const char *kind, const char *name)
{
    (void)kind;
    page_of(out)->indent = 0;
    cli_page_title(page_of(out), key, name);
}

static void put_lead(struct pages_out *out, const char *text)
{
    cli_page_text(page_of(out), 0, text);
    page_of(out)->indent = 0;
}

static void put_heading(struct pages_out *out, const char *anchor, const char *text)
{
    (void)anchor;
    page_of(out)->indent = INDENT;
    page_of(out)->below_transcript = false;
    cli_page_heading(page_of(out), text);
}

static void put_subheading(struct pages_out *out, const char *anchor, const char *text)
{
    (void)anchor;
    page_of(out)->indent = INDENT + STEP;
    page_of(out)->below_transcript = false;
    cli_page_subheading(page_of(out), INDENT, text);
}

static void put_text(struct pages_out *out, const char *text)
{
    struct cli_page *page = page_of(out);
    if (page->below_transcript)
        cli_page_gap(page);
    page->below_transcript = false;
    cli_page_text(page, page->indent, text);
}

static void put_transcript(struct pages_out *out, const struct reference_transcript *transcript)
{
    struct cli_page *page = page_of(out);
    if (page->indent > INDENT)
        cli_page_gap(page);
    cli_page_transcript(page, page->indent + STEP, transcript);
    page->below_transcript = true;
}

static void put_fact(struct cli_page *page, size_t widest, const struct pages_facts *facts,
                     const struct pages_fact *fact)
{
    char *both = NULL;
    if (fact->other && strcmp(fact->value, fact->other) != 0 &&
        asprintf(&both, "- `%s`: %s\n- `%s`: %s", facts->heads[0], fact->value, facts->heads[1],
                 fact->other) < 0)
        abort();
    cli_page_fact(page, widest, fact->label, both ? both : fact->value);
    free(both);
}

static void put_facts(struct pages_out *out, const struct pages_facts *facts)
{
    size_t widest = 0;
    for (size_t i = 0; i < facts->n; i++) {
        size_t columns = cli_columns(facts->fact[i].label);
        widest = columns > widest ? columns : widest;
    }
    if (page_of(out)->indent == 0)
        cli_page_gap(page_of(out));
    for (size_t i = 0; i < facts->n; i++)
        put_fact(page_of(out), widest, facts, &facts->fact[i]);
}

static void put_beside(struct pages_out *out, const char *const titles[2], const char *const texts[2])
{
    struct cli_page *page = page_of(out);
    if (cli_page_is_wide(page)) {
        cli_page_gap(page);
        cli_page_beside(page, titles[0], titles[1]);
        cli_page_gap(page);
        cli_page_beside(page, texts[0], texts[1]);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        cli_page_subheading(page, INDENT, titles[i]);
        cli_page_text(page, INDENT + STEP, texts[i]);
    }
}

static void put_small(struct pages_out *out, const char *text)
{
    cli_page_gap(page_of(out));
    cli_page_text(page_of(out), 0, text);
}

static const struct pages_ops ops = {put_title,      put_heading, put_subheading, put_lead, put_text,
                                     put_transcript, put_facts,   put_beside,     put_small};

void cli_page_init(struct cli_page *page, FILE *to)
{
    size_t screen = screen_of(to);
    *page = (struct cli_page){.out = {&ops, REFERENCE_EN},
                              .to = to,
                              .screen = screen,
                              .width = screen < TEXT_WIDEST ? screen : TEXT_WIDEST,
                              .colour = wants_colour(to)};
}
