/*
 * An edge: a Unix stream socket between two processes that carries ipc messages and
 * descriptors. A message that is malformed or not allowed on this edge closes the edge,
 * never the receiver. Messages sent in one turn of the loop leave in one write.
 */
#ifndef OS_EDGE_H
#define OS_EDGE_H

#include "ipc/ipc.h"
#include "os/loop.h"

struct os_edge;

struct os_edge_handlers {
    /* m's views and descriptor: views are void after the call; the descriptor, if >= 0, is the receiver's to
     * close. */
    void (*message)(void *ctx, struct os_edge *edge, const struct ipc_message *m);
    /* The peer closed, or broke the rules. Called once; free the edge in it or later. */
    void (*closed)(void *ctx, struct os_edge *edge);
    /* The backlog fell below half of the limit after os_edge_full. May be NULL. */
    void (*drained)(void *ctx, struct os_edge *edge);
};

enum {
    OS_EDGE_BACKLOG_MAX = 8 << 20
}; /* octets not yet taken by the peer, above which os_edge_full says so */

/* fd: owned by the edge from now on. handlers: borrowed for its life. */
struct os_edge *os_edge_new(struct event_base *base, int fd, enum ipc_role me, enum ipc_role peer,
                            uint32_t peer_index, const struct os_edge_handlers *handlers, void *ctx);
void os_edge_free(struct os_edge *e);

/*
 * Queue a message. Its descriptor, if any, is duplicated: the caller keeps its own.
 * SP_ERR_CLOSED: the edge is gone; SP_ERR_LONG: over the payload limit. Sending what ipc_allowed
 * forbids is a panic.
 */
int os_edge_send(struct os_edge *e, const struct ipc_message *m);

/* Send what is queued now, waiting for the peer when it must: for the supervisor's last words. */
void os_edge_flush(struct os_edge *e);

/* The peer does not keep up: stop reading from whoever feeds this edge. */
bool os_edge_full(const struct os_edge *e);

enum ipc_role os_edge_peer(const struct os_edge *e);
uint32_t os_edge_peer_index(const struct os_edge *e);

#endif
