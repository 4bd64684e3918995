/* The inside of an open users.db: its statements, and how one is run. Only for src/users. */
#ifndef USERS_INSIDE_H
#define USERS_INSIDE_H

#include "users/schema.h"
#include "users/users.h"

/*
 * NAME, SQL. The key is always ?1. Those that bind a verifier: ?3 the time, ?4 salt, ?5 iterations, ?6 to ?9 keys, ?11 the secret
 * for CRAM-MD5. */
#define USERS_STATEMENTS(X)                                                                                  \
    X(FIND, "SELECT name, disabled, salt, iterations, stored_sha256, server_sha256, stored_sha1,"            \
            " server_sha1, crypt, cram_md5 FROM users WHERE key = ?1")                                                 \
    X(MORE, "SELECT id, stored_sha256, server_sha256, stored_sha1, server_sha1 FROM app_passwords"           \
            " WHERE key = ?1 ORDER BY id LIMIT 16")                                                          \
    X(ANY_CRYPT, "SELECT crypt FROM users WHERE ?1 IS NOT NULL AND crypt IS NOT NULL LIMIT 1")               \
    X(ADD, "INSERT INTO users (key, name, created_ms, changed_ms, salt, iterations, stored_sha256,"          \
           " server_sha256, stored_sha1, server_sha1, crypt, cram_md5)"                                      \
           " VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")                                          \
    X(SET_VERIFIER, "UPDATE users SET changed_ms = ?3, salt = ?4, iterations = ?5, stored_sha256 = ?6,"      \
                    " server_sha256 = ?7, stored_sha1 = ?8, server_sha1 = ?9, crypt = NULL, cram_md5 = ?11"  \
                    " WHERE key = ?1 AND (salt = ?4 AND iterations = ?5"                                     \
                    " OR NOT EXISTS (SELECT 1 FROM app_passwords WHERE key = ?1))")                          \
    X(SET_DISABLED, "UPDATE users SET disabled = ?2 WHERE key = ?1")                                         \
    X(REMOVE, "DELETE FROM users WHERE key = ?1")                                                            \
    X(NEXT, "SELECT name, disabled, created_ms, changed_ms, crypt IS NOT NULL,"                              \
            " (SELECT count(*) FROM app_passwords a WHERE a.key = u.key),"                                   \
            " (SELECT count(*) FROM may_send m WHERE m.key = u.key), cram_md5 IS NOT NULL"                   \
            " FROM users u WHERE key > ?1 ORDER BY key LIMIT 1")                                             \
    X(SHOW, "SELECT name, disabled, created_ms, changed_ms, crypt IS NOT NULL,"                              \
            " (SELECT count(*) FROM app_passwords a WHERE a.key = u.key),"                                   \
            " (SELECT count(*) FROM may_send m WHERE m.key = u.key), cram_md5 IS NOT NULL"                   \
            " FROM users u WHERE key = ?1")                                                                  \
    X(APP_ADD, "INSERT INTO app_passwords (key, label, created_ms, stored_sha256, server_sha256,"            \
               " stored_sha1, server_sha1) SELECT key, ?2, ?3, ?6, ?7, ?8, ?9 FROM users"                    \
               " WHERE key = ?1 AND salt = ?4 AND iterations = ?5"                                           \
               " AND (SELECT count(*) FROM app_passwords WHERE key = ?1) < 16")                              \
    X(APP_REMOVE, "DELETE FROM app_passwords WHERE key = ?1 AND label = ?2")                                 \
    X(APP_NEXT, "SELECT id, label, created_ms, used_ms FROM app_passwords"                                   \
                " WHERE key = ?1 AND id > ?2 ORDER BY id LIMIT 1")                                           \
    X(APP_USED, "UPDATE app_passwords SET used_ms = ?2 WHERE key = ?1 AND id = ?3 AND used_ms < ?4")         \
    X(SENDERS, "SELECT pattern FROM may_send WHERE key = ?1 ORDER BY pattern")                               \
    X(SENDER_ADD, "INSERT OR IGNORE INTO may_send (key, pattern) SELECT key, ?2 FROM users WHERE key = ?1")  \
    X(SENDERS_CLEAR, "DELETE FROM may_send WHERE key = ?1")

#define X(n, ...) USERS_##n,
enum users_statement { USERS_STATEMENTS(X) USERS_STATEMENT_N };
#undef X

struct users {
    struct database database;
    uint8_t secret[USERS_SECRET_LEN];
};

/* What a name is found by. */
struct users_key {
    uint8_t octets[SASL_USER_MAX];
    size_t  len;
};

/* SP_ERR_SYNTAX: it cannot be a name. */
SP_MUST_USE int users_fold(struct sp_view name, enum sasl_prep_kind kind, struct users_key *key_out);

/* A statement with its key bound; users_let_go when it was used: nothing of a verifier stays in it. */
sqlite3_stmt *users_use(struct users *u, enum users_statement n, const struct users_key *key);
void          users_let_go(sqlite3_stmt *s);

void users_bind_verifier(sqlite3_stmt *s, const struct sasl_verifier *v, int64_t now_ms);

/* Run a change of one row, and let go. SP_ERR_EXISTS, SP_ERR_ABSENT, SP_ERR_IO as in users.h. */
SP_MUST_USE int users_change(struct users *u, sqlite3_stmt *s);

/* Copy a column of at most max octets. */
bool users_take_column(sqlite3_stmt *s, int at, void *out, size_t max, size_t *len_out);

/* The four key columns from `at` on. */
bool users_take_keys(sqlite3_stmt *s, int at, struct sasl_keys out[SASL_HASH_N]);

/* Logged; SP_ERR_IO. */
int users_log_failure(struct users *u);

#endif
