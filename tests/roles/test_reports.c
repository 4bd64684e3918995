/* What a sender is told, when it asked for what: RFC 3461, 2852, and mail that is late. */
#include "roles/queue_bench.h"

#define QUICK                                                                                                \
    "queue {\nretry-first = 60s\nback-off-first = 10s\nback-off-most = 80s\nwarn-after = 1h\nexpire = 5h\n}"

static void everybody(struct bench *b, enum ipc_health health, enum ipc_end end)
{
    for (size_t i = 0; i < BENCH_DELIVERIES; i++) {
        b->delivery[i].health = health;
        b->delivery[i].end = end;
    }
}

static size_t attempts(struct bench *b) { return b->delivery[0].attempts + b->delivery[1].attempts; }

/* Send a message to n recipients with what its sender asks. */
static void submit_from(struct bench *b, struct sp_mail_parameters mail, struct sp_rcpt_parameters rcpt,
                        bool stranger, size_t n)
{
    struct sp_buf list;
    size_t before = b->smtpd.n;
    sp_buf_init(&list, &os_heap, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        char address[64] = "b@example.net";
        if (i > 0)
            (void)snprintf(address, sizeof address, "b%zu@example.net", i);
        struct ipc_recipient r = {
            .address = sp_view_of(address), .route = SP_LIT("relay"), .parameters = rcpt};
        assert_int_equal(ipc_add_recipient(&list, &r), SP_OK);
    }
    struct ipc_submit s = {.tag = ++b->next_tag,
                           .id = ++b->next_id,
                           .received_ms = (uint64_t)bench_now_ms,
                           .session = SP_LIT("s1"),
                           .client = SP_LIT("127.0.0.1"),
                           .sender = SP_LIT("a@example.org"),
                           .stranger = stranger,
                           .recipients = sp_buf_view(&list),
                           .parameters = mail,
                           .size = sizeof BENCH_CONTENT - 1,
                           .content = SP_LIT(BENCH_CONTENT)};
    assert_int_equal(
        os_edge_send(b->smtpd.edge, &(struct ipc_message){.type = IPC_TYPE_submit, .as.submit = s}), SP_OK);
    sp_buf_fini(&list);
    bench_until(b, &b->smtpd.n, before + 1);
    bench_settle(b);
}

static void submit(struct bench *b, struct sp_mail_parameters mail, struct sp_rcpt_parameters rcpt)
{
    submit_from(b, mail, rcpt, false, 1);
}

/* How many attempts with the null sender came whose content holds this? */
static size_t count_reports(struct bench *b, const char *text)
{
    size_t n = 0;
    for (size_t i = 0; i < BENCH_DELIVERIES; i++)
        for (size_t k = 0; k < BENCH_SEEN_MAX; k++) {
            const struct bench_seen *seen = &b->delivery[i].seen[k];
            const struct ipc_attempt *a = &seen->m.as.attempt;
            n += seen->m.type == IPC_TYPE_attempt && seen->octets && a->sender.len == 0 &&
                 memmem(a->content.p, a->content.len, text, strlen(text)) != NULL;
        }
    return n;
}

static bool reported(struct bench *b, const char *text) { return count_reports(b, text) > 0; }

static void watch(struct bench *b)
{
    do
        queue_watch_step(bench_queue(b));
    while (bench_queue(b)->watch.pages > 0);
    bench_settle(b);
}

