#include "users/users.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "users/schema.h"

#include <stdlib.h>

/* NAME, SQL. The key is always ?1. */
#define STATEMENTS(X)                                                                                        \
    X(FIND,                                                                                                  \
      "SELECT name, disabled, salt, iterations, stored_sha256, server_sha256, stored_sha1, server_sha1"      \
      " FROM users WHERE key = ?1")                                                                          \
    X(ADD, "INSERT INTO users (key, name, created_ms, changed_ms, salt, iterations, stored_sha256,"          \
           " server_sha256, stored_sha1, server_sha1) VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")      \
    X(SET_VERIFIER, "UPDATE users SET changed_ms = ?3, salt = ?4, iterations = ?5, stored_sha256 = ?6,"      \
                    " server_sha256 = ?7, stored_sha1 = ?8, server_sha1 = ?9 WHERE key = ?1")                \
    X(SET_DISABLED, "UPDATE users SET disabled = ?2 WHERE key = ?1")                                         \
    X(REMOVE, "DELETE FROM users WHERE key = ?1")                                                            \
    X(NEXT, "SELECT name, disabled, created_ms, changed_ms FROM users WHERE key > ?1 ORDER BY key LIMIT 1")

#define X(n, ...) n,
enum statement { STATEMENTS(X) STATEMENT_N };
#undef X

struct users {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_N];
    uint8_t secret[USERS_SECRET_LEN];
};

/* What a name is found by. */
struct key {
    uint8_t octets[SASL_USER_MAX];
    size_t len;
};

static const char *const texts[STATEMENT_N] = {
#define X(n, sql) [n] = sql,
    STATEMENTS(X)
#undef X
};

int users_open(const char *folder, struct sp_buf *error, struct users **users_out)
{
    struct users *u = os_new(sizeof *u);
    int status = users_schema_open(folder, error, &u->db, u->secret);
    for (size_t i = 0; i < STATEMENT_N && !status; i++)
        if (sqlite3_prepare_v3(u->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &u->statements[i], NULL) !=
            SQLITE_OK) {
            sp_buf_add_str(error, "users.db is damaged: ");
            sp_buf_add_str(error, sqlite3_errmsg(u->db));
            status = SP_ERR_IO;
        }
    if (status)
        users_close(u);
    else
        *users_out = u;
    return status;
}

void users_close(struct users *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < STATEMENT_N; i++)
        sqlite3_finalize(u->statements[i]);
    sqlite3_close(u->db);
    explicit_bzero(u, sizeof *u);
    free(u);
}

/* --- running a statement ------------------------------------------------------------------ */

static int log_failure(struct users *u)
{
    os_log(OS_WARN, "users-db-failed", OS_STR("error", sqlite3_errmsg(u->db)));
    return SP_ERR_IO;
}

static int fold(struct sp_view name, enum sasl_prep_kind kind, struct key *key_out)
{
    if (sasl_user_fault(name, kind) != SASL_FAULT_NONE)
        return SP_ERR_SYNTAX;
    struct sp_buf out;
    enum sasl_fault fault;
    sp_buf_init(&out, &os_heap, SASL_USER_MAX);
    int status = sasl_prep_name(name, kind, &out, &fault);
    if (!status) {
        memcpy(key_out->octets, out.p, out.len);
        key_out->len = out.len;
    }
    sp_buf_fini(&out);
    return status;
}

static void bind_octets(sqlite3_stmt *s, int at, struct sp_view v)
{
    sqlite3_bind_blob(s, at, v.len ? v.p : (const uint8_t *)"", (int)v.len, SQLITE_TRANSIENT);
}

static void bind_text(sqlite3_stmt *s, int at, struct sp_view v)
{
    sqlite3_bind_text(s, at, v.len ? (const char *)v.p : "", (int)v.len, SQLITE_TRANSIENT);
}

static sqlite3_stmt *use(struct users *u, enum statement n, const struct key *key)
{
    sqlite3_stmt *s = u->statements[n];
    bind_text(s, 1, sp_view_make(key->octets, key->len));
    return s;
}

/* Nothing of a verifier stays bound to a statement. */
static void let_go(sqlite3_stmt *s)
{
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
}

/* Run a change of one row. */
static int change(struct users *u, sqlite3_stmt *s)
{
    int code = sqlite3_step(s);
    int status = SP_OK;
    if (code == SQLITE_CONSTRAINT && sqlite3_extended_errcode(u->db) == SQLITE_CONSTRAINT_PRIMARYKEY)
        status = SP_ERR_EXISTS;
    else if (code != SQLITE_DONE)
        status = log_failure(u);
    else if (sqlite3_changes(u->db) == 0)
        status = SP_ERR_ABSENT;
    let_go(s);
    return status;
}

/* --- rows -------------------------------------------------------------------------------- */

/* Copy a column of at most max octets. */
static bool take_column(sqlite3_stmt *s, int at, void *out, size_t max, size_t *len_out)
{
    const void *p = sqlite3_column_blob(s, at);
    size_t len = (size_t)sqlite3_column_bytes(s, at);
    if (len > max || (len && !p))
        return false;
    if (len)
        memcpy(out, p, len);
    *len_out = len;
    return true;
}

