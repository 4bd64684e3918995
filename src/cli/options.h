/*
 * Command lines: options before or after operands, `--name VALUE` or `--name=VALUE`, `--` ends
 * options, `-` is an operand (standard input). The usage text of a command is printed from the same table.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_VALUES_MAX = 64 };

struct cli_option {
    const char *name;     /* "to" for --to; a single letter is also accepted as -c        */
    const char *argument; /* what its value is called in the usage text; NULL: takes none;
                             in brackets, "[SIZE]": may be left out, and stands behind '=' */
    const char *help;     /* one line                                                     */
    bool repeat;          /* may be given more than once, at most CLI_VALUES_MAX times    */
    const char *group;    /* the heading of it and those behind it in the usage text, or NULL */
    /* set by cli_parse: */
    bool given;
    const char *values[CLI_VALUES_MAX]; /* borrowed from argv; values[0] when not repeatable */
    unsigned order[CLI_VALUES_MAX];     /* where each stood among all options, from 1        */
    size_t n;
};

struct cli_operands {
    const char **words; /* argv's own array from argv[1] on, where they are gathered in order */
    size_t n;
};

/*
 * Parse the words behind the command's name.
 *
 *   command   "send": for messages
 *   argv      argv[0] is the command's name; its order is changed
 *   options   ends with a NULL name; values are set
 *
 * false: the fault was printed on stderr ("sallyport send: --to needs a value (ADDRESS); see
 * 'sallyport help send'"): return EX_USAGE. `--help` prints the usage on stdout and exits 0.
 */
bool cli_parse(const char *command, int argc, char **argv, struct cli_option *options,
               struct cli_operands *operands_out);

/* Find an option of the table by name; it must be there. */
struct cli_option *cli_option(struct cli_option *options, const char *name);

/* The value of an option that is not repeatable, or NULL. */
const char *cli_value(struct cli_option *options, const char *name);

/* "sallyport COMMAND: text" on stderr; returns the sysexits code. */
int cli_fault(const char *command, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "sallyport COMMAND: text; see 'sallyport help COMMAND'" on stderr; returns EX_USAGE. */
int cli_usage_fault(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
