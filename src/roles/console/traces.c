/*
 * Opening and writing. The database is opened through the descriptor of its folder, by a VFS that takes the
 * name as it is: the role may not be able to walk the path that leads to its own folder.
 */
#include "roles/console/traces_inside.h"

#include "base/view.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x53616c74, /* "Salt": so that file(1) and we know whose database it is */
    SCHEMA_VERSION = 1,
    BUSY_MS = 2000 /* a tool may be reading */
};

#define X(n, sql) [TRACES_##n] = sql,
static const char *const statement_sql[TRACES_STATEMENT_N] = {TRACES_STATEMENTS(X)};
#undef X

static const char schema[] = "CREATE TABLE session (\n"
                             "  id INTEGER PRIMARY KEY,\n"
                             "  began_ms INTEGER NOT NULL,\n"
                             "  lasted_ms INTEGER NOT NULL,\n"
                             "  client TEXT NOT NULL,\n"
                             "  port INTEGER NOT NULL,\n"
                             "  listener TEXT NOT NULL,\n"
                             "  hello TEXT NOT NULL,\n"
                             "  user TEXT NOT NULL,\n"
                             "  tls TEXT NOT NULL,\n"
                             "  mails INTEGER NOT NULL,\n"
                             "  refusals INTEGER NOT NULL,\n"
                             "  failed INTEGER NOT NULL,\n"
                             "  refusal TEXT NOT NULL,\n"
                             "  lines TEXT NOT NULL,\n"
                             "  octets INTEGER NOT NULL\n"
                             ");\n"
                             "CREATE TABLE attempt (\n"
                             "  session INTEGER NOT NULL,\n"
                             "  at_ms INTEGER NOT NULL,\n"
                             "  mechanism TEXT NOT NULL,\n"
                             "  user TEXT NOT NULL,\n"
                             "  tls INTEGER NOT NULL,\n"
                             "  reason TEXT NOT NULL,\n"
                             "  defect TEXT NOT NULL,\n"
                             "  detail TEXT NOT NULL,\n"
                             "  steps TEXT NOT NULL,\n"
                             "  offered_clear TEXT NOT NULL,\n"
                             "  offered_tls TEXT NOT NULL\n"
                             ");\n"
                             "CREATE INDEX attempt_session ON attempt (session);\n";

/* --- statements ------------------------------------------------------------------------------- */

int traces_fail(struct traces *t)
{
    (void)snprintf(t->error, sizeof t->error, "%s (SQLite %d)", sqlite3_errmsg(t->db),
                   sqlite3_extended_errcode(t->db));
    if (!sqlite3_get_autocommit(t->db))
        (void)sqlite3_exec(t->db, "ROLLBACK", NULL, NULL, NULL); /* the failure is the one to report */
    return SP_ERR_IO;
}

void traces_bind_text(sqlite3_stmt *st, int at, struct sp_view v)
{
    /* A failed bind shows in the step. */
    (void)sqlite3_bind_text64(st, at, v.len ? (const char *)v.p : "", v.len, SQLITE_STATIC, SQLITE_UTF8);
}

void traces_bind_number(sqlite3_stmt *st, int at, uint64_t n)
{
    (void)sqlite3_bind_int64(st, at, (sqlite3_int64)n); /* as above */
}

int traces_step(struct traces *t, sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        return SP_OK;
    int status = rc == SQLITE_DONE ? SP_ERR_ABSENT : traces_fail(t);
    (void)sqlite3_reset(st); /* repeats the step's error */
    return status;
}

int traces_run(struct traces *t, sqlite3_stmt *st)
{
    int status = traces_step(t, st);
    if (status == SP_OK)
        (void)sqlite3_reset(st); /* a row that nobody needs */
    return status == SP_ERR_ABSENT ? SP_OK : status;
}

static int run(struct traces *t, enum traces_statement which) { return traces_run(t, t->statements[which]); }

static int count(struct traces *t)
{
    sqlite3_stmt *st = t->statements[TRACES_TOTALS];
    int status = traces_step(t, st);
    if (status)
        return status;
    t->n = (uint64_t)sqlite3_column_int64(st, 0);
    t->octets = (uint64_t)sqlite3_column_int64(st, 1);
    (void)sqlite3_reset(st); /* its step succeeded */
    return SP_OK;
}

/* --- open and close ----------------------------------------------------------------------------- */

static int keep_name(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    size_t len = strlen(name);
    if (len >= (size_t)n)
        return SQLITE_CANTOPEN;
    memcpy(out, name, len + 1);
    return SQLITE_OK;
}

