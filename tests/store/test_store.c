/* The store's verbs, one by one. */
#include "store/folder.h"

#include "base/view.h"
#include "message/id.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

enum { NOW = 1000000 };

static struct store_mail mail_of(uint64_t id, size_t size)
{
    return (struct store_mail){.id = id,
                               .received_ms = NOW,
                               .session = SP_LIT("s1"),
                               .client = SP_LIT("127.0.0.1"),
                               .user = SP_LIT("demo"),
                               .sender = SP_LIT("a@example.org"),
                               .size = size,
                               .parameters = {.body = SP_BODY_BINARYMIME,
                                              .utf8 = true,
                                              .require_tls = true,
                                              .ret = SP_RET_HDRS,
                                              .envid = SP_LIT("QQ 1"),
                                              .auth = SP_LIT("demo@example.org"),
                                              .by = SP_BY_NOTIFY,
                                              .by_trace = true,
                                              .by_ms = -5,
                                              .hold_until_ms = NOW + 9,
                                              .priority = -9}};
}

static struct store_recipient recipient_of(uint32_t number, enum store_state state)
{
    return (struct store_recipient){.number = number,
                                    .address = SP_LIT("b@example.net"),
                                    .route = SP_LIT("relay"),
                                    .state = state,
                                    .next_ms = NOW,
                                    .parameters = {.notify = SP_NOTIFY_SUCCESS | SP_NOTIFY_DELAY,
                                                   .orcpt = SP_LIT("utf-8;\xc3\xa9@example.net")}};
}

static void add(struct store *s, uint64_t id, enum store_state state, bool leased)
{
    struct sp_view content = SP_LIT("Subject: x\r\n\r\nhello\r\n");
    struct store_mail mail = mail_of(id, content.len);
    struct store_recipient r = recipient_of(0, state);
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_add(s, &mail, &r, 1, &content, leased), SP_OK);
    assert_int_equal(store_commit(s), SP_OK);
}

/* What a verb visited, as text: "id/number state attempts;" */
struct seen {
    char text[4096];
    size_t n;
};

static void note(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct seen *seen = ctx;
    size_t at = strlen(seen->text);
    (void)snprintf(seen->text + at, sizeof seen->text - at, "%llu/%u %s %u;", (unsigned long long)mail->id,
                   r->number, store_state_word(r->state), r->attempts);
    seen->n++;
}

static struct seen leased_at(struct store *s, int64_t now, int64_t *next)
{
    struct seen seen = {0};
    assert_int_equal(store_lease(s, now, 100, note, &seen, next), SP_OK);
    return seen;
}

static struct seen listed(struct store *s)
{
    struct seen seen = {0};
    struct store_cursor cursor = {0};
    while (!cursor.end)
        assert_int_equal(store_list(s, &cursor, 2, note, &seen), SP_OK);
    return seen;
}

static bool settle(struct store *s, uint64_t id, uint32_t number, enum store_state state, int64_t next)
{
    struct store_settlement one = {.number = number,
                                   .state = state,
                                   .attempted = true,
                                   .next_ms = next,
                                   .last_ms = NOW + 1,
                                   .code = 450,
                                   .enhanced = SP_LIT("4.2.0"),
                                   .reply = SP_LIT("450 4.2.0 later"),
                                   .remote = SP_LIT("mx [192.0.2.1]:25")};
    bool gone = false;
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_settle(s, id, &one, 1, &gone), SP_OK);
    assert_int_equal(store_commit(s), SP_OK);
    return gone;
}

static void test_a_message_lives_and_ends(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    int64_t next;
    add(s, 7, STORE_QUEUED, false);
    assert_string_equal(leased_at(s, NOW - 1, &next).text, "");
    assert_int_equal(next, NOW);
    assert_string_equal(leased_at(s, NOW, &next).text, "7/0 queued 0;");
    assert_int_equal(next, STORE_NEVER);
    assert_string_equal(leased_at(s, NOW + 10, &next).text, ""); /* never twice */

    assert_false(settle(s, 7, 0, STORE_DEFERRED, NOW + 60));
    store_release(s, 7, 0, NOW + 60);
    assert_string_equal(leased_at(s, NOW + 59, &next).text, "");
    assert_int_equal(next, NOW + 60);
    assert_string_equal(leased_at(s, NOW + 60, &next).text, "7/0 deferred 1;");

    uint64_t n = 0;
    assert_int_equal(store_count(s, &n), SP_OK);
    assert_int_equal(n, 1);
    assert_true(settle(s, 7, 0, STORE_DELIVERED, STORE_NEVER));
    store_release(s, 7, 0, STORE_NEVER);
    assert_string_equal(listed(s).text, "");
    assert_int_equal(store_count(s, &n), SP_OK);
    assert_int_equal(n, 0);
    store_close(s);
    folder_free(&f);
}

