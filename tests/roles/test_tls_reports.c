/* Reports about TLS in the queue role: counted with the next commit, sent when the day is over, tried again
 * for a day; and what a report says, word for word. Time is the test's. */
#include "roles/queue/tls.h"
#include "roles/queue_bench.h"

#include <zlib.h>

#define SECTION                                                                                              \
    "tls-reports {\norganization = \"Example, Inc.\"\ncontact = \"post@example.org\"\n"                      \
    "from = \"tls@example.org\"\n}"

enum { DAY = 20833 }; /* of bench_now_ms: 2027-01-15 */

static struct ipc_tls_session session_of(const char *domain, enum ipc_tls_policy policy,
                                         enum ipc_tls_result result)
{
    struct ipc_tls_session t = {
        .domain = sp_view_of(domain), .policy = (uint8_t)policy, .result = (uint8_t)result};
    if (policy == IPC_TLS_POLICY_STS) {
        t.strings = SP_LIT("version: STSv1\nmode: testing\nmx: mx.example.net\nmax_age: 86400");
        t.patterns = SP_LIT("mx.example.net");
    }
    if (policy == IPC_TLS_POLICY_TLSA) {
        t.strings = SP_LIT("3 1 1 0a\n3 1 1 0b");
        t.patterns = SP_LIT("mx.example.net");
    }
    if (result != IPC_TLS_RESULT_SUCCESS) {
        t.sending_ip = SP_LIT("192.0.2.1");
        t.mx = SP_LIT("mx.example.net");
        t.helo = SP_LIT("mx");
        t.receiving_ip = SP_LIT("2001:db8::1");
        t.reason = SP_LIT("certificate has \"expired\"\t\xff");
    }
    return t;
}

static void tell(struct bench *b, struct ipc_tls_session t)
{
    struct ipc_message m = {.type = IPC_TYPE_tls_session, .as.tls_session = t};
    assert_int_equal(os_edge_send(b->delivery[0].edge, &m), SP_OK);
    bench_settle(b);
}

static struct store_tls_report seen;
static size_t seen_n;
static char seen_said[400], seen_to[400];

static void see(void *ctx, const struct store_tls_report *r)
{
    (void)ctx;
    seen = *r;
    seen_n++;
    (void)snprintf(seen_said, sizeof seen_said, "%.*s", (int)r->said.len, (const char *)r->said.p);
    (void)snprintf(seen_to, sizeof seen_to, "%.*s", (int)r->sent_to.len, (const char *)r->sent_to.p);
}

/* What the store has; views of it are void. */
static size_t reports(struct bench *b)
{
    seen_n = 0;
    assert_int_equal(store_tls_list(bench_queue(b)->store, 0, (struct sp_view){0}, 100, see, NULL), SP_OK);
    return seen_n;
}

/* The newest message of a type that came to a delivery process; NULL: none has come. Its views are void. */
static const struct bench_seen *newest(struct bench *b, enum ipc_type type, struct bench_end **end_out)
{
    for (size_t i = 0; i < BENCH_DELIVERIES; i++)
        for (size_t back = 0; back < b->delivery[i].n && back < BENCH_SEEN_MAX; back++) {
            const struct bench_seen *s = &b->delivery[i].seen[(b->delivery[i].n - 1 - back) % BENCH_SEEN_MAX];
            if (s->m.type != type)
                continue;
            *end_out = &b->delivery[i];
            return s;
        }
    return NULL;
}

static uint64_t last_tag;

/* Answer the newest question where reports go. false: there is no new one. */
static bool answer_place(struct bench *b, enum ipc_tls_place answer, const char *record)
{
    struct bench_end *end;
    const struct bench_seen *s = newest(b, IPC_TYPE_tls_place_wanted, &end);
    if (!s || s->m.as.tls_place_wanted.tag == last_tag)
        return false;
    struct ipc_message m = {.type = IPC_TYPE_tls_place_here};
    last_tag = m.as.tls_place_here.tag = s->m.as.tls_place_wanted.tag;
    m.as.tls_place_here.answer = (uint8_t)answer;
    m.as.tls_place_here.record = sp_view_of(record);
    assert_int_equal(os_edge_send(end->edge, &m), SP_OK);
    bench_settle(b);
    return true;
}

static void answer_post(struct bench *b, const char *fault)
{
    struct bench_end *end;
    const struct bench_seen *s = newest(b, IPC_TYPE_tls_post, &end);
    assert_non_null(s);
    struct ipc_message m = {.type = IPC_TYPE_tls_posted};
    m.as.tls_posted.tag = s->m.as.tls_post.tag;
    m.as.tls_posted.fault = sp_view_of(fault);
    assert_int_equal(os_edge_send(end->edge, &m), SP_OK);
    bench_settle(b);
}

