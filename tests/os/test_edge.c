/* Edges over a socketpair: whole, cut at every place, with descriptors, malformed, and overrun. */
#include "harness.h"

#include "base/view.h"
#include "os/edge.h"
#include "os/heap.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct end {
    struct os_edge *edge;
    unsigned message_n, closed_n, drained_n;
    uint64_t tags[64];
    size_t content_n;
    int fds[64];
    unsigned fd_n;
    bool free_in_message, free_in_closed, free_in_drained;
};

static void take(struct end *end, int fd)
{
    assert_true(end->fd_n < 64);
    end->fds[end->fd_n++] = fd;
}

static void on_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct end *end = ctx;
    uint64_t tag = 0;
    if (m->type == IPC_TYPE_submit) {
        tag = m->as.submit.tag;
        end->content_n += m->as.submit.content.len;
        for (size_t i = 0; i < m->as.submit.content.len; i++)
            assert_int_equal(m->as.submit.content.p[i], (uint8_t)(tag + i));
    } else if (m->type == IPC_TYPE_spool_here) {
        tag = m->as.spool_here.tag;
        take(end, m->as.spool_here.fd);
    } else if (m->type == IPC_TYPE_submit_yes) {
        tag = m->as.submit_yes.tag;
    }
    end->tags[end->message_n++ % 64] = tag;
    if (end->free_in_message) {
        os_edge_free(edge);
        end->edge = NULL;
    }
}

static void on_closed(void *ctx, struct os_edge *edge)
{
    struct end *end = ctx;
    end->closed_n++;
    if (end->free_in_closed) {
        os_edge_free(edge);
        end->edge = NULL;
    }
}

static void on_drained(void *ctx, struct os_edge *edge)
{
    struct end *end = ctx;
    end->drained_n++;
    if (end->free_in_drained) {
        os_edge_free(edge);
        end->edge = NULL;
    }
}

static const struct os_edge_handlers handlers = {on_message, on_closed, on_drained};

/* smtpd's end and queue's end of one edge. */
struct world {
    struct event_base *base;
    int fds_before;
    int raw; /* the other descriptor where one end is not an edge */
    struct end smtpd, queue;
};

static void open_both(struct world *w)
{
    *w = (struct world){.fds_before = count_fds(), .raw = -1};
    int pair[2];
    w->base = os_loop_new();
    make_pair(pair);
    w->smtpd.edge = os_edge_new(w->base, pair[0], IPC_SMTPD, IPC_QUEUE, 0, &handlers, &w->smtpd);
    w->queue.edge = os_edge_new(w->base, pair[1], IPC_QUEUE, IPC_SMTPD, 3, &handlers, &w->queue);
}

/* Only queue's end is an edge; the test speaks for smtpd in octets. */
static void open_raw(struct world *w)
{
    *w = (struct world){.fds_before = count_fds()};
    int pair[2];
    w->base = os_loop_new();
    make_pair(pair);
    w->raw = pair[0];
    w->queue.edge = os_edge_new(w->base, pair[1], IPC_QUEUE, IPC_SMTPD, 3, &handlers, &w->queue);
}

static void close_end(struct end *end)
{
    os_edge_free(end->edge);
    for (unsigned i = 0; i < end->fd_n; i++)
        if (end->fds[i] >= 0)
            close(end->fds[i]);
}

static void close_world(struct world *w)
{
    close_end(&w->smtpd);
    close_end(&w->queue);
    if (w->raw >= 0)
        close(w->raw);
    event_base_free(w->base);
    assert_int_equal(count_fds(), w->fds_before);
}

/* A submit whose octets follow from its tag. */
static struct ipc_message make_submit(uint64_t tag, size_t n, uint8_t **content_out)
{
    uint8_t *content = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        content[i] = (uint8_t)(tag + i);
    *content_out = content;
    return (struct ipc_message){.type = IPC_TYPE_submit,
                                .as.submit = {.tag = tag,
                                              .session = SP_LIT("s1"),
                                              .sender = SP_LIT("a@example.org"),
                                              .size = n,
                                              .content = {content, n}}};
}

static int send_submit(struct os_edge *e, uint64_t tag, size_t n)
{
    uint8_t *content;
    struct ipc_message m = make_submit(tag, n, &content);
    int status = os_edge_send(e, &m);
    free(content);
    return status;
}

static int send_fd(struct os_edge *e, uint64_t tag, int fd)
{
    return os_edge_send(
        e, &(struct ipc_message){.type = IPC_TYPE_spool_here, .as.spool_here = {.tag = tag, .fd = fd}});
}

