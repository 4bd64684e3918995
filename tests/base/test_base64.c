/* Base64: the vectors of RFC 4648, every short text there and back, and every mistake refused. */
#include "tap.h"

#include "base/base64.h"
#include "base/view.h"

#include <string.h>

static void test_vectors(void **state)
{
    (void)state;
    /* RFC 4648 10 */
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct sp_view plain = sp_view_of(vectors[i][0]), encoded = sp_view_of(vectors[i][1]);
        uint8_t out[16];
        size_t len = 99;
        assert_int_equal(sp_base64_encoded_len(plain.len), encoded.len);
        sp_base64_encode(plain, out);
        assert_memory_equal(out, encoded.p, encoded.len);
        assert_true(sp_base64_decoded_max(encoded.len) >= plain.len);
        assert_int_equal(sp_base64_decode(encoded, out, &len), SP_OK);
        assert_true(sp_view_eq(sp_view_make(out, len), plain));
    }
}

static void round_trip(const uint8_t *p, size_t n)
{
    uint8_t encoded[8], back[8];
    size_t len;
    sp_base64_encode(sp_view_make(p, n), encoded);
    if (sp_base64_decode(sp_view_make(encoded, sp_base64_encoded_len(n)), back, &len) != SP_OK || len != n ||
        memcmp(back, p, n) != 0)
        fail_msg("%zu octets %02x %02x %02x do not come back", n, p[0], p[1], p[2]);
}

static void test_round_trips(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1 << 16; i++) {
        uint8_t p[3] = {(uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i * 7)};
        for (size_t n = 1; n <= 3; n++)
            round_trip(p, n);
    }
}

static bool of_alphabet(int c)
{
    return c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", c);
}

/* All texts "ab==" and "abc=": right exactly when the spare bits are 0, so that each octet string has one
 * text. */
static void test_padding_is_canonical(void **state)
{
    (void)state;
    unsigned right = 0;
    size_t len;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            uint8_t text[4] = {(uint8_t)a, (uint8_t)b, '=', '='}, out[3];
            if (sp_base64_decode(sp_view_make(text, 4), out, &len) != SP_OK)
                continue;
            right++;
            assert_true(of_alphabet(a) && of_alphabet(b));
            assert_int_equal(len, 1);
        }
    assert_int_equal(right, 256);
    right = 0;
    for (int b = 0; b < 256; b++)
        for (int c = 0; c < 256; c++) {
            uint8_t text[4] = {'A', (uint8_t)b, (uint8_t)c, '='}, out[3];
            right += sp_base64_decode(sp_view_make(text, 4), out, &len) == SP_OK && len == 2;
        }
    assert_int_equal(right, 4 * 256); /* 'A' gives 6 bits, b and c the other 10 */
}

static void test_mistakes(void **state)
{
    (void)state;
    static const char *const faulty[] = {
        "A",        "AA",    "AAA",  "AAAAA", "====", "A===",     "=AAA", "AA=A", "AA==AAAA", "AAA=AAAA",
        "AAAA====", "AAAA=", " AAA", "AAA\n", "AA-_", "AA==\r\n", "AB==", "AAB=", "A A=",     "AAAAA===",
    };
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        uint8_t out[16];
        size_t len = 77;
        assert_int_equal(sp_base64_decode(sp_view_of(faulty[i]), out, &len), SP_ERR_SYNTAX);
        assert_int_equal(len, 77);
    }
    /* Every foreign octet at every place. */
    for (int c = 0; c < 256; c++)
        for (size_t at = 0; at < 4; at++) {
            uint8_t text[8] = "AAAAAAAA", out[6];
            size_t len;
            text[at] = (uint8_t)c;
            assert_int_equal(sp_base64_decode(sp_view_make(text, 8), out, &len) == SP_OK, of_alphabet(c));
        }
}

static void test_in_place(void **state)
{
    (void)state;
    uint8_t text[] = "Zm9vYmFyZm9vYmE=";
    size_t len;
    assert_int_equal(sp_base64_decode(sp_view_make(text, 16), text, &len), SP_OK);
    assert_true(sp_view_eq(sp_view_make(text, len), SP_LIT("foobarfooba")));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_vectors),
    cmocka_unit_test(test_round_trips),
    cmocka_unit_test(test_padding_is_canonical),
    cmocka_unit_test(test_mistakes),
    cmocka_unit_test(test_in_place),
};

TAP_MAIN(tests)
