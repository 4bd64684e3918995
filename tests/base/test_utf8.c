/* UTF-8 against the ranges of RFC 3629 4, written out. */
#include "tap.h"

#include "base/utf8.h"
#include "base/view.h"

#include <string.h>

/* Every code point there and back; surrogates and what is beyond have no sequence. */
static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x120000; point++) {
        uint8_t out[5] = {0};
        size_t n = sp_utf8_put(point, out);
        bool is_one = point < 0xd800 || (point > 0xdfff && point < 0x110000);
        assert_int_equal(n > 0, is_one);
        if (is_one) {
            assert_int_equal(sp_utf8_len(sp_view_make(out, n)), n);
            assert_int_equal(sp_utf8_len(sp_view_make(out, n - 1)), 0); /* cut */
            bool control = point < 32 || (point >= 127 && point < 160);
            assert_int_equal(sp_utf8_is_text(sp_view_make(out, n)), !control);
            assert_int_equal(sp_utf8_text_len(sp_view_make(out, n)), control ? 0 : n);
            assert_true(sp_utf8_is(sp_view_make(out, n)));
            uint32_t again = 0;
            assert_int_equal(sp_utf8_get(sp_view_make(out, n), &again), n);
            assert_int_equal(again, point);
        }
    }
}

/* Every pair of octets, and every triple that begins a longer sequence: nothing but the table is taken. */
static void test_every_short_sequence(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            uint8_t octets[4] = {(uint8_t)a, (uint8_t)b, 0x80, 0x80};
            bool tail = b >= 0x80 && b <= 0xbf;
            size_t wanted = a < 0x80                                      ? 1
                            : a >= 0xc2 && a <= 0xdf && tail              ? 2
                            : a == 0xe0 && b >= 0xa0 && tail              ? 3
                            : a == 0xed && b >= 0x80 && b <= 0x9f         ? 3
                            : a >= 0xe1 && a <= 0xef && a != 0xed && tail ? 3
                            : a == 0xf0 && b >= 0x90 && tail              ? 4
                            : a >= 0xf1 && a <= 0xf3 && tail              ? 4
                            : a == 0xf4 && b >= 0x80 && b <= 0x8f         ? 4
                                                                          : 0;
            assert_int_equal(sp_utf8_len(sp_view_make(octets, 4)), wanted);
        }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_every_code_point),
    cmocka_unit_test(test_every_short_sequence),
};

TAP_MAIN(tests)
