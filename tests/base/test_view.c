/* Questions about views: their edges, and octets that are no text. */
#include "tap.h"

#include "base/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sp_view none;

static void test_compare(void **state)
{
    (void)state;
    assert_true(sp_view_eq(none, SP_LIT("")));
    assert_true(sp_view_eq(SP_LIT("a\0b"), SP_LIT("a\0b")));
    assert_false(sp_view_eq(SP_LIT("a\0b"), SP_LIT("a\0c")));
    assert_false(sp_view_eq(SP_LIT("a"), SP_LIT("ab")));
    assert_true(sp_view_eq_nocase(SP_LIT("MaIl"), SP_LIT("mAiL")));
    assert_false(sp_view_eq_nocase(SP_LIT("mail"), SP_LIT("mai")));
    assert_true(sp_view_starts(SP_LIT("abc"), SP_LIT("ab")) && sp_view_starts(SP_LIT("abc"), none));
    assert_false(sp_view_starts(SP_LIT("ab"), SP_LIT("abc")));
    assert_true(sp_view_starts_nocase(SP_LIT("FROM:<>"), SP_LIT("from:")));
    assert_false(sp_view_starts_nocase(SP_LIT("FRO"), SP_LIT("from:")));
    assert_true(sp_view_ends(SP_LIT("abc"), SP_LIT("bc")) && sp_view_ends(none, none));
    assert_false(sp_view_ends(SP_LIT("bc"), SP_LIT("abc")));
    assert_true(sp_view_eq_secret(SP_LIT("same"), SP_LIT("same")) && sp_view_eq_secret(none, none));
    assert_false(sp_view_eq_secret(SP_LIT("same"), SP_LIT("samf")) || sp_view_eq_secret(SP_LIT("a"), none));
}

/* Only the 26 letters have a case, whatever the locale. */
static void test_case(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
        assert_int_equal(sp_ascii_lower((uint8_t)c), upper ? c + 32 : c);
        assert_int_equal(sp_ascii_upper((uint8_t)c), lower ? c - 32 : c);
        assert_int_equal(sp_ascii_alpha((uint8_t)c), upper || lower);
        assert_int_equal(sp_ascii_digit((uint8_t)c), c >= '0' && c <= '9');
        for (int d = 0; d < 256; d++) {
            uint8_t a = (uint8_t)c, b = (uint8_t)d;
            bool same = c == d || (c ^ d) == 32 ? sp_ascii_lower(a) == sp_ascii_lower(b) : false;
            assert_int_equal(sp_view_eq_nocase(sp_view_make(&a, 1), sp_view_make(&b, 1)), same);
        }
    }
}

static void test_cut(void **state)
{
    (void)state;
    struct sp_view v = SP_LIT("abcdef");
    assert_true(sp_view_eq(sp_view_sub(v, 2, 3), SP_LIT("cde")));
    assert_true(sp_view_eq(sp_view_sub(v, 2, SIZE_MAX), SP_LIT("cdef")));
    assert_int_equal(sp_view_sub(v, 7, 1).len, 0);
    assert_int_equal(sp_view_sub(v, SIZE_MAX, SIZE_MAX).len, 0);
    assert_int_equal(sp_view_sub(none, 0, 5).len, 0);
    assert_null(sp_view_from(none, 3).p);
    assert_true(sp_view_eq(sp_view_from(v, 5), SP_LIT("f")));
    assert_int_equal(sp_view_find(v, 'c', 0), 2);
    assert_int_equal(sp_view_find(v, 'c', 3), 6);
    assert_int_equal(sp_view_find(v, 'c', 99), 6);
    assert_int_equal(sp_view_find(none, 0, 0), 0);
    assert_int_equal(sp_view_find(SP_LIT("a\0b"), 0, 0), 1);
    assert_true(sp_view_eq(sp_view_trim(SP_LIT(" \t a b\t ")), SP_LIT("a b")));
    assert_int_equal(sp_view_trim(SP_LIT("  \t")).len, 0);
    assert_int_equal(sp_view_trim(none).len, 0);
    assert_true(sp_view_eq(sp_view_trim(SP_LIT("\r\nx")), SP_LIT("\r\nx")));
    assert_int_equal(sp_view_of(NULL).len, 0);
}

static void test_words(void **state)
{
    (void)state;
    struct sp_view rest = SP_LIT("  one two   three "), word = SP_LIT("untouched");
    assert_true(sp_view_word(&rest, ' ', &word) && sp_view_eq(word, SP_LIT("one")));
    assert_true(sp_view_word(&rest, ' ', &word) && sp_view_eq(word, SP_LIT("two")));
    assert_true(sp_view_word(&rest, ' ', &word) && sp_view_eq(word, SP_LIT("three")));
    assert_false(sp_view_word(&rest, ' ', &word));
    assert_true(sp_view_eq(word, SP_LIT("three")));
    assert_int_equal(rest.len, 0);
    rest = none;
    assert_false(sp_view_word(&rest, ' ', &word));
}

/* Against strtoull, for all texts of up to 3 digits and around each limit. */
static void test_numbers(void **state)
{
    (void)state;
    uint64_t n;
    char text[32];
    for (unsigned i = 0; i < 1000; i++)
        for (int digits = 1; digits <= 3; digits++) {
            snprintf(text, sizeof text, "%0*u", digits, i);
            n = 12345;
            bool fits = strtoull(text, NULL, 10) <= 255;
            assert_int_equal(sp_view_u64(sp_view_of(text), 255, &n), fits ? SP_OK : SP_ERR_RANGE);
            assert_int_equal(n, fits ? i : 12345);
        }
    assert_int_equal(sp_view_u64(SP_LIT("18446744073709551615"), UINT64_MAX, &n), SP_OK);
    assert_true(n == UINT64_MAX);
    assert_int_equal(sp_view_u64(SP_LIT("18446744073709551616"), UINT64_MAX, &n), SP_ERR_RANGE);
    assert_int_equal(sp_view_u64(SP_LIT("99999999999999999999999999"), UINT64_MAX, &n), SP_ERR_RANGE);
    assert_int_equal(sp_view_u64(SP_LIT("00000000000000000000000007"), 9, &n), SP_OK);
    assert_int_equal(n, 7);
    assert_int_equal(sp_view_u64(SP_LIT("1"), 0, &n), SP_ERR_RANGE);
    assert_int_equal(sp_view_u64(SP_LIT("0"), 0, &n), SP_OK);
    static const char *const faulty[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1a", "99999999999999999999999x"};
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++)
        assert_int_equal(sp_view_u64(sp_view_of(faulty[i]), UINT64_MAX, &n), SP_ERR_SYNTAX);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_compare), cmocka_unit_test(test_case),    cmocka_unit_test(test_cut),
    cmocka_unit_test(test_words),   cmocka_unit_test(test_numbers),
};

TAP_MAIN(tests)