static const char *verbatim_vfs(void)
{
    static sqlite3_vfs vfs;
    if (!vfs.zName) {
        vfs = *sqlite3_vfs_find(NULL);
        vfs.zName = "sallyport-traces";
        vfs.xFullPathname = keep_name;
        vfs.pNext = NULL;
        (void)sqlite3_vfs_register(&vfs, 0); /* cannot fail for a new name; open would say so */
    }
    return vfs.zName;
}

static int read_number(sqlite3 *db, const char *sql, int *n_out)
{
    sqlite3_stmt *st = NULL;
    int status = SP_ERR_IO;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        *n_out = sqlite3_column_int(st, 0);
        status = SP_OK;
    }
    (void)sqlite3_finalize(st); /* repeats the step's error */
    return status;
}

static bool make_schema(sqlite3 *db)
{
    char end[96];
    (void)snprintf(end, sizeof end, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                   APPLICATION_ID, SCHEMA_VERSION); /* fits */
    if (sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK)
        return false;
    if (sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(db, end, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* the failure is the one to report */
    return false;
}

/* Refuse a database of another program before anything is changed in it. */
static int ready_schema(struct traces *t, struct sp_buf *error)
{
    int version, owner, tables;
    if (read_number(t->db, "PRAGMA user_version", &version) ||
        read_number(t->db, "PRAGMA application_id", &owner) ||
        read_number(t->db, "SELECT count(*) FROM sqlite_schema", &tables))
        return traces_fail(t);
    if (owner != APPLICATION_ID && (owner || version || tables)) {
        sp_buf_add_str(error, "it is a database of another program");
        return SP_ERR_IO;
    }
    if (version > SCHEMA_VERSION) {
        sp_buf_add_str(error, "it was written by a newer Sallyport: use that version, or remove the file");
        return SP_ERR_RANGE;
    }
    return version == SCHEMA_VERSION || make_schema(t->db) ? SP_OK : traces_fail(t);
}

static int prepare(struct traces *t)
{
    for (size_t i = 0; i < TRACES_STATEMENT_N; i++)
        if (sqlite3_prepare_v3(t->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &t->statements[i],
                               NULL) != SQLITE_OK)
            return traces_fail(t);
    return count(t);
}

static int open_database(struct traces *t, int folder, bool create, struct sp_buf *error)
{
    /* synchronous = NORMAL: a power failure may cost the last sessions, never the file. What is removed is
     * overwritten: it names people. */
    static const char settings[] =
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "PRAGMA secure_delete = ON; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY;"
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;";
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d/sessions.db", folder); /* fits */
    if (!create && faccessat(folder, "sessions.db", F_OK, 0) != 0 && errno == ENOENT)
        return SP_ERR_ABSENT;
    int made = openat(folder, "sessions.db", O_RDWR | (create ? O_CREAT : 0) | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (made < 0) {
        (void)snprintf(t->error, sizeof t->error, "%s", strerror(errno));
        return SP_ERR_IO;
    }
    close(made); /* nothing was written */
    if (sqlite3_open_v2(path, &t->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, verbatim_vfs()) !=
            SQLITE_OK ||
        sqlite3_busy_timeout(t->db, BUSY_MS) != SQLITE_OK ||
        sqlite3_exec(t->db, settings, NULL, NULL, NULL) != SQLITE_OK)
        return traces_fail(t);
    int status = ready_schema(t, error);
    return status ? status : prepare(t);
}

int traces_open(int folder, bool create, struct sp_buf *error, struct traces **traces_out)
{
    struct traces *t = os_new(sizeof *t);
    /* SQLite opens further files by this name for as long as it lives. */
    int own = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    int status = SP_ERR_IO;
    if (own < 0)
        (void)snprintf(t->error, sizeof t->error, "%s", strerror(errno));
    else
        status = open_database(t, own, create, error);
    t->folder = own;
    if (status == SP_OK) {
        *traces_out = t;
        return SP_OK;
    }
    sp_buf_add_str(error, t->error);
    traces_close(t);
    return status;
}

void traces_close(struct traces *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < TRACES_STATEMENT_N; i++)
        (void)sqlite3_finalize(t->statements[i]); /* repeats an error that was told */
    (void)sqlite3_close(t->db);                   /* all statements are gone */
    if (t->folder >= 0)
        close(t->folder);
    free(t);
}

const char *traces_error(const struct traces *t) { return t->error; }

/* --- writing ------------------------------------------------------------------------------------ */

int traces_begin(struct traces *t) { return run(t, TRACES_BEGIN); }

int traces_commit(struct traces *t) { return run(t, TRACES_COMMIT); }

int traces_add(struct traces *t, const struct ipc_trace *m)
{
    enum { ROW = 200 }; /* octets that a row takes besides its texts, about */
    sqlite3_stmt *st = t->statements[TRACES_ADD];
    const struct sp_view texts[] = {m->client, m->listener, m->hello, m->user, m->tls, m->refusal, m->lines};
    static const int places[] = {4, 6, 7, 8, 9, 13, 14};
    uint64_t octets = ROW;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        traces_bind_text(st, places[i], texts[i]);
        octets += texts[i].len;
    }
    traces_bind_number(st, 1, m->session);
    traces_bind_number(st, 2, m->began_ms);
    traces_bind_number(st, 3, m->lasted_ms);
    traces_bind_number(st, 5, m->port);
    traces_bind_number(st, 10, m->mails);
    traces_bind_number(st, 11, m->refusals);
    traces_bind_number(st, 12, m->failed != 0);
    traces_bind_number(st, 15, octets);
    int status = traces_run(t, st);
    (void)sqlite3_clear_bindings(st); /* the texts are the caller's */
    if (status == SP_OK) {
        t->n++;
        t->octets += octets;
    }
    return status;
}

int traces_add_attempt(struct traces *t, const struct ipc_trace_attempt *m)
{
    sqlite3_stmt *st = t->statements[TRACES_ADD_ATTEMPT];
    const struct sp_view texts[] = {m->reason, m->defect,        m->detail,
                                    m->steps,  m->offered_clear, m->offered_tls};
    traces_bind_number(st, 1, m->session);
    traces_bind_number(st, 2, m->at_ms);
    traces_bind_text(st, 3, m->mechanism);
    traces_bind_text(st, 4, m->user);
    traces_bind_number(st, 5, m->tls != 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        traces_bind_text(st, 6 + (int)i, texts[i]);
    int status = traces_run(t, st);
    (void)sqlite3_clear_bindings(st); /* as above */
    return status;
}

/* --- sweeping ----------------------------------------------------------------------------------- */

bool traces_over(const struct traces *t, const struct traces_limits *l)
{
    return t->n > l->most || t->octets > l->octets;
}

/* Remove the oldest session when it is over the limits; SP_ERR_ABSENT: none is. */
static int sweep_one(struct traces *t, const struct traces_limits *l, uint64_t now_ms)
{
    sqlite3_stmt *st = t->statements[TRACES_OLDEST];
    int status = traces_step(t, st);
    if (status)
        return status;
    uint64_t id = (uint64_t)sqlite3_column_int64(st, 0), began_ms = (uint64_t)sqlite3_column_int64(st, 1),
             octets = (uint64_t)sqlite3_column_int64(st, 2);
    (void)sqlite3_reset(st); /* its step succeeded */
    if (!traces_over(t, l) && began_ms + l->age_ms >= now_ms)
        return SP_ERR_ABSENT;
    static const enum traces_statement removals[] = {TRACES_REMOVE_ATTEMPTS, TRACES_REMOVE};
    for (size_t i = 0; i < sizeof removals / sizeof *removals && !status; i++) {
        traces_bind_number(t->statements[removals[i]], 1, id);
        status = run(t, removals[i]);
    }
    if (status == SP_OK) {
        t->n--;
        t->octets -= octets;
    }
    return status;
}

/* Attempts of sessions that were not kept, or not yet. */
static int sweep_attempts(struct traces *t, const struct traces_limits *l, uint64_t now_ms, uint64_t at_once)
{
    enum { A_SESSION = 5 }; /* attempts that a session may have, on the average */
    sqlite3_stmt *st = t->statements[TRACES_REMOVE_ORPHANS];
    traces_bind_number(st, 1, now_ms > l->age_ms ? now_ms - l->age_ms : 0);
    traces_bind_number(st, 2, l->most * A_SESSION);
    traces_bind_number(st, 3, at_once);
    return traces_run(t, st);
}

int traces_sweep(struct traces *t, const struct traces_limits *limits, uint64_t now_ms, bool *more_out)
{
    enum { AT_ONCE = 64 };
    int status = traces_begin(t);
    unsigned n = 0;
    *more_out = false;
    while (!status && n < AT_ONCE) {
        status = sweep_one(t, limits, now_ms);
        n += status == SP_OK;
    }
    if (status == SP_ERR_ABSENT)
        status = SP_OK;
    if (!status)
        status = sweep_attempts(t, limits, now_ms, AT_ONCE);
    if (!status)
        status = traces_commit(t);
    if (status) {
        (void)count(t); /* what was rolled back is there again; a failure shows in the next write */
        return status;
    }
    *more_out = n == AT_ONCE;
    (void)sqlite3_exec(t->db, "PRAGMA incremental_vacuum(64)", NULL, NULL, NULL); /* or later */
    return SP_OK;
}
