/*
 * The window: recipients that are leased from the store and wait in memory, a bounded number however long the
 * queue is. New messages have room of their own, and a destination's retries get each fifth turn only, so
 * that a new message is tried at once whatever earlier ones have met. Destinations take turns.
 */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum { FILL_AT_ONCE = 256, RETRY_EACH = 5 };

/* --- items ---------------------------------------------------------------------------------- */

static struct sp_view keep(uint8_t **at, struct sp_view v)
{
    struct sp_view kept = {*at, v.len};
    if (v.len)
        memcpy(*at, v.p, v.len);
    *at += v.len;
    return kept;
}

struct queue_item *queue_item_new(const struct store_mail *mail, bool fresh)
{
    const struct sp_mail_parameters *p = &mail->parameters;
    struct queue_item *item =
        os_new(sizeof *item + mail->session.len + mail->sender.len + p->envid.len + p->auth.len);
    uint8_t *at = item->text;
    item->mail = *mail;
    item->mail.session = keep(&at, mail->session);
    item->mail.sender = keep(&at, mail->sender);
    item->mail.parameters.envid = keep(&at, p->envid);
    item->mail.parameters.auth = keep(&at, p->auth);
    item->mail.client = item->mail.user = (struct sp_view){0};
    item->fresh = item->counted_fresh = fresh;
    item->targets_end = &item->targets;
    return item;
}

void queue_item_add(struct queue_item *item, const struct store_recipient *r)
{
    struct queue_target *t = os_new(sizeof *t + r->address.len + r->parameters.orcpt.len);
    uint8_t *at = t->address;
    t->number = r->number;
    t->attempts = r->attempts;
    t->address_len = keep(&at, r->address).len;
    t->parameters = r->parameters;
    t->parameters.orcpt = keep(&at, r->parameters.orcpt);
    *item->targets_end = t;
    item->targets_end = &t->next;
    item->target_n++;
}

void queue_item_free(struct queue *q, struct queue_item *item, int64_t due_ms)
{
    struct queue_window *w = &q->window;
    if (item->counted)
        *(item->counted_fresh ? &w->fresh : &w->stored) -= item->target_n;
    while (item->targets) {
        struct queue_target *t = item->targets;
        item->targets = t->next;
        store_release(q->store, item->mail.id, t->number, due_ms);
        free(t);
    }
    if (due_ms < w->next_ms)
        w->next_ms = due_ms;
    free(item);
}

/* --- destinations --------------------------------------------------------------------------- */

static void join_ring(struct queue_window *w, struct queue_destination *d)
{
    if (d->ringed)
        return;
    d->ringed = true;
    if (!w->ring) {
        w->ring = d->next = d->previous = d;
        return;
    }
    d->next = w->ring;
    d->previous = w->ring->previous;
    d->previous->next = d;
    d->next->previous = d;
}

static void leave_ring(struct queue_window *w, struct queue_destination *d)
{
    d->ringed = false;
    if (d->next == d) {
        w->ring = NULL;
        return;
    }
    d->previous->next = d->next;
    d->next->previous = d->previous;
    if (w->ring == d)
        w->ring = d->next;
}

static struct queue_destination *destination_of(struct queue_window *w, struct sp_view route)
{
    struct queue_destination *d = sp_table_get(&w->destinations, route);
    if (d)
        return d;
    d = os_new(sizeof *d + route.len);
    uint8_t *at = d->route;
    d->route_len = keep(&at, route).len;
    d->fresh.end = &d->fresh.first;
    d->retries.end = &d->retries.first;
    int status = sp_table_put(&w->destinations, route, d);
    (void)status; /* os_heap never says no */
    return d;
}

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

/* --- the window ----------------------------------------------------------------------------- */

void queue_window_init(struct queue *q)
{
    uint64_t seed;
    os_random(&seed, sizeof seed);
    q->window = (struct queue_window){0};
    sp_table_init(&q->window.destinations, &os_heap, seed);
}

