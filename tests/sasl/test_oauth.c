/* OAUTHBEARER and XOAUTH2, both sides. */
#include "base/base64.h"
#include "octets.h"
#include "sasl/client.h"
#include "sasl/server.h"

/* RFC 7628 4.1, and the example of XOAUTH2's own page. */
static const char bearer_example[] = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQ"
                                     "zAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52"
                                     "YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB";
static const char x_example[] = "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52"
                                "YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0"
                                "Q2cBAQ==";

static struct sp_view decode(const char *text)
{
    static uint8_t octets[1024];
    size_t len;
    assert_int_equal(sp_base64_decode(sp_view_of(text), octets, &len), SP_OK);
    return sp_view_make(octets, len);
}

static struct sasl_server *serve(const char *mechanism)
{
    struct sasl_server *s = NULL;
    assert_int_equal(sasl_server_new(sp_view_of(mechanism), &os_heap, &s), SP_OK);
    return s;
}

static void the_example_of_rfc_7628(void **state)
{
    (void)state;
    struct sasl_server *s = serve("OAUTHBEARER");
    assert_int_equal(sasl_server_start(s, true, decode(bearer_example)), SASL_SERVER_ASK_TOKEN);
    assert_view(sasl_server_user(s), SP_LIT("user@example.com"));
    assert_view(sasl_server_password(s), SP_LIT("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="));
    assert_int_equal(sasl_server_token_is(s, SP_LIT("user@example.com"), SP_LIT("")), SASL_SERVER_YES);
    assert_int_equal(sasl_server_password(s).len, 0);
    sasl_server_free(s);
}

static void the_example_of_xoauth2(void **state)
{
    (void)state;
    struct sasl_server *s = serve("XOAUTH2");
    assert_int_equal(sasl_server_start(s, false, SP_LIT("")), SASL_SERVER_CHALLENGE);
    assert_int_equal(sasl_server_challenge(s).len, 0);
    assert_int_equal(sasl_server_step(s, decode(x_example)), SASL_SERVER_ASK_TOKEN);
    assert_view(sasl_server_user(s), SP_LIT("someuser@example.com"));
    assert_view(sasl_server_password(s), SP_LIT("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"));
    sasl_server_free(s);
}

/* The reason goes first, then whatever the client says to it, then the refusal. */
static void a_refusal_takes_a_turn(void **state)
{
    static const char *const acknowledgements[] = {"\001", "", "anything"};
    (void)state;
    for (size_t i = 0; i < sizeof acknowledgements / sizeof *acknowledgements; i++) {
        struct sasl_server *s = serve(i % 2 ? "XOAUTH2" : "OAUTHBEARER");
        struct sp_view response = decode(i % 2 ? x_example : bearer_example);
        assert_int_equal(sasl_server_start(s, true, response), SASL_SERVER_ASK_TOKEN);
        assert_int_equal(sasl_server_token_is(s, SP_LIT(""), SP_LIT("{\"status\":\"401\"}")),
                         SASL_SERVER_CHALLENGE);
        assert_view(sasl_server_challenge(s), SP_LIT("{\"status\":\"401\"}"));
        assert_int_equal(sasl_server_step(s, sp_view_of(acknowledgements[i])), SASL_SERVER_NO);
        assert_int_equal(sasl_server_fault(s), SASL_FAULT_REFUSED);
        sasl_server_free(s);
    }
}