static void check_parameters(const struct sp_mail_parameters *a, const struct sp_mail_parameters *b)
{
    assert_int_equal(a->body, b->body);
    assert_int_equal(a->utf8, b->utf8);
    assert_int_equal(a->require_tls, b->require_tls);
    assert_int_equal(a->ret, b->ret);
    assert_int_equal(a->by, b->by);
    assert_int_equal(a->by_trace, b->by_trace);
    assert_int_equal(a->by_ms, b->by_ms);
    assert_int_equal(a->hold_until_ms, b->hold_until_ms);
    assert_int_equal(a->priority, b->priority);
    assert_true(sp_view_eq(a->envid, b->envid) && sp_view_eq(a->auth, b->auth));
}

static void check_everything_kept(void *ctx, const struct store_mail *m, const struct store_recipient *r)
{
    *(bool *)ctx = true;
    struct store_mail want = mail_of(7, 21);
    assert_int_equal(m->received_ms, want.received_ms);
    assert_true(sp_view_eq(m->session, want.session) && sp_view_eq(m->client, want.client));
    assert_true(sp_view_eq(m->user, want.user) && sp_view_eq(m->sender, want.sender));
    assert_int_equal(m->size, 21);
    check_parameters(&m->parameters, &want.parameters);
    struct store_recipient wanted = recipient_of(0, STORE_QUEUED);
    assert_int_equal(r->parameters.notify, wanted.parameters.notify);
    assert_true(sp_view_eq(r->parameters.orcpt, wanted.parameters.orcpt));
    assert_true(sp_view_eq(r->address, SP_LIT("b@example.net")) && sp_view_eq(r->route, SP_LIT("relay")));
    assert_int_equal(r->code, 450);
    assert_int_equal(r->next_ms, NOW + 60);
    assert_int_equal(r->last_ms, NOW + 1);
    assert_true(sp_view_eq(r->enhanced, SP_LIT("4.2.0")) && sp_view_eq(r->reply, SP_LIT("450 4.2.0 later")));
    assert_true(sp_view_eq(r->remote, SP_LIT("mx [192.0.2.1]:25")));
}

static void test_everything_is_kept_over_a_restart(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    int64_t next;
    add(s, 7, STORE_QUEUED, true);
    assert_string_equal(leased_at(s, NOW, &next).text, ""); /* leased from the start */
    assert_false(settle(s, 7, 0, STORE_DEFERRED, NOW + 60));
    store_close(s);
    s = folder_open(&f);
    bool visited = false;
    struct store_cursor cursor = {.mail = 7, .only = true};
    assert_int_equal(store_list(s, &cursor, 10, check_everything_kept, &visited), SP_OK);
    assert_true(visited && cursor.end);
    struct store_body body;
    assert_int_equal(store_body(s, 7, &body), SP_OK);
    assert_true(sp_view_eq(body.content, SP_LIT("Subject: x\r\n\r\nhello\r\n")));
    assert_int_equal(body.fd, -1);
    assert_string_equal(leased_at(s, NOW + 60, &next).text,
                        "7/0 deferred 1;"); /* leases end with the process */
    store_close(s);
    folder_free(&f);
}

static void test_finished_recipients_stay_while_others_wait(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    struct sp_view content = SP_LIT("x");
    struct store_mail mail = mail_of(9, 1);
    struct store_recipient r[] = {recipient_of(0, STORE_QUEUED), recipient_of(1, STORE_HELD),
                                  recipient_of(2, STORE_QUEUED)};
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_add(s, &mail, r, 3, &content, true), SP_OK);
    assert_int_equal(store_commit(s), SP_OK);
    assert_false(settle(s, 9, 0, STORE_DELIVERED, STORE_NEVER));
    assert_false(settle(s, 9, 2, STORE_FAILED, STORE_NEVER));
    assert_string_equal(listed(s).text, "9/0 delivered 1;9/1 held 0;9/2 failed 1;");
    assert_true(settle(s, 9, 1, STORE_DELIVERED, STORE_NEVER));
    assert_string_equal(listed(s).text, "");
    store_close(s);
    folder_free(&f);
}

