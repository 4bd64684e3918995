/* The queue role between smtpd and delivery. */
#include "roles/queue_bench.h"

#include <signal.h>
#include <sys/resource.h>

static void test_a_batch_is_one_commit(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    struct queue *q = bench_queue(b);
    for (int i = 0; i < 40; i++)
        (void)bench_submit_one(b, "a@example.org", "hold");
    bench_until(b, &b->smtpd.n, 40);
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(b->smtpd.seen[i].m.type, IPC_TYPE_submit_yes);
        assert_int_equal(b->smtpd.seen[i].m.as.submit_yes.tag, i + 1);
    }
    assert_int_equal(q->counters.accepted, 40);
    assert_int_equal(q->counters.commits, 1);
    bench_free(b);
}

/* Killed before the commit: nobody was told yes, nothing is there. */
static void test_nothing_is_said_before_the_commit(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    bench_settle(b);
    for (int i = 0; i < 5; i++)
        (void)bench_submit_one(b, "a@example.org", "hold");
    os_edge_flush(b->smtpd.edge);
    struct os_edge *from = b->role.peers[IPC_SMTPD][0];
    struct sp_buf list;
    sp_buf_init(&list, &os_heap, 4096);
    assert_int_equal(ipc_add_recipient(&list, &(struct ipc_recipient){.address = SP_LIT("b@example.net"),
                                                                      .route = SP_LIT("hold")}),
                     SP_OK);
    struct ipc_message m = {
        .type = IPC_TYPE_submit,
        .as.submit = {.tag = 9, .id = 900, .recipients = sp_buf_view(&list), .content = SP_LIT("x")}};
    queue_ops.message(&b->role, from, &m);
    sp_buf_fini(&list);
    assert_true(bench_queue(b)->batch.open);
    assert_int_equal(b->smtpd.n, 0);
    bench_kill(b);
    bench_start(b);
    assert_int_equal(bench_list(b).n, 0);
    bench_free(b);
}

static void test_a_message_is_delivered(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    const char *to[][2] = {{"relay", "b@example.net"}, {"hold", "c@example.net"}, {"relay", "d@example.net"}};
    uint64_t id = bench_submit(b, "a@example.org", to, 3);
    bench_until(b, &b->smtpd.n, 1);
    bench_settle(b);
    struct bench_end *end = bench_deliverer(b);
    assert_int_equal(end->n, 1);
    struct ipc_attempt *a = &bench_last(end)->m.as.attempt;
    assert_int_equal(a->id, id);
    assert_true(sp_view_eq(a->sender, SP_LIT("a@example.org")) && sp_view_eq(a->route, SP_LIT("relay")));
    assert_true(sp_view_eq(a->content, SP_LIT(BENCH_CONTENT)));
    assert_int_equal(a->size, sizeof BENCH_CONTENT - 1);
    assert_int_equal(a->fd, -1);
    struct sp_view rest = a->targets;
    struct ipc_target t;
    assert_true(ipc_next_target(&rest, &t) && sp_view_eq(t.address, SP_LIT("b@example.net")));
    assert_true(ipc_next_target(&rest, &t) && sp_view_eq(t.address, SP_LIT("d@example.net")));
    assert_int_equal(rest.len, 0);
    end->outcome =
        (struct ipc_outcome){.kind = IPC_OUTCOME_DELIVERED, .code = 250, .reply = SP_LIT("250 Ok")};
    bench_answer_attempt(end, a);
    bench_settle(b);
    assert_string_equal(bench_list(b).text,
                        "<a@example.org> to b@example.net delivered 1;<a@example.org> to "
                        "c@example.net held 0;<a@example.org> to d@example.net delivered 1;");
    assert_int_equal(bench_queue(b)->counters.delivered, 2);
    bench_free(b);
}