static void pass(struct bench *b, int64_t ms)
{
    bench_now_ms += ms;
    queue_tls_look(bench_queue(b));
    bench_settle(b);
}

enum { HOUR = 3600000, TO_NEXT_DAY = 29 * HOUR }; /* with the latest time for a report */

/* --- counting ------------------------------------------------------------------------------------ */

static void test_counting_costs_no_commit_of_its_own(void **state)
{
    (void)state;
    struct bench *b = bench_new(SECTION);
    uint64_t commits = bench_queue(b)->counters.commits;
    for (size_t i = 0; i < 5; i++)
        tell(b, session_of("example.net", IPC_TLS_POLICY_NONE, IPC_TLS_RESULT_SUCCESS));
    tell(b, session_of("example.net", IPC_TLS_POLICY_STS, IPC_TLS_RESULT_CERTIFICATE_EXPIRED));
    assert_int_equal(bench_queue(b)->counters.commits, commits);
    assert_int_equal(reports(b), 0);
    assert_true(queue_batch_open(bench_queue(b))); /* as what becomes of mail does */
    queue_batch_commit(bench_queue(b));
    assert_int_equal(reports(b), 1);
    assert_int_equal(seen.good, 5);
    assert_int_equal(seen.bad, 1);
    assert_int_equal(seen.day, DAY);
    assert_in_range(seen.next_ms, (DAY + 1LL) * QUEUE_TLS_DAY_MS + 60000,
                    (DAY + 1LL) * QUEUE_TLS_DAY_MS + 4 * HOUR);
    bench_free(b);
}

static void test_a_commit_that_fails_loses_nothing(void **state)
{
    (void)state;
    struct bench *b = bench_new(SECTION);
    tell(b, session_of("example.net", IPC_TLS_POLICY_NONE, IPC_TLS_RESULT_SUCCESS));
    assert_true(queue_batch_open(bench_queue(b)));
    assert_int_equal(queue_tls_write(bench_queue(b)), SP_OK);
    queue_batch_fail(bench_queue(b));
    queue_tls_flush(bench_queue(b));
    assert_int_equal(reports(b), 1);
    assert_int_equal(seen.good, 1);
    bench_free(b);
}

static void test_without_the_section_nothing_is_counted(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    tell(b, session_of("example.net", IPC_TLS_POLICY_NONE, IPC_TLS_RESULT_SUCCESS));
    queue_tls_flush(bench_queue(b));
    assert_int_equal(reports(b), 0);
    bench_free(b);
}

static void test_midnight_parts_the_counts(void **state)
{
    (void)state;
    struct bench *b = bench_new(SECTION);
    bench_now_ms = (DAY + 1LL) * QUEUE_TLS_DAY_MS - 1;
    tell(b, session_of("example.net", IPC_TLS_POLICY_NONE, IPC_TLS_RESULT_SUCCESS));
    bench_now_ms++;
    tell(b, session_of("example.net", IPC_TLS_POLICY_NONE, IPC_TLS_RESULT_SUCCESS));
    queue_tls_flush(bench_queue(b));
    assert_int_equal(reports(b), 2);
    assert_int_equal(seen.day, DAY + 1);
    assert_int_equal(seen.good, 1);
    bench_free(b);
}

/* --- what it says ---------------------------------------------------------------------------------- */

static const char expected[] =
    "{\"organization-name\":\"Söhne \\\"& Co\\\"\","
    "\"date-range\":{\"start-datetime\":\"2027-01-15T00:00:00Z\",\"end-datetime\":\"2027-01-15T23:59:59Z\"},"
    "\"contact-info\":\"post@example.org\",\"report-id\":\"x@example.org\",\"policies\":["
    "{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"example.net\"},"
    "\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}},"
    "{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\",\"mode: testing\","
    "\"mx: mx.example.net\",\"max_age: 86400\"],\"policy-domain\":\"example.net\","
    "\"mx-host\":[\"mx.example.net\"]},"
    "\"summary\":{\"total-successful-session-count\":2,\"total-failure-session-count\":4},"
    "\"failure-details\":[{\"result-type\":\"certificate-expired\",\"sending-mta-ip\":\"192.0.2.1\","
    "\"receiving-mx-hostname\":\"mx.example.net\",\"receiving-mx-helo\":\"mx\",\"receiving-ip\":\"2001:db8::"
    "1\","
    "\"failed-session-count\":3,\"failure-reason-code\":\"certificate has \\\"expired\\\"??\"},"
    "{\"result-type\":\"sts-policy-fetch-error\",\"failed-session-count\":1,"
    "\"failure-reason-code\":\"HTTP 404\"}]},"
    "{\"policy\":{\"policy-type\":\"tlsa\",\"policy-string\":[\"3 1 1 0a\",\"3 1 1 0b\"],"
    "\"policy-domain\":\"mx.example.net\"},"
    "\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}}]}";

