/* users.db: what goes in comes out, for every process; what must not be in it is not. */
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "tap.h"
#include "users/users.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/sallyport-users-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    DIR *d = opendir(folder);
    (void)state;
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    return rmdir(folder);
}

static struct users *open_users(void)
{
    struct users *u = NULL;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1024);
    int status = users_open(folder, &error, &u);
    if (error.len)
        print_error("%.*s\n", (int)error.len, (const char *)error.p);
    sp_buf_fini(&error);
    assert_int_equal(status, SP_OK);
    return u;
}

static struct sasl_verifier verifier(const char *password)
{
    struct sasl_verifier v;
    assert_int_equal(sasl_verifier_make(sp_view_of(password), &v), SP_OK);
    return v;
}

static bool knows(struct users *u, const char *name, const char *password)
{
    struct users_login login;
    int which = SASL_WHICH_NONE;
    assert_int_equal(users_find(u, sp_view_of(name), &login), SP_OK);
    assert_int_equal(sasl_verifier_check(&login.verifier, sp_view_of(password), &which), SP_OK);
    return which != SASL_WHICH_NONE && login.known && !login.disabled;
}

static void a_user_is_found_and_changed(void **state)
{
    struct users *u = open_users();
    struct sasl_verifier one = verifier("one"), two = verifier("two");
    (void)state;
    assert_int_equal(users_add(u, SP_LIT("demo"), &one, 1000), SP_OK);
    assert_int_equal(users_add(u, SP_LIT("demo"), &two, 2000), SP_ERR_EXISTS);
    assert_true(knows(u, "demo", "one"));
    assert_false(knows(u, "demo", "two"));
    assert_int_equal(users_set_verifier(u, SP_LIT("demo"), &two, 2000), SP_OK);
    assert_false(knows(u, "demo", "one"));
    assert_true(knows(u, "demo", "two"));
    assert_int_equal(users_set_disabled(u, SP_LIT("demo"), true), SP_OK);
    assert_false(knows(u, "demo", "two"));
    assert_int_equal(users_set_disabled(u, SP_LIT("demo"), false), SP_OK);
    assert_true(knows(u, "demo", "two"));
    assert_int_equal(users_remove(u, SP_LIT("demo")), SP_OK);
    assert_false(knows(u, "demo", "two"));
    assert_int_equal(users_remove(u, SP_LIT("demo")), SP_ERR_ABSENT);
    assert_int_equal(users_set_verifier(u, SP_LIT("demo"), &one, 1), SP_ERR_ABSENT);
    assert_int_equal(users_set_disabled(u, SP_LIT("demo"), true), SP_ERR_ABSENT);
    users_close(u);
}

static void names_are_found_in_any_case(void **state)
{
    struct users *u = open_users();
    struct sasl_verifier v = verifier("x");
    struct users_login login;
    (void)state;
    assert_int_equal(users_add(u, SP_LIT("J\xc3\xbcrgen@Example.org"), &v, 1), SP_OK);
    assert_int_equal(users_add(u, SP_LIT("j\xc3\x9cRGEN@example.ORG"), &v, 1), SP_ERR_EXISTS);
    assert_int_equal(users_find(u, SP_LIT("JU\xcc\x88RGEN@EXAMPLE.ORG"), &login), SP_OK);
    assert_true(login.known);
    assert_int_equal(login.name.len, strlen("J\xc3\xbcrgen@Example.org"));
    assert_memory_equal(login.name.octets, "J\xc3\xbcrgen@Example.org", login.name.len);
    assert_int_equal(users_remove(u, SP_LIT("j\xc3\xbcrgen@example.org")), SP_OK);
    users_close(u);
}

static void impossible_names_are_refused(void **state)
{
    struct users *u = open_users();
    struct sasl_verifier v = verifier("x");
    struct users_login login;
    uint8_t name[256];
    (void)state;
    memset(name, 'n', sizeof name);
    assert_int_equal(users_add(u, SP_LIT(""), &v, 1), SP_ERR_SYNTAX);
    assert_int_equal(users_add(u, SP_LIT("a\nb"), &v, 1), SP_ERR_SYNTAX);
    assert_int_equal(users_add(u, sp_view_make("a\0b", 3), &v, 1), SP_ERR_SYNTAX);
    assert_int_equal(users_add(u, SP_LIT("\xff"), &v, 1), SP_ERR_SYNTAX);
    assert_int_equal(users_add(u, sp_view_make(name, 256), &v, 1), SP_ERR_SYNTAX);
    assert_int_equal(users_add(u, sp_view_make(name, 255), &v, 1), SP_OK);
    assert_int_equal(users_remove(u, sp_view_make(name, 255)), SP_OK);
    assert_int_equal(users_find(u, SP_LIT("\xff"), &login), SP_OK);
    assert_false(login.known);
    users_close(u);
}

