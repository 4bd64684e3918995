/* Whose a file is, and the way from each version of its schema to the next. */
#include "database/database.h"

#include <stdio.h>

static bool run(sqlite3 *db, const char *sql) { return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK; }

static int fail(sqlite3 *db, struct sp_buf *error)
{
    database_add_failure(error, db);
    return SP_ERR_IO;
}

static void say_newer(const struct database_form *form, int version, struct sp_buf *error)
{
    sp_buf_add_str(error, "it was written by a newer Sallyport (schema ");
    sp_buf_add_dec(error, (uint64_t)version);
    sp_buf_add_str(error, ", this one knows up to ");
    sp_buf_add_dec(error, (uint64_t)form->version);
    sp_buf_add_str(error, "): use that version, or ");
    sp_buf_add_str(error, form->way_out);
}

/* Of one moment: another process may be making the file. */
static bool look(sqlite3 *db, int *version, int *owner, int *tables)
{
    bool done = run(db, "BEGIN") && database_ask(db, "PRAGMA user_version", version) == SQLITE_OK &&
                database_ask(db, "PRAGMA application_id", owner) == SQLITE_OK &&
                database_ask(db, "SELECT count(*) FROM sqlite_schema", tables) == SQLITE_OK;
    return done && run(db, "COMMIT");
}

int database_schema_check(sqlite3 *db, const struct database_form *form, struct sp_buf *error,
                          int *version_out)
{
    int version, owner, tables;
    if (!look(db, &version, &owner, &tables))
        return fail(db, error);
    if (owner != form->application_id && (owner || version || tables)) {
        sp_buf_add_str(error, "it is a database of another program");
        return SP_ERR_IO;
    }
    if (version > form->version) {
        say_newer(form, version, error);
        return SP_ERR_RANGE;
    }
    *version_out = version;
    return SP_OK;
}

static bool take_steps(sqlite3 *db, const struct database_form *form, int version)
{
    bool fresh = version == 0, done = true;
    char mark[96];
    (void)snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   form->application_id, form->version); /* fits */
    for (; version < form->version && done; version++)
        done = run(db, form->steps[version]);
    if (done && fresh && form->fill)
        done = form->fill(db) == SQLITE_OK;
    return done && run(db, mark);
}

int database_schema_renew(sqlite3 *db, const struct database_form *form, struct sp_buf *error)
{
    int version = 0;
    if (!run(db, "BEGIN IMMEDIATE"))
        return fail(db, error);
    if (database_ask(db, "PRAGMA user_version", &version) == SQLITE_OK &&
        (version >= form->version || take_steps(db, form, version)) && run(db, "COMMIT"))
        return SP_OK;
    (void)fail(db, error);
    (void)run(db, "ROLLBACK"); /* the failure is the one to report */
    return SP_ERR_IO;
}
