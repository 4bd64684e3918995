/* Text for a manual page. */
#ifndef PAGES_ROFF_H
#define PAGES_ROFF_H

#include <stdio.h>

/* Roff's own letters escaped, `code` in bold. A line never begins with a control character. */
void pages_roff(FILE *to, const char *text, size_t len);

#endif
