/*
 * The queue's own: what its files share. Headers of their own: limits.h, batch.h, destination.h (and sites),
 * window.h, outcome.h, talk.h, tls.h.
 *
 *   queue.c     the role: start, reload, peers, the end of each turn, stop
 *   batch.c     group commit: what waits for the next commit, and what happens after it
 *   spool.c     files for large messages; room on the disk
 *   accept.c    messages from smtpd and pickup
 *   destination.c  where mail goes: a route, or a domain of it; where each stands
 *   site.c      the servers behind destinations: how many connections, how fast, back-off
 *   window.c    the recipients in memory, by destination, and which is next
 *   item.c      the items in it
 *   fill.c      what is due comes into it
 *   park.c      recipients that wait in the store for their destination
 *   lease.c     to delivery: attempts
 *   result.c    what became of them
 *   sender.c    the sender that an attempt names
 *   talk.c      the last conversations, for who asks why
 *   reply.c     what a server's reply means: who waits, and what it says of the site
 *   pause.c     how long pauses are; a clock that goes back; a reload
 *   settle.c    what became of recipients, written down; retries and expiry
 *   give_up.c   what an operator returns to its sender
 *   settle_report.c  whom that has to be told
 *   strangers.c  and whom not: senders that may be forged
 *   report.c    reports to the sender: failed, late, delivered
 *   watch.c     what has waited too long
 *   ask.c       ETRN: what waits for a domain is tried now; what a login held up
 *   why.c       why something waits
 *   tls.h       reports about TLS (RFC 8460)
 *   tools.c     tools on the control socket; control.c answers them
 */
#ifndef ROLES_QUEUE_QUEUE_H
#define ROLES_QUEUE_QUEUE_H

#include "base/table.h"
#include "message/id.h"
#include "os/control.h"
#include "os/loop.h"
#include "roles/queue/batch.h"
#include "roles/queue/outcome.h"
#include "roles/queue/talk.h"
#include "roles/recipients.h"
#include "roles/role.h"

/* --- watch.c -------------------------------------------------------------------------------- */

/* Look for what has waited too long: late, out of its sender's time, expired without an attempt. */
void queue_watch_start(struct queue *q);
void queue_watch_stop(struct queue *q);
void queue_watch_wake(struct queue *q); /* a message comes into the store */
/* A step of it. */
void queue_watch_step(struct queue *q);

/* --- ask.c ---------------------------------------------------------------------------------- */

/* Try what waits for that domain, in pages of a walk. */
void queue_take_ask(struct queue *q, const struct ipc_retry_domain *m);
/* Try what waits by that route since its server refused our login. */
void queue_ask_for_refused(struct queue *q, struct sp_view route);
void queue_asks_start(struct queue *q);
void queue_asks_stop(struct queue *q);
/* A page of it. */
void queue_ask_step(struct queue *q);

/* --- own.c ---------------------------------------------------------------------------------- */

/* Where mail to an address goes: to it, or to what it stands for. */
struct queue_way {
    struct sp_view said;  /* borrowed                                                        */
    struct recipients to; /* none: no route leads there, or nobody is meant                  */
    bool found;           /* some route was                                                  */
    bool nobody;          /* a mailbox of ours that does not exist, or all of it is discarded */
};
/* The caller ends it. */
void queue_find_way(struct queue *q, struct sp_view address, struct queue_way *way_out);
void queue_way_fini(struct queue_way *w);

/* Add a message of our own, from the null sender, to the open transaction. Where no route leads it is held. item_out as
 * of queue_report. */
SP_MUST_USE int queue_add_own(struct queue *q, const struct queue_way *way, const struct store_mail *mail,
                              struct sp_view content, struct queue_item **item_out);

/* --- give_up.c ------------------------------------------------------------------------------ */

/*
 * Return to its sender what waits or is held of a message, but what is under way. SP_ERR_ABSENT: no message.
 *
 *   why  told of it; of what is unreturned, what its server said
 */
SP_MUST_USE int queue_give_up(struct queue *q, uint64_t mail, struct sp_view why);

/* --- spool.c, accept.c ---------------------------------------------------------------------- */

