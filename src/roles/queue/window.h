/* The recipients in memory: their items, which is next, and what waits in the store for its destination. */
#ifndef ROLES_QUEUE_WINDOW_H
#define ROLES_QUEUE_WINDOW_H

#include "roles/queue/destination.h"
#include "roles/queue/limits.h"

/* --- window.c, park.c ----------------------------------------------------------------------- */

struct queue_target {
    struct queue_target *next;
    uint32_t number;
    uint32_t attempts; /* before this one */
    bool warned;       /* the sender knows that it is late */
    struct sp_rcpt_parameters parameters;
    size_t address_len;
    uint8_t address[]; /* and what parameters point to */
};

/* Recipients of one message with one destination: what one attempt delivers. All are leased in the store. */
struct queue_item {
    struct queue_item *next; /* in its destination's line */
    struct queue_destination *destination;
    struct store_mail mail; /* views are into text; client and user are left out */
    uint64_t lease;         /* 0 while it waits                                  */
    struct queue_item *lease_next; /* of the same message, under way too         */
    uint32_t peer;          /* index of the delivery process that has it         */
    bool fresh;             /* never tried                                       */
    bool counted;           /* in the window, waiting or under way               */
    bool counted_fresh;     /* came from smtpd, not from the store               */
    bool away;              /* its recipients were led to the outside, all of them or none: one sender */
    bool looked_up;         /* has no leases: out of date when this turn is over */
    struct queue_target *targets, **targets_end;
    size_t target_n;
    uint8_t text[];
};

struct queue_window {
    struct sp_table destinations; /* by name */
    struct sp_table sites;        /* by key  */
    struct sp_table suspended;    /* name -> since, see queue_is_suspended */
    struct queue_ring ring;       /* whose turn is next                                       */
    struct queue_ring parking;
    struct queue_destination *refill; /* want what is parked, by refill_next                  */
    struct queue_site *timed;
    size_t stored, fresh; /* recipients in memory, under way or not, by where they came from  */
    size_t active;        /* of both, those under way                                         */
    int64_t next_ms;      /* when to ask the store for what is due                            */
    int64_t wake_ms;      /* when the first site's time comes; STORE_NEVER                    */
    int64_t park_ms;      /* park nothing before: the store failed                            */
    int64_t walk_ms;      /* when to look for parked recipients of destinations that are not in memory */
    struct sp_buf walked; /* up to this name                                                  */
};

void queue_window_init(struct queue *q);
void queue_window_fini(struct queue *q);

struct queue_item *queue_item_new(const struct store_mail *mail, bool fresh);
void queue_item_add(struct queue_item *item, const struct store_recipient *r);
/* The item's leases in the store end too; due_ms as of store_release. */
void queue_item_free(struct queue *q, struct queue_item *item, int64_t due_ms);

/* Say where an item will go, before it is put: its message is not yet on disk. */
void queue_item_aim(struct queue_item *item, struct queue_destination *d);
/* Put an item that was aimed, new or once under way, behind the others of its destination. */
void queue_window_put(struct queue *q, struct queue_item *item);
/* Take all that waits of a message out of the window, or out of one destination's lines, and free it. */
void queue_window_forget(struct queue *q, uint64_t mail);
void queue_window_forget_at(struct queue *q, struct queue_destination *d, uint64_t mail);
/* Take out of its lines, and free, what belongs to another destination. */
void queue_window_forget_misplaced(struct queue *q, struct queue_destination *d);
/* Take the next one out of a destination's lines. NULL: none waits. */
struct queue_item *queue_window_take(struct queue *q, struct queue_destination *d);
/* Room for n recipients of a new message? */
bool queue_window_has_room(const struct queue *q, size_t n);
/* Is recipients of a new message for this destination to be parked at once? */
bool queue_window_is_crowded(const struct queue *q, const struct queue_destination *d, int priority);
/* Is there room for recipients that the store has? */
bool queue_window_wants_more(const struct queue *q);
/* Lease from the store what is due, park what cannot go: a bounded number. true: there may be more now. */
bool queue_window_fill(struct queue *q, int64_t now_ms);
/* The clock went back: what waits for a time of it is not to wait longer by that. */
void queue_window_set_back(struct queue *q, int64_t by_ms);
/* Let no recipient wait for a time that no pause of ours can have led to: the clock was set back. */
void queue_recall(struct queue *q);
/* The earliest time that something of this has to be done without an event. */
int64_t queue_window_next_ms(const struct queue *q);

enum queue_go { QUEUE_GO, QUEUE_REST, QUEUE_SKIP };
/* The next item that may go, taken out of its line; `may_go` judges destinations. NULL: none. */
struct queue_item *queue_window_next(struct queue *q,
                                     enum queue_go (*may_go)(struct queue *q, struct queue_destination *d));

/* What the store gives, gathered into items: recipients of a message come one after another. A store_visit.
 */
struct queue_filling {
    struct queue *q;
    struct queue_destination *only; /* all was parked for this destination               */
    struct queue_item *items;       /* of the message that is being read, by `next`      */
    struct queue_item *crowd;       /* to be parked, by `next`                           */
    size_t n;
};
void queue_fill_one(void *filling, const struct store_mail *mail, const struct store_recipient *r);
void queue_fill_end(struct queue_filling *f);

/* Park these items, by `next`, in a transaction of their own. They are freed, or put back. */
void queue_park(struct queue *q, struct queue_item *items);
/* A bounded piece of each: park what must not wait in memory, fetch what was parked, look for more. */
bool queue_park_some(struct queue *q, int64_t now_ms);
bool queue_refill(struct queue *q, int64_t now_ms);
bool queue_walk_parked(struct queue *q, int64_t now_ms);
/* It may have room: fetch what is parked for it. */
void queue_ask_refill(struct queue *q, struct queue_destination *d);

static inline struct sp_view queue_route(const struct queue_item *item) { return item->destination->route; }

static inline struct sp_view queue_address(const struct queue_target *t)
{
    return (struct sp_view){t->address, t->address_len};
}

/* --- sender.c ------------------------------------------------------------------------------- */

/* Was it led to another server by us, so that the sender is not to be a foreign one? */
bool queue_is_away(const struct queue *q, const struct store_recipient *r);
/* May a recipient of the item's message that goes there be delivered to in the same attempt? */
bool queue_item_fits(const struct queue *q, const struct queue_item *item, const struct queue_destination *d,
                     const struct store_recipient *r);
/* The sender that an attempt names. It may be a view of `made`, which is initialised here and the caller's to
 * end. */
struct sp_view queue_sender(const struct queue *q, const struct store_mail *mail, bool away,
                            struct sp_buf *made);

#endif
