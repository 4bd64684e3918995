/*
 * Pages of the reference on standard output: wrapped to the terminal, coloured on a terminal
 * unless NO_COLOR is set, plain when piped.
 */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include <stdio.h>

#include "cli/wrap.h"
#include "pages/pages.h"

struct cli_page {
    struct pages_out out; /* for pages_write; its language is English until it is set */
    FILE *to;
    size_t screen;         /* columns of the screen                    */
    size_t width;          /* columns of running text: not over 100    */
    bool colour;           /* escape codes are welcome                 */
    bool begun;            /* something is printed: leave a line free  */
    size_t indent;         /* of the text of the part being written    */
    bool below_transcript; /* the text that follows needs a free line */
};

/* Look at the stream and the environment (COLUMNS, NO_COLOR, TERM). */
void cli_page_init(struct cli_page *page, FILE *to);

/* "503  Bad sequence of commands", and a line of text below it. */
void cli_page_title(struct cli_page *page, const char *key, const char *name);

void cli_page_heading(struct cli_page *page, const char *text);
void cli_page_subheading(struct cli_page *page, size_t indent, const char *text);

/* Paragraphs as in the catalogue. */
void cli_page_text(struct cli_page *page, size_t indent, const char *text);

/* An empty line. */
void cli_page_gap(struct cli_page *page);

void cli_page_transcript(struct cli_page *page, size_t indent, const struct reference_transcript *transcript);

/* "Label: value", the values of a block in one column: label_columns is the widest label's. */
void cli_page_fact(struct cli_page *page, size_t label_columns, const char *label, const char *value);

/* Is there room for two columns of text, and two texts side by side. */
bool cli_page_is_wide(const struct cli_page *page);
void cli_page_beside(struct cli_page *page, const char *left, const char *right);

#endif
