/* A conversation of a tool with a role through its control socket: one question at a time. */
#ifndef CLI_TALK_H
#define CLI_TALK_H

#include "ipc/ipc.h"

struct talk;

/* Takes the socket. take: each answer; true: it was the last one of this question. */
struct talk *talk_new(int socket, enum ipc_role role, bool (*take)(void *ctx, const struct ipc_message *m),
                      void *ctx);
void talk_free(struct talk *t); /* NULL is fine */

/* Ask, and wait for the last answer. NULL, or a sentence: why there was none. */
const char *talk_ask(struct talk *t, const struct ipc_message *question);

#endif