void queue_window_fini(struct queue *q)
{
    size_t cursor = 0;
    struct sp_view key;
    void *value;
    while (sp_table_next(&q->window.destinations, &cursor, &key, &value)) {
        struct queue_destination *d = value;
        struct queue_item *item;
        while ((item = take_first(&d->fresh)) || (item = take_first(&d->retries)))
            queue_item_free(q, item, STORE_NEVER);
        free(d);
    }
    sp_table_fini(&q->window.destinations);
}

void queue_item_aim(struct queue *q, struct queue_item *item, struct sp_view route)
{
    item->destination = destination_of(&q->window, route);
}

void queue_window_put(struct queue *q, struct queue_item *item)
{
    struct queue_window *w = &q->window;
    struct queue_destination *d = item->destination;
    struct queue_line *line = item->fresh ? &d->fresh : &d->retries;
    if (!item->counted)
        *(item->counted_fresh ? &w->fresh : &w->stored) += item->target_n;
    item->counted = true;
    *line->end = item;
    line->end = &item->next;
    join_ring(w, d);
}

bool queue_window_has_room(const struct queue *q, size_t n)
{
    /* A message whose recipients alone are more than the room is let in when there is nothing else. */
    return q->window.fresh == 0 || q->window.fresh + n <= QUEUE_FRESH_MAX;
}

/* What the store gives, gathered into items: recipients of a message come one after another. */
struct filling {
    struct queue *q;
    struct queue_item *items; /* of the message that is being read, by `next` */
    size_t n;
};

static void put_all(struct filling *f)
{
    while (f->items) {
        struct queue_item *item = f->items;
        f->items = item->next;
        item->next = NULL;
        queue_window_put(f->q, item);
    }
}

static void take_due(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct filling *f = ctx;
    struct queue_destination *d = destination_of(&f->q->window, r->route);
    if (f->items && f->items->mail.id != mail->id)
        put_all(f);
    struct queue_item *item = f->items;
    while (item && (item->destination != d || item->target_n >= QUEUE_TARGETS_MAX))
        item = item->next;
    if (!item) {
        item = queue_item_new(mail, false);
        item->fresh = r->attempts == 0;
        item->destination = d;
        item->next = f->items;
        f->items = item;
    }
    item->fresh = item->fresh && r->attempts == 0;
    queue_item_add(item, r);
    f->n++;
}

bool queue_window_wants_more(const struct queue *q) { return q->window.stored <= QUEUE_WINDOW_MAX / 2; }

bool queue_window_fill(struct queue *q, int64_t now_ms)
{
    struct queue_window *w = &q->window;
    if (now_ms < w->next_ms || !queue_window_wants_more(q))
        return false;
    struct filling f = {.q = q};
    int status = store_lease(q->store, now_ms, FILL_AT_ONCE, take_due, &f, &w->next_ms);
    put_all(&f);
    if (status) {
        enum { PAUSE_MS = 1000 };
        os_log(OS_WARN, "store-failed", OS_STR("what", "lease"), OS_STR("error", store_error(q->store)));
        w->next_ms = now_ms + PAUSE_MS;
        return false;
    }
    return w->next_ms <= now_ms && queue_window_wants_more(q);
}

struct queue_item *queue_window_next(struct queue *q,
                                     bool (*may_go)(struct queue *q, const struct queue_destination *d))
{
    struct queue_window *w = &q->window;
    for (struct queue_destination *d = w->ring, *end = NULL; d && d != end; d = d->next) {
        if (!end)
            end = d;
        if (!may_go(q, d))
            continue;
        bool retry = d->turns++ % RETRY_EACH == RETRY_EACH - 1;
        struct queue_item *item = take_first(retry ? &d->retries : &d->fresh);
        if (!item)
            item = take_first(retry ? &d->fresh : &d->retries);
        w->ring = d->next;
        if (!d->fresh.first && !d->retries.first)
            leave_ring(w, d);
        return item;
    }
    return NULL;
}
