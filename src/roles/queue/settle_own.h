/* What settle.c and settle_report.c share: an item whose outcomes are being written down. */
#ifndef ROLES_QUEUE_SETTLE_OWN_H
#define ROLES_QUEUE_SETTLE_OWN_H

#include "roles/queue/queue.h"

struct settled {
    struct queue_outcome outcome; /* views are into the settling's text */
    enum store_state state;
    int64_t next_ms;
    bool expired;
    bool by_expired; /* the time that BY= gave is over, with either mode */
    bool late;       /* its sender is told now                 */
    bool silent;     /* nobody is told                         */
    bool unreturned; /* HELD: it has failed, and nobody is told */
};

struct queue_settling {
    struct queue_entry entry; /* first: the batch gives it back */
    struct queue_settling *next;
    struct queue_item *item;
    bool absent;                                                     /* the message was removed meanwhile */
    bool gone;                                                       /* it is finished                    */
    enum { SETTLE_UNCOUNTED, SETTLE_TOLD, SETTLE_ENOUGH } strangers; /* see queue_stranger_count */
    /* By action. How many recipients it is about, the report's id, and the item that goes into the window. */
    struct {
        size_t n;
        uint64_t id;
        struct queue_item *item;
    } reports[MESSAGE_DSN_ACTION_N];
    struct sp_buf text;
    struct settled ones[]; /* item->target_n */
};

/* What the sender is told of it: MESSAGE_DSN_ACTION_N: nothing (RFC 3461 4.1). */
enum message_dsn_action queue_settle_action(const struct queue_item *item, const struct queue_target *t,
                                            const struct settled *one);
/* What was decided of a target, changed where its sender may be forged. */
void queue_settle_spare(struct queue *q, struct queue_settling *s, const struct queue_target *t,
                        struct settled *one);

/* Until when it is tried. */
int64_t queue_settle_end(const struct queue *q, const struct store_mail *mail);

/* Add the reports that its sender is to have to the open transaction. */
SP_MUST_USE int queue_settle_report(struct queue *q, struct queue_settling *s, int64_t now);
/* After its commit: they go into the window, or wait in the store. After its failure: they never were. */
void queue_settle_put_reports(struct queue *q, struct queue_settling *s);
void queue_settle_drop_reports(struct queue *q, struct queue_settling *s);

#endif
