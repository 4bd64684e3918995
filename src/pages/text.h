/* A text that grows. */
#ifndef PAGES_TEXT_H
#define PAGES_TEXT_H

#include <stdio.h>

struct pages_text {
    char *p;
    size_t n;
    FILE *to; /* write here */
};

FILE *pages_text_begin(struct pages_text *text);

/* The text; owned by the caller. */
char *pages_text_end(struct pages_text *text);

/* A formatted text; owned by the caller. */
__attribute__((format(printf, 1, 2))) char *pages_format(const char *format, ...);

/* strdup that does not fail. */
char *pages_copy(const char *text);

#endif
