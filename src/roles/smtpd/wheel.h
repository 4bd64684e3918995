/*
 * Deadlines of thousands of sessions with one timer: a wheel of seconds. Setting a deadline is a few
 * pointers; a deadline that only moves away costs nothing until its old second comes.
 */
#ifndef SMTPD_WHEEL_H
#define SMTPD_WHEEL_H

#include "os/loop.h"

enum { WHEEL_SECONDS = 512 };

/* Part of what has a deadline; zeroed at first. */
struct wheel_entry {
    struct wheel_entry *prev, *next; /* NULL: not on the wheel */
    uint64_t due_ms;
    uint64_t at_s; /* the second of its place */
};

struct wheel {
    struct wheel_entry slots[WHEEL_SECONDS]; /* rings */
    size_t n;
    uint64_t now_s;
    struct os_timer timer;
    void (*due)(void *ctx, struct wheel_entry *e);
    void *ctx;
};

/* due: the deadline has passed and the entry is off the wheel; it may be set again or freed. */
void wheel_init(struct wheel *w, struct event_base *base, void (*due)(void *ctx, struct wheel_entry *e),
                void *ctx);
void wheel_fini(struct wheel *w);

/* due_ms on the monotonic clock; UINT64_MAX for never. Told up to a second late. */
void wheel_set(struct wheel *w, struct wheel_entry *e, uint64_t due_ms);
void wheel_remove(struct wheel *w, struct wheel_entry *e);

#endif
