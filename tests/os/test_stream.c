/* Plain streams over loopback: kept input, pauses, finishing, and every way to fail. */
#include "sides.h"

#include <linux/tcp.h>

/* --- plain ---------------------------------------------------------------------------------- */

static void test_plain(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1:0", "[::1]:0"};
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        open_world(&w, addresses[i]);
        join(&w);
        write_text(&w.client, "EHLO ");
        write_text(&w.client, "x\r\n");
        RUN_UNTIL(w.base, heard(&w.server, "EHLO x\r\n"));
        assert_int_equal(w.server.input_n, 1);
        write_text(&w.server, "250 x\r\n");
        RUN_UNTIL(w.base, heard(&w.client, "250 x\r\n"));
        assert_string_equal(os_stream_peer_address(w.client.stream), i ? "::1" : "127.0.0.1");
        assert_string_equal(os_stream_local_address(w.server.stream), i ? "::1" : "127.0.0.1");
        assert_int_equal(os_stream_peer_port(w.client.stream), os_address_port(&w.address));
        assert_int_equal(os_stream_peer_port(w.server.stream), os_stream_local_port(w.client.stream));
        assert_null(os_stream_tls(w.client.stream));
        os_stream_free(w.client.stream);
        w.client.stream = NULL;
        RUN_UNTIL(w.base, w.server.closed_n == 1);
        assert_string_equal(w.server.why, "");
        close_world(&w);
    }
}

/* Nothing is read before resume, and a pause holds back what comes. */
static void test_pause(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "127.0.0.1:0");
    join_raw(&w);
    os_stream_pause(w.server.stream);
    say(w.raw, "one");
    run_ready(w.base);
    assert_int_equal(w.server.input_n, 0);
    os_stream_resume(w.server.stream);
    RUN_UNTIL(w.base, heard(&w.server, "one"));
    w.server.pause_in_input = true;
    w.server.consume = 1;
    say(w.raw, "two");
    RUN_UNTIL(w.base, heard(&w.server, "onet"));
    say(w.raw, "three");
    run_ready(w.base);
    assert_true(heard(&w.server, "onet"));
    os_stream_resume(w.server.stream);
    RUN_UNTIL(w.base, heard(&w.server, "onetw"));
    w.server.pause_in_input = false;
    w.server.consume = 0;
    os_stream_resume(w.server.stream);
    RUN_UNTIL(w.base, heard(&w.server, "onetwothree"));
    close_world(&w);
}

/* An answer that is there before the handler returns: resume in the handler goes on behind what was consumed.
 */
static void test_resume_in_input(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "127.0.0.1:0");
    join_raw(&w);
    w.server.consume = 1;
    w.server.pause_in_input = w.server.resume_in_input = true;
    say(w.raw, "abcdef");
    RUN_UNTIL(w.base, heard(&w.server, "abcdef"));
    assert_true(w.server.input_n >= 6);
    close_world(&w);
}

static void test_kept(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "127.0.0.1:0");
    join_raw(&w);
    w.server.consume = 2;
    say(w.raw, "abcdef");
    RUN_UNTIL(w.base, heard(&w.server, "ab"));
    run_ready(w.base);
    assert_true(heard(&w.server, "ab"));
    say(w.raw, "g");
    RUN_UNTIL(w.base, heard(&w.server, "abcd"));
    w.server.consume = 0;
    say(w.raw, "h");
    RUN_UNTIL(w.base, heard(&w.server, "abcdefgh"));
    close_world(&w);
}

/* What is written in one turn arrives in one segment, so in one read. */
static void test_one_write(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "127.0.0.1:0");
    join_raw(&w);
    w.server.answer = "250-one\r\n250 two\r\n";
    say(w.raw, "x");
    RUN_UNTIL(w.base, w.server.drained_n == 1);
    struct tcp_info info;
    socklen_t len = sizeof info;
    assert_int_equal(getsockopt(w.raw, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    assert_int_equal(info.tcpi_data_segs_in, 1);
    char octets[64];
    assert_int_equal(recv(w.raw, octets, sizeof octets, MSG_DONTWAIT), strlen(w.server.answer));
    close_world(&w);
}

static uint8_t *make_octets(size_t n)
{
    uint8_t *p = malloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + i / 256);
    return p;
}

