/*
 * The store: every message that was accepted and is not finished, and what is known of each of its
 * recipients. One interface; what is behind it (sqlite.c: one file in the folder) is chosen at open.
 *
 * Changes happen between store_begin and store_commit and are on disk when store_commit returns SP_OK.
 * Verbs that fail with SP_ERR_IO spoil the transaction: only store_rollback helps, and nothing of it
 * happened. store_error says why; store_disk_full whether the disk was full.
 *
 * Leases are of this process: they begin with store_lease (or store_add), end with store_release, and are
 * gone when the process is. A leased recipient is never given out again.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buf.h"
#include "sallyport/envelope.h"

/* What is known of a recipient. NAME, word in the database, meaning. */
#define STORE_STATES(X)                                                                                      \
    X(QUEUED, "queued", "not tried yet")                                                                     \
    X(DEFERRED, "deferred", "tried, and will be tried again")                                                \
    X(HELD, "held", "kept until somebody decides")                                                           \
    X(DELIVERED, "delivered", "done, while other recipients of the message are not")                         \
    X(FAILED, "failed", "refused for good or expired; a bounce was made")

#define X(n, ...) STORE_##n,
enum store_state { STORE_STATES(X) STORE_STATE_N };
#undef X

const char *store_state_word(enum store_state state);

/* Will be tried: has a time of its next attempt. */
static inline bool store_state_waits(enum store_state state)
{
    return state == STORE_QUEUED || state == STORE_DEFERRED;
}

struct store_mail {
    uint64_t id;
    int64_t received_ms;
    struct sp_view session; /* the session's id in the logs                  */
    struct sp_view client;  /* address; empty for messages of our own        */
    struct sp_view user;    /* authenticated as, or empty                    */
    struct sp_view sender;  /* empty for the null reverse-path               */
    bool stranger;          /* who brought it has not logged in and may not relay: the sender may be forged */
    uint64_t size;          /* octets of content                             */
    struct sp_mail_parameters parameters;
};

struct store_recipient {
    uint32_t number; /* position in the message, from 0               */
    struct sp_view address;
    struct sp_view route;
    enum store_state state;
    uint32_t attempts;
    int64_t next_ms; /* of the next attempt; STORE_NEVER              */
    int64_t last_ms; /* of the last one; 0: none                      */
    uint32_t code;   /* of the last reply; 0: there was none          */
    struct sp_view enhanced, reply, remote, tls;
    bool warned;           /* its sender was told of the delay              */
    bool unreturned;       /* HELD: it has failed, and its sender is not told */
    bool forwarded;        /* not what RCPT said, but what that stands for  */
    struct sp_view parked; /* waits for this destination, not for next_ms; empty: it does not */
    struct sp_rcpt_parameters parameters;
};

#define STORE_NEVER INT64_MAX

/* What an attempt changes of a recipient. It is no longer parked. */
struct store_settlement {
    uint32_t number;
    enum store_state state;
    bool attempted;  /* counts as an attempt                          */
    bool warned;     /* its sender is told of the delay               */
    bool unreturned; /* HELD: it has failed, and its sender is not told */
    int64_t next_ms; /* when state waits                              */
    int64_t last_ms;
    uint32_t code;
    struct sp_view enhanced, reply, remote, tls;
};

/* Called for each recipient that a verb finds; views are void after the call. */
typedef void store_visit(void *ctx, const struct store_mail *mail, const struct store_recipient *recipient);

/* Where the content of a message is. */
struct store_body {
    struct sp_view content; /* until the next verb, when fd is -1            */
    int fd;                 /* read-only, the caller's to close; or -1       */
};

/* A place in the list of all recipients, ordered by message and number. Zeros: the beginning. */
struct store_cursor {
    uint64_t mail;
    uint32_t number; /* the first that was not seen                   */
    bool only;       /* recipients of this message alone              */
    bool end;        /* set when there is no more                     */
};

struct store_space {
    uint64_t free_octets;     /* that this process may use, on the disk        */
    uint64_t reusable_octets; /* inside the database                           */
};

struct store;

struct store_options {
    int folder;  /* descriptor of the queue's folder; duplicated  */
    bool create; /* make what is missing                          */
    bool sweep;  /* remove files that no message owns: once, by the role, before it serves */
};

/*
 * Open the store in a folder.
 *
 *   error  a sentence for the operator when it fails
 *
 * SP_ERR_ABSENT  there is none, and create was not set
 * SP_ERR_RANGE   written by a newer Sallyport
 * SP_ERR_IO      it cannot be read, or is no store of ours
 */
SP_MUST_USE int store_open(const struct store_options *options, struct sp_buf *error,
                           struct store **store_out);

/* Leave one file, without WAL, and close. An open transaction is rolled back. */
void store_close(struct store *s);

SP_MUST_USE int store_begin(struct store *s);
/* SP_ERR_IO: rolled back; nothing of it happened. */
SP_MUST_USE int store_commit(struct store *s);
void store_rollback(struct store *s);

/*
 * Add a message with its n recipients.
 *
 *   content  the message; NULL: it is in the file of store_spool, synced
 *   leased   its recipients that wait are leased from the start; a rollback does not end these leases
 *
 * SP_ERR_EXISTS  the id is taken; the transaction goes on without it
 * SP_ERR_ABSENT  no spooled file of that id and size; the same
 */
SP_MUST_USE int store_add(struct store *s, const struct store_mail *mail,
                          const struct store_recipient *recipients, size_t n, const struct sp_view *content,
                          bool leased);

/*
 * Lease recipients that are due.
 *
 *   most      at most so many
 *   next_out  when to ask again: now_ms when there may be more, STORE_NEVER when none waits
 */
