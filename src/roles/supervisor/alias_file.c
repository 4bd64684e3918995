#include "roles/supervisor/alias_file.h"

#include "base/view.h"
#include "config/aliases.h"
#include "os/file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sysexits.h>

static bool is_database(struct sp_view text)
{
    static const struct sp_view magic = SP_LIT_INIT("SQLite format 3");
    return sp_view_eq(sp_view_sub(text, 0, magic.len), magic);
}

static void add_word(struct sp_buf *text, sqlite3_stmt *st, int column)
{
    const void *octets = sqlite3_column_text(st, column);
    (void)sp_buf_add(text, sp_view_make(octets, (size_t)sqlite3_column_bytes(st, column))); /* sticks */
}

/* Rows of one name come together; its targets are on the lines that follow. */
static int add_rows(sqlite3 *db, struct sp_buf *text)
{
    static const char sql[] =
        "SELECT name, group_concat(target, ', ') FROM alias GROUP BY name ORDER BY name";
    sqlite3_stmt *st = NULL;
    int status = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    while (status == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        add_word(text, st, 0);
        (void)sp_buf_add_str(text, ": "); /* these stick */
        add_word(text, st, 1);
        (void)sp_buf_add_str(text, "\n");
    }
    int end = sqlite3_finalize(st);
    return status == SQLITE_OK ? end : status;
}

static int read_database(const char *path, struct sp_buf *text, struct sp_buf *error)
{
    sqlite3 *db = NULL;
    sp_buf_clear(text);
    int status = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
    if (status == SQLITE_OK)
        status = add_rows(db, text);
    if (status != SQLITE_OK) {
        sp_buf_add_str(error, path);
        sp_buf_add_str(error, ": a table alias (name TEXT, target TEXT) is needed, and cannot be read: ");
        sp_buf_add_str(error, db ? sqlite3_errmsg(db) : sqlite3_errstr(status));
        sp_buf_add_str(error, "\n");
    }
    (void)sqlite3_close(db); /* nothing is open in it */
    return status == SQLITE_OK ? EX_OK : EX_CONFIG;
}

int alias_file_read(const char *path, struct sp_buf *text, struct sp_buf *error)
{
    int status = os_file_read(AT_FDCWD, path, text);
    int code = EX_OK;
    if (status == SP_OK && is_database(sp_buf_view(text)))
        code = read_database(path, text, error);
    if (status == SP_OK && code == EX_OK && sp_buf_status(text))
        status = SP_ERR_LONG;
    if (status != SP_OK) {
        os_file_add_fault(error, path, "the aliases cannot be read", status);
        return EX_NOINPUT;
    }
    struct config_aliases *aliases = NULL;
    if (code == EX_OK && config_aliases_parse(path, sp_buf_view(text), error, &aliases) != SP_OK)
        code = EX_CONFIG;
    config_aliases_free(aliases);
    return code;
}
