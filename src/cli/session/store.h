/*
 * The traces of a data folder, whether a server is running in it or not: through the control socket of the
 * role console, or in the store itself. Both answer with the same messages.
 */
#ifndef CLI_SESSION_STORE_H
#define CLI_SESSION_STORE_H

#include "ipc/ipc.h"

struct session_store;

/* Open. NULL after the fault was printed; *code_out is then the sysexits code. */
struct session_store *session_store_open(const char *data, int *code_out);
void session_store_close(struct session_store *s);

/*
 * Ask, and take the answers.
 *   take      of each but the last; its views are void after the call
 *   done_out  the last one
 * EX_OK, or the sysexits code after the fault was printed.
 */
int session_store_ask(struct session_store *s, const struct ipc_message *request,
                      void (*take)(void *ctx, const struct ipc_message *m), void *ctx,
                      struct ipc_session_done *done_out);

#endif
