/* The SQLite backend's own: one file, queue.db, in WAL mode with synchronous=FULL, and folders of large
 * bodies. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "database/database.h"
#include "store/backend.h"
#include "store/bodies.h"
#include "store/leases.h"

/* The columns of a recipient with its message, in the order that sqlite_row reads them. */
#define SQLITE_STORE_COLUMNS                                                                                 \
    "m.id, m.received_ms, m.session, m.client, m.user, m.sender, m.size, r.number, r.address, r.route, "     \
    "r.state, r.attempts, r.next_ms, r.last_ms, r.last_code, r.last_enhanced, r.last_reply, r.last_remote, " \
    "m.body, m.smtputf8, m.requiretls, m.ret, m.envid, m.auth, m.by_mode, m.by_trace, m.by_ms, "             \
    "m.hold_until_ms, m.priority, r.notify, r.orcpt, r.warned, r.parked, r.last_tls, m.stranger, "           \
    "r.unreturned, r.forwarded"

#define SQLITE_STORE_OPEN_STATES "('queued', 'deferred', 'held')"

/* The same of a report about TLS. */
#define SQLITE_STORE_TLS_COLUMNS                                                                             \
    "r.day, r.domain, r.state, r.next_ms, r.first_ms, r.attempts, r.sent_ms, r.sent_to, r.said, "            \
    "(SELECT coalesce(sum(sessions), 0) FROM tls_result t WHERE t.day = r.day AND t.domain = r.domain "      \
    "AND t.result = 'success'), "                                                                            \
    "(SELECT coalesce(sum(sessions), 0) FROM tls_result t WHERE t.day = r.day AND t.domain = r.domain "      \
    "AND t.result <> 'success')"

