#include "database/database.h"

void database_bind_text(sqlite3_stmt *st, int at, struct sp_view v)
{
    const char *text = v.len ? (const char *)v.p : "";
    (void)sqlite3_bind_text64(st, at, text, v.len, SQLITE_STATIC, SQLITE_UTF8); /* shows in the step */
}

void database_bind_number(sqlite3_stmt *st, int at, uint64_t n)
{
    (void)sqlite3_bind_int64(st, at, (sqlite3_int64)n); /* shows in the step */
}

struct sp_view database_text(sqlite3_stmt *st, int column)
{
    const void *p = sqlite3_column_blob(st, column);
    int n = sqlite3_column_bytes(st, column);
    return n > 0 ? sp_view_make(p, (size_t)n) : (struct sp_view){0};
}

uint64_t database_number(sqlite3_stmt *st, int column) { return (uint64_t)sqlite3_column_int64(st, column); }

int database_step(sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        return SP_OK;
    (void)sqlite3_reset(st); /* repeats the step's error */
    if (rc == SQLITE_DONE)
        return SP_ERR_ABSENT;
    return (rc & 0xff) == SQLITE_CONSTRAINT ? SP_ERR_EXISTS : SP_ERR_IO;
}

int database_ask(sqlite3 *db, const char *sql, int *n_out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
        *n_out = sqlite3_column_int(st, 0);
    (void)sqlite3_finalize(st); /* repeats the step's error */
    return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_EMPTY : rc;
}

void database_add_failure(struct sp_buf *text, sqlite3 *db)
{
    sp_buf_add_str(text, db ? sqlite3_errmsg(db) : "out of memory");
    sp_buf_add_str(text, " (SQLite ");
    sp_buf_add_dec(text, (uint64_t)(db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM));
    sp_buf_add_str(text, ")");
}
