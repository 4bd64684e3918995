/* Address fields as programs write them, and as nobody should. */
#include "tap.h"

#include "base/view.h"
#include "cli/sendmail/sendmail.h"
#include "os/heap.h"

#include <stdio.h>
#include <string.h>

static char got[4096];

static bool note(void *ctx, struct sp_view address)
{
    size_t at = strlen(got);
    (void)ctx;
    for (size_t i = 0; i < address.len; i++)
        assert_true(address.p[i] >= 0x20 && address.p[i] != 0x7f); /* they stand one a line */
    assert_true(address.len > 0);
    (void)snprintf(got + at, sizeof got - at, "%.*s|", (int)address.len, (const char *)address.p);
    return true;
}

static bool read_value(struct sp_view value, struct sp_buf *out)
{
    got[0] = 0;
    sp_buf_init(out, &os_heap, 1 << 20);
    sp_buf_add_str(out, "To:"); /* it is added behind what is there */
    bool good = sendmail_addresses(value, "near.example", out, note, NULL);
    assert_int_equal(sp_buf_status(out), SP_OK);
    assert_memory_equal(out->p, "To:", 3);
    return good;
}

static void test_what_programs_write(void **state)
{
    (void)state;
    static const struct {
        const char *value, *out, *found;
    } rows[] = {
        {" root", " root@near.example", "root@near.example|"},
        {" root, a@b.example", " root@near.example, a@b.example", "root@near.example|a@b.example|"},
        {" Ann A <ann>, \"B, b\" <b@c.example>", " Ann A <ann@near.example>, \"B, b\" <b@c.example>",
         "ann@near.example|b@c.example|"},
        {" ann (of (the) office)", " ann@near.example (of (the) office)", "ann@near.example|"},
        {" friends: a, b@c.example;", " friends: a@near.example, b@c.example;",
         "a@near.example|b@c.example|"},
        {" undisclosed-recipients:;", " undisclosed-recipients:;", ""},
        {" <@one.example,@two.example:a@b.example>", " <@one.example,@two.example:a@b.example>",
         "a@b.example|"},
        {" \"a b\"@c.example", " \"a b\"@c.example", "\"a b\"@c.example|"},
        {" \"a@b\"", " \"a@b\"@near.example", "\"a@b\"@near.example|"},
        {" a@[192.0.2.1]", " a@[192.0.2.1]", "a@[192.0.2.1]|"},
        {" a . b @ c . example", " a . b @ c . example", "a.b@c.example|"},
        {" a,\r\n\tb", " a@near.example,\r\n\tb@near.example", "a@near.example|b@near.example|"},
        {" th\xc6\xb0", " th\xc6\xb0@near.example", "th\xc6\xb0@near.example|"},
        {" a,,b", " a@near.example,,b@near.example", "a@near.example|b@near.example|"},
        {"", "", ""},
        {" (nobody)", " (nobody)", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sp_buf out;
        if (!read_value(sp_view_of(rows[i].value), &out))
            fail_msg("%s cannot be read", rows[i].value);
        sp_buf_add_u8(&out, 0);
        assert_string_equal((const char *)out.p + 3, rows[i].out);
        assert_string_equal(got, rows[i].found);
        sp_buf_fini(&out);
    }
}

static void test_what_nobody_should_write(void **state)
{
    (void)state;
    static const char *const values[] = {" a b",
                                         " <a",
                                         " a>",
                                         " <a> b",
                                         " <a><b>",
                                         " \"a",
                                         " (a",
                                         " [a",
                                         " a\\",
                                         " a@b@c d",
                                         " <a> <b>",
                                         " \"a\r\n b\"@c.example",
                                         " a\033[2J@b.example",
                                         " \"a\\\nb\"@c",
                                         " a\177@b.c"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct sp_buf out;
        bool good = read_value(sp_view_of(values[i]), &out);
        if (good && strcmp(values[i], " a\\") != 0)
            fail_msg("%s is read as %s", values[i], got);
        if (!good) /* it stays as it was */
            assert_true(sp_view_eq(sp_view_from(sp_buf_view(&out), 3), sp_view_of(values[i])));
        sp_buf_fini(&out);
    }
}

static void test_nobody_wants_the_addresses(void **state)
{
    (void)state;
    struct sp_buf out;
    sp_buf_init(&out, &os_heap, 1 << 20);
    assert_true(sendmail_addresses(SP_LIT("a, b"), "c.example", &out, NULL, NULL));
    assert_true(sp_view_eq(sp_buf_view(&out), SP_LIT("a@c.example, b@c.example")));
    sp_buf_fini(&out);
}

/* Any octets: read or left as they are, and what was completed is complete. */
static void test_garbage_never_harms(void **state)
{
    static const char octets[] = "ab.@,;:<>()[]\"\\ \t\r\n\x01\xc6\xb0";
    uint64_t dice = 88172645463325252u;
    size_t read_n = 0;
    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint8_t value[24];
        struct sp_buf out, again;
        size_t n = 0;
        for (; n < sizeof value; n++) {
            dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
            if (dice % 20 == 0)
                break;
            value[n] = (uint8_t)octets[dice / 20 % (sizeof octets - 1)];
        }
        struct sp_view v = sp_view_make(value, n);
        bool good = read_value(v, &out);
        char first[sizeof got];
        memcpy(first, got, sizeof got);
        struct sp_view done = sp_view_from(sp_buf_view(&out), 3);
        if (!good) {
            assert_true(sp_view_eq(done, v));
        } else {
            read_n++;
            assert_true(read_value(done, &again));
            assert_true(sp_view_eq(sp_view_from(sp_buf_view(&again), 3), done));
            assert_string_equal(got, first);
            sp_buf_fini(&again);
        }
        sp_buf_fini(&out);
    }
    assert_true(read_n > 1000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_what_programs_write),
    cmocka_unit_test(test_what_nobody_should_write),
    cmocka_unit_test(test_nobody_wants_the_addresses),
    cmocka_unit_test(test_garbage_never_harms),
};

TAP_MAIN(tests)
