/* The sender of attempts of what is forwarded, over the days. */
#include "roles/addresses.h"
#include "roles/queue_bench.h"

enum { DAY_MS = 86400000 };

#define SRS                                                                                                  \
    "domain \"back.example\" {\nroute = \"other\"\n}\n"                                                      \
    "srs {\ndomain = \"back.example\"\nsecret-file = \"s\"\nmax-age = 7d\n}\n"                               \
    "queue {\nretry-first = 1h\nretry-most = 12h\nback-off-most = 12h\nwarn-after = 0s\nexpire = 3d\n}\n"

static struct bench *bench_that_forwards(void)
{
    struct bench *b = bench_new(SRS);
    b->role.addresses = addresses_new();
    addresses_take_srs(b->role.addresses, &(struct ipc_srs_secrets){1, SP_LIT("0123456789abcdef\n")});
    addresses_use(b->role.addresses, 1);
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
    return b;
}

static void bench_end_forwarding(struct bench *b)
{
    addresses_free(b->role.addresses);
    b->role.addresses = NULL;
    bench_free(b);
}

static void submit(struct bench *b, int64_t hold_ms)
{
    struct sp_buf list;
    sp_buf_init(&list, &os_heap, 4096);
    struct ipc_recipient r = {
        .address = SP_LIT("far@elsewhere.example"), .route = SP_LIT("relay"), .forwarded = true};
    assert_int_equal(ipc_add_recipient(&list, &r), SP_OK);
    struct ipc_submit s = {.tag = 1,
                           .id = 1,
                           .received_ms = (uint64_t)bench_now_ms,
                           .sender = SP_LIT("w@far.example"),
                           .recipients = sp_buf_view(&list),
                           .parameters = {.hold_until_ms = hold_ms ? bench_now_ms + hold_ms : 0},
                           .size = sizeof BENCH_CONTENT - 1,
                           .content = SP_LIT(BENCH_CONTENT)};
    struct ipc_message m = {.type = IPC_TYPE_submit, .as.submit = s};
    assert_int_equal(os_edge_send(b->smtpd.edge, &m), SP_OK);
    sp_buf_fini(&list);
    bench_until(b, &b->smtpd.n, 1);
    bench_settle(b);
}

/* What the last attempt named, which a bounce of it finds good for so many days from now. */
static const char *named(struct bench *b, int64_t days, char out[256])
{
    struct sp_view sender = bench_last(bench_deliverer(b))->m.as.attempt.sender;
    struct sp_view local = sp_view_sub(sender, 0, sp_view_find(sender, '@', 0));
    (void)snprintf(out, 256, "%.*s", (int)sender.len, (const char *)sender.p);
    for (int64_t day = 0; day <= days + 1; day++) {
        struct sp_buf back;
        sp_buf_init(&back, &os_heap, 256);
        int status =
            srs_read(addresses_srs(b->role.addresses), b->config, local, bench_now_ms + day * DAY_MS, &back);
        if (day <= days) {
            assert_int_equal(status, SP_OK);
            assert_true(sp_view_eq(sp_buf_view(&back), SP_LIT("w@far.example")));
        }
        sp_buf_fini(&back);
    }
    return out;
}

static void test_attempts_are_alike(void **state)
{
    char first[256], later[256];
    struct bench *b = bench_that_forwards();
    (void)state;
    submit(b, 0);
    named(b, 7, first);
    for (size_t n = 1; n < 5; n++) { /* the pause is of 12 hours, and some minutes of chance */
        bench_pass(b, DAY_MS / 24 * 16);
        assert_true(bench_deliverer(b)->attempts > n);
        assert_string_equal(named(b, 4, later), first);
    }
    bench_end_forwarding(b);
}

/* A sender may ask for 30 days (FUTURERELEASE), and an operator hold mail as long as it pleases. */
static void test_what_was_held_for_long_has_a_sender_of_now(void **state)
{
    char first[256], later[256];
    (void)state;
    for (int64_t days = 1; days <= 30; days++) {
        struct bench *b = bench_that_forwards();
        submit(b, days * DAY_MS);
        bench_settle(b);
        assert_int_equal(bench_deliverer(b)->attempts, 0);
        bench_pass(b, days * DAY_MS);
        assert_int_equal(bench_deliverer(b)->attempts, 1);
        named(b, 4, first);
        bench_pass(b, DAY_MS / 2); /* its time begins when it may be sent: it is not given up at once */
        assert_int_equal(bench_deliverer(b)->attempts, 2);
        named(b, 4, later);
        assert_memory_equal(later, "SRS0=", 5);
        bench_end_forwarding(b);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_attempts_are_alike),
    cmocka_unit_test(test_what_was_held_for_long_has_a_sender_of_now),
};

TAP_MAIN(tests)