static void test_an_id_is_taken_once(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    struct sp_view content = SP_LIT("x");
    struct store_mail mail = mail_of(5, 1), other = mail_of(6, 1);
    struct store_recipient r = recipient_of(0, STORE_HELD);
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_add(s, &mail, &r, 1, &content, false), SP_OK);
    assert_int_equal(store_add(s, &mail, &r, 1, &content, false), SP_ERR_EXISTS);
    assert_int_equal(store_add(s, &other, &r, 1, &content, false), SP_OK);
    assert_int_equal(store_commit(s), SP_OK);
    assert_string_equal(listed(s).text, "5/0 held 0;6/0 held 0;");
    store_close(s);
    folder_free(&f);
}

static void test_unknown_messages_are_said_to_be(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    struct store_cursor cursor = {.mail = 4, .only = true};
    struct store_settlement one = {.state = STORE_DELIVERED};
    struct store_body body;
    bool gone;
    assert_int_equal(store_list(s, &cursor, 10, note, NULL), SP_ERR_ABSENT);
    assert_int_equal(store_body(s, 4, &body), SP_ERR_ABSENT);
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_settle(s, 4, &one, 1, &gone), SP_ERR_ABSENT);
    assert_int_equal(store_remove(s, 4), SP_ERR_ABSENT);
    assert_int_equal(store_commit(s), SP_OK);
    store_close(s);
    folder_free(&f);
}

static void spool(struct store *s, uint64_t id, const char *text)
{
    int fd;
    assert_int_equal(store_spool(s, id, &fd), SP_OK);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fsync(fd), 0);
    close(fd);
}

static bool has_file(const struct folder *f, const char *below, uint64_t id)
{
    char name[64], text[MESSAGE_ID_TEXT + 1];
    message_id_text(id, text);
    (void)snprintf(name, sizeof name, "%s/%s", below, text);
    return faccessat(f->fd, name, F_OK, 0) == 0;
}

static void test_large_bodies_are_files(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    struct store_mail mail = mail_of(11, 9);
    struct store_recipient r = recipient_of(0, STORE_HELD);
    int fd;
    spool(s, 11, "large one");
    assert_int_equal(store_spool(s, 11, &fd), SP_ERR_EXISTS);

    assert_int_equal(store_begin(s), SP_OK);
    struct store_mail wrong = mail;
    wrong.size = 8; /* smtpd and the file disagree */
    assert_int_equal(store_add(s, &wrong, &r, 1, NULL, false), SP_ERR_ABSENT);
    assert_int_equal(store_add(s, &mail, &r, 1, NULL, false), SP_OK);
    store_rollback(s);
    assert_false(has_file(&f, "bodies", 11));

    spool(s, 11, "large one");
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_add(s, &mail, &r, 1, NULL, false), SP_OK);
    assert_int_equal(store_commit(s), SP_OK);
    assert_false(has_file(&f, "incoming", 11));
    struct store_body body;
    char text[16] = {0};
    assert_int_equal(store_body(s, 11, &body), SP_OK);
    assert_true(body.fd >= 0);
    assert_int_equal(pread(body.fd, text, sizeof text, 0), 9);
    assert_string_equal(text, "large one");
    close(body.fd);

    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_remove(s, 11), SP_OK);
    assert_true(has_file(&f, "bodies", 11)); /* until the removal is on disk */
    assert_int_equal(store_commit(s), SP_OK);
    assert_false(has_file(&f, "bodies", 11));
    spool(s, 12, "abandoned");
    store_unspool(s, 12);
    assert_false(has_file(&f, "incoming", 12));
    store_close(s);
    folder_free(&f);
}

