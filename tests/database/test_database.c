/* A file of ours: made, brought up to date, and refused when it is not ours. */
#include "database/database.h"

#include "os/heap.h"
#include "tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEST_ID = 0x54657374 };

static const char *const steps[] = {
    "CREATE TABLE word (text TEXT PRIMARY KEY) WITHOUT ROWID; CREATE TABLE made (times INTEGER);",
    "ALTER TABLE word ADD COLUMN n INTEGER NOT NULL DEFAULT 7;",
};
static const char *const broken_steps[] = {
    "CREATE TABLE word (text TEXT PRIMARY KEY) WITHOUT ROWID; CREATE TABLE made (times INTEGER);",
    "ALTER TABLE word ADD COLUMN n INTEGER NOT NULL DEFAULT 7;",
    "CREATE TABLE third (x INTEGER); CREATE TABLE word (again INTEGER);",
};
enum { ADD, READ, STATEMENT_N };
static const char *const statements[STATEMENT_N] = {
    [ADD] = "INSERT INTO word (text) VALUES (?1)",
    [READ] = "SELECT text, n FROM word ORDER BY text",
};

static int fill(sqlite3 *db) { return sqlite3_exec(db, "INSERT INTO made VALUES (1)", NULL, NULL, NULL); }

static struct database_form form_of(const char *const *with, int version)
{
    return (struct database_form){.file = "test.db",
                                  .application_id = TEST_ID,
                                  .steps = with,
                                  .version = version,
                                  .fill = fill,
                                  .settings = "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = OFF;",
                                  .busy_ms = 2000,
                                  .way_out = "begin anew",
                                  .statements = statements,
                                  .statement_n = version > 1 ? STATEMENT_N : 1};
}

/* --- a folder of the test's own ------------------------------------------------------------------- */

struct folder {
    char path[64];
    int fd;
};

static struct folder folder_new(void)
{
    struct folder f = {.path = "/tmp/sallyport-database-XXXXXX"};
    assert_non_null(mkdtemp(f.path));
    f.fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.fd >= 0);
    return f;
}