static void test_the_report_word_for_word(void **state)
{
    (void)state;
    struct bench *b = bench_new(SECTION);
    struct sp_buf json, packed;
    uint64_t good, bad;
    sp_buf_init(&json, &os_heap, 1 << 20);
    sp_buf_init(&packed, &os_heap, 1 << 20);
    tell(b, session_of("example.net", IPC_TLS_POLICY_NONE, IPC_TLS_RESULT_SUCCESS));
    for (size_t i = 0; i < 3; i++)
        tell(b, session_of("example.net", IPC_TLS_POLICY_STS, IPC_TLS_RESULT_CERTIFICATE_EXPIRED));
    for (size_t i = 0; i < 2; i++)
        tell(b, session_of("example.net", IPC_TLS_POLICY_STS, IPC_TLS_RESULT_SUCCESS));
    tell(b, session_of("example.net", IPC_TLS_POLICY_TLSA, IPC_TLS_RESULT_SUCCESS));
    struct ipc_tls_session no_policy =
        session_of("example.net", IPC_TLS_POLICY_STS, IPC_TLS_RESULT_STS_POLICY_FETCH_ERROR);
    no_policy.sending_ip = no_policy.mx = no_policy.helo = no_policy.receiving_ip = (struct sp_view){0};
    no_policy.reason = SP_LIT("HTTP 404");
    tell(b, no_policy);
    queue_tls_flush(bench_queue(b));
    const struct queue_tls_facts facts = {.organization = "Söhne \"& Co\"",
                                          .contact = "post@example.org",
                                          .report_id = SP_LIT("x@example.org"),
                                          .begin_ms = (int64_t)DAY * QUEUE_TLS_DAY_MS,
                                          .end_ms = (DAY + 1LL) * QUEUE_TLS_DAY_MS - 1000};
    assert_int_equal(
        queue_tls_json(bench_queue(b)->store, DAY, SP_LIT("example.net"), &facts, &json, &good, &bad), SP_OK);
    assert_int_equal(good, 4);
    assert_int_equal(bad, 4);
    assert_int_equal(queue_tls_gzip(sp_buf_view(&json), &packed), SP_OK);
    sp_buf_add_u8(&json, 0);
    assert_string_equal((const char *)json.p, expected);
    uint8_t again[4096] = {0};
    z_stream z = {
        .next_in = packed.p, .avail_in = (uInt)packed.len, .next_out = again, .avail_out = sizeof again - 1};
    assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(inflateEnd(&z), Z_OK);
    assert_string_equal((const char *)again, expected);
    assert_int_equal(
        queue_tls_json(bench_queue(b)->store, DAY, SP_LIT("other.example"), &facts, &json, &good, &bad),
        SP_ERR_ABSENT);
    sp_buf_fini(&json);
    sp_buf_fini(&packed);
    bench_free(b);
}

/* --- sending ------------------------------------------------------------------------------------- */

static struct bench *bench_with_a_session(void)
{
    struct bench *b = bench_new(SECTION);
    last_tag = 0;
    tell(b, session_of("example.net", IPC_TLS_POLICY_NONE, IPC_TLS_RESULT_SUCCESS));
    queue_tls_flush(bench_queue(b));
    return b;
}