static void test_leftovers_are_swept(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    struct store_mail mail = mail_of(21, 5);
    struct store_recipient r = recipient_of(0, STORE_HELD);
    spool(s, 21, "owned");
    spool(s, 22, "never submitted");
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_add(s, &mail, &r, 1, NULL, false), SP_OK);
    assert_int_equal(store_commit(s), SP_OK);
    add(s, 23, STORE_HELD, false);
    store_close(s);
    char name[64], text[MESSAGE_ID_TEXT + 1];
    for (uint64_t id = 23; id <= 24; id++) { /* of a message with its content in the database; of none */
        message_id_text(id, text);
        (void)snprintf(name, sizeof name, "bodies/%s", text);
        close(openat(f.fd, name, O_WRONLY | O_CREAT, 0600));
    }
    s = folder_open(&f);
    assert_true(has_file(&f, "bodies", 21));
    assert_false(has_file(&f, "incoming", 22));
    assert_false(has_file(&f, "bodies", 23));
    assert_false(has_file(&f, "bodies", 24));
    store_close(s);
    folder_free(&f);
}

static void test_retry_makes_due(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    int64_t next;
    size_t n;
    for (uint64_t id = 1; id <= 3; id++) {
        add(s, id, id == 3 ? STORE_HELD : STORE_QUEUED, true);
        if (id < 3) {
            assert_false(settle(s, id, 0, STORE_DEFERRED, NOW + 1000000));
            store_release(s, id, 0, NOW + 1000000);
        }
    }
    assert_string_equal(leased_at(s, NOW + 5, &next).text, "");
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_retry(s, 2, NOW + 5, 0, 10, &n), SP_OK);
    assert_int_equal(n, 1);
    assert_int_equal(store_retry(s, 3, NOW + 5, 0, 10, &n), SP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(store_commit(s), SP_OK);
    assert_string_equal(leased_at(s, NOW + 5, &next).text, "2/0 deferred 1;");
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_recall(s, NOW + 6, NOW + 1000000000, 10, &n), SP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(store_retry(s, 0, NOW + 6, NOW + 6, 10, &n), SP_OK);
    assert_int_equal(n, 1);
    assert_int_equal(store_retry(s, 0, NOW + 6, NOW + 6, 10, &n), SP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(store_commit(s), SP_OK);
    assert_string_equal(leased_at(s, NOW + 6, &next).text, "1/0 deferred 1;");
    store_release(s, 1, 0, NOW + 1000000);
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_park(s, 1, 0, SP_LIT("relay")), SP_OK);
    assert_int_equal(store_commit(s), SP_OK);
    assert_string_equal(leased_at(s, NOW + 7, &next).text, "");
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_hasten(s, 1, 0, NOW + 7), SP_OK);
    assert_int_equal(store_hasten(s, 3, 0, NOW + 7), SP_OK); /* held, and so it stays */
    assert_int_equal(store_hasten(s, 9, 0, NOW + 7), SP_OK); /* gone meanwhile */
    assert_int_equal(store_commit(s), SP_OK);
    assert_string_equal(leased_at(s, NOW + 7, &next).text, "1/0 deferred 1;");
    store_close(s);
    folder_free(&f);
}

static void run_sql(const struct folder *f, const char *sql)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/queue.db", f->path);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int open_fault(const struct folder *f, bool create, const char *contains)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    struct store *s = NULL;
    int status = store_open(&(struct store_options){.folder = f->fd, .create = create}, &error, &s);
    assert_null(s);
    sp_buf_add_u8(&error, 0);
    assert_int_equal(sp_buf_status(&error), SP_OK);
    assert_non_null(strstr((const char *)error.p, contains));
    sp_buf_fini(&error);
    return status;
}

static void test_what_is_not_ours_is_refused(void **state)
{
    (void)state;
    struct folder f = folder_new();
    assert_int_equal(open_fault(&f, false, "no queue.db"), SP_ERR_ABSENT);
    store_close(folder_open(&f));
    run_sql(&f, "PRAGMA user_version = 99");
    assert_int_equal(open_fault(&f, true, "newer Sallyport (schema 99"), SP_ERR_RANGE);
    folder_empty(f.fd);
    run_sql(&f, "CREATE TABLE t (x)");
    assert_int_equal(open_fault(&f, true, "another program"), SP_ERR_IO);
    folder_empty(f.fd);
    close(openat(f.fd, "queue.db", O_WRONLY | O_CREAT,
                 0600)); /* made, but the program was killed before the schema */
    store_close(folder_open(&f));
    folder_empty(f.fd);
    int fd = openat(f.fd, "queue.db", O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < 100; i++)
        assert_int_equal(write(fd, "this is no database at all, whatever its name may say\n", 54), 54);
    close(fd);
    assert_int_equal(open_fault(&f, true, "not a database"), SP_ERR_IO);
    folder_free(&f);
}