static void test_it_is_gone_when_all_have_it(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    for (int i = 0; i < 30; i++)
        (void)bench_submit_one(b, "a@example.org", i % 2 ? "relay" : "other");
    bench_until(b, &b->smtpd.n, 30);
    bench_settle(b);
    assert_int_equal(bench_list(b).n, 0);
    assert_int_equal(b->delivery[0].attempts + b->delivery[1].attempts, 30);
    assert_int_equal(bench_queue(b)->window.fresh + bench_queue(b)->window.stored, 0);
    bench_free(b);
}

static void test_pauses_double_up_to_the_longest(void **state)
{
    (void)state;
    struct bench *b = bench_new("queue {\nretry-first = 60s\nretry-most = 4m\nexpire = 5d\n}");
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
    (void)bench_submit_one(b, "a@example.org", "relay");
    bench_until(b, &b->smtpd.n, 1);
    bench_settle(b);
    static const int64_t pauses[] = {60000, 120000, 240000, 240000, 240000};
    for (size_t i = 0; i < 5; i++) {
        struct bench_listing l = bench_list(b);
        int64_t pause = l.last.next_ms - bench_now_ms;
        assert_int_equal(l.last.attempts, i + 1);
        assert_int_equal(l.last.state, STORE_DEFERRED);
        assert_string_equal(l.reply, "450 4.2.0 later");
        assert_true(pause >= pauses[i] && pause <= pauses[i] + pauses[i] / 16);
        bench_pass(b, pause - 1);
        assert_int_equal(bench_deliverer(b)->attempts, i + 1); /* not before its time */
        bench_pass(b, 1);
        assert_int_equal(bench_deliverer(b)->attempts, i + 2);
    }
    bench_free(b);
}

static void test_it_expires_and_bounces(void **state)
{
    (void)state;
    struct bench *b = bench_new("queue {\nretry-first = 1h\nretry-most = 1h\nexpire = 90m\n}");
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
    (void)bench_submit_one(b, "a@example.org", "relay");
    bench_until(b, &b->smtpd.n, 1);
    bench_settle(b);
    bench_pass(b, 4000000);
    bench_pass(b, 5400000 - 4000000 - 1);
    assert_int_equal(bench_deliverer(b)->attempts, 2);
    bench_pass(b, 1); /* the last attempt is at the end, not an hour after */
    struct bench_listing l = bench_list(b);
    assert_string_equal(l.text,
                        "<> to a@example.org deferred 1;"); /* the bounce itself was tried, and waits */
    struct ipc_attempt *a = &bench_last(bench_deliverer(b))->m.as.attempt;
    assert_int_equal(a->sender.len, 0);
    assert_non_null(memmem(a->content.p, a->content.len, "Status: 4.4.7\r\n", 15));
    assert_non_null(memmem(a->content.p, a->content.len, "450 4.2.0 later", 15));
    bench_free(b);
}