static void test_both_ways(void **state)
{
    (void)state;
    struct world w;
    open_both(&w);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(send_submit(w.smtpd.edge, i, 100 * i), SP_OK);
    RUN_UNTIL(w.base, w.queue.message_n == 20);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(w.queue.tags[i], i);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(os_edge_send(w.queue.edge, &(struct ipc_message){.type = IPC_TYPE_submit_yes,
                                                                          .as.submit_yes = {.tag = i}}),
                         SP_OK);
    RUN_UNTIL(w.base, w.smtpd.message_n == 20);
    assert_int_equal(os_edge_peer(w.queue.edge), IPC_SMTPD);
    assert_int_equal(os_edge_peer_index(w.queue.edge), 3);
    close_world(&w);
}

/* Everything that one turn of the loop queues is in the socket after that turn. */
static void test_one_write_per_turn(void **state)
{
    (void)state;
    struct world w;
    int pair[2];
    w = (struct world){.fds_before = count_fds(), .raw = -1};
    w.base = os_loop_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    w.smtpd.edge = os_edge_new(w.base, pair[0], IPC_SMTPD, IPC_QUEUE, 0, &handlers, &w.smtpd);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(send_submit(w.smtpd.edge, i, 10), SP_OK);
    char octets[4096];
    assert_int_equal(recv(pair[1], octets, sizeof octets, MSG_DONTWAIT), -1);
    run_ready(w.base);
    ssize_t n = recv(pair[1], octets, sizeof octets, MSG_DONTWAIT);
    assert_true(n > 10 * (IPC_HEADER_LEN + 10));
    close(pair[1]);
    RUN_UNTIL(w.base, w.smtpd.closed_n == 1);
    close_world(&w);
}

static void test_large(void **state)
{
    (void)state;
    struct world w;
    open_both(&w);
    size_t large = IPC_PAYLOAD_MAX - 4096;
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(send_submit(w.smtpd.edge, i, i == 1 ? large : 5000), SP_OK);
    RUN_UNTIL(w.base, w.queue.message_n == 3);
    assert_int_equal(w.queue.content_n, large + 10000);
    assert_int_equal(send_submit(w.smtpd.edge, 1, IPC_PAYLOAD_MAX + 1), SP_ERR_LONG);
    assert_int_equal(send_submit(w.smtpd.edge, 9, 5), SP_OK);
    RUN_UNTIL(w.base, w.queue.message_n == 4);
    close_world(&w);
}

/* A file that can be told from others: its size. */
static int make_file(size_t size)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static void test_descriptors(void **state)
{
    (void)state;
    struct world w;
    open_both(&w);
    for (uint64_t i = 0; i < 40; i++) {
        int fd = i % 3 == 2 ? -1 : make_file(i);
        assert_int_equal(send_fd(w.queue.edge, i, fd), SP_OK);
        if (fd >= 0)
            close(fd);
        if (i % 7 == 0)
            run_ready(w.base);
    }
    RUN_UNTIL(w.base, w.smtpd.message_n == 40);
    assert_int_equal(w.smtpd.fd_n, 40);
    for (unsigned i = 0; i < 40; i++) {
        struct stat st;
        assert_int_equal(w.smtpd.tags[i], i);
        assert_int_equal(w.smtpd.fds[i] >= 0, i % 3 != 2);
        if (w.smtpd.fds[i] < 0)
            continue;
        assert_int_equal(fstat(w.smtpd.fds[i], &st), 0);
        assert_int_equal(st.st_size, i);
        assert_int_equal(fcntl(w.smtpd.fds[i], F_GETFD), FD_CLOEXEC);
    }
    close_world(&w);
}

/* --- octets by hand ------------------------------------------------------------------------ */

static void pack(struct sp_buf *out, const struct ipc_message *m)
{
    int fd;
    assert_int_equal(ipc_pack(m, out, &fd), SP_OK);
}

static void write_all(int fd, struct sp_view v) { assert_int_equal(write(fd, v.p, v.len), v.len); }

static void write_with_fds(int fd, struct sp_view v, const int *fds, size_t n)
{
    union {
        struct cmsghdr align;
        char raw[CMSG_SPACE(4 * sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)v.p, v.len};
    struct msghdr h = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    *c = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n * sizeof(int))};
    memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    assert_int_equal(sendmsg(fd, &h, MSG_NOSIGNAL), v.len);
}