static void test_a_report_leaves_when_its_day_is_over(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    pass(b, HOUR);
    assert_false(answer_place(b, IPC_TLS_PLACE_NONE, ""));
    pass(b, TO_NEXT_DAY);
    size_t attempts = b->delivery[0].attempts + b->delivery[1].attempts;
    assert_true(
        answer_place(b, IPC_TLS_PLACE_FOUND, "v=TLSRPTv1; rua=mailto:a@example.net,mailto:b@example.com"));
    assert_int_equal(reports(b), 1);
    assert_int_equal(seen.state, STORE_TLS_SENT);
    assert_string_equal(seen_to, "mailto:a@example.net mailto:b@example.com");
    assert_int_equal(seen.sent_ms, bench_now_ms);
    assert_int_equal(seen.next_ms, 0);
    bench_settle(b);
    assert_int_equal(b->delivery[0].attempts + b->delivery[1].attempts, attempts + 2);
    struct bench_end *end;
    const struct ipc_attempt *a = &newest(b, IPC_TYPE_attempt, &end)->m.as.attempt;
    assert_int_equal(a->sender.len, 0);
    assert_non_null(memmem(a->content.p, a->content.len, "TLS-Report-Domain: example.net\r\n", 32));
    pass(b, HOUR);
    assert_false(answer_place(b, IPC_TLS_PLACE_NONE, ""));
    bench_free(b);
}

static void test_who_wants_none_gets_none(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    pass(b, TO_NEXT_DAY);
    assert_true(answer_place(b, IPC_TLS_PLACE_NONE, ""));
    assert_int_equal(reports(b), 1);
    assert_int_equal(seen.state, STORE_TLS_UNWANTED);
    pass(b, 30 * HOUR);
    assert_false(answer_place(b, IPC_TLS_PLACE_NONE, ""));
    bench_free(b);
}

static void test_one_web_server_is_enough(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    pass(b, TO_NEXT_DAY);
    assert_true(
        answer_place(b, IPC_TLS_PLACE_FOUND,
                     "v=TLSRPTv1; rua=mailto:a@example.net,https://one.example/x,https://two.example/"));
    answer_post(b, "HTTP 503");
    answer_post(b, "");
    assert_int_equal(reports(b), 1);
    assert_int_equal(seen.state, STORE_TLS_SENT);
    assert_string_equal(seen_to, "https://two.example/");
    bench_free(b);
}

static void test_web_servers_that_never_take_it_are_given_up(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    pass(b, TO_NEXT_DAY);
    assert_true(answer_place(b, IPC_TLS_PLACE_FOUND,
                             "v=TLSRPTv1; rua=https://one.example/,https://two.example/,"
                             "https://three.example/,https://four.example/,mailto:a@example.net"));
    for (size_t i = 0; i < QUEUE_TLS_POSTS_MAX; i++)
        answer_post(b, "it did not answer in time");
    assert_int_equal(reports(b), 1);
    assert_int_equal(seen.state, STORE_TLS_SENT);
    assert_string_equal(seen_to, "mailto:a@example.net");
    bench_free(b);
}

static void test_what_nobody_takes_is_tried_again_for_a_day(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    size_t tries = 0;
    pass(b, TO_NEXT_DAY);
    int64_t first = bench_now_ms;
    while (answer_place(b, IPC_TLS_PLACE_FOUND, "v=TLSRPTv1; rua=https://one.example/x")) {
        answer_post(b, "HTTP 503");
        tries++;
        assert_int_equal(reports(b), 1);
        assert_int_equal(seen.attempts, tries);
        assert_string_equal(seen_said, "https://one.example/x: HTTP 503");
        if (seen.state == STORE_TLS_FAILED)
            break;
        assert_int_equal(seen.state, STORE_TLS_WAITING);
        assert_true(seen.next_ms > bench_now_ms);
        pass(b, seen.next_ms - bench_now_ms - 1);
        assert_false(answer_place(b, IPC_TLS_PLACE_NONE, ""));
        pass(b, 1);
    }
    assert_int_equal(seen.state, STORE_TLS_FAILED);
    assert_in_range(bench_now_ms - first, 24 * HOUR, 72 * HOUR);
    assert_in_range(tries, 7, 9);
    bench_free(b);
}

static void test_a_delivery_process_that_goes_away_is_no_answer(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    pass(b, TO_NEXT_DAY);
    struct bench_end *end = NULL;
    assert_non_null(newest(b, IPC_TYPE_tls_place_wanted, &end));
    os_edge_free(end->edge);
    end->edge = NULL;
    for (size_t i = 0; i < 1000 && seen.state != STORE_TLS_WAITING; i++) {
        bench_settle(b);
        (void)reports(b);
    }
    assert_int_equal(seen.state, STORE_TLS_WAITING);
    bench_free(b);
}

