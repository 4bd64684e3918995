/* Attempts that have ended: what delivery says of them, or that its process went away. */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

enum {
    DEATHS_AT_ONCE =
        2, /* so often a message is due at once when its process went away: it may be the cause */
    DEATHS_MOST = 4096
};

/* No longer under way. */
static void unlist(struct queue *q, struct queue_item *item)
{
    struct queue_item *first = sp_table_take(&q->under_way, queue_key(&item->mail.id)), **at = &first;
    while (*at != item)
        at = &(*at)->lease_next;
    *at = item->lease_next;
    item->lease_next = NULL;
    int put = first ? sp_table_put(&q->under_way, queue_key(&item->mail.id), first) : SP_OK;
    (void)put; /* os_heap never says no */
}

static void end_lease(struct queue *q, struct queue_item *item)
{
    struct queue_destination *d = item->destination;
    const struct config_route *route = queue_route_of(q, d);
    (void)sp_table_take(&q->leases, queue_key(&item->lease)); /* it is the item */
    unlist(q, item);
    item->lease = 0;
    d->active--;
    d->site->active--;
    q->window.active -= item->target_n;
    if (route)
        queue_site_wake(q, d->site, queue_site_room(d->site, route));
    queue_site_keep_awake(q, d->site);
}

/* Domains whose servers are the same share what is known of them. */
static void move_to_site(struct queue *q, struct queue_destination *d, struct sp_view key)
{
    if (!key.len || sp_view_eq(key, sp_view_make(d->site->key, d->site->key_len)))
        return;
    queue_destination_stand(q, d, QUEUE_NOWHERE);
    queue_site_leave(q, d);
    queue_site_join(q, d, key);
    queue_destination_place(q, d); /* it may be open where the other was not */
}

static void learn(struct queue *q, struct queue_destination *d, const struct ipc_attempt_result *result,
                  struct queue_outcome *outcomes, size_t n)
{
    const struct config_route *route = queue_route_of(q, d);
    /* Where the DNS leads to nothing, the site that it led to has no part in it. */
    move_to_site(q, d, result->health == IPC_HEALTH_UNFOUND ? d->name : result->site);
    if (route && result->health < IPC_HEALTH_N)
        queue_learn(q, d->site, route, result, outcomes, n);
}

static bool have_arrived(const struct queue_outcome *outcomes, size_t n)
{
    size_t i = 0;
    while (i < n && outcomes[i].kind == IPC_OUTCOME_DELIVERED)
        i++;
    return i == n;
}

/* In the order of the item's targets; each of them once. */
static size_t read_outcomes(const struct queue_item *item, struct sp_view list,
                            struct queue_outcome *outcomes)
{
    size_t n = 0;
    for (const struct queue_target *t = item->targets; t; t = t->next, n++) {
        struct queue_outcome *to = &outcomes[n];
        *to = (struct queue_outcome){.kind = IPC_OUTCOME_DEFERRED,
                                     .attempted = true,
                                     .reply = SP_LIT("the delivery process told no outcome")};
        struct sp_view rest = list;
        for (struct ipc_outcome o; ipc_next_outcome(&rest, &o);)
            if (o.recipient == t->number && o.kind < IPC_OUTCOME_N)
                *to = (struct queue_outcome){.kind = (enum ipc_outcome_kind)o.kind,
                                             .attempted = true,
                                             .end = o.end < IPC_END_N ? (enum ipc_end)o.end : IPC_END_FINAL,
                                             .stage = o.stage < REFERENCE_STAGE_N
                                                          ? (enum reference_stage)o.stage
                                                          : REFERENCE_AT_UNKNOWN,
                                             .code = o.code,
                                             .enhanced = o.enhanced,
                                             .reply = o.reply,
                                             .remote = o.remote,
                                             .tls = o.tls};
    }
    return n;
}

void queue_take_result(struct queue *q, struct os_edge *from, const struct ipc_attempt_result *result)
{
    struct queue_item *item = sp_table_get(&q->leases, queue_key(&result->lease));
    if (!item || item->peer != os_edge_peer_index(from)) {
        os_log(OS_WARN, "result-unknown", OS_NUM("lease", result->lease),
               OS_NUM("delivery", os_edge_peer_index(from)));
        return;
    }
    struct queue_outcome outcomes[QUEUE_TARGETS_MAX];
    size_t n = read_outcomes(item, result->outcomes, outcomes);
    learn(q, item->destination, result, outcomes, n);
    queue_keep_talk(q, item->destination->site, item->mail.id, result->talk, have_arrived(outcomes, n));
    end_lease(q, item);
    (void)sp_table_take(&q->deaths, queue_key(&item->mail.id)); /* its process lives */
    queue_settle(q, item, outcomes, n);
}

/* How often this message's process went away, this time included. */
static uintptr_t count_death(struct queue *q, uint64_t mail)
{
    if (q->deaths.n >= DEATHS_MOST) {
        uint64_t seed = q->deaths.seed;
        sp_table_fini(&q->deaths);
        sp_table_init(&q->deaths, &os_heap, seed);
    }
    uintptr_t n = (uintptr_t)sp_table_get(&q->deaths, queue_key(&mail)) + 1;
    int status = sp_table_put(&q->deaths, queue_key(&mail), (void *)n);
    (void)status; /* os_heap never says no */
    return n;
}

/* Items that a process has, no longer leased, in a line. */
static struct queue_item *take_back(struct queue *q, uint32_t peer)
{
    struct queue_item *first = NULL;
    size_t cursor = 0;
    struct sp_view key;
    for (void *value; sp_table_next(&q->leases, &cursor, &key, &value);) {
        struct queue_item *item = value;
        if (item->peer != peer)
            continue;
        item->next = first;
        first = item;
    }
    for (struct queue_item *item = first; item; item = item->next)
        end_lease(q, item);
    return first;
}

void queue_end_leases(struct queue *q, uint32_t peer)
{
    for (struct queue_item *item = take_back(q, peer), *next; item; item = next) {
        next = item->next;
        item->next = NULL;
        struct queue_outcome outcome = {
            .kind = IPC_OUTCOME_UNKNOWN,
            .attempted = true,
            .at_once = count_death(q, item->mail.id) <= DEATHS_AT_ONCE,
            .reply = SP_LIT("the delivery process went away during the attempt: may be delivered twice")};
        queue_settle(q, item, &outcome, 1);
    }
}

void queue_forget_leases(struct queue *q, uint32_t peer)
{
    for (struct queue_item *item = take_back(q, peer), *next; item; item = next) {
        next = item->next;
        queue_item_free(q, item, STORE_NEVER);
    }
}