static void test_every_cut(void **state)
{
    (void)state;
    struct world w;
    struct sp_buf octets;
    uint8_t *content;
    sp_buf_init(&octets, &os_heap, 1 << 16);
    for (uint64_t i = 0; i < 3; i++) {
        struct ipc_message m = make_submit(i, 20 * i, &content);
        pack(&octets, &m);
        free(content);
    }
    for (size_t cut = 0; cut <= octets.len; cut++) {
        open_raw(&w);
        write_all(w.raw, sp_view_sub(sp_buf_view(&octets), 0, cut));
        run_ready(w.base);
        unsigned before = w.queue.message_n;
        assert_true(cut == octets.len ? before == 3 : before < 3);
        write_all(w.raw, sp_view_from(sp_buf_view(&octets), cut));
        RUN_UNTIL(w.base, w.queue.message_n == 3);
        assert_int_equal(w.queue.content_n, 60);
        close_world(&w);
    }
    open_raw(&w);
    for (size_t i = 0; i < octets.len; i++) {
        write_all(w.raw, sp_view_sub(sp_buf_view(&octets), i, 1));
        event_base_loop(w.base, EVLOOP_NONBLOCK);
    }
    RUN_UNTIL(w.base, w.queue.message_n == 3);
    close_world(&w);
    sp_buf_fini(&octets);
}

/* The edge closes with that reason in the log; the receiver lives. */
static void expect_closed(struct world *w, struct caught *log, const char *reason)
{
    RUN_UNTIL(w->base, w->queue.closed_n == 1);
    const char *text = catch_end(log);
    assert_non_null(strstr(text, "level=warn"));
    assert_non_null(strstr(text, "event=edge-closed peer=smtpd index=3"));
    assert_non_null(strstr(text, reason));
    run_ready(w->base);
    assert_int_equal(w->queue.closed_n, 1);
    assert_int_equal(os_edge_send(w->queue.edge, &(struct ipc_message){.type = IPC_TYPE_submit_yes}),
                     SP_ERR_CLOSED);
    close_world(w);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        struct sp_view octets;
        const char *reason;
    } cases[] = {
        {SP_LIT_INIT("\x00\x00\x00\x00\xff\x00\x00\x00"), "unknown message type"},
        {SP_LIT_INIT("\xff\xff\xff\xff\x00\x00\x00\x00"), "payload over the limit"},
        {SP_LIT_INIT("\x00\x00\x00\x00\x00\x00\x02\x00"), "flags"},
        {SP_LIT_INIT("GET / HTTP/1.1\r\n\r\n"), "unknown message type"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        struct caught log;
        open_raw(&w);
        catch_start(&log);
        write_all(w.raw, cases[i].octets);
        expect_closed(&w, &log, cases[i].reason);
    }
}

static void test_bad_payload_and_forbidden(void **state)
{
    (void)state;
    for (int forbidden = 0; forbidden < 2; forbidden++) {
        struct world w;
        struct caught log;
        struct sp_buf octets;
        uint8_t *content;
        struct ipc_message m =
            forbidden ? (struct ipc_message){.type = IPC_TYPE_submit_yes} : make_submit(1, 10, &content);
        sp_buf_init(&octets, &os_heap, 1 << 16);
        open_raw(&w);
        catch_start(&log);
        pack(&octets, &m);
        if (!forbidden) {
            octets.p[0]--; /* one octet of payload less than the fields need */
            free(content);
        }
        write_all(w.raw, sp_buf_view(&octets));
        expect_closed(&w, &log,
                      forbidden ? "not allowed on this edge\" message=submit_yes"
                                : "malformed\" message=submit");
        sp_buf_fini(&octets);
    }
}

/* What the peer sends along against the rules: 0 none though announced, 1 one too many, 2 unannounced. */
static void test_stray_descriptors(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct world w;
        struct caught log;
        struct sp_buf octets;
        int fds[2] = {STDIN_FILENO, STDIN_FILENO};
        sp_buf_init(&octets, &os_heap, 1 << 16);
        pack(&octets, &(struct ipc_message){.type = IPC_TYPE_spool_want});
        open_raw(&w);
        catch_start(&log);
        if (kind == 0)
            octets.p[6] = 1;
        if (kind == 0)
            write_all(w.raw, sp_buf_view(&octets));
        else if (kind < 3)
            write_with_fds(w.raw, sp_buf_view(&octets), fds, (size_t)(3 - kind));
        else /* in the middle of a message */
            write_all(w.raw, sp_view_sub(sp_buf_view(&octets), 0, 10)),
                write_with_fds(w.raw, sp_view_from(sp_buf_view(&octets), 10), fds, 1);
        expect_closed(&w, &log,
                      kind == 0   ? "did not come"
                      : kind == 1 ? "more than one descriptor"
                                  : "no message announced");
        sp_buf_fini(&octets);
    }
}