/* The statements. NAME, SQL. */
#define SQLITE_STORE_STATEMENTS(X)                                                                           \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                              \
    X(COMMIT, "COMMIT")                                                                                      \
    X(ROLLBACK, "ROLLBACK")                                                                                  \
    X(ADD_MAIL,                                                                                              \
      "INSERT INTO mail (id, received_ms, session, client, user, sender, size, content, body, "              \
      "smtputf8, requiretls, ret, envid, auth, by_mode, by_trace, by_ms, hold_until_ms, priority, "          \
      "stranger) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, "  \
      "?19, ?20)")                                                                                           \
    X(ADD_RECIPIENT,                                                                                         \
      "INSERT INTO recipient (mail, number, address, route, state, next_ms, last_reply, "                    \
      "notify, orcpt, parked, forwarded) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")             \
    X(DUE, "SELECT " SQLITE_STORE_COLUMNS                                                                    \
           " FROM recipient r INDEXED BY recipient_due CROSS JOIN mail m ON m.id = r.mail "                  \
           "WHERE r.next_ms <= ?1 AND r.parked IS NULL AND (r.next_ms, r.mail, r.number) > (?2, ?3, ?4) "    \
           "ORDER BY r.next_ms, r.mail, r.number")                                                           \
    X(NEXT_DUE,                                                                                              \
      "SELECT min(next_ms) FROM recipient INDEXED BY recipient_due WHERE next_ms > ?1 AND parked IS NULL")   \
    X(OPEN,                                                                                                  \
      "SELECT number FROM recipient WHERE mail = ?1 AND state IN " SQLITE_STORE_OPEN_STATES " LIMIT ?2")     \
    X(SETTLE, "UPDATE recipient SET state = ?3, attempts = attempts + ?4, next_ms = ?5, last_ms = ?6, "      \
              "last_code = ?7, last_enhanced = ?8, last_reply = ?9, last_remote = ?10, parked = NULL, "      \
              "warned = max(warned, ?11), last_tls = ?12, unreturned = ?13 "                                 \
              "WHERE mail = ?1 AND number = ?2 AND state IN " SQLITE_STORE_OPEN_STATES)                      \
    X(REMOVE_RECIPIENTS, "DELETE FROM recipient WHERE mail = ?1")                                            \
    X(IS_SPOOLED, "SELECT content IS NULL FROM mail WHERE id = ?1")                                          \
    X(REMOVE_MAIL, "DELETE FROM mail WHERE id = ?1")                                                         \
    X(RETRY_ONE, "UPDATE recipient SET next_ms = ?2, parked = NULL "                                         \
                 "WHERE mail = ?1 AND (next_ms > ?2 OR parked IS NOT NULL)")                                 \
    X(RETRY_ALL, "UPDATE recipient SET next_ms = ?1 WHERE (mail, number) IN (SELECT mail, number FROM "      \
                 "recipient INDEXED BY recipient_due WHERE next_ms > ?1 AND parked IS NULL AND last_ms <= "  \
                 "?2 LIMIT ?3)")                                                                             \
    X(RECALL, "UPDATE recipient SET next_ms = ?1 WHERE (mail, number) IN (SELECT r.mail, r.number FROM "     \
              "recipient r INDEXED BY recipient_due CROSS JOIN mail m ON m.id = r.mail WHERE r.next_ms > ?2 " \
              "AND r.parked IS NULL AND (r.attempts > 0 OR m.hold_until_ms <= ?1) LIMIT ?3)")                \
    X(HASTEN, "UPDATE recipient SET next_ms = min(next_ms, ?3), parked = NULL "                              \
              "WHERE mail = ?1 AND number = ?2 AND next_ms IS NOT NULL")                                     \
    X(PARK, "UPDATE recipient SET parked = ?3 WHERE mail = ?1 AND number = ?2 AND next_ms IS NOT NULL")      \
    X(PARKED, "SELECT " SQLITE_STORE_COLUMNS                                                                 \
              " FROM recipient r INDEXED BY recipient_parked CROSS JOIN mail m ON m.id = r.mail "            \
              "WHERE r.parked = ?1 AND (r.next_ms, r.mail, r.number) > (?2, ?3, ?4) "                        \
              "ORDER BY r.next_ms, r.mail, r.number")                                                        \
    X(PARKED_AFTER, "SELECT parked FROM recipient INDEXED BY recipient_parked WHERE parked > ?1 "            \
                    "ORDER BY parked LIMIT 1")                                                               \
    X(COUNT_PARKED, "SELECT count(*) FROM (SELECT 1 FROM recipient INDEXED BY recipient_parked "             \
                    "WHERE parked = ?1 LIMIT ?2)")                                                           \
    X(REDIRECT,                                                                                              \
      "UPDATE recipient SET address = ?3, route = ?4, forwarded = 1 WHERE mail = ?1 AND number = ?2 "        \
      "AND state IN " SQLITE_STORE_OPEN_STATES " RETURNING 1")                                               \
    X(LATE, "SELECT " SQLITE_STORE_COLUMNS " FROM mail m INDEXED BY mail_by CROSS JOIN recipient r "         \
            "ON r.mail = m.id WHERE m.by_ms > 0 AND m.by_ms <= ?1 AND r.next_ms IS NOT NULL "                \
            "AND (m.by_mode = 'return' OR r.warned = 0) LIMIT ?2")                                           \
    X(SUSPEND, "INSERT INTO suspension (name, since_ms) VALUES (?1, ?2)")                                    \
    X(RESUME, "DELETE FROM suspension WHERE name = ?1 RETURNING 1")                                          \
    X(SUSPENSIONS, "SELECT name, since_ms FROM suspension ORDER BY name")                                    \
    X(LIST, "SELECT " SQLITE_STORE_COLUMNS " FROM recipient r CROSS JOIN mail m ON m.id = r.mail "           \
            "WHERE (r.mail, r.number) >= (?1, ?2) ORDER BY r.mail, r.number LIMIT ?3")                       \
    X(LIST_ONLY, "SELECT " SQLITE_STORE_COLUMNS " FROM recipient r CROSS JOIN mail m ON m.id = r.mail "      \
                 "WHERE r.mail = ?1 AND r.number >= ?2 ORDER BY r.number LIMIT ?3")                          \
    X(HAS_MAIL, "SELECT 1 FROM mail WHERE id = ?1")                                                          \
    X(BODY, "SELECT content FROM mail WHERE id = ?1")                                                        \
    /* Each message has recipients, and their pages are a tenth of those that hold contents. */             \
    X(COUNT, "SELECT count(*) FROM (SELECT DISTINCT mail FROM recipient)")                                   \
    X(REUSABLE, "PRAGMA freelist_count")                                                                     \
    X(TLS_RAISE, "UPDATE tls_result SET sessions = sessions + ?12 WHERE day = ?1 AND domain = ?2 AND "       \
                 "policy = ?3 AND strings = ?4 AND patterns = ?5 AND result = ?6 AND sending_ip = ?7 AND "   \
                 "mx = ?8 AND helo = ?9 AND receiving_ip = ?10 AND reason = ?11 RETURNING 1")                \
    X(TLS_HAS, "SELECT 1 FROM tls_report WHERE day = ?1 AND domain = ?2")                                    \
    X(TLS_DOMAINS, "SELECT count(*) FROM tls_report WHERE day = ?1 AND domain > ''")                         \
    X(TLS_OPEN, "INSERT INTO tls_report (day, domain, state, next_ms) VALUES (?1, ?2, ?3, ?4)")              \
    X(TLS_ROOM, "SELECT (SELECT count(*) FROM (SELECT DISTINCT policy, strings, patterns FROM tls_result "   \
                "WHERE day = ?1 AND domain = ?2)), "                                                         \
                "EXISTS (SELECT 1 FROM tls_result WHERE day = ?1 AND domain = ?2 AND policy = ?3 AND "       \
                "strings = ?4 AND patterns = ?5), "                                                          \
                "(SELECT count(*) FROM tls_result WHERE day = ?1 AND domain = ?2 AND result <> 'success')")  \
    X(TLS_ADD, "INSERT INTO tls_result VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "          \
               "ON CONFLICT DO UPDATE SET sessions = sessions + ?12")                                        \
    X(TLS_READ, "SELECT policy, strings, patterns, result, sending_ip, mx, helo, receiving_ip, reason, "     \
                "sessions FROM tls_result WHERE day = ?1 AND domain = ?2 "                                   \
                "ORDER BY policy, strings, patterns, result, sending_ip, mx, helo, receiving_ip, reason")    \
    X(TLS_LIST, "SELECT " SQLITE_STORE_TLS_COLUMNS " FROM tls_report r "                                     \
                "WHERE (day, domain) > (?1, ?2) ORDER BY day, domain LIMIT ?3")                              \
    X(TLS_DUE, "SELECT " SQLITE_STORE_TLS_COLUMNS " FROM tls_report r INDEXED BY tls_report_due "            \
               "WHERE next_ms > 0 AND next_ms <= ?1 AND day < ?2 ORDER BY next_ms LIMIT ?3")                 \
    X(TLS_MARK, "UPDATE tls_report SET state = ?3, next_ms = ?4, first_ms = ?5, attempts = ?6, "             \
                "sent_ms = ?7, sent_to = ?8, said = ?9 WHERE day = ?1 AND domain = ?2 RETURNING 1")          \
    X(TLS_FORGET_RESULTS, "DELETE FROM tls_result WHERE day < ?1")                                           \
    X(TLS_FORGET_REPORTS, "DELETE FROM tls_report WHERE day < ?1")                                           \
    X(PAGES, "PRAGMA page_count")

