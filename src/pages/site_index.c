/* The home page of a language, and the index that its search reads. */
#include <stdlib.h>
#include <string.h>

#include "pages/site_parts.h"
#include "pages/text.h"

static const char *word(enum reference_word w, enum reference_lang lang) { return reference_word(w, lang); }

/* --- the home page --------------------------------------------------------------------------------- */

/* A link may hold no other: backticks are left out. */
static void put_plain(FILE *to, const char *text)
{
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, "`");
        pages_html_escape(to, p, len);
        p += len + (p[len] == '`');
    }
}

static void put_item(struct pages_html *h, const char *url, const char *name, const char *text, bool rare)
{
    fprintf(h->to, "<li%s><a href=\"%s\">", rare ? " class=\"rare\"" : "", url);
    if (*name) {
        fputs("<b>", h->to);
        pages_html_put(h->to, name);
        fputs("</b> ", h->to);
    }
    fputs("<span>", h->to);
    put_plain(h->to, text);
    fputs("</span></a></li>\n", h->to);
}

/* What few people will meet: a code of no standard, a command or mechanism that has been set aside. */
static bool is_rare(const struct pages_subject *s)
{
    if (s->topic)
        return s->topic->standing == REFERENCE_OBSOLETE || s->topic->standing == REFERENCE_UNOFFICIAL;
    return s->entry && s->entry->standing != REFERENCE_STANDARD;
}

static char *difference_of(const struct reference_pair *pair, enum reference_lang lang)
{
    const char *all = reference_in(&pair->difference, lang);
    return pages_format("%.*s", (int)strcspn(all, "\n"), all);
}

static void put_subject(struct pages_html *h, const struct pages_subject *s)
{
    char url[PAGES_URL_MAX], *name = pages_part(s, PAGES_PART_NAME, h->out.lang);
    pages_url(s, url);
    put_item(h, url, s->provider ? "" : s->name, name, is_rare(s));
    free(name);
}

static void begin_list(struct pages_html *h, const char *anchor, enum reference_word heading,
                       enum reference_word lead, bool wide)
{
    h->out.ops->heading(&h->out, anchor, word(heading, h->out.lang));
    h->out.ops->text(&h->out, word(lead, h->out.lang));
    fprintf(h->to, "<ul class=\"list%s\">\n", wide ? " wide" : "");
}

static void end_list(struct pages_html *h) { fputs("</ul>\n", h->to); }

static void put_codes(struct pages_html *h)
{
    size_t n;
    const struct reference_code *codes = reference_codes(&n);
    h->out.ops->heading(&h->out, "codes", word(REFERENCE_WORD_KINDS_CODE, h->out.lang));
    h->out.ops->text(&h->out, word(REFERENCE_WORD_SITE_CODES_LEAD, h->out.lang));
    for (size_t i = 0; i < n; i++) {
        struct pages_subject s = pages_subject_of_code(&codes[i]);
        bool first = i == 0 || codes[i].code / 100 != codes[i - 1].code / 100;
        if (first) {
            fputs(i ? "</ul>\n<h3>" : "<h3>", h->to);
            pages_html_put(h->to, reference_class(codes[i].code, h->out.lang));
            fputs("</h3>\n<ul class=\"list\">\n", h->to);
        }
        put_subject(h, &s);
    }
    end_list(h);
}

static void put_enhanced(struct pages_html *h)
{
    size_t n;
    const struct reference_meaning *meanings = reference_meanings(&n);
    begin_list(h, "enhanced", REFERENCE_WORD_KINDS_ENHANCED, REFERENCE_WORD_SITE_ENHANCED_LEAD, false);
    for (size_t i = 0; i < n; i++) {
        struct pages_subject s = pages_subject_of_meaning(&meanings[i]);
        put_subject(h, &s);
    }
    for (int subject = 0, detail = 0; pages_private_enhanced(&subject, &detail);) {
        struct pages_subject s = pages_subject_of_enhanced(subject, detail);
        put_subject(h, &s);
    }
    end_list(h);
}

static void put_topics(struct pages_html *h)
{
    static const struct {
        const char *anchor;
        enum reference_word heading, lead;
    } kinds[REFERENCE_TOPIC_KIND_N] = {
        [REFERENCE_COMMAND] = {"commands", REFERENCE_WORD_KINDS_COMMAND, REFERENCE_WORD_SITE_COMMANDS_LEAD},
        [REFERENCE_KEYWORD] = {"keywords", REFERENCE_WORD_KINDS_KEYWORD, REFERENCE_WORD_SITE_KEYWORDS_LEAD},
        [REFERENCE_MECHANISM] = {"mechanisms", REFERENCE_WORD_KINDS_MECHANISM,
                                 REFERENCE_WORD_SITE_MECHANISMS_LEAD}};
    size_t n;
    const struct reference_topic *topics = reference_topics(&n);
    for (int kind = 0; kind < REFERENCE_TOPIC_KIND_N; kind++) {
        begin_list(h, kinds[kind].anchor, kinds[kind].heading, kinds[kind].lead, true);
        for (size_t i = 0; i < n; i++) {
            struct pages_subject s = pages_subject_of_topic(&topics[i]);
            if ((int)topics[i].kind == kind)
                put_subject(h, &s);
        }
        end_list(h);
    }
}

