/* What the files of the store of traces share. */
#ifndef CONSOLE_TRACES_INSIDE_H
#define CONSOLE_TRACES_INSIDE_H

#include "database/database.h"
#include "roles/console/traces.h"

#define TRACES_STATEMENTS(X)                                                                                 \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                              \
    X(COMMIT, "COMMIT")                                                                                      \
    X(ADD, "INSERT OR REPLACE INTO session (id, began_ms, lasted_ms, client, port, listener, hello, user,"   \
           " tls, mails, refusals, failed, refusal, lines, octets)"                                          \
           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)")                     \
    X(ADD_ATTEMPT, "INSERT INTO attempt (session, at_ms, mechanism, user, tls, reason, defect, detail,"      \
                   " steps, offered_clear, offered_tls)"                                                     \
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")                                 \
    X(LIST, "SELECT id, began_ms, lasted_ms, client, port, listener, hello, user, tls, mails, refusals,"     \
            " failed, refusal FROM session"                                                                  \
            " WHERE id < ?1 AND began_ms >= ?2 AND (?3 = 0 OR failed) AND (?4 = '' OR client = ?4)"          \
            " AND (?5 = '' OR user = ?5"                                                                     \
            " OR EXISTS (SELECT 1 FROM attempt a WHERE a.session = session.id AND a.user = ?5))"             \
            " ORDER BY id DESC LIMIT ?6")                                                                    \
    X(SHOW, "SELECT id, began_ms, lasted_ms, client, port, listener, hello, user, tls, mails, refusals,"     \
            " failed, refusal, lines FROM session WHERE id = ?1")                                            \
    X(ATTEMPTS, "SELECT at_ms, mechanism, user, tls, reason, defect, detail, steps, offered_clear,"          \
                " offered_tls FROM attempt WHERE session = ?1 ORDER BY rowid")                               \
    X(TOTALS, "SELECT count(*), coalesce(sum(octets), 0) FROM session")                                      \
    X(OLDEST, "SELECT id, began_ms, octets FROM session ORDER BY id LIMIT 1")                                \
    X(REMOVE, "DELETE FROM session WHERE id = ?1")                                                           \
    X(REMOVE_ATTEMPTS, "DELETE FROM attempt WHERE session = ?1")                                             \
    X(REMOVE_ORPHANS, "DELETE FROM attempt WHERE rowid IN (SELECT rowid FROM attempt"                        \
                      " WHERE at_ms < ?1 OR rowid <= (SELECT max(rowid) FROM attempt) - ?2"                  \
                      " ORDER BY rowid LIMIT ?3)")

#define X(n, sql) TRACES_##n,
enum traces_statement { TRACES_STATEMENTS(X) TRACES_STATEMENT_N };
#undef X

struct traces {
    struct database database;
    uint64_t n, octets; /* kept now */
    char error[512];
};

/* Note why SQLite failed, and undo what is not committed. Returns SP_ERR_IO. */
int traces_fail(struct traces *t);

/* SP_OK: a row is there, to be followed by sqlite3_reset; SP_ERR_ABSENT: none; SP_ERR_IO. */
int traces_step(struct traces *t, sqlite3_stmt *st);

/* A statement without rows. */
int traces_run(struct traces *t, sqlite3_stmt *st);

#endif
