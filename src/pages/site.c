/* Every page of the catalogue as a file of the site. */
#include "pages/site.h"

#include <stdlib.h>
#include <string.h>

#include "pages/assets.h"
#include "pages/site_parts.h"
#include "pages/text.h"

static void write_subject(struct pages_site *site, const struct pages_subject *s)
{
    struct pages_frame f = {.html = NULL};
    struct pages_html html;
    struct pages_text body;
    char home[16];
    pages_url(s, f.path);
    pages_home_of(f.path, home);
    pages_html_init(&html, pages_text_begin(&body), site->lang, home, s);
    pages_write(&html.out, s);
    pages_html_end(&html);
    char *text = pages_text_end(&body), *name = pages_part(s, PAGES_PART_NAME, site->lang);
    char *summary = pages_part(s, PAGES_PART_SUMMARY, site->lang);
    char *title = s->provider ? pages_copy(name) : pages_format("%s: %s", s->name, name);
    f.title = title;
    f.description = *summary ? summary : name;
    f.body = text;
    f.html = &html;
    pages_frame_write(site, &f);
    free(text);
    free(name);
    free(summary);
    free(title);
}

static void write_pair(struct pages_site *site, const struct reference_pair *pair)
{
    struct pages_subject a[PAGES_SAME_NAME_MAX], b[PAGES_SAME_NAME_MAX];
    struct pages_frame f = {.html = NULL};
    struct pages_html html;
    struct pages_text body;
    char home[16];
    if (pages_subjects(pair->a, a) == 0 || pages_subjects(pair->b, b) == 0)
        return;
    pages_url_of_pair(pair, f.path);
    pages_home_of(f.path, home);
    pages_html_init(&html, pages_text_begin(&body), site->lang, home, NULL);
    pages_write_comparison(&html.out, &a[0], &b[0]);
    pages_html_end(&html);
    char *text = pages_text_end(&body), *names[2] = {pages_part(&a[0], PAGES_PART_NAME, site->lang),
                                                     pages_part(&b[0], PAGES_PART_NAME, site->lang)};
    char *title = pages_format("%s / %s", pair->a, pair->b),
         *description = pages_format("%s / %s", names[0], names[1]);
    f.title = title;
    f.description = description;
    f.body = text;
    f.html = &html;
    pages_frame_write(site, &f);
    free(text);
    free(names[0]);
    free(names[1]);
    free(title);
    free(description);
}

static void write_states(struct pages_site *site)
{
    struct pages_frame f = {.path = "states.html",
                            .title = reference_word(REFERENCE_WORD_SITE_STATES, site->lang)};
    struct pages_html html;
    struct pages_text body;
    pages_html_init(&html, pages_text_begin(&body), site->lang, "", NULL);
    fputs("<header class=\"head\">\n<h1>", html.to);
    pages_html_put(html.to, f.title);
    fputs("</h1>\n</header>\n<p>", html.to);
    pages_html_inline(&html, reference_word(REFERENCE_WORD_SITE_STATES_TEXT, site->lang));
    fputs("</p>\n<div class=\"diagram\" role=\"region\" tabindex=\"0\" aria-label=\"", html.to);
    pages_html_put(html.to, f.title);
    fprintf(html.to, "\">\n%s</div>\n<p class=\"small\">", pages_server_states_svg);
    pages_html_put(html.to, reference_word(REFERENCE_WORD_SITE_STATES_HINT, site->lang));
    fputs("</p>\n", html.to);
    char *text = pages_text_end(&body);
    f.body = text;
    f.description = f.title;
    pages_frame_write(site, &f);
    free(text);
}

static void write_pages(struct pages_site *site)
{
    size_t n;
    struct pages_subject s;
    const struct reference_code *codes = reference_codes(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_code(&codes[i]), write_subject(site, &s);
    const struct reference_meaning *meanings = reference_meanings(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_meaning(&meanings[i]), write_subject(site, &s);
    for (int subject = 0, detail = 0; pages_private_enhanced(&subject, &detail);)
        s = pages_subject_of_enhanced(subject, detail), write_subject(site, &s);
    const struct reference_topic *topics = reference_topics(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_topic(&topics[i]), write_subject(site, &s);
    const struct reference_reason *reasons = reference_reasons(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_reason(&reasons[i]), write_subject(site, &s);
    const struct reference_provider *providers = reference_providers(&n);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_provider(&providers[i]), write_subject(site, &s);
    const struct reference_pair *pairs = reference_pairs(&n);
    for (size_t i = 0; i < n; i++)
        write_pair(site, &pairs[i]);
}

static void write_asset(struct pages_site *site, const char *path, const char *text)
{
    FILE *to = pages_site_open(site, path);
    if (!to)
        return;
    fputs(text, to);
    pages_site_close(site, path, to);
}

/* The page at the top: a choice of languages, taken from the browser's where scripts run. */
static const char chooser[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Sallyport</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<link rel=\"icon\" "
    "href=\"data:,\">\n"
    "<link rel=\"stylesheet\" href=\"assets/style.css\">\n"
    "<script>location.replace((/^vi\\b/i.test(navigator.language) ? \"vi\" : \"en\") + "
    "\"/index.html\");</script>\n"
    "</head>\n<body>\n<div class=\"frame\">\n<main>\n<h1><span class=\"key\">334 · 503</span> "
    "Sallyport</h1>\n"
    "<ul>\n<li><a href=\"en/index.html\" hreflang=\"en\">English</a></li>\n"
    "<li><a href=\"vi/index.html\" hreflang=\"vi\" lang=\"vi\">Tiếng Việt</a></li>\n</ul>\n</main>\n</div>\n"
    "</body>\n</html>\n";

void pages_site_write(const char *folder, struct pages_written *written_out)
{
    struct pages_site site = {.folder = folder, .written = written_out};
    *written_out = (struct pages_written){0};
    write_asset(&site, "index.html", chooser);
    write_asset(&site, "assets/style.css", pages_style_css);
    write_asset(&site, "assets/site.js", pages_site_js);
    for (int lang = REFERENCE_EN; lang <= REFERENCE_VI; lang++) {
        site.lang = (enum reference_lang)lang;
        write_pages(&site);
        write_states(&site);
        pages_site_home(&site);
        pages_site_index(&site);
    }
}
