/*
 * The queue of a data folder, whether a server is running in it or not: through the control socket of the
 * role queue, or, under the folder's lock, in the store itself. Both answer with the same messages.
 */
#ifndef CLI_QUEUE_STORE_H
#define CLI_QUEUE_STORE_H

#include "ipc/ipc.h"

struct queue_store;

/* Open the queue of a data folder. NULL after the fault was printed; *code_out is then the sysexits code. */
struct queue_store *queue_store_open(const char *data, int *code_out);
void queue_store_close(struct queue_store *s);

/* Through a server? */
bool queue_store_is_served(const struct queue_store *s);

/*
 * Ask, and take the answers.
 *   take      of each but the last; its views are void after the call, its descriptor is closed after it
 *   done_out  the last one
 * EX_OK, or the sysexits code after the fault was printed: the server is gone or does not answer. What the
 * answer says of the request is done_out's.
 */
int queue_store_ask(struct queue_store *s, const struct ipc_message *request,
                    void (*take)(void *ctx, const struct ipc_message *m), void *ctx,
                    struct ipc_queue_done *done_out);

#endif
