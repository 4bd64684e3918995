/*
 * Control sockets: `control` in the folder of the role that answers, 0600. Tools connect to it and
 * speak ipc messages over an os_edge as the role TOOL. Peer credentials are checked: the same user as
 * the role, the owner of the folder, or root.
 */
#ifndef OS_CONTROL_H
#define OS_CONTROL_H

#include "os/edge.h"

struct os_control;

/*
 * Answer tools.
 *   folder    descriptor of the role's folder; the socket is made in it, replacing an old one
 *   handlers  of each edge; borrowed
 *   accepted  a tool came; may keep the edge; it frees it in handlers->closed
 * NULL with errno: the socket cannot be made.
 */
struct os_control *os_control_new(struct event_base *base, int folder, enum ipc_role me,
                                  const struct os_edge_handlers *handlers,
                                  void (*accepted)(void *ctx, struct os_edge *tool), void *ctx);
void os_control_free(struct os_control *c);

/*
 * For a tool: connect to DATA/<role>/control, whatever the length of the path. Returns a descriptor
 * for os_edge_new(..., me = IPC_TOOL, peer = the role), or -1 with errno (ENOENT, ECONNREFUSED: no
 * server is running there; EACCES: another user's).
 */
int os_control_connect(const char *data_folder, enum ipc_role role);

#endif
