/* Start a process of a role: this program again, as `sallyport role NAME INDEX`. */
#ifndef SUPERVISOR_SPAWN_H
#define SUPERVISOR_SPAWN_H

#include "ipc/ipc.h"

#include <sys/types.h>

/*
 *   edge  becomes the role's ROLE_SUPERVISOR_FD
 *   lock  inherited as it is
 * -1 with errno.
 */
pid_t spawn_role(enum ipc_role kind, uint32_t index, int edge, int lock);

#endif
