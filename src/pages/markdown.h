/* Pages as Markdown (CommonMark with tables left out), on a stream. */
#ifndef PAGES_MARKDOWN_H
#define PAGES_MARKDOWN_H

#include <stdio.h>

#include "pages/pages.h"

struct pages_markdown {
    struct pages_out out;
    FILE *to;
};

void pages_markdown_init(struct pages_markdown *markdown, FILE *to, enum reference_lang lang);

#endif
