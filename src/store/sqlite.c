/*
 * Opening, transactions and housekeeping of the SQLite backend.
 *
 * The database is opened through the descriptor of its folder, and by a VFS that takes the name as it is: a
 * role may not be able to walk the path that leads to its own folder.
 */
#include "store/sqlite.h"

#include "base/view.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define X(n, sql) [SQLITE_##n##_STMT] = sql,
static const char *const statement_sql[SQLITE_STMT_N] = {SQLITE_STORE_STATEMENTS(X)};
#undef X

/* --- failures ---------------------------------------------------------------------------- */

static bool means_full(int os_error) { return os_error == ENOSPC || os_error == EDQUOT || os_error == EFBIG; }

/* The operating system's reason for SQLite's I/O error: by the time it is asked, errno is another's. */
static int last_os_error(struct sqlite_store *s)
{
    int os_error = 0;
    sqlite3_file *wal = NULL;
    /* Where a question is not understood, there is no answer: 0. */
    if (sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK && wal &&
        wal->pMethods)
        (void)wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &os_error);
    if (!os_error)
        (void)sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_LAST_ERRNO, &os_error);
    return os_error;
}

int sqlite_fail(struct sqlite_store *s)
{
    int extended = sqlite3_extended_errcode(s->db), primary = extended & 0xff;
    int os_error = primary == SQLITE_IOERR ? last_os_error(s) : 0;
    s->head.disk_full = primary == SQLITE_FULL || means_full(os_error);
    (void)snprintf(s->head.error, sizeof s->head.error, "queue.db: %s (SQLite %d)%s%s", sqlite3_errmsg(s->db),
                   extended, os_error ? ": " : "", os_error ? strerror(os_error) : "");
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
    return s->statements[which];
}

void sqlite_bind_view(sqlite3_stmt *st, int at, struct sp_view v)
{
    const char *text = v.len ? (const char *)v.p : "";
    (void)sqlite3_bind_text64(st, at, text, v.len, SQLITE_STATIC,
                              SQLITE_UTF8); /* a failed bind shows in the step */
}

void sqlite_bind_u64(sqlite3_stmt *st, int at, uint64_t n)
{
    (void)sqlite3_bind_int64(st, at, (sqlite3_int64)n); /* a failed bind shows in the step */
}

int sqlite_step(struct sqlite_store *s, sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        return SP_OK;
    int status = SP_ERR_ABSENT;
    if ((rc & 0xff) == SQLITE_CONSTRAINT)
        status = SP_ERR_EXISTS;
    else if (rc != SQLITE_DONE)
        status = sqlite_fail(s);
    (void)sqlite3_reset(st); /* repeats the step's error */
    return status;
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
        vfs.zName = "sallyport-verbatim";
        vfs.xFullPathname = keep_name;
        vfs.pNext = NULL;
        (void)sqlite3_vfs_register(&vfs, 0); /* cannot fail for a new name; open would say so */
    }
    return vfs.zName;
}

static int note_wal(void *ctx, sqlite3 *db, const char *name, int frames)
{
    struct sqlite_store *s = ctx;
    (void)db, (void)name;
    if (frames < s->wal_frames)
        s->wal_done = 0; /* the WAL began anew */
    s->wal_frames = frames;
    return SQLITE_OK;
}

static int configure(struct sqlite_store *s)
{
    /* Deleted messages leave no zeros behind: they would cost as much to write as the messages themselves. */
    static const char sql[] =
        "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
        "PRAGMA synchronous = FULL;"
        "PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = OFF; PRAGMA cache_size = -16384;"
        "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;";
    if (sqlite3_busy_timeout(s->db, SQLITE_BUSY_WAIT_MS) != SQLITE_OK ||
        sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return SP_ERR_IO;
    (void)sqlite3_wal_hook(s->db, note_wal, s); /* there was none before */
    return SP_OK;
}

static int prepare(struct sqlite_store *s)
{
    for (size_t i = 0; i < SQLITE_STMT_N; i++)
        if (sqlite3_prepare_v3(s->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i],
                               NULL) != SQLITE_OK)
            return SP_ERR_IO;
    return SP_OK;
}

static int open_database(struct sqlite_store *s, bool create, struct sp_buf *error)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d/queue.db", s->folder);
    if (!create && faccessat(s->folder, "queue.db", F_OK, 0) != 0 && errno == ENOENT) {
        sp_buf_add_str(error, "there is no queue.db");
        return SP_ERR_ABSENT;
    }
    /* SQLite's own files take over the mode that is given here. */
    int made = create ? openat(s->folder, "queue.db", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    if (made >= 0)
        close(made); /* nothing was written */
    else if (create)
        return SP_ERR_IO;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(path, &s->db, flags, verbatim_vfs()) != SQLITE_OK)
        return SP_ERR_IO;
    (void)sqlite3_extended_result_codes(s->db, 1); /* cannot fail on an open database */
    int status = configure(s);
    if (!status)
        status = sqlite_schema_ready(s->db, error);
    return status ? status : prepare(s);
}

static bool owns_body(void *ctx, uint64_t id)
{
    struct sqlite_store *s = ctx;
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_IS_SPOOLED_STMT);
    sqlite_bind_u64(st, 1, id);
    int status = sqlite_step(s, st);
    bool owned = status != SP_ERR_ABSENT; /* when in doubt, keep it */
    if (status == SP_OK) {
        owned = sqlite3_column_int(st, 0);
        (void)sqlite3_reset(st); /* its step succeeded */
    }
    return owned;
}

static void close_sqlite(struct store *base)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->in_transaction)
        store_rollback(base);
    for (size_t i = 0; i < SQLITE_STMT_N; i++)
        (void)sqlite3_finalize(s->statements[i]); /* repeats the last step's error */
    (void)sqlite3_close(s->db); /* checkpoints; what it cannot write stays in the WAL for the next start */
    bodies_close(&s->bodies);
    leases_fini(&s->leases);
    sp_buf_fini(&s->content);
    if (s->folder >= 0)
        close(s->folder);
    free(s);
}

static int open_sqlite(const struct store_options *options, struct sp_buf *error, struct store **store_out)
{
    struct sqlite_store *s = os_new(sizeof *s);
    s->head.backend = &store_sqlite;
    s->bodies = (struct bodies){.incoming = -1, .bodies = -1};
    leases_init(&s->leases);
    sp_buf_init(&s->content, &os_heap, SIZE_MAX / 2);
    s->folder = fcntl(options->folder, F_DUPFD_CLOEXEC, 3);
    size_t told = error->len;
    int status = s->folder < 0 ? SP_ERR_IO : open_database(s, options->create, error);
    if (!status)
        status = bodies_open(&s->bodies, s->folder);
    if (!status && options->sweep)
        status = bodies_sweep(&s->bodies, owns_body, s);
    if (!status) {
        *store_out = &s->head;
        return SP_OK;
    }
    if (error->len == told) {
        bool database = s->db && sqlite3_errcode(s->db) != SQLITE_OK;
        sp_buf_add_str(error, database ? sqlite3_errmsg(s->db) : strerror(errno));
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
    if (!sqlite3_get_autocommit(s->db)) {
        sqlite3_stmt *st = sqlite_statement(s, SQLITE_ROLLBACK_STMT);
        (void)sqlite3_step(st);  /* cannot fail while a transaction is open and no statement runs */
        (void)sqlite3_reset(st); /* the same */
    }
    bodies_rolled_back(&s->bodies);
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
};
