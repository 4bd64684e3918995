/* What a child is given, message by message: the supervisor's side of src/ipc/messages.def. */
#ifndef SUPERVISOR_GIVE_H
#define SUPERVISOR_GIVE_H

#include "roles/supervisor/state.h"

/*
 * true: given, or the child is gone. false: no descriptor was left to give; it is logged. What carries none
 * cannot fail.
 */

/* What a process that was just born needs of its own: its folder, shared counts, ticket keys, wanted users.
 */
bool give_birthright(struct supervisor *sv, struct child *c);

/* The current generation: configuration, and what else the role may have of it. give_start makes it valid. */
void give_generation(struct supervisor *sv, struct child *c);
void give_start(struct supervisor *sv, struct child *c);

void give_tickets(struct supervisor *sv, struct child *c);
bool give_listeners(struct supervisor *sv, struct child *c);
bool give_peer(struct child *c, const struct child *peer, uint32_t edge, int fd);
void give_stop(struct child *c, uint32_t grace_ms);

#endif
