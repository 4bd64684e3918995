/*
 * The window: recipients that are leased from the store and wait in memory, a bounded number however long the
 * queue is, and of one destination only a share of it. New messages have room of their own, and a
 * destination's retries get each fifth turn only, so that a new message is tried at once whatever earlier
 * ones have met. Destinations take turns.
 */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum { RETRY_EACH = 5 };

/* --- lines ---------------------------------------------------------------------------------- */

static struct queue_item *take_first(struct queue_line *line)
{
    struct queue_item *item = line->first;
    if (!item)
        return NULL;
    line->first = item->next;
    if (!line->first)
        line->end = &line->first;
    item->next = NULL;
    return item;
}

struct queue_item *queue_window_take(struct queue *q, struct queue_destination *d)
{
    bool retry = d->turns++ % RETRY_EACH == RETRY_EACH - 1;
    struct queue_item *item = take_first(retry ? &d->retries : &d->fresh);
    if (!item)
        item = take_first(retry ? &d->fresh : &d->retries);
    if (item)
        d->waiting -= item->target_n;
    if (!d->fresh.first && !d->retries.first)
        queue_destination_stand(q, d, QUEUE_NOWHERE);
    return item;
}

/* Behind those of at least its priority (RFC 6710). */
static void enqueue(struct queue_line *line, struct queue_item *item)
{
    struct queue_item **at = line->end;
    /* The end is the last one's first member. */
    if (line->first && ((struct queue_item *)at)->mail.parameters.priority < item->mail.parameters.priority)
        for (at = &line->first; (*at)->mail.parameters.priority >= item->mail.parameters.priority;)
            at = &(*at)->next;
    item->next = *at;
    *at = item;
    if (at == line->end)
        line->end = &item->next;
}

void queue_window_put(struct queue *q, struct queue_item *item)
{
    struct queue_window *w = &q->window;
    struct queue_destination *d = item->destination;
    struct queue_line *line = item->fresh ? &d->fresh : &d->retries;
    if (!item->counted)
        *(item->counted_fresh ? &w->fresh : &w->stored) += item->target_n;
    item->counted = true;
    enqueue(line, item);
    d->waiting += item->target_n;
    if (d->stand == QUEUE_NOWHERE)
        queue_destination_place(q, d);
}

/* Of one line, what is of that message; 0: what belongs to another destination. */
static struct queue_item *take_some(const struct queue *q, struct queue_destination *d,
                                    struct queue_line *line, uint64_t mail)
{
    struct queue_item *taken = NULL;
    for (struct queue_item **at = &line->first; *at;) {
        struct queue_item *item = *at;
        if (mail ? item->mail.id != mail : queue_destination_fits(q, d, item)) {
            at = &item->next;
            continue;
        }
        *at = item->next;
        if (!*at)
            line->end = at;
        d->waiting -= item->target_n;
        item->next = taken;
        taken = item;
    }
    return taken;
}

void queue_window_forget_at(struct queue *q, struct queue_destination *d, uint64_t mail)
{
    struct queue_item *taken[] = {take_some(q, d, &d->fresh, mail), take_some(q, d, &d->retries, mail)};
    if (!taken[0] && !taken[1])
        return;
    d->item_n++; /* it is not to go with its last item */
    d->place = (struct store_place){0};
    d->parked = true;
    queue_destination_place(q, d);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        while (taken[i]) {
            struct queue_item *item = taken[i];
            taken[i] = item->next;
            /* It may be due, or parked, since any time: look from the beginning. */
            queue_item_free(q, item, 0);
        }
    d->item_n--;
}

void queue_window_forget_misplaced(struct queue *q, struct queue_destination *d)
{
    queue_window_forget_at(q, d, 0);
}

void queue_window_forget(struct queue *q, uint64_t mail)
{
    size_t cursor = 0;
    struct sp_view key;
    for (void *value; sp_table_next(&q->window.destinations, &cursor, &key, &value);)
        queue_window_forget_at(q, value, mail);
    queue_destinations_sweep(q);
}

/* --- the window ----------------------------------------------------------------------------- */

