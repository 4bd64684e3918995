#include "users/inside.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

int users_open(const char *folder, struct sp_buf *error, struct users **users_out)
{
    struct users *u = os_new(sizeof *u);
    int status = users_schema_open(folder, error, &u->database, u->secret);
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
    database_close(&u->database);
    explicit_bzero(u, sizeof *u);
    free(u);
}

/* --- running a statement ------------------------------------------------------------------ */

int users_log_failure(struct users *u)
{
    os_log(OS_WARN, "users-db-failed", OS_STR("error", sqlite3_errmsg(u->database.db)));
    return SP_ERR_IO;
}

int users_fold(struct sp_view name, enum sasl_prep_kind kind, struct users_key *key_out)
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

/* Borrowed until the statement is let go, as database_bind_text: SQLite keeps no copy of a key. */
static void bind_octets(sqlite3_stmt *s, int at, struct sp_view v)
{
    sqlite3_bind_blob(s, at, v.len ? v.p : (const uint8_t *)"", (int)v.len, SQLITE_STATIC);
}

sqlite3_stmt *users_use(struct users *u, enum users_statement n, const struct users_key *key)
{
    sqlite3_stmt *s = u->database.statements[n];
    database_bind_text(s, 1, sp_view_make(key->octets, key->len));
    return s;
}

/* Nothing of a verifier stays bound to a statement. */
void users_let_go(sqlite3_stmt *s)
{
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
}

/* Run a change of one row. */
int users_change(struct users *u, sqlite3_stmt *s)
{
    int code = sqlite3_step(s);
    int status = SP_OK;
    if (code == SQLITE_CONSTRAINT && sqlite3_extended_errcode(u->database.db) == SQLITE_CONSTRAINT_PRIMARYKEY)
        status = SP_ERR_EXISTS;
    else if (code == SQLITE_CONSTRAINT &&
             sqlite3_extended_errcode(u->database.db) == SQLITE_CONSTRAINT_UNIQUE)
        status = SP_ERR_EXISTS;
    else if (code != SQLITE_DONE)
        status = users_log_failure(u);
    else if (sqlite3_changes(u->database.db) == 0)
        status = SP_ERR_ABSENT;
    users_let_go(s);
    return status;
}

/* --- rows -------------------------------------------------------------------------------- */

/* Copy a column of at most max octets. */
bool users_take_column(sqlite3_stmt *s, int at, void *out, size_t max, size_t *len_out)
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

bool users_take_keys(sqlite3_stmt *s, int at, struct sasl_keys out[SASL_HASH_N])
{
    for (int h = 0; h < SASL_HASH_N; h++) {
        size_t stored = 0, server = 0, len = sasl_hash_len((enum sasl_hash)h);
        if (!users_take_column(s, at + 2 * h, out[h].stored, SASL_KEY_MAX, &stored) ||
            !users_take_column(s, at + 2 * h + 1, out[h].server, SASL_KEY_MAX, &server) || stored != len ||
            server != len)
            return false;
    }
    return true;
}

static bool take_crypt(sqlite3_stmt *s, int at, struct users_login *out)
{
    size_t len = 0;
    return users_take_column(s, at, out->crypt, USERS_CRYPT_MAX - 1, &len);
}

static bool take_cram(sqlite3_stmt *s, int at, struct sasl_verifier *v)
{
    size_t len = 0;
    bool taken = users_take_column(s, at, v->cram, sizeof v->cram, &len);
    v->has_cram = len > 0;
    return taken && (len == 0 || len == sizeof v->cram);
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
    if (!users_take_column(s, 0, out->name.octets, SASL_USER_MAX, &out->name.len) ||
        !users_take_column(s, 2, v->salt, SASL_SALT_MAX, &v->salt_len) || !users_take_keys(s, 4, v->keys) ||
        !take_crypt(s, 8, out) || !take_cram(s, 9, v))
        return false;
    out->imported = out->crypt[0] != '\0';
    return true;
}

/* The application passwords; asked of unknown users too. */
static bool take_more(sqlite3_stmt *s, struct users_login *out)
{
    int code;
    uint32_t n = 0;
    while ((code = sqlite3_step(s)) == SQLITE_ROW && n < SASL_MORE_MAX) {
        out->more_id[n] = sqlite3_column_int64(s, 0);
        if (!users_take_keys(s, 1, out->verifier.more[n++]))
            return false;
    }
    out->verifier.more_n = n;
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

/* Who has no password of another server gets somebody else's to be checked against, as long as there are any.
 */
static bool take_any_crypt(struct users *u, const struct users_key *key, struct users_login *out)
{
    sqlite3_stmt *s = users_use(u, USERS_ANY_CRYPT, key);
    int code = sqlite3_step(s);
    bool taken = code == SQLITE_DONE || (code == SQLITE_ROW && take_crypt(s, 0, out));
    users_let_go(s);
    return taken;
}

static int read_login(struct users *u, struct sp_view name, const struct users_key *key,
                      struct users_login *out)
{
    sqlite3_stmt *s = users_use(u, USERS_FIND, key), *more = users_use(u, USERS_MORE, key);
    int code = sqlite3_step(s), status = SP_OK;
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        status = users_log_failure(u);
    } else if ((code == SQLITE_ROW && !take_login(s, out)) || !take_more(more, out) ||
               (!out->imported && !take_any_crypt(u, key, out))) {
        os_log(OS_WARN, "users-db-failed", OS_STR("error", "a row is damaged"), OS_VIEW("user", name));
        status = SP_ERR_IO;
    }
    users_let_go(s);
    users_let_go(more);
    return status;
}