static void test_a_tool_has_them_sent_at_once(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    size_t n;
    assert_int_equal(queue_tls_ask(bench_queue(b), DAY, SP_LIT("other.example"), &n), SP_OK);
    assert_int_equal(n, 0);
    assert_int_equal(queue_tls_ask(bench_queue(b), DAY, SP_LIT("EXAMPLE.net"), &n), SP_OK);
    assert_int_equal(n, 1);
    bench_settle(b);
    assert_true(answer_place(b, IPC_TLS_PLACE_FOUND, "v=TLSRPTv1; rua=https://one.example/x"));
    answer_post(b, "");
    assert_int_equal(reports(b), 1);
    assert_int_equal(seen.state, STORE_TLS_COUNTING);
    assert_string_equal(seen_to, "https://one.example/x");
    /* The day's own follows. */
    pass(b, TO_NEXT_DAY);
    assert_true(answer_place(b, IPC_TLS_PLACE_FOUND, "v=TLSRPTv1; rua=https://one.example/x"));
    answer_post(b, "");
    assert_int_equal(reports(b), 1);
    assert_int_equal(seen.state, STORE_TLS_SENT);
    bench_free(b);
}

static void test_an_address_that_is_named_again_gets_one_mail(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    pass(b, TO_NEXT_DAY);
    size_t attempts = b->delivery[0].attempts + b->delivery[1].attempts;
    assert_true(answer_place(b, IPC_TLS_PLACE_FOUND,
                             "v=TLSRPTv1; rua=ftp://x,mailto:a@example.net,mailto:A@example.net,"
                             "mailto:%61@example.net; rua=mailto:a@example.net?cc=b@example.net"));
    assert_int_equal(reports(b), 1);
    assert_string_equal(seen_to, "mailto:a@example.net");
    bench_settle(b);
    assert_int_equal(b->delivery[0].attempts + b->delivery[1].attempts, attempts + 1);
    bench_free(b);
}

/* Of the newest mail with a report. */
static void read_report_id(struct bench *b, char id_out[80])
{
    struct bench_end *end;
    const struct bench_seen *s = newest(b, IPC_TYPE_attempt, &end);
    assert_non_null(s);
    struct sp_view content = s->m.as.attempt.content;
    const char *at = memmem(content.p, content.len, "Report-ID: <", 12);
    assert_non_null(at);
    (void)snprintf(id_out, 80, "%.*s", (int)strcspn(at, ">"), at);
}

static void test_a_report_that_is_sent_again_has_the_same_id(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    static const char record[] = "v=TLSRPTv1; rua=mailto:a@example.net";
    char early[80], once[80], again[80];
    size_t n;
    assert_int_equal(queue_tls_ask(bench_queue(b), DAY, SP_LIT("example.net"), &n), SP_OK);
    bench_settle(b);
    assert_true(answer_place(b, IPC_TLS_PLACE_FOUND, record));
    bench_settle(b);
    read_report_id(b, early);
    pass(b, TO_NEXT_DAY);
    assert_true(answer_place(b, IPC_TLS_PLACE_FOUND, record));
    bench_settle(b);
    read_report_id(b, once);
    assert_int_equal(queue_tls_ask(bench_queue(b), DAY, SP_LIT("example.net"), &n), SP_OK);
    bench_settle(b);
    assert_true(answer_place(b, IPC_TLS_PLACE_FOUND, record));
    bench_settle(b);
    assert_int_equal(b->delivery[0].attempts + b->delivery[1].attempts, 3);
    read_report_id(b, again);
    assert_string_equal(once, again);
    assert_string_not_equal(once, early);
    bench_free(b);
}

static void test_a_report_that_leaves_is_written_down_before(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    pass(b, TO_NEXT_DAY);
    assert_true(answer_place(b, IPC_TLS_PLACE_FOUND, "v=TLSRPTv1; rua=https://one.example/x"));
    assert_false(bench_queue(b)->batch.open); /* it is on the disk */
    assert_int_equal(reports(b), 1);
    assert_int_equal(seen.state, STORE_TLS_WAITING);
    assert_int_equal(seen.next_ms, bench_now_ms + QUEUE_TLS_RETRY_FIRST_MS);
    answer_post(b, "");
    assert_int_equal(reports(b), 1);
    assert_int_equal(seen.state, STORE_TLS_SENT);
    bench_free(b);
}

