/* The cache of recent successes: finds what was right, and nothing else. */
#include "base/view.h"
#include "os/heap.h"
#include "roles/auth/cache.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIFE_MS = 300000 };

static struct auth_cache *fresh(void)
{
    struct auth_cache *c = os_new(sizeof *c);
    auth_cache_clear(c);
    c->life_ms = LIFE_MS;
    return c;
}

static bool login(struct auth_cache *c, const char *name, uint8_t verifier, const char *password,
                  uint64_t now, bool add)
{
    struct sasl_verifier v = {.iterations = 1};
    uint8_t mac[AUTH_CACHE_MAC_LEN];
    memset(v.keys[SASL_SHA256].stored, verifier, SASL_KEY_MAX);
    assert_int_equal(auth_cache_hash(c, sp_view_of(name), &v, sp_view_of(password), mac), SP_OK);
    if (add)
        auth_cache_add(c, mac, SASL_WHICH_OWN, now);
    return auth_cache_has(c, mac, now) == SASL_WHICH_OWN;
}

static void finds_the_same_login_only(void **state)
{
    struct auth_cache *c = fresh();
    (void)state;
    assert_false(login(c, "demo", 1, "secret", 1000, false));
    assert_true(login(c, "demo", 1, "secret", 1000, true));
    assert_true(login(c, "demo", 1, "secret", 1001, false));
    assert_false(login(c, "demo", 1, "secreT", 1001, false));
    assert_false(login(c, "demO", 1, "secret", 1001, false));
    assert_false(login(c, "demo", 2, "secret", 1001, false)); /* the password was changed */
    assert_false(login(c, "dem", 1, "osecret", 1001, false));
    free(c);
}

static void forgets_in_time_and_on_demand(void **state)
{
    struct auth_cache *c = fresh();
    (void)state;
    assert_true(login(c, "demo", 1, "secret", 1000, true));
    assert_true(login(c, "demo", 1, "secret", 1000 + LIFE_MS - 1, false));
    assert_false(login(c, "demo", 1, "secret", 1000 + LIFE_MS, false));
    assert_true(login(c, "demo", 1, "secret", 2000, true));
    auth_cache_clear(c);
    assert_false(login(c, "demo", 1, "secret", 2000, false));
    free(c);
}

static void is_bounded_and_keeps_the_newest(void **state)
{
    struct auth_cache *c = fresh();
    char name[32] = "";
    size_t kept = 0;
    enum { LOGINS = 3 * AUTH_CACHE_SETS * AUTH_CACHE_WAYS };
    (void)state;
    for (int i = 0; i < LOGINS; i++) {
        (void)snprintf(name, sizeof name, "user%d", i);
        assert_true(login(c, name, 1, "x", (uint64_t)i + 1, true));
    }
    for (int i = 0; i < LOGINS; i++) {
        (void)snprintf(name, sizeof name, "user%d", i);
        kept += login(c, name, 1, "x", LOGINS + 1, false);
    }
    assert_true(kept <= AUTH_CACHE_SETS * AUTH_CACHE_WAYS);
    assert_true(kept > AUTH_CACHE_SETS);
    (void)snprintf(name, sizeof name, "user%d", LOGINS - 1);
    assert_true(login(c, name, 1, "x", LOGINS + 1, false));
    free(c);
}

static void holds_no_password(void **state)
{
    struct auth_cache *c = fresh();
    (void)state;
    assert_true(login(c, "demo", 1, "Xyzzy-plugh-1977", 1, true));
    assert_null(memmem(c, sizeof *c, "Xyzzy-plugh", 11));
    free(c);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(finds_the_same_login_only),
    cmocka_unit_test(forgets_in_time_and_on_demand),
    cmocka_unit_test(is_bounded_and_keeps_the_newest),
    cmocka_unit_test(holds_no_password),
};

TAP_MAIN(tests)
