/* Pages as HTML, on a stream: the blocks of a page's <main>, without what is around them. */
#ifndef PAGES_HTML_H
#define PAGES_HTML_H

#include <stdio.h>

#include "pages/pages.h"

enum { PAGES_HEADINGS_MAX = 24, PAGES_LINKED_MAX = 32, PAGES_URL_MAX = 160 };

struct pages_html {
    struct pages_out out;
    FILE *to;
    const char *home;                  /* relative path from the page to the folder of its language: "../" */
    const struct pages_subject *about; /* not linked to from its own page; NULL for others                 */
    bool in_section, in_case, in_items;
    char linked[PAGES_LINKED_MAX][PAGES_URL_MAX]; /* in this section */
    size_t linked_n;
    size_t headings_n;
    struct {
        char anchor[PAGES_NAME_MAX + 1];
        const char *text; /* of the catalogue's words */
    } headings[PAGES_HEADINGS_MAX];
};

void pages_html_init(struct pages_html *html, FILE *to, enum reference_lang lang, const char *home,
                     const struct pages_subject *about);

/* Close what is open. */
void pages_html_end(struct pages_html *html);

/* Text that may stand in an element or in a quoted attribute; len octets of it. */
void pages_html_escape(FILE *to, const char *text, size_t len);
void pages_html_put(FILE *to, const char *text);

/* Text of the catalogue, on one line: `code` is marked, and linked where it names a page. */
void pages_html_inline(struct pages_html *html, const char *text);
void pages_html_words(struct pages_html *html, const char *text, size_t len);

/* "codes/334.html", below the folder of a language. */
void pages_url(const struct pages_subject *subject, char url_out[PAGES_URL_MAX]);
void pages_url_of_pair(const struct reference_pair *pair, char url_out[PAGES_URL_MAX]);

/* The page that a piece of code names: "334", "AUTH", "AUTH LOGIN" no, "334 / 503" the comparison. false: none. */
bool pages_url_of_name(const struct pages_html *html, const char *name, char url_out[PAGES_URL_MAX]);

/* "codes" */
const char *pages_folder(enum pages_kind kind);

#endif
