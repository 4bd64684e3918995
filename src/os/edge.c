/*
 * A descriptor leaves with the first octet of its message: the message begins a sendmsg of its own, and the
 * kernel never merges two sendmsg with descriptors into one recvmsg. So the reader sees a descriptor together
 * with octets that include the start of its message, and can hold it to that.
 */
#include "os/edge.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/edge_queue.h"
#include "os/heap.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_LEN = 128 << 10,  /* octets asked for at once                             */
    TURN_LEN = 512 << 10,  /* octets read in one turn, so that other edges get theirs */
    SOCKET_LEN = 1 << 20,  /* asked of the kernel, which may give less             */
    CEILING_LEN = 64 << 20 /* backlog of an owner that does not heed os_edge_full  */
};

struct os_edge {
    struct event_base *base;
    int fd;
    enum ipc_role me, peer;
    uint32_t peer_index;
    const struct os_edge_handlers *handlers;
    void *ctx;
    struct event *readable, *writable;
    struct os_later flush;
    struct edge_in in;
    struct edge_out out;
    bool mute;     /* the peer takes no more; what it has said may still be read */
    bool closed;   /* handlers->closed was called                                */
    bool full;     /* `drained` is owed                                          */
    bool freed;    /* by a handler: the memory goes when the stack has unwound   */
    unsigned busy; /* functions on the stack that use the memory                 */
};

/* --- life --------------------------------------------------------------------------------- */

static void release(struct os_edge *e)
{
    if (e->freed && e->busy == 0)
        free(e);
}

static void hang_up(struct os_edge *e)
{
    if (e->fd < 0)
        return;
    event_free(e->readable);
    event_free(e->writable);
    os_later_fini(&e->flush);
    edge_out_fini(&e->out);
    close(e->fd);
    e->fd = -1;
}

void os_edge_free(struct os_edge *e)
{
    if (!e)
        return;
    hang_up(e);
    e->freed = true;
    /* The views of the message that is being handled are the handler's until it returns. */
    if (e->busy == 0)
        edge_in_fini(&e->in);
    release(e);
}

/* The end, told to the owner. why: a rule that the peer broke, or NULL. */
static void finish(struct os_edge *e, const char *why, const char *type)
{
    if (e->closed || e->freed)
        return;
    if (why)
        os_log(OS_WARN, "edge-closed", OS_STR("peer", ipc_role_name(e->peer)), OS_NUM("index", e->peer_index),
               OS_STR("reason", why), OS_STR("message", type));
    e->closed = true;
    hang_up(e);
    e->handlers->closed(e->ctx, e);
}

/* --- reading ------------------------------------------------------------------------------ */

/* Hand over the messages that are complete. false: the edge is gone. */
static bool dispatch(struct os_edge *e)
{
    struct edge_frame frame;
    const char *fault = NULL;
    while (edge_in_next(&e->in, &frame, &fault)) {
        struct ipc_message m;
        const char *type = ipc_type_name(frame.type);
        if (!ipc_allowed(frame.type, e->peer, e->me)) {
            fault = "the message is not allowed on this edge";
        } else if (ipc_unpack(frame.type, frame.payload, frame.fd, &m)) {
            fault = "the message is malformed";
        } else {
            e->handlers->message(e->ctx, e, &m);
            if (e->freed || e->closed)
                return false;
            continue;
        }
        if (frame.fd >= 0)
            close(frame.fd);
        finish(e, fault, type);
        return false;
    }
    if (fault)
        finish(e, fault, NULL);
    return !fault;
}

static void read_turn(struct os_edge *e)
{
    for (size_t total = 0; total < TURN_LEN;) {
        bool more = false;
        const char *fault = NULL;
        ssize_t n = edge_in_read(&e->in, e->fd, READ_LEN, &more, &fault);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0 || fault) {
            finish(e, fault, NULL);
            return;
        }
        total += (size_t)n;
        if (!dispatch(e) || !more)
            return;
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct os_edge *e = arg;
    e->busy++;
    read_turn(e);
    e->busy--;
    if (e->freed || e->closed)
        edge_in_fini(&e->in);
    release(e);
}

/* --- writing ------------------------------------------------------------------------------ */