static void test_reports_that_are_switched_off_meanwhile(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    struct config *config = (struct config *)(uintptr_t)bench_queue(b)->role->config;
    struct config_tls_reports were = config->tls_reports, none = {0};
    pass(b, TO_NEXT_DAY);
    config->tls_reports = none;
    assert_true(answer_place(b, IPC_TLS_PLACE_FOUND, "v=TLSRPTv1; rua=mailto:a@example.net"));
    assert_int_equal(reports(b), 1);
    assert_int_equal(seen.state, STORE_TLS_WAITING);
    assert_string_equal(seen_said, "reports are switched off");
    size_t n;
    assert_int_equal(queue_tls_ask(bench_queue(b), DAY, SP_LIT("example.net"), &n), SP_OK);
    pass(b, HOUR);
    assert_false(answer_place(b, IPC_TLS_PLACE_NONE, ""));
    /* Between the web server's refusal and the mail. */
    config->tls_reports = were;
    pass(b, HOUR);
    assert_true(
        answer_place(b, IPC_TLS_PLACE_FOUND, "v=TLSRPTv1; rua=https://one.example/,mailto:a@example.net"));
    config->tls_reports = none;
    answer_post(b, "HTTP 503");
    assert_int_equal(reports(b), 1);
    assert_string_equal(seen_said, "reports are switched off");
    config->tls_reports = were;
    bench_free(b);
}

static void tell_many(struct bench *b, size_t domains)
{
    for (size_t i = 0; i < domains; i++) {
        char domain[40];
        (void)snprintf(domain, sizeof domain, "d%zu.example.net", i);
        struct ipc_message m = {.type = IPC_TYPE_tls_session};
        m.as.tls_session = session_of(domain, IPC_TLS_POLICY_NONE, IPC_TLS_RESULT_SUCCESS);
        queue_take_tls_session(bench_queue(b), &m);
    }
    queue_tls_flush(bench_queue(b));
}

/* Each that cannot be begun ends at once: none may begin the next from inside its end. And a tool that asks
 * for a day gets all of it, however much there is of those before. */
static void test_all_of_a_day_that_cannot_be_begun(void **state)
{
    enum { DOMAINS = 9000, DOMAINS_NEXT = 1500 };
    (void)state;
    struct bench *b = bench_new(SECTION);
    struct queue *q = bench_queue(b);
    size_t n = 0;
    tell_many(b, DOMAINS);
    bench_now_ms += QUEUE_TLS_DAY_MS;
    tell_many(b, DOMAINS_NEXT);
    ((struct config *)(uintptr_t)q->role->config)->tls_reports.contact = NULL;
    assert_int_equal(queue_tls_ask(q, DAY, (struct sp_view){0}, &n), SP_OK);
    assert_int_equal(n, DOMAINS);
    assert_null(q->tls.line);
    assert_int_equal(q->tls.job_n, 0);
    assert_int_equal(queue_tls_ask(q, DAY + 1, (struct sp_view){0}, &n), SP_OK);
    assert_int_equal(n, DOMAINS_NEXT);
    queue_batch_commit(q);
    bench_free(b);
}

static void test_old_ones_are_forgotten(void **state)
{
    (void)state;
    struct bench *b = bench_with_a_session();
    bench_now_ms = (int64_t)(DAY + STORE_TLS_DAYS_KEPT) * QUEUE_TLS_DAY_MS + 1;
    pass(b, 0);
    assert_true(answer_place(b, IPC_TLS_PLACE_NONE, ""));
    assert_int_equal(reports(b), 1);
    pass(b, 24 * HOUR);
    assert_int_equal(reports(b), 0);
    bench_free(b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_counting_costs_no_commit_of_its_own),
    cmocka_unit_test(test_a_commit_that_fails_loses_nothing),
    cmocka_unit_test(test_without_the_section_nothing_is_counted),
    cmocka_unit_test(test_midnight_parts_the_counts),
    cmocka_unit_test(test_the_report_word_for_word),
    cmocka_unit_test(test_a_report_leaves_when_its_day_is_over),
    cmocka_unit_test(test_who_wants_none_gets_none),
    cmocka_unit_test(test_one_web_server_is_enough),
    cmocka_unit_test(test_web_servers_that_never_take_it_are_given_up),
    cmocka_unit_test(test_what_nobody_takes_is_tried_again_for_a_day),
    cmocka_unit_test(test_a_delivery_process_that_goes_away_is_no_answer),
    cmocka_unit_test(test_a_tool_has_them_sent_at_once),
    cmocka_unit_test(test_an_address_that_is_named_again_gets_one_mail),
    cmocka_unit_test(test_a_report_that_is_sent_again_has_the_same_id),
    cmocka_unit_test(test_a_report_that_leaves_is_written_down_before),
    cmocka_unit_test(test_reports_that_are_switched_off_meanwhile),
    cmocka_unit_test(test_all_of_a_day_that_cannot_be_begun),
    cmocka_unit_test(test_old_ones_are_forgotten),
};

TAP_MAIN(tests)
