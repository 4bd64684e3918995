/* Dates against the C library's, for every day of 400 years. */
#include "memory.h"

#include "base/time.h"
#include "base/view.h"

#include <time.h>

static void test_every_day(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 146097 + 400; day++) {
        int64_t s = day * 86400 + day * 7919 % 86400;
        time_t t = (time_t)s;
        struct tm tm;
        gmtime_r(&t, &tm);
        struct sp_civil c = sp_civil_of(s * 1000 + day % 1000);
        if (c.year != tm.tm_year + 1900 || c.month != (unsigned)tm.tm_mon + 1 ||
            c.day != (unsigned)tm.tm_mday || c.weekday != (unsigned)tm.tm_wday ||
            c.hour != (unsigned)tm.tm_hour || c.minute != (unsigned)tm.tm_min ||
            c.second != (unsigned)tm.tm_sec || c.ms != day % 1000)
            fail_msg("day %lld", (long long)day);
        if (sp_civil_to_ms(&c) != s * 1000 + day % 1000)
            fail_msg("day %lld does not come back", (long long)day);
    }
}

static void test_seconds_of_a_day(void **state)
{
    (void)state;
    for (int64_t s = 0; s < 86400; s++) {
        struct sp_civil c = sp_civil_of((1582934400 + s) * 1000 + 999); /* 2020-02-29 */
        assert_int_equal(c.day, 29);
        assert_int_equal(c.hour * 3600 + c.minute * 60 + c.second, s);
        assert_int_equal(c.ms, 999);
    }
}

static void test_texts(void **state)
{
    (void)state;
    struct memory m;
    struct sp_buf b;
    memory_init(&m);
    sp_buf_init(&b, &m.alloc, 200);
    sp_buf_add_rfc3339(&b, 0, false);
    sp_buf_add_u8(&b, '|');
    sp_buf_add_rfc3339(&b, 1795496690123, true);
    sp_buf_add_u8(&b, '|');
    sp_buf_add_rfc5322(&b, 1795496690123);
    sp_buf_add_u8(&b, '|');
    sp_buf_add_rfc5322(&b, 951782400000);
    assert_true(sp_view_eq(sp_buf_view(&b), SP_LIT("1970-01-01T00:00:00Z|2026-11-24T05:04:50.123Z|"
                                                   "Tue, 24 Nov 2026 05:04:50 +0000|"
                                                   "Tue, 29 Feb 2000 00:00:00 +0000")));
    sp_buf_fini(&b);
    memory_fini(&m);
}

/* Against strftime in the C locale, over some thousand moments. */
static void test_texts_of_many(void **state)
{
    (void)state;
    for (int64_t s = 0; s < 8000000000; s += 2345678) {
        struct memory m;
        struct sp_buf b;
        struct tm tm;
        time_t t = (time_t)s;
        char text[100];
        memory_init(&m);
        sp_buf_init(&b, &m.alloc, 200);
        gmtime_r(&t, &tm);
        size_t n = strftime(text, sizeof text, "%a, ", &tm);
        n += (size_t)snprintf(text + n, sizeof text - n, "%d", tm.tm_mday);
        strftime(text + n, sizeof text - n, " %b %Y %H:%M:%S +0000%Y-%m-%dT%H:%M:%SZ", &tm);
        sp_buf_add_rfc5322(&b, s * 1000);
        sp_buf_add_rfc3339(&b, s * 1000, false);
        assert_true(sp_view_eq(sp_buf_view(&b), sp_view_of(text)));
        sp_buf_fini(&b);
        memory_fini(&m);
    }
}

static void check_parsed(const char *text, int status, int64_t wanted)
{
    int64_t ms = -1;
    if (sp_rfc3339_parse(sp_view_of(text), &ms) != status || ms != (status == SP_OK ? wanted : -1))
        fail_msg("%s is %lld, wanted %lld", text, (long long)ms, (long long)wanted);
}

/* RFC 3339 5.6; every day's text leads back to it. */
static void test_texts_are_read(void **state)
{
    (void)state;
    check_parsed("1970-01-01T00:00:00Z", SP_OK, 0);
    check_parsed("2026-11-24T05:24:50Z", SP_OK, 1795497890000);
    check_parsed("2026-11-24t06:24:50.5+01:00", SP_OK, 1795497890500);
    check_parsed("2026-11-23T23:54:50.12345-05:30", SP_OK, 1795497890123);
    check_parsed("2016-12-31T23:59:60Z", SP_OK, 1483228800000);
    check_parsed("2024-02-29T00:00:00z", SP_OK, 1709164800000);
    static const char *const no_date[] = {
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01"};
    for (size_t i = 0; i < sizeof no_date / sizeof *no_date; i++)
        check_parsed(no_date[i], SP_ERR_RANGE, 0);
    static const char *const no_text[] = {"",
                                          "2026",
                                          "2026-11-24",
                                          "2026-11-24T05:24:50",
                                          "2026-11-24 05:24:50Z",
                                          "2026-11-24T05:24:50.Z",
                                          "2026-11-24T05:24Z",
                                          "2026-11-24T05:24:50+1:00",
                                          "2026-11-24T05:24:50+24:00",
                                          "2026-11-24T05:24:50ZZ",
                                          "26-11-24T05:24:50Z"};
    for (size_t i = 0; i < sizeof no_text / sizeof *no_text; i++)
        check_parsed(no_text[i], SP_ERR_SYNTAX, 0);
    for (int64_t ms = 0; ms < 4102444800000; ms += 86400000 + 12345678) {
        struct memory m;
        struct sp_buf b;
        int64_t read = 0;
        memory_init(&m);
        sp_buf_init(&b, &m.alloc, 200);
        sp_buf_add_rfc3339(&b, ms, true);
        assert_int_equal(sp_rfc3339_parse(sp_buf_view(&b), &read), SP_OK);
        assert_true(read == ms);
        sp_buf_fini(&b);
        memory_fini(&m);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_texts_are_read),   cmocka_unit_test(test_every_day),
    cmocka_unit_test(test_seconds_of_a_day), cmocka_unit_test(test_texts),
    cmocka_unit_test(test_texts_of_many),
};

TAP_MAIN(tests)
