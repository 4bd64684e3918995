/* Housekeeping of the SQLite backend: checkpoints, and the way of unused pages back to the disk. */
#include "store/sqlite.h"

#include <sys/statvfs.h>

enum {
    WAL_FRAMES_MOST = 2000, /* above it, a checkpoint between two batches: some milliseconds of writing */
    VACUUM_PAGES = 256,     /* given back to the file system in one step                              */
    KEEP_PAGES = 1024       /* kept for the next messages at least                                    */
};

static int pragma_number(struct sqlite_store *s, enum sqlite_store_statement which, int *n_out)
{
    sqlite3_stmt *st = sqlite_statement(s, which);
    int status = sqlite_step(s, st);
    if (status)
        return status == SP_ERR_ABSENT ? SP_ERR_IO : status;
    *n_out = sqlite3_column_int(st, 0);
    (void)sqlite3_reset(st); /* its step succeeded */
    return SP_OK;
}

static void checkpoint(struct sqlite_store *s)
{
    int frames = 0, done = 0;
    /* A failure leaves all in the WAL, where it is as safe; the next one tries again. */
    if (sqlite3_wal_checkpoint_v2(s->database.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &done) ==
        SQLITE_OK)
        s->wal_frames = frames, s->wal_done = done;
}

static int wal_rest(const struct sqlite_store *s) { return s->wal_frames - s->wal_done; }

/* The WAL's file keeps its size for the next frames; here it is emptied, unless an operator's reader needs
 * it. */
static void truncate_wal(struct sqlite_store *s)
{
    int frames = 0, done = 0;
    (void)sqlite3_busy_timeout(s->database.db, 0); /* no waiting for readers */
    if (sqlite3_wal_checkpoint_v2(s->database.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &frames, &done) ==
        SQLITE_OK)
        s->wal_frames = s->wal_done = 0;
    (void)sqlite3_busy_timeout(s->database.db, SQLITE_BUSY_WAIT_MS); /* as the form says */
}

/*
 * Give a step's pages back to the disk. Unless it is low, as many as there are in use stay for the next
 * messages. true: there may be more.
 */
static bool vacuum(struct sqlite_store *s, bool low)
{
    int pages = 0, all = 0;
    char sql[48];
    if (pragma_number(s, SQLITE_REUSABLE_STMT, &pages) != SP_OK ||
        pragma_number(s, SQLITE_PAGES_STMT, &all) != SP_OK)
        return false;
    int used = all - pages, keep = low ? 0 : used > KEEP_PAGES ? used : KEEP_PAGES;
    if (pages < keep + VACUUM_PAGES)
        return false;
    (void)sqlite3_snprintf(sizeof sql, sql, "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
    /* On failure the pages stay reusable, and there is no use in asking again at once. */
    bool worked = sqlite3_exec(s->database.db, sql, NULL, NULL, NULL) == SQLITE_OK;
    checkpoint(s);
    return worked;
}

bool sqlite_tidy(struct store *base, enum store_tidiness how)
{
    struct sqlite_store *s = sqlite_of(base);
    int before = wal_rest(s);
    if (s->in_transaction)
        return true;
    if (how == STORE_BUSY) {
        if (before >= WAL_FRAMES_MOST)
            checkpoint(s);
        return wal_rest(s) > 0;
    }
    if (vacuum(s, how == STORE_LOW))
        return true;
    if (before > 0)
        checkpoint(s);
    if (how == STORE_LOW && wal_rest(s) == 0 && s->wal_frames > 0)
        truncate_wal(s);
    return wal_rest(s) > 0 && wal_rest(s) < before;
}

int sqlite_space(struct store *base, struct store_space *space_out)
{
    struct sqlite_store *s = sqlite_of(base);
    struct statvfs fs;
    int pages = 0;
    if (fstatvfs(s->database.folder, &fs) != 0)
        return sqlite_fail_errno(s, "free space of the data folder");
    int status = pragma_number(s, SQLITE_REUSABLE_STMT, &pages);
    if (status)
        return status;
    *space_out =
        (struct store_space){(uint64_t)fs.f_bavail * fs.f_frsize, (uint64_t)pages * SQLITE_PAGE_OCTETS};
    return SP_OK;
}
