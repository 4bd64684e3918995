/* What a listener wants of its sessions. */
#include "tap.h"

#include "base/view.h"
#include "roles/smtpd/terms.h"

static bool counted_as_one(const char *one, const char *other)
{
    struct os_address a, b;
    assert_int_equal(os_address_parse(sp_view_of(one), &a), SP_OK);
    assert_int_equal(os_address_parse(sp_view_of(other), &b), SP_OK);
    return sp_view_eq(terms_key(&a), terms_key(&b));
}

static void an_address_is_counted_with_those_of_the_same_machine(void **state)
{
    (void)state;
    assert_true(counted_as_one("192.0.2.1:25", "192.0.2.1:4000"));
    assert_false(counted_as_one("192.0.2.1:25", "192.0.2.2:25"));
    assert_true(counted_as_one("[2001:db8:1:2::1]:25", "[2001:db8:1:2:ffff:ffff:ffff:ffff]:4000"));
    assert_false(counted_as_one("[2001:db8:1:2::1]:25", "[2001:db8:1:3::1]:25"));
    assert_true(counted_as_one("[::ffff:192.0.2.1]:25", "192.0.2.1:25"));
    assert_false(counted_as_one("[::ffff:192.0.2.1]:25", "[::ffff:192.0.2.2]:25"));
    assert_false(counted_as_one("[::ffff:192.0.2.1]:25", "[::1]:25"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_address_is_counted_with_those_of_the_same_machine),
};

TAP_MAIN(tests)
