/* The processes of the roles: started, joined by edges, started again when they die, and ended. */
#ifndef SUPERVISOR_CHILDREN_H
#define SUPERVISOR_CHILDREN_H

#include "roles/supervisor/state.h"

/* Fix how many processes each role has, for the server's life; then make their places. */
void children_count(struct supervisor *sv);
void children_init(struct supervisor *sv);

/*
 * Does the current generation need this process? fetch exists where there is something to fetch: no process may open
 * connections to nowhere. Once started it stays.
 */
bool children_wanted(const struct supervisor *sv, const struct child *c);

/* Start those that are wanted and are not there. EX_OK, EX_OSERR; error says why. */
int children_start(struct supervisor *sv, struct sp_buf *error);

/* Give smtpd its listening sockets, and try again later when no descriptor is left for that. */
void children_give_listeners(struct supervisor *sv, struct child *c);

/* Start one again after a pause that grows while it does not live long. */
void children_start_again(struct supervisor *sv, struct child *c);

/* Ask the children of a role to leave within grace_ms. */
void children_stop(struct supervisor *sv, enum ipc_role kind, uint32_t grace_ms);

/* End what is left, at once. */
void children_kill(struct supervisor *sv);

/* Take note of children that have died. */
void children_reap(struct supervisor *sv);

/* Children of a role that live; IPC_ANY: of all roles. */
uint32_t children_alive(const struct supervisor *sv, enum ipc_role kind);

/* Is every child ready for the current generation? */
bool children_ready(const struct supervisor *sv);

/* Wait for the last to be gone and give the memory back. */
void children_fini(struct supervisor *sv);

/* What supervisor.c is told. */
void supervisor_child_ready(struct supervisor *sv, struct child *c);
void supervisor_child_died(struct supervisor *sv, struct child *c, int wait_status);
void supervisor_user_known(struct supervisor *sv, const struct ipc_user_known *known);

#endif
