/*
 * The queue's own: what its files share.
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
#include "message/dsn.h"
#include "message/id.h"
#include "os/control.h"
#include "os/loop.h"
#include "reference/reference.h"
#include "roles/recipients.h"
#include "roles/role.h"
#include "store/store.h"

enum {
    QUEUE_TARGETS_MAX = 100,     /* recipients in one attempt: what every server takes (RFC 5321 4.5.3.1.8) */
    QUEUE_WINDOW_MAX = 10000,    /* recipients in memory that the store gave                        */
    QUEUE_FRESH_MAX = 10000,     /* and recipients of new messages, whatever the others wait for    */
    QUEUE_SHARE_MAX = 1000,      /* of them waiting for one destination; the rest is parked         */
    QUEUE_URGENT_MAX = 200,      /* and so many more of a priority above normal                     */
    QUEUE_SITES_MAX = 20000,     /* sites, above which none is remembered without mail: some 10 MiB */
    QUEUE_TALKS_MAX = 1024,      /* conversations of sites, and of messages: some KiB each          */
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

/* --- destination.c -------------------------------------------------------------------------- */

struct queue_destination;
struct queue_item;

/* Destinations that stand in the same place, in a ring. */
struct queue_ring {
    struct queue_destination *first;
};

struct queue_line {
    struct queue_item *first, **end;
};

enum queue_stand {
    QUEUE_NOWHERE, /* nothing of it waits in memory                                              */
    QUEUE_RINGED,  /* in window.ring: something waits, and may go as far as is known             */
    QUEUE_RESTING, /* in site.resting: what waits is to wait for the end of an attempt, or for the rate */
    QUEUE_PARKING  /* in window.parking: nothing may go; what waits is on its way into the store */
};

/*
 * Where items go: a route, or one domain of a route that leads to each domain's own servers. Its name is the
 * route's, or "route/domain"; the store knows what is parked by that name.
 */
struct queue_destination {
    struct queue_destination *next, *previous; /* where it stands */
    enum queue_stand stand;
    struct queue_site *site;
    struct queue_destination *site_next;   /* of the same site */
    struct queue_destination *refill_next; /* in window.refill, when refilling */
    bool refilling;
    bool parked;              /* the store may have recipients that are parked here   */
    struct store_place place; /* up to where those were leased                        */
    struct queue_line fresh, retries;
    size_t item_n;   /* items that name it, wherever they are         */
    size_t waiting;  /* recipients in its lines                       */
    uint32_t turns;  /* leases given: each fifth is a retry's         */
    uint32_t active; /* items under way                              */
    struct sp_view name, route, domain;
    uint8_t text[];
};

/* The destination of mail to that address by that route; made when there is none. */
struct queue_destination *queue_destination_of(struct queue *q, struct sp_view route, struct sp_view address);
struct queue_destination *queue_destination_named(struct queue *q, struct sp_view name);
struct queue_destination *queue_destination_find(const struct queue *q, struct sp_view name);

/* Its route, as the configuration is now. NULL: there is none any more. */
const struct config_route *queue_route_of(const struct queue *q, const struct queue_destination *d);

/* Let it stand where it belongs now. */
void queue_destination_place(struct queue *q, struct queue_destination *d);
void queue_destination_stand(struct queue *q, struct queue_destination *d, enum queue_stand stand);
/* Free it, and its site, unless something of it is worth remembering. */
void queue_destination_drop(struct queue *q, struct queue_destination *d);

/* May nothing be given to it at the moment, whatever ends? */
bool queue_destination_is_blocked(const struct queue *q, const struct queue_destination *d, int64_t now_ms);

/* Does it go there, as the configuration and the suspensions are now? */
bool queue_destination_fits(const struct queue *q, const struct queue_destination *d,
                            const struct queue_item *item);
/* They have changed: let everything stand where it belongs now. What waits for another destination than the
 * one that it was meant for goes back to the store. Without an open batch. */
void queue_destinations_review(struct queue *q);
/* Drop all that nothing names any more. */
void queue_destinations_sweep(struct queue *q);

/* Suspended by an operator: its domain, its route or its name. since_out may be NULL. */
bool queue_is_suspended(const struct queue *q, const struct queue_destination *d, int64_t *since_out);
/* Read the suspensions from the store, and let every destination stand where it belongs. */
void queue_read_suspensions(struct queue *q);