/* Version 1, as it was released, with a message in it. */
static const char version_1[] =
    "PRAGMA journal_mode = WAL; PRAGMA auto_vacuum = INCREMENTAL;"
    "CREATE TABLE mail (id INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, session TEXT NOT NULL,"
    " client TEXT NOT NULL, user TEXT NOT NULL, sender TEXT NOT NULL,"
    " body TEXT NOT NULL CHECK (body IN ('7bit', '8bitmime')), size INTEGER NOT NULL, content BLOB);"
    "CREATE TABLE recipient (mail INTEGER NOT NULL REFERENCES mail (id), number INTEGER NOT NULL,"
    " address TEXT NOT NULL, route TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('queued', 'deferred', 'held', 'delivered', 'failed')),"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " next_ms INTEGER CHECK ((next_ms IS NULL) = (state IN ('held', 'delivered', 'failed'))),"
    " last_ms INTEGER NOT NULL DEFAULT 0, last_code INTEGER NOT NULL DEFAULT 0,"
    " last_enhanced TEXT NOT NULL DEFAULT '', last_reply TEXT NOT NULL DEFAULT '',"
    " last_remote TEXT NOT NULL DEFAULT '', PRIMARY KEY (mail, number)) WITHOUT ROWID;"
    "CREATE INDEX recipient_due ON recipient (next_ms, mail, number) WHERE next_ms IS NOT NULL;"
    "CREATE VIEW queue AS SELECT m.id AS mail, r.address FROM mail m JOIN recipient r ON r.mail = m.id;"
    "INSERT INTO mail VALUES (7, 1000000, 's1', '127.0.0.1', 'demo', 'a@example.org', '8bitmime', 1, 'x');"
    "INSERT INTO recipient (mail, number, address, route, state, attempts, next_ms, last_ms)"
    " VALUES (7, 0, 'b@example.net', 'relay', 'deferred', 3, 1000060, 1000001);"
    "PRAGMA application_id = 0x53616c6c; PRAGMA user_version = 1";

static void check_migrated(void *ctx, const struct store_mail *m, const struct store_recipient *r)
{
    *(bool *)ctx = true;
    struct sp_mail_parameters want = {.body = SP_BODY_8BITMIME};
    check_parameters(&m->parameters, &want);
    assert_true(sp_view_eq(m->sender, SP_LIT("a@example.org")) && sp_view_eq(m->user, SP_LIT("demo")));
    assert_int_equal(m->received_ms, 1000000);
    assert_int_equal(m->size, 1);
    assert_int_equal(r->attempts, 3);
    assert_int_equal(r->next_ms, 1000060);
    assert_int_equal(r->parameters.notify, 0);
    assert_int_equal(r->parameters.orcpt.len, 0);
    assert_false(m->stranger || r->unreturned); /* what came before is reported as before */
    assert_false(r->forwarded);
}

static void test_an_old_store_is_migrated(void **state)
{
    (void)state;
    struct folder f = folder_new();
    run_sql(&f, version_1);
    struct store *s = folder_open(&f);
    bool visited = false;
    struct store_cursor cursor = {.mail = 7, .only = true};
    assert_int_equal(store_list(s, &cursor, 10, check_migrated, &visited), SP_OK);
    assert_true(visited && cursor.end);
    struct store_body body;
    assert_int_equal(store_body(s, 7, &body), SP_OK);
    assert_true(sp_view_eq(body.content, SP_LIT("x")));
    add(s, 8, STORE_QUEUED, false); /* new words in the old table's place */
    int64_t next;
    assert_string_equal(leased_at(s, 1000060, &next).text, "8/0 queued 0;7/0 deferred 3;");
    store_close(s);
    s = folder_open(&f); /* and it is not migrated again */
    uint64_t n;
    assert_int_equal(store_count(s, &n), SP_OK);
    assert_int_equal(n, 2);
    store_close(s);
    run_sql(&f, "SELECT id, received, next_attempt, last_reply FROM queue");
    folder_free(&f);
}

