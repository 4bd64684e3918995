/* Counts of TLS sessions and the reports about them: what adds up, what is bounded, what a rollback takes
 * back. */
#include "store/folder.h"
#include "store/tls.h"

#include "base/view.h"

enum { DAY = 20000, NOW = 1000000 };

static struct store_tls_session session_of(const char *domain, const char *result)
{
    bool good = strcmp(result, "success") == 0;
    return (struct store_tls_session){.day = DAY,
                                      .domain = sp_view_of(domain),
                                      .policy = SP_LIT("sts"),
                                      .strings = SP_LIT("version: STSv1\nmode: testing"),
                                      .patterns = SP_LIT("mx.one.example"),
                                      .result = sp_view_of(result),
                                      .mx = good ? (struct sp_view){0} : SP_LIT("mx.one.example"),
                                      .reason = good ? (struct sp_view){0} : SP_LIT("it has expired"),
                                      .n = 1};
}

static bool add(struct store *s, const struct store_tls_session *t)
{
    bool bounded = false;
    assert_int_equal(store_tls_add(s, t, NOW, &bounded), SP_OK);
    return bounded;
}

struct seen {
    char text[8192];
    size_t n;
    uint64_t sessions;
};

static void note_session(void *ctx, const struct store_tls_session *t)
{
    struct seen *seen = ctx;
    size_t at = strlen(seen->text);
    (void)snprintf(seen->text + at, sizeof seen->text - at, "%.*s %.*s %.*s %llu;", (int)t->policy.len,
                   (const char *)t->policy.p, (int)t->result.len, (const char *)t->result.p, (int)t->mx.len,
                   (const char *)t->mx.p, (unsigned long long)t->n);
    seen->n++;
    seen->sessions += t->n;
}

static void note_report(void *ctx, const struct store_tls_report *r)
{
    struct seen *seen = ctx;
    size_t at = strlen(seen->text);
    (void)snprintf(seen->text + at, sizeof seen->text - at, "%u %.*s %s %lld +%llu -%llu;", r->day,
                   (int)r->domain.len, (const char *)r->domain.p, store_tls_state_word(r->state),
                   (long long)r->next_ms, (unsigned long long)r->good, (unsigned long long)r->bad);
    seen->n++;
}

static struct seen sessions(struct store *s, const char *domain)
{
    struct seen seen = {0};
    assert_int_equal(store_tls_read(s, DAY, sp_view_of(domain), note_session, &seen), SP_OK);
    return seen;
}

static struct seen reports(struct store *s)
{
    struct seen seen = {0};
    assert_int_equal(store_tls_list(s, 0, (struct sp_view){0}, 1000, note_report, &seen), SP_OK);
    return seen;
}

static void adds_up(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    struct store_tls_session good = session_of("one.example", "success"),
                             bad = session_of("one.example", "certificate-expired"),
                             other = session_of("two.example", "success");
    assert_int_equal(store_begin(s), SP_OK);
    assert_false(add(s, &good));
    good.n = 4;
    assert_false(add(s, &good));
    assert_false(add(s, &bad));
    assert_false(add(s, &other));
    assert_int_equal(store_commit(s), SP_OK);
    assert_int_equal(store_begin(s), SP_OK);
    assert_false(add(s, &bad));
    store_rollback(s);
    store_close(s);
    s = folder_open(&f);
    assert_string_equal(sessions(s, "one.example").text,
                        "sts certificate-expired mx.one.example 1;sts success  5;");
    assert_string_equal(reports(s).text,
                        "20000 one.example counting 1000000 +5 -1;20000 two.example counting 1000000 +1 -0;");
    struct seen page = {0};
    assert_int_equal(store_tls_list(s, DAY, SP_LIT("one.example"), 1000, note_report, &page), SP_OK);
    assert_string_equal(page.text, "20000 two.example counting 1000000 +1 -0;");
    store_close(s);
    folder_free(&f);
}

static struct seen due(struct store *s, int64_t now, uint32_t day)
{
    struct seen seen = {0};
    assert_int_equal(store_tls_due(s, now, day, 10, note_report, &seen), SP_OK);
    return seen;
}

