/* Who guesses waits, who slips does not, and nobody is remembered for ever. */
#include "base/view.h"
#include "roles/auth/slow.h"
#include "tap.h"

static struct auth_slow slow;

static uint32_t failed(const char *name, uint64_t now_ms)
{
    return auth_slow_failed(&slow, 'c', sp_view_of(name), now_ms);
}

static void each_failure_costs_twice_the_one_before(void **state)
{
    (void)state;
    static const uint32_t expected[] = {0, 0, 1000, 2000, 4000, 8000, 16000, 16000, 16000};
    auth_slow_init(&slow, 1);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(failed("192.0.2.1", 5), expected[i]);
}

static void names_and_kinds_are_apart(void **state)
{
    (void)state;
    auth_slow_init(&slow, 2);
    for (unsigned i = 0; i < 10; i++)
        (void)failed("192.0.2.1", 5);
    assert_int_equal(failed("192.0.2.2", 5), 0);
    assert_int_equal(auth_slow_failed(&slow, 'u', SP_LIT("192.0.2.1"), 5), 0);
    assert_int_equal(failed("192.0.2.1", 5), slow.rules.most_ms);
}

static void quiet_forgives_by_halves(void **state)
{
    (void)state;
    auth_slow_init(&slow, 3);
    for (unsigned i = 0; i < 8; i++)
        (void)failed("a", 0);
    assert_int_equal(failed("a", slow.rules.half_life_ms), 4000); /* 4 of 8 are left */
    auth_slow_init(&slow, 3);
    for (unsigned i = 0; i < 8; i++)
        (void)failed("a", 0);
    assert_int_equal(failed("a", 3 * slow.rules.half_life_ms), 0);
    assert_int_equal(failed("a", 1000 * (uint64_t)slow.rules.half_life_ms), 0);
}

static void a_flood_of_names_does_not_push_out_who_guesses_most(void **state)
{
    (void)state;
    auth_slow_init(&slow, 4);
    for (unsigned i = 0; i < 10; i++)
        (void)failed("guesser", 0);
    for (uint64_t i = 0; i < 200000; i++)
        assert_int_equal(auth_slow_failed(&slow, 'c', sp_view_make(&i, sizeof i), 1), 0);
    assert_int_equal(failed("guesser", 2), slow.rules.most_ms);
}

static void the_rules_are_the_configuration_s(void **state)
{
    static const uint32_t expected[] = {0, 3000, 5000, 5000};
    (void)state;
    auth_slow_init(&slow, 5);
    slow.rules = (struct auth_slow_rules){.free_n = 1, .first_ms = 3000, .most_ms = 5000, .half_life_ms = 7};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(failed("a", 0), expected[i]);
    assert_int_equal(failed("a", 7), 5000); /* 2 of 4 are left */
    assert_int_equal(failed("b", 0), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_rules_are_the_configuration_s),
    cmocka_unit_test(each_failure_costs_twice_the_one_before),
    cmocka_unit_test(names_and_kinds_are_apart),
    cmocka_unit_test(quiet_forgives_by_halves),
    cmocka_unit_test(a_flood_of_names_does_not_push_out_who_guesses_most),
};

TAP_MAIN(tests)
