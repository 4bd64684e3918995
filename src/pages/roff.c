#include "pages/roff.h"

#include <stdbool.h>

void pages_roff(FILE *to, const char *text, size_t len)
{
    bool bold = false;
    if (len > 0 && (text[0] == '.' || text[0] == '\''))
        fputs("\\&", to);
    for (size_t i = 0; i < len; i++)
        switch (text[i]) {
        case '`':
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fR", to);
            break;
        case '\\':
            fputs("\\e", to);
            break;
        case '-':
            fputs("\\-", to);
            break;
        case '~':
            fputs("\\(ti", to);
            break;
        case '^':
            fputs("\\(ha", to);
            break;
        case '\n':
            fputc(' ', to);
            break;
        default:
            fputc(text[i], to);
        }
    if (bold)
        fputs("\\fR", to);
}
