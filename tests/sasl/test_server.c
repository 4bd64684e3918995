/* The server's side of PLAIN and LOGIN: the examples of RFC 4616, and every defect by its name. */
#include "octets.h"
#include "sasl/server.h"

#define NUL "\0"

static struct sasl_server *begin(const char *mechanism)
{
    struct sasl_server *s = NULL;
    assert_int_equal(sasl_server_new(sp_view_of(mechanism), &os_heap, &s), SP_OK);
    return s;
}

static void plain_asks(struct sp_view response, struct sp_view user, struct sp_view password)
{
    struct sasl_server *s = begin("PLAIN");
    assert_int_equal(sasl_server_start(s, true, response), SASL_SERVER_ASK_PASSWORD);
    assert_view(sasl_server_user(s), user);
    assert_view(sasl_server_password(s), password);
    assert_int_equal(sasl_server_password_is(s, true), SASL_SERVER_YES);
    assert_int_equal(sasl_server_password(s).len, 0);
    assert_view(sasl_server_user(s), user);
    sasl_server_free(s);
}

static void plain_refuses(struct sp_view response, enum sasl_fault wanted)
{
    struct sasl_server *s = begin("plain");
    assert_int_equal(sasl_server_start(s, true, response), SASL_SERVER_NO);
    assert_string_equal(sasl_fault_id(sasl_server_fault(s)), sasl_fault_id(wanted));
    assert_int_equal(sasl_server_password(s).len, 0);
    sasl_server_free(s);
}

static void plain_rfc_4616_examples(void **state)
{
    (void)state;
    plain_asks(SP_LIT(NUL "tim" NUL "tanstaaftanstaaf"), SP_LIT("tim"), SP_LIT("tanstaaftanstaaf"));
    /* Ursel acting for Kurt: a well-formed request that nobody is granted here. */
    plain_refuses(SP_LIT("Ursel" NUL "Kurt" NUL "xipj3plmq"), SASL_FAULT_OTHER_AUTHZID);
    plain_asks(SP_LIT("Kurt" NUL "Kurt" NUL "xipj3plmq"), SP_LIT("Kurt"), SP_LIT("xipj3plmq"));
}

static void plain_without_initial_response(void **state)
{
    struct sasl_server *s = begin("PLAIN");
    (void)state;
    assert_int_equal(sasl_server_start(s, false, SP_LIT("")), SASL_SERVER_CHALLENGE);
    assert_int_equal(sasl_server_challenge(s).len, 0);
    assert_int_equal(sasl_server_step(s, SP_LIT(NUL "u" NUL "p")), SASL_SERVER_ASK_PASSWORD);
    assert_int_equal(sasl_server_password_is(s, false), SASL_SERVER_NO);
    assert_int_equal(sasl_server_fault(s), SASL_FAULT_REFUSED);
    sasl_server_free(s);
}

static void plain_prepares_the_password(void **state)
{
    (void)state;
    plain_asks(SP_LIT(NUL "u" NUL "I\xc2\xadX"), SP_LIT("u"), SP_LIT("IX"));
    plain_asks(SP_LIT(NUL "\xc3\xa9" NUL "e\xcc\x81"), SP_LIT("\xc3\xa9"), SP_LIT("\xc3\xa9"));
}

static void plain_names_every_defect(void **state)
{
    static uint8_t long_user[300] = {0}, long_password[1100] = {0, 'u', 0};
    (void)state;
    plain_refuses(SP_LIT(""), SASL_FAULT_EMPTY);
    plain_refuses(SP_LIT("demo secret"), SASL_FAULT_MISSING_NUL);
    plain_refuses(SP_LIT("demo:secret"), SASL_FAULT_USER_COLON_PASSWORD);
    plain_refuses(SP_LIT("\\0demo\\0secret"), SASL_FAULT_BACKSLASH_ZERO);
    plain_refuses(SP_LIT("AGRlbW8Ac2VjcmV0"), SASL_FAULT_DOUBLE_BASE64); /* NUL demo NUL secret */
    plain_refuses(SP_LIT("AGRlbW8Ac2VjcmV0\n"), SASL_FAULT_DOUBLE_BASE64);
    plain_refuses(SP_LIT("ZGVtbzpzZWNyZXQ="), SASL_FAULT_DOUBLE_BASE64); /* demo:secret */
    plain_refuses(SP_LIT("demo" NUL "secret"), SASL_FAULT_MISSING_LEADING_NUL);
    plain_refuses(SP_LIT(NUL "demo:secret"), SASL_FAULT_MISSING_LEADING_NUL);
    plain_refuses(SP_LIT(NUL "demo" NUL "secret" NUL), SASL_FAULT_EXTRA_NUL);
    plain_refuses(SP_LIT(NUL NUL NUL), SASL_FAULT_EXTRA_NUL);
    plain_refuses(SP_LIT(NUL "demo" NUL "secret\n"), SASL_FAULT_TRAILING_NEWLINE);
    plain_refuses(SP_LIT(NUL "demo" NUL "secret\r\n"), SASL_FAULT_TRAILING_NEWLINE);
    plain_refuses(SP_LIT(NUL "demo\n" NUL "secret"), SASL_FAULT_TRAILING_NEWLINE);
    plain_refuses(SP_LIT(NUL "demo" NUL "sec\tret"), SASL_FAULT_CONTROL);
    plain_refuses(SP_LIT(NUL "demo" NUL), SASL_FAULT_EMPTY_PASSWORD);
    plain_refuses(SP_LIT(NUL NUL "secret"), SASL_FAULT_EMPTY_USER);
    plain_refuses(SP_LIT(NUL "demo" NUL "gr\xfc\xdf"), SASL_FAULT_NOT_UTF8);
    plain_refuses(SP_LIT("\xff" NUL "demo" NUL "secret"), SASL_FAULT_NOT_UTF8);
    memset(long_user + 1, 'u', 256);
    long_user[258] = 'p';
    plain_refuses(sp_view_make(long_user, 259), SASL_FAULT_USER_LONG);
    memset(long_password + 3, 'p', 1025);
    plain_refuses(sp_view_make(long_password, 3 + 1025), SASL_FAULT_PASSWORD_LONG);
    plain_asks(sp_view_make(long_password, 3 + 1024), SP_LIT("u"), sp_view_make(long_password + 3, 1024));
}

