/* The subcommands: the one table from which dispatch, `sallyport help` and the usage texts come. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/options.h"

struct cli_command {
    const char *name;      /* "send"                                                  */
    const char *operands;  /* "HOST[:PORT] [FILE|-]" for the usage text; "" for none  */
    const char *summary;   /* one line                                                */
    /* argv[0] is the command's name. Returns a sysexits code. */
    int (*run)(int argc, char **argv);
    /* A fresh table for the usage text, ended by a NULL name; NULL for none. */
    const struct cli_option *(*options)(void);
    bool hidden;           /* not for people: `sallyport role`                        */
};

extern const struct cli_command cli_commands[];
extern const size_t             cli_command_n;

/* Each in a file of its own: serve.c, check.c, ... */
int cmd_serve(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_send(int argc, char **argv);
int cmd_queue(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_role(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_version(int argc, char **argv);

#endif