#define X(n, sql) SQLITE_##n##_STMT,
enum sqlite_store_statement { SQLITE_STORE_STATEMENTS(X) SQLITE_STMT_N };
#undef X

enum {
    SQLITE_PAGE_OCTETS = 4096, /* measured: larger pages make a message alone slower */
    SQLITE_BUSY_WAIT_MS = 1000 /* for an operator's own writing transaction */
};

struct sqlite_store {
    struct store head;
    struct database database;
    struct bodies bodies;
    struct leases leases;
    struct sp_buf content; /* last body read                                            */
    bool in_transaction;
    bool spoiled; /* a verb failed: only rollback helps                        */
    /* Up to here the recipients that are due were looked at; what became due before it moves it
     * back. */
    struct {
        int64_t next_ms;
        uint64_t mail;
        uint32_t number;
    } scanned;
    uint64_t count;
    int64_t count_change; /* by the open transaction                                  */
    bool counted;
    int wal_frames; /* in the WAL, and how many of them the database has        */
    int wal_done;
    /* Domains of a day that have a report of their own, while that is known. */
    struct {
        uint32_t day;
        uint64_t domains;
        bool known;
    } tls;
};

static inline struct sqlite_store *sqlite_of(struct store *s) { return (struct sqlite_store *)s; }

/* sqlite_schema.c */
extern const struct database_form sqlite_form;

/* A prepared statement, reset and without bindings. */
sqlite3_stmt *sqlite_statement(struct sqlite_store *s, enum sqlite_store_statement which);

/*
 * Run a statement to its end, or to its first row.
 * SP_OK: a row is there, reset the statement when it was read. SP_ERR_ABSENT: done, reset.
 * SP_ERR_EXISTS: a constraint, reset. SP_ERR_IO: failed, the transaction is spoiled.
 */