static void put_providers(struct pages_html *h)
{
    size_t n;
    const struct reference_provider *providers = reference_providers(&n);
    begin_list(h, "providers", REFERENCE_WORD_PROVIDERS, REFERENCE_WORD_SITE_PROVIDERS_LEAD, false);
    for (size_t i = 0; i < n; i++) {
        struct pages_subject s = pages_subject_of_provider(&providers[i]);
        put_subject(h, &s);
    }
    end_list(h);
}

static void put_compared(struct pages_html *h)
{
    size_t n;
    const struct reference_pair *pairs = reference_pairs(&n);
    begin_list(h, "compared", REFERENCE_WORD_COMPARISONS, REFERENCE_WORD_SITE_COMPARED_LEAD, true);
    for (size_t i = 0; i < n; i++) {
        char url[PAGES_URL_MAX];
        pages_url_of_pair(&pairs[i], url);
        char *name = pages_format("%s / %s", pairs[i].a, pairs[i].b),
             *text = difference_of(&pairs[i], h->out.lang);
        put_item(h, url, name, text, false);
        free(name);
        free(text);
    }
    end_list(h);
}

static void put_reasons(struct pages_html *h)
{
    size_t n;
    const struct reference_reason *reasons = reference_reasons(&n);
    begin_list(h, "reasons", REFERENCE_WORD_KINDS_REASON, REFERENCE_WORD_SITE_REASONS_LEAD, true);
    for (size_t i = 0; i < n; i++) {
        struct pages_subject s = pages_subject_of_reason(&reasons[i]);
        put_subject(h, &s);
    }
    end_list(h);
}

static void put_cards(struct pages_html *h)
{
    static const char *const names[] = {"334", "503", "535", "550", "AUTH"};
    h->out.ops->heading(&h->out, "start", word(REFERENCE_WORD_SITE_START, h->out.lang));
    fputs("<ul class=\"cards\">\n<li><a href=\"compare/334-503.html\"><b>334 / 503</b> ", h->to);
    put_plain(h->to, word(REFERENCE_WORD_SITE_SEED, h->out.lang));
    fputs("</a></li>\n", h->to);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct pages_subject s[PAGES_SAME_NAME_MAX];
        char url[PAGES_URL_MAX];
        if (pages_subjects(names[i], s) == 0)
            continue;
        char *name = pages_part(&s[0], PAGES_PART_NAME, h->out.lang);
        pages_url(&s[0], url);
        fprintf(h->to, "<li><a href=\"%s\"><b>%s</b> ", url, names[i]);
        pages_html_put(h->to, name);
        fputs("</a></li>\n", h->to);
        free(name);
    }
    fputs("</ul>\n", h->to);
}

void pages_site_home(struct pages_site *site)
{
    struct pages_frame f = {.path = "index.html",
                            .title = word(REFERENCE_WORD_SITE_TITLE, site->lang),
                            .description = word(REFERENCE_WORD_SITE_LEAD, site->lang)};
    struct pages_html html;
    struct pages_text body;
    pages_html_init(&html, pages_text_begin(&body), site->lang, "", NULL);
    fputs("<header class=\"head\">\n<h1>", html.to);
    pages_html_put(html.to, f.title);
    fputs("</h1>\n</header>\n<p class=\"lead\">", html.to);
    pages_html_put(html.to, f.description);
    fputs("</p>\n<noscript><p class=\"small\">", html.to);
    pages_html_put(html.to, word(REFERENCE_WORD_SITE_NEEDS_SCRIPT, site->lang));
    fputs("</p></noscript>\n", html.to);
    put_cards(&html);
    put_codes(&html);
    put_enhanced(&html);
    put_topics(&html);
    put_providers(&html);
    put_compared(&html);
    put_reasons(&html);
    pages_html_end(&html);
    char *text = pages_text_end(&body);
    f.body = text;
    f.html = &html;
    pages_frame_write(site, &f);
    free(text);
}

/* --- the search index ------------------------------------------------------------------------------ */

/* A string of JavaScript that may also stand in a <script> element. Backticks are of no use to a search. */
static void put_js(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '`')
            continue;
        if (*text == '\n' || *text == '\t')
            fputc(' ', to);
        else if (*text == '<')
            fputs("\\u003c", to);
        else if (*text == '"' || *text == '\\')
            fprintf(to, "\\%c", *text);
        else
            fputc(*text, to);
    }
    fputc('"', to);
}

