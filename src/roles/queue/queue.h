/*
 * The queue's own: what its files share.
 *
 *   queue.c     the role: start, reload, peers, the end of each turn, stop
 *   batch.c     group commit: what waits for the next commit, and what happens after it
 *   accept.c    from smtpd: spool files and messages
 *   window.c    the recipients in memory, by destination, and which is next
 *   lease.c     to delivery: attempts, and what became of them
 *   settle.c    what became of recipients, written down; retries and expiry
 *   bounce.c    the report to the sender
 *   tools.c     tools on the control socket; control.c answers them
 */
#ifndef ROLES_QUEUE_QUEUE_H
#define ROLES_QUEUE_QUEUE_H

#include "base/table.h"
#include "message/dsn.h"
#include "message/id.h"
#include "os/control.h"
#include "os/loop.h"
#include "roles/role.h"
#include "store/store.h"

enum {
    QUEUE_TARGETS_MAX = 100,     /* recipients in one attempt: what every server takes (RFC 5321 4.5.3.1.8) */
    QUEUE_WINDOW_MAX = 10000,    /* recipients in memory that the store gave                        */
    QUEUE_FRESH_MAX = 10000,     /* and recipients of new messages, whatever the others wait for    */
    QUEUE_BATCH_MAX = 1024,      /* entries in one transaction                                      */
    QUEUE_BATCH_OCTETS = 8 << 20 /* and octets                                                      */
};

struct queue;

/* --- batch.c -------------------------------------------------------------------------------- */

/* Something that waits for the commit. Its owner embeds it and frees itself in the call. */
struct queue_entry {
    struct queue_entry *next;
    /* ok: it is on disk. Else the transaction was rolled back, for this reason. */
    void (*done)(struct queue *q, struct queue_entry *entry, bool ok, enum ipc_submit_why why);
};

struct queue_batch {
    bool open;
    struct queue_entry *first, **end;
    size_t n, octets;
    struct store_space space; /* at its begin */
};

void queue_batch_init(struct queue *q);
/* Begin unless begun. false: the store refuses; queue_batch_why tells. */
bool queue_batch_open(struct queue *q);
/* The entry's changes are made; octets: how much they write. */
void queue_batch_add(struct queue *q, struct queue_entry *entry, size_t octets);
/* A verb failed: roll back, and say no to all. */
void queue_batch_fail(struct queue *q);
void queue_batch_commit(struct queue *q);
enum ipc_submit_why queue_batch_why(const struct queue *q);

/* --- window.c ------------------------------------------------------------------------------- */

struct queue_target {
    struct queue_target *next;
    uint32_t number;
    uint32_t attempts;                    /* before this one         */
    struct sp_rcpt_parameters parameters; /* its view is behind address */
    size_t address_len;
    uint8_t address[];
};

/* Recipients of one message with one route: what one attempt delivers. All are leased in the store. */
struct queue_item {
    struct queue_item *next; /* in its destination's line */
    struct queue_destination *destination;
    struct store_mail mail; /* views are into text; client and user are left out */
    uint64_t lease;         /* 0 while it waits                                  */
    uint32_t peer;          /* index of the delivery process that has it         */
    bool fresh;             /* never tried                                       */
    bool counted;           /* in the window, waiting or under way               */
    bool counted_fresh;     /* came from smtpd, not from the store               */
    struct queue_target *targets, **targets_end;
    size_t target_n;
    uint8_t text[];
};

struct queue_line {
    struct queue_item *first, **end;
};

/* Where items go: one per route that has any. */
struct queue_destination {
    struct queue_destination *next, *previous; /* in the ring of those with waiting items */
    bool ringed;
    struct queue_line fresh, retries;
    uint32_t turns;  /* leases given: each fifth is a retry's */
    uint32_t active; /* items under way                       */
    size_t route_len;
    uint8_t route[];
};

struct queue_window {
    struct sp_table destinations;   /* by route                                                       */
    struct queue_destination *ring; /* whose turn is next                                             */
    size_t stored, fresh;           /* recipients in memory, under way or not, by where they came from */
    size_t active;                  /* of both, those under way                                       */
    int64_t next_ms;                /* when to ask the store again                                    */
};

void queue_window_init(struct queue *q);
void queue_window_fini(struct queue *q);

struct queue_item *queue_item_new(const struct store_mail *mail, bool fresh);
void queue_item_add(struct queue_item *item, const struct store_recipient *r);
/* The item's leases in the store end too; due_ms as of store_release. */
void queue_item_free(struct queue *q, struct queue_item *item, int64_t due_ms);