SP_MUST_USE int store_lease(struct store *s, int64_t now_ms, size_t most, store_visit *visit, void *ctx,
                            int64_t *next_out);

/* End a lease. due_ms: when the recipient is due again; STORE_NEVER: finished. Outside of transactions. */
void store_release(struct store *s, uint64_t mail, uint32_t number, int64_t due_ms);

/*
 * Write down what became of recipients of a message. When none of its recipients waits or is held
 * any more, the message is removed.
 *
 * SP_ERR_ABSENT: the message is not there (any more); the transaction goes on.
 */
SP_MUST_USE int store_settle(struct store *s, uint64_t mail, const struct store_settlement *list, size_t n,
                             bool *gone_out);

/*
 * Parking. A recipient that is due but whose destination takes nothing at the moment, or has enough, waits
 * for that destination by its name: store_lease no longer meets it, however many such there are, and it is
 * given out by name when there is room again. A settlement or a retry ends it.
 */

/* A place among the parked of a name. Zeros: the beginning. */
struct store_place {
    int64_t next_ms;
    uint64_t mail;
    uint32_t number;
    bool end; /* set when there is no more behind it */
};

/* Inside a transaction. Its lease, if any, stays. A recipient that does not wait is left alone. */
SP_MUST_USE int store_park(struct store *s, uint64_t mail, uint32_t number, struct sp_view name);

/* Lease parked recipients of that name, those that have waited longest first, at most `most`, and move the
 * place. They stay parked until they are settled. */
SP_MUST_USE int store_lease_parked(struct store *s, struct sp_view name, struct store_place *place,
                                   size_t most, store_visit *visit, void *ctx);

/* The first name behind this one, in the order of octets, that recipients are parked under. SP_ERR_ABSENT:
 * none. */
SP_MUST_USE int store_parked_after(struct store *s, struct sp_view name, struct sp_buf *name_out);

/* How many are parked under that name, counted up to `most`. */
SP_MUST_USE int store_count_parked(struct store *s, struct sp_view name, size_t most, size_t *n_out);

/* Destinations that nothing is sent to until somebody says so. Suspend and resume inside a transaction. */
typedef void store_visit_suspension(void *ctx, struct sp_view name, int64_t since_ms);
SP_MUST_USE int store_suspend(struct store *s, struct sp_view name,
                              int64_t since_ms);                    /* SP_ERR_EXISTS: it is */
SP_MUST_USE int store_resume(struct store *s, struct sp_view name); /* SP_ERR_ABSENT: it was not suspended */
SP_MUST_USE int store_suspensions(struct store *s, store_visit_suspension *visit, void *ctx);

/*
 * Make waiting recipients due now, but those whose last attempt was after since_ms.
 *
 *   mail   0: of all messages that are not parked, at most `most` of them; else also those that are, which
 *          no longer are
 *   n_out  so many were made due; fewer than `most`: there are no more
 */
SP_MUST_USE int store_retry(struct store *s, uint64_t mail, int64_t now_ms, int64_t since_ms, size_t most,
                            size_t *n_out);

/*
 * The clock was set back: make due now, at most `most`, whose next attempt is behind limit_ms, but those whose
 * sender wants them sent later and that were not tried yet.
 */
SP_MUST_USE int store_recall(struct store *s, int64_t now_ms, int64_t limit_ms, size_t most, size_t *n_out);

/* Make one recipient due now, and no longer parked. One that does not wait is left alone. */
SP_MUST_USE int store_hasten(struct store *s, uint64_t mail, uint32_t number, int64_t now_ms);

/* Visit at most `most` recipients that wait though the time is over that BY= gave them; of BY=...N those
 * whose sender was not told. */
SP_MUST_USE int store_late(struct store *s, int64_t now_ms, size_t most, store_visit *visit, void *ctx);

/* Change where a recipient goes: it is forwarded there. SP_ERR_ABSENT: it is not there (any more). */
SP_MUST_USE int store_redirect(struct store *s, uint64_t mail, uint32_t number, struct sp_view address,
                               struct sp_view route);

/* Forget a message. SP_ERR_ABSENT: it is not there; the transaction goes on. */
SP_MUST_USE int store_remove(struct store *s, uint64_t mail);

/* Visit at most `most` recipients from the cursor on, and move it. SP_ERR_ABSENT: cursor.only, and no such
 * message. */
SP_MUST_USE int store_list(struct store *s, struct store_cursor *cursor, size_t most, store_visit *visit,
                           void *ctx);

/* SP_ERR_ABSENT: no such message. */
SP_MUST_USE int store_body(struct store *s, uint64_t mail, struct store_body *body_out);

/* Make the file for a large message; write, sync and close fd_out, then store_add. SP_ERR_EXISTS: the id is
 * taken. */
SP_MUST_USE int store_spool(struct store *s, uint64_t id, int *fd_out);
void store_unspool(struct store *s, uint64_t id);

/* How much housekeeping is right at the moment. */
enum store_tidiness {
    STORE_BUSY, /* somebody waits: only what must not grow further              */
    STORE_IDLE, /* nobody waits: go on with what can be finished                */
    STORE_LOW   /* the disk has little room: give back what is not needed       */
};

/* Housekeeping between transactions, a few milliseconds at most. True when there is more to do for
 * STORE_IDLE. */
bool store_tidy(struct store *s, enum store_tidiness how);

SP_MUST_USE int store_space(struct store *s, struct store_space *space_out);

/* Messages in the store. The first call reads them all, later ones do not. */
SP_MUST_USE int store_count(struct store *s, uint64_t *n_out);

/* Of the last SP_ERR_IO: a text for the log, and whether the disk was full. */
const char *store_error(const struct store *s);
bool store_disk_full(const struct store *s);

#endif
