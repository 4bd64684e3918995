/* The list of recipients against the plainest oracle: an array of names, looked through from its beginning.
 */
#include "tap.h"

#include "base/view.h"
#include "os/heap.h"
#include "roles/recipients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 40, NAME_MAX = 32, STEPS = 400, ROUNDS = 200 };

static const struct sp_rcpt_parameters plain;

static struct sp_view name_of(char text[NAME_MAX], unsigned n)
{
    return sp_view_make(text, (size_t)snprintf(text, NAME_MAX, "user%u@example.org", n));
}

/* All that the list holds, in its order. */
static void assert_holds(const struct recipients *r, const unsigned *names, size_t n)
{
    struct sp_view rest = sp_buf_view(&r->list);
    size_t i = 0;
    char text[NAME_MAX];
    for (struct ipc_recipient one; ipc_next_recipient(&rest, &one); i++) {
        assert_true(i < n);
        assert_true(sp_view_eq(one.address, name_of(text, names[i])));
    }
    assert_int_equal(rest.len, 0);
    assert_int_equal(i, n);
    assert_int_equal(r->n, n);
}

static bool is_among(const unsigned *names, size_t n, unsigned name)
{
    for (size_t i = 0; i < n; i++)
        if (names[i] == name)
            return true;
    return false;
}

static void test_each_once_whatever_is_added_and_taken_back(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct recipients r;
        struct recipients_mark mark;
        unsigned names[NAMES];
        size_t n = 0, marked = 0;
        char text[NAME_MAX];
        recipients_init(&r, &os_heap, round);
        mark = recipients_mark(&r);
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned name = (unsigned)rand() % NAMES;
            if (rand() % 8 == 0) {
                recipients_rewind(&r, mark);
                n = marked;
            } else if (rand() % 8 == 0) {
                mark = recipients_mark(&r);
                marked = n;
            } else {
                struct sp_view v = name_of(text, name);
                assert_int_equal(recipients_add(&r, v, v, "out", &plain), SP_OK);
                if (!is_among(names, n, name))
                    names[n++] = name;
            }
            assert_holds(&r, names, n);
        }
        recipients_fini(&r);
    }
}

static void test_what_was_said_is_kept_of_an_alias(void **state)
{
    (void)state;
    const struct sp_rcpt_parameters asked = {.orcpt = SP_LIT("rfc822;first@example.net")};
    struct recipients r;
    recipients_init(&r, &os_heap, 1);
    assert_int_equal(recipients_add(&r, SP_LIT("all@x"), SP_LIT("ann@y"), "out", &plain), SP_OK);
    assert_int_equal(recipients_add(&r, SP_LIT("all@x"), SP_LIT("bob@y"), "out", &asked), SP_OK);
    assert_int_equal(recipients_add(&r, SP_LIT("eve@x"), SP_LIT("eve@x"), "out", &plain), SP_OK);
    struct sp_view rest = sp_buf_view(&r.list);
    struct ipc_recipient one;
    assert_true(ipc_next_recipient(&rest, &one));
    assert_true(one.forwarded && sp_view_eq(one.parameters.orcpt, SP_LIT("rfc822;all@x")));
    assert_true(ipc_next_recipient(&rest, &one));
    assert_true(one.forwarded && sp_view_eq(one.parameters.orcpt, asked.orcpt));
    assert_true(ipc_next_recipient(&rest, &one));
    assert_true(!one.forwarded && one.parameters.orcpt.len == 0);
    recipients_fini(&r);
}

static void test_a_full_list_says_so_and_stays_usable(void **state)
{
    (void)state;
    struct recipients r;
    char local[900];
    size_t n = 0;
    int status = SP_OK;
    memset(local, 'a', sizeof local);
    recipients_init(&r, &os_heap, 1);
    for (; status == SP_OK && n < RECIPIENTS_MAX / sizeof local + 2; n += status == SP_OK) {
        (void)snprintf(local, 10, "%09zu", n);
        local[9] = '@';
        struct sp_view v = sp_view_make(local, sizeof local);
        status = recipients_add(&r, v, v, "out", &plain);
    }
    assert_int_equal(status, SP_ERR_LONG);
    assert_int_equal(r.n, n);
    assert_true(r.list.len <= RECIPIENTS_MAX && sp_buf_status(&r.list) == SP_OK);
    recipients_rewind(&r, (struct recipients_mark){0, 0});
    assert_int_equal(recipients_add(&r, SP_LIT("a@x"), SP_LIT("a@x"), "out", &plain), SP_OK);
    assert_int_equal(r.n, 1);
    recipients_fini(&r);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_each_once_whatever_is_added_and_taken_back),
    cmocka_unit_test(test_what_was_said_is_kept_of_an_alias),
    cmocka_unit_test(test_a_full_list_says_so_and_stays_usable),
};
TAP_MAIN(tests)
