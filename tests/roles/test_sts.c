/* Policies of MTA-STS as text: RFC 8461 3. */
#include "base/view.h"
#include "roles/delivery/sts_policy.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static struct sts_policy policy;

static const char *parse(const char *text)
{
    const char *why = NULL;
    int status = sts_policy_parse(sp_view_of(text), &policy, &why);
    assert_int_equal(status == SP_OK, why == NULL);
    return why;
}

static void test_whole(void **state)
{
    (void)state;
    assert_null(parse("version: STSv1\r\nmode: enforce\r\nmx: Mail.Example.com\r\nmx: *.example.net\r\n"
                      "max_age: 604800\r\n"));
    assert_int_equal(policy.mode, STS_ENFORCE);
    assert_int_equal(policy.max_age_s, 604800);
    assert_int_equal(policy.mx_n, 2);
    assert_string_equal(policy.mx[0], "mail.example.com");
    assert_null(parse("version:STSv1\nmode:testing\nfuture: x: y\nmx:a.example\nmax_age:99\n"));
    assert_int_equal(policy.mode, STS_TESTING);
    assert_null(parse("version: STSv1\nmode: none\nmax_age: 99999999"));
    assert_int_equal(policy.max_age_s, STS_AGE_MOST_S);
}

static void test_faults(void **state)
{
    (void)state;
    static const char *const faulty[] = {
        "",
        "version: STSv2\nmode: none\nmax_age: 1\n",
        "version: STSv1\nmode: Enforce\nmx: a.b\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx: *.\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx: a.b\nmax_age: soon\n",
        "version: STSv1\nmode: enforce\nmx: a.b\n",
        "<!DOCTYPE html>\n<html>\n",
    };
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++)
        assert_non_null(parse(faulty[i]));
}

static void test_too_much(void **state)
{
    (void)state;
    char *text = calloc(1, STS_TEXT_MAX + 2);
    const char *why;
    assert_non_null(text);
    memset(text, 'a', STS_TEXT_MAX + 1);
    assert_int_equal(sts_policy_parse(sp_view_of(text), &policy, &why), SP_ERR_SYNTAX);
    strcpy(text, "version: STSv1\nmode: enforce\nmax_age: 1\n");
    for (int i = 0; i <= STS_MX_MAX; i++)
        strcat(text, "mx: a.example\n");
    assert_non_null(parse(text));
    free(text);
}

static void test_hosts(void **state)
{
    (void)state;
    assert_null(
        parse("version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 1\n"));
    assert_true(sts_policy_allows(&policy, "mail.example.com"));
    assert_true(sts_policy_allows(&policy, "MAIL.example.com"));
    assert_true(sts_policy_allows(&policy, "a.example.net"));
    assert_false(sts_policy_allows(&policy, "example.net"));
    assert_false(sts_policy_allows(&policy, "a.b.example.net"));
    assert_false(sts_policy_allows(&policy, "xmail.example.com"));
    assert_false(sts_policy_allows(&policy, "aexample.net"));
    assert_false(sts_policy_allows(&policy, "192.0.2.1"));
}

static void test_record(void **state)
{
    (void)state;
    char id[STS_ID_MAX + 1] = "";
    assert_int_equal(sts_record_id(SP_LIT("v=STSv1; id=20160831085700Z;"), id), SP_OK);
    assert_string_equal(id, "20160831085700Z");
    assert_int_equal(sts_record_id(SP_LIT("v=STSv1;foo=bar;id=1"), id), SP_OK);
    assert_string_equal(id, "1");
    assert_int_equal(sts_record_id(SP_LIT("v=STSv1"), id), SP_ERR_SYNTAX);
    assert_int_equal(sts_record_id(SP_LIT("v=STSv12; id=1"), id), SP_ERR_SYNTAX);
    assert_int_equal(sts_record_id(SP_LIT("id=1; v=STSv1"), id), SP_ERR_SYNTAX);
    assert_int_equal(sts_record_id(SP_LIT("v=STSv1; id=../x"), id), SP_ERR_SYNTAX);
    assert_int_equal(sts_record_id(SP_LIT("v=STSv1; id=123456789012345678901234567890123"), id),
                     SP_ERR_SYNTAX);
    assert_int_equal(sts_record_id(SP_LIT(""), id), SP_ERR_SYNTAX);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_whole), cmocka_unit_test(test_faults), cmocka_unit_test(test_too_much),
    cmocka_unit_test(test_hosts), cmocka_unit_test(test_record),
};

TAP_MAIN(tests)
