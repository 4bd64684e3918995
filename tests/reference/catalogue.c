/* The catalogue: finding entries, and explaining a reply in one line. */
#include "tap.h"

#include <string.h>

#include "base/view.h"
#include "reference/reference.h"

static void test_every_entry_is_found(void **state)
{
    (void)state;
    size_t n;
    const struct reference_code *codes = reference_codes(&n);
    assert_true(n >= 81);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(reference_code_find(codes[i].code), &codes[i]);
        assert_true(i == 0 || codes[i - 1].code < codes[i].code);
        for (const int *other = codes[i].related; *other; other++)
            assert_non_null(reference_code_find(*other));
    }
    const struct reference_reason *reasons = reference_reasons(&n);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(reference_reason_find(sp_view_of(reasons[i].id)), &reasons[i]);
        assert_true(i == 0 || strcmp(reasons[i - 1].id, reasons[i].id) < 0);
    }
    const struct reference_pair *pairs = reference_pairs(&n);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(reference_pair_find(pairs[i].a, pairs[i].b), &pairs[i]);
        assert_ptr_equal(reference_pair_find(pairs[i].b, pairs[i].a), &pairs[i]);
    }
    for (int word = 0; word < REFERENCE_WORD_N; word++)
        for (int lang = REFERENCE_EN; lang <= REFERENCE_VI; lang++)
            assert_true(reference_word((enum reference_word)word, (enum reference_lang)lang)[0] != '\0');
}

static void test_absent(void **state)
{
    (void)state;
    const int absent[] = {-1, 0, 199, 222, 600, 334334};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_null(reference_code_find(absent[i]));
    assert_null(reference_reason_find(SP_LIT("")));
    assert_null(reference_reason_find(SP_LIT("data-before-rcp")));
    assert_null(reference_reason_find(SP_LIT("data-before-rcpts")));
    assert_null(reference_reason_find(SP_LIT("data\0before")));
    assert_null(reference_pair_find("334", "334"));
    assert_null(reference_pair_find("", ""));
    assert_null(reference_meaning_find(7, 99));
    assert_null(reference_class(199, REFERENCE_EN));
    assert_null(reference_class(600, REFERENCE_EN));
    assert_null(reference_digit(199, REFERENCE_EN));
}

