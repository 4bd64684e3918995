/*
 * The subcommands: the one table from which dispatch, `sallyport help` and the usage texts come.
 *
 * A new command is a file NAME.c that defines cmd_NAME (and cmd_NAME_options when it has options),
 * their lines below, a row in commands.c and the file's name in meson.build.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdio.h>

#include "cli/options.h"

struct cli_command {
    const char *name;     /* "send"                                                              */
    const char *operands; /* "HOST[:PORT] [FILE|-]" for the usage text; "" for none; a '\n' parts forms */
    const char *summary;  /* one line, no full stop                                              */
    /* argv[0] is the command's name. Returns a sysexits code. */
    int (*run)(int argc, char **argv);
    /* The table of its options, ended by a NULL name, for the usage text; NULL for none. */
    const struct cli_option *(*options)(void);
    bool hidden; /* not for people: `sallyport role` */
};

extern const struct cli_command cli_commands[];
extern const size_t cli_command_n;

/* The row of a command, or NULL. */
const struct cli_command *cli_command_find(const char *name);

/* Run the command that argv[1] names; returns a sysexits code. argv[0] is the program. */
int cli_run(int argc, char **argv);

/* Is this program called by the name sendmail, mailq or newaliases? Then that was run, with this code. */
bool cli_is_sendmail(int argc, char **argv, int *code_out);

/* "sallyport: unknown command 'sned'; did you mean 'send'?" on stderr; returns EX_USAGE. */
int cli_fault_unknown(const char *name);

/* All commands, one line each; the usage text of one command. */
void cli_print_commands(FILE *to);
void cli_print_usage(const struct cli_command *command, FILE *to);

/* Each in a file of its own: serve.c, check.c, ... */
int cmd_serve(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_send(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_queue(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_session(int argc, char **argv);
int cmd_sendmail(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_diagnose(int argc, char **argv);
int cmd_reference(int argc, char **argv);
int cmd_role(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_version(int argc, char **argv);

const struct cli_option *cmd_serve_options(void);
const struct cli_option *cmd_check_options(void);
const struct cli_option *cmd_send_options(void);
const struct cli_option *cmd_probe_options(void);
const struct cli_option *cmd_queue_options(void);
const struct cli_option *cmd_user_options(void);
const struct cli_option *cmd_session_options(void);
const struct cli_option *cmd_sendmail_options(void);
const struct cli_option *cmd_explain_options(void);
const struct cli_option *cmd_compare_options(void);
const struct cli_option *cmd_diagnose_options(void);
const struct cli_option *cmd_reference_options(void);

#endif
