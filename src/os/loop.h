/*
 * The event loop of a role: libevent's event_base, and work that waits until everything that
 * has arrived was read (group commit, batched writes).
 */
#ifndef OS_LOOP_H
#define OS_LOOP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Priorities. I/O is the middle one, which libevent gives to every event that asks for none. A busy loop may
 * never come to what waits for a lull: it is for work that can be left out, like tidying up.
 */
enum { OS_PRIORITY_IO = 1, OS_PRIORITY_LULL = 2, OS_PRIORITY_N = 3 };

/* Also ignores SIGPIPE. */
struct event_base *os_loop_new(void);

/*
 * Work to run once, in this turn of the loop, after the I/O events that are ready now. Asking twice is
 * asking once. What asks for itself while it runs, runs again in the next turn.
 */
struct os_later {
    struct event *event;
    bool asked;
    void (*run)(void *ctx);
    void *ctx;
};

void os_later_init(struct os_later *l, struct event_base *base, void (*run)(void *ctx), void *ctx);
void os_later_ask(struct os_later *l);
void os_later_fini(struct os_later *l); /* also inside run */

/* A timer that is set again and again; one callback. */
struct os_timer {
    struct event *event;
    void (*run)(void *ctx);
    void *ctx;
};

void os_timer_init(struct os_timer *t, struct event_base *base, void (*run)(void *ctx), void *ctx);
void os_timer_set(struct os_timer *t, uint64_t in_ms); /* replaces an earlier setting */
void os_timer_stop(struct os_timer *t);
void os_timer_fini(struct os_timer *t);

#endif