/* A receiver without a free descriptor loses the edge, not the pairing. */
static void test_lost_descriptor(void **state)
{
    (void)state;
    struct world w;
    struct caught log;
    struct rlimit before, few;
    open_both(&w);
    assert_int_equal(send_fd(w.queue.edge, 1, STDIN_FILENO), SP_OK);
    os_edge_flush(w.queue.edge);
    catch_start(&log);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){3, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(send_fd(w.queue.edge, 2, STDIN_FILENO), SP_ERR_IO);
    run_ready(w.base);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    RUN_UNTIL(w.base, w.smtpd.closed_n == 1 && w.queue.closed_n == 1);
    assert_int_equal(w.smtpd.message_n, 0);
    assert_non_null(strstr(catch_end(&log), "too many open files?"));
    close_world(&w);
}

static void test_peer_closes(void **state)
{
    (void)state;
    struct world w;
    open_both(&w);
    w.queue.free_in_closed = true;
    send_submit(w.smtpd.edge, 1, 10);
    os_edge_flush(w.smtpd.edge);
    os_edge_free(w.smtpd.edge);
    w.smtpd.edge = NULL;
    RUN_UNTIL(w.base, w.queue.closed_n == 1);
    assert_int_equal(w.queue.message_n, 1);
    close_world(&w);
}

/* A peer that closed has still said something: it is heard although writing to it fails. */
static void test_last_words(void **state)
{
    (void)state;
    struct world w;
    struct sp_buf octets;
    uint8_t *content;
    open_raw(&w);
    sp_buf_init(&octets, &os_heap, 1 << 16);
    struct ipc_message m = make_submit(5, 10, &content);
    pack(&octets, &m);
    write_all(w.raw, sp_buf_view(&octets));
    close(w.raw);
    w.raw = -1;
    assert_int_equal(
        os_edge_send(w.queue.edge, &(struct ipc_message){.type = IPC_TYPE_submit_yes, .as.submit_yes = {1}}),
        SP_OK);
    os_edge_flush(w.queue.edge);
    RUN_UNTIL(w.base, w.queue.closed_n == 1);
    assert_int_equal(w.queue.message_n, 1);
    close_world(&w);
    free(content);
    sp_buf_fini(&octets);
}

static void test_free_in_handlers(void **state)
{
    (void)state;
    struct world w;
    open_both(&w);
    w.queue.free_in_message = true;
    for (uint64_t i = 0; i < 5; i++)
        send_submit(w.smtpd.edge, i, 1000);
    RUN_UNTIL(w.base, w.smtpd.closed_n == 1);
    assert_int_equal(w.queue.message_n, 1);
    close_world(&w);
}

static void fill(struct world *w)
{
    for (uint64_t i = 0; !os_edge_full(w->smtpd.edge); i++) {
        assert_true(i < 1000);
        assert_int_equal(send_submit(w->smtpd.edge, i, 60000), SP_OK);
    }
}

static void test_backlog(void **state)
{
    (void)state;
    for (int free_it = 0; free_it < 2; free_it++) {
        struct world w;
        open_both(&w);
        w.smtpd.free_in_drained = free_it;
        fill(&w);
        assert_int_equal(w.smtpd.drained_n, 0);
        RUN_UNTIL(w.base, w.smtpd.drained_n == 1);
        if (!free_it)
            assert_false(os_edge_full(w.smtpd.edge));
        run_ready(w.base);
        assert_int_equal(w.smtpd.drained_n, 1);
        close_world(&w);
    }
}

static void test_overrun(void **state)
{
    (void)state;
    struct world w;
    struct caught log;
    open_both(&w);
    catch_start(&log);
    int status = SP_OK;
    for (uint64_t i = 0; status == SP_OK; i++) {
        assert_true(i < 100);
        status = send_submit(w.smtpd.edge, i, 1 << 20);
    }
    assert_int_equal(status, SP_ERR_CLOSED);
    RUN_UNTIL(w.base, w.smtpd.closed_n == 1 && w.queue.closed_n == 1);
    assert_non_null(strstr(catch_end(&log), "event=edge-overrun"));
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_one_write_per_turn),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_bad_payload_and_forbidden),
        cmocka_unit_test(test_stray_descriptors),
        cmocka_unit_test(test_lost_descriptor),
        cmocka_unit_test(test_peer_closes),
        cmocka_unit_test(test_last_words),
        cmocka_unit_test(test_free_in_handlers),
        cmocka_unit_test(test_backlog),
        cmocka_unit_test(test_overrun),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
