/* Opening, transactions and housekeeping of the SQLite backend. */
#include "store/sqlite.h"

#include "base/view.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- failures ---------------------------------------------------------------------------- */

static bool means_full(int os_error) { return os_error == ENOSPC || os_error == EDQUOT || os_error == EFBIG; }

/* The operating system's reason for SQLite's I/O error: by the time it is asked, errno is another's. */
static int last_os_error(struct sqlite_store *s)
{
    int os_error = 0;
    sqlite3_file *wal = NULL;
    /* Where a question is not understood, there is no answer: 0. */
    if (sqlite3_file_control(s->database.db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK && wal &&
        wal->pMethods)
        (void)wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &os_error);
    if (!os_error)
        (void)sqlite3_file_control(s->database.db, NULL, SQLITE_FCNTL_LAST_ERRNO, &os_error);
    return os_error;
}

int sqlite_fail(struct sqlite_store *s)
{
    int extended = sqlite3_extended_errcode(s->database.db), primary = extended & 0xff;
    int os_error = primary == SQLITE_IOERR ? last_os_error(s) : 0;
    s->head.disk_full = primary == SQLITE_FULL || means_full(os_error);
    (void)snprintf(s->head.error, sizeof s->head.error, "queue.db: %s (SQLite %d)%s%s",
                   sqlite3_errmsg(s->database.db), extended, os_error ? ": " : "",
                   os_error ? strerror(os_error) : "");
    s->spoiled = s->in_transaction;
    return SP_ERR_IO;
}

int sqlite_fail_errno(struct sqlite_store *s, const char *what)
{
    int why = errno;
    s->head.disk_full = means_full(why);
    (void)snprintf(s->head.error, sizeof s->head.error, "%s: %s", what, strerror(why));
    s->spoiled = s->in_transaction;
    return SP_ERR_IO;
}

/* --- statements -------------------------------------------------------------------------- */

sqlite3_stmt *sqlite_statement(struct sqlite_store *s, enum sqlite_store_statement which)
{
    return s->database.statements[which];
}

int sqlite_step(struct sqlite_store *s, sqlite3_stmt *st)
{
    int status = database_step(st);
    return status == SP_ERR_IO ? sqlite_fail(s) : status;
}

int sqlite_run(struct sqlite_store *s, sqlite3_stmt *st)
{
    int status = sqlite_step(s, st);
    if (status == SP_OK)
        (void)sqlite3_reset(st); /* a pragma's row that nobody needs */
    return status == SP_ERR_ABSENT ? SP_OK : status;
}

static int run(struct sqlite_store *s, enum sqlite_store_statement which)
{
    return sqlite_run(s, sqlite_statement(s, which));
}

/* --- open and close ---------------------------------------------------------------------- */

static int note_wal(void *ctx, sqlite3 *db, const char *name, int frames)
{
    struct sqlite_store *s = ctx;
    (void)db, (void)name;
    if (frames < s->wal_frames)
        s->wal_done = 0; /* the WAL began anew */
    s->wal_frames = frames;
    return SQLITE_OK;
}

static bool owns_body(void *ctx, uint64_t id)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_IS_SPOOLED_STMT);
    database_bind_number(st, 1, id);
    int status = sqlite_step(s, st);
    bool owned = status != SP_ERR_ABSENT; /* when in doubt, keep it */
    if (status == SP_OK) {
        owned = sqlite3_column_int(st, 0);
        (void)sqlite3_reset(st); /* its step succeeded */
    }
    return owned;
}

static int open_bodies(struct sqlite_store *s, bool sweep, struct sp_buf *error)
{
    int status = bodies_open(&s->bodies, s->database.folder);
    if (!status && sweep)
        status = bodies_sweep(&s->bodies, owns_body, s);
    if (status)
        sp_buf_add_str(error, strerror(errno));
    return status;
}

static void close_sqlite(struct store *base)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->in_transaction)
        store_rollback(base);
    database_close(&s->database);
    bodies_close(&s->bodies);
    leases_fini(&s->leases);
    sp_buf_fini(&s->content);
    free(s);
}

