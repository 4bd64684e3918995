/* Tools on the control socket: their requests wait for the end of a turn, one answer each turn. */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/queue/control.h"
#include "roles/queue/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REQUESTS_MOST = 16 }; /* that wait, of one tool: it is to await its answers */

struct request {
    struct ipc_message m; /* its view, if any, is into text */
    uint8_t *text;
};

struct tool {
    struct tool *next;
    struct os_edge *edge;
    struct request requests[REQUESTS_MOST];
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
        while (t->n > 0)
            free(t->requests[--t->n].text);
        free(t);
    }
    os_edge_free(edge);
}

/* The text of a request, if it has one. */
static struct sp_view *text_of(struct ipc_message *m)
{
    switch (m->type) {
    case IPC_TYPE_queue_change:
        return &m->as.queue_change.address;
    case IPC_TYPE_queue_suspend:
        return &m->as.queue_suspend.name;
    case IPC_TYPE_queue_destinations:
        return &m->as.queue_destinations.after;
    case IPC_TYPE_queue_tls_list:
        return &m->as.queue_tls_list.after;
    case IPC_TYPE_queue_tls_send:
        return &m->as.queue_tls_send.domain;
    default:
        return NULL;
    }
}

static void keep(struct request *r, const struct ipc_message *m)
{
    *r = (struct request){.m = *m};
    struct sp_view *text = text_of(&r->m);
    if (!text || text->len == 0)
        return;
    r->text = os_new(text->len);
    memcpy(r->text, text->p, text->len);
    text->p = r->text;
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
    keep(&t->requests[t->n++], m);
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
    return queue_is_under_way(((struct answering *)ctx)->q, mail, number);
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

static void reopen(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct queue *q = ctx;
    (void)mail;
    queue_site_reopen(q, queue_destination_of(q, r->route, r->address)->site);
}

/* Somebody wants to know now: back-off is no reason to wait. */
static void note_retried(void *ctx, uint64_t mail)
{
    struct queue *q = ((struct answering *)ctx)->q;
    struct store_cursor cursor = {.mail = mail, .only = true};
    size_t at = 0;
    struct sp_view key;
    if (mail)
        while (!cursor.end && store_list(q->store, &cursor, 1000, reopen, q) == SP_OK)
            ;
    for (void *value; !mail && sp_table_next(&q->window.sites, &at, &key, &value);)
        queue_site_reopen(q, value);
    queue_dial_anew(q, true);
    q->window.next_ms = 0;
    os_later_ask(&q->turn);
}

static void forget_mail(void *ctx, uint64_t mail) { queue_window_forget(((struct answering *)ctx)->q, mail); }

static void note_changed(void *ctx, uint64_t mail, size_t recipients, enum ipc_queue_change_kind change)
{
    static const char *const events[] = {[IPC_QUEUE_CHANGE_HOLD] = "mail-held",
                                         [IPC_QUEUE_CHANGE_RELEASE] = "mail-released",
                                         [IPC_QUEUE_CHANGE_BOUNCE] = "mail-given-up",
                                         [IPC_QUEUE_CHANGE_REDIRECT] = "mail-redirected"};
    struct queue *q = ((struct answering *)ctx)->q;
    struct queue_id id = queue_id(mail);
    if (recipients)
        os_log(OS_INFO, events[change], OS_STR("id", id.text), OS_NUM("recipients", recipients),
               OS_STR("by", "tool"));
    q->window.next_ms = 0; /* what was taken out of memory is due in the store */
    os_later_ask(&q->turn);
}

static void note_suspended(void *ctx, struct sp_view name, bool resumed)
{
    struct queue *q = ((struct answering *)ctx)->q;
    os_log(OS_INFO, resumed ? "destination-resumed" : "destination-suspended", OS_VIEW("name", name),
           OS_STR("by", "tool"));
    queue_read_suspensions(q);
    os_later_ask(&q->turn);
}

static enum ipc_queue_answer find_route(void *ctx, struct sp_view address, struct sp_buf *address_out,
                                        struct sp_view *route_out)
{
    struct queue *q = ((struct answering *)ctx)->q;
    struct queue_way way;
    struct ipc_recipient to;
    queue_find_way(q, address, &way);
    struct sp_view rest = sp_buf_view(&way.to.list);
    enum ipc_queue_answer answer = way.nobody || way.to.n == 0 ? IPC_QUEUE_NO_ROUTE
                                   : way.to.n > 1              ? IPC_QUEUE_SEVERAL
                                                               : IPC_QUEUE_DONE;
    if (answer == IPC_QUEUE_DONE && ipc_next_recipient(&rest, &to)) {
        const struct config_route *route = config_find_route(q->role->config, to.route);
        (void)sp_buf_add(address_out, to.address); /* os_heap never says no */
        *route_out = route ? sp_view_of(route->name) : SP_LIT("hold");
    }
    queue_way_fini(&way);
    return answer;
}

static int give_up(void *ctx, uint64_t mail)
{
    return queue_give_up(((struct answering *)ctx)->q, mail,
                         SP_LIT("returned to its sender by the operator"));
}

static void why(void *ctx, const struct store_mail *mail, const struct store_recipient *r,
                struct ipc_queue_reason *reason)
{
    queue_why(((struct answering *)ctx)->q, mail, r, reason);
}

static bool list_places(void *ctx, struct sp_view after, struct sp_buf *places)
{
    return queue_list_places(((struct answering *)ctx)->q, after, places);
}

static void tls_settle(void *ctx) { queue_tls_flush(((struct answering *)ctx)->q); }

static int tls_send(void *ctx, uint32_t day, struct sp_view domain, size_t *n_out)
{
    struct queue *q = ((struct answering *)ctx)->q;
    if (!q->role->config->tls_reports.contact) {
        *n_out = 0; /* nothing is counted, and nobody could be asked about what once was */
        return SP_OK;
    }
    return queue_tls_ask(q, day, domain, n_out);
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

static struct sp_view find_sender(void *ctx, const struct store_mail *mail, const struct store_recipient *r,
                                  struct sp_buf *made)
{
    const struct answering *a = ctx;
    return queue_sender(a->q, mail, queue_is_away(a->q, r), made);
}

bool queue_tools_answer(struct queue *q)
{
    struct tool **at = &q->tools->first;
    while (*at && ((*at)->n == 0 || os_edge_full((*at)->edge)))
        at = &(*at)->next;
    struct tool *t = *at;
    if (!t)
        return false;
    struct request request = t->requests[0];
    memmove(t->requests, t->requests + 1, --t->n * sizeof *t->requests);
    struct answering a = {q, t->edge};
    struct queue_control c = {.store = q->store,
                              .now_ms = q->wall_ms(),
                              .ctx = &a,
                              .send = send_answer,
                              .active = is_active,
                              .count = add_counters,
                              .removed = note_removed,
                              .retried = note_retried,
                              .changed = note_changed,
                              .suspended = note_suspended,
                              .forget = forget_mail,
                              .route = find_route,
                              .bounce = give_up,
                              .sender = find_sender,
                              .why = why,
                              .places = list_places,
                              .tls_settle = tls_settle,
                              .tls_send = tls_send};
    queue_control_answer(&c, &request.m);
    free(request.text);
    queue_destinations_sweep(q);
    /* To the end of the line, so that tools take turns. */
    *at = t->next;
    t->next = NULL;
    while (*at)
        at = &(*at)->next;
    *at = t;
    return true;
}
