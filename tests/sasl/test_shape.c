/* What may be known of a response by its looks, written down and read back. */
#include "tap.h"

#include "base/base64.h"
#include "base/view.h"
#include "os/heap.h"
#include "sasl/shape.h"

static struct sasl_shape look(const char *mechanism, bool first, struct sp_view decoded)
{
    uint8_t encoded[1024];
    assert_true(sp_base64_encoded_len(decoded.len) <= sizeof encoded);
    sp_base64_encode(decoded, encoded);
    return sasl_shape_look(sp_view_of(mechanism), first,
                           sp_view_make(encoded, sp_base64_encoded_len(decoded.len)));
}

static void looks(void **state)
{
    (void)state;
    static const struct {
        const char *mechanism;
        bool first;
        struct sp_view decoded;
        unsigned flags;
    } rows[] = {
        {"PLAIN", true, SP_LIT_INIT("\0anna\0word"), 0},
        {"PLAIN", true, SP_LIT_INIT("anna\0anna\0word"), 0},
        {"PLAIN", true, SP_LIT_INIT("anna:word"), SASL_SHAPE_BAD_PLAIN},
        {"PLAIN", true, SP_LIT_INIT("\0anna\0"), SASL_SHAPE_BAD_PLAIN},
        {"PLAIN", true, SP_LIT_INIT("\0undefined\0word"), SASL_SHAPE_BAD_PLAIN},
        {"PLAIN", true, SP_LIT_INIT("\0anna\0word\n"), SASL_SHAPE_LINE_END},
        {"PLAIN", false, SP_LIT_INIT("anna:word"), 0},
        {"LOGIN", true, SP_LIT_INIT("anna"), 0},
        {"LOGIN", true, SP_LIT_INIT("anna\r\n"), SASL_SHAPE_LINE_END},
        {"LOGIN", true, SP_LIT_INIT("an\x01na"), SASL_SHAPE_UNREADABLE},
        {"LOGIN", true, SP_LIT_INIT("YW5uYUBleGFtcGxlLm9yZw=="), SASL_SHAPE_TWICE},
        {"XOAUTH2", true, SP_LIT_INIT("user=a@b\001auth=Bearer t\001\001"), 0},
        {"XOAUTH2", true, SP_LIT_INIT("user=a@b auth=Bearer t"), SASL_SHAPE_BAD_XOAUTH2},
        {"", true, SP_LIT_INIT(""), SASL_SHAPE_EMPTY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sasl_shape s = look(rows[i].mechanism, rows[i].first, rows[i].decoded);
        assert_int_equal(s.flags, rows[i].flags | SASL_SHAPE_BASE64);
        assert_int_equal(s.octets, rows[i].decoded.len);
    }
}

static void what_is_no_base64(void **state)
{
    (void)state;
    static const struct {
        const char *sent;
        unsigned flags;
    } rows[] = {
        {"anna@example.org", SASL_SHAPE_NOT_BASE64},
        {"*", SASL_SHAPE_CANCEL},
        {"MAIL FROM:<a@example.org>", SASL_SHAPE_NOT_BASE64 | SASL_SHAPE_COMMAND},
        {"quit", SASL_SHAPE_BASE64 | SASL_SHAPE_COMMAND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sasl_shape s = sasl_shape_look(SP_LIT("PLAIN"), false, sp_view_of(rows[i].sent));
        assert_int_equal(s.flags, rows[i].flags);
        assert_int_equal(s.characters, strlen(rows[i].sent));
    }
    char line[77];
    memset(line, 'A', 76);
    assert_true(sasl_shape_look(SP_LIT("PLAIN"), false, sp_view_make(line, 76)).flags & SASL_SHAPE_FULL_LINE);
    line[75] = '=';
    assert_false(sasl_shape_look(SP_LIT("PLAIN"), false, sp_view_make(line, 76)).flags &
                 SASL_SHAPE_FULL_LINE);
}

static void a_response_of_any_length(void **state)
{
    (void)state;
    static uint8_t octets[40000];
    memset(octets, 'A', sizeof octets);
    for (size_t n = 0; n < sizeof octets; n += 1237)
        assert_int_equal(sasl_shape_look(SP_LIT("PLAIN"), true, sp_view_make(octets, n)).characters, n);
}

/* Each set of flags, written and read. */
static void there_and_back(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 1U << SASL_SHAPE_FLAG_N; flags++) {
        struct sasl_shape s = {.flags = flags, .characters = 24}, back;
        struct sp_buf text;
        if (flags & SASL_SHAPE_BASE64)
            s.octets = 17;
        sp_buf_init(&text, &os_heap, 1024);
        sasl_shape_write(&s, &text);
        assert_int_equal(sp_buf_status(&text), SP_OK);
        assert_true(sasl_shape_read(sp_buf_view(&text), &back));
        assert_int_equal(back.flags, s.flags);
        assert_int_equal(back.characters, s.characters);
        assert_int_equal(back.octets, s.octets);
        sp_buf_fini(&text);
    }
    struct sasl_shape s;
    assert_false(sasl_shape_read(SP_LIT(""), &s));
    assert_false(sasl_shape_read(SP_LIT("<hidden>"), &s));
    assert_false(sasl_shape_read(SP_LIT("<response: 3 characters"), &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(looks), cmocka_unit_test(what_is_no_base64),
                                       cmocka_unit_test(a_response_of_any_length),
                                       cmocka_unit_test(there_and_back)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