/* The pages that issue after issue leans on. */
static void test_complete_pages(void **state)
{
    (void)state;
    const struct reference_code *prompt = reference_code_find(334), *order = reference_code_find(503);
    assert_int_equal(prompt->retry, REFERENCE_GO_ON);
    assert_int_equal(order->retry, REFERENCE_REORDER);
    assert_true(prompt->cases_n >= 5);
    assert_true(order->cases_n >= 10);
    for (size_t i = 0; i < order->cases_n; i++)
        assert_true(order->cases[i].transcript.n > 0);
    for (size_t i = 0; i < prompt->cases_n; i++)
        assert_true(prompt->cases[i].transcript.n > 0);
    static const char *const pairs[][2] = {{"334", "503"}, {"334", "535"}, {"503", "530"},    {"530", "535"},
                                           {"421", "451"}, {"450", "550"}, {"452", "552"},    {"550", "554"},
                                           {"500", "502"}, {"501", "504"}, {"PLAIN", "LOGIN"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_non_null(reference_pair_find(pairs[i][0], pairs[i][1]));
}

static void test_topics(void **state)
{
    (void)state;
    size_t n, of_kind[REFERENCE_TOPIC_KIND_N] = {0};
    const struct reference_topic *topics = reference_topics(&n);
    for (size_t i = 0; i < n; i++) {
        of_kind[topics[i].kind]++;
        assert_ptr_equal(reference_topic_find(topics[i].kind, sp_view_of(topics[i].name)), &topics[i]);
        for (const char *const *alias = topics[i].aliases; alias && *alias; alias++)
            assert_ptr_equal(reference_topic_find(topics[i].kind, sp_view_of(*alias)), &topics[i]);
    }
    assert_true(of_kind[REFERENCE_COMMAND] >= 25);
    assert_true(of_kind[REFERENCE_KEYWORD] >= 40);
    assert_true(of_kind[REFERENCE_MECHANISM] >= 35);
    assert_non_null(reference_topic_find(REFERENCE_MECHANISM, SP_LIT("scram-sha-256")));
    assert_null(reference_topic_find(REFERENCE_MECHANISM, SP_LIT("SCRAM-SHA-25")));
    assert_null(reference_topic_find(REFERENCE_COMMAND, SP_LIT("PLAIN")));
    assert_null(reference_topic_find(REFERENCE_COMMAND, SP_LIT("")));
}

/* Each entry knows the reply that it says is sent, and no entry before it takes that reply away. */
static void test_providers(void **state)
{
    (void)state;
    size_t n;
    const struct reference_signature *all = reference_signatures(&n);
    assert_true(n >= 90);
    for (size_t i = 0; i < n; i++) {
        int code = (all[i].said[0] - '0') * 100 + (all[i].said[1] - '0') * 10 + (all[i].said[2] - '0');
        const struct reference_signature *found = reference_signature_find(code, sp_view_of(all[i].said + 4));
        if (found != &all[i])
            fail_msg("reference/providers.toml, %s: its reply is taken for %s", all[i].id,
                     found ? found->id : "nobody's");
    }
    assert_ptr_equal(reference_provider_find(SP_LIT("Google")), all[0].provider);
    assert_null(reference_provider_find(SP_LIT("goog")));
}

/* Replies as people paste them, and the entry that must be found; "" for none. */
static void test_provider_replies(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *text, *id;
    } replies[] = {
        {535, "5.7.139 Authentication unsuccessful, basic authentication is disabled",
         "microsoft-basic-auth-disabled"},
        {535, "5.7.139 whatever they say next year", "microsoft-login-blocked"},
        {530, "5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
         "microsoft-not-authenticated"},
        {421, "4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP",
         "google-rate"},
        {550,
         "5.7.26 This message does not have authentication information or fails to pass authentication "
         "checks.",
         "google-unauthenticated"},
        {451, "4.7.612 Access denied, please try again later", "microsoft-busy"},
        {550, "5.7.613 Access denied", "microsoft-banned-ip"},
        /* The last line of a reply with several, which is all that some programs show. */
        {535, "5.7.8  https://support.google.com/mail/?p=BadCredentials d9443c01a7336-1e5 - gsmtp",
         "google-bad-credentials"},
        {550, "5.1.1 https://support.google.com/mail/?p=NoSuchUser x1 - gsmtp", "google-unknown-user"},
        {550, "5.7.515 Access denied", "microsoft-auth-level"},
        {535, "5.7.8 Error: authentication failed: UGFzc3dvcmQ6", ""},
        {530, "5.7.0 Must issue a STARTTLS command first", ""},
        {250, "2.0.0 relay access denied", ""},
        {550, "5.7.1 no", ""},
        {550, "", ""},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        const struct reference_signature *s =
            reference_signature_find(replies[i].code, sp_view_of(replies[i].text));
        assert_string_equal(s ? s->id : "", replies[i].id);
    }
    /* One text in two parts, in their order. */
    assert_non_null(
        reference_signature_find(421, SP_LIT("[TSS04] Messages from 192.0.2.9 TEMPORARILY DEFERRED")));
    assert_null(reference_signature_find(421, SP_LIT("temporarily deferred [TSS04]")));
}

static const char *explain(int code, const char *text)
{
    return reference_explain(code, sp_view_of(text), REFERENCE_EN);
}

static void test_explain(void **state)
{
    (void)state;
    assert_string_equal(
        explain(334, "VXNlcm5hbWU6"),
        "The server asks \"Username:\"; send the user name in base64, on one line. Not an error.");
    assert_non_null(strstr(explain(334, ""), "empty challenge"));
    assert_non_null(strstr(explain(334, "eyJzdGF0dXMiOiI0MDEifQ=="), "OAuth"));
    assert_string_equal(explain(334, "c29tZXRoaW5n"), reference_code_find(334)->summary.en);

    assert_string_equal(explain(503, "5.5.1 DATA needs RCPT TO first; now: RCPT [data-before-rcpt]"),
                        reference_reason_find(SP_LIT("data-before-rcpt"))->meaning.en);
    assert_string_equal(explain(503, "5.5.1 Out of order"), reference_code_find(503)->summary.en);
    /* The words of a server that is known, before what its code says. */
    assert_string_equal(explain(503, "5.5.1 Error: need RCPT command"),
                        "DATA without an accepted recipient.");
    /* Another server's brackets, or our id with a code that is not its own. */
    assert_string_equal(explain(503, "bad [sequence]"), reference_code_find(503)->summary.en);
    assert_string_equal(explain(500, "no [data-before-rcpt]"), reference_code_find(500)->summary.en);

    assert_string_equal(explain(550, "5.1.1 User unknown"),
                        "There is no such mailbox: correct the address or take it off the list.");
    /* The enhanced code knows better than a code that it does not usually come with. */
    assert_string_equal(explain(550, "5.2.2 over quota"), "The mailbox is full.");
    assert_string_equal(explain(573, "5.7.1 blocked"), "Not allowed: policy forbids this delivery.");
    assert_string_equal(explain(550, "4.2.2 mixed up"), reference_code_find(550)->summary.en);
    assert_string_equal(explain(550, "5.2.0 nothing more"), reference_code_find(550)->summary.en);

    assert_string_equal(explain(299, "fine"), "The server did what was asked.");
    assert_string_equal(explain(499, ""), "The server refuses for now; the same may work later.");
    assert_non_null(strstr(explain(0, "HTTP/1.1 400 Bad Request"), "not an SMTP reply"));
    assert_string_equal(reference_explain(503, SP_LIT(""), REFERENCE_VI),
                        reference_code_find(503)->summary.vi);
}

static void test_enhanced(void **state)
{
    (void)state;
    struct reference_enhanced e;
    size_t len;
    assert_true(reference_enhanced_read(SP_LIT("5.7.139 Basic"), &e, &len));
    assert_int_equal(e.class, 5);
    assert_int_equal(e.subject, 7);
    assert_int_equal(e.detail, 139);
    assert_int_equal(len, 7);
    assert_true(reference_enhanced_read(SP_LIT("2.0.0"), &e, &len));
    static const char *const bad[] = {"",      "5",        "5.",     "5.7",  "5.7.",  "5.7.x",
                                      "3.1.1", "5.7.1234", "5.7.1x", "5..1", "55.1.1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(reference_enhanced_read(sp_view_of(bad[i]), &e, &len));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_every_entry_is_found),
    cmocka_unit_test(test_absent),
    cmocka_unit_test(test_complete_pages),
    cmocka_unit_test(test_topics),
    cmocka_unit_test(test_providers),
    cmocka_unit_test(test_provider_replies),
    cmocka_unit_test(test_explain),
    cmocka_unit_test(test_enhanced),
};

TAP_MAIN(tests)
