/* Who guesses waits, who slips does not, and nobody is remembered for ever. */
#include "base/view.h"
#include "roles/slow.h"
#include "tap.h"

#include <unistd.h>

static struct slow slow;

/* Nobody has failed. */
static void begin(void)
{
    int fd = slow_make();
    slow_close(&slow);
    assert_true(fd >= 0 && slow_open(fd, &slow));
    close(fd);
}

static uint32_t failed(const char *name, uint64_t now_ms)
{
    return slow_failed(&slow, 'c', sp_view_of(name), now_ms);
}

static void each_failure_costs_twice_the_one_before(void **state)
{
    (void)state;
    static const uint32_t expected[] = {0, 0, 1000, 2000, 4000, 8000, 16000, 16000, 16000};
    begin();
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(failed("192.0.2.1", 5), expected[i]);
}

static void names_and_kinds_are_apart(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 10; i++)
        (void)failed("192.0.2.1", 5);
    assert_int_equal(failed("192.0.2.2", 5), 0);
    assert_int_equal(slow_failed(&slow, 'u', SP_LIT("192.0.2.1"), 5), 0);
    assert_int_equal(failed("192.0.2.1", 5), slow.rules.most_ms);
}

static void quiet_forgives_by_halves(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 8; i++)
        (void)failed("a", 0);
    assert_int_equal(failed("a", slow.rules.half_life_ms), 4000); /* 4 of 8 are left */
    begin();
    for (unsigned i = 0; i < 8; i++)
        (void)failed("a", 0);
    assert_int_equal(failed("a", 3 * slow.rules.half_life_ms), 0);
    assert_int_equal(failed("a", 1000 * (uint64_t)slow.rules.half_life_ms), 0);
}

static void a_flood_of_names_does_not_push_out_who_guesses_most(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 10; i++)
        (void)failed("guesser", 0);
    for (uint64_t i = 0; i < 200000; i++)
        assert_int_equal(slow_failed(&slow, 'c', sp_view_make(&i, sizeof i), 1), 0);
    assert_int_equal(failed("guesser", 2), slow.rules.most_ms);
}

static void the_rules_are_the_configuration_s(void **state)
{
    static const uint32_t expected[] = {0, 3000, 5000, 5000};
    (void)state;
    begin();
    slow.rules = (struct slow_rules){.free_n = 1, .first_ms = 3000, .most_ms = 5000, .half_life_ms = 7};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(failed("a", 0), expected[i]);
    assert_int_equal(failed("a", 7), 5000); /* 2 of 4 are left */
    assert_int_equal(failed("b", 0), 0);
}

static void processes_count_together(void **state)
{
    (void)state;
    int fd = slow_make();
    struct slow one, other;
    assert_true(fd >= 0 && slow_open(fd, &one) && slow_open(fd, &other));
    assert_int_equal(slow_failed(&one, 'u', SP_LIT("anna"), 5), 0);
    assert_int_equal(slow_failed(&other, 'u', SP_LIT("anna"), 5), 0);
    assert_int_equal(slow_failed(&one, 'u', SP_LIT("anna"), 4), 1000);
    slow_close(&one); /* it died */
    assert_int_equal(slow_failed(&other, 'u', SP_LIT("anna"), 5), 2000);
    slow_close(&other);
    close(fd);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(processes_count_together),
    cmocka_unit_test(the_rules_are_the_configuration_s),
    cmocka_unit_test(each_failure_costs_twice_the_one_before),
    cmocka_unit_test(names_and_kinds_are_apart),
    cmocka_unit_test(quiet_forgives_by_halves),
    cmocka_unit_test(a_flood_of_names_does_not_push_out_who_guesses_most),
};

TAP_MAIN(tests)