static void test_success_is_reported_to_who_asked(void **state)
{
    (void)state;
    static const struct {
        uint8_t notify;
        enum ipc_end end;
        const char *action; /* NULL: no report */
    } rows[] = {{0, IPC_END_FINAL, NULL},
                {SP_NOTIFY_SUCCESS, IPC_END_FINAL, "Action: delivered\r\n"},
                {SP_NOTIFY_SUCCESS | SP_NOTIFY_FAILURE, IPC_END_RELAYED, "Action: relayed\r\n"},
                {SP_NOTIFY_SUCCESS, IPC_END_PASSED, NULL},
                {SP_NOTIFY_FAILURE, IPC_END_FINAL, NULL},
                {SP_NOTIFY_NEVER, IPC_END_FINAL, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench *b = bench_new(QUICK);
        bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 2.1.5 Ok");
        everybody(b, IPC_HEALTH_GOOD, rows[i].end);
        submit(b, (struct sp_mail_parameters){.envid = SP_LIT("Q 1")},
               (struct sp_rcpt_parameters){.notify = rows[i].notify, .orcpt = SP_LIT("rfc822;x@y.example")});
        assert_int_equal(attempts(b), rows[i].action ? 2 : 1);
        if (rows[i].action) {
            assert_true(reported(b, rows[i].action));
            assert_true(reported(b, "Original-Envelope-Id: Q 1\r\n"));
            assert_true(reported(b, "Original-Recipient: rfc822; x@y.example\r\n"));
        }
        assert_int_equal(bench_list(b).n, 0);
        bench_free(b);
    }
}

static void test_failure_is_not_reported_to_who_wants_none(void **state)
{
    (void)state;
    static const struct {
        uint8_t notify;
        size_t attempts;
    } rows[] = {
        {0, 2}, {SP_NOTIFY_FAILURE, 2}, {SP_NOTIFY_NEVER, 1}, {SP_NOTIFY_SUCCESS | SP_NOTIFY_DELAY, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench *b = bench_new(QUICK);
        bench_deliver(b, IPC_OUTCOME_FAILED, 550, "550 5.1.1 no such user");
        submit(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){.notify = rows[i].notify});
        assert_int_equal(attempts(b), rows[i].attempts);
        assert_int_equal(reported(b, "What this means: "), rows[i].attempts == 2);
        bench_free(b);
    }
}

static void test_the_whole_message_comes_back_to_who_asked(void **state)
{
    (void)state;
    for (int full = 0; full < 2; full++) {
        struct bench *b = bench_new(QUICK);
        bench_deliver(b, IPC_OUTCOME_FAILED, 550, "550 5.1.1 no such user");
        submit(b, (struct sp_mail_parameters){.ret = full ? SP_RET_FULL : SP_RET_HDRS},
               (struct sp_rcpt_parameters){0});
        assert_int_equal(reported(b, "message/rfc822\r\n\r\n" BENCH_CONTENT), full);
        assert_int_equal(reported(b, "text/rfc822-headers\r\n\r\nSubject: hello\r\n"), !full);
        bench_free(b);
    }
}

static void test_a_sender_is_told_once_that_mail_is_late(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
    submit(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){0});
    assert_int_equal(attempts(b), 1);
    bench_pass(b, 3599000); /* tried again, still in time */
    size_t before = attempts(b);
    watch(b);
    assert_int_equal(attempts(b), before);
    bench_pass(b, 1000);
    watch(b);
    assert_true(reported(b, "Action: delayed\r\n"));
    assert_true(reported(b, "Status: 4.2.0\r\n"));
    assert_true(reported(b, "Will-Retry-Until: "));
    struct bench_listing l = bench_list(b);
    assert_non_null(strstr(l.text, "<a@example.org> to b@example.net deferred"));
    assert_int_equal(l.n, 2);
    bench_pass(b, 3600000);
    watch(b);
    assert_int_equal(bench_list(b).n, 2); /* once; the report itself is never reported on */
    bench_free(b);
}

static void test_who_wants_no_delay_reports_gets_none(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
    submit(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){.notify = SP_NOTIFY_FAILURE});
    bench_pass(b, 3700000);
    watch(b);
    assert_false(reported(b, "Action: delayed\r\n"));
    bench_free(b);
}

/* Parked behind a destination that is down, none of them is ever tried: they are late, and then over. */
static void test_what_is_never_tried_is_late_and_expires(void **state)
{
    (void)state;
    struct bench *b = bench_new("queue {\nretry-first = 60s\nback-off-first = 1d\nback-off-most = "
                                "1d\nwarn-after = 1h\nexpire = 5h\n}");
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 0, "connection refused");
    everybody(b, IPC_HEALTH_DOWN, IPC_END_FINAL);
    submit(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){.notify = SP_NOTIFY_NEVER});
    for (int i = 0; i < 3; i++)
        submit(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){0});
    assert_int_equal(attempts(b), 1);
    bench_pass(b, 3600000);
    watch(b);
    struct bench_listing l = bench_list(b);
    assert_int_equal(l.n, 7); /* four messages, three reports that wait as well */
    bench_pass(b, 4 * 3600000);
    watch(b);
    l = bench_list(b);
    /* All four are over; nothing is left but reports: three of lateness, three of failure. */
    assert_int_equal(l.n, 6);
    assert_null(strstr(l.text, "b@example.net"));
    bench_free(b);
}

