#include "roles/smtpd/wheel.h"

#include "os/clock.h"

#include <stddef.h>

enum { TICK_MS = 1000 };

static void unlink_entry(struct wheel_entry *e)
{
    e->prev->next = e->next;
    e->next->prev = e->prev;
    e->prev = e->next = NULL;
}

static void link_entry(struct wheel_entry *ring, struct wheel_entry *e)
{
    e->prev = ring->prev;
    e->next = ring;
    ring->prev->next = e;
    ring->prev = e;
}

/* The second after the deadline, or as far as the wheel reaches: there it is looked at again. */
static uint64_t place_of(const struct wheel *w, uint64_t due_ms)
{
    uint64_t at = due_ms / TICK_MS + 1;
    if (at <= w->now_s)
        at = w->now_s + 1;
    return at >= w->now_s + WHEEL_SECONDS ? w->now_s + WHEEL_SECONDS - 1 : at;
}

static void put(struct wheel *w, struct wheel_entry *e)
{
    e->at_s = place_of(w, e->due_ms);
    link_entry(&w->slots[e->at_s % WHEEL_SECONDS], e);
    if (w->n++ == 0)
        os_timer_set(&w->timer, TICK_MS);
}

void wheel_remove(struct wheel *w, struct wheel_entry *e)
{
    if (!e->next)
        return;
    unlink_entry(e);
    if (--w->n == 0)
        os_timer_stop(&w->timer);
}

void wheel_set(struct wheel *w, struct wheel_entry *e, uint64_t due_ms)
{
    e->due_ms = due_ms;
    if (due_ms == UINT64_MAX) {
        wheel_remove(w, e);
        return;
    }
    if (e->next && place_of(w, due_ms) >= e->at_s)
        return; /* its place comes first and sends it on */
    wheel_remove(w, e);
    if (w->n == 0)
        w->now_s = os_mono_ms() / TICK_MS;
    put(w, e);
}

/* Entries of one second; a handler may free any entry, so the ring is emptied from its head. */
static void turn_to(struct wheel *w, uint64_t second, uint64_t now_ms)
{
    struct wheel_entry *ring = &w->slots[second % WHEEL_SECONDS];
    struct wheel_entry pending = {.prev = &pending, .next = &pending};
    while (ring->next != ring) {
        struct wheel_entry *e = ring->next;
        unlink_entry(e);
        link_entry(&pending, e);
    }
    while (pending.next != &pending) {
        struct wheel_entry *e = pending.next;
        unlink_entry(e);
        w->n--;
        if (e->due_ms <= now_ms)
            w->due(w->ctx, e);
        else
            put(w, e);
    }
}

static void tick(void *ctx)
{
    struct wheel *w = ctx;
    uint64_t now_ms = os_mono_ms(), now_s = now_ms / TICK_MS;
    /* After a long sleep one round sees every entry. */
    if (now_s > w->now_s + WHEEL_SECONDS)
        w->now_s = now_s - WHEEL_SECONDS;
    while (w->now_s < now_s) {
        w->now_s++;
        turn_to(w, w->now_s, now_ms);
    }
    if (w->n > 0)
        os_timer_set(&w->timer, TICK_MS);
}

void wheel_init(struct wheel *w, struct event_base *base, void (*due)(void *ctx, struct wheel_entry *e),
                void *ctx)
{
    *w = (struct wheel){.due = due, .ctx = ctx, .now_s = os_mono_ms() / TICK_MS};
    for (size_t i = 0; i < WHEEL_SECONDS; i++)
        w->slots[i].prev = w->slots[i].next = &w->slots[i];
    os_timer_init(&w->timer, base, tick, w);
}

void wheel_fini(struct wheel *w) { os_timer_fini(&w->timer); }