int users_find(struct users *u, struct sp_view name, struct users_login *login_out)
{
    struct users_login login = {0};
    struct sasl_verifier decoy;
    struct users_key key = {.len = 0};
    /* A name that cannot be prepared matches no key: the empty key is never stored. */
    struct sp_view said =
        users_fold(name, SASL_PREP_QUERY, &key) == SP_OK ? sp_view_make(key.octets, key.len) : name;
    if (sasl_verifier_decoy(sp_view_make(u->secret, sizeof u->secret), said, &decoy) != SP_OK)
        return SP_ERR_IO;
    int status = read_login(u, name, &key, &login);
    if (!status && !login.known)
        login.verifier = decoy;
    else if (!status && !login.verifier.has_cram)
        memcpy(login.verifier.cram, decoy.cram, sizeof decoy.cram);
    if (!status)
        *login_out = login;
    explicit_bzero(&login, sizeof login);
    return status;
}

void users_bind_verifier(sqlite3_stmt *s, const struct sasl_verifier *v, int64_t now_ms)
{
    sqlite3_bind_int64(s, 3, now_ms);
    bind_octets(s, 4, sp_view_make(v->salt, v->salt_len));
    sqlite3_bind_int64(s, 5, v->iterations);
    for (int h = 0; h < SASL_HASH_N; h++) {
        size_t len = sasl_hash_len((enum sasl_hash)h);
        bind_octets(s, 6 + 2 * h, sp_view_make(v->keys[h].stored, len));
        bind_octets(s, 7 + 2 * h, sp_view_make(v->keys[h].server, len));
    }
    if (v->has_cram) /* else NULL; application passwords have no place for it */
        bind_octets(s, 11, sp_view_make(v->cram, sizeof v->cram));
}

int users_add(struct users *u, struct sp_view name, const struct sasl_verifier *v, int64_t now_ms)
{
    struct users_key key;
    if (users_fold(name, SASL_PREP_STORED, &key) != SP_OK)
        return SP_ERR_SYNTAX;
    sqlite3_stmt *s = users_use(u, USERS_ADD, &key);
    database_bind_text(s, 2, name);
    users_bind_verifier(s, v, now_ms);
    return users_change(u, s);
}

int users_import(struct users *u, struct sp_view name, const char *crypt_hash, int64_t now_ms)
{
    struct users_key key;
    struct sasl_verifier v = {.salt_len = SASL_SALT_LEN, .iterations = SASL_ITERATIONS};
    if (users_fold(name, SASL_PREP_STORED, &key) != SP_OK || users_crypt_fault(crypt_hash))
        return SP_ERR_SYNTAX;
    os_random(v.salt, v.salt_len);
    os_random(v.keys, sizeof v.keys); /* no password has them */
    sqlite3_stmt *s = users_use(u, USERS_ADD, &key);
    database_bind_text(s, 2, name);
    users_bind_verifier(s, &v, now_ms);
    database_bind_text(s, 10, sp_view_of(crypt_hash));
    return users_change(u, s);
}

int users_set_verifier(struct users *u, struct sp_view name, const struct sasl_verifier *v, int64_t now_ms)
{
    struct users_key key;
    if (users_fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_SYNTAX;
    sqlite3_stmt *s = users_use(u, USERS_SET_VERIFIER, &key);
    users_bind_verifier(s, v, now_ms);
    return users_change(u, s);
}

int users_set_disabled(struct users *u, struct sp_view name, bool disabled)
{
    struct users_key key;
    if (users_fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_SYNTAX;
    sqlite3_stmt *s = users_use(u, USERS_SET_DISABLED, &key);
    sqlite3_bind_int(s, 2, disabled);
    return users_change(u, s);
}

int users_remove(struct users *u, struct sp_view name)
{
    struct users_key key;
    if (users_fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_SYNTAX;
    return users_change(u, users_use(u, USERS_REMOVE, &key));
}

/* --- lists --------------------------------------------------------------------------------- */

static int take_entry(struct users *u, sqlite3_stmt *s, struct users_entry *entry_out)
{
    struct users_entry entry = {0};
    int code = sqlite3_step(s), status = SP_OK;
    if (code == SQLITE_DONE)
        status = SP_ERR_ABSENT;
    else if (code != SQLITE_ROW ||
             !users_take_column(s, 0, entry.name.octets, SASL_USER_MAX, &entry.name.len))
        status = users_log_failure(u);
    if (!status) {
        entry.disabled = sqlite3_column_int(s, 1) != 0;
        entry.created_ms = sqlite3_column_int64(s, 2);
        entry.changed_ms = sqlite3_column_int64(s, 3);
        entry.imported = sqlite3_column_int(s, 4) != 0;
        entry.app_password_n = (uint32_t)sqlite3_column_int(s, 5);
        entry.sender_n = (uint32_t)sqlite3_column_int(s, 6);
        entry.has_cram = sqlite3_column_int(s, 7) != 0;
        *entry_out = entry;
    }
    users_let_go(s);
    return status;
}

int users_next(struct users *u, struct sp_view after, struct users_entry *entry_out)
{
    struct users_key key = {.len = 0};
    if (after.len && users_fold(after, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_ABSENT;
    return take_entry(u, users_use(u, USERS_NEXT, &key), entry_out);
}

int users_show(struct users *u, struct sp_view name, struct users_entry *entry_out)
{
    struct users_key key;
    if (users_fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_ABSENT;
    return take_entry(u, users_use(u, USERS_SHOW, &key), entry_out);
}
