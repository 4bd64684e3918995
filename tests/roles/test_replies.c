/* The queue role and what servers say: each reply of the corpus, and what the queue did about it. */
#include "roles/queue_bench.h"

#define SETTINGS                                                                                             \
    "queue {\nretry-first = 300s\nback-off-first = 10s\nback-off-most = 1800s\nblock-patience = 6h\n}\n"     \
    "route \"direct\" {\nkind = mx\n}\n"

static struct queue_site *site(struct bench *b, const char *key)
{
    return sp_table_get(&bench_queue(b)->window.sites, sp_view_of(key));
}

static size_t attempts(struct bench *b) { return b->delivery[0].attempts + b->delivery[1].attempts; }

static void answer(struct bench *b, const char *reply, enum reference_stage stage, enum ipc_health health)
{
    for (size_t i = 0; i < BENCH_DELIVERIES; i++) {
        struct bench_end *end = &b->delivery[i];
        uint32_t code = (uint32_t)strtoul(reply, NULL, 10);
        bool final = code >= 500 && stage != REFERENCE_AT_CONNECT; /* before a mail nothing is said of it */
        end->deliver = true;
        end->health = health;
        end->outcome = (struct ipc_outcome){.kind = code < 300 ? IPC_OUTCOME_DELIVERED
                                                    : final    ? IPC_OUTCOME_FAILED
                                                               : IPC_OUTCOME_DEFERRED,
                                            .stage = (uint8_t)stage,
                                            .code = code,
                                            .reply = sp_view_of(reply)};
    }
}

static void submit(struct bench *b, const char *route, const char *address)
{
    const char *to[][2] = {{route, address}};
    size_t before = b->smtpd.n;
    (void)bench_submit(b, "a@example.org", to, 1);
    bench_until(b, &b->smtpd.n, before + 1);
    bench_settle(b);
}

struct found {
    const char *only; /* to whom; NULL: to anybody */
    enum store_state state;
    int64_t next_ms;
    size_t waiting;
};

static void look(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct found *f = ctx;
    if (!mail->sender.len || (f->only && !sp_view_eq(r->address, sp_view_of(f->only))))
        return; /* a report, or another */
    f->state = r->state;
    f->next_ms = r->next_ms;
    f->waiting++;
}

/* The last message to somebody; waiting is 0 when there is none. */
static struct found find_to(struct bench *b, const char *address)
{
    struct found f = {.only = address, .state = STORE_STATE_N};
    struct store_cursor cursor = {0};
    while (!cursor.end)
        assert_int_equal(store_list(bench_queue(b)->store, &cursor, 1000, look, &f), SP_OK);
    return f;
}

static struct found find(struct bench *b) { return find_to(b, NULL); }

/* What the queue is to do: written down here a second time, by hand. */
static void check(struct bench *b, const struct reference_signature *s, bool mx, const char *key,
                  const char *address)
{
    bool final = s->said[0] == '5';
    struct queue_site *here = site(b, key);
    struct found f = find_to(b, address);
    int64_t pause = 0;
    bool kept = !final;
    switch (s->action) {
    case REFERENCE_ACTION_SLOW_DOWN:
    case REFERENCE_ACTION_BLOCKED:
        pause = 10000;
        kept = true;
        break;
    case REFERENCE_ACTION_ACCESS:
        pause = mx ? 0 : 10000;
        kept = !final || !mx;
        break;
    default:
        break;
    }
    if (pause > 0) {
        assert_non_null(here);
        assert_int_equal(here->troubles, 1);
        assert_int_equal(here->connections, 1); /* of 3, or half of them */
        assert_in_range(here->until_ms - bench_now_ms, pause, pause + pause / 16);
        assert_int_equal(here->action, s->action);
        assert_string_equal(here->meaning, s->id);
    } else {
        assert_true(!here || (here->troubles == 0 && here->until_ms == 0));
    }
    assert_int_equal(f.waiting, kept);
    if (kept)
        assert_int_equal(f.state, STORE_DEFERRED);
    if (kept && final) /* it is there when the pause of its site is over */
        assert_true(f.next_ms < here->until_ms);
    if (kept && !final)
        assert_in_range(f.next_ms - bench_now_ms, 300000, 300000 + 300000 / 16);
}