static void an_unknown_user_looks_like_any_other(void **state)
{
    struct users *u = open_users();
    struct users_login a, b, c;
    struct sasl_verifier v = verifier("x");
    (void)state;
    assert_int_equal(users_find(u, SP_LIT("nobody"), &a), SP_OK);
    users_close(u);
    u = open_users();
    assert_int_equal(users_find(u, SP_LIT("NoBody"), &b), SP_OK);
    assert_int_equal(users_find(u, SP_LIT("nobody2"), &c), SP_OK);
    assert_false(a.known);
    assert_memory_equal(&a.verifier, &b.verifier, sizeof a.verifier);
    assert_memory_not_equal(a.verifier.salt, c.verifier.salt, SASL_SALT_LEN);
    assert_int_equal(a.verifier.salt_len, v.salt_len);
    assert_int_equal(a.verifier.iterations, v.iterations);
    users_close(u);
}

static void users_come_in_order(void **state)
{
    static const char *const names[] = {"carol", "Alice", "bob", "alfred"};
    static const char *const wanted[] = {"alfred", "Alice", "bob", "carol"};
    struct users *u = open_users();
    struct sasl_verifier v = verifier("x");
    struct users_entry e = {0};
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(users_add(u, sp_view_of(names[i]), &v, (int64_t)i), SP_OK);
    assert_int_equal(users_set_disabled(u, SP_LIT("bob"), true), SP_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(users_next(u, users_name_view(&e.name), &e), SP_OK);
        assert_int_equal(e.name.len, strlen(wanted[i]));
        assert_memory_equal(e.name.octets, wanted[i], e.name.len);
        assert_int_equal(e.disabled, i == 2);
    }
    assert_int_equal(users_next(u, users_name_view(&e.name), &e), SP_ERR_ABSENT);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(users_remove(u, sp_view_of(names[i])), SP_OK);
    users_close(u);
}

static void two_processes_see_the_same(void **state)
{
    struct users *u = open_users(), *w = open_users();
    struct sasl_verifier one = verifier("one"), two = verifier("two");
    (void)state;
    assert_int_equal(users_add(u, SP_LIT("shared"), &one, 1), SP_OK);
    assert_true(knows(w, "shared", "one"));
    assert_int_equal(users_set_verifier(w, SP_LIT("shared"), &two, 2), SP_OK);
    assert_true(knows(u, "shared", "two"));
    assert_int_equal(users_remove(u, SP_LIT("shared")), SP_OK);
    assert_false(knows(w, "shared", "two"));
    users_close(u);
    users_close(w);
}

static void the_relative_folder_works(void **state)
{
    struct users *u = NULL;
    struct sp_buf error;
    int before = open(".", O_DIRECTORY | O_CLOEXEC);
    (void)state;
    sp_buf_init(&error, &os_heap, 1024);
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(users_open(".", &error, &u), SP_OK);
    users_close(u);
    assert_int_equal(fchdir(before), 0);
    close(before);
    sp_buf_fini(&error);
}

static bool contains(const char *path, const char *needle)
{
    static char octets[1 << 20];
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(octets, 1, sizeof octets, f);
    fclose(f);
    return memmem(octets, n, needle, strlen(needle)) != NULL;
}

static void no_password_is_in_any_file(void **state)
{
    struct users *u = open_users();
    struct sasl_verifier v = verifier("Xyzzy-plugh-1977");
    char path[384];
    struct stat st;
    size_t files = 0, named = 0;
    (void)state;
    assert_int_equal(users_add(u, SP_LIT("adventurer"), &v, 1), SP_OK);
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.')
            continue;
        assert_false(contains(path, "Xyzzy-plugh"));
        named += contains(path, "adventurer");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        files++;
    }
    closedir(d);
    assert_true(files > 0);
    assert_true(named > 0);
    assert_int_equal(users_remove(u, SP_LIT("adventurer")), SP_OK);
    users_close(u);
}

