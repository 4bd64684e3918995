#include "pages/html.h"

#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "pages/text.h"

static struct pages_html *html_of(struct pages_out *out) { return (struct pages_html *)out; }

/* Paragraphs and lists. A block that is an item alone goes on with the list before it. */
static void put_blocks(struct pages_html *h, const char *text, const char *class)
{
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, "\n");
        bool item = strncmp(p, "- ", 2) == 0;
        if (item != h->in_items)
            fputs(item ? "<ul>\n" : "</ul>\n", h->to);
        h->in_items = item;
        if (item)
            fputs("<li>", h->to);
        else
            fprintf(h->to, *class ? "<p class=\"%s\">" : "<p>", class);
        pages_html_words(h, item ? p + 2 : p, item ? len - 2 : len);
        fputs(item ? "</li>\n" : "</p>\n", h->to);
        p += len + (p[len] == '\n');
    }
}

/* --- blocks ---------------------------------------------------------------------------------------- */

static void end_items(struct pages_html *h)
{
    if (h->in_items)
        fputs("</ul>\n", h->to);
    h->in_items = false;
}

static void end_case(struct pages_html *h)
{
    end_items(h);
    if (h->in_case)
        fputs("</div>\n", h->to);
    h->in_case = false;
}

static void end_section(struct pages_html *h)
{
    end_case(h);
    if (h->in_section)
        fputs("</section>\n", h->to);
    h->in_section = false;
}

void pages_html_end(struct pages_html *h) { end_section(h); }

static void put_title(struct pages_out *out, const char *key, const char *kind, const char *name)
{
    enum { LONG = 9 };
    struct pages_html *h = html_of(out);
    end_section(h);
    fprintf(h->to, "<header class=\"head\">\n<p class=\"kind\"><a href=\"%sindex.html#%s\">", h->home,
            h->about ? pages_folder(h->about->kind) : "compared");
    pages_html_put(h->to, kind);
    fputs("</a></p>\n<h1>", h->to);
    if (*key) {
        fprintf(h->to, "<span class=\"key%s\">", strlen(key) > LONG ? " long" : "");
        pages_html_put(h->to, key);
        fputs("</span> ", h->to);
    }
    pages_html_inline(h, name);
    fputs("</h1>\n</header>\n", h->to);
}

static void put_lead(struct pages_out *out, const char *text) { put_blocks(html_of(out), text, "lead"); }

static void put_heading(struct pages_out *out, const char *anchor, const char *text)
{
    struct pages_html *h = html_of(out);
    end_section(h);
    h->linked_n = 0;
    fprintf(h->to, "<section id=\"%s\">\n<h2>", anchor);
    pages_html_put(h->to, text);
    fputs("</h2>\n", h->to);
    h->in_section = true;
    if (h->headings_n == PAGES_HEADINGS_MAX)
        return;
    snprintf(h->headings[h->headings_n].anchor, sizeof h->headings[0].anchor, "%s", anchor);
    h->headings[h->headings_n++].text = text;
}

/* "334  Server challenge": the name of a page in front is set apart and linked. */
static void put_page_title(struct pages_html *h, const char *text)
{
    const char *gap = strstr(text, "  ");
    char url[PAGES_URL_MAX], name[PAGES_NAME_MAX + 1];
    if (!gap) {
        pages_html_inline(h, text);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)(gap - text), text);
    bool link = pages_url_of_name(h, name, url);
    if (link)
        fprintf(h->to, "<a href=\"%s%s\">", h->home, url);
    fputs("<span class=\"key\">", h->to);
    pages_html_put(h->to, name);
    fputs(link ? "</span></a> " : "</span> ", h->to);
    pages_html_inline(h, gap + 2);
}

static void put_subheading(struct pages_out *out, const char *anchor, const char *text)
{
    struct pages_html *h = html_of(out);
    end_case(h);
    fputs("<div class=\"case\"", h->to);
    if (anchor)
        fprintf(h->to, " id=\"%s\"", anchor);
    fputs(">\n<h3>", h->to);
    put_page_title(h, text);
    fputs("</h3>\n", h->to);
    h->in_case = true;
}

static void put_text(struct pages_out *out, const char *text) { put_blocks(html_of(out), text, ""); }

static void put_small(struct pages_out *out, const char *text)
{
    end_items(html_of(out));
    put_blocks(html_of(out), text, "small");
}

static void put_line(struct pages_html *h, const struct reference_line *line, const char *note)
{
    bool client = line->from == 'C', no = line->from == 'S' && (line->text[0] == '4' || line->text[0] == '5');
    if (line->from == '-') {
        fputs("<li class=\"event\">", h->to);
        pages_html_put(h->to, line->text);
        fputs("</li>\n", h->to);
        return;
    }
    fprintf(
        h->to,
        "<li class=\"%s\"><span class=\"who\"><span aria-hidden=\"true\">%c:</span><span class=\"hidden\">",
        client ? "client"
        : no   ? "server no"
               : "server",
        line->from);
    pages_html_put(
        h->to, reference_word(client ? REFERENCE_WORD_SITE_FROM_C : REFERENCE_WORD_SITE_FROM_S, h->out.lang));
    fputs("</span></span> <code class=\"said\">", h->to);
    pages_html_put(h->to, line->text);
    fputs("</code> <span class=\"note\">", h->to);
    pages_html_inline(h, note);
    fputs("</span></li>\n", h->to);
}

