/*
 * The queue role: the only process that touches the store. What has arrived in a turn of the loop is one
 * transaction; at the turn's end come the commit, the answers, new leases, and one answer to a tool.
 */
#include "roles/queue/tls.h"

#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
    IDLE_MS = 200,         /* without a turn: housekeeping begins                        */
    TIDY_MS = 5,           /* between its steps                                          */
    REPORT_MS = 60000,     /* counters in the log, when they have changed                */
    REPLY_RESERVE_MS = 300 /* of the grace time, for the last commit and checkpoint      */
};

/* --- turns ---------------------------------------------------------------------------------- */

static void set_due_timer(struct queue *q, int64_t now)
{
    enum { MOST_MS = 3600000 };
    int64_t next = queue_window_next_ms(q);
    if (next == STORE_NEVER || q->stopping) {
        os_timer_stop(&q->due);
        return;
    }
    int64_t in = next > now ? next - now : 0;
    /* Wall time may jump: look again each hour. */
    os_timer_set(&q->due, (uint64_t)(in < MOST_MS ? in : MOST_MS));
}

static void report(struct queue *q)
{
    const struct queue_counters *c = &q->counters;
    if (memcmp(c, &q->reported, sizeof *c) == 0)
        return;
    char ratio[32];
    (void)snprintf(ratio, sizeof ratio, "%.1f", c->commits ? (double)c->accepted / (double)c->commits : 0.0);
    os_log(OS_INFO, "queue-counters", OS_NUM("accepted", c->accepted), OS_NUM("delivered", c->delivered),
           OS_NUM("deferred", c->deferred), OS_NUM("bounced", c->bounced), OS_NUM("commits", c->commits),
           OS_STR("accepted-per-commit", ratio), OS_NUM("window", q->window.stored + q->window.fresh),
           OS_NUM("active", q->window.active));
    q->reported = *c;
}

static void leave_when_done(struct queue *q)
{
    bool quiet = role_peer_n(q->role, IPC_SMTPD) == 0 && q->leases.n == 0 && !q->batch.open;
    if (q->stopping && quiet)
        queue_leave(q);
}

static void end_turn(void *ctx)
{
    struct queue *q = ctx;
    int64_t now = q->wall_ms();
    queue_batch_commit(q);
    if (now < q->turn_ms)
        queue_window_set_back(q, q->turn_ms - now);
    if (now < q->turn_ms || q->turn_ms == 0)
        queue_recall(q);
    q->turn_ms = now;
    bool more = queue_window_fill(q, now);
    queue_lease(q); /* may open the next batch: mail without a route */
    if (!q->batch.open && queue_tools_answer(q))
        more = true;
    if (!q->batch.open)
        /* The rest waits for the idle timer. */
        (void)store_tidy(q->store, q->disk_low ? STORE_LOW : STORE_BUSY);
    if (more || q->batch.open)
        os_later_ask(&q->turn);
    set_due_timer(q, now);
    os_timer_set(&q->idle, IDLE_MS);
    leave_when_done(q);
}

static void be_idle(void *ctx)
{
    struct queue *q = ctx;
    if (!q->batch.open && store_tidy(q->store, q->disk_low ? STORE_LOW : STORE_IDLE))
        os_timer_set(&q->idle, TIDY_MS);
}

static void wake(void *ctx)
{
    struct queue *q = ctx;
    os_later_ask(&q->turn);
}

static void write_down_again(void *ctx) { queue_settle_again(ctx); }

static void report_regularly(void *ctx)
{
    struct queue *q = ctx;
    report(q);
    os_timer_set(&q->report, REPORT_MS);
}

/* --- life ----------------------------------------------------------------------------------- */

void queue_leave(struct queue *q)
{
    queue_settle_again(q);
    queue_tls_flush(q);
    queue_batch_commit(q);
    report(q);
    queue_tools_close(q);
    store_close(q->store);
    q->store = NULL;
    role_exit(q->role);
}

void queue_free(struct queue *q)
{
    if (q->batch.open)
        queue_batch_fail(q);
    queue_settle_forget(q);
    for (uint32_t i = 0; i < ROLE_PEERS_MAX; i++)
        queue_forget_leases(q, i);
    for (uint32_t i = 0; i < IPC_ROLE_N * ROLE_PEERS_MAX; i++)
        queue_drop_spools(q, i);
    queue_tools_close(q);
    queue_watch_stop(q);
    queue_asks_stop(q);
    queue_tls_stop(q);
    queue_window_fini(q);
    sp_table_fini(&q->leases);
    sp_table_fini(&q->under_way);
    sp_table_fini(&q->deaths);
    sp_table_fini(&q->strangers.told);
    queue_talks_fini(q);
    os_later_fini(&q->turn);
    struct os_timer *timers[] = {&q->due, &q->idle, &q->again, &q->report, &q->grace};
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++)
        os_timer_fini(timers[i]);
    store_close(q->store);
    free(q);
}

static void leave_now(void *ctx) { queue_leave(ctx); }

