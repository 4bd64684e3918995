#include "cli/wrap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_ON  "\033[36m"
#define CODE_OFF "\033[39m"

struct writer {
    struct cli_lines *lines;
    struct cli_wrap how;
    FILE *line;  /* the line being written; NULL between lines */
    char *bytes; /* of that line, once it is closed            */
    size_t bytes_n;
    size_t columns; /* written so far                             */
    bool empty;     /* nothing but the indent is written          */
    bool code;      /* between backticks                          */
};

/* A UTF-8 letter's length in octets; a stray octet counts as a letter of its own. */
static size_t letter_len(const char *s)
{
    size_t n = 1;
    if (((unsigned char)s[0] & 0xc0) == 0xc0)
        while (((unsigned char)s[n] & 0xc0) == 0x80)
            n++;
    return n;
}

/* Combining marks, U+0300 to U+036F. */
static bool is_mark(const char *s)
{
    unsigned char a = (unsigned char)s[0], b = (unsigned char)s[1];
    return (a == 0xcc && b >= 0x80) || (a == 0xcd && b >= 0x80 && b <= 0xaf);
}

static size_t letter_columns(const struct writer *w, const char *s)
{
    if (*s == '`' && w && w->how.markup && w->how.colour)
        return 0;
    return is_mark(s) ? 0 : 1;
}

static size_t measure(const struct writer *w, const char *s, size_t len)
{
    size_t columns = 0;
    for (size_t i = 0; i < len; i += letter_len(s + i))
        columns += letter_columns(w, s + i);
    return columns;
}

size_t cli_columns(const char *text) { return measure(NULL, text, strlen(text)); }

static void open_line(struct writer *w, size_t indent)
{
    w->line = open_memstream(&w->bytes, &w->bytes_n);
    if (!w->line)
        abort();
    fprintf(w->line, "%*s%s", (int)indent, "", w->code && w->how.colour ? CODE_ON : "");
    w->columns = indent;
    w->empty = true;
}

static void close_line(struct writer *w)
{
    if (w->code && w->how.colour)
        fputs(CODE_OFF, w->line);
    if (fclose(w->line) != 0)
        abort();
    struct cli_line *grown = realloc(w->lines->line, (w->lines->n + 1) * sizeof *grown);
    if (!grown)
        abort();
    w->lines->line = grown;
    grown[w->lines->n++] = (struct cli_line){w->bytes, w->columns};
    w->line = NULL;
}

static void next_line(struct writer *w)
{
    close_line(w);
    open_line(w, w->how.hang);
}

static void put_letter(struct writer *w, const char *s)
{
    if (*s == '`' && w->how.markup) {
        w->code = !w->code;
        if (w->how.colour) {
            fputs(w->code ? CODE_ON : CODE_OFF, w->line);
            return;
        }
    }
    fwrite(s, 1, letter_len(s), w->line);
    w->columns += letter_columns(w, s);
    w->empty = false;
}

static void put_word(struct writer *w, const char *s, size_t len)
{
    size_t columns = measure(w, s, len), room = w->how.width - w->how.hang;
    if (!w->empty && w->columns + 1 + columns > w->how.width)
        next_line(w);
    else if (!w->empty)
        put_letter(w, " ");
    for (size_t i = 0; i < len; i += letter_len(s + i)) {
        if (columns > room && w->columns + letter_columns(w, s + i) > w->how.width)
            next_line(w);
        put_letter(w, s + i);
    }
}

/* The length of what should stay together: up to a space that is not in code. */
static size_t unit_len(const struct writer *w, const char *s)
{
    bool code = false;
    size_t n = 0;
    for (; s[n] != '\0' && s[n] != '\n' && (s[n] != ' ' || code); n++)
        if (s[n] == '`' && w->how.markup)
            code = !code;
    return n;
}

/* Too wide for a line: cut at its spaces. */
static void put_unit(struct writer *w, const char *s, size_t len)
{
    bool fits = measure(w, s, len) + w->how.hang <= w->how.width;
    while (len > 0) {
        const char *space = fits ? NULL : memchr(s, ' ', len);
        size_t n = space ? (size_t)(space - s) : len;
        put_word(w, s, n);
        n += space ? 1 : 0;
        s += n;
        len -= n;
    }
}

/* One paragraph; gives what follows it. */
static const char *put_paragraph(struct writer *w, const char *s)
{
    struct cli_wrap how = w->how;
    open_line(w, 0);
    if (how.markup && strncmp(s, "- ", 2) == 0)
        w->how.hang += 2;
    while (*s != '\0' && *s != '\n') {
        size_t len = unit_len(w, s);
        put_unit(w, s, len);
        s += len;
        while (*s == ' ')
            s++;
    }
    close_line(w);
    w->how = how;
    w->code = false;
    return *s == '\n' ? s + 1 : s;
}

void cli_wrap(struct cli_lines *lines, const char *text, struct cli_wrap how)
{
    enum { NARROWEST = 8 };
    if (how.width < how.hang + NARROWEST)
        how.width = how.hang + NARROWEST;
    struct writer w = {.lines = lines, .how = how};
    for (bool first = true; first || *text != '\0'; first = false) {
        if (!first && strncmp(text, "- ", 2) != 0) {
            open_line(&w, 0);
            close_line(&w);
        }
        text = put_paragraph(&w, text);
    }
}

void cli_lines_free(struct cli_lines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        free(lines->line[i].bytes);
    free(lines->line);
    *lines = (struct cli_lines){NULL, 0};
}
