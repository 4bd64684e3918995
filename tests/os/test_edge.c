/* Edges over a socketpair: order, turns, descriptors, backlog, and owners that free them. */
#include "edge_world.h"

#include <sys/resource.h>
#include <sys/stat.h>

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
        cmocka_unit_test(test_lost_descriptor),
        cmocka_unit_test(test_peer_closes),
        cmocka_unit_test(test_free_in_handlers),
        cmocka_unit_test(test_backlog),
        cmocka_unit_test(test_overrun),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
