#include "cli/talk.h"

#include "os/edge.h"
#include "os/heap.h"
#include "os/loop.h"

#include <stdlib.h>

enum { ANSWER_MS = 60000 };

struct talk {
    struct event_base *base;
    struct os_edge *edge;
    struct os_timer deadline;
    bool lost, answered;
    bool (*take)(void *ctx, const struct ipc_message *m);
    void *ctx;
};

static void take_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct talk *t = ctx;
    (void)edge;
    t->answered = t->take(t->ctx, m);
    if (t->answered)
        event_base_loopbreak(t->base);
}

static void note_closed(void *ctx, struct os_edge *edge)
{
    struct talk *t = ctx;
    (void)edge;
    t->lost = true;
    event_base_loopbreak(t->base);
}

static void note_deadline(void *ctx) { event_base_loopbreak(((struct talk *)ctx)->base); }

static const struct os_edge_handlers handlers = {.message = take_message, .closed = note_closed};

struct talk *talk_new(int socket, enum ipc_role role, bool (*take)(void *ctx, const struct ipc_message *m),
                      void *ctx)
{
    struct talk *t = os_new(sizeof *t);
    t->take = take;
    t->ctx = ctx;
    t->base = os_loop_new();
    os_timer_init(&t->deadline, t->base, note_deadline, t);
    t->edge = os_edge_new(t->base, socket, IPC_TOOL, role, 0, &handlers, t);
    return t;
}

void talk_free(struct talk *t)
{
    if (!t)
        return;
    os_edge_free(t->edge);
    os_timer_fini(&t->deadline);
    event_base_free(t->base);
    free(t);
}

const char *talk_ask(struct talk *t, const struct ipc_message *question)
{
    t->answered = false;
    if (!t->lost && os_edge_send(t->edge, question) == SP_OK) {
        os_timer_set(&t->deadline, ANSWER_MS);
        (void)event_base_dispatch(t->base); /* what it was good for shows in `answered` */
        os_timer_stop(&t->deadline);
    }
    if (t->answered)
        return NULL;
    return t->lost ? "the server stopped before it answered" : "the server does not answer";
}
