/* Attempts and what became of them: leased, learnt from, written down, told. */
#ifndef ROLES_QUEUE_OUTCOME_H
#define ROLES_QUEUE_OUTCOME_H

#include "message/dsn.h"
#include "roles/queue/window.h"

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

#endif
