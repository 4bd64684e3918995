/* What the running role knows of why something waits: its window, its destinations, its sites. */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"

#include <stdlib.h>

enum { PLACES_PAGE = 100, PARKED_MOST = 10000 };

bool queue_is_under_way(const struct queue *q, uint64_t mail, uint32_t number)
{
    if (queue_is_unsettled(q, mail, number))
        return true;
    const struct queue_item *item = sp_table_get(&q->under_way, queue_key(&mail));
    for (; item; item = item->lease_next)
        for (const struct queue_target *t = item->targets; t; t = t->next)
            if (t->number == number)
                return true;
    return false;
}

/* --- one recipient -------------------------------------------------------------------------- */

static void tell_of_site(const struct queue_destination *d, struct ipc_queue_reason *reason)
{
    const struct queue_site *s = d->site;
    reason->destination = d->name;
    reason->site = sp_view_make(s->key, s->key_len);
    reason->connections = s->connections;
    reason->active = s->active;
    reason->troubles = s->troubles;
    reason->good_ms = (uint64_t)s->good_ms;
    reason->bad_ms = (uint64_t)s->bad_ms;
    reason->said = sp_view_make(s->said, s->said_len);
    if (s->troubles == 0)
        return;
    reason->slowed = sp_view_make(s->slowed, s->slowed_len);
    reason->action = (uint8_t)s->action;
    reason->meaning = sp_view_of(s->meaning ? s->meaning : "");
}

static void tell_talk(const struct queue *q, const struct queue_destination *d, uint64_t mail,
                      struct ipc_queue_reason *reason)
{
    bool own;
    const struct queue_talk *talk = queue_find_talk(q, d->site, mail, &own);
    if (!talk)
        return;
    reason->talk = queue_talk_text(talk);
    reason->talk_ms = (uint64_t)talk->ended_ms;
    reason->talk_own = own;
}

static void tell(struct ipc_queue_reason *reason, enum ipc_queue_rule rule, int64_t until_ms)
{
    reason->rule = (uint8_t)rule;
    reason->until_ms = (uint64_t)until_ms;
}

/* It is due: what is in its way? In the order in which they are asked when it is given out. */
static void judge_due(struct queue *q, const struct store_recipient *r, struct queue_destination *d,
                      struct ipc_queue_reason *reason)
{
    const struct config_route *route = config_find_route(q->role->config, r->route);
    const struct queue_site *s = d->site;
    int64_t now = q->wall_ms(), since = 0;
    if (queue_is_suspended(q, d, &since))
        tell(reason, IPC_QUEUE_RULE_SUSPENDED, 0);
    else if (s->until_ms > now)
        tell(reason, IPC_QUEUE_RULE_BACK_OFF, s->until_ms);
    else if (!route)
        tell(reason, IPC_QUEUE_RULE_ROUTE, 0);
    else if (s->active >= queue_site_room(s, route))
        tell(reason, IPC_QUEUE_RULE_CONCURRENCY, 0);
    else if (route->rate > 0 && s->rate_ms > now)
        tell(reason, IPC_QUEUE_RULE_RATE, s->rate_ms);
    else if (role_peer_n(q->role, IPC_DELIVERY) == 0)
        tell(reason, IPC_QUEUE_RULE_PROCESS, 0);
    else if (q->leases.n >= q->role->config->queue.attempts)
        tell(reason, IPC_QUEUE_RULE_TOTAL, 0);
    else if (r->parked.len || d->waiting > 0)
        tell(reason, IPC_QUEUE_RULE_SHARE, 0);
}

