#include "pages/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Memory is out: there is nothing to be done about it in a program that prints a page. */
FILE *pages_text_begin(struct pages_text *text)
{
    *text = (struct pages_text){NULL, 0, NULL};
    text->to = open_memstream(&text->p, &text->n);
    if (!text->to)
        abort();
    return text->to;
}

char *pages_text_end(struct pages_text *text)
{
    if (fclose(text->to) != 0)
        abort();
    return text->p;
}

char *pages_format(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    return text;
}

char *pages_copy(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}