static void put_transcript(struct pages_out *out, const struct reference_transcript *t)
{
    struct pages_html *h = html_of(out);
    struct pages_noter noter = {0};
    end_items(h);
    fputs(t->n > 1 ? "<ol class=\"transcript\">\n" : "<ol class=\"transcript alone\">\n", h->to);
    for (size_t i = 0; i < t->n; i++) {
        /* A reply alone stands below its meaning. */
        char *note = t->n > 1 ? pages_note(&noter, &t->lines[i], out->lang) : pages_copy("");
        put_line(h, &t->lines[i], note);
        free(note);
    }
    fputs("</ol>\n", h->to);
}

/* "RFC 4954 4" leads to its section. */
static void put_rfc(struct pages_html *h, const char *item, size_t len)
{
    char number[12], section[16] = "";
    const char *rest = item + 4;
    size_t digits = strspn(rest, "0123456789");
    snprintf(number, sizeof number, "%.*s", (int)digits, rest);
    if (rest + digits < item + len)
        snprintf(section, sizeof section, "%.*s", (int)(item + len - rest - (ptrdiff_t)digits - 1),
                 rest + digits + 1);
    bool appendix = sp_ascii_alpha((uint8_t)section[0]);
    fprintf(h->to, "<a href=\"https://www.rfc-editor.org/rfc/rfc%s%s%s\">RFC %s%s%s</a>", number,
            !*section  ? ""
            : appendix ? "#appendix-"
                       : "#section-",
            section, number, *section ? ", " : "", section);
}

/* A list of names or RFCs, parted by ", ". */
static void put_names(struct pages_html *h, const char *value)
{
    for (const char *p = value; *p;) {
        size_t len = strstr(p, ", ") ? (size_t)(strstr(p, ", ") - p) : strlen(p);
        char name[PAGES_NAME_MAX + 1], url[PAGES_URL_MAX];
        snprintf(name, sizeof name, "%.*s", (int)len, p);
        if (p != value)
            fputs(", ", h->to);
        if (strncmp(p, "RFC ", 4) == 0) {
            put_rfc(h, p, len);
        } else if (pages_url_of_name(h, name, url)) {
            fprintf(h->to, "<a href=\"%s%s\">", h->home, url);
            pages_html_escape(h->to, p, len);
            fputs("</a>", h->to);
        } else {
            pages_html_escape(h->to, p, len);
        }
        p += len;
        p += strspn(p, ", ");
    }
}

static void put_value(struct pages_html *h, const struct pages_fact *fact, const char *value)
{
    fputs("<td>", h->to);
    if (fact->names)
        put_names(h, value);
    else
        pages_html_inline(h, value);
    fputs("</td>", h->to);
}

static void put_facts(struct pages_out *out, const struct pages_facts *facts)
{
    struct pages_html *h = html_of(out);
    bool both = facts->heads[0] != NULL;
    end_items(h);
    fprintf(h->to, "<table class=\"facts%s\">\n", both ? " both" : "");
    if (both) {
        fputs("<thead><tr><td></td>", h->to);
        for (size_t i = 0; i < 2; i++) {
            fputs("<th scope=\"col\">", h->to);
            pages_html_put(h->to, facts->heads[i]);
            fputs("</th>", h->to);
        }
        fputs("</tr></thead>\n", h->to);
    }
    fputs("<tbody>\n", h->to);
    for (size_t i = 0; i < facts->n; i++) {
        fputs("<tr><th scope=\"row\">", h->to);
        pages_html_put(h->to, facts->fact[i].label);
        fputs("</th>", h->to);
        put_value(h, &facts->fact[i], facts->fact[i].value);
        if (both)
            put_value(h, &facts->fact[i], facts->fact[i].other);
        fputs("</tr>\n", h->to);
    }
    fputs("</tbody>\n</table>\n", h->to);
}

static void put_beside(struct pages_out *out, const char *const titles[2], const char *const texts[2])
{
    struct pages_html *h = html_of(out);
    fputs("<div class=\"beside\">\n", h->to);
    for (size_t i = 0; i < 2; i++) {
        fputs("<div>\n<h3>", h->to);
        put_page_title(h, titles[i]);
        fputs("</h3>\n", h->to);
        put_blocks(h, texts[i], "");
        end_items(h);
        fputs("</div>\n", h->to);
    }
    fputs("</div>\n", h->to);
}

static const struct pages_ops ops = {put_title,      put_heading, put_subheading, put_lead, put_text,
                                     put_transcript, put_facts,   put_beside,     put_small};

void pages_html_init(struct pages_html *h, FILE *to, enum reference_lang lang, const char *home,
                     const struct pages_subject *about)
{
    *h = (struct pages_html){.out = {&ops, lang}, .to = to, .home = home, .about = about};
}