static void defects_are_named(void **state)
{
    static const struct {
        const char *mechanism, *response;
        enum sasl_fault fault;
    } rows[] = {
        {"OAUTHBEARER", "", SASL_FAULT_EMPTY},
        {"OAUTHBEARER", "n,a=me,auth=Bearer t", SASL_FAULT_OAUTH_GRAMMAR},
        {"OAUTHBEARER", "n,a=me,\001auth=Bearer t\001", SASL_FAULT_OAUTH_GRAMMAR},
        {"OAUTHBEARER", "n,a=me,\001auth=Bearer t\001\001x", SASL_FAULT_OAUTH_GRAMMAR},
        {"OAUTHBEARER", "n,a=me\001auth=Bearer t\001\001", SASL_FAULT_OAUTH_GRAMMAR},
        {"OAUTHBEARER", "n,b=me,\001auth=Bearer t\001\001", SASL_FAULT_OAUTH_GRAMMAR},
        {"OAUTHBEARER", "n,a=m=e,\001auth=Bearer t\001\001", SASL_FAULT_OAUTH_GRAMMAR},
        {"OAUTHBEARER", "n,,\001host=a\001\001", SASL_FAULT_OAUTH_GRAMMAR},
        {"OAUTHBEARER", "p=tls-exporter,,\001auth=Bearer t\001\001", SASL_FAULT_BINDING_UNAVAILABLE},
        {"OAUTHBEARER", "n,,\001auth=Basic t\001\001", SASL_FAULT_OAUTH_TOKEN_GRAMMAR},
        {"OAUTHBEARER", "n,,\001auth=Bearer \001\001", SASL_FAULT_OAUTH_TOKEN_GRAMMAR},
        {"OAUTHBEARER", "n,,\001auth=Bearer a b\001\001", SASL_FAULT_OAUTH_TOKEN_GRAMMAR},
        {"OAUTHBEARER", "n,,\001auth=Bearer t\n\001\001", SASL_FAULT_OAUTH_TOKEN_GRAMMAR},
        {"OAUTHBEARER", "n,,\001auth=Bearer t\001auth=Bearer u\001\001", SASL_FAULT_OAUTH_TOKEN_GRAMMAR},
        {"XOAUTH2", "me\001auth=Bearer t\001\001", SASL_FAULT_OAUTH_GRAMMAR},
        {"XOAUTH2", "user=me", SASL_FAULT_OAUTH_GRAMMAR},
        {"XOAUTH2", "user=\001auth=Bearer t\001\001", SASL_FAULT_EMPTY_USER},
        {"XOAUTH2", "dXNlcj1tZQFhdXRoPUJlYXJlciB0AQE=", SASL_FAULT_OAUTH_GRAMMAR},
        {"XOAUTH2", "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQ==", SASL_FAULT_DOUBLE_BASE64},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sasl_server *s = serve(rows[i].mechanism);
        assert_int_equal(sasl_server_start(s, true, sp_view_of(rows[i].response)), SASL_SERVER_NO);
        if (sasl_server_fault(s) != rows[i].fault)
            fail_msg("%s: %s", rows[i].response, sasl_fault_id(sasl_server_fault(s)));
        sasl_server_free(s);
    }
}

static void a_token_of_any_length(void **state)
{
    (void)state;
    for (size_t len = 8190; len < 8196; len++) {
        struct sasl_server *s = serve("OAUTHBEARER");
        struct sp_buf r = fresh();
        sp_buf_add_str(&r, "n,,\001auth=Bearer ");
        for (size_t i = 0; i < len; i++)
            sp_buf_add_u8(&r, 'a');
        sp_buf_add_str(&r, "\001\001");
        assert_int_equal(sp_buf_status(&r), SP_OK);
        assert_int_equal(sasl_server_start(s, true, sp_buf_view(&r)),
                         len <= 8192 ? SASL_SERVER_ASK_TOKEN : SASL_SERVER_NO);
        sp_buf_fini(&r);
        sasl_server_free(s);
    }
}

