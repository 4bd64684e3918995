/* The hash table against a plain list, with an allocator that fails at every call once. */
#include "memory.h"

#include "base/table.h"
#include "base/view.h"

enum { KEY_N = 500 };

static struct sp_view key_of(size_t i, char text[16])
{
    /* Some keys are prefixes of others, one is empty, some hold NUL. */
    int n = i == 0 ? 0 : snprintf(text, 16, "%zu", i);
    if (i % 5 == 1)
        text[n++] = 0;
    return sp_view_make(text, (size_t)n);
}

static void check_all(const struct sp_table *t, const size_t *values)
{
    size_t n = 0, seen_n = 0, cursor = 0;
    bool seen[KEY_N] = {false};
    struct sp_view key;
    void *value;
    for (size_t i = 0; i < KEY_N; i++) {
        char text[16];
        assert_ptr_equal(sp_table_get(t, key_of(i, text)), values[i] ? (void *)values[i] : NULL);
        n += values[i] != 0;
    }
    assert_int_equal(t->n, n);
    while (sp_table_next(t, &cursor, &key, &value)) {
        size_t i = (uintptr_t)value % 1000;
        char text[16];
        assert_true(i < KEY_N && !seen[i]);
        assert_true(sp_view_eq(key, key_of(i, text)));
        seen[i] = true;
        seen_n++;
    }
    assert_int_equal(seen_n, n);
    assert_false(sp_table_next(t, &cursor, &key, &value));
}

/* A seeded walk of puts, replacements and takes. */
static void test_walk(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {0, 1, 0x123456789abcdef, UINT64_MAX};
    for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++) {
        struct memory m;
        struct sp_table t;
        size_t values[KEY_N] = {0};
        uint64_t random = seeds[s] + 7;
        memory_init(&m);
        sp_table_init(&t, &m.alloc, seeds[s]);
        check_all(&t, values);
        for (size_t step = 0; step < 20000; step++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t i = (random >> 33) % KEY_N;
            char text[16];
            struct sp_view key = key_of(i, text);
            if (random >> 62) {
                size_t value = 1000 + i + (random >> 50) * 1000;
                assert_int_equal(sp_table_put(&t, key, (void *)value), SP_OK);
                values[i] = value;
            } else {
                assert_ptr_equal(sp_table_take(&t, key), (void *)values[i]);
                values[i] = 0;
            }
            if (step % 1000 == 0)
                check_all(&t, values);
        }
        check_all(&t, values);
        sp_table_fini(&t);
        memory_fini(&m);
    }
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    for (size_t at = 1; at < 120; at++) {
        struct memory m;
        struct sp_table t;
        size_t values[KEY_N] = {0};
        char text[16];
        memory_init(&m);
        sp_table_init(&t, &m.alloc, 1);
        m.fail_at = at;
        for (size_t i = 0; i < 100; i++)
            if (sp_table_put(&t, key_of(i, text), (void *)(1000 + i)) == SP_OK)
                values[i] = 1000 + i;
        check_all(&t, values);
        m.fail_at = 0;
        for (size_t i = 0; i < 100; i++) {
            assert_int_equal(sp_table_put(&t, key_of(i, text), (void *)(2000 + i)), SP_OK);
            values[i] = 2000 + i;
        }
        check_all(&t, values);
        sp_table_fini(&t);
        memory_fini(&m);
    }
}

/* Keys that collide under one seed do not under another: buckets of 4,096 keys stay short. */
static void test_hash_spreads(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3; seed++) {
        unsigned buckets[256] = {0}, fullest = 0;
        for (size_t i = 0; i < 4096; i++) {
            char text[24];
            int n = snprintf(text, sizeof text, "user%zu", i);
            buckets[sp_hash(sp_view_make(text, (size_t)n), seed * 0x9e3779b97f4a7c15u) & 255]++;
        }
        for (size_t i = 0; i < 256; i++)
            fullest = buckets[i] > fullest ? buckets[i] : fullest;
        assert_true(fullest < 48); /* 16 on average */
    }
    assert_true(sp_hash(SP_LIT("a"), 1) != sp_hash(SP_LIT("a"), 2));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_walk),
    cmocka_unit_test(test_each_allocation_fails),
    cmocka_unit_test(test_hash_spreads),
};

TAP_MAIN(tests)