static void test_large(void **state)
{
    (void)state;
    enum { N = 6 << 20 };
    uint8_t *octets = make_octets(N);
    struct world w;
    open_world(&w, "127.0.0.1:0");
    join(&w);
    os_stream_pause(w.server.stream);
    for (size_t at = 0; at < N; at += N / 4)
        os_stream_write(w.client.stream, sp_view_make(octets + at, N / 4));
    run_ready(w.base);
    assert_true(os_stream_backlog(w.client.stream) > 0);
    assert_int_equal(w.client.drained_n, 0);
    os_stream_resume(w.server.stream);
    RUN_UNTIL(w.base, w.server.heard.len == N);
    assert_memory_equal(w.server.heard.p, octets, N);
    RUN_UNTIL(w.base, w.client.drained_n == 1);
    assert_int_equal(os_stream_backlog(w.client.stream), 0);
    close_world(&w);
    free(octets);
}

static void test_free_in_input(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "127.0.0.1:0");
    join_raw(&w);
    w.server.consume = 1;
    say(w.raw, "abc");
    RUN_UNTIL(w.base, w.server.input_n == 1);
    w.server.free_in_input = true;
    say(w.raw, "abc");
    RUN_UNTIL(w.base, !w.server.stream);
    assert_int_equal(w.server.closed_n, 0);
    close_world(&w);
}

/* A client that says all, closes its half and waits gets the answers. */
static void test_half_close(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "127.0.0.1:0");
    join_raw(&w);
    w.server.answer = "221 bye\r\n";
    w.server.finish_in_closed = true;
    say(w.raw, "QUIT\r\n");
    shutdown(w.raw, SHUT_WR);
    RUN_UNTIL(w.base, w.server.closed_n == 1 && os_stream_n(w.base) == 0);
    char octets[64];
    assert_int_equal(recv(w.raw, octets, sizeof octets, MSG_DONTWAIT), 9);
    assert_int_equal(recv(w.raw, octets, sizeof octets, MSG_DONTWAIT), 0);
    close_world(&w);
}

/* Read once, and compare with what is wanted. Is it the end? */
static bool read_wanted(int fd, const uint8_t *wanted, size_t *total)
{
    static uint8_t octets[1 << 20];
    ssize_t n = recv(fd, octets, sizeof octets, MSG_DONTWAIT);
    if (n > 0) {
        assert_memory_equal(octets, wanted + *total, (size_t)n);
        *total += (size_t)n;
    }
    return n == 0;
}

/* However slowly it reads. */
static void test_half_close_of_a_slow_reader(void **state)
{
    (void)state;
    enum { N = 8 << 20 };
    uint8_t *written = make_octets(N);
    struct world w;
    open_world(&w, "127.0.0.1:0");
    join_raw(&w);
    os_stream_write(w.server.stream, sp_view_make(written, N));
    run_ready(w.base);
    assert_true(os_stream_backlog(w.server.stream) > 0);
    say(w.raw, "QUIT\r\n");
    shutdown(w.raw, SHUT_WR);
    RUN_UNTIL(w.base, heard(&w.server, "QUIT\r\n"));
    run_ready(w.base);
    assert_int_equal(w.server.closed_n, 0);
    size_t total = 0;
    RUN_UNTIL(w.base, read_wanted(w.raw, written, &total));
    assert_int_equal(total, N);
    assert_int_equal(w.server.closed_n, 1);
    assert_string_equal(w.server.why, "");
    close_world(&w);
    free(written);
}

