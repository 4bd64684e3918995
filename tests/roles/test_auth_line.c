/* The line before the worker: everybody gets a turn, and whoever fills it gives way. */
#include "base/view.h"
#include "roles/auth/line.h"
#include "tap.h"

#include <stdlib.h>

enum { MANY = 64 };

static struct auth_line_item items[MANY];

static struct auth_line_item *push(struct auth_line *l, const char *client, size_t n)
{
    return auth_line_push(l, sp_view_of(client), &items[n]);
}

static void assert_next(struct auth_line *l, size_t n) { assert_ptr_equal(auth_line_pop(l), &items[n]); }

static void one_client_is_served_in_order(void **state)
{
    struct auth_line l;
    (void)state;
    auth_line_init(&l, MANY, 1);
    for (size_t i = 0; i < 5; i++)
        assert_null(push(&l, "a", i));
    for (size_t i = 0; i < 5; i++)
        assert_next(&l, i);
    assert_null(auth_line_pop(&l));
    auth_line_fini(&l);
}

static void clients_take_turns(void **state)
{
    struct auth_line l;
    (void)state;
    auth_line_init(&l, MANY, 1);
    for (size_t i = 0; i < 10; i++)
        assert_null(push(&l, "greedy", i));
    assert_null(push(&l, "b", 20));
    assert_null(push(&l, "c", 30));
    assert_null(push(&l, "b", 21));
    assert_next(&l, 0);
    assert_next(&l, 20);
    assert_next(&l, 30);
    assert_next(&l, 1);
    assert_next(&l, 21);
    for (size_t i = 2; i < 10; i++)
        assert_next(&l, i);
    assert_int_equal(l.n, 0);
    auth_line_fini(&l);
}

static void a_newcomer_waits_one_turn_of_each(void **state)
{
    struct auth_line l;
    (void)state;
    auth_line_init(&l, MANY, 1);
    for (size_t i = 0; i < 4; i++) {
        assert_null(push(&l, "a", i));
        assert_null(push(&l, "b", 10 + i));
    }
    assert_next(&l, 0);
    assert_null(push(&l, "new", 40));
    assert_next(&l, 10);
    assert_next(&l, 1);
    assert_next(&l, 40);
    while (auth_line_pop(&l))
        ;
    auth_line_fini(&l);
}

static void the_greediest_gives_way(void **state)
{
    struct auth_line l;
    (void)state;
    auth_line_init(&l, 8, 1);
    for (size_t i = 0; i < 8; i++)
        assert_null(push(&l, "greedy", i));
    assert_ptr_equal(push(&l, "greedy", 8), &items[8]);
    assert_null(items[8].client);
    assert_ptr_equal(push(&l, "b", 20), &items[7]);
    assert_ptr_equal(push(&l, "c", 30), &items[6]);
    assert_int_equal(l.n, 8);
    assert_next(&l, 0);
    assert_next(&l, 20);
    assert_next(&l, 30);
    while (auth_line_pop(&l))
        ;
    auth_line_fini(&l);
}

static void whoever_leaves_leaves_no_hole(void **state)
{
    struct auth_line l;
    (void)state;
    auth_line_init(&l, MANY, 1);
    for (size_t i = 0; i < 4; i++)
        assert_null(push(&l, "a", i));
    assert_null(push(&l, "b", 10));
    auth_line_remove(&l, &items[1]);
    auth_line_remove(&l, &items[0]);
    auth_line_remove(&l, &items[3]);
    auth_line_remove(&l, &items[10]);
    assert_int_equal(l.n, 1);
    assert_int_equal(l.clients.n, 1);
    assert_next(&l, 2);
    assert_int_equal(l.clients.n, 0);
    assert_null(auth_line_pop(&l));
    auth_line_fini(&l);
}

/* Whatever is pushed, popped and removed, nothing is lost and nothing served twice. */
static void random_walks_lose_nothing(void **state)
{
    struct auth_line l;
    bool waits[MANY] = {false};
    (void)state;
    srand(7);
    auth_line_init(&l, 16, 99);
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)rand() % MANY;
        char client[2] = {(char)('a' + rand() % 5), 0};
        size_t n = 0;
        if (rand() % 3 == 0) {
            struct auth_line_item *served = auth_line_pop(&l);
            if (served)
                waits[served - items] = false;
        } else if (waits[i]) {
            auth_line_remove(&l, &items[i]);
            waits[i] = false;
        } else {
            waits[i] = true;
            struct auth_line_item *leaves = push(&l, client, i);
            if (leaves)
                waits[leaves - items] = false;
        }
        for (size_t k = 0; k < MANY; k++) {
            assert_int_equal(waits[k], items[k].client != NULL);
            n += waits[k];
        }
        assert_int_equal(l.n, n);
        assert_true(n <= 16);
    }
    while (auth_line_pop(&l))
        ;
    auth_line_fini(&l);
}

static void a_network_card_is_one_client(void **state)
{
    uint8_t a[AUTH_CLIENT_KEY_MAX], b[AUTH_CLIENT_KEY_MAX];
    (void)state;
    assert_int_equal(auth_client_key(SP_LIT("2001:db8::1"), a), 8);
    assert_int_equal(auth_client_key(SP_LIT("2001:db8::ffff:2"), b), 8);
    assert_memory_equal(a, b, 8);
    assert_int_equal(auth_client_key(SP_LIT("2001:db8:0:1::1"), b), 8);
    assert_memory_not_equal(a, b, 8);
    assert_int_equal(auth_client_key(SP_LIT("192.0.2.1"), a), 9);
    assert_memory_equal(a, "192.0.2.1", 9);
    assert_int_equal(auth_client_key(SP_LIT(""), a), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_client_is_served_in_order),     cmocka_unit_test(clients_take_turns),
    cmocka_unit_test(a_newcomer_waits_one_turn_of_each), cmocka_unit_test(the_greediest_gives_way),
    cmocka_unit_test(whoever_leaves_leaves_no_hole),     cmocka_unit_test(random_walks_lose_nothing),
    cmocka_unit_test(a_network_card_is_one_client),
};

TAP_MAIN(tests)