static void test_the_time_that_a_sender_gives_is_kept(void **state)
{
    (void)state;
    for (int notify = 0; notify < 2; notify++) {
        struct bench *b = bench_new(QUICK);
        bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
        submit(b,
               (struct sp_mail_parameters){.by = notify ? SP_BY_NOTIFY : SP_BY_RETURN,
                                           .by_ms = bench_now_ms + 600000},
               (struct sp_rcpt_parameters){0});
        bench_pass(b, 599000);
        watch(b);
        assert_false(reported(b, "Action: "));
        bench_pass(b, 30000);
        watch(b);
        assert_int_equal(reported(b, "Action: failed\r\nStatus: 5.4.7\r\n"), !notify);
        assert_int_equal(reported(b, "Action: delayed\r\n"), notify);
        assert_int_equal(strstr(bench_list(b).text, "to b@example.net") != NULL, notify);
        bench_free(b);
    }
}

/* What is said to a stranger's sender, by configuration and by what the next server said. */
static void test_a_stranger_is_spared_what_was_judged(void **state)
{
    (void)state;
    static const struct {
        const char *key, *reply;
        bool stranger, told;
    } rows[] = {{"", "550 5.7.1 this is spam", true, false},
                {"", "550 5.7.1 this is spam", false, true},
                {"", "550 5.1.1 no such user", true, true},
                {"", "552 5.2.2 mailbox full", true, true},
                {"return-to-strangers = all\n", "550 5.7.1 this is spam", true, true},
                {"return-to-strangers = none\n", "550 5.1.1 no such user", true, false},
                {"return-to-strangers = none\n", "550 5.1.1 no such user", false, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "queue {\nexpire = 5h\n%s}", rows[i].key);
        struct bench *b = bench_new(text);
        bench_deliver(b, IPC_OUTCOME_FAILED, 550, rows[i].reply);
        submit_from(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){0}, rows[i].stranger, 1);
        assert_int_equal(reported(b, "Action: failed\r\n"), rows[i].told);
        struct bench_listing l = bench_list(b);
        assert_int_equal(l.n, rows[i].told ? 0 : 1);
        if (!rows[i].told) {
            assert_int_equal(l.last.state, STORE_HELD);
            assert_true(l.last.unreturned);
            assert_string_equal(l.reply, rows[i].reply);
            bench_pass(b, 5 * 3600000 - 1000);
            watch(b);
            assert_int_equal(bench_list(b).n, 1);
            bench_pass(b, 1000);
            watch(b); /* it goes, and nobody is told */
            assert_int_equal(bench_list(b).n, 0);
            assert_false(reported(b, "Action: "));
        }
        bench_free(b);
    }
}

/* Whatever NOTIFY asks for: with none, strangers hear of no success and of no delay. */
static void test_none_is_told_to_strangers(void **state)
{
    (void)state;
    static const struct {
        bool stranger;
        enum ipc_outcome_kind kind;
        const char *reply, *report;
    } rows[] = {{true, IPC_OUTCOME_DELIVERED, "250 2.1.5 Ok", NULL},
                {false, IPC_OUTCOME_DELIVERED, "250 2.1.5 Ok", "Action: relayed\r\n"},
                {true, IPC_OUTCOME_DEFERRED, "450 4.2.0 later", NULL},
                {false, IPC_OUTCOME_DEFERRED, "450 4.2.0 later", "Action: delayed\r\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench *b =
            bench_new("queue {\nretry-first = 60s\nwarn-after = 1h\nreturn-to-strangers = none\n}");
        bool taken = rows[i].kind == IPC_OUTCOME_DELIVERED;
        bench_deliver(b, rows[i].kind, taken ? 250 : 450, rows[i].reply);
        everybody(b, IPC_HEALTH_GOOD, IPC_END_RELAYED);
        submit_from(b, (struct sp_mail_parameters){.by_trace = true},
                    (struct sp_rcpt_parameters){.notify = SP_NOTIFY_SUCCESS | SP_NOTIFY_DELAY},
                    rows[i].stranger, 1);
        bench_pass(b, 3600000);
        watch(b);
        assert_int_equal(reported(b, "Action: "), rows[i].report != NULL);
        if (rows[i].report)
            assert_true(reported(b, rows[i].report));
        assert_int_equal(bench_list(b).n > 0, !taken); /* nothing is kept of what is done */
        bench_free(b);
    }
}

/* Who wants no report of failures needs nothing to be kept. */
static void test_nothing_is_kept_that_nobody_would_be_told_of(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    bench_deliver(b, IPC_OUTCOME_FAILED, 550, "550 5.7.1 this is spam");
    submit_from(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){.notify = SP_NOTIFY_NEVER},
                true, 1);
    assert_int_equal(bench_list(b).n, 0);
    bench_free(b);
}

