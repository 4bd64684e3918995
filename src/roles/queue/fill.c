/* What the store has that is due comes into the window. */
#include "roles/queue/queue.h"

#include "os/log.h"

enum { FILL_AT_ONCE = 256 };

static void put_all(struct queue_filling *f)
{
    while (f->items) {
        struct queue_item *item = f->items;
        f->items = item->next;
        if (item->destination != f->only &&
            queue_window_is_crowded(f->q, item->destination, item->mail.parameters.priority)) {
            item->next = f->crowd;
            f->crowd = item;
        } else {
            item->next = NULL;
            queue_window_put(f->q, item);
        }
    }
}

void queue_fill_one(void *filling, const struct store_mail *mail, const struct store_recipient *r)
{
    struct queue_filling *f = filling;
    struct queue_destination *d = queue_destination_of(f->q, r->route, r->address);
    if (f->items && f->items->mail.id != mail->id)
        put_all(f);
    struct queue_item *item = f->items;
    while (item && !queue_item_fits(f->q, item, d, r))
        item = item->next;
    if (!item) {
        item = queue_item_new(mail, false);
        item->fresh = r->attempts == 0;
        queue_item_aim(item, d);
        item->away = queue_is_away(f->q, r);
        item->next = f->items;
        f->items = item;
    }
    item->fresh = item->fresh && r->attempts == 0;
    queue_item_add(item, r);
    f->n++;
}

void queue_fill_end(struct queue_filling *f)
{
    put_all(f);
    queue_park(f->q, f->crowd);
}

static bool fill_with_due(struct queue *q, int64_t now_ms)
{
    struct queue_window *w = &q->window;
    if (now_ms < w->next_ms || now_ms < w->park_ms || !queue_window_wants_more(q))
        return false;
    struct queue_filling f = {.q = q};
    int status = store_lease(q->store, now_ms, FILL_AT_ONCE, queue_fill_one, &f, &w->next_ms);
    queue_fill_end(&f);
    if (status) {
        enum { PAUSE_MS = 1000 };
        os_log(OS_WARN, "store-failed", OS_STR("what", "lease"), OS_STR("error", store_error(q->store)));
        w->next_ms = now_ms + PAUSE_MS;
        return false;
    }
    return w->next_ms <= now_ms && queue_window_wants_more(q);
}

bool queue_window_fill(struct queue *q, int64_t now_ms)
{
    queue_sites_tick(q, now_ms);
    bool more = queue_park_some(q, now_ms);
    more |= queue_refill(q, now_ms);
    more |= fill_with_due(q, now_ms);
    return queue_walk_parked(q, now_ms) || more;
}
