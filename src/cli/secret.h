/* Passwords asked of people: at the terminal without echo, or one line from a pipe. */
#ifndef CLI_SECRET_H
#define CLI_SECRET_H

#include "base/buf.h"

enum { CLI_SECRET_MAX = 8192 /* octets; tokens are the longest */ };

/*
 * Read a new password for `name`.
 *
 *   command     "user": for messages
 *   secret_out  initialised by the call; sp_buf_fini_secret, whatever comes back
 *
 * From a terminal it is asked for twice, else it is the one line on standard input. Returns EX_OK, or
 * another sysexits code after the fault was printed. An interrupt at the prompt restores the terminal
 * and ends the program as interrupts do.
 */
int cli_read_new_password(const char *command, const char *name, struct sp_buf *secret_out);

/*
 * Ask once for a password that exists already. There must be a terminal; its echo is off meanwhile.
 * The same rules for secret_out and the codes.
 */
int cli_ask_password(const char *command, const char *prompt, struct sp_buf *secret_out);

/* The first line of a file. */
int cli_read_password_file(const char *command, const char *path, struct sp_buf *secret_out);

#endif