static void test_an_operator_returns_what_was_kept(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    bench_deliver(b, IPC_OUTCOME_FAILED, 550, "550 5.7.1 this is spam");
    submit_from(b, (struct sp_mail_parameters){.ret = SP_RET_FULL}, (struct sp_rcpt_parameters){0}, true, 1);
    assert_int_equal(bench_list(b).n, 1);
    assert_int_equal(queue_give_up(bench_queue(b), b->next_id, SP_LIT("by hand")), SP_OK);
    bench_settle(b);
    /* Why is what the server said, not who sent the report. */
    assert_true(reported(b, "Diagnostic-Code: smtp; 550 5.7.1 this is spam\r\n"));
    assert_false(reported(b, "by hand"));
    /* Of what a stranger wrote the header alone goes to who may be somebody else. */
    assert_false(reported(b, "Body."));
    assert_int_equal(bench_list(b).n, 0);
    assert_int_equal(queue_give_up(bench_queue(b), b->next_id, SP_LIT("by hand")), SP_ERR_ABSENT); /* once */
    bench_settle(b);
    assert_int_equal(count_reports(b, "Action: failed\r\n"), 1);
    bench_free(b);
}

/* Refused spam does not fill the disk: what is unreturned goes when there is no room for new mail, and
 * nothing else does. */
static void test_what_is_kept_gives_way_to_new_mail(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    bench_deliver(b, IPC_OUTCOME_FAILED, 550, "550 5.7.1 this is spam");
    for (int i = 0; i < 300; i++) /* more than a page */
        submit_from(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){0}, true, 1);
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
    submit_from(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){0}, true, 1);
    watch(b);
    assert_int_equal(bench_list(b).n, 301);
    bench_configure(b, BENCH_CONFIG QUICK "limits {\nfree-space = 1024G\n}");
    watch(b);
    assert_int_equal(bench_list(b).n, 1);
    assert_int_equal(bench_list(b).last.state, STORE_DEFERRED);
    assert_false(reported(b, "Action: "));
    bench_free(b);
}

/* Nor is a stranger told that judged mail is late; when it expires it is gone with the next look. */
static void test_a_stranger_is_spared_delays(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        bool told;
    } rows[] = {{"451 4.7.1 your mail looks like spam", false}, {"450 4.2.0 later", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench *b = bench_new(QUICK);
        bench_deliver(b, IPC_OUTCOME_DEFERRED, 451, rows[i].reply);
        submit_from(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){0}, true, 1);
        bench_pass(b, 3600000);
        watch(b);
        assert_int_equal(reported(b, "Action: delayed\r\n"), rows[i].told);
        for (int k = 0; k < 12 && bench_list(b).n > 0; k++) {
            bench_pass(b, 3600000);
            watch(b);
        }
        assert_int_equal(reported(b, "Action: failed\r\n"), rows[i].told);
        bench_free(b);
    }
}

/* Reports to one domain are bounded by the hour; the next hour is another. */
static void test_strangers_of_one_domain_get_so_many_reports(void **state)
{
    (void)state;
    struct bench *b = bench_new("queue {\nstranger-reports = 3\n}");
    bench_deliver(b, IPC_OUTCOME_FAILED, 550, "550 5.1.1 no such user");
    for (int i = 0; i < 5; i++)
        submit_from(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){0}, true, 2);
    assert_int_equal(count_reports(b, "Action: failed\r\n"), 3);
    assert_int_equal(bench_list(b).n, 4);
    submit(b, (struct sp_mail_parameters){0},
           (struct sp_rcpt_parameters){0}); /* who has logged in is not counted */
    assert_int_equal(count_reports(b, "Action: failed\r\n"), 4);
    bench_pass(b, 3600000);
    submit_from(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){0}, true, 1);
    assert_int_equal(count_reports(b, "Action: failed\r\n"), 5);
    bench_free(b);
}

