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

static struct sp_view word_of(sqlite3_stmt *st, int column)
{
    const void *octets = sqlite3_column_text(st, column);
    return sp_view_make(octets, (size_t)sqlite3_column_bytes(st, column));
}

/*
 * One word of the text and no more: who may write a row of somebody's own must not write another's with it.
 * So nothing in it ends a line, a name or a target, or begins a comment, unless it is in quotes from its
 * start on.
 */
static bool is_one_word(struct sp_view v, bool name)
{
    bool quoted = v.len > 0 && v.p[0] == '"', open = quoted;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.p[i];
        if (c < 0x20 || c == 0x7f || (!open && (c == ',' || c == '#' || c == ' ' || (c == '"' && i > 0))) ||
            (!open && name && (c == ':' || quoted)))
            return false;
        if (open && c == '\\')
            i++;
        else if (open && i > 0 && c == '"')
            open = false;
    }
    return v.len > 0 && !open;
}

static void add_fault(const char *path, struct sp_view name, struct sp_buf *error)
{
    sp_buf_add_str(error, path);
    sp_buf_add_str(error, ": table alias, name \"");
    for (size_t i = 0; i < name.len && i < 80; i++)
        sp_buf_add_u8(error, name.p[i] < 0x20 || name.p[i] == 0x7f ? '?' : name.p[i]);
    sp_buf_add_str(error,
                   "\": a row holds one name and one target, without spaces, commas, # or control octets "
                   "outside of quotes\n");
}

/* Rows of one name come together, in any case of its letters; each of its targets has a line. */
static int add_rows(const char *path, sqlite3 *db, struct sp_buf *text, struct sp_buf *error,
                    bool *faulty_out)
{
    static const char sql[] = "SELECT name, target, lag(lower(name)) OVER o IS lower(name) FROM alias WINDOW "
                              "o AS (ORDER BY lower(name)) "
                              "ORDER BY lower(name)";
    sqlite3_stmt *st = NULL;
    int status = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    while (status == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        struct sp_view name = word_of(st, 0), target = word_of(st, 1);
        bool more = sqlite3_column_int(st, 2);
        if (!is_one_word(name, true) || !is_one_word(target, false)) {
            add_fault(path, name, error);
            *faulty_out = true;
            continue;
        }
        if (!more)
            (void)sp_buf_add(text, name); /* these stick */
        (void)sp_buf_add_str(text, more ? " " : ": ");
        (void)sp_buf_add(text, target);
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
    bool faulty = false;
    if (status == SQLITE_OK)
        status = add_rows(path, db, text, error, &faulty);
    if (status != SQLITE_OK) {
        sp_buf_add_str(error, path);
        sp_buf_add_str(error, ": a table alias (name TEXT, target TEXT) is needed, and cannot be read: ");
        sp_buf_add_str(error, db ? sqlite3_errmsg(db) : sqlite3_errstr(status));
        sp_buf_add_str(error, "\n");
    }
    (void)sqlite3_close(db); /* nothing is open in it */
    return status == SQLITE_OK && !faulty ? EX_OK : EX_CONFIG;
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