/* A route of its own for each, so that none meets the site of another. */
static void configure(struct bench *b)
{
    struct sp_buf text;
    size_t n;
    const struct reference_signature *all = reference_signatures(&n);
    sp_buf_init(&text, &os_heap, 1 << 20);
    sp_buf_add_str(&text, BENCH_CONFIG SETTINGS);
    for (size_t i = 0; i < n; i++) {
        sp_buf_add_str(&text, "route \"");
        sp_buf_add_str(&text, all[i].id);
        sp_buf_add_str(&text, "\" {\nkind = relay\nhost = \"127.0.0.1\"\n}\n");
    }
    sp_buf_add_u8(&text, '\0');
    bench_configure(b, (const char *)text.p);
    queue_ops.reload(&b->role);
    sp_buf_fini(&text);
}

static void test_each_reply_of_the_corpus(void **state)
{
    (void)state;
    size_t n;
    const struct reference_signature *all = reference_signatures(&n);
    struct bench *b = bench_new(SETTINGS);
    configure(b);
    for (int mx = 0; mx < 2; mx++)
        for (size_t i = 0; i < n; i++) {
            char address[100], key[100];
            (void)snprintf(address, sizeof address, "b@%s%s.example", all[i].id, mx ? ".mx" : "");
            (void)snprintf(key, sizeof key, "%s%s%s", mx ? "direct/" : "", all[i].id,
                           mx ? ".mx.example" : "");
            answer(b, all[i].said, REFERENCE_AT_RCPT, IPC_HEALTH_GOOD);
            size_t before = attempts(b);
            submit(b, mx ? "direct" : all[i].id, address);
            assert_true(attempts(b) > before);
            print_message("# %s, %s\n", all[i].id, mx ? "mx" : "relay");
            check(b, &all[i], mx, key, address);
        }
    bench_free(b);
}

/* A block at MAIL: all that waits is kept, one message at a time finds out, until the block is believed. */
static void test_a_block_bounces_nothing_until_it_is_believed(void **state)
{
    (void)state;
    struct bench *b = bench_new(SETTINGS);
    answer(b, "554 5.7.1 your address is refused here", REFERENCE_AT_MAIL, IPC_HEALTH_GOOD);
    for (size_t i = 0; i < 20; i++)
        submit(b, "relay", "b@example.net");
    assert_int_equal(attempts(b), 1);
    int64_t begin = site(b, "relay")->refused_ms;
    assert_int_equal(begin, bench_now_ms);
    for (size_t i = 1; bench_now_ms - begin < 6 * 3600000 - 1920000; i++) {
        assert_int_equal(find(b).waiting, 20);
        assert_in_range(attempts(b), i, i);
        bench_pass(b, 1912500); /* half an hour and a sixteenth */
        assert_non_null(site(b, "relay"));
        assert_int_equal(site(b, "relay")->refused_ms, begin);
    }
    bench_pass(b, 1912500);
    bench_pass(b, 1912500);
    assert_int_equal(find(b).waiting, 0); /* all of them, not one in each pause */
    bench_free(b);
}

static void test_a_block_that_ends_bounces_nothing(void **state)
{
    (void)state;
    struct bench *b = bench_new(SETTINGS);
    answer(b, "554 no SMTP service here", REFERENCE_AT_CONNECT, IPC_HEALTH_DOWN);
    for (size_t i = 0; i < 5; i++)
        submit(b, "relay", "b@example.net");
    bench_pass(b, 1912500);
    assert_int_equal(find(b).waiting, 5);
    assert_int_equal(attempts(b), 2);
    answer(b, "250 2.0.0 Ok", REFERENCE_AT_CONTENT, IPC_HEALTH_GOOD);
    for (size_t i = 0; i < 8; i++)
        bench_pass(b, 1912500);
    assert_int_equal(bench_list(b).n, 0); /* delivered, and nobody was told anything else */
    assert_int_equal(attempts(b), 7);
    bench_free(b);
}

static void test_a_greeting_that_refuses_for_long_is_believed(void **state)
{
    (void)state;
    struct bench *b = bench_new(SETTINGS);
    answer(b, "554 no SMTP service here", REFERENCE_AT_CONNECT, IPC_HEALTH_DOWN);
    submit(b, "relay", "b@example.net");
    for (size_t i = 0; i < 13; i++)
        bench_pass(b, 1912500);
    assert_int_equal(find(b).waiting, 0);
    bench_free(b);
}

