/* Connections counted over processes, here over mappings of one process. */
#include "tap.h"

#include "base/view.h"
#include "roles/tally.h"

#include <stdio.h>
#include <unistd.h>

static struct sp_view address(unsigned n)
{
    static uint8_t octets[4];
    octets[0] = 10, octets[1] = (uint8_t)(n >> 16), octets[2] = (uint8_t)(n >> 8), octets[3] = (uint8_t)n;
    return sp_view_make(octets, sizeof octets);
}

static void enter(struct tally *t, unsigned who, uint32_t all_wanted, uint32_t of_address_wanted)
{
    uint32_t all, of_address;
    tally_enter(t, address(who), &all, &of_address);
    assert_int_equal(all, all_wanted);
    assert_int_equal(of_address, of_address_wanted);
}

static void counts_over_all_rows(void **state)
{
    (void)state;
    int fd = tally_make(3);
    assert_true(fd >= 0);
    struct tally *a = tally_open(fd, 3, 0), *b = tally_open(fd, 3, 1), *c = tally_open(fd, 3, 2);
    assert_true(a && b && c);
    enter(a, 1, 1, 1);
    enter(b, 1, 2, 2);
    enter(c, 2, 3, 1);
    tally_leave(a, address(1));
    enter(c, 1, 3, 2);
    tally_clear(fd, 2); /* the third died */
    enter(a, 1, 2, 2);
    tally_close(c);
    c = tally_open(fd, 3, 2);
    assert_non_null(c);
    enter(c, 2, 3, 1);
    tally_close(a);
    tally_close(b);
    tally_close(c);
    close(fd);
}

/* Too few would let an address pass its limit; too many is the price of a fixed size, and rare. */
static void never_counts_too_few(void **state)
{
    (void)state;
    enum { ADDRESSES = 1000 };
    unsigned too_many = 0;
    int fd = tally_make(1);
    struct tally *t = tally_open(fd, 1, 0);
    for (unsigned round = 1; round <= 3; round++)
        for (unsigned i = 0; i < ADDRESSES; i++) {
            uint32_t all, of_address;
            tally_enter(t, address(i), &all, &of_address);
            assert_true(of_address >= round);
            too_many += of_address > round;
        }
    assert_true(too_many < 3 * ADDRESSES / 20);
    for (unsigned round = 1; round <= 3; round++)
        for (unsigned i = 0; i < ADDRESSES; i++)
            tally_leave(t, address(i));
    enter(t, 7, 1, 1);
    tally_close(t);
    close(fd);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(counts_over_all_rows),
    cmocka_unit_test(never_counts_too_few),
};

TAP_MAIN(tests)
