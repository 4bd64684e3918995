/*
 * How TLS went on the connections that mail left by: counted by UTC day and domain, and what became of the reports
 * about it (RFC 8460). Verbs of the store like those of store.h, and as there changes stand in transactions.
 */
#ifndef STORE_TLS_H
#define STORE_TLS_H

#include "store/store.h"

/*
 * Bounds, so that no number of domains, and none that shows ever new addresses, names and certificates, fills the disk
 * or makes a report that nobody can read. What is beyond is counted all the same, with less said of it.
 */
enum {
    STORE_TLS_DOMAINS_MAX = 10000, /* of a day with a count of their own; the others share one, without a report */
    STORE_TLS_POLICIES_MAX = 16,   /* of a domain on a day; the others stand without their text                   */
    STORE_TLS_FAILURES_MAX = 100,  /* of a domain on a day, told apart by all that is known of them; the others
                                      are told apart by policy and result alone                                   */
    STORE_TLS_DAYS_KEPT = 7        /* after their end: for the operator to look at                                */
};

/* Sessions that are alike. Words as RFC 8460 has them; views of what is not known are empty. */
struct store_tls_session {
    uint32_t day; /* since 1970-01-01, UTC */
    struct sp_view domain;
    struct sp_view policy, strings, patterns; /* one a line; patterns: see tls_session of ipc/ */
    struct sp_view result;                    /* "success" or a type of failure    */
    struct sp_view sending_ip, mx, helo, receiving_ip, reason;
    uint64_t n;
};

/* What became of a report. NAME, word in the database, meaning. */
#define STORE_TLS_STATES(X)                                                                                  \
    X(COUNTING, "counting", "its day is not over, or its time has not come")                                 \
    X(WAITING, "waiting", "could not be sent, and will be tried again")                                      \
    X(SENT, "sent", "done")                                                                                  \
    X(UNWANTED, "unwanted", "the domain asks for no reports")                                                \
    X(FAILED, "failed", "could not be sent within a day")                                                    \
    X(OTHER, "other", "sessions with domains beyond the bound")

#define X(n, ...) STORE_TLS_##n,
enum store_tls_state { STORE_TLS_STATES(X) STORE_TLS_STATE_N };
#undef X

const char *store_tls_state_word(enum store_tls_state state);

struct store_tls_report {
    uint32_t day;
    struct sp_view domain;
    enum store_tls_state state;
    int64_t next_ms;  /* when it is to be sent; 0: no more                        */
    int64_t first_ms; /* of the first attempt; 0: none                            */
    uint32_t attempts;
    int64_t sent_ms; /* of the last that was sent; 0: none                       */
    struct sp_view sent_to, said;
    uint64_t good, bad; /* sessions; not written by store_tls_mark                  */
};

typedef void store_tls_visit_session(void *ctx, const struct store_tls_session *s);
typedef void store_tls_visit_report(void *ctx, const struct store_tls_report *r);

/*
 * Add n sessions.
 *
 *   due_ms        when the report about that day and domain is to be sent, if these are the first
 *   bounded_out   set when the domain has no count of its own
 */
SP_MUST_USE int store_tls_add(struct store *s, const struct store_tls_session *session, int64_t due_ms,
                              bool *bounded_out);

/* All that was counted of a domain on a day, by policy, then by result. */
SP_MUST_USE int store_tls_read(struct store *s, uint32_t day, struct sp_view domain,
                               store_tls_visit_session *visit, void *ctx);

/* Reports behind that one, the oldest day first, at most `most`; 0 and empty: from the first. */
SP_MUST_USE int store_tls_list(struct store *s, uint32_t day, struct sp_view domain, size_t most,
                               store_tls_visit_report *visit, void *ctx);

/* Those whose time has come, of days before that one. */
SP_MUST_USE int store_tls_due(struct store *s, int64_t now_ms, uint32_t day, size_t most,
                              store_tls_visit_report *visit, void *ctx);

/* Write down what became of one. SP_ERR_ABSENT: it is not there (any more); the transaction goes on. */
SP_MUST_USE int store_tls_mark(struct store *s, const struct store_tls_report *r);

/* Forget all days before that one. */
SP_MUST_USE int store_tls_forget(struct store *s, uint32_t day);

#endif