/* A message whose recipients fill several pages of the walk makes one report of each kind. */
static void test_one_message_that_is_late_makes_one_report(void **state)
{
    (void)state;
    for (int by = 0; by < 2; by++) {
        struct bench *b = bench_new(QUICK);
        struct sp_mail_parameters mail = {.by = by ? SP_BY_NOTIFY : SP_BY_UNSAID,
                                          .by_ms = by ? bench_now_ms + 600000 : 0,
                                          .hold_until_ms = 0};
        bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
        submit_from(b, mail, (struct sp_rcpt_parameters){0}, false, 950);
        /* No further attempt, which would find it by itself. */
        for (size_t i = 0; i < BENCH_DELIVERIES; i++)
            b->delivery[i].deliver = false;
        bench_now_ms += by ? 600000 : 3600000;
        watch(b);
        assert_int_equal(count_reports(b, "Action: delayed\r\n"), 1);
        watch(b);
        assert_int_equal(count_reports(b, "Action: delayed\r\n"), 1);
        bench_free(b);
    }
}

static void test_urgent_mail_goes_first(void **state)
{
    (void)state;
    static const int8_t priorities[] = {0, -3, 4, 0, 9, 4};
    static const int8_t order[] = {9, 4, 4, 0, 0, -3};
    struct bench *b = bench_new(QUICK "limits {\n}\n");
    struct queue *q = bench_queue(b);
    /* One that is down for a moment, so that the others wait together. */
    q->stopping = true;
    for (size_t i = 0; i < sizeof priorities; i++)
        submit(b, (struct sp_mail_parameters){.priority = priorities[i]}, (struct sp_rcpt_parameters){0});
    q->stopping = false;
    bench_pass(b, 1);
    struct bench_end *end = bench_deliverer(b);
    assert_int_equal(end->attempts, sizeof priorities);
    for (size_t i = 0; i < sizeof order; i++)
        assert_int_equal(end->seen[i].m.as.attempt.parameters.priority, order[i]);
    bench_free(b);
}

static void test_an_empty_store_is_not_watched(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    struct os_timer *timer = &bench_queue(b)->watch.timer;
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 not now");
    assert_true(event_pending(timer->event, EV_TIMEOUT, NULL)); /* the first look */
    os_timer_stop(timer);                                       /* it comes early */
    watch(b);
    assert_false(event_pending(timer->event, EV_TIMEOUT, NULL));
    submit(b, (struct sp_mail_parameters){0}, (struct sp_rcpt_parameters){0});
    assert_true(event_pending(timer->event, EV_TIMEOUT, NULL));
    os_timer_stop(timer);
    watch(b);
    assert_true(event_pending(timer->event, EV_TIMEOUT, NULL)); /* while it has a message */
    bench_free(b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_success_is_reported_to_who_asked),
    cmocka_unit_test(test_failure_is_not_reported_to_who_wants_none),
    cmocka_unit_test(test_the_whole_message_comes_back_to_who_asked),
    cmocka_unit_test(test_a_sender_is_told_once_that_mail_is_late),
    cmocka_unit_test(test_who_wants_no_delay_reports_gets_none),
    cmocka_unit_test(test_what_is_never_tried_is_late_and_expires),
    cmocka_unit_test(test_the_time_that_a_sender_gives_is_kept),
    cmocka_unit_test(test_urgent_mail_goes_first),
    cmocka_unit_test(test_a_stranger_is_spared_what_was_judged),
    cmocka_unit_test(test_nothing_is_kept_that_nobody_would_be_told_of),
    cmocka_unit_test(test_an_operator_returns_what_was_kept),
    cmocka_unit_test(test_none_is_told_to_strangers),
    cmocka_unit_test(test_what_is_kept_gives_way_to_new_mail),
    cmocka_unit_test(test_a_stranger_is_spared_delays),
    cmocka_unit_test(test_strangers_of_one_domain_get_so_many_reports),
    cmocka_unit_test(test_one_message_that_is_late_makes_one_report),
    cmocka_unit_test(test_an_empty_store_is_not_watched),
};

TAP_MAIN(tests)
