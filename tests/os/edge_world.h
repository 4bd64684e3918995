/* Both ends of an edge on one loop, or one end and a test that speaks in octets. */
#ifndef TESTS_OS_EDGE_WORLD_H
#define TESTS_OS_EDGE_WORLD_H

#include "harness.h"

#include "base/view.h"
#include "os/edge.h"
#include "os/heap.h"

#include <stdlib.h>

struct end {
    struct os_edge *edge;
    unsigned message_n, closed_n, drained_n;
    uint64_t tags[64];
    size_t content_n;
    int fds[64];
    unsigned fd_n;
    bool free_in_message, free_in_closed, free_in_drained;
};

static inline void take(struct end *end, int fd)
{
    assert_true(end->fd_n < 64);
    end->fds[end->fd_n++] = fd;
}

static inline void on_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct end *end = ctx;
    uint64_t tag = 0;
    if (m->type == IPC_TYPE_submit) {
        tag = m->as.submit.tag;
        end->content_n += m->as.submit.content.len;
        for (size_t i = 0; i < m->as.submit.content.len; i++)
            assert_int_equal(m->as.submit.content.p[i], (uint8_t)(tag + i));
    } else if (m->type == IPC_TYPE_spool_here) {
        tag = m->as.spool_here.tag;
        take(end, m->as.spool_here.fd);
    } else if (m->type == IPC_TYPE_submit_yes) {
        tag = m->as.submit_yes.tag;
    }
    end->tags[end->message_n++ % 64] = tag;
    if (end->free_in_message) {
        os_edge_free(edge);
        end->edge = NULL;
    }
}

static inline void on_closed(void *ctx, struct os_edge *edge)
{
    struct end *end = ctx;
    end->closed_n++;
    if (end->free_in_closed) {
        os_edge_free(edge);
        end->edge = NULL;
    }
}

static inline void on_drained(void *ctx, struct os_edge *edge)
{
    struct end *end = ctx;
    end->drained_n++;
    if (end->free_in_drained) {
        os_edge_free(edge);
        end->edge = NULL;
    }
}

static const struct os_edge_handlers handlers = {on_message, on_closed, on_drained};

/* smtpd's end and queue's end of one edge. */
struct world {
    struct event_base *base;
    int fds_before;
    int raw; /* the other descriptor where one end is not an edge */
    struct end smtpd, queue;
};

static inline void open_both(struct world *w)
{
    *w = (struct world){.fds_before = count_fds(), .raw = -1};
    int pair[2];
    w->base = os_loop_new();
    make_pair(pair);
    w->smtpd.edge = os_edge_new(w->base, pair[0], IPC_SMTPD, IPC_QUEUE, 0, &handlers, &w->smtpd);
    w->queue.edge = os_edge_new(w->base, pair[1], IPC_QUEUE, IPC_SMTPD, 3, &handlers, &w->queue);
}

/* Only queue's end is an edge; the test speaks for smtpd in octets. */
static inline void open_raw(struct world *w)
{
    *w = (struct world){.fds_before = count_fds()};
    int pair[2];
    w->base = os_loop_new();
    make_pair(pair);
    w->raw = pair[0];
    w->queue.edge = os_edge_new(w->base, pair[1], IPC_QUEUE, IPC_SMTPD, 3, &handlers, &w->queue);
}

static inline void close_end(struct end *end)
{
    os_edge_free(end->edge);
    for (unsigned i = 0; i < end->fd_n; i++)
        if (end->fds[i] >= 0)
            close(end->fds[i]);
}

static inline void close_world(struct world *w)
{
    close_end(&w->smtpd);
    close_end(&w->queue);
    if (w->raw >= 0)
        close(w->raw);
    event_base_free(w->base);
    assert_int_equal(count_fds(), w->fds_before);
}

/* A submit whose octets follow from its tag. */
static inline struct ipc_message make_submit(uint64_t tag, size_t n, uint8_t **content_out)
{
    uint8_t *content = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        content[i] = (uint8_t)(tag + i);
    *content_out = content;
    return (struct ipc_message){.type = IPC_TYPE_submit,
                                .as.submit = {.tag = tag,
                                              .session = SP_LIT("s1"),
                                              .sender = SP_LIT("a@example.org"),
                                              .size = n,
                                              .content = {content, n}}};
}

static inline int send_submit(struct os_edge *e, uint64_t tag, size_t n)
{
    uint8_t *content;
    struct ipc_message m = make_submit(tag, n, &content);
    int status = os_edge_send(e, &m);
    free(content);
    return status;
}

static inline int send_fd(struct os_edge *e, uint64_t tag, int fd)
{
    return os_edge_send(
        e, &(struct ipc_message){.type = IPC_TYPE_spool_here, .as.spool_here = {.tag = tag, .fd = fd}});
}

#endif