/* The last reply survives although the client went on talking. */
static void test_finish(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "127.0.0.1:0");
    join_raw(&w);
    say(w.raw, "QUIT\r\n");
    RUN_UNTIL(w.base, w.server.input_n == 1);
    write_text(&w.server, "221 bye\r\n");
    os_stream_finish(w.server.stream);
    w.server.stream = NULL;
    say(w.raw, "NOOP\r\n");
    run_ready(w.base);
    say(w.raw, "NOOP\r\n");
    char octets[64];
    assert_int_equal(recv(w.raw, octets, sizeof octets, 0), 9);
    assert_int_equal(recv(w.raw, octets, sizeof octets, 0), 0);
    assert_int_equal(os_stream_n(w.base), 1);
    close(w.raw);
    w.raw = -1;
    RUN_UNTIL(w.base, os_stream_n(w.base) == 0);
    assert_int_equal(w.server.closed_n, 0);
    close_world(&w);
}

/* Nobody holds a finishing stream for ever: neither by talking on nor by saying nothing. */
static void test_finish_bounds(void **state)
{
    (void)state;
    for (int talk = 0; talk < 2; talk++) {
        struct world w;
        char octets[4096] = {0};
        open_world(&w, "127.0.0.1:0");
        join_raw(&w);
        os_stream_finish(w.server.stream);
        w.server.stream = NULL;
        fcntl(w.raw, F_SETFL, O_NONBLOCK);
        for (int i = 0; talk && i < 32; i++)
            (void)!write(w.raw, octets, sizeof octets);
        RUN_UNTIL(w.base, os_stream_n(w.base) == 0);
        close_world(&w);
    }
}

static void test_reset(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "127.0.0.1:0");
    join_raw(&w);
    setsockopt(w.raw, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(w.raw);
    w.raw = -1;
    RUN_UNTIL(w.base, w.server.closed_n == 1);
    assert_string_equal(w.server.why, "Connection reset by peer");
    close_world(&w);
}

static void test_refused(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "127.0.0.1:0");
    close(w.listener);
    connect_client(&w);
    assert_int_equal(w.client.closed_n, 0);
    RUN_UNTIL(w.base, w.client.closed_n == 1);
    assert_string_equal(w.client.why, "Connection refused");
    /* At once, but told from the loop. */
    w.client.stream = os_stream_connect(w.base, &w.address.as, 3, 5000, &handlers, &w.client);
    assert_int_equal(w.client.closed_n, 1);
    RUN_UNTIL(w.base, w.client.closed_n == 2);
    assert_string_equal(w.client.why, "Invalid argument");
    w.listener = dup(0);
    close_world(&w);
}

/* A listener whose backlog is full does not answer. */
static void test_connect_timeout(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "127.0.0.1:0");
    assert_int_equal(listen(w.listener, 0), 0);
    int held[4];
    for (int i = 0; i < 4; i++) {
        held[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(held[i], &w.address.as.any, w.address.len);
    }
    w.client.stream = os_stream_connect(w.base, &w.address.as, w.address.len, 50, &handlers, &w.client);
    RUN_UNTIL(w.base, w.client.closed_n == 1);
    assert_string_equal(w.client.why, "connection timed out");
    for (int i = 0; i < 4; i++)
        close(held[i]);
    close_world(&w);
}

/* The server says why and hangs up while the client still writes: the reason is heard. */
static void test_last_words(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, "127.0.0.1:0");
    join_raw(&w);
    say(w.raw, "421 too busy\r\n");
    close(w.raw);
    w.raw = -1;
    for (int i = 0; i < 3 && w.server.stream; i++) {
        write_text(&w.server, "MAIL\r\n");
        event_base_loop(w.base, EVLOOP_NONBLOCK);
    }
    RUN_UNTIL(w.base, w.server.closed_n == 1);
    assert_true(heard(&w.server, "421 too busy\r\n"));
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_resume_in_input),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_one_write),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_free_in_input),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_half_close_of_a_slow_reader),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_finish_bounds),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_connect_timeout),
        cmocka_unit_test(test_last_words),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