/* --- site.c --------------------------------------------------------------------------------- */

enum { QUEUE_SAID_MAX = 240 };

/*
 * The servers behind destinations: those whose domains name the same set of hosts share one, with its limits
 * and its troubles. Any other destination has one of its own, of its own name.
 */
struct queue_site {
    struct queue_site *timed_next, **timed_at; /* in window.timed while it waits for a time */
    struct queue_destination *destinations;
    struct queue_ring resting;
    uint32_t connections; /* that it may have now: grows with success, shrinks with trouble */
    uint32_t credit;      /* successes towards one more, once there was trouble             */
    bool shrunk;          /* there was trouble since the start                              */
    uint32_t active;      /* attempts under way to all its destinations                     */
    uint32_t troubles;    /* in a row                                                       */
    int64_t until_ms;     /* nothing is given before: back-off; 0: open                     */
    int64_t rate_ms;      /* the next attempt not before, by the rate                       */
    int64_t refused_ms;   /* since when it refuses this host; 0: it does not                */
    int64_t keep_ms;      /* until when that and its troubles are remembered without mail   */
    enum reference_action action; /* of the reply that slowed it; NONE: it was no reply     */
    const char *meaning;          /* and its id                                             */
    enum ipc_health health;
    int64_t since_ms;        /* when its troubles began      */
    int64_t told_ms;         /* when the log spoke of them   */
    int64_t good_ms, bad_ms; /* when it last took mail, when it was last in trouble; 0: never */
    uint64_t delivered, deferred, failed;
    size_t said_len; /* what it said, or what happened, last */
    uint8_t said[QUEUE_SAID_MAX];
    size_t slowed_len; /* when its last trouble began        */
    uint8_t slowed[QUEUE_SAID_MAX];
    size_t key_len;
    uint8_t key[];
};

struct queue_site *queue_site_of(struct queue *q, struct sp_view key);
void queue_site_join(struct queue *q, struct queue_destination *d, struct sp_view key);
void queue_site_leave(struct queue *q, struct queue_destination *d);

/* Attempts at once. */
uint32_t queue_site_room(const struct queue_site *s, const struct config_route *route);
/* One more is given now. */
void queue_site_count(struct queue_site *s, const struct config_route *route, int64_t now_ms);
/* One has ended: who rests may go. */
void queue_site_wake(struct queue *q, struct queue_site *s, uint32_t room);
/* Nobody is to rest for the end of an attempt when there is none. */
void queue_site_keep_awake(struct queue *q, struct queue_site *s);

/* What an attempt has learnt of a site. */
struct queue_lesson {
    enum ipc_health health;
    uint32_t pause_s;                   /* that it asks for                                */
    struct reference_advice advice; /* of the reply that slows it; else action is NONE */
    struct sp_view said;
};
void queue_site_note(struct queue *q, struct queue_site *s, const struct config_route *route,
                     const struct queue_lesson *lesson);
/* Forget its troubles. */
void queue_site_reopen(struct queue *q, struct queue_site *s);
/* Wait for until_ms or rate_ms. */
void queue_site_time(struct queue *q, struct queue_site *s);
/* The clock went back. */
void queue_sites_set_back(struct queue *q, int64_t by_ms);
/* Whose time has come. */
void queue_sites_tick(struct queue *q, int64_t now_ms);

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

/* --- lease.c, result.c, settle.c ------------------------------------------------------------ */

/* Let delivery dial addresses that it leaves alone because they failed: somebody wants to know now. By the
 * operator, who may have mended it: let it ask the DNS anew, too. */
void queue_dial_anew(struct queue *q, bool by_operator);
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
    bool returned;  /* FAILED: its sender is told, a stranger too    */
    bool silent;    /* FAILED: nobody is told                        */
    bool unchanged; /* DEFERRED: waits as before, for: */
    int64_t next_ms, last_ms;
    int64_t site_ms;  /* DEFERRED: goes with its site, which is paused until then; 0: by itself */
    enum ipc_end end; /* of DELIVERED                             */
    enum reference_stage stage;
    uint32_t code;
    struct reference_advice advice; /* of the reply */
    struct sp_view enhanced, reply, remote, tls;
};