static bool take_keys(sqlite3_stmt *s, int at, enum sasl_hash h, struct sasl_keys *out)
{
    size_t stored = 0, server = 0;
    return take_column(s, at, out->stored, SASL_KEY_MAX, &stored) &&
           take_column(s, at + 1, out->server, SASL_KEY_MAX, &server) && stored == sasl_hash_len(h) &&
           server == sasl_hash_len(h);
}

static bool take_login(sqlite3_stmt *s, struct users_login *out)
{
    struct sasl_verifier *v = &out->verifier;
    int64_t iterations = sqlite3_column_int64(s, 3);
    out->known = true;
    out->disabled = sqlite3_column_int(s, 1) != 0;
    if (iterations < 1 || iterations > SASL_ITERATIONS_MAX)
        return false;
    v->iterations = (uint32_t)iterations;
    return take_column(s, 0, out->name.octets, SASL_USER_MAX, &out->name.len) &&
           take_column(s, 2, v->salt, SASL_SALT_MAX, &v->salt_len) &&
           take_keys(s, 4, SASL_SHA256, &v->keys[SASL_SHA256]) &&
           take_keys(s, 6, SASL_SHA1, &v->keys[SASL_SHA1]);
}

int users_find(struct users *u, struct sp_view name, struct users_login *login_out)
{
    struct users_login login = {0}, decoy = {0};
    struct key key = {.len = 0};
    /* A name that cannot be prepared matches no key: the empty key is never stored. */
    struct sp_view said =
        fold(name, SASL_PREP_QUERY, &key) == SP_OK ? sp_view_make(key.octets, key.len) : name;
    if (sasl_verifier_decoy(sp_view_make(u->secret, sizeof u->secret), said, &decoy.verifier) != SP_OK)
        return SP_ERR_IO;
    sqlite3_stmt *s = use(u, FIND, &key);
    int code = sqlite3_step(s), status = SP_OK;
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        status = log_failure(u);
    } else if (code == SQLITE_ROW && !take_login(s, &login)) {
        os_log(OS_WARN, "users-db-failed", OS_STR("error", "a row is damaged"), OS_VIEW("user", name));
        status = SP_ERR_IO;
    }
    let_go(s);
    if (!status)
        *login_out = code == SQLITE_ROW ? login : decoy;
    explicit_bzero(&login, sizeof login);
    return status;
}

static void bind_verifier(sqlite3_stmt *s, const struct sasl_verifier *v, int64_t now_ms)
{
    sqlite3_bind_int64(s, 3, now_ms);
    bind_octets(s, 4, sp_view_make(v->salt, v->salt_len));
    sqlite3_bind_int64(s, 5, v->iterations);
    for (int h = 0; h < SASL_HASH_N; h++) {
        size_t len = sasl_hash_len((enum sasl_hash)h);
        bind_octets(s, 6 + 2 * h, sp_view_make(v->keys[h].stored, len));
        bind_octets(s, 7 + 2 * h, sp_view_make(v->keys[h].server, len));
    }
}

int users_add(struct users *u, struct sp_view name, const struct sasl_verifier *v, int64_t now_ms)
{
    struct key key;
    if (fold(name, SASL_PREP_STORED, &key) != SP_OK)
        return SP_ERR_SYNTAX;
    sqlite3_stmt *s = use(u, ADD, &key);
    bind_text(s, 2, name);
    bind_verifier(s, v, now_ms);
    return change(u, s);
}

int users_set_verifier(struct users *u, struct sp_view name, const struct sasl_verifier *v, int64_t now_ms)
{
    struct key key;
    if (fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_SYNTAX;
    sqlite3_stmt *s = use(u, SET_VERIFIER, &key);
    bind_verifier(s, v, now_ms);
    return change(u, s);
}

int users_set_disabled(struct users *u, struct sp_view name, bool disabled)
{
    struct key key;
    if (fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_SYNTAX;
    sqlite3_stmt *s = use(u, SET_DISABLED, &key);
    sqlite3_bind_int(s, 2, disabled);
    return change(u, s);
}

int users_remove(struct users *u, struct sp_view name)
{
    struct key key;
    if (fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_SYNTAX;
    return change(u, use(u, REMOVE, &key));
}

int users_next(struct users *u, struct sp_view after, struct users_entry *entry_out)
{
    struct users_entry entry = {0};
    struct key key = {.len = 0};
    if (after.len && fold(after, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_ABSENT;
    sqlite3_stmt *s = use(u, NEXT, &key);
    int code = sqlite3_step(s), status = SP_OK;
    if (code == SQLITE_DONE)
        status = SP_ERR_ABSENT;
    else if (code != SQLITE_ROW || !take_column(s, 0, entry.name.octets, SASL_USER_MAX, &entry.name.len))
        status = log_failure(u);
    if (!status) {
        entry.disabled = sqlite3_column_int(s, 1) != 0;
        entry.created_ms = sqlite3_column_int64(s, 2);
        entry.changed_ms = sqlite3_column_int64(s, 3);
        *entry_out = entry;
    }
    let_go(s);
    return status;
}