SP_MUST_USE int sqlite_step(struct sqlite_store *s, sqlite3_stmt *st);
/* The same for statements without rows: SP_OK, SP_ERR_EXISTS or SP_ERR_IO. */
SP_MUST_USE int sqlite_run(struct sqlite_store *s, sqlite3_stmt *st);

/* Note an errno of our own file work, or SQLite's last error. Returns SP_ERR_IO. */
int sqlite_fail_errno(struct sqlite_store *s, const char *what);
int sqlite_fail(struct sqlite_store *s);

void sqlite_row(sqlite3_stmt *st, struct store_mail *mail_out, struct store_recipient *recipient_out);

/*
 * sqlite_words.c: parameters as the words that the columns hold.
 *
 *   from, to  the columns, resp. bindings, one after another in the order of
 * SQLITE_STORE_COLUMNS
 */
void sqlite_bind_mail_parameters(sqlite3_stmt *st, int to, const struct sp_mail_parameters *p);
void sqlite_bind_rcpt_parameters(sqlite3_stmt *st, int to, const struct sp_rcpt_parameters *p);
struct sp_mail_parameters sqlite_mail_parameters(sqlite3_stmt *st, int from);
struct sp_rcpt_parameters sqlite_rcpt_parameters(sqlite3_stmt *st, int from);

/* The verbs of sqlite_change.c, sqlite_read.c and sqlite_tidy.c. */
int sqlite_add(struct store *s, const struct store_mail *mail, const struct store_recipient *recipients,
               size_t n, const struct sp_view *content, bool leased);
int sqlite_settle(struct store *s, uint64_t mail, const struct store_settlement *list, size_t n,
                  bool *gone_out);
int sqlite_recall(struct store *s, int64_t now_ms, int64_t limit_ms, size_t most, size_t *n_out);
int sqlite_hasten(struct store *s, uint64_t mail, uint32_t number, int64_t now_ms);
int sqlite_retry(struct store *s, uint64_t mail, int64_t now_ms, int64_t since_ms, size_t most,
                 size_t *n_out);
int sqlite_remove(struct store *s, uint64_t mail);
int sqlite_lease(struct store *s, int64_t now_ms, size_t most, store_visit *visit, void *ctx,
                 int64_t *next_out);
void sqlite_release(struct store *s, uint64_t mail, uint32_t number, int64_t due_ms);
int sqlite_list(struct store *s, struct store_cursor *cursor, size_t most, store_visit *visit, void *ctx);
int sqlite_body(struct store *s, uint64_t mail, struct store_body *body_out);
int sqlite_count(struct store *s, uint64_t *n_out);
bool sqlite_tidy(struct store *s, enum store_tidiness how);
int sqlite_space(struct store *s, struct store_space *space_out);

int sqlite_park(struct store *s, uint64_t mail, uint32_t number, struct sp_view name);
int sqlite_lease_parked(struct store *s, struct sp_view name, struct store_place *place, size_t most,
                        store_visit *visit, void *ctx);
int sqlite_parked_after(struct store *s, struct sp_view name, struct sp_buf *name_out);
int sqlite_count_parked(struct store *s, struct sp_view name, size_t most, size_t *n_out);
int sqlite_redirect(struct store *s, uint64_t mail, uint32_t number, struct sp_view address,
                    struct sp_view route);
int sqlite_late(struct store *s, int64_t now_ms, size_t most, store_visit *visit, void *ctx);
int sqlite_suspend(struct store *s, struct sp_view name, int64_t since_ms);
int sqlite_resume(struct store *s, struct sp_view name);
int sqlite_suspensions(struct store *s, store_visit_suspension *visit, void *ctx);

int sqlite_tls_add(struct store *s, const struct store_tls_session *session, int64_t due_ms, bool *bounded_out);
int sqlite_tls_read(struct store *s, uint32_t day, struct sp_view domain, store_tls_visit_session *visit,
                    void *ctx);
int sqlite_tls_list(struct store *s, uint32_t day, struct sp_view domain, size_t most,
                    store_tls_visit_report *visit, void *ctx);
int sqlite_tls_due(struct store *s, int64_t now_ms, uint32_t day, size_t most, store_tls_visit_report *visit,
                   void *ctx);
int sqlite_tls_mark(struct store *s, const struct store_tls_report *r);
int sqlite_tls_forget(struct store *s, uint32_t day);

/* A recipient is due at that time: look at it again. */
void sqlite_scan_again(struct sqlite_store *s, int64_t due_ms);

#endif