static void both_sides_meet(void **state)
{
    static const char *const mechanisms[] = {"OAUTHBEARER", "XOAUTH2"};
    static const struct sasl_credentials me = {SP_LIT_INIT("m,e=x@example.org"), SP_LIT_INIT("to.ke.n"),
                                               true};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sasl_client *c = NULL;
        struct sasl_server *s = serve(mechanisms[i]);
        struct sp_buf out = fresh();
        const char *sent = NULL;
        assert_int_equal(sasl_client_new(sp_view_of(mechanisms[i]), &me, &os_heap, &c), SP_OK);
        assert_true(sasl_client_has_initial(c));
        assert_int_equal(sasl_client_step(c, SP_LIT(""), &out, &sent), SP_OK);
        assert_string_equal(sent, "user name and token");
        assert_int_equal(sasl_server_start(s, true, sp_buf_view(&out)), SASL_SERVER_ASK_TOKEN);
        assert_view(sasl_server_user(s), me.user);
        assert_view(sasl_server_password(s), me.password);
        sp_buf_clear(&out);
        assert_int_equal(sasl_client_step(c, SP_LIT("{\"status\":\"401\"}"), &out, &sent), SP_OK);
        assert_view(sp_buf_view(&out), i == 0 ? SP_LIT("\001") : SP_LIT(""));
        assert_int_equal(sasl_client_step(c, SP_LIT("{}"), &out, &sent), SP_ERR_SYNTAX);
        sp_buf_fini(&out);
        sasl_client_free(c);
        sasl_server_free(s);
    }
}

/* A token is never sent as a password, nor a password as a token. */
static void tokens_and_passwords_keep_apart(void **state)
{
    static const char *const passwords[] = {"PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256"};
    const struct sasl_credentials token = {SP_LIT("me"), SP_LIT("t"), true},
                                  password = {SP_LIT("me"), SP_LIT("p"), false};
    struct sasl_client *c = NULL;
    struct sp_view chosen;
    struct sp_buf why = fresh();
    (void)state;
    for (size_t i = 0; i < sizeof passwords / sizeof *passwords; i++)
        assert_int_equal(sasl_client_new(sp_view_of(passwords[i]), &token, &os_heap, &c), SP_ERR_MISUSE);
    assert_int_equal(sasl_client_new(SP_LIT("OAUTHBEARER"), &password, &os_heap, &c), SP_ERR_MISUSE);
    assert_int_equal(sasl_client_new(SP_LIT("XOAUTH2"), &password, &os_heap, &c), SP_ERR_MISUSE);
    assert_int_equal(sasl_client_choose(&(struct sasl_offer){SP_LIT("PLAIN XOAUTH2"), true, NULL}, SP_LIT(""),
                                        &token, &chosen, &why),
                     SP_OK);
    assert_view(chosen, SP_LIT("XOAUTH2"));
    assert_int_equal(sasl_client_choose(&(struct sasl_offer){SP_LIT("PLAIN XOAUTH2"), true, NULL}, SP_LIT(""),
                                        &password, &chosen, &why),
                     SP_OK);
    assert_view(chosen, SP_LIT("PLAIN"));
    assert_int_equal(sasl_client_choose(&(struct sasl_offer){SP_LIT("PLAIN"), true, NULL}, SP_LIT(""), &token,
                                        &chosen, &why),
                     SP_ERR_ABSENT);
    assert_int_equal(sasl_client_choose(&(struct sasl_offer){SP_LIT("XOAUTH2"), false, NULL}, SP_LIT(""),
                                        &token, &chosen, &why),
                     SP_ERR_ABSENT);
    assert_int_equal(sasl_client_choose(&(struct sasl_offer){SP_LIT("PLAIN"), true, NULL}, SP_LIT("PLAIN"),
                                        &token, &chosen, &why),
                     SP_ERR_ABSENT);
    sp_buf_fini(&why);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_example_of_rfc_7628),         cmocka_unit_test(the_example_of_xoauth2),
    cmocka_unit_test(a_refusal_takes_a_turn),          cmocka_unit_test(defects_are_named),
    cmocka_unit_test(a_token_of_any_length),           cmocka_unit_test(both_sides_meet),
    cmocka_unit_test(tokens_and_passwords_keep_apart),
};

TAP_MAIN(tests)
