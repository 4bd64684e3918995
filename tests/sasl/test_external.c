/* EXTERNAL, both sides: the examples of RFC 4422 appendix A.3, without what belongs to other protocols. */
#include "octets.h"
#include "sasl/client.h"
#include "sasl/server.h"

static struct sasl_server *begin(void)
{
    struct sasl_server *s = NULL;
    assert_int_equal(sasl_server_new(SP_LIT("external"), &os_heap, &s), SP_OK);
    return s;
}

/* A.3.1: no authorization identity; A.3.2: one. With the command, and behind an empty challenge. */
static void the_examples_of_rfc_4422(void **state)
{
    static const struct sp_view names[] = {SP_LIT_INIT(""), SP_LIT_INIT("fred@example.com")};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct sasl_server *s = begin();
        struct sp_view name = names[i / 2];
        enum sasl_server_state at = sasl_server_start(s, i % 2, i % 2 ? name : SP_LIT(""));
        if (i % 2 == 0) {
            assert_int_equal(at, SASL_SERVER_CHALLENGE);
            assert_int_equal(sasl_server_challenge(s).len, 0);
            at = sasl_server_step(s, name);
        }
        assert_int_equal(at, SASL_SERVER_ASK_EXTERNAL);
        assert_view(sasl_server_user(s), name);
        assert_int_equal(sasl_server_external_is(s, SP_LIT("fred@example.com")), SASL_SERVER_YES);
        assert_view(sasl_server_user(s), SP_LIT("fred@example.com"));
        sasl_server_free(s);
    }
}

static void nobody_is_refused(void **state)
{
    struct sasl_server *s = begin();
    (void)state;
    assert_int_equal(sasl_server_start(s, true, SP_LIT("fred")), SASL_SERVER_ASK_EXTERNAL);
    assert_int_equal(sasl_server_external_is(s, SP_LIT("")), SASL_SERVER_NO);
    assert_int_equal(sasl_server_fault(s), SASL_FAULT_REFUSED);
    assert_view(sasl_server_user(s), SP_LIT("fred"));
    sasl_server_free(s);
}

static void defects_are_named(void **state)
{
    static const struct {
        struct sp_view response;
        enum sasl_fault fault;
    } cases[] = {
        {SP_LIT_INIT("fred\0"), SASL_FAULT_NUL},
        {SP_LIT_INIT("\0"), SASL_FAULT_NUL},
        {SP_LIT_INIT("fr\xff"
                     "d"),
         SASL_FAULT_NOT_UTF8},
        {SP_LIT_INIT("fred\n"), SASL_FAULT_TRAILING_NEWLINE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sasl_server *s = begin();
        assert_int_equal(sasl_server_start(s, true, cases[i].response), SASL_SERVER_NO);
        assert_string_equal(sasl_fault_id(sasl_server_fault(s)), sasl_fault_id(cases[i].fault));
        sasl_server_free(s);
    }
}

static void the_client_says_at_most_a_name(void **state)
{
    (void)state;
    for (int named = 0; named < 2; named++) {
        const struct sasl_credentials me = {.user = named ? SP_LIT("fred@example.com") : SP_LIT(""),
                                            .certificate = true};
        struct sasl_client *c = NULL;
        struct sp_buf out = fresh();
        const char *sent = NULL;
        assert_int_equal(sasl_client_new(SP_LIT("EXTERNAL"), &me, &os_heap, &c), SP_OK);
        assert_true(sasl_client_has_initial(c));
        assert_int_equal(sasl_client_step(c, SP_LIT(""), &out, &sent), SP_OK);
        assert_view(sp_buf_view(&out), me.user);
        assert_non_null(sent);
        assert_true(sasl_client_is_complete(c));
        assert_int_equal(sasl_client_step(c, SP_LIT(""), &out, &sent), SP_ERR_SYNTAX);
        sasl_client_free(c);
        sp_buf_fini(&out);
    }
}

static void chooses(const struct sasl_credentials *who, const char *offered, const char *wanted, bool tls,
                    const char *chosen)
{
    static const struct sasl_binding bound = {{SP_LIT_INIT("exported")}};
    struct sasl_offer offer = {
        .mechanisms = sp_view_of(offered), .secure = true, .binding = tls ? &bound : NULL};
    struct sp_view mechanism = {0};
    struct sp_buf why = fresh();
    bool found = sasl_client_choose(&offer, sp_view_of(wanted), who, &mechanism, &why) == SP_OK;
    if (found)
        assert_view(mechanism, sp_view_of(chosen));
    else
        assert_view(sp_buf_view(&why), sp_view_of(chosen));
    sp_buf_fini(&why);
}

static void what_there_is_decides(void **state)
{
    const struct sasl_credentials certificate = {.user = SP_LIT("u"), .certificate = true},
                                  both = {.user = SP_LIT("u"), .password = SP_LIT("p"), .certificate = true},
                                  password = {.user = SP_LIT("u"), .password = SP_LIT("p")};
    struct sasl_client *c = NULL;
    (void)state;
    chooses(&certificate, "PLAIN EXTERNAL", "", true, "EXTERNAL");
    chooses(&both, "PLAIN EXTERNAL SCRAM-SHA-256-PLUS", "", true, "EXTERNAL");
    chooses(&both, "PLAIN SCRAM-SHA-256-PLUS", "", true, "SCRAM-SHA-256-PLUS");
    chooses(&both, "PLAIN EXTERNAL", "plain", true, "PLAIN");
    chooses(&password, "PLAIN EXTERNAL", "", true, "PLAIN");
    chooses(&certificate, "PLAIN LOGIN", "", true, "the server offers AUTH PLAIN LOGIN, not EXTERNAL");
    chooses(&certificate, "PLAIN EXTERNAL", "PLAIN", true, "PLAIN takes a password, and there is none");
    chooses(&password, "PLAIN EXTERNAL", "EXTERNAL", true,
            "EXTERNAL needs a certificate to show in TLS, and there is none");
    /* Without TLS nothing was shown. */
    chooses(&both, "PLAIN EXTERNAL", "", false, "PLAIN");
    assert_int_equal(sasl_client_new(SP_LIT("EXTERNAL"), &password, &os_heap, &c), SP_ERR_MISUSE);
    assert_int_equal(sasl_client_new(SP_LIT("PLAIN"), &certificate, &os_heap, &c), SP_ERR_MISUSE);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_examples_of_rfc_4422), cmocka_unit_test(nobody_is_refused),
    cmocka_unit_test(defects_are_named),        cmocka_unit_test(the_client_says_at_most_a_name),
    cmocka_unit_test(what_there_is_decides),
};

TAP_MAIN(tests)
