/* Opening and writing. */
#include "roles/console/traces_inside.h"

#include "base/view.h"
#include "os/heap.h"

#include <stdio.h>
#include <stdlib.h>

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

#define X(n, sql) [TRACES_##n] = sql,
static const char *const statements[TRACES_STATEMENT_N] = {TRACES_STATEMENTS(X)};
#undef X

/* What is removed is overwritten: it names people. synchronous = NORMAL: a power failure may cost the last
 * sessions, never the file. */
static const struct database_form form = {
    .file = "sessions.db",
    .application_id = 0x53616c74, /* "Salt" */
    .steps = (const char *const[]){schema},
    .version = 1,
    .settings = "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON;"
                "PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
                "PRAGMA cell_size_check = ON;",
    .busy_ms = 2000, /* a tool may be reading */
    .way_out = "remove the file",
    .statements = statements,
    .statement_n = TRACES_STATEMENT_N,
};

/* --- statements ------------------------------------------------------------------------------- */

int traces_fail(struct traces *t)
{
    (void)snprintf(t->error, sizeof t->error, "%s (SQLite %d)", sqlite3_errmsg(t->database.db),
                   sqlite3_extended_errcode(t->database.db));
    if (!sqlite3_get_autocommit(t->database.db))
        (void)sqlite3_exec(t->database.db, "ROLLBACK", NULL, NULL,
                           NULL); /* the failure is the one to report */
    return SP_ERR_IO;
}

int traces_step(struct traces *t, sqlite3_stmt *st)
{
    int status = database_step(st);
    return status == SP_ERR_ABSENT || status == SP_OK ? status : traces_fail(t);
}

int traces_run(struct traces *t, sqlite3_stmt *st)
{
    int status = traces_step(t, st);
    if (status == SP_OK)
        (void)sqlite3_reset(st); /* a row that nobody needs */
    return status == SP_ERR_ABSENT ? SP_OK : status;
}

static int run(struct traces *t, enum traces_statement which)
{
    return traces_run(t, t->database.statements[which]);
}

static int count(struct traces *t)
{
    sqlite3_stmt *st = t->database.statements[TRACES_TOTALS];
    int status = traces_step(t, st);
    if (status)
        return status;
    t->n = (uint64_t)sqlite3_column_int64(st, 0);
    t->octets = (uint64_t)sqlite3_column_int64(st, 1);
    (void)sqlite3_reset(st); /* its step succeeded */
    return SP_OK;
}

/* --- open and close ----------------------------------------------------------------------------- */

int traces_open(int folder, bool create, struct sp_buf *error, struct traces **traces_out)
{
    struct traces *t = os_new(sizeof *t);
    int status = database_open(folder, &form, create, error, &t->database);
    if (!status && (status = count(t)) != SP_OK)
        sp_buf_add_str(error, t->error);
    if (status)
        traces_close(t);
    else
        *traces_out = t;
    return status;
}

void traces_close(struct traces *t)
{
    if (!t)
        return;
    database_close(&t->database);
    free(t);
}

const char *traces_error(const struct traces *t) { return t->error; }

/* --- writing ------------------------------------------------------------------------------------ */

int traces_begin(struct traces *t) { return run(t, TRACES_BEGIN); }

int traces_commit(struct traces *t) { return run(t, TRACES_COMMIT); }

int traces_add(struct traces *t, const struct ipc_trace *m)
{
    enum { ROW = 200 }; /* octets that a row takes besides its texts, about */
    sqlite3_stmt *st = t->database.statements[TRACES_ADD];
    const struct sp_view texts[] = {m->client, m->listener, m->hello, m->user, m->tls, m->refusal, m->lines};
    static const int places[] = {4, 6, 7, 8, 9, 13, 14};
    uint64_t octets = ROW;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        database_bind_text(st, places[i], texts[i]);
        octets += texts[i].len;
    }
    database_bind_number(st, 1, m->session);
    database_bind_number(st, 2, m->began_ms);
    database_bind_number(st, 3, m->lasted_ms);
    database_bind_number(st, 5, m->port);
    database_bind_number(st, 10, m->mails);
    database_bind_number(st, 11, m->refusals);
    database_bind_number(st, 12, m->failed != 0);
    database_bind_number(st, 15, octets);
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
    sqlite3_stmt *st = t->database.statements[TRACES_ADD_ATTEMPT];
    const struct sp_view texts[] = {m->reason, m->defect,        m->detail,
                                    m->steps,  m->offered_clear, m->offered_tls};
    database_bind_number(st, 1, m->session);
    database_bind_number(st, 2, m->at_ms);
    database_bind_text(st, 3, m->mechanism);
    database_bind_text(st, 4, m->user);
    database_bind_number(st, 5, m->tls != 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        database_bind_text(st, 6 + (int)i, texts[i]);
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
    sqlite3_stmt *st = t->database.statements[TRACES_OLDEST];
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
        database_bind_number(t->database.statements[removals[i]], 1, id);
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
    sqlite3_stmt *st = t->database.statements[TRACES_REMOVE_ORPHANS];
    database_bind_number(st, 1, now_ms > l->age_ms ? now_ms - l->age_ms : 0);
    database_bind_number(st, 2, l->most * A_SESSION);
    database_bind_number(st, 3, at_once);
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
    (void)sqlite3_exec(t->database.db, "PRAGMA incremental_vacuum(64)", NULL, NULL, NULL); /* or later */
    return SP_OK;
}