static int open_sqlite(const struct store_options *options, struct sp_buf *error, struct store **store_out)
{
    struct sqlite_store *s = os_new(sizeof *s);
    s->head.backend = &store_sqlite;
    s->bodies = (struct bodies){.incoming = -1, .bodies = -1};
    leases_init(&s->leases);
    sp_buf_init(&s->content, &os_heap, SIZE_MAX / 2);
    int status = database_open(options->folder, &sqlite_form, options->create, error, &s->database);
    if (status == SP_ERR_ABSENT)
        sp_buf_add_str(error, "there is no queue.db");
    if (!status) {
        (void)sqlite3_extended_result_codes(s->database.db, 1); /* cannot fail on an open database */
        (void)sqlite3_wal_hook(s->database.db, note_wal, s);    /* there was none before */
        status = open_bodies(s, options->sweep, error);
    }
    if (!status) {
        *store_out = &s->head;
        return SP_OK;
    }
    close_sqlite(&s->head);
    return status;
}

/* --- transactions ------------------------------------------------------------------------- */

static int begin_sqlite(struct store *base)
{
    struct sqlite_store *s = sqlite_of(base);
    int status = run(s, SQLITE_BEGIN_STMT);
    if (status)
        return status;
    s->in_transaction = true;
    s->spoiled = false;
    s->count_change = 0;
    return SP_OK;
}

static void rollback_sqlite(struct store *base)
{
    struct sqlite_store *s = sqlite_of(base);
    /* SQLite may have rolled back by itself, then there is nothing to roll back. */
    if (!sqlite3_get_autocommit(s->database.db)) {
        sqlite3_stmt *st = sqlite_statement(s, SQLITE_ROLLBACK_STMT);
        (void)sqlite3_step(st);  /* cannot fail while a transaction is open and no statement runs */
        (void)sqlite3_reset(st); /* the same */
    }
    bodies_rolled_back(&s->bodies);
    s->tls.known = false;
    s->in_transaction = s->spoiled = false;
}

static int commit_sqlite(struct store *base)
{
    struct sqlite_store *s = sqlite_of(base);
    int status = s->spoiled ? SP_ERR_IO : SP_OK;
    if (!status && bodies_sync(&s->bodies) != SP_OK)
        status = sqlite_fail_errno(s, "bodies");
    if (!status)
        status = run(s, SQLITE_COMMIT_STMT);
    if (status) {
        rollback_sqlite(base);
        return status;
    }
    s->in_transaction = false;
    s->count += (uint64_t)s->count_change;
    bodies_committed(&s->bodies);
    return SP_OK;
}

/* --- files ------------------------------------------------------------------------------- */

static int spool_sqlite(struct store *base, uint64_t id, int *fd_out)
{
    struct sqlite_store *s = sqlite_of(base);
    int status = bodies_spool(&s->bodies, id, fd_out);
    bool spoiled = s->spoiled; /* spooling is no part of the transaction */
    if (status == SP_ERR_IO)
        (void)sqlite_fail_errno(s, "incoming");
    s->spoiled = spoiled;
    return status;
}

static void unspool_sqlite(struct store *base, uint64_t id) { bodies_unspool(&sqlite_of(base)->bodies, id); }

const struct store_backend store_sqlite = {
    .name = "sqlite",
    .open = open_sqlite,
    .close = close_sqlite,
    .begin = begin_sqlite,
    .commit = commit_sqlite,
    .rollback = rollback_sqlite,
    .add = sqlite_add,
    .lease = sqlite_lease,
    .release = sqlite_release,
    .settle = sqlite_settle,
    .retry = sqlite_retry,
    .recall = sqlite_recall,
    .hasten = sqlite_hasten,
    .park = sqlite_park,
    .lease_parked = sqlite_lease_parked,
    .parked_after = sqlite_parked_after,
    .count_parked = sqlite_count_parked,
    .suspend = sqlite_suspend,
    .resume = sqlite_resume,
    .suspensions = sqlite_suspensions,
    .late = sqlite_late,
    .redirect = sqlite_redirect,
    .remove = sqlite_remove,
    .list = sqlite_list,
    .body = sqlite_body,
    .spool = spool_sqlite,
    .unspool = unspool_sqlite,
    .tidy = sqlite_tidy,
    .space = sqlite_space,
    .count = sqlite_count,
    .tls_add = sqlite_tls_add,
    .tls_read = sqlite_tls_read,
    .tls_list = sqlite_tls_list,
    .tls_due = sqlite_tls_due,
    .tls_mark = sqlite_tls_mark,
    .tls_forget = sqlite_tls_forget,
};
