/*
 * Reports about TLS (RFC 8460), queue's part:
 *
 *   tls_count.c   from delivery: sessions, added up, written down with the next commit
 *   tls_due.c     when which report is due, or asked for; one after another, a few at a time
 *   tls_send.c    one report: where it goes, then by HTTPS or by mail
 *   tls_json.c    what it says
 */
#ifndef ROLES_QUEUE_TLS_H
#define ROLES_QUEUE_TLS_H

#include "message/tlsrpt.h"
#include "roles/queue/queue.h"
#include "store/tls.h"

enum {
    QUEUE_TLS_DAY_MS = 86400000,
    QUEUE_TLS_PENDING_MAX = 1000, /* kinds of sessions that are not written yet; then they cost a commit      */
    QUEUE_TLS_AT_ONCE = 4,        /* reports on their way to somebody                                         */
    QUEUE_TLS_POSTS_MAX = 3,      /* web servers asked for one report; attack: ten that never answer          */
    QUEUE_TLS_WAIT_MS = 60000,    /* for delivery's answer to one question                                    */
    QUEUE_TLS_TICK_MS = 60000,    /* how often due reports are looked for                                     */
    QUEUE_TLS_DELAY_LEAST_MS = 60000,   /* after the day's end, up to 4 h at random: all of a receiver's      */
    QUEUE_TLS_DELAY_MOST_MS = 14400000, /* senders are not to come at midnight                                */
    QUEUE_TLS_RETRY_FIRST_MS = 900000,  /* then twice as long each time,                                      */
    QUEUE_TLS_RETRY_FOR_MS = 86400000   /* for so long (RFC 8460 5.4)                                         */
};

/* One report on its way. Views of `report` are into `text`. */
struct queue_tls_job {
    struct queue_entry entry; /* waits for the commit that puts the mail into the queue */
    struct queue_tls_job *next;
    struct queue *q;
    struct store_tls_report report; /* as it was in the store */
    struct sp_buf text;
    bool asked;    /* by a tool: whatever its state                      */
    uint64_t tag;  /* of the question that is under way                  */
    uint32_t peer; /* which delivery process has it                      */
    struct os_timer timer;
    struct sp_buf record; /* the domain's rua                            */
    struct sp_view rest;  /* endpoints of it that were not tried         */
    struct sp_view url;   /* that is being tried                         */
    size_t post_n;        /* that were tried                             */
    struct sp_buf octets; /* JSON in gzip                                */
    char id[MESSAGE_ID_TEXT + 1];
    int64_t begin_ms, end_ms;
    uint64_t good, bad;
    struct sp_buf sent_to, said;
    struct queue_item *items[MESSAGE_TLSRPT_PLACES_MAX]; /* mails, for the window after the commit */
    uint64_t mails[MESSAGE_TLSRPT_PLACES_MAX];
    size_t mail_n;
};

/* --- tls_count.c -------------------------------------------------------------------------------- */

/* The day that it is, since 1970-01-01. */
uint32_t queue_tls_today(const struct queue *q);
/* Into the open transaction, just before its commit; then it is written. */
SP_MUST_USE int queue_tls_write(struct queue *q);
void queue_tls_written(struct queue *q);
/* Write down now what is pending, in a commit of its own. */
void queue_tls_flush(struct queue *q);

/* --- tls_due.c ---------------------------------------------------------------------------------- */

/* The job is over, and freed; what came of it is in its fields. */
void queue_tls_end(struct queue_tls_job *job, enum store_tls_state state);
void queue_tls_free(struct queue_tls_job *job);
/*
 * Write down, before a report leaves, that it is tried: a store that fails must not have it leave each minute,
 * and neither must a process that dies over it. false: that could not be written.
 */
SP_MUST_USE bool queue_tls_promise(struct queue_tls_job *job);

/* --- tls_send.c --------------------------------------------------------------------------------- */

void queue_tls_begin(struct queue_tls_job *job);

/* --- tls_json.c --------------------------------------------------------------------------------- */

struct queue_tls_facts {
    const char *organization, *contact;
    struct sp_view report_id;
    int64_t begin_ms, end_ms;
};

/*
 * Append the report about a domain on a day (RFC 8460 4). good_out, bad_out: sessions in it.
 * SP_ERR_ABSENT: nothing was counted.
 */
SP_MUST_USE int queue_tls_json(struct store *store, uint32_t day, struct sp_view domain,
                               const struct queue_tls_facts *facts, struct sp_buf *json, uint64_t *good_out,
                               uint64_t *bad_out);

/* Append it in gzip's form. */
SP_MUST_USE int queue_tls_gzip(struct sp_view in, struct sp_buf *out);

#endif