void queue_window_init(struct queue *q)
{
    struct queue_window *w = &q->window;
    uint64_t seed;
    os_random(&seed, sizeof seed);
    *w = (struct queue_window){.wake_ms = STORE_NEVER};
    sp_table_init(&w->destinations, &os_heap, seed);
    sp_table_init(&w->sites, &os_heap, seed);
    sp_table_init(&w->suspended, &os_heap, seed);
    sp_buf_init(&w->walked, &os_heap, 1 << 20);
}

static void free_values(struct sp_table *t)
{
    size_t cursor = 0;
    struct sp_view key;
    for (void *value; sp_table_next(t, &cursor, &key, &value);)
        free(value);
    sp_table_fini(t);
}

void queue_window_fini(struct queue *q)
{
    struct queue_window *w = &q->window;
    size_t cursor = 0;
    struct sp_view key;
    for (void *value; sp_table_next(&w->destinations, &cursor, &key, &value);) {
        struct queue_destination *d = value;
        d->item_n++; /* it is freed below, not with its last item */
        for (struct queue_item *item; (item = take_first(&d->fresh)) || (item = take_first(&d->retries));)
            queue_item_free(q, item, STORE_NEVER);
    }
    free_values(&w->destinations);
    free_values(&w->sites);
    free_values(&w->suspended);
    sp_buf_fini(&w->walked);
}

bool queue_window_has_room(const struct queue *q, size_t n)
{
    /* A message whose recipients alone are more than the room is let in when there is nothing else. */
    return q->window.fresh == 0 || q->window.fresh + n <= QUEUE_FRESH_MAX;
}

/* They stand in front. */
static size_t count_urgent(const struct queue_line *line)
{
    size_t n = 0;
    for (const struct queue_item *item = line->first; item && n < QUEUE_URGENT_MAX; item = item->next) {
        if (item->mail.parameters.priority <= 0)
            break;
        n += item->target_n;
    }
    return n;
}

bool queue_window_is_crowded(const struct queue *q, const struct queue_destination *d, int priority)
{
    bool spared = priority > 0 && count_urgent(&d->fresh) + count_urgent(&d->retries) < QUEUE_URGENT_MAX;
    return (d->waiting >= QUEUE_SHARE_MAX && !spared) || queue_destination_is_blocked(q, d, q->wall_ms());
}

bool queue_window_wants_more(const struct queue *q) { return q->window.stored <= QUEUE_WINDOW_MAX / 2; }

int64_t queue_window_next_ms(const struct queue *q)
{
    const struct queue_window *w = &q->window;
    int64_t next = w->wake_ms < w->walk_ms ? w->wake_ms : w->walk_ms;
    /* A full window is filled again when results make room, not by time. */
    bool wants_more = queue_window_wants_more(q);
    int64_t store_ms = wants_more ? w->next_ms : STORE_NEVER;
    if (w->parking.first || (wants_more && w->refill))
        store_ms = 0;
    if (store_ms < w->park_ms)
        store_ms = w->park_ms;
    return store_ms < next ? store_ms : next;
}

void queue_window_set_back(struct queue *q, int64_t by_ms)
{
    q->window.next_ms = q->window.park_ms = q->window.walk_ms = 0;
    queue_sites_set_back(q, by_ms);
}

struct queue_item *queue_window_next(struct queue *q,
                                     enum queue_go (*may_go)(struct queue *q, struct queue_destination *d))
{
    struct queue_window *w = &q->window;
    struct queue_destination *end = NULL;
    while (w->ring.first && w->ring.first != end) {
        struct queue_destination *d = w->ring.first;
        enum queue_go go = may_go(q, d);
        if (go == QUEUE_REST) {
            queue_destination_stand(q, d, QUEUE_RESTING);
            continue;
        }
        w->ring.first = d->next; /* the next one's turn */
        if (go == QUEUE_SKIP) {
            end = end ? end : d;
            continue;
        }
        struct queue_item *item = queue_window_take(q, d);
        queue_ask_refill(q, d);
        return item;
    }
    return NULL;
}