/* Are so many octets on the disk below the floor? Said in the log when it begins and when it ends. */
bool queue_is_low(struct queue *q, uint64_t octets);
/* The file of incoming is a message's now, or goes with it. false: this process has no such file. */
bool queue_forget_spool(struct queue *q, uint64_t id, uint32_t bringer);

void queue_take_spool_want(struct queue *q, struct os_edge *from, const struct ipc_spool_want *m);
void queue_take_spool_drop(struct queue *q, struct os_edge *from, const struct ipc_spool_drop *m);
void queue_take_submit(struct queue *q, struct os_edge *from, const struct ipc_submit *m);
/* A process that brings mail is gone: so are the files that it was writing. */
void queue_drop_spools(struct queue *q, uint32_t bringer);

/* A number for the process at the other end of an edge, whatever its role. */
uint32_t queue_bringer_of(const struct os_edge *from);

/* --- why.c ---------------------------------------------------------------------------------- */

/* Is an attempt under way for this recipient, or its outcome not yet written down? */
bool queue_is_under_way(const struct queue *q, uint64_t mail, uint32_t number);
/* Complete a reason; its views live until queue_destinations_sweep. */
void queue_why(struct queue *q, const struct store_mail *mail, const struct store_recipient *r,
               struct ipc_queue_reason *reason);
/* Add the destinations behind that name, in the order of names. true: there are more. */
bool queue_list_places(struct queue *q, struct sp_view after, struct sp_buf *places);

/* --- tls.h: reports about TLS ---------------------------------------------------------------- */

void queue_tls_start(struct queue *q);
void queue_tls_stop(struct queue *q);
void queue_take_tls_session(struct queue *q, const struct ipc_message *m);
void queue_take_tls_place(struct queue *q, const struct ipc_tls_place_here *m);
void queue_take_tls_posted(struct queue *q, const struct ipc_tls_posted *m);
void queue_tls_lose_peer(struct queue *q, uint32_t peer);
/* Look for reports whose time has come. */
void queue_tls_look(struct queue *q);
/* Send the reports of a day now: of one domain, or with an empty one of all. n_out: how many. */
SP_MUST_USE int queue_tls_ask(struct queue *q, uint32_t day, struct sp_view domain, size_t *n_out);

/* --- tools.c -------------------------------------------------------------------------------- */

void queue_tools_open(struct queue *q);
void queue_tools_close(struct queue *q);
/* Answer one request. true: more wait. */
bool queue_tools_answer(struct queue *q);

/* --- all ------------------------------------------------------------------------------------ */

struct queue_watch {
    struct os_timer timer;
    struct store_cursor cursor;
    size_t pages;
    bool asleep; /* the store was empty: no timer runs */
};

struct queue_asks {
    struct os_timer timer;
    struct queue_ask *first;
    size_t n;
    bool full; /* it was said in the log */
    struct store_cursor cursor; /* of the walk that goes on */
};

/* Of alike sessions, those since the last commit; and the reports that are on their way. See tls.h. */
struct queue_tls {
    struct sp_table pending;
    struct queue_tls_job *jobs;             /* under way                    */
    struct queue_tls_job *line, **line_end; /* due, and not begun           */
    size_t job_n;
    bool starting; /* start_next is at work: what ends at once does not start the next itself */
    uint64_t last_tag;
    struct os_timer tick;
    uint32_t tidied;  /* the day on which old ones were forgotten last */
    uint32_t bounded; /* the day of which the log says that it is so   */
};

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
    struct sp_table leases;    /* lease -> item under way                 */
    struct sp_table under_way; /* message -> its items under way, by lease_next */
    uint64_t last_lease;
    struct sp_table deaths; /* message -> attempts whose process went away */
    struct queue_strangers strangers;
    struct queue_talks site_talks, mail_talks;
    struct queue_settling *unsettled;
    struct queue_spool *spools;
    struct queue_tools *tools;
    struct queue_watch watch;
    struct queue_asks asks;
    struct queue_tls tls;
    struct queue_counters counters, reported;
    int64_t turn_ms;                                 /* when the last one ended             */
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
