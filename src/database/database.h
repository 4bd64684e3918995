/*
 * An SQLite file of ours, in the folder of a role: it knows whose it is and which version of its schema it
 * has.
 *
 * It is opened through the descriptor of its folder, and by a VFS that takes names as they are: a role may
 * not be able to walk the path that leads to its own folder.
 */
#ifndef DATABASE_DATABASE_H
#define DATABASE_DATABASE_H

#include "base/buf.h"
#include "base/view.h"

#include <sqlite3.h>

/* What a file is to be. Static: a database borrows it. */
struct database_form {
    const char *file;         /* "queue.db"                                                                 */
    int application_id;       /* so that file(1) and we know whose it is; 0: it bears none                  */
    const char *const *steps; /* steps[n] leads from version n to n + 1; a released one is never changed    */
    int version;              /* how many steps there are                                                   */
    int (*fill)(sqlite3 *db); /* may be NULL: what a new file has from the start, besides its tables; an
                                 SQLite result, SQLITE_OK if done                                           */
    const char *settings;     /* SQL of each opening, in a new file before its first page is written        */
    int busy_ms;              /* how long to wait for another process that writes                           */
    const char *way_out;      /* from a file of a newer program, besides that program: "remove the file"    */
    const char *const *statements;
    size_t statement_n;
};

struct database {
    const struct database_form *form;
    sqlite3 *db;
    sqlite3_stmt **statements; /* of the form, by their numbers; owned                               */
    int folder;                /* its own: SQLite opens further files by it for as long as it lives  */
};

/*
 * Open the file, make or migrate its schema, prepare the statements. A file of another program is refused
 * before anything is changed in it. Root gives the file to the owner of the folder: a role is to use it.
 *
 *   folder        a descriptor; borrowed for the call
 *   create        make the file where there is none
 *   error         why not, in words for an operator; nothing is added to it for SP_ERR_ABSENT
 *   database_out  to be closed; all zero on failure
 *
 * SP_ERR_ABSENT: there is no such file; SP_ERR_RANGE: it is of a newer program; SP_ERR_IO.
 */
SP_MUST_USE int database_open(int folder, const struct database_form *form, bool create, struct sp_buf *error,
                              struct database *database_out);

/* Zeros were never opened: nothing is done. */
void database_close(struct database *d);

/* --- schema.c, for database.c --------------------------------------------------------------------------- */

/* Whether the file is ours, or empty. version_out: of its schema. As database_open. */
SP_MUST_USE int database_schema_check(sqlite3 *db, const struct database_form *form, struct sp_buf *error,
                                      int *version_out);

/* Bring the file to the form's version, all or nothing, unless another process was faster. SP_ERR_IO. */
SP_MUST_USE int database_schema_renew(sqlite3 *db, const struct database_form *form, struct sp_buf *error);

/* --- statement.c --------------------------------------------------------------------------------------- */

/* Borrowed until the binding is cleared or replaced. A failed bind shows in the step. */
void database_bind_text(sqlite3_stmt *st, int at, struct sp_view v);
void database_bind_number(sqlite3_stmt *st, int at, uint64_t n);

/* The octets in a column, until the statement moves on. */
struct sp_view database_text(sqlite3_stmt *st, int column);
uint64_t database_number(sqlite3_stmt *st, int column);

/*
 * SP_OK: a row is there, reset the statement when it was read. The others reset it: SP_ERR_ABSENT: no further
 * row; SP_ERR_EXISTS: a constraint; SP_ERR_IO: the database says why.
 */
SP_MUST_USE int database_step(sqlite3_stmt *st);

/* The first number of the first row. An SQLite result: SQLITE_OK if done. */
SP_MUST_USE int database_ask(sqlite3 *db, const char *sql, int *n_out);

/* What SQLite says of its last failure, with the number of the failure. */
void database_add_failure(struct sp_buf *text, sqlite3 *db);

#endif