static void write_turn(struct os_edge *e)
{
    if (e->mute || e->fd < 0)
        return;
    int status = edge_out_write(&e->out, e->fd);
    if (status == EAGAIN) {
        event_add(e->writable, NULL);
    } else if (status) {
        /* What the peer said before it left is still to be read: reading finds the end. */
        if (status != EPIPE && status != ECONNRESET) {
            os_log(OS_WARN, "edge-write", OS_STR("peer", ipc_role_name(e->peer)),
                   OS_NUM("index", e->peer_index), OS_STR("error", strerror(status)));
            shutdown(e->fd, SHUT_RDWR);
        }
        e->mute = true;
        edge_out_fini(&e->out);
    }
    if (e->full && edge_out_len(&e->out) < OS_EDGE_BACKLOG_MAX / 2) {
        e->full = false;
        if (e->handlers->drained && !e->mute)
            e->handlers->drained(e->ctx, e);
    }
}

static void flush_later(void *ctx)
{
    struct os_edge *e = ctx;
    e->busy++;
    if (!event_pending(e->writable, EV_WRITE, NULL))
        write_turn(e);
    e->busy--;
    if (e->freed)
        edge_in_fini(&e->in);
    release(e);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct os_edge *e = arg;
    e->busy++;
    write_turn(e);
    e->busy--;
    if (e->freed)
        edge_in_fini(&e->in);
    release(e);
}

int os_edge_send(struct os_edge *e, const struct ipc_message *m)
{
    if (!ipc_allowed(m->type, e->me, e->peer))
        os_panic("ipc-forbidden", "%s may not send %s to %s", ipc_role_name(e->me), ipc_type_name(m->type),
                 ipc_role_name(e->peer));
    if (e->mute || e->closed || e->freed)
        return SP_ERR_CLOSED;
    if (edge_out_len(&e->out) > CEILING_LEN) {
        os_log(OS_WARN, "edge-overrun", OS_STR("peer", ipc_role_name(e->peer)),
               OS_NUM("index", e->peer_index), OS_NUM("backlog", edge_out_len(&e->out)));
        e->mute = true;
        edge_out_fini(&e->out);
        /* Reading then meets the end, and the owner is told from the loop. */
        shutdown(e->fd, SHUT_RDWR);
        return SP_ERR_CLOSED;
    }
    int status = edge_out_add(&e->out, m);
    if (status)
        return status;
    if (edge_out_len(&e->out) > OS_EDGE_BACKLOG_MAX)
        e->full = true;
    os_later_ask(&e->flush);
    return SP_OK;
}

void os_edge_flush(struct os_edge *e)
{
    enum { PATIENCE_MS = 1000 };
    uint64_t end = os_mono_ms() + PATIENCE_MS;
    while (!e->mute && e->fd >= 0 && edge_out_write(&e->out, e->fd) == EAGAIN) {
        uint64_t now = os_mono_ms();
        struct pollfd p = {.fd = e->fd, .events = POLLOUT};
        if (now >= end || (poll(&p, 1, (int)(end - now)) < 0 && errno != EINTR))
            return;
    }
}

bool os_edge_full(const struct os_edge *e) { return edge_out_len(&e->out) > OS_EDGE_BACKLOG_MAX; }

enum ipc_role os_edge_peer(const struct os_edge *e) { return e->peer; }

uint32_t os_edge_peer_index(const struct os_edge *e) { return e->peer_index; }

/* --- birth -------------------------------------------------------------------------------- */

static struct event *make_event(struct os_edge *e, short what, event_callback_fn cb)
{
    struct event *event = event_new(e->base, e->fd, what, cb, e);
    if (!event)
        os_panic("edge", "event_new failed");
    event_priority_set(event, OS_PRIORITY_IO);
    return event;
}

static void widen(int fd, int forced, int asked)
{
    int n = SOCKET_LEN;
    /* Only a privileged supervisor gets past the system's maximum; the kernel clips the other request. */
    if (setsockopt(fd, SOL_SOCKET, forced, &n, sizeof n))
        (void)setsockopt(fd, SOL_SOCKET, asked, &n, sizeof n);
}

struct os_edge *os_edge_new(struct event_base *base, int fd, enum ipc_role me, enum ipc_role peer,
                            uint32_t peer_index, const struct os_edge_handlers *handlers, void *ctx)
{
    struct os_edge *e = os_new(sizeof *e);
    *e = (struct os_edge){.base = base,
                          .fd = fd,
                          .me = me,
                          .peer = peer,
                          .peer_index = peer_index,
                          .handlers = handlers,
                          .ctx = ctx};
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
        os_panic("edge", "descriptor %d: %s", fd, strerror(errno));
    widen(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    edge_out_init(&e->out);
    e->readable = make_event(e, EV_READ | EV_PERSIST, on_readable);
    e->writable = make_event(e, EV_WRITE, on_writable);
    os_later_init(&e->flush, base, flush_later, e);
    event_add(e->readable, NULL);
    return e;
}
