/* What the files of the site share. */
#ifndef PAGES_SITE_PARTS_H
#define PAGES_SITE_PARTS_H

#include <stdio.h>

#include "pages/html.h"
#include "pages/site.h"

/* The day that manual pages are of: that of the last reading of the whole catalogue. */
#define PAGES_MAN_DATE "2026-11-24"

struct pages_site {
    const char *folder;
    enum reference_lang lang;
    struct pages_written *written;
};

/* Open FOLDER/PATH for writing; its folders are made. NULL: site->written says why. */
FILE *pages_site_open(struct pages_site *site, const char *path);
void pages_site_close(struct pages_site *site, const char *path, FILE *file);

/* "en", "vi". */
const char *pages_lang_tag(enum reference_lang lang);

/* A page without what is around it. */
struct pages_frame {
    char path[PAGES_URL_MAX];        /* below the folder of its language: "codes/334.html" */
    const char *title, *description; /* of the browser's window; of search engines         */
    const char *body;                /* HTML of <main>                                     */
    const struct pages_html *html;   /* whose headings are listed; NULL for none            */
};
void pages_frame_write(struct pages_site *site, const struct pages_frame *frame);

/* "../" for each folder in a path. */
void pages_home_of(const char *path, char home_out[16]);

/* index.html of a language, its search index, and the page at the top that leads to the languages. */
void pages_site_home(struct pages_site *site);
void pages_site_index(struct pages_site *site);

#endif
