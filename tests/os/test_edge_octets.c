/* What arrives on an edge, octet by octet: cut anywhere, malformed, forbidden, with stray descriptors. */
#include "edge_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_bad_payload_and_forbidden),
        cmocka_unit_test(test_stray_descriptors),
        cmocka_unit_test(test_last_words),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