/* docs/store.md promises that plain SQL shows the queue. */
static void test_an_operator_can_read_it(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    uint64_t id = 0x123456789abcdefu;
    char text[MESSAGE_ID_TEXT + 1], path[128];
    message_id_text(id, text);
    add(s, id, STORE_QUEUED, false);
    (void)snprintf(path, sizeof path, "%s/queue.db", f.path);
    sqlite3 *db;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT id, state, received, next_attempt FROM queue", -1, &st, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), text);
    assert_string_equal((const char *)sqlite3_column_text(st, 1), "queued");
    assert_string_equal((const char *)sqlite3_column_text(st, 2), "1970-01-01T00:16:40Z");
    assert_string_equal((const char *)sqlite3_column_text(st, 3), "1970-01-01T00:16:40Z");
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    store_close(s);
    folder_free(&f);
}

static void limit_files(rlim_t octets)
{
    struct rlimit r;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = octets == RLIM_INFINITY ? r.rlim_max : octets;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* Files may not grow: the store says so, loses nothing that was committed, and goes on when they may again.
 */
static void test_a_full_disk_passes(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    static uint8_t large[60000];
    struct sp_view content = sp_view_make(large, sizeof large);
    struct store_recipient r = recipient_of(0, STORE_HELD);
    uint64_t committed = 0, n = 0;
    int status = SP_OK;
    (void)signal(SIGXFSZ, SIG_IGN);
    limit_files(1 << 20);
    while (!status && committed < 100) {
        struct store_mail mail = mail_of(committed + 1, content.len);
        assert_int_equal(store_begin(s), SP_OK);
        status = store_add(s, &mail, &r, 1, &content, false);
        if (status)
            store_rollback(s);
        else
            status = store_commit(s);
        committed += status == SP_OK;
    }
    assert_int_equal(status, SP_ERR_IO);
    if (!store_disk_full(s))
        fail_msg("%s", store_error(s));
    assert_true(committed > 5);
    assert_int_equal(listed(s).n, committed);
    limit_files(RLIM_INFINITY);
    add(s, 1000, STORE_HELD, false);
    assert_int_equal(listed(s).n, committed + 1);
    assert_int_equal(store_count(s, &n), SP_OK);
    assert_int_equal(n, committed + 1);
    store_close(s);
    s = folder_open(&f);
    assert_int_equal(listed(s).n, committed + 1);
    store_close(s);
    folder_free(&f);
}

static void test_space_comes_back(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    static uint8_t large[60000];
    struct sp_view content = sp_view_make(large, sizeof large);
    struct store_recipient r = recipient_of(0, STORE_HELD);
    struct store_space space;
    struct stat full, tidied;
    assert_int_equal(store_begin(s), SP_OK);
    for (uint64_t id = 1; id <= 300; id++) {
        struct store_mail mail = mail_of(id, content.len);
        assert_int_equal(store_add(s, &mail, &r, 1, &content, false), SP_OK);
    }
    assert_int_equal(store_commit(s), SP_OK);
    (void)store_tidy(s, STORE_BUSY);
    assert_int_equal(fstatat(f.fd, "queue.db", &full, 0), 0);
    assert_int_equal(store_begin(s), SP_OK);
    for (uint64_t id = 1; id <= 300; id++)
        assert_int_equal(store_remove(s, id), SP_OK);
    assert_int_equal(store_commit(s), SP_OK);
    assert_int_equal(store_space(s, &space), SP_OK);
    assert_true(space.reusable_octets > 300 * 60000);
    assert_true(space.free_octets > 0);
    size_t steps = 0;
    while (store_tidy(s, STORE_IDLE))
        assert_true(++steps < 1000);
    assert_int_equal(fstatat(f.fd, "queue.db", &tidied, 0), 0);
    assert_true(full.st_size > 15000000);
    assert_true(tidied.st_size < 8000000);
    store_close(s);
    folder_free(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_message_lives_and_ends),
    cmocka_unit_test(test_everything_is_kept_over_a_restart),
    cmocka_unit_test(test_finished_recipients_stay_while_others_wait),
    cmocka_unit_test(test_an_id_is_taken_once),
    cmocka_unit_test(test_unknown_messages_are_said_to_be),
    cmocka_unit_test(test_large_bodies_are_files),
    cmocka_unit_test(test_leftovers_are_swept),
    cmocka_unit_test(test_retry_makes_due),
    cmocka_unit_test(test_what_is_not_ours_is_refused),
    cmocka_unit_test(test_an_old_store_is_migrated),
    cmocka_unit_test(test_an_operator_can_read_it),
    cmocka_unit_test(test_a_full_disk_passes),
    cmocka_unit_test(test_space_comes_back),
};

TAP_MAIN(tests)