static void login_asks_for_both(void **state)
{
    struct sasl_server *s = begin("LOGIN");
    (void)state;
    assert_int_equal(sasl_server_start(s, false, SP_LIT("")), SASL_SERVER_CHALLENGE);
    assert_view(sasl_server_challenge(s), SP_LIT("Username:"));
    assert_int_equal(sasl_server_step(s, SP_LIT("demo")), SASL_SERVER_CHALLENGE);
    assert_view(sasl_server_challenge(s), SP_LIT("Password:"));
    assert_int_equal(sasl_server_step(s, SP_LIT("secret")), SASL_SERVER_ASK_PASSWORD);
    assert_view(sasl_server_user(s), SP_LIT("demo"));
    assert_view(sasl_server_password(s), SP_LIT("secret"));
    assert_int_equal(sasl_server_password_is(s, true), SASL_SERVER_YES);
    sasl_server_free(s);
}

static void login_takes_the_initial_response_as_the_name(void **state)
{
    struct sasl_server *s = begin("LOGIN");
    (void)state;
    assert_int_equal(sasl_server_start(s, true, SP_LIT("demo")), SASL_SERVER_CHALLENGE);
    assert_view(sasl_server_challenge(s), SP_LIT("Password:"));
    assert_int_equal(sasl_server_step(s, SP_LIT("secret")), SASL_SERVER_ASK_PASSWORD);
    sasl_server_free(s);
}

static void login_refuses(struct sp_view user, struct sp_view password, enum sasl_fault wanted)
{
    struct sasl_server *s = begin("LOGIN");
    enum sasl_server_state at = sasl_server_start(s, true, user);
    if (at == SASL_SERVER_CHALLENGE)
        at = sasl_server_step(s, password);
    assert_int_equal(at, SASL_SERVER_NO);
    assert_string_equal(sasl_fault_id(sasl_server_fault(s)), sasl_fault_id(wanted));
    sasl_server_free(s);
}

static void login_names_every_defect(void **state)
{
    (void)state;
    login_refuses(SP_LIT(""), SP_LIT("x"), SASL_FAULT_EMPTY_USER);
    login_refuses(SP_LIT("demo\n"), SP_LIT("x"), SASL_FAULT_TRAILING_NEWLINE);
    login_refuses(SP_LIT("demo"), SP_LIT(""), SASL_FAULT_EMPTY_PASSWORD);
    login_refuses(SP_LIT("demo"), SP_LIT("secret\n"), SASL_FAULT_TRAILING_NEWLINE);
    login_refuses(SP_LIT("de" NUL "mo"), SP_LIT("x"), SASL_FAULT_NUL);
    login_refuses(SP_LIT("d\xe9mo"), SP_LIT("x"), SASL_FAULT_NOT_UTF8);
}

static void a_name_encoded_twice_is_hinted_at(void **state)
{
    struct sasl_server *s = begin("LOGIN");
    (void)state;
    (void)sasl_server_start(s, true, SP_LIT("ZGVtb0BleGFtcGxlLm9yZw==")); /* demo@example.org */
    assert_non_null(sasl_server_hint(s));
    sasl_server_free(s);
    s = begin("LOGIN");
    (void)sasl_server_start(s, true, SP_LIT("demo"));
    assert_null(sasl_server_hint(s));
    sasl_server_free(s);
}

static void unknown_mechanisms_are_absent(void **state)
{
    struct sasl_server *s = NULL;
    (void)state;
    assert_int_equal(sasl_server_new(SP_LIT("GSSAPI"), &os_heap, &s), SP_ERR_ABSENT);
    assert_int_equal(sasl_server_new(SP_LIT("PLAIN "), &os_heap, &s), SP_ERR_ABSENT);
    assert_null(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(plain_rfc_4616_examples),
    cmocka_unit_test(plain_without_initial_response),
    cmocka_unit_test(plain_prepares_the_password),
    cmocka_unit_test(plain_names_every_defect),
    cmocka_unit_test(login_asks_for_both),
    cmocka_unit_test(login_takes_the_initial_response_as_the_name),
    cmocka_unit_test(login_names_every_defect),
    cmocka_unit_test(a_name_encoded_twice_is_hinted_at),
    cmocka_unit_test(unknown_mechanisms_are_absent),
};

TAP_MAIN(tests)