static void reports_are_due_marked_and_forgotten(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    struct store_tls_session good = session_of("one.example", "success");
    assert_int_equal(store_begin(s), SP_OK);
    add(s, &good);
    assert_int_equal(store_commit(s), SP_OK);
    assert_int_equal(due(s, NOW - 1, DAY + 1).n, 0);
    assert_int_equal(due(s, NOW, DAY).n, 0);
    assert_int_equal(due(s, NOW, DAY + 1).n, 1);
    struct store_tls_report r = {.day = DAY,
                                 .domain = SP_LIT("one.example"),
                                 .state = STORE_TLS_SENT,
                                 .attempts = 1,
                                 .sent_ms = NOW,
                                 .sent_to = SP_LIT("mailto:a@one.example")};
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_tls_mark(s, &r), SP_OK);
    r.domain = SP_LIT("missing.example");
    assert_int_equal(store_tls_mark(s, &r), SP_ERR_ABSENT);
    assert_int_equal(store_commit(s), SP_OK);
    assert_int_equal(due(s, NOW, DAY + 1).n, 0);
    assert_string_equal(reports(s).text, "20000 one.example sent 0 +1 -0;");
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_tls_forget(s, DAY), SP_OK);
    assert_int_equal(store_commit(s), SP_OK);
    assert_int_equal(reports(s).n, 1);
    assert_int_equal(store_begin(s), SP_OK);
    assert_int_equal(store_tls_forget(s, DAY + 1), SP_OK);
    assert_int_equal(store_commit(s), SP_OK);
    assert_int_equal(reports(s).n + sessions(s, "one.example").n, 0);
    store_close(s);
    folder_free(&f);
}

/* No session is lost, whatever else is. */
static void details_are_bounded(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    enum { MANY = 400 };
    assert_int_equal(store_begin(s), SP_OK);
    for (unsigned i = 0; i < MANY; i++) {
        char reason[32], strings[32];
        struct store_tls_session bad = session_of("one.example", "certificate-expired");
        struct store_tls_session good = session_of("one.example", "success");
        (void)snprintf(reason, sizeof reason, "reason %u", i);
        (void)snprintf(strings, sizeof strings, "3 1 1 %u", i);
        bad.reason = sp_view_of(reason);
        good.policy = SP_LIT("tlsa");
        good.strings = sp_view_of(strings);
        assert_false(add(s, &bad));
        assert_false(add(s, &good));
    }
    assert_int_equal(store_commit(s), SP_OK);
    struct seen seen = sessions(s, "one.example");
    assert_int_equal(seen.sessions, 2 * MANY);
    assert_in_range(seen.n, STORE_TLS_FAILURES_MAX + STORE_TLS_POLICIES_MAX,
                    STORE_TLS_FAILURES_MAX + STORE_TLS_POLICIES_MAX + 3);
    assert_non_null(strstr(seen.text, "tlsa success"));
    store_close(s);
    folder_free(&f);
}

static void domains_are_bounded(void **state)
{
    (void)state;
    struct folder f = folder_new();
    struct store *s = folder_open(&f);
    enum { MORE = 5 };
    unsigned bounded = 0;
    assert_int_equal(store_begin(s), SP_OK);
    for (unsigned i = 0; i < STORE_TLS_DOMAINS_MAX + MORE; i++) {
        char domain[32];
        (void)snprintf(domain, sizeof domain, "d%u.example", i);
        struct store_tls_session good = session_of(domain, i % 2 ? "success" : "certificate-expired");
        bounded += add(s, &good);
    }
    assert_int_equal(store_commit(s), SP_OK);
    assert_int_equal(bounded, MORE);
    assert_int_equal(sessions(s, "").sessions, MORE);
    struct store_tls_session known = session_of("d0.example", "success");
    assert_int_equal(store_begin(s), SP_OK);
    assert_false(add(s, &known));
    assert_int_equal(store_commit(s), SP_OK);
    store_close(s);
    folder_free(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(adds_up),
    cmocka_unit_test(reports_are_due_marked_and_forgotten),
    cmocka_unit_test(details_are_bounded),
    cmocka_unit_test(domains_are_bounded),
};

TAP_MAIN(tests)
