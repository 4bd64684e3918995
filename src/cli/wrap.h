/* Text for a terminal: cut into lines at a width that is counted in columns, not in octets. */
#ifndef CLI_WRAP_H
#define CLI_WRAP_H

#include <stdbool.h>
#include <stddef.h>

struct cli_line {
    char *bytes;    /* UTF-8, with escape codes if asked for; owned */
    size_t columns; /* that it takes on the screen                  */
};

struct cli_lines {
    struct cli_line *line; /* owned */
    size_t n;
};

/* How to wrap. Zeros are sensible: plain octets, no hanging indent. */
struct cli_wrap {
    size_t width; /* columns of a line, its hanging indent included */
    size_t hang;  /* columns before every line but a paragraph's first */
    bool markup;  /* '\n' parts paragraphs, "- " begins an item, `code` stands between backticks */
    bool colour;  /* code is coloured by escape codes; otherwise it keeps its backticks */
};

/* Append text as lines. Code is kept on one line where it fits on one. A word wider than a line is cut. */
void cli_wrap(struct cli_lines *lines, const char *text, struct cli_wrap how);

void cli_lines_free(struct cli_lines *lines);

/* Columns of a UTF-8 text: one for each letter, none for combining marks. */
size_t cli_columns(const char *text);

#endif