void queue_why(struct queue *q, const struct store_mail *mail, const struct store_recipient *r,
               struct ipc_queue_reason *reason)
{
    if (!store_state_waits(r->state))
        return;
    bool route_gone = !config_find_route(q->role->config, r->route);
    struct queue_destination *d =
        r->parked.len ? queue_destination_named(q, r->parked) : queue_destination_of(q, r->route, r->address);
    tell_of_site(d, reason);
    tell_talk(q, d, mail->id, reason);
    if (queue_is_under_way(q, mail->id, r->number))
        tell(reason, IPC_QUEUE_RULE_ATTEMPT, 0);
    else if (route_gone)
        tell(reason, IPC_QUEUE_RULE_ROUTE, 0);
    else if (queue_is_suspended(q, d, NULL)) /* its time may come, it does not go */
        tell(reason, IPC_QUEUE_RULE_SUSPENDED, 0);
    else if (reason->rule == IPC_QUEUE_RULE_NEXT)
        judge_due(q, r, d, reason);
    if (r->parked.len)
        d->parked = true; /* it was not in memory */
    reason->destination = r->parked.len ? r->parked : reason->destination;
}

/* --- all destinations ----------------------------------------------------------------------- */

static void add_place(struct queue *q, const struct queue_destination *d, struct sp_buf *places)
{
    const struct queue_site *s = d->site;
    size_t parked = 0;
    if (d->parked && store_count_parked(q->store, d->name, PARKED_MOST, &parked) != SP_OK)
        parked = 0;
    struct ipc_queue_place p = {.name = d->name,
                                .site = sp_view_make(s->key, s->key_len),
                                .suspended = queue_is_suspended(q, d, NULL),
                                .until_ms = s->until_ms > q->wall_ms() ? (uint64_t)s->until_ms : 0,
                                .waiting = d->waiting > parked ? d->waiting : parked,
                                .more = parked == PARKED_MOST,
                                .active = d->active,
                                .connections = s->connections,
                                .troubles = s->troubles,
                                .delivered = s->delivered,
                                .deferred = s->deferred,
                                .failed = s->failed,
                                .good_ms = (uint64_t)s->good_ms,
                                .bad_ms = (uint64_t)s->bad_ms,
                                .said = s->troubles ? sp_view_make(s->slowed, s->slowed_len)
                                                    : sp_view_make(s->said, s->said_len)};
    (void)ipc_add_queue_place(places, &p); /* os_heap never says no; a page is far below the limit */
}

/* The first names behind one, the last of them on top: a heap. */
struct first_names {
    const struct queue_destination *heap[PLACES_PAGE];
    size_t n;
    bool more;
};

static bool is_behind(const struct queue_destination *a, const struct queue_destination *b)
{
    return sp_view_cmp(a->name, b->name) > 0;
}

static void sink(struct first_names *f, const struct queue_destination *d)
{
    size_t at = 0;
    for (size_t child; (child = at * 2 + 1) < f->n; at = child) {
        if (child + 1 < f->n && is_behind(f->heap[child + 1], f->heap[child]))
            child++;
        if (!is_behind(f->heap[child], d))
            break;
        f->heap[at] = f->heap[child];
    }
    f->heap[at] = d;
}

static void rise(struct first_names *f, const struct queue_destination *d)
{
    size_t at = f->n++;
    for (; at > 0 && is_behind(d, f->heap[(at - 1) / 2]); at = (at - 1) / 2)
        f->heap[at] = f->heap[(at - 1) / 2];
    f->heap[at] = d;
}

/* One pass, however many there are: the queue's loop waits for it. */
static void find_first(const struct queue *q, struct sp_view after, struct first_names *f)
{
    size_t cursor = 0;
    struct sp_view key;
    for (void *value; sp_table_next(&q->window.destinations, &cursor, &key, &value);) {
        if (sp_view_cmp(key, after) <= 0)
            continue;
        f->more = f->more || f->n == PLACES_PAGE;
        if (f->n < PLACES_PAGE)
            rise(f, value);
        else if (is_behind(f->heap[0], value))
            sink(f, value);
    }
}

bool queue_list_places(struct queue *q, struct sp_view after, struct sp_buf *places)
{
    struct first_names f = {0};
    const struct queue_destination *sorted[PLACES_PAGE];
    find_first(q, after, &f);
    size_t n = f.n;
    while (f.n > 0) {
        sorted[f.n - 1] = f.heap[0];
        f.n--;
        sink(&f, f.heap[f.n]);
    }
    for (size_t i = 0; i < n; i++)
        add_place(q, sorted[i], places);
    return f.more;
}