static void test_a_refusal_bounces_and_a_bounce_does_not(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    const char *to[][2] = {{"relay", "b@example.net"}, {"hold", "c@example.net"}};
    bench_deliver(b, IPC_OUTCOME_FAILED, 550, "550 5.1.1 no such user");
    (void)bench_submit(b, "a@example.org", to, 2);
    bench_until(b, &b->smtpd.n, 1);
    bench_settle(b);
    assert_int_equal(bench_deliverer(b)->attempts, 2); /* the message, the bounce; no bounce of the bounce */
    assert_string_equal(bench_list(b).text,
                        "<a@example.org> to b@example.net failed 1;<a@example.org> to c@example.net held 0;");
    struct ipc_attempt *a = &bench_last(bench_deliverer(b))->m.as.attempt;
    assert_int_equal(a->sender.len, 0);
    struct sp_view rest = a->targets;
    struct ipc_target t;
    assert_true(ipc_next_target(&rest, &t) && sp_view_eq(t.address, SP_LIT("a@example.org")));
    static const char *const parts[] = {"Final-Recipient: rfc822; b@example.net\r\n", "Status: 5.1.1\r\n",
                                        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
                                        "Subject: hello\r\n", "To: <a@example.org>\r\n"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_non_null(memmem(a->content.p, a->content.len, parts[i], strlen(parts[i])));
    assert_null(memmem(a->content.p, a->content.len, "c@example.net", 13));
    bench_free(b);
}

static void test_held_and_discarded_mail_is_never_given_out(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    const char *to[][2] = {{"hold", "b@example.net"}, {"discard", "c@example.net"}};
    (void)bench_submit(b, "a@example.org", to, 2);
    (void)bench_submit_one(b, "a@example.org", "discard");
    bench_until(b, &b->smtpd.n, 2);
    assert_int_equal(bench_last(&b->smtpd)->m.type, IPC_TYPE_submit_yes);
    bench_pass(b, 86400000);
    assert_int_equal(b->delivery[0].n + b->delivery[1].n, 0);
    assert_string_equal(bench_list(b).text, "<a@example.org> to b@example.net held 0;");
    bench_free(b);
}

static void test_a_lease_ends_with_its_process(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    (void)bench_submit_one(b, "a@example.org", "relay");
    bench_until(b, &b->smtpd.n, 1);
    bench_settle(b);
    struct bench_end *end = bench_deliverer(b), *other = end == b->delivery ? b->delivery + 1 : b->delivery;
    assert_int_equal(end->attempts, 1);
    assert_int_equal(other->attempts, 0);
    bench_pass(b, 3600000);
    assert_int_equal(end->attempts + other->attempts, 1); /* never two leases of one recipient */
    os_edge_free(end->edge);
    end->edge = NULL;
    bench_settle(b);
    assert_int_equal(other->attempts, 1); /* at once, by the one that lives */
    struct bench_listing l = bench_list(b);
    assert_int_equal(l.last.attempts, 1);
    assert_non_null(strstr(l.reply, "may be delivered twice"));

    /* A result of a lease that ended changes nothing. */
    uint64_t lease = other->seen[0].m.as.attempt.lease;
    struct ipc_message late = {.type = IPC_TYPE_attempt_result, .as.attempt_result = {.lease = lease - 1}};
    assert_int_equal(os_edge_send(other->edge, &late), SP_OK);
    bench_settle(b);
    assert_int_equal(bench_list(b).n, 1);
    other->outcome = (struct ipc_outcome){.kind = IPC_OUTCOME_DELIVERED};
    bench_answer_attempt(other, &bench_last(other)->m.as.attempt);
    bench_settle(b);
    assert_int_equal(bench_list(b).n, 0);
    bench_free(b);
}

static void test_a_message_that_kills_its_process_waits(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    (void)bench_submit_one(b, "a@example.org", "relay");
    bench_until(b, &b->smtpd.n, 1);
    size_t attempts = 0;
    for (int i = 0; i < 6; i++) {
        bench_settle(b);
        for (uint32_t k = 0; k < BENCH_DELIVERIES; k++) {
            struct bench_end *end = &b->delivery[k];
            attempts += end->attempts;
            if (!end->attempts)
                continue;
            bench_forget_seen(end);
            os_edge_free(end->edge);
            bench_settle(b);
            bench_join(b, IPC_DELIVERY, k, end);
        }
    }
    assert_int_equal(attempts, 3); /* twice at once again, then after a pause */
    assert_true(bench_list(b).last.next_ms > bench_now_ms);
    bench_free(b);
}

static void test_a_new_message_does_not_wait_for_old_ones(void **state)
{
    (void)state;
    struct bench *b = bench_new("queue {\nattempts = 3\nretry-first = 60s\n}");
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
    for (int i = 0; i < 20; i++)
        (void)bench_submit_one(b, "a@example.org", "relay");
    bench_until(b, &b->smtpd.n, 20);
    bench_settle(b);
    struct bench_end *end = bench_deliverer(b);
    assert_int_equal(end->attempts, 20);
    end->deliver = false;
    bench_pass(b, 70000); /* all are due again, three are under way and hang */
    assert_int_equal(end->attempts, 23);
    uint64_t id = bench_submit_one(b, "new@example.org", "relay");
    bench_settle(b);
    end->outcome = (struct ipc_outcome){.kind = IPC_OUTCOME_DEFERRED};
    bench_answer_attempt(end, &bench_last(end)->m.as.attempt); /* one ends: */
    bench_until(b, &end->attempts, 24);
    assert_int_equal(bench_last(end)->m.as.attempt.id, id);
    bench_free(b);
}

static void test_mail_of_a_route_that_is_gone_waits(void **state)
{
    (void)state;
    struct bench *b = bench_new("queue {\nretry-first = 60s\n}");
    (void)bench_submit_one(b, "a@example.org", "gone");
    bench_until(b, &b->smtpd.n, 1);
    bench_settle(b);
    assert_int_equal(bench_last(&b->smtpd)->m.type, IPC_TYPE_submit_yes);
    struct bench_listing l = bench_list(b);
    assert_string_equal(l.text, "<a@example.org> to b@example.net deferred 0;");
    assert_non_null(strstr(l.reply, "route \"gone\" is no longer in the configuration"));
    bench_configure(b, BENCH_CONFIG "route \"gone\" {\nkind = relay\nhost = \"127.0.0.1\"\n}");
    queue_ops.reload(&b->role);
    bench_pass(b, 70000);
    assert_int_equal(bench_deliverer(b)->attempts, 1);
    bench_free(b);
}

static void test_below_the_floor_nothing_is_accepted(void **state)
{
    (void)state;
    struct bench *b = bench_new("limits {\nfree-space = 1024G\n}");
    (void)bench_submit_one(b, "a@example.org", "hold");
    bench_until(b, &b->smtpd.n, 1);
    assert_int_equal(bench_last(&b->smtpd)->m.type, IPC_TYPE_submit_no);
    assert_int_equal(bench_last(&b->smtpd)->m.as.submit_no.why, IPC_SUBMIT_DISK_FULL);
    struct ipc_message want = {.type = IPC_TYPE_spool_want, .as.spool_want = {.tag = 7, .id = 77}};
    assert_int_equal(os_edge_send(b->smtpd.edge, &want), SP_OK);
    bench_until(b, &b->smtpd.n, 2);
    assert_int_equal(bench_last(&b->smtpd)->m.type, IPC_TYPE_spool_no);
    assert_int_equal(bench_last(&b->smtpd)->m.as.spool_no.why, IPC_SUBMIT_DISK_FULL);
    bench_configure(b, BENCH_CONFIG "limits {\nfree-space = 0\n}"); /* room again */
    (void)bench_submit_one(b, "a@example.org", "hold");
    bench_until(b, &b->smtpd.n, 3);
    assert_int_equal(bench_last(&b->smtpd)->m.type, IPC_TYPE_submit_yes);
    bench_free(b);
}

static int bench_spool(struct bench *b, uint64_t id)
{
    struct ipc_message want = {.type = IPC_TYPE_spool_want, .as.spool_want = {.tag = 7, .id = id}};
    size_t before = b->smtpd.n;
    assert_int_equal(os_edge_send(b->smtpd.edge, &want), SP_OK);
    bench_until(b, &b->smtpd.n, before + 1);
    assert_int_equal(bench_last(&b->smtpd)->m.type, IPC_TYPE_spool_here);
    return bench_last(&b->smtpd)->m.as.spool_here.fd;
}

static size_t files_in(struct bench *b, const char *below)
{
    int fd = openat(b->role.folder, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fdopendir(fd);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void test_large_messages_go_by_file(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    static const char large[] = "Subject: large\r\n\r\nand so on\r\n";
    int fd = bench_spool(b, 500);
    assert_int_equal(write(fd, large, sizeof large - 1), sizeof large - 1);
    assert_int_equal(fsync(fd), 0);
    close(fd);
    struct sp_buf list;
    sp_buf_init(&list, &os_heap, 4096);
    assert_int_equal(ipc_add_recipient(&list, &(struct ipc_recipient){.address = SP_LIT("b@example.net"),
                                                                      .route = SP_LIT("relay")}),
                     SP_OK);
    struct ipc_message m = {.type = IPC_TYPE_submit,
                            .as.submit = {.tag = 8,
                                          .id = 500,
                                          .received_ms = (uint64_t)bench_now_ms,
                                          .sender = SP_LIT("a@example.org"),
                                          .recipients = sp_buf_view(&list),
                                          .size = sizeof large - 1,
                                          .spooled = 1}};
    assert_int_equal(os_edge_send(b->smtpd.edge, &m), SP_OK);
    bench_until(b, &b->smtpd.n, 2);
    assert_int_equal(bench_last(&b->smtpd)->m.type, IPC_TYPE_submit_yes);
    m.as.submit.id = 501; /* not a file of this process */
    assert_int_equal(os_edge_send(b->smtpd.edge, &m), SP_OK);
    bench_until(b, &b->smtpd.n, 3);
    assert_int_equal(bench_last(&b->smtpd)->m.type, IPC_TYPE_submit_no);
    sp_buf_fini(&list);
    bench_settle(b);
    struct bench_end *end = bench_deliverer(b);
    struct ipc_attempt *a = &bench_last(end)->m.as.attempt;
    char got[64] = {0};
    assert_int_equal(pread(a->fd, got, sizeof got, 0), sizeof large - 1);
    assert_string_equal(got, large);
    assert_int_equal(write(a->fd, "x", 1), -1);
    close(a->fd);
    assert_int_equal(files_in(b, "bodies"), 1);
    end->outcome = (struct ipc_outcome){.kind = IPC_OUTCOME_DELIVERED};
    bench_answer_attempt(end, a);
    bench_settle(b);
    assert_int_equal(files_in(b, "bodies"), 0);
    bench_free(b);
}

static void test_files_of_a_process_go_with_it(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    close(bench_spool(b, 600));
    close(bench_spool(b, 601));
    assert_int_equal(files_in(b, "incoming"), 2);
    struct ipc_message drop = {.type = IPC_TYPE_spool_drop, .as.spool_drop = {.id = 600}};
    assert_int_equal(os_edge_send(b->smtpd.edge, &drop), SP_OK);
    bench_settle(b);
    assert_int_equal(files_in(b, "incoming"), 1);
    os_edge_free(b->smtpd.edge);
    b->smtpd.edge = NULL;
    bench_settle(b);
    assert_int_equal(files_in(b, "incoming"), 0);
    bench_free(b);
}

static void limit_files(rlim_t octets)
{
    struct rlimit r;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = octets == RLIM_INFINITY ? r.rlim_max : octets;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* Files cannot grow: all of the batch are told no; what became of mail meanwhile is written down later. */
static void test_a_full_disk_refuses_and_recovers(void **state)
{
    (void)state;
    struct bench *b = bench_new("limits {\nfree-space = 0\n}");
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)bench_submit_one(b, "a@example.org", "relay");
    bench_until(b, &b->smtpd.n, 1);
    bench_settle(b);
    limit_files(8192);
    for (int i = 0; i < 3; i++)
        (void)bench_submit_one(b, "a@example.org", "hold");
    bench_until(b, &b->smtpd.n, 4);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(b->smtpd.seen[i].m.type, IPC_TYPE_submit_no);
        assert_int_equal(b->smtpd.seen[i].m.as.submit_no.why, IPC_SUBMIT_DISK_FULL);
    }
    struct bench_end *end = bench_deliverer(b);
    end->outcome = (struct ipc_outcome){.kind = IPC_OUTCOME_DELIVERED};
    bench_answer_attempt(end, &bench_last(end)->m.as.attempt);
    bench_settle(b);
    assert_int_equal(bench_list(b).n, 1); /* not written down, and not forgotten */
    limit_files(RLIM_INFINITY);
    (void)bench_submit_one(b, "a@example.org", "hold");
    bench_until(b, &b->smtpd.n, 5);
    assert_int_equal(bench_last(&b->smtpd)->m.type, IPC_TYPE_submit_yes);
    queue_settle_again(bench_queue(b));
    bench_settle(b);
    assert_int_equal(bench_list(b).n, 1); /* the held one alone */
    assert_int_equal(bench_list(b).last.state, STORE_HELD);
    bench_free(b);
}

/* More mail than the window holds waits in the store, and all of it is delivered, once. */
static void test_the_window_is_bounded(void **state)
{
    (void)state;
    enum { N = QUEUE_FRESH_MAX + 3000 };
    struct bench *b = bench_new("queue {\nattempts = 100\n}");
    struct queue *q = bench_queue(b);
    for (size_t i = 0; i < N; i++) {
        (void)bench_submit_one(b, "a@example.org", "relay");
        if (i % 500 == 499)
            bench_until(b, &b->smtpd.n, i + 1);
    }
    bench_until(b, &b->smtpd.n, N);
    assert_true(q->window.fresh <= QUEUE_FRESH_MAX + QUEUE_BATCH_MAX);
    assert_true(q->window.stored <= QUEUE_WINDOW_MAX);
    struct bench_end *end = bench_deliverer(b);
    assert_true(end->attempts <= 100);
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    for (size_t i = 0; i < end->attempts && i < BENCH_SEEN_MAX; i++)
        bench_answer_attempt(end, &end->seen[i].m.as.attempt);
    bench_until(b, &end->attempts, N);
    bench_settle(b);
    assert_int_equal(end->attempts, N);
    bench_free(b);
}

/* ETRN: so many domains are asked for at a time; when they are done, others may be. */
static void test_asks_are_bounded(void **state)
{
    (void)state;
    enum { ASKS_MAX = 1000 };
    struct bench *b = bench_new("");
    struct queue *q = bench_queue(b);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < ASKS_MAX + 5; i++) {
            char domain[32];
            (void)snprintf(domain, sizeof domain, "d%d.example", i);
            struct ipc_retry_domain m = {.domain = sp_view_of(domain)};
            queue_take_ask(q, &m);
            queue_take_ask(q, &m); /* the same again is the same */
        }
        assert_int_equal(q->asks.n, ASKS_MAX);
        assert_true(q->asks.full);
        while (q->asks.first)
            queue_ask_step(q);
        assert_int_equal(q->asks.n, 0);
        assert_false(q->asks.full);
    }
    bench_free(b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_asks_are_bounded),
    cmocka_unit_test(test_a_batch_is_one_commit),
    cmocka_unit_test(test_nothing_is_said_before_the_commit),
    cmocka_unit_test(test_a_message_is_delivered),
    cmocka_unit_test(test_it_is_gone_when_all_have_it),
    cmocka_unit_test(test_pauses_double_up_to_the_longest),
    cmocka_unit_test(test_it_expires_and_bounces),
    cmocka_unit_test(test_a_refusal_bounces_and_a_bounce_does_not),
    cmocka_unit_test(test_held_and_discarded_mail_is_never_given_out),
    cmocka_unit_test(test_a_lease_ends_with_its_process),
    cmocka_unit_test(test_a_message_that_kills_its_process_waits),
    cmocka_unit_test(test_a_new_message_does_not_wait_for_old_ones),
    cmocka_unit_test(test_mail_of_a_route_that_is_gone_waits),
    cmocka_unit_test(test_below_the_floor_nothing_is_accepted),
    cmocka_unit_test(test_large_messages_go_by_file),
    cmocka_unit_test(test_files_of_a_process_go_with_it),
    cmocka_unit_test(test_a_full_disk_refuses_and_recovers),
    cmocka_unit_test(test_the_window_is_bounded),
};

TAP_MAIN(tests)