static void test_no_patience(void **state)
{
    (void)state;
    struct bench *b = bench_new("queue {\nblock-patience = 0s\n}");
    answer(b, "554 5.7.1 your address is refused here", REFERENCE_AT_MAIL, IPC_HEALTH_GOOD);
    submit(b, "relay", "b@example.net");
    assert_int_equal(find(b).waiting, 0);
    bench_free(b);
}

/* What is refused for a lack of login is the operator's to mend: it waits until it expires. */
static void test_a_login_that_is_wrong_bounces_nothing(void **state)
{
    (void)state;
    struct bench *b = bench_new(SETTINGS);
    answer(b, "530 5.7.0 Authentication required", REFERENCE_AT_MAIL, IPC_HEALTH_GOOD);
    submit(b, "relay", "b@example.net");
    for (size_t i = 0; i < 48; i++)
        bench_pass(b, 1912500);
    assert_int_equal(find(b).waiting, 1);
    bench_free(b);
}

/* It pauses for longer each time; what the operator mends with a reload is tried at once, and begins anew. */
static void test_a_reload_ends_what_it_may_have_mended(void **state)
{
    (void)state;
    static const int64_t pauses[] = {10000, 40000, 160000, 640000, 1800000, 1800000};
    struct bench *b = bench_new(SETTINGS);
    answer(b, "535 5.7.8 bad credentials", REFERENCE_AT_CONNECT, IPC_HEALTH_DOWN);
    submit(b, "relay", "b@example.net");
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        int64_t pause = site(b, "relay")->until_ms - bench_now_ms;
        assert_in_range(pause, pauses[i], pauses[i] + pauses[i] / 16);
        assert_int_equal(attempts(b), i + 1);
        bench_pass(b, pause);
    }
    size_t before = attempts(b);
    submit(b, "relay", "c@example.net");
    assert_int_equal(attempts(b), before);
    answer(b, "250 2.0.0 Ok", REFERENCE_AT_CONTENT, IPC_HEALTH_GOOD);
    queue_ops.reload(&b->role);
    for (size_t i = 0; i < 5; i++)
        bench_pass(b, 300);
    assert_int_equal(attempts(b), before + 2); /* the one that was turned away, and the one behind it */
    assert_int_equal(bench_list(b).n, 0);
    bench_free(b);
}

/* One domain of a shared site that calls us blocked does not close it to the others for long. */
static void test_a_word_against_us_passes_with_the_next_mail_that_is_taken(void **state)
{
    (void)state;
    struct bench *b = bench_new(SETTINGS);
    for (size_t i = 0; i < 5; i++) {
        answer(b, "550 5.7.1 your IP is on our block list", REFERENCE_AT_RCPT, IPC_HEALTH_GOOD);
        submit(b, "relay", "b@evil.example");
        assert_in_range(site(b, "relay")->until_ms - bench_now_ms, 10000, 10625);
        answer(b, "250 2.0.0 Ok", REFERENCE_AT_CONTENT, IPC_HEALTH_GOOD);
        submit(b, "relay", "b@example.net");
        bench_pass(b, 10700);
        assert_int_equal(bench_list(b).n, 0);
    }
    bench_free(b);
}