/* Say where an item will go, before it is put: its message is not yet on disk. */
void queue_item_aim(struct queue *q, struct queue_item *item, struct sp_view route);
/* Put an item that was aimed, new or once under way, behind the others of its destination. */
void queue_window_put(struct queue *q, struct queue_item *item);
/* Room for n recipients of a new message? */
bool queue_window_has_room(const struct queue *q, size_t n);
/* Is there room for recipients that the store has? */
bool queue_window_wants_more(const struct queue *q);
/* Lease from the store what is due, a bounded number. true: there may be more now. */
bool queue_window_fill(struct queue *q, int64_t now_ms);
/* The next item that may go, taken out of its line; `may_go` judges destinations. NULL: none. */
struct queue_item *queue_window_next(struct queue *q,
                                     bool (*may_go)(struct queue *q, const struct queue_destination *d));

static inline struct sp_view queue_route(const struct queue_item *item)
{
    return (struct sp_view){item->destination->route, item->destination->route_len};
}

static inline struct sp_view queue_address(const struct queue_target *t)
{
    return (struct sp_view){t->address, t->address_len};
}

/* --- lease.c, settle.c, bounce.c ------------------------------------------------------------ */

/* Give delivery what may go. */
void queue_lease(struct queue *q);
void queue_take_result(struct queue *q, struct os_edge *from, const struct ipc_attempt_result *result);
/* A delivery process is gone: its leases end. */
void queue_end_leases(struct queue *q, uint32_t peer);
/* The same without writing anything down. */
void queue_forget_leases(struct queue *q, uint32_t peer);

/* What became of a target, whoever says so. */
struct queue_outcome {
    enum ipc_outcome_kind kind;
    bool at_once;   /* due again now                            */
    bool attempted; /* counts as an attempt                     */
    bool hold;      /* not to be tried any more, but kept       */
    uint32_t code;
    struct sp_view enhanced, reply, remote;
};

/* Write down what became of the item's targets; n outcomes in their order, or one for all. Takes the item. */
void queue_settle(struct queue *q, struct queue_item *item, const struct queue_outcome *outcomes, size_t n);
/* What could not be written down is tried again; is forgotten. */
void queue_settle_again(struct queue *q);
void queue_settle_forget(struct queue *q);

/*
 * Add the report about failed recipients to the open transaction.
 *
 *   item_out  the report, to be put into the window after the commit; NULL: it is held, or there is none
 *   id_out    its id, or 0: nobody can be told
 */
SP_MUST_USE int queue_bounce(struct queue *q, const struct store_mail *mail,
                             const struct message_dsn_recipient *failed, size_t n,
                             struct queue_item **item_out, uint64_t *id_out);

/* --- accept.c ------------------------------------------------------------------------------- */

void queue_take_spool_want(struct queue *q, struct os_edge *from, const struct ipc_spool_want *m);
void queue_take_spool_drop(struct queue *q, struct os_edge *from, const struct ipc_spool_drop *m);
void queue_take_submit(struct queue *q, struct os_edge *from, const struct ipc_submit *m);
/* A smtpd process is gone: so are the files that it was writing. */
void queue_drop_spools(struct queue *q, uint32_t peer);

/* --- tools.c -------------------------------------------------------------------------------- */

void queue_tools_open(struct queue *q);
void queue_tools_close(struct queue *q);
/* Answer one request. true: more wait. */
bool queue_tools_answer(struct queue *q);

/* --- all ------------------------------------------------------------------------------------ */

struct queue_counters {
    uint64_t accepted, delivered, deferred, bounced, commits;
};

struct queue {
    struct role *role;
    struct store *store;
    int64_t (*wall_ms)(void);
    struct message_id_maker ids;
    struct queue_batch batch;
    struct queue_window window;
    struct sp_table leases; /* lease -> item under way                    */
    uint64_t last_lease;
    struct sp_table deaths; /* message -> attempts whose process went away */
    struct queue_settling *unsettled;
    struct queue_spool *spools;
    struct queue_tools *tools;
    struct queue_counters counters, reported;
    struct os_later turn;                            /* ends each turn of the loop      */
    struct os_timer due, idle, again, report, grace; /* next lease; housekeeping; unsettled; log; stop */
    bool disk_low;
    bool failing; /* the store; said in the log at failed_ms */
    int64_t failed_ms;
    bool stopping;
};

/* Give all memory back without a commit, as the kernel does after a kill: for tests. */
void queue_free(struct queue *q);

/* Commit, tidy, exit. */
_Noreturn void queue_leave(struct queue *q);

static inline struct queue *queue_of(struct role *r) { return r->state; }

/* An id as people read it. */
struct queue_id {
    char text[MESSAGE_ID_TEXT + 1];
};
static inline struct queue_id queue_id(uint64_t id)
{
    struct queue_id t;
    message_id_text(id, t.text);
    return t;
}

/* A number as the key of a table. */
static inline struct sp_view queue_key(const uint64_t *n)
{
    return (struct sp_view){(const uint8_t *)n, sizeof *n};
}

#endif