/* --- talk.c --------------------------------------------------------------------------------- */

/* A conversation with a server. */
struct queue_talk {
    int64_t ended_ms;
    size_t slot; /* in its ring */
    size_t key_len, text_len;
    uint8_t octets[]; /* key and text */
};

/* The newest of so many keys; the key that came first leaves. */
struct queue_talks {
    struct sp_table by_key;
    struct queue_talk *ring[QUEUE_TALKS_MAX];
    size_t at;
};

void queue_talks_init(struct queue *q, uint64_t seed);
void queue_talks_fini(struct queue *q);
/* Keep what an attempt said, of the site and, when some of it did not arrive, of the message. */
void queue_keep_talk(struct queue *q, const struct queue_site *s, uint64_t mail, struct sp_view text,
                     bool arrived);
/* The last conversation of the message, else that of the site. NULL: none is kept. */
const struct queue_talk *queue_find_talk(const struct queue *q, const struct queue_site *s, uint64_t mail,
                                         bool *own_out);

static inline struct sp_view queue_talk_text(const struct queue_talk *t)
{
    return (struct sp_view){t->octets + t->key_len, t->text_len};
}

/* --- reply.c, pause.c ----------------------------------------------------------------------- */

/*
 * What a result says of a site: counted, noted, and read into the outcomes. A refusal of this host as such
 * bounces nothing until the site has said so for a while: such outcomes become DEFERRED.
 */
void queue_learn(struct queue *q, struct queue_site *s, const struct config_route *route,
                 const struct ipc_attempt_result *result, struct queue_outcome *outcomes, size_t n);

/* How long a recipient waits after that many attempts, this one included. */
int64_t queue_pause_after(const struct queue *q, const struct queue_outcome *o, uint32_t attempts, int64_t now);

/* The n-th pause in a row: doubling from the first to the longest, with up to a sixteenth more so that what
 * failed together spreads. */
int64_t queue_pause_ms(uint32_t first_s, uint32_t most_s, uint32_t n);
/* A sixteenth more at most. */
int64_t queue_pause_spread(int64_t pause_ms);
/* What a pause of so much comes to at most. */
int64_t queue_pause_most_ms(uint32_t pause_s);

/* The configuration was read anew: what it may have mended is tried soon. */
void queue_pauses_renew(struct queue *q);

/* Has the disk less room than new mail needs, with what the database can use again? */
bool queue_is_disk_low(struct queue *q);

/* Has the sender to be told that it is late; is the time over in which it is tried? */
bool queue_is_late(const struct queue *q, const struct store_mail *mail, bool warned, int64_t now);
bool queue_is_over(const struct queue *q, const struct store_mail *mail, int64_t now);

/* Write down what became of the item's targets; n outcomes in their order, or one for all. Takes the item. */
void queue_settle(struct queue *q, struct queue_item *item, const struct queue_outcome *outcomes, size_t n);
/* Is there an outcome of this recipient that could not be written down yet? */
bool queue_is_unsettled(const struct queue *q, uint64_t mail, uint32_t number);
/* What could not be written down is tried again; is forgotten. */
void queue_settle_again(struct queue *q);
void queue_settle_forget(struct queue *q);

/*
 * Add a report to the open transaction.
 *
 *   recipients  those of one action
 *   item_out    the report, to be put into the window after the commit; NULL: it is held, or there is none
 *   id_out      its id, or 0: nobody can be told
 */
SP_MUST_USE int queue_report(struct queue *q, const struct store_mail *mail,
                             const struct message_dsn_recipient *recipients, size_t n,
                             struct queue_item **item_out, uint64_t *id_out);

/* --- strangers.c ---------------------------------------------------------------------------- */

/* Reports to strangers, by the domain of who gets them, since a time. */
struct queue_strangers {
    struct sp_table told;
    int64_t since_ms;
};

/* Is this outcome nothing that the sender of the message may be told, since it may be forged? */
bool queue_stranger_is_spared(const struct queue *q, const struct store_mail *mail, const struct queue_outcome *o);
/* Count one more report to it. false: its domain has had enough for this hour. */
bool queue_stranger_count(struct queue *q, const struct store_mail *mail);

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

/* --- settle.c, watch.c ---------------------------------------------------------------------- */

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