static void open_store(struct queue *q)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    struct store_options options = {.folder = q->role->folder, .create = true, .sweep = true};
    if (store_open(&options, &error, &q->store) != SP_OK)
        os_fatal(EX_IOERR, "store", "%s/queue/queue.db cannot be used: %.*s", q->role->config->data,
                 (int)error.len, error.p ? (const char *)error.p : "");
    sp_buf_fini(&error);
    /* The first count reads all; from here on it is kept. */
    uint64_t n = 0;
    if (store_count(q->store, &n) != SP_OK)
        os_fatal(EX_IOERR, "store", "%s/queue/queue.db cannot be read: %s", q->role->config->data,
                 store_error(q->store));
    os_log(OS_INFO, "queue-open", OS_NUM("messages", n));
}

static void start(struct role *r)
{
    struct queue *q = os_new(sizeof *q);
    uint64_t seed;
    r->state = q;
    q->role = r;
    q->wall_ms = os_wall_ms;
    q->ids.process = MESSAGE_ID_PROCESS_QUEUE;
    os_random(&seed, sizeof seed);
    /* A delivery process that outlived an earlier queue must not name a lease of this one by accident. */
    os_random(&q->last_lease, sizeof q->last_lease);
    sp_table_init(&q->leases, &os_heap, seed);
    sp_table_init(&q->under_way, &os_heap, seed);
    sp_table_init(&q->deaths, &os_heap, seed);
    sp_table_init(&q->strangers.told, &os_heap, seed);
    queue_talks_init(q, seed);
    queue_batch_init(q);
    queue_window_init(q);
    os_later_init(&q->turn, r->base, end_turn, q);
    os_timer_init(&q->due, r->base, wake, q);
    os_timer_init(&q->idle, r->base, be_idle, q);
    os_timer_init(&q->again, r->base, write_down_again, q);
    os_timer_init(&q->report, r->base, report_regularly, q);
    os_timer_init(&q->grace, r->base, leave_now, q);
    os_timer_set(&q->report, REPORT_MS);
    open_store(q);
    queue_read_suspensions(q);
    queue_tools_open(q);
    queue_watch_start(q);
    queue_asks_start(q);
    queue_tls_start(q);
    os_later_ask(&q->turn);
}

static void reload(struct role *r)
{
    struct queue *q = queue_of(r);
    queue_batch_commit(q);
    queue_destinations_review(q); /* a route may be back, or of another kind */
    queue_pauses_renew(q);
    os_later_ask(&q->turn);
}

static void message(struct role *r, struct os_edge *from, const struct ipc_message *m)
{
    struct queue *q = queue_of(r);
    switch (m->type) {
    case IPC_TYPE_spool_want:
        queue_take_spool_want(q, from, &m->as.spool_want);
        break;
    case IPC_TYPE_spool_drop:
        queue_take_spool_drop(q, from, &m->as.spool_drop);
        break;
    case IPC_TYPE_submit:
        queue_take_submit(q, from, &m->as.submit);
        break;
    case IPC_TYPE_retry_domain:
        queue_take_ask(q, &m->as.retry_domain);
        break;
    case IPC_TYPE_attempt_result:
        queue_take_result(q, from, &m->as.attempt_result);
        break;
    case IPC_TYPE_tls_session:
        queue_take_tls_session(q, m);
        break;
    case IPC_TYPE_tls_place_here:
        queue_take_tls_place(q, &m->as.tls_place_here);
        break;
    case IPC_TYPE_tls_posted:
        queue_take_tls_posted(q, &m->as.tls_posted);
        break;
    default: /* nothing else is allowed on these edges */
        break;
    }
}

static void peer_up(struct role *r, struct os_edge *peer)
{
    if (os_edge_peer(peer) == IPC_DELIVERY)
        os_later_ask(&queue_of(r)->turn);
}

static void peer_gone(struct role *r, struct os_edge *peer)
{
    struct queue *q = queue_of(r);
    queue_batch_commit(q); /* its answers name the edge, which ends with this call */
    if (os_edge_peer(peer) == IPC_DELIVERY) {
        queue_end_leases(q, os_edge_peer_index(peer));
        queue_tls_lose_peer(q, os_edge_peer_index(peer));
    } else {
        queue_drop_spools(q, queue_bringer_of(peer));
    }
    os_later_ask(&q->turn);
}

static void peer_drained(struct role *r, struct os_edge *peer)
{
    (void)peer;
    os_later_ask(&queue_of(r)->turn);
}

/* Messages and results that are on their way are still taken; nothing new is begun. */
static void stop(struct role *r, uint32_t grace_ms)
{
    struct queue *q = queue_of(r);
    q->stopping = true;
    os_timer_set(&q->grace, grace_ms > REPLY_RESERVE_MS ? grace_ms - REPLY_RESERVE_MS : 0);
    os_later_ask(&q->turn);
}

const struct role_ops queue_ops = {.start = start,
                                   .reload = reload,
                                   .message = message,
                                   .peer_up = peer_up,
                                   .peer_gone = peer_gone,
                                   .peer_drained = peer_drained,
                                   .stop = stop};