static void test_the_time_that_is_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum reference_stage stage;
        int64_t site_ms, recipient_ms;
    } cases[] = {
        {"421 4.7.0 too many connections, try again in 900 seconds", REFERENCE_AT_MAIL, 900000, 300000},
        {"421 4.7.0 try again in 5 seconds", REFERENCE_AT_MAIL, 10000, 300000},
        {"450 4.7.1 Greylisted, come back in 2 minutes", REFERENCE_AT_RCPT, 0, 120000},
        {"450 4.2.0 Greylisted", REFERENCE_AT_RCPT, 0, 300000},
        {"452 4.2.2 mailbox full, try again after 2 hours", REFERENCE_AT_RCPT, 0, 7200000},
        {"450 4.2.1 in 5 seconds", REFERENCE_AT_RCPT, 0, 300000},
        {"421 4.7.0 come back in 3 days", REFERENCE_AT_MAIL, 86400000, 300000},
        /* Whoever answers to one mail of a shared site closes it for no longer than one that is down. */
        {"421 4.7.0 too many connections, try again in 3 days", REFERENCE_AT_RCPT, 1800000, 300000},
        {"452 4.3.1 disk full, try again in 3 days", REFERENCE_AT_CONTENT, 1800000, 300000},
        {"421 4.7.0 try again in 0 seconds", REFERENCE_AT_MAIL, 10000, 300000},
        {"421 4.7.0 try again in -5 seconds", REFERENCE_AT_MAIL, 10000, 300000},
        {"421 4.7.0 try again in 1000000000000 seconds", REFERENCE_AT_MAIL, 10000, 300000},
        {"421 4.7.0 try again in 99999999999999999999999999999 days", REFERENCE_AT_MAIL, 10000, 300000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench *b = bench_new(SETTINGS);
        answer(b, cases[i].reply, cases[i].stage, IPC_HEALTH_GOOD);
        submit(b, "relay", "b@example.net");
        struct queue_site *s = site(b, "relay");
        int64_t until = s ? s->until_ms : 0;
        print_message("# %s\n", cases[i].reply);
        assert_int_equal(until > 0, cases[i].site_ms > 0);
        if (until)
            assert_in_range(until - bench_now_ms, cases[i].site_ms, cases[i].site_ms + cases[i].site_ms / 16);
        assert_in_range(find(b).next_ms - bench_now_ms, cases[i].recipient_ms,
                        cases[i].recipient_ms + cases[i].recipient_ms / 16);
        bench_free(b);
    }
}

static void test_greylisting_does_not_double_the_pause(void **state)
{
    (void)state;
    struct bench *b = bench_new(SETTINGS);
    answer(b, "451 4.7.1 Greylisting in action", REFERENCE_AT_RCPT, IPC_HEALTH_GOOD);
    submit(b, "relay", "b@example.net");
    for (size_t i = 2; i <= 6; i++) {
        bench_pass(b, 300000 + 300000 / 16);
        assert_int_equal(attempts(b), i);
    }
    bench_pass(b, 300000 + 300000 / 16);
    assert_int_equal(attempts(b), 7);
    assert_true(find(b).next_ms - bench_now_ms >= 4 * 3600000); /* who never lets in is not asked so often */
    bench_free(b);
}

/* A pause that is asked for while another runs makes it longer, and is no further trouble. */
static void test_a_longer_pause_counts(void **state)
{
    (void)state;
    struct bench *b = bench_new(SETTINGS);
    for (size_t i = 0; i < BENCH_DELIVERIES; i++)
        b->delivery[i].deliver = false;
    submit(b, "relay", "b@example.net");
    submit(b, "relay", "c@example.net");
    struct bench_end *end = bench_deliverer(b);
    assert_int_equal(attempts(b), 2);
    answer(b, "421 4.7.0 not now", REFERENCE_AT_MAIL, IPC_HEALTH_GOOD);
    bench_answer_attempt(end, &end->seen[0].m.as.attempt);
    bench_settle(b);
    assert_in_range(site(b, "relay")->until_ms - bench_now_ms, 10000, 10625);
    answer(b, "421 4.7.0 come back in an hour, in 3600 seconds", REFERENCE_AT_MAIL, IPC_HEALTH_GOOD);
    bench_answer_attempt(end, &end->seen[1].m.as.attempt);
    bench_settle(b);
    assert_int_equal(site(b, "relay")->until_ms - bench_now_ms, 3600000);
    assert_int_equal(site(b, "relay")->troubles, 1);
    bench_free(b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_each_reply_of_the_corpus),
    cmocka_unit_test(test_a_block_bounces_nothing_until_it_is_believed),
    cmocka_unit_test(test_a_block_that_ends_bounces_nothing),
    cmocka_unit_test(test_a_greeting_that_refuses_for_long_is_believed),
    cmocka_unit_test(test_no_patience),
    cmocka_unit_test(test_a_login_that_is_wrong_bounces_nothing),
    cmocka_unit_test(test_a_reload_ends_what_it_may_have_mended),
    cmocka_unit_test(test_a_word_against_us_passes_with_the_next_mail_that_is_taken),
    cmocka_unit_test(test_the_time_that_is_asked_for),
    cmocka_unit_test(test_greylisting_does_not_double_the_pause),
    cmocka_unit_test(test_a_longer_pause_counts),
};

TAP_MAIN(tests)