static void a_newer_schema_is_refused(void **state)
{
    struct users *u = open_users();
    sqlite3 *db = NULL;
    struct sp_buf error;
    char path[96];
    (void)state;
    users_close(u);
    (void)snprintf(path, sizeof path, "%s/users.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sp_buf_init(&error, &os_heap, 1024);
    assert_int_equal(users_open(folder, &error, &u), SP_ERR_RANGE);
    assert_true(error.len > 0);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    sp_buf_fini(&error);
}

static void a_missing_folder_is_an_error(void **state)
{
    struct users *u = NULL;
    struct sp_buf error;
    (void)state;
    sp_buf_init(&error, &os_heap, 1024);
    assert_int_equal(users_open("/nonexistent/auth", &error, &u), SP_ERR_IO);
    assert_non_null(memmem(error.p, error.len, "/nonexistent/auth/users.db", 26));
    assert_null(u);
    sp_buf_fini(&error);
}

/* users.db as the first version made it, with one user. */
static void make_first_version(void)
{
    char path[96];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/users.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "CREATE TABLE users (key TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL,"
            " disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),"
            " created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, salt BLOB NOT NULL,"
            " iterations INTEGER NOT NULL CHECK (iterations > 0), stored_sha256 BLOB NOT NULL,"
            " server_sha256 BLOB NOT NULL, stored_sha1 BLOB NOT NULL, server_sha1 BLOB NOT NULL"
            ") WITHOUT ROWID, STRICT;"
            "CREATE TABLE server (one INTEGER PRIMARY KEY CHECK (one = 1), secret BLOB NOT NULL) STRICT;"
            "INSERT INTO server VALUES (1, randomblob(32));"
            "INSERT INTO users VALUES ('old', 'Old', 0, 1, 2, randomblob(16), 4096, randomblob(32),"
            " randomblob(32), randomblob(20), randomblob(20));"
            "PRAGMA user_version = 1",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
}

static void an_older_schema_is_brought_up(void **state)
{
    char path[96];
    struct users_entry e;
    struct users_login before, after;
    (void)state;
    (void)snprintf(path, sizeof path, "%s/users.db", folder);
    (void)unlink(path);
    make_first_version();
    struct users *u = open_users();
    assert_int_equal(users_show(u, SP_LIT("old"), &e), SP_OK);
    assert_int_equal(e.changed_ms, 2);
    assert_int_equal(e.app_password_n, 0);
    assert_int_equal(users_find(u, SP_LIT("nobody"), &before), SP_OK);
    users_close(u);
    u = open_users();
    assert_int_equal(users_find(u, SP_LIT("nobody"), &after), SP_OK);
    assert_memory_equal(before.verifier.salt, after.verifier.salt, SASL_SALT_LEN);
    assert_int_equal(users_remove(u, SP_LIT("old")), SP_OK);
    users_close(u);
}

static bool keeps_cram(struct users *u, const char *name, const uint8_t *cram)
{
    struct users_login login;
    struct users_entry e;
    assert_int_equal(users_find(u, sp_view_of(name), &login), SP_OK);
    assert_int_equal(users_show(u, sp_view_of(name), &e), SP_OK);
    assert_int_equal(e.has_cram, login.verifier.has_cram);
    if (login.verifier.has_cram)
        assert_memory_equal(login.verifier.cram, cram, SASL_CRAM_LEN);
    return login.verifier.has_cram;
}

/* By wish, and only as long as the password that it is of. */
static void a_secret_for_cram_md5_is_kept_and_forgotten(void **state)
{
    static const uint8_t secret[SASL_CRAM_LEN] = {1, 2, 3}, zeros[SASL_CRAM_LEN];
    struct users *u = open_users();
    struct sasl_verifier with = verifier("one"), without = verifier("two");
    struct users_login login;
    (void)state;
    with.has_cram = true;
    memcpy(with.cram, secret, sizeof secret);
    assert_int_equal(users_add(u, SP_LIT("cram"), &with, 1), SP_OK);
    assert_int_equal(users_add(u, SP_LIT("other"), &without, 1), SP_OK);
    assert_true(keeps_cram(u, "cram", secret));
    assert_false(keeps_cram(u, "other", NULL));
    /* Who has none is given a decoy's, as who is not there. */
    assert_int_equal(users_find(u, SP_LIT("other"), &login), SP_OK);
    assert_memory_not_equal(login.verifier.cram, zeros, sizeof zeros);
    assert_int_equal(users_find(u, SP_LIT("nobody"), &login), SP_OK);
    assert_memory_not_equal(login.verifier.cram, zeros, sizeof zeros);
    assert_int_equal(users_set_verifier(u, SP_LIT("cram"), &without, 2), SP_OK);
    assert_false(keeps_cram(u, "cram", NULL));
    assert_int_equal(users_set_verifier(u, SP_LIT("cram"), &with, 3), SP_OK);
    assert_true(keeps_cram(u, "cram", secret));
    /* Another password under the same salt takes it along. */
    assert_int_equal(sasl_verifier_remake(SP_LIT("three"), &with), SP_OK);
    assert_false(with.has_cram);
    assert_memory_equal(with.cram, zeros, sizeof zeros);
    assert_int_equal(users_remove(u, SP_LIT("cram")), SP_OK);
    assert_int_equal(users_remove(u, SP_LIT("other")), SP_OK);
    users_close(u);
}

static int which(struct users *u, const char *password)
{
    struct users_login login;
    int place = SASL_WHICH_NONE;
    assert_int_equal(users_find(u, SP_LIT("demo"), &login), SP_OK);
    assert_int_equal(sasl_verifier_check(&login.verifier, sp_view_of(password), &place), SP_OK);
    return place;
}

static void add_app(struct users *u, const char *label, const char *password, int status)
{
    struct users_login login;
    assert_int_equal(users_find(u, SP_LIT("demo"), &login), SP_OK);
    assert_int_equal(sasl_verifier_remake(sp_view_of(password), &login.verifier), SP_OK);
    assert_int_equal(users_app_add(u, SP_LIT("demo"), sp_view_of(label), &login.verifier, 5), status);
}

static void application_passwords_share_the_salt(void **state)
{
    struct users *u = open_users();
    struct sasl_verifier own = verifier("own"), other = verifier("own");
    struct users_app app = {.id = 0};
    (void)state;
    assert_int_equal(users_add(u, SP_LIT("demo"), &own, 1), SP_OK);
    add_app(u, "phone", "one", SP_OK);
    add_app(u, "desk", "two", SP_OK);
    add_app(u, "desk", "three", SP_ERR_EXISTS);
    assert_int_equal(users_app_add(u, SP_LIT("demo"), SP_LIT("foreign"), &other, 5), SP_ERR_ABSENT);
    assert_int_equal(users_set_verifier(u, SP_LIT("demo"), &other, 5), SP_ERR_ABSENT);
    assert_int_equal(which(u, "own"), SASL_WHICH_OWN);
    assert_int_equal(which(u, "one"), 1);
    assert_int_equal(which(u, "two"), 2);
    assert_int_equal(which(u, "three"), SASL_WHICH_NONE);
    assert_int_equal(users_app_next(u, SP_LIT("demo"), 0, &app), SP_OK);
    users_app_note_used(u, SP_LIT("demo"), app.id, USERS_USED_MS + 7);
    users_app_note_used(u, SP_LIT("demo"), app.id, USERS_USED_MS + 9);
    assert_int_equal(users_app_next(u, SP_LIT("demo"), 0, &app), SP_OK);
    assert_int_equal(app.used_ms, USERS_USED_MS + 7);
    assert_int_equal(users_app_remove(u, SP_LIT("demo"), SP_LIT("phone")), SP_OK);
    assert_int_equal(users_app_remove(u, SP_LIT("demo"), SP_LIT("phone")), SP_ERR_ABSENT);
    assert_int_equal(which(u, "one"), SASL_WHICH_NONE);
    assert_int_equal(which(u, "two"), 1);
    for (int n = 1; n < SASL_MORE_MAX; n++)
        add_app(u, (const char[]){(char)('a' + n), 0}, "more", SP_OK);
    add_app(u, "one more", "more", SP_ERR_ABSENT);
    assert_int_equal(users_remove(u, SP_LIT("demo")), SP_OK);
    assert_int_equal(users_app_next(u, SP_LIT("demo"), 0, &app), SP_ERR_ABSENT);
    users_close(u);
}

/* Changes fail, and leave what was; who is right is let in. */
static void a_full_disk_costs_no_login(void **state)
{
    struct users *u = open_users();
    struct sasl_verifier own = verifier("own"), other = verifier("other");
    struct users_app app = {.id = 0};
    struct rlimit before, none;
    (void)state;
    assert_int_equal(users_add(u, SP_LIT("demo"), &own, 1), SP_OK);
    add_app(u, "phone", "one", SP_OK);
    assert_int_equal(users_app_next(u, SP_LIT("demo"), 0, &app), SP_OK);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    users_app_note_used(u, SP_LIT("demo"), app.id, USERS_USED_MS + 7);
    int removed = users_app_remove(u, SP_LIT("demo"), SP_LIT("phone"));
    int added = users_add(u, SP_LIT("more"), &other, 2),
        disabled = users_set_disabled(u, SP_LIT("demo"), true);
    int own_which = which(u, "own"), app_which = which(u, "one"), wrong_which = which(u, "other");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(removed, SP_ERR_IO);
    assert_int_equal(added, SP_ERR_IO);
    assert_int_equal(disabled, SP_ERR_IO);
    assert_int_equal(own_which, SASL_WHICH_OWN);
    assert_int_equal(app_which, 1);
    assert_int_equal(wrong_which, SASL_WHICH_NONE);
    assert_true(knows(u, "demo", "own"));
    assert_int_equal(users_set_disabled(u, SP_LIT("demo"), true), SP_OK);
    assert_false(knows(u, "demo", "own"));
    assert_int_equal(users_remove(u, SP_LIT("demo")), SP_OK);
    users_close(u);
}

static void the_list_of_senders_is_replaced_as_a_whole(void **state)
{
    struct users *u = open_users();
    struct sasl_verifier v = verifier("x");
    struct sp_buf list;
    (void)state;
    sp_buf_init(&list, &os_heap, 4096);
    assert_int_equal(users_add(u, SP_LIT("demo"), &v, 1), SP_OK);
    assert_int_equal(
        users_set_senders(u, SP_LIT("demo"), SP_LIT("b@example.org\n*@example.net\nb@example.org")), SP_OK);
    assert_int_equal(users_set_senders(u, SP_LIT("demo"), SP_LIT("ok@example.org\nnot one")), SP_ERR_SYNTAX);
    assert_int_equal(users_senders(u, SP_LIT("DEMO"), &list), SP_OK);
    assert_true(sp_view_eq(sp_buf_view(&list), SP_LIT("*@example.net\nb@example.org")));
    assert_int_equal(users_set_senders(u, SP_LIT("demo"), SP_LIT("")), SP_OK);
    sp_buf_clear(&list);
    assert_int_equal(users_senders(u, SP_LIT("demo"), &list), SP_OK);
    assert_int_equal(list.len, 0);
    assert_int_equal(users_set_senders(u, SP_LIT("nobody"), SP_LIT("a@b")), SP_ERR_ABSENT);
    assert_int_equal(users_remove(u, SP_LIT("demo")), SP_OK);
    sp_buf_fini(&list);
    users_close(u);
}

static void a_foreign_hash_works_until_it_is_replaced(void **state)
{
    static const char hash[] = "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1"; /* of "secret" */
    struct users *u = open_users();
    struct users_login login, other;
    struct sasl_verifier v = verifier("secret");
    (void)state;
    assert_true(users_crypt_check(hash, SP_LIT("secret")));
    assert_false(users_crypt_check(hash, SP_LIT("secre")));
    assert_int_equal(users_import(u, SP_LIT("demo"), hash, 1), SP_OK);
    assert_int_equal(users_find(u, SP_LIT("demo"), &login), SP_OK);
    assert_true(login.imported);
    assert_string_equal(login.crypt, hash);
    assert_int_equal(users_find(u, SP_LIT("nobody"), &other), SP_OK);
    assert_false(other.imported);
    assert_string_equal(other.crypt, hash); /* the same work for whoever is unknown */
    assert_int_equal(users_set_verifier(u, SP_LIT("demo"), &v, 2), SP_OK);
    assert_int_equal(users_find(u, SP_LIT("nobody"), &other), SP_OK);
    assert_string_equal(other.crypt, "");
    assert_int_equal(users_import(u, SP_LIT("other"), "plain", 1), SP_ERR_SYNTAX);
    assert_int_equal(users_remove(u, SP_LIT("demo")), SP_OK);
    users_close(u);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_user_is_found_and_changed),
    cmocka_unit_test(names_are_found_in_any_case),
    cmocka_unit_test(impossible_names_are_refused),
    cmocka_unit_test(an_unknown_user_looks_like_any_other),
    cmocka_unit_test(users_come_in_order),
    cmocka_unit_test(two_processes_see_the_same),
    cmocka_unit_test(the_relative_folder_works),
    cmocka_unit_test(no_password_is_in_any_file),
    cmocka_unit_test(a_newer_schema_is_refused),
    cmocka_unit_test(a_missing_folder_is_an_error),
    cmocka_unit_test(an_older_schema_is_brought_up),
    cmocka_unit_test(a_secret_for_cram_md5_is_kept_and_forgotten),
    cmocka_unit_test(application_passwords_share_the_salt),
    cmocka_unit_test(a_full_disk_costs_no_login),
    cmocka_unit_test(the_list_of_senders_is_replaced_as_a_whole),
    cmocka_unit_test(a_foreign_hash_works_until_it_is_replaced),
};

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