static void folder_free(struct folder *f)
{
    static const char *const files[] = {"test.db", "test.db-wal", "test.db-shm"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        (void)unlinkat(f->fd, files[i], 0); /* not all of them are there */
    close(f->fd);
    assert_int_equal(rmdir(f->path), 0);
}

static void run_sql(const struct folder *f, const char *sql)
{
    char path[96];
    sqlite3 *db;
    (void)snprintf(path, sizeof path, "%s/test.db", f->path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int ask(sqlite3 *db, const char *sql)
{
    int n = -1;
    assert_int_equal(database_ask(db, sql, &n), SQLITE_OK);
    return n;
}

static void open_well(const struct folder *f, const struct database_form *form, struct database *d)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1024);
    int status = database_open(f->fd, form, true, &error, d);
    if (status)
        fail_msg("%d %.*s", status, (int)error.len, (const char *)error.p);
    assert_int_equal(error.len, 0);
    sp_buf_fini(&error);
}

/* contains: NULL, nothing is said. */
static void open_fails(const struct folder *f, const struct database_form *form, bool create, int wanted,
                       const char *contains)
{
    struct sp_buf error;
    struct database d;
    sp_buf_init(&error, &os_heap, 1024);
    assert_int_equal(database_open(f->fd, form, create, &error, &d), wanted);
    assert_null(d.db);
    database_close(&d);
    sp_buf_add_u8(&error, 0);
    if (contains)
        assert_non_null(strstr((const char *)error.p, contains));
    else
        assert_int_equal(error.len, 1);
    sp_buf_fini(&error);
}

/* --- tests ---------------------------------------------------------------------------------------- */

static void a_new_file_is_made_and_filled_once(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct database d;
    struct database_form form = form_of(steps, 2);
    open_fails(&f, &form, false, SP_ERR_ABSENT, NULL);
    for (int i = 0; i < 2; i++) {
        open_well(&f, &form, &d);
        assert_int_equal(ask(d.db, "PRAGMA application_id"), TEST_ID);
        assert_int_equal(ask(d.db, "PRAGMA user_version"), 2);
        assert_int_equal(ask(d.db, "PRAGMA auto_vacuum"), 2); /* a setting of the first page */
        assert_int_equal(ask(d.db, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
        assert_int_equal(ask(d.db, "SELECT count(*) FROM made"), 1);
        database_close(&d);
        database_close(&d); /* zeros */
    }
    folder_free(&f);
}

static void a_statement_says_row_end_and_constraint(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct database d;
    struct database_form form = form_of(steps, 2);
    open_well(&f, &form, &d);
    database_bind_text(d.statements[ADD], 1, SP_LIT("xyzzy"));
    assert_int_equal(database_step(d.statements[ADD]), SP_ERR_ABSENT);
    assert_int_equal(database_step(d.statements[ADD]), SP_ERR_EXISTS);
    assert_int_equal(database_step(d.statements[READ]), SP_OK);
    assert_true(sp_view_eq(database_text(d.statements[READ], 0), SP_LIT("xyzzy")));
    assert_int_equal(database_number(d.statements[READ], 1), 7);
    assert_int_equal(database_step(d.statements[READ]), SP_ERR_ABSENT);
    database_close(&d);
    folder_free(&f);
}

static void an_older_file_keeps_what_it_holds(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct database d;
    struct database_form old = form_of(steps, 1), new = form_of(steps, 2);
    open_well(&f, &old, &d);
    database_bind_text(d.statements[ADD], 1, SP_LIT("plugh"));
    assert_int_equal(database_step(d.statements[ADD]), SP_ERR_ABSENT);
    database_close(&d);
    open_well(&f, &new, &d);
    assert_int_equal(ask(d.db, "SELECT n FROM word WHERE text = 'plugh'"), 7);
    assert_int_equal(ask(d.db, "SELECT count(*) FROM made"), 1); /* no new file: not filled again */
    database_close(&d);
    open_fails(&f, &old, true, SP_ERR_RANGE,
               "newer Sallyport (schema 2, this one knows up to 1): use that version, or begin anew");
    folder_free(&f);
}

static void a_step_that_fails_leaves_the_file_as_it_was(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct database d;
    struct database_form good = form_of(steps, 2), broken = form_of(broken_steps, 3);
    open_well(&f, &good, &d);
    database_close(&d);
    open_fails(&f, &broken, true, SP_ERR_IO, "already exists (SQLite 1)");
    open_well(&f, &good, &d);
    assert_int_equal(ask(d.db, "PRAGMA user_version"), 2);
    assert_int_equal(ask(d.db, "SELECT count(*) FROM sqlite_schema WHERE name = 'third'"), 0);
    database_close(&d);
    folder_free(&f);
}

static size_t read_file(const struct folder *f, uint8_t *out, size_t max)
{
    int fd = openat(f->fd, "test.db", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, out, max);
    assert_true(n > 0 && (size_t)n < max);
    close(fd);
    return (size_t)n;
}

static void another_programs_file_is_not_touched(void **state)
{
    (void)state;
    enum { MOST = 65536 };
    static uint8_t before[MOST], after[MOST];
    static const char *const others[] = {"CREATE TABLE t (x)", "PRAGMA application_id = 7",
                                         "PRAGMA user_version = 1"};
    struct database_form form = form_of(steps, 2);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct folder f = folder_new();
        run_sql(&f, others[i]);
        size_t n = read_file(&f, before, MOST);
        open_fails(&f, &form, true, SP_ERR_IO, "another program");
        assert_int_equal(read_file(&f, after, MOST), n);
        assert_memory_equal(before, after, n);
        folder_free(&f);
    }
}

static void what_no_database_is_is_refused(void **state)
{
    (void)state;
    struct database_form form = form_of(steps, 2);
    struct folder f = folder_new();
    int fd = openat(f.fd, "test.db", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; i < 100; i++)
        assert_int_equal(write(fd, "this is no database at all, whatever its name may say\n", 54), 54);
    close(fd);
    open_fails(&f, &form, true, SP_ERR_IO, "not a database (SQLite 26)");
    assert_int_equal(unlinkat(f.fd, "test.db", 0), 0);
    assert_int_equal(symlinkat("elsewhere", f.fd, "test.db"), 0);
    open_fails(&f, &form, true, SP_ERR_IO, "symbolic links");
    folder_free(&f);
}

/* Whoever comes first makes it; the others find it made. */
static void several_processes_make_it_at_once(void **state)
{
    (void)state;
    enum { PROCESSES = 6 };
    struct folder f = folder_new();
    struct database_form form = form_of(steps, 2);
    struct database d;
    int gate[2];
    pid_t pids[PROCESSES];
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            char go;
            struct sp_buf error;
            close(gate[1]);
            sp_buf_init(&error, &os_heap, 1024);
            (void)!read(gate[0], &go, 1); /* ends when all are there */
            int status = database_open(f.fd, &form, true, &error, &d);
            if (status)
                (void)fprintf(stderr, "%.*s\n", (int)error.len, (const char *)error.p);
            _exit(status == SP_OK ? 0 : 1);
        }
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < PROCESSES; i++) {
        int how;
        assert_int_equal(waitpid(pids[i], &how, 0), pids[i]);
        assert_int_equal(how, 0);
    }
    open_well(&f, &form, &d);
    assert_int_equal(ask(d.db, "SELECT count(*) FROM made"), 1);
    database_close(&d);
    folder_free(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_new_file_is_made_and_filled_once),
    cmocka_unit_test(a_statement_says_row_end_and_constraint),
    cmocka_unit_test(an_older_file_keeps_what_it_holds),
    cmocka_unit_test(a_step_that_fails_leaves_the_file_as_it_was),
    cmocka_unit_test(another_programs_file_is_not_touched),
    cmocka_unit_test(what_no_database_is_is_refused),
    cmocka_unit_test(several_processes_make_it_at_once),
};

TAP_MAIN(tests)
