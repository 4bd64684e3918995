/* Text as HTML: what is escaped, what is code, and which page it names. */
#include "pages/html.h"

#include <string.h>

#include "base/view.h"

void pages_html_escape(FILE *to, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        switch (text[i]) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        default:
            fputc(text[i], to);
        }
}

void pages_html_put(FILE *to, const char *text) { pages_html_escape(to, text, strlen(text)); }

static const char *const folders[PAGES_KIND_N] = {
    [PAGES_CODE] = "codes",        [PAGES_ENHANCED] = "enhanced",    [PAGES_COMMAND] = "commands",
    [PAGES_KEYWORD] = "keywords",  [PAGES_MECHANISM] = "mechanisms", [PAGES_REASON] = "reasons",
    [PAGES_PROVIDER] = "providers"};

const char *pages_folder(enum pages_kind kind) { return folders[kind]; }

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)sp_ascii_lower((uint8_t)*text);
}

void pages_url(const struct pages_subject *s, char url_out[PAGES_URL_MAX])
{
    if (s->kind == PAGES_ENHANCED)
        snprintf(url_out, PAGES_URL_MAX, "enhanced/x.%d.%d.html", s->enhanced.subject, s->enhanced.detail);
    else
        snprintf(url_out, PAGES_URL_MAX, "%s/%s.html", folders[s->kind], s->name);
    lower(url_out);
}

void pages_url_of_pair(const struct reference_pair *pair, char url_out[PAGES_URL_MAX])
{
    snprintf(url_out, PAGES_URL_MAX, "compare/%s-%s.html", pair->a, pair->b);
    lower(url_out);
}

bool pages_url_of_name(const struct pages_html *h, const char *name, char url_out[PAGES_URL_MAX])
{
    struct pages_subject found[PAGES_SAME_NAME_MAX];
    const char *slash = strstr(name, " / ");
    if (slash) {
        char a[PAGES_NAME_MAX + 1];
        snprintf(a, sizeof a, "%.*s", (int)(slash - name), name);
        const struct reference_pair *pair = reference_pair_find(a, slash + 3);
        if (pair)
            pages_url_of_pair(pair, url_out);
        return pair != NULL;
    }
    if (strlen(name) > PAGES_NAME_MAX || pages_subjects(name, found) == 0 ||
        !pages_subject_is_known(&found[0]))
        return false;
    /* Names are written in capitals where they are meant: "help" is a word. */
    if (found[0].topic && strcmp(found[0].name, name) != 0)
        return false;
    if (h->about && pages_subject_eq(&found[0], h->about))
        return false;
    pages_url(&found[0], url_out);
    return true;
}

/* Within a section each page is linked once; more would make a text of links. */
static bool is_new(struct pages_html *h, const char *url)
{
    for (size_t i = 0; i < h->linked_n; i++)
        if (strcmp(h->linked[i], url) == 0)
            return false;
    if (h->linked_n < PAGES_LINKED_MAX)
        snprintf(h->linked[h->linked_n++], PAGES_URL_MAX, "%s", url);
    return true;
}

static void put_code(struct pages_html *h, const char *text, size_t len)
{
    char name[PAGES_NAME_MAX * 2 + 4], url[PAGES_URL_MAX];
    snprintf(name, sizeof name, "%.*s", (int)len, text);
    bool link = len < sizeof name && pages_url_of_name(h, name, url) && is_new(h, url);
    if (link)
        fprintf(h->to, "<a href=\"%s%s\">", h->home, url);
    fputs("<code>", h->to);
    pages_html_escape(h->to, text, len);
    fputs(link ? "</code></a>" : "</code>", h->to);
}

void pages_html_words(struct pages_html *h, const char *text, size_t len)
{
    const char *end = text + len;
    while (text < end) {
        const char *open = memchr(text, '`', (size_t)(end - text));
        const char *close = open ? memchr(open + 1, '`', (size_t)(end - open - 1)) : NULL;
        if (!close) {
            pages_html_escape(h->to, text, (size_t)(end - text));
            return;
        }
        pages_html_escape(h->to, text, (size_t)(open - text));
        put_code(h, open + 1, (size_t)(close - open - 1));
        text = close + 1;
    }
}

void pages_html_inline(struct pages_html *h, const char *text) { pages_html_words(h, text, strlen(text)); }
