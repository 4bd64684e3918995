/* sallyport-replies(7): every page of the catalogue in one, in the man macros, which every system formats. */
#include <stdlib.h>
#include <string.h>

#include "pages/roff.h"
#include "pages/site_parts.h"
#include "pages/text.h"

struct man {
    struct pages_out out;
    FILE *to;
};

static FILE *to_of(struct pages_out *out) { return ((struct man *)out)->to; }

static void put_line(FILE *to, const char *text)
{
    pages_roff(to, text, strlen(text));
    fputc('\n', to);
}

static void put_title(struct pages_out *out, const char *key, const char *kind, const char *name)
{
    (void)kind;
    fputs(".SS \"", to_of(out));
    for (const char *p = key; *p; p++)
        fputs(*p == '-' ? "\\-" : (char[]){*p, 0}, to_of(out));
    fputs("\"\n\\fB", to_of(out));
    pages_roff(to_of(out), name, strlen(name));
    fputs("\\fR\n", to_of(out));
}

/* Headings of a page are paragraphs in bold: a manual page has two levels, and both are taken. */
static void put_heading(struct pages_out *out, const char *anchor, const char *text)
{
    (void)anchor;
    fputs(".PP\n\\fI", to_of(out));
    pages_roff(to_of(out), text, strlen(text));
    fputs("\\fR\n", to_of(out));
}

static void put_text(struct pages_out *out, const char *text)
{
    FILE *to = to_of(out);
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, "\n");
        bool item = strncmp(p, "- ", 2) == 0;
        fputs(item ? ".IP \\(bu 2\n" : ".PP\n", to);
        pages_roff(to, item ? p + 2 : p, item ? len - 2 : len);
        fputc('\n', to);
        p += len + (p[len] == '\n');
    }
}

static void put_transcript(struct pages_out *out, const struct reference_transcript *t)
{
    FILE *to = to_of(out);
    fputs(".PP\n.RS 4\n.nf\n", to);
    for (size_t i = 0; i < t->n; i++) {
        fputs(t->lines[i].from == 'S' ? "S: " : t->lines[i].from == 'C' ? "C: " : "\\-\\- ", to);
        put_line(to, t->lines[i].text);
    }
    fputs(".fi\n.RE\n", to);
}

static void put_value(FILE *to, const char *before, const char *value)
{
    pages_roff(to, before, strlen(before));
    put_line(to, value);
}

static void put_facts(struct pages_out *out, const struct pages_facts *facts)
{
    FILE *to = to_of(out);
    for (size_t i = 0; i < facts->n; i++) {
        fputs(".TP\n", to);
        put_line(to, facts->fact[i].label);
        put_value(to, "", facts->fact[i].value);
    }
}

static void put_beside(struct pages_out *out, const char *const titles[2], const char *const texts[2])
{
    for (size_t i = 0; i < 2; i++) {
        put_heading(out, NULL, titles[i]);
        put_text(out, texts[i]);
    }
}

static void put_nothing(struct pages_out *out, const char *text)
{
    (void)out;
    (void)text;
}

static const struct pages_ops ops = {put_title,      put_heading, put_heading, put_text,   put_text,
                                     put_transcript, put_facts,   put_beside,  put_nothing};

static void put_section(struct man *m, enum reference_word heading, enum reference_word lead)
{
    fputs(".SH \"", m->to);
    for (const char *p = reference_word(heading, m->out.lang); *p; p++)
        fputs(*p == '-' ? "\\-" : (char[]){*p, 0}, m->to);
    fputs("\"\n", m->to);
    put_line(m->to, reference_word(lead, m->out.lang));
}

static void put_topics(struct man *m, enum reference_topic_kind kind)
{
    size_t n;
    const struct reference_topic *topics = reference_topics(&n);
    for (size_t i = 0; i < n; i++) {
        struct pages_subject s = pages_subject_of_topic(&topics[i]);
        if (topics[i].kind == kind)
            pages_write(&m->out, &s);
    }
}

static void put_pages(struct man *m)
{
    size_t n;
    struct pages_subject s;
    put_section(m, REFERENCE_WORD_KINDS_CODE, REFERENCE_WORD_SITE_CODES_LEAD);
    const struct reference_code *codes = reference_codes(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_code(&codes[i]), pages_write(&m->out, &s);
    put_section(m, REFERENCE_WORD_KINDS_ENHANCED, REFERENCE_WORD_SITE_ENHANCED_LEAD);
    const struct reference_meaning *meanings = reference_meanings(&n);
    for (size_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, ".TP\nX.%d.%d\n", meanings[i].subject, meanings[i].detail);
        fputs(name, m->to);
        put_value(m->to, reference_in(&meanings[i].text, m->out.lang), "");
        put_line(m->to, reference_in(&meanings[i].fix, m->out.lang));
    }
    put_section(m, REFERENCE_WORD_KINDS_COMMAND, REFERENCE_WORD_SITE_COMMANDS_LEAD);
    put_topics(m, REFERENCE_COMMAND);
    put_section(m, REFERENCE_WORD_KINDS_KEYWORD, REFERENCE_WORD_SITE_KEYWORDS_LEAD);
    put_topics(m, REFERENCE_KEYWORD);
    put_section(m, REFERENCE_WORD_KINDS_MECHANISM, REFERENCE_WORD_SITE_MECHANISMS_LEAD);
    put_topics(m, REFERENCE_MECHANISM);
    put_section(m, REFERENCE_WORD_PROVIDERS, REFERENCE_WORD_SITE_PROVIDERS_LEAD);
    const struct reference_provider *providers = reference_providers(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_provider(&providers[i]), pages_write(&m->out, &s);
    put_section(m, REFERENCE_WORD_KINDS_REASON, REFERENCE_WORD_SITE_REASONS_LEAD);
    const struct reference_reason *reasons = reference_reasons(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_reason(&reasons[i]), pages_write(&m->out, &s);
}

static void write_replies(struct pages_site *site, const char *path)
{
    static const char *const names[] = {"NAME", "TÊN"}, *const also[] = {"SEE ALSO", "XEM THÊM"};
    struct man m = {{&ops, site->lang}, pages_site_open(site, path)};
    if (!m.to)
        return;
    fprintf(m.to,
            ".TH SALLYPORT\\-REPLIES 7 \"" PAGES_MAN_DATE
            "\" \"Sallyport\" \"\"\n.SH %s\nsallyport\\-replies \\- ",
            names[site->lang]);
    put_line(m.to, reference_word(REFERENCE_WORD_SITE_TITLE, site->lang));
    put_section(&m, REFERENCE_WORD_DESCRIPTION, REFERENCE_WORD_SITE_LEAD);
    put_pages(&m);
    fprintf(m.to, ".SH \"%s\"\n.BR sallyport (1)\n", also[site->lang]);
    pages_site_close(site, path, m.to);
}

void pages_man_write(const char *folder, struct pages_written *written_out)
{
    struct pages_site site = {.folder = folder, .written = written_out};
    *written_out = (struct pages_written){0};
    write_replies(&site, "man7/sallyport-replies.7");
    site.lang = REFERENCE_VI;
    write_replies(&site, "vi/man7/sallyport-replies.7");
}
