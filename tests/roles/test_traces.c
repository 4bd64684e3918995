/* The store of traces: pages, filters, limits, and files that are not its own. */
#include "tap.h"

#include "base/view.h"
#include "os/heap.h"
#include "roles/console/traces.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct folder {
    char path[64];
    int fd;
};

static struct folder folder_new(void)
{
    struct folder f = {.path = "/tmp/sallyport-traces-XXXXXX"};
    assert_non_null(mkdtemp(f.path));
    f.fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.fd >= 0);
    return f;
}

static void folder_free(struct folder *f)
{
    static const char *const files[] = {"sessions.db", "sessions.db-wal", "sessions.db-shm"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        (void)unlinkat(f->fd, files[i], 0); /* the latter two may be gone */
    close(f->fd);
    assert_int_equal(rmdir(f->path), 0);
}

static struct traces *open_in(const struct folder *f, bool create, int expected)
{
    struct sp_buf error;
    struct traces *t = NULL;
    sp_buf_init(&error, &os_heap, 4096);
    assert_int_equal(traces_open(f->fd, create, &error, &t), expected);
    assert_int_equal(error.len > 0, expected == SP_ERR_IO || expected == SP_ERR_RANGE);
    sp_buf_fini(&error);
    return t;
}

static void add(struct traces *t, uint64_t id, const char *client, bool failed)
{
    struct ipc_trace m = {.session = id,
                          .began_ms = id * 1000,
                          .client = sp_view_of(client),
                          .listener = SP_LIT("smtp"),
                          .failed = failed,
                          .lines = SP_LIT("     0.000 S: 220 hello\n")};
    struct ipc_trace_attempt a = {
        .session = id, .at_ms = id * 1000, .user = SP_LIT("anna"), .reason = SP_LIT("x")};
    assert_int_equal(traces_begin(t), SP_OK);
    assert_int_equal(traces_add(t, &m), SP_OK);
    if (failed)
        assert_int_equal(traces_add_attempt(t, &a), SP_OK);
    assert_int_equal(traces_commit(t), SP_OK);
}

struct seen {
    uint64_t ids[64];
    size_t n, attempts, lines;
};

static void see_facts(void *ctx, const struct ipc_session_facts *f)
{
    struct seen *s = ctx;
    assert_true(s->n < 64);
    s->ids[s->n++] = f->session;
}
static void see_lines(void *ctx, struct sp_view lines) { ((struct seen *)ctx)->lines += lines.len; }
static void see_attempt(void *ctx, const struct ipc_session_attempt *a)
{
    assert_true(sp_view_eq(a->user, SP_LIT("anna")));
    ((struct seen *)ctx)->attempts++;
}

static struct seen list(struct traces *t, const struct ipc_session_list *wanted, bool more_expected)
{
    struct seen s = {0};
    struct traces_reader reader = {&s, see_facts, see_lines, see_attempt};
    uint64_t last = 0;
    bool more = false;
    assert_int_equal(traces_list(t, wanted, &reader, &last, &more), SP_OK);
    assert_int_equal(more, more_expected);
    assert_int_equal(last, s.n ? s.ids[s.n - 1] : wanted->before);
    return s;
}

static void pages_and_filters(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct traces *t = open_in(&f, true, SP_OK);
    for (uint64_t id = 1; id <= 10; id++)
        add(t, id, id % 2 ? "192.0.2.1" : "192.0.2.2", id > 7);
    struct seen s = list(t, &(struct ipc_session_list){.most = 4}, true);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.ids[0], 10);
    s = list(t, &(struct ipc_session_list){.most = 4, .before = 3}, false);
    assert_int_equal(s.n, 2);
    assert_int_equal(list(t, &(struct ipc_session_list){.most = 20, .failed = 1}, false).n, 3);
    assert_int_equal(list(t, &(struct ipc_session_list){.most = 20, .user = SP_LIT("anna")}, false).n, 3);
    assert_int_equal(list(t, &(struct ipc_session_list){.most = 20, .user = SP_LIT("bob")}, false).n, 0);
    assert_int_equal(list(t, &(struct ipc_session_list){.most = 20, .client = SP_LIT("192.0.2.1")}, false).n,
                     5);
    assert_int_equal(list(t, &(struct ipc_session_list){.most = 20, .since_ms = 9000}, false).n, 2);
    s = (struct seen){0};
    struct traces_reader reader = {&s, see_facts, see_lines, see_attempt};
    assert_int_equal(traces_show(t, 9, &reader), SP_OK);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.attempts, 1);
    assert_int_equal(s.lines, 24);
    assert_int_equal(traces_show(t, 77, &reader), SP_ERR_ABSENT);
    traces_close(t);
    t = open_in(&f, false, SP_OK);
    assert_int_equal(list(t, &(struct ipc_session_list){.most = 20}, false).n, 10);
    traces_close(t);
    folder_free(&f);
}

static size_t left_after(struct traces *t, struct traces_limits limits, uint64_t now_ms)
{
    bool more = true;
    while (more)
        assert_int_equal(traces_sweep(t, &limits, now_ms, &more), SP_OK);
    return list(t, &(struct ipc_session_list){.most = 60}, false).n;
}

static void the_oldest_give_way(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct traces *t = open_in(&f, true, SP_OK);
    for (uint64_t id = 1; id <= 40; id++)
        add(t, id, "192.0.2.1", true);
    const struct traces_limits wide = {1000, 1 << 30, 1000000};
    assert_int_equal(left_after(t, wide, 41000), 40);
    struct traces_limits few = wide, small = wide, young = wide;
    few.most = 30;
    assert_int_equal(left_after(t, few, 41000), 30);
    young.age_ms = 10000;
    assert_int_equal(left_after(t, young, 41000), 10); /* 31..40: begun 31000 and later */
    small.octets = 1000;
    size_t n = left_after(t, small, 41000);
    assert_true(n > 0 && n < 5);
    struct seen s = list(t, &(struct ipc_session_list){.most = 60}, false);
    assert_int_equal(s.ids[0], 40);
    small.octets = 0;
    assert_int_equal(left_after(t, small, 41000), 0);
    assert_false(traces_over(t, &wide));
    traces_close(t);
    folder_free(&f);
}

static void other_files(void **state)
{
    (void)state;
    struct folder f = folder_new();
    (void)open_in(&f, false, SP_ERR_ABSENT);
    int fd = openat(f.fd, "sessions.db", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "This is no database, and never was one.", 39), 39);
    close(fd);
    (void)open_in(&f, true, SP_ERR_IO);
    assert_int_equal(unlinkat(f.fd, "sessions.db", 0), 0);
    traces_close(open_in(&f, true, SP_OK));
    traces_close(open_in(&f, true, SP_OK));
    folder_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pages_and_filters),
                                       cmocka_unit_test(the_oldest_give_way), cmocka_unit_test(other_files)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
