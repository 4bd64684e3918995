/*
 * The edges between roles, each between two of the supervisor's children: made when one of the two is born,
 * and made anew when one broke while both live.
 */
#ifndef SUPERVISOR_LINKS_H
#define SUPERVISOR_LINKS_H

#include "roles/supervisor/state.h"

/* Places for the edges of all children; the numbers of children are fixed. */
void links_init(struct supervisor *sv);
void links_fini(struct supervisor *sv);

/* Join a child that was just born to all that live and that it may speak to. */
void links_join_all(struct supervisor *sv, struct child *c);

/* What a child says of an edge that it has lost. */
void links_note_lost(struct supervisor *sv, const struct child *c, const struct ipc_peer_lost *lost);

#endif
