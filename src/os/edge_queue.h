/* The two queues of an edge, for edge.c: octets and descriptors that came, and that are to go. */
#ifndef OS_EDGE_QUEUE_H
#define OS_EDGE_QUEUE_H

#include "ipc/ipc.h"

#include <sys/types.h>

/* A descriptor and where in the stream it belongs. */
struct edge_fd {
    int fd;
    uint64_t from, to; /* its message starts at from..to-1; going out, at from */
};

struct edge_fds {
    struct edge_fd *v; /* owned, the descriptors too */
    size_t n, cap, start;
};

/* --- in ----------------------------------------------------------------------------------- */

struct edge_in {
    uint8_t *p; /* owned                                        */
    size_t cap;
    size_t start, end;   /* octets not yet parsed                       */
    uint64_t offset;     /* of `start` in the stream                     */
    struct edge_fds fds; /* came, and not yet claimed by a message       */
    size_t high;         /* octets that were in use since the last wipe        */
    bool secret;         /* one is or was in the buffer                        */
};

struct edge_frame {
    enum ipc_type type;
    struct sp_view payload; /* void after the next read */
    int fd;                 /* the caller's; -1 for none */
};

void edge_in_fini(struct edge_in *in);

/*
 * Read once, up to `len` octets beyond what a message that has begun needs.
 *   more_out   there may be more to read now
 *   fault_out  the rule that the peer broke
 * As recvmsg: 0 at the end, -1 with errno.
 */
ssize_t edge_in_read(struct edge_in *in, int fd, size_t len, bool *more_out, const char **fault_out);

/* The next complete message; false when there is none, or with a fault. */
bool edge_in_next(struct edge_in *in, struct edge_frame *frame_out, const char **fault_out);

/* --- out ---------------------------------------------------------------------------------- */

struct edge_out {
    struct sp_buf octets;
    size_t start;        /* sent already                           */
    struct edge_fds fds; /* duplicates; `from` counts from octets.p */
    bool secret;
};

void edge_out_init(struct edge_out *out);
void edge_out_fini(struct edge_out *out); /* usable again, empty */
size_t edge_out_len(const struct edge_out *out);

/* Append a message and a duplicate of its descriptor. SP_ERR_LONG; SP_ERR_IO: no descriptor is left. */
SP_MUST_USE int edge_out_add(struct edge_out *out, const struct ipc_message *m);

/* Write what the kernel takes. 0: all; EAGAIN: the rest later; else the errno of the end. */
int edge_out_write(struct edge_out *out, int fd);

#endif
