/* SASLprep: the examples of RFC 4013 section 3, and what names and passwords may be. */
#include "base/utf8.h"
#include "octets.h"
#include "sasl/prep.h"

static void prep_gives(const char *in, const char *wanted, enum sasl_prep_kind kind)
{
    struct sp_buf out = fresh();
    enum sasl_fault fault = SASL_FAULT_NONE;
    assert_int_equal(sasl_prep(sp_view_of(in), kind, &out, &fault), SP_OK);
    assert_view(sp_buf_view(&out), sp_view_of(wanted));
    sp_buf_fini(&out);
}

static void prep_refuses(struct sp_view in, enum sasl_prep_kind kind, enum sasl_fault wanted)
{
    struct sp_buf out = fresh();
    enum sasl_fault fault = SASL_FAULT_NONE;
    assert_int_equal(sasl_prep(in, kind, &out, &fault), SP_ERR_SYNTAX);
    assert_string_equal(sasl_fault_id(fault), sasl_fault_id(wanted));
    sp_buf_fini(&out);
}

static void rfc_4013_examples(void **state)
{
    (void)state;
    prep_gives("I\xc2\xadX", "IX", SASL_PREP_STORED);
    prep_gives("user", "user", SASL_PREP_STORED);
    prep_gives("USER", "USER", SASL_PREP_STORED);
    prep_gives("\xc2\xaa", "a", SASL_PREP_STORED);
    prep_gives("\xe2\x85\xa8", "IX", SASL_PREP_STORED);
    prep_refuses(SP_LIT("\x07"), SASL_PREP_STORED, SASL_FAULT_CONTROL);
    prep_refuses(SP_LIT("\xd8\xa7\x31"), SASL_PREP_STORED, SASL_FAULT_MIXED_DIRECTION);
}

static void all_printable_ascii_stays(void **state)
{
    char text[96] = {0};
    (void)state;
    for (int c = 0x20; c < 0x7f; c++)
        text[c - 0x20] = (char)c;
    prep_gives(text, text, SASL_PREP_STORED);
}

static void two_spellings_meet(void **state)
{
    (void)state;
    prep_gives("e\xcc\x81", "\xc3\xa9", SASL_PREP_STORED); /* e and acute accent */
    prep_gives("a\xc2\xa0z", "a z", SASL_PREP_STORED);     /* no-break space     */
    prep_gives("\xef\xbd\x81", "a", SASL_PREP_STORED);     /* full-width a       */
    prep_gives("m\xe1\xba\xadt kh\xe1\xba\xa9u", "m\xe1\xba\xadt kh\xe1\xba\xa9u", SASL_PREP_STORED);
}

static void unassigned_passes_only_in_queries(void **state)
{
    (void)state;
    prep_gives("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", SASL_PREP_QUERY); /* U+1F600 */
    prep_refuses(SP_LIT("\xf0\x9f\x98\x80"), SASL_PREP_STORED, SASL_FAULT_UNASSIGNED);
}

static void utf8_is_strict(void **state)
{
    static const struct sp_view bad[] = {
        SP_LIT_INIT("\xff"),
        SP_LIT_INIT("\xc0\x80"),
        SP_LIT_INIT("\xe0\x9f\xbf"),
        SP_LIT_INIT("\xed\xa0\x80"),
        SP_LIT_INIT("\xf4\x90\x80\x80"),
        SP_LIT_INIT("\xc3"),
        SP_LIT_INIT("\x80"),
        SP_LIT_INIT("p\xe9"
                    "ter"),
        SP_LIT_INIT("\xf0\x8f\xbf\xbf"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(sp_utf8_is(bad[i]));
        prep_refuses(bad[i], SASL_PREP_QUERY, SASL_FAULT_NOT_UTF8);
    }
    assert_true(
        sp_utf8_is(SP_LIT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
}

static void names_meet_without_regard_to_case(void **state)
{
    static const char *const same[][2] = {
        {"Demo@Example.ORG", "demo@example.org"}, {"\xc3\x84pfel", "\xc3\xa4pfel"}, {"\xce\xa3", "\xcf\x83"}};
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct sp_buf out = fresh();
        enum sasl_fault fault = SASL_FAULT_NONE;
        assert_int_equal(sasl_prep_name(sp_view_of(same[i][0]), SASL_PREP_STORED, &out, &fault), SP_OK);
        assert_view(sp_buf_view(&out), sp_view_of(same[i][1]));
        sp_buf_fini(&out);
    }
}

static void rules_of_names_and_passwords(void **state)
{
    uint8_t long_text[SASL_PASSWORD_MAX + 1];
    (void)state;
    memset(long_text, 'x', sizeof long_text);
    assert_int_equal(sasl_password_fault(SP_LIT(""), SASL_PREP_STORED), SASL_FAULT_EMPTY_PASSWORD);
    assert_int_equal(sasl_password_fault(SP_LIT("\xc2\xad"), SASL_PREP_STORED), SASL_FAULT_EMPTY_PASSWORD);
    assert_int_equal(sasl_password_fault(SP_LIT("x"), SASL_PREP_STORED), SASL_FAULT_NONE);
    assert_int_equal(sasl_password_fault(SP_LIT("x\n"), SASL_PREP_STORED), SASL_FAULT_TRAILING_NEWLINE);
    assert_int_equal(sasl_password_fault(SP_LIT("x\ty"), SASL_PREP_STORED), SASL_FAULT_CONTROL);
    assert_int_equal(sasl_password_fault(sp_view_make("a\0b", 3), SASL_PREP_STORED), SASL_FAULT_NUL);
    assert_int_equal(sasl_password_fault(sp_view_make(long_text, 1024), SASL_PREP_STORED), SASL_FAULT_NONE);
    assert_int_equal(sasl_password_fault(sp_view_make(long_text, 1025), SASL_PREP_STORED),
                     SASL_FAULT_PASSWORD_LONG);
    assert_int_equal(sasl_user_fault(SP_LIT(""), SASL_PREP_STORED), SASL_FAULT_EMPTY_USER);
    assert_int_equal(sasl_user_fault(sp_view_make(long_text, 255), SASL_PREP_STORED), SASL_FAULT_NONE);
    assert_int_equal(sasl_user_fault(sp_view_make(long_text, 256), SASL_PREP_STORED), SASL_FAULT_USER_LONG);
    assert_int_equal(sasl_user_fault(SP_LIT("a\x7f"), SASL_PREP_STORED), SASL_FAULT_CONTROL);
    /* 18 characters from one: what grows beyond the limit is too long, not cut. */
    for (size_t i = 0; i + 3 <= 1023; i += 3)
        memcpy(long_text + i, "\xef\xb7\xba", 3);
    assert_int_equal(sasl_password_fault(sp_view_make(long_text, 1023), SASL_PREP_STORED),
                     SASL_FAULT_PASSWORD_LONG);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rfc_4013_examples),
    cmocka_unit_test(all_printable_ascii_stays),
    cmocka_unit_test(two_spellings_meet),
    cmocka_unit_test(unassigned_passes_only_in_queries),
    cmocka_unit_test(utf8_is_strict),
    cmocka_unit_test(names_meet_without_regard_to_case),
    cmocka_unit_test(rules_of_names_and_passwords),
};

TAP_MAIN(tests)
