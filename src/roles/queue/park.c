/*
 * Parking: recipients that are due but cannot go wait in the store by their destination's name. What is in
 * memory of a destination that is blocked goes there, and what the store gives beyond a destination's share.
 */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum {
    PARK_AT_ONCE = 256,  /* recipients in one transaction                                              */
    FETCH_AT_ONCE = 256, /* recipients from the store                                                  */
    WALK_STEPS = 32,     /* names in one turn                                                          */
    FAILED_MS = 1000,    /* until the store is asked again                                             */
    WALK_MS = 600000     /* between walks: only what had to be forgotten is found by them              */
};

/* --- into the store ------------------------------------------------------------------------- */

struct parking {
    struct queue_entry entry; /* first: the batch gives it back */
    struct queue_item *items;
};

static void parked(struct queue *q, struct queue_entry *entry, bool ok, enum ipc_submit_why why)
{
    struct parking *p = (struct parking *)entry;
    (void)why;
    if (!ok)
        q->window.park_ms = q->wall_ms() + FAILED_MS;
    for (struct queue_item *item = p->items, *next; item; item = next) {
        struct queue_destination *d = item->destination;
        next = item->next;
        item->next = NULL;
        if (!ok) {
            queue_window_put(q, item);
            continue;
        }
        d->parked = true;
        d->place = (struct store_place){0};
        queue_item_free(q, item, STORE_NEVER);
    }
    free(p);
}

static int write_down(struct queue *q, const struct queue_item *items)
{
    int status = SP_OK;
    for (const struct queue_item *item = items; item && !status; item = item->next)
        for (const struct queue_target *t = item->targets; t && !status; t = t->next)
            status = store_park(q->store, item->mail.id, t->number, item->destination->name);
    return status;
}

void queue_park(struct queue *q, struct queue_item *items)
{
    struct parking *p;
    if (!items)
        return;
    p = os_new(sizeof *p);
    *p = (struct parking){.entry = {.done = parked}, .items = items};
    if (!queue_batch_open(q)) {
        parked(q, &p->entry, false, IPC_SUBMIT_BROKEN);
        return;
    }
    int status = write_down(q, items);
    queue_batch_add(q, &p->entry, 0);
    if (status)
        queue_batch_fail(q);
    else
        queue_batch_commit(q); /* tools and leases need a closed one */
}

bool queue_park_some(struct queue *q, int64_t now_ms)
{
    struct queue_window *w = &q->window;
    struct queue_item *first = NULL, **end = &first;
    size_t n = 0;
    if (now_ms < w->park_ms)
        return false;
    while (w->parking.first && n < PARK_AT_ONCE) {
        struct queue_item *item = queue_window_take(q, w->parking.first);
        n += item->target_n;
        *end = item;
        end = &item->next;
    }
    queue_park(q, first);
    return w->parking.first != NULL && now_ms >= w->park_ms;
}

/* --- out of it ------------------------------------------------------------------------------ */

void queue_ask_refill(struct queue *q, struct queue_destination *d)
{
    if (!d->parked || d->refilling || d->waiting > QUEUE_SHARE_MAX / 4)
        return;
    d->refilling = true;
    d->refill_next = q->window.refill;
    q->window.refill = d;
    os_later_ask(&q->turn);
}

static struct queue_destination *next_refill(struct queue *q)
{
    struct queue_destination *d = q->window.refill;
    q->window.refill = d->refill_next;
    d->refilling = false;
    return d;
}

bool queue_refill(struct queue *q, int64_t now_ms)
{
    struct queue_window *w = &q->window;
    if (!w->refill || !queue_window_wants_more(q) || now_ms < w->park_ms)
        return false;
    struct queue_destination *d = next_refill(q);
    struct queue_filling f = {.q = q, .only = d};
    bool from_start = d->place.mail == 0;
    if (queue_destination_is_blocked(q, d, now_ms))
        return w->refill != NULL;
    int status = store_lease_parked(q->store, d->name, &d->place, FETCH_AT_ONCE, queue_fill_one, &f);
    queue_fill_end(&f);
    if (status) {
        os_log(OS_WARN, "store-failed", OS_STR("what", "lease"), OS_STR("error", store_error(q->store)));
        w->park_ms = now_ms + FAILED_MS;
        queue_ask_refill(q, d);
        return false;
    }
    /* What was parked meanwhile may stand before the place where this began. */
    if (from_start && d->place.end && f.n == 0)
        d->parked = false;
    queue_ask_refill(q, d);
    queue_destination_drop(q, d);
    return w->refill != NULL;
}

/* Destinations that memory does not know: all of them after a start. */
bool queue_walk_parked(struct queue *q, int64_t now_ms)
{
    struct queue_window *w = &q->window;
    if (now_ms < w->walk_ms)
        return false;
    if (w->destinations.n > QUEUE_SITES_MAX) {
        w->walk_ms = now_ms + FAILED_MS;
        return false;
    }
    for (size_t i = 0; i < WALK_STEPS; i++) {
        int status = store_parked_after(q->store, sp_buf_view(&w->walked), &w->walked);
        if (status) {
            sp_buf_clear(&w->walked);
            w->walk_ms = now_ms + (status == SP_ERR_ABSENT ? WALK_MS : FAILED_MS);
            return false;
        }
        struct queue_destination *d = queue_destination_named(q, sp_buf_view(&w->walked));
        d->parked = true;
        queue_destination_place(q, d);
    }
    return true;
}
