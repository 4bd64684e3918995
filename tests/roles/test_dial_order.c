/*
 * The order of the race, for every shape of up to three hosts with up to three addresses of each family: each
 * place is the only one that the rule allows, as it is told here anew.
 */
#include "tap.h"

#include "roles/delivery/dial.h"

#include <stdlib.h>
#include <sys/socket.h>

enum { HOSTS = 3, PER_FAMILY = 3, SHAPES = (PER_FAMILY + 1) * (PER_FAMILY + 1) };

static struct delivery_dial_host hosts[HOSTS];
static struct delivery_dial_host *const all[HOSTS] = {&hosts[0], &hosts[1], &hosts[2]};

static void add(struct dns_addresses *to, bool six)
{
    to->addresses[to->n++].as.any.sa_family = six ? AF_INET6 : AF_INET;
}

/* Of each host so many of IPv4 and of IPv6, in turn as the resolver gives them; odd shapes the other way. */
static void shape(struct delivery_dial_host *h, size_t four, size_t six, bool four_first)
{
    h->addresses.n = 0;
    for (size_t i = 0; i < PER_FAMILY; i++) {
        if (i < four && four_first)
            add(&h->addresses, false);
        if (i < six)
            add(&h->addresses, true);
        if (i < four && !four_first)
            add(&h->addresses, false);
    }
}

static bool is_six(const struct delivery_place *p)
{
    return hosts[p->host].addresses.addresses[p->address].as.any.sa_family == AF_INET6;
}

static bool is_taken(const struct delivery_place *places, size_t n, size_t host, size_t address)
{
    for (size_t i = 0; i < n; i++)
        if (places[i].host == host && places[i].address == address)
            return true;
    return false;
}

/* Addresses of a family that the first n places left, of this host or (HOSTS) of all. */
static size_t left(const struct delivery_place *places, size_t n, size_t host, bool six)
{
    size_t count = 0;
    for (size_t h = 0; h < HOSTS; h++)
        for (size_t a = 0; a < hosts[h].addresses.n; a++) {
            struct delivery_place p = {.host = (uint8_t)h, .address = (uint8_t)a};
            count += (host == HOSTS || host == h) && is_six(&p) == six && !is_taken(places, n, h, a);
        }
    return count;
}

static void check_first(const struct delivery_place *p)
{
    size_t first = 0;
    while (hosts[first].addresses.n == 0)
        first++;
    assert_int_equal(p->host, first);
    assert_true(is_six(p) == (left(NULL, 0, first, true) > 0));
}

static void check_place(const struct delivery_place *places, size_t n)
{
    const struct delivery_place *p = &places[n];
    bool six = is_six(p);
    assert_false(is_taken(places, n, p->host, p->address));
    for (size_t a = 0; a < p->address; a++) { /* the DNS's order within a family */
        struct delivery_place before = {.host = p->host, .address = (uint8_t)a};
        assert_true(is_six(&before) != six || is_taken(places, n, p->host, a));
    }
    if (n == 0) {
        check_first(p);
        return;
    }
    bool other = !is_six(&places[n - 1]);
    assert_true(six == (left(places, n, HOSTS, other) > 0 ? other : !other));
    for (size_t h = (places[n - 1].host + 1u) % HOSTS; h != p->host; h = (h + 1) % HOSTS)
        assert_int_equal(left(places, n, h, six), 0); /* the next that has one */
}

static void every_place_is_the_only_one_allowed(void **state)
{
    struct delivery_place places[HOSTS * DNS_ADDRESSES_MAX];
    size_t checked = 0;
    (void)state;
    for (size_t i = 0; i < 2u * SHAPES * SHAPES * SHAPES; i++) {
        size_t total = 0, rest = i / 2;
        for (size_t h = 0; h < HOSTS; h++, rest /= SHAPES) {
            shape(&hosts[h], rest % SHAPES / (PER_FAMILY + 1), rest % (PER_FAMILY + 1), i % 2);
            total += hosts[h].addresses.n;
        }
        assert_int_equal(delivery_dial_order(all, HOSTS, places), total);
        for (size_t n = 0; n < total; n++, checked++)
            check_place(places, n);
    }
    assert_true(checked > 70000);
}

static void hosts_without_addresses_have_no_place(void **state)
{
    struct delivery_place places[HOSTS * DNS_ADDRESSES_MAX];
    (void)state;
    for (size_t h = 0; h < HOSTS; h++)
        hosts[h].addresses.n = 0;
    assert_int_equal(delivery_dial_order(all, HOSTS, places), 0);
    assert_int_equal(delivery_dial_order(all, 0, places), 0);
}

/* A host with as many addresses as count: there is room for those, and no more. */
static void all_places_are_taken(void **state)
{
    struct delivery_place *places = malloc(DNS_ADDRESSES_MAX * sizeof *places);
    (void)state;
    hosts[0].addresses.n = 0;
    for (size_t i = 0; i < DNS_ADDRESSES_MAX; i++)
        add(&hosts[0].addresses, i % 2 == 0);
    assert_int_equal(delivery_dial_order(all, 1, places), DNS_ADDRESSES_MAX);
    free(places);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_places_are_taken),
    cmocka_unit_test(every_place_is_the_only_one_allowed),
    cmocka_unit_test(hosts_without_addresses_have_no_place),
};

TAP_MAIN(tests)