/* [kind, name, title, url, text, bonus]: what site.js reads. */
static void put_row(FILE *to, const char *kind, const char *name, const char *title, const char *url,
                    const char *text, int bonus)
{
    const char *const strings[] = {kind, name, title, url, text};
    fputc('[', to);
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        put_js(to, strings[i]);
        fputc(',', to);
    }
    fprintf(to, "%d],\n", bonus);
}

/* All that a page says, and what is seen on the wire. */
static char *all_text(const struct pages_subject *s, enum reference_lang lang)
{
    struct pages_text t;
    FILE *to = pages_text_begin(&t);
    for (enum pages_part part = PAGES_PART_SUMMARY; part <= PAGES_PART_FIX; part++) {
        char *text = pages_part(s, part, lang);
        fprintf(to, "%s ", text);
        free(text);
    }
    for (size_t i = 0; s->entry && i < s->entry->cases_n; i++)
        fprintf(to, "%s %s ", reference_in(&s->entry->cases[i].title, lang),
                reference_in(&s->entry->cases[i].when, lang));
    for (size_t i = 0; s->entry && i < s->entry->variants_n; i++)
        fprintf(to, "%s %s ", s->entry->variants[i].match,
                reference_in(&s->entry->variants[i].summary, lang));
    for (const char *const *alias = s->topic ? s->topic->aliases : NULL; alias && *alias; alias++)
        fprintf(to, "%s ", *alias);
    return pages_text_end(&t);
}

/* Codes and what people type come before what merely speaks of them. */
static const int bonuses[PAGES_KIND_N] = {
    [PAGES_CODE] = 9,      [PAGES_ENHANCED] = 3, [PAGES_COMMAND] = 7, [PAGES_KEYWORD] = 4,
    [PAGES_MECHANISM] = 6, [PAGES_REASON] = 2,   [PAGES_PROVIDER] = 1};

static void index_subject(FILE *to, const struct pages_subject *s, enum reference_lang lang)
{
    char url[PAGES_URL_MAX], *name = pages_part(s, PAGES_PART_NAME, lang), *text = all_text(s, lang);
    pages_url(s, url);
    put_row(to, pages_kind_word(s->kind, lang), s->name, name, url, text,
            bonuses[s->kind] - (is_rare(s) ? 6 : 0));
    free(name);
    free(text);
}

static void index_signatures(FILE *to, enum reference_lang lang)
{
    size_t n;
    const struct reference_signature *all = reference_signatures(&n);
    for (size_t i = 0; i < n; i++) {
        char url[PAGES_URL_MAX * 2], name[32];
        snprintf(url, sizeof url, "providers/%s.html#%s", all[i].provider->id, all[i].id);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(all[i].said + 4, " ") + 4, all[i].said);
        char *text = pages_format("%s %s", all[i].said, reference_in(&all[i].fix, lang));
        put_row(to, all[i].provider->name, name, reference_in(&all[i].meaning, lang), url, text, 0);
        free(text);
    }
}

static void index_pairs(FILE *to, enum reference_lang lang)
{
    size_t n;
    const struct reference_pair *pairs = reference_pairs(&n);
    for (size_t i = 0; i < n; i++) {
        char url[PAGES_URL_MAX];
        char *name = pages_format("%s / %s", pairs[i].a, pairs[i].b);
        char *title = difference_of(&pairs[i], lang);
        pages_url_of_pair(&pairs[i], url);
        put_row(to, word(REFERENCE_WORD_COMPARISONS, lang), name, title, url,
                reference_in(&pairs[i].which, lang), 1);
        free(name);
        free(title);
    }
}

void pages_site_index(struct pages_site *site)
{
    char path[64];
    size_t n;
    struct pages_subject s;
    snprintf(path, sizeof path, "assets/index-%s.js", pages_lang_tag(site->lang));
    FILE *to = pages_site_open(site, path);
    if (!to)
        return;
    fputs("window.sallyportIndex = [\n", to);
    const struct reference_code *codes = reference_codes(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_code(&codes[i]), index_subject(to, &s, site->lang);
    const struct reference_meaning *meanings = reference_meanings(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_meaning(&meanings[i]), index_subject(to, &s, site->lang);
    for (int subject = 0, detail = 0; pages_private_enhanced(&subject, &detail);)
        s = pages_subject_of_enhanced(subject, detail), index_subject(to, &s, site->lang);
    const struct reference_topic *topics = reference_topics(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_topic(&topics[i]), index_subject(to, &s, site->lang);
    const struct reference_reason *reasons = reference_reasons(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_reason(&reasons[i]), index_subject(to, &s, site->lang);
    const struct reference_provider *providers = reference_providers(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_provider(&providers[i]), index_subject(to, &s, site->lang);
    index_signatures(to, site->lang);
    index_pairs(to, site->lang);
    fputs("];\n", to);
    pages_site_close(site, path, to);
}
