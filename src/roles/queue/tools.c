/* Tools on the control socket: their requests wait for the end of a turn, one answer each turn. */
#include "roles/queue/queue.h"

#include "os/heap.h"
#include "os/log.h"
#include "roles/queue/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REQUESTS_MOST = 16 }; /* that wait, of one tool: it is to await its answers */

struct tool {
    struct tool *next;
    struct os_edge *edge;
    struct ipc_message requests[REQUESTS_MOST]; /* none has views */
    size_t n;
};

struct queue_tools {
    struct os_control *control;
    struct tool *first;
};

static struct tool **find(struct queue *q, const struct os_edge *edge)
{
    struct tool **at = &q->tools->first;
    while (*at && (*at)->edge != edge)
        at = &(*at)->next;
    return at;
}

static void forget(struct queue *q, struct os_edge *edge)
{
    struct tool **at = find(q, edge), *t = *at;
    if (t) {
        *at = t->next;
        free(t);
    }
    os_edge_free(edge);
}

static void take_request(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct queue *q = ctx;
    struct tool *t = *find(q, edge);
    if (!t)
        return;
    if (t->n == REQUESTS_MOST) {
        os_log(OS_WARN, "tool-dropped", OS_STR("reason", "too many requests wait"));
        forget(q, edge);
        return;
    }
    t->requests[t->n++] = *m;
    os_later_ask(&q->turn);
}

static void note_closed(void *ctx, struct os_edge *edge) { forget(ctx, edge); }

static void note_drained(void *ctx, struct os_edge *edge)
{
    struct queue *q = ctx;
    (void)edge;
    os_later_ask(&q->turn);
}

static const struct os_edge_handlers handlers = {
    .message = take_request, .closed = note_closed, .drained = note_drained};

static void take_tool(void *ctx, struct os_edge *edge)
{
    struct queue *q = ctx;
    struct tool *t = os_new(sizeof *t);
    t->edge = edge;
    t->next = q->tools->first;
    q->tools->first = t;
}

/* --- what control.c asks back ---------------------------------------------------------------- */

/* The tool that is answered: in the ctx of control.c's calls. */
struct answering {
    struct queue *q;
    struct os_edge *edge;
};

static void send_answer(void *ctx, const struct ipc_message *m)
{
    struct answering *a = ctx;
    (void)os_edge_send(a->edge, m); /* a tool that is gone needs no answer */
}

static bool is_active(void *ctx, uint64_t mail, uint32_t number)
{
    struct queue *q = ((struct answering *)ctx)->q;
    size_t cursor = 0;
    struct sp_view key;
    for (void *value; sp_table_next(&q->leases, &cursor, &key, &value);) {
        const struct queue_item *item = value;
        if (item->mail.id != mail)
            continue;
        for (const struct queue_target *t = item->targets; t; t = t->next)
            if (t->number == number)
                return true;
    }
    return false;
}

static void add_counters(void *ctx, struct ipc_queue_counters *c)
{
    struct queue *q = ((struct answering *)ctx)->q;
    c->accepted = q->counters.accepted;
    c->delivered = q->counters.delivered;
    c->deferred = q->counters.deferred;
    c->bounced = q->counters.bounced;
    c->commits = q->counters.commits;
    c->leased = q->window.active;
    c->window = q->window.stored + q->window.fresh - q->window.active;
    c->floor_octets = q->role->config->limits.free_octets;
}

static void note_removed(void *ctx, uint64_t mail)
{
    (void)ctx;
    struct queue_id id = queue_id(mail);
    /* What the window has of it is dropped when its turn comes: the store no longer has the content. */
    os_log(OS_INFO, "mail-removed", OS_STR("id", id.text), OS_STR("by", "tool"));
}

static void note_retried(void *ctx)
{
    struct queue *q = ((struct answering *)ctx)->q;
    q->window.next_ms = 0;
    os_later_ask(&q->turn);
}

/* --- all ------------------------------------------------------------------------------------- */

void queue_tools_open(struct queue *q)
{
    q->tools = os_new(sizeof *q->tools);
    q->tools->control = os_control_new(q->role->base, q->role->folder, IPC_QUEUE, &handlers, take_tool, q);
    if (!q->tools->control)
        os_log(OS_WARN, "no-control", OS_STR("error", strerror(errno)),
               OS_STR("note", "'sallyport queue' cannot reach this server"));
}

void queue_tools_close(struct queue *q)
{
    if (!q->tools)
        return;
    while (q->tools->first) {
        os_edge_flush(q->tools->first->edge);
        forget(q, q->tools->first->edge);
    }
    if (q->tools->control)
        os_control_free(q->tools->control);
    free(q->tools);
    q->tools = NULL;
}

bool queue_tools_answer(struct queue *q)
{
    struct tool **at = &q->tools->first;
    while (*at && ((*at)->n == 0 || os_edge_full((*at)->edge)))
        at = &(*at)->next;
    struct tool *t = *at;
    if (!t)
        return false;
    struct ipc_message request = t->requests[0];
    memmove(t->requests, t->requests + 1, --t->n * sizeof *t->requests);
    struct answering a = {q, t->edge};
    struct queue_control c = {.store = q->store,
                              .now_ms = q->wall_ms(),
                              .ctx = &a,
                              .send = send_answer,
                              .active = is_active,
                              .count = add_counters,
                              .removed = note_removed,
                              .retried = note_retried};
    queue_control_answer(&c, &request);
    /* To the end of the line, so that tools take turns. */
    *at = t->next;
    t->next = NULL;
    while (*at)
        at = &(*at)->next;
    *at = t;
    return true;
}
