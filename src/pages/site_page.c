/* What is around the text of a page: the bar above, the contents beside it, the foot. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pages/site_parts.h"

static void fail(struct pages_site *site, const char *path)
{
    if (site->written->error)
        return;
    site->written->error = errno ? errno : EIO;
    snprintf(site->written->path, sizeof site->written->path, "%s", path);
}

FILE *pages_site_open(struct pages_site *site, const char *path)
{
    char full[sizeof site->written->path];
    if (site->written->error)
        return NULL;
    int n = snprintf(full, sizeof full, "%s/%s", site->folder, path);
    if (n < 0 || (size_t)n >= sizeof full) {
        errno = ENAMETOOLONG;
        fail(site, path);
        return NULL;
    }
    for (char *slash = full + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(full, 0777) != 0 && errno != EEXIST) {
            fail(site, full);
            return NULL;
        }
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    if (!file)
        fail(site, full);
    return file;
}

void pages_site_close(struct pages_site *site, const char *path, FILE *file)
{
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad)
        fail(site, path);
    else
        site->written->files_n++;
}

const char *pages_lang_tag(enum reference_lang lang) { return lang == REFERENCE_VI ? "vi" : "en"; }

void pages_home_of(const char *path, char home_out[16])
{
    size_t n = 0;
    home_out[0] = '\0';
    for (const char *p = path; (p = strchr(p, '/')) && n + 4 < 16; p++)
        n += (size_t)snprintf(home_out + n, 16 - n, "../");
}

static void put_word(FILE *to, const struct pages_site *site, enum reference_word w)
{
    pages_html_put(to, reference_word(w, site->lang));
}

static void put_head(FILE *to, const struct pages_site *site, const struct pages_frame *f, const char *home)
{
    fprintf(to, "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n<title>",
            pages_lang_tag(site->lang));
    pages_html_put(to, f->title);
    fputs(" · Sallyport</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"description\" content=\"",
          to);
    pages_html_put(to, f->description);
    fprintf(
        to,
        "\">\n<link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"%s../assets/style.css\">\n"
        "<link rel=\"alternate\" hreflang=\"en\" href=\"%s../en/%s\">\n"
        "<link rel=\"alternate\" hreflang=\"vi\" href=\"%s../vi/%s\">\n"
        "<script src=\"%s../assets/site.js\"></script>\n</head>\n<body>\n",
        home, home, f->path, home, f->path, home);
}

static void put_search(FILE *to, const struct pages_site *site, const char *home)
{
    fprintf(
        to,
        "<form class=\"search\" role=\"search\" action=\"%sindex.html\">\n<label class=\"hidden\" for=\"q\">",
        home);
    put_word(to, site, REFERENCE_WORD_SITE_SEARCH);
    fputs("</label>\n<input id=\"q\" type=\"search\" name=\"q\" autocomplete=\"off\" spellcheck=\"false\" "
          "role=\"combobox\" aria-expanded=\"false\" aria-controls=\"found\" aria-autocomplete=\"list\" "
          "placeholder=\"",
          to);
    put_word(to, site, REFERENCE_WORD_SITE_SEARCH_HINT);
    fprintf(to, "\" data-home=\"%s\" data-index=\"%s../assets/index-%s.js\" data-none=\"", home, home,
            pages_lang_tag(site->lang));
    put_word(to, site, REFERENCE_WORD_SITE_NO_RESULT);
    fputs("\">\n<ul class=\"found\" id=\"found\" role=\"listbox\" aria-label=\"", to);
    put_word(to, site, REFERENCE_WORD_SITE_RESULTS);
    fputs("\" hidden></ul>\n</form>\n", to);
}

static void put_bar(FILE *to, const struct pages_site *site, const struct pages_frame *f, const char *home)
{
    static const struct {
        const char *url;
        enum reference_word name;
    } links[] = {{"index.html#codes", REFERENCE_WORD_KINDS_CODE},
                 {"index.html#enhanced", REFERENCE_WORD_KINDS_ENHANCED},
                 {"index.html#commands", REFERENCE_WORD_KINDS_COMMAND},
                 {"index.html#keywords", REFERENCE_WORD_KINDS_KEYWORD},
                 {"index.html#mechanisms", REFERENCE_WORD_KINDS_MECHANISM},
                 {"index.html#providers", REFERENCE_WORD_PROVIDERS},
                 {"index.html#compared", REFERENCE_WORD_COMPARISONS},
                 {"states.html", REFERENCE_WORD_SITE_STATES}};
    enum reference_lang other = site->lang == REFERENCE_VI ? REFERENCE_EN : REFERENCE_VI;
    fputs("<a class=\"skip\" href=\"#main\">", to);
    put_word(to, site, REFERENCE_WORD_SITE_SKIP);
    fprintf(to,
            "</a>\n<header class=\"bar\">\n<div>\n<a class=\"brand\" href=\"%sindex.html\">Sallyport "
            "<span>334·503</span></a>\n",
            home);
    put_search(to, site, home);
    fprintf(to, "<div class=\"tools\">\n<a href=\"%s../%s/%s\" hreflang=\"%s\" lang=\"%s\">", home,
            pages_lang_tag(other), f->path, pages_lang_tag(other), pages_lang_tag(other));
    put_word(to, site, REFERENCE_WORD_SITE_OTHER_LANGUAGE);
    fputs("</a>\n<button type=\"button\" id=\"theme\" title=\"", to);
    put_word(to, site, REFERENCE_WORD_SITE_LIGHT);
    fputs("\"><span aria-hidden=\"true\">◐</span><span class=\"hidden\">", to);
    put_word(to, site, REFERENCE_WORD_SITE_LIGHT);
    fputs("</span></button>\n</div>\n<nav aria-label=\"", to);
    put_word(to, site, REFERENCE_WORD_MENU);
    fputs("\">\n", to);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        fprintf(to, "<a href=\"%s%s\">", home, links[i].url);
        put_word(to, site, links[i].name);
        fputs("</a>\n", to);
    }
    fputs("</nav>\n</div>\n</header>\n", to);
}

static void put_contents(FILE *to, const struct pages_site *site, const struct pages_html *html)
{
    fputs("<nav class=\"contents\" aria-labelledby=\"contents\">\n<div>\n<strong id=\"contents\">", to);
    put_word(to, site, REFERENCE_WORD_SITE_ON_THIS_PAGE);
    fputs("</strong>\n<ul>\n", to);
    for (size_t i = 0; i < html->headings_n; i++) {
        fprintf(to, "<li><a href=\"#%s\">", html->headings[i].anchor);
        pages_html_put(to, html->headings[i].text);
        fputs("</a></li>\n", to);
    }
    fputs("</ul>\n</div>\n</nav>\n", to);
}

static void put_foot(FILE *to, const struct pages_site *site)
{
    struct pages_html html;
    pages_html_init(&html, to, site->lang, "", NULL);
    fputs("<footer>\n<p>", to);
    pages_html_inline(&html, reference_word(REFERENCE_WORD_SITE_MADE_BY, site->lang));
    fputs("</p>\n</footer>\n</body>\n</html>\n", to);
}

void pages_frame_write(struct pages_site *site, const struct pages_frame *f)
{
    char path[PAGES_URL_MAX + 4], home[16];
    bool contents = f->html && f->html->headings_n > 1;
    snprintf(path, sizeof path, "%s/%s", pages_lang_tag(site->lang), f->path);
    FILE *to = pages_site_open(site, path);
    if (!to)
        return;
    pages_home_of(f->path, home);
    put_head(to, site, f, home);
    put_bar(to, site, f, home);
    fprintf(to, "<div class=\"frame%s\">\n<main id=\"main\">\n%s</main>\n", contents ? " with-contents" : "",
            f->body);
    if (contents)
        put_contents(to, site, f->html);
    fputs("</div>\n", to);
    put_foot(to, site);
    pages_site_close(site, path, to);
}
