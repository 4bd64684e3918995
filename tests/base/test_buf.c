/* sp_buf and sp_arena: ceilings, sticky failures, and an allocator that fails at every call once. */
#include "memory.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/view.h"

static bool holds(const struct sp_buf *b, const char *text)
{
    return sp_view_eq(sp_buf_view(b), sp_view_of(text));
}

static void test_appends(void **state)
{
    (void)state;
    struct memory m;
    struct sp_buf b;
    memory_init(&m);
    sp_buf_init(&b, &m.alloc, 1000);
    assert_int_equal(m.calls, 0);
    sp_buf_add(&b, (struct sp_view){0});
    assert_int_equal(m.calls, 0);
    sp_buf_add_str(&b, "a");
    sp_buf_add_str(&b, NULL);
    sp_buf_add_u8(&b, 'b');
    sp_buf_add_dec(&b, 0);
    sp_buf_add_u8(&b, ' ');
    sp_buf_add_dec(&b, UINT64_MAX);
    sp_buf_add_u8(&b, ' ');
    sp_buf_add_dec_pad(&b, 7, 3);
    sp_buf_add_dec_pad(&b, 1234, 2);
    sp_buf_add_u8(&b, ' ');
    sp_buf_add_hex(&b, SP_LIT("\x00\xaf\x10"));
    sp_buf_add_u8(&b, ' ');
    sp_buf_add_base64(&b, SP_LIT("fo"));
    assert_int_equal(sp_buf_status(&b), SP_OK);
    assert_true(holds(&b, "ab0 18446744073709551615 0071234 00af10 Zm8="));
    sp_buf_drop(&b, 4);
    assert_true(holds(&b, "18446744073709551615 0071234 00af10 Zm8="));
    sp_buf_drop(&b, 10000);
    assert_int_equal(b.len, 0);
    sp_buf_fini(&b);
    memory_fini(&m);
}

/* A decimal of any width: padding beyond what a number can need is cut at 20 digits. */
static void test_padding(void **state)
{
    (void)state;
    struct memory m;
    struct sp_buf b;
    memory_init(&m);
    sp_buf_init(&b, &m.alloc, 1000);
    sp_buf_add_dec_pad(&b, 5, 20);
    assert_true(holds(&b, "00000000000000000005"));
    sp_buf_clear(&b);
    sp_buf_add_dec_pad(&b, 5, 400);
    assert_true(holds(&b, "00000000000000000005"));
    sp_buf_fini(&b);
    memory_fini(&m);
}

static void test_ceiling(void **state)
{
    (void)state;
    for (size_t max = 0; max < 300; max++) {
        struct memory m;
        struct sp_buf b;
        memory_init(&m);
        sp_buf_init(&b, &m.alloc, max);
        for (size_t i = 0; i < max; i++)
            assert_int_equal(sp_buf_add_u8(&b, (uint8_t)i), SP_OK);
        assert_true(b.cap <= max);
        assert_int_equal(sp_buf_add_u8(&b, 1), SP_ERR_LONG);
        assert_int_equal(b.len, max);
        /* Sticky: even what would need no room is refused, until clear. */
        assert_int_equal(sp_buf_add(&b, (struct sp_view){0}), SP_ERR_LONG);
        assert_int_equal(sp_buf_status(&b), SP_ERR_LONG);
        for (size_t i = 0; i < max; i++)
            assert_int_equal(b.p[i], (uint8_t)i);
        sp_buf_clear(&b);
        assert_int_equal(sp_buf_status(&b), SP_OK);
        assert_int_equal(b.len, 0);
        sp_buf_fini(&b);
        memory_fini(&m);
    }
}

static void test_huge(void **state)
{
    (void)state;
    struct memory m;
    struct sp_buf b;
    memory_init(&m);
    sp_buf_init(&b, &m.alloc, SIZE_MAX);
    sp_buf_add_u8(&b, 'x');
    m.fail_at = m.calls + 1;
    assert_int_equal(sp_buf_reserve(&b, SIZE_MAX), SP_ERR_LONG);
    sp_buf_clear(&b);
    sp_buf_add_u8(&b, 'x');
    assert_int_equal(sp_buf_reserve(&b, SIZE_MAX - 1), SP_ERR_NOMEM);
    sp_buf_clear(&b);
    static const uint8_t one;
    assert_int_equal(sp_buf_add_hex(&b, sp_view_make(&one, SIZE_MAX)), SP_ERR_LONG);
    sp_buf_clear(&b);
    assert_int_equal(sp_buf_add_base64(&b, sp_view_make(&one, SIZE_MAX)), SP_ERR_LONG);
    sp_buf_fini(&b);
    memory_fini(&m);
}

static void test_secret(void **state)
{
    (void)state;
    struct memory m;
    struct sp_buf b;
    memory_init(&m);
    sp_buf_init(&b, &m.alloc, 100);
    sp_buf_fini_secret(&b); /* nothing in it yet */
    sp_buf_add_str(&b, "password");
    sp_buf_fini_secret(&b);
    assert_null(b.p);
    assert_int_equal(b.max, 100);
    memory_fini(&m);
}

static int fill(struct sp_buf *b)
{
    for (int i = 0; i < 50; i++) {
        sp_buf_add_str(b, "some text ");
        sp_buf_add_base64(b, SP_LIT("more text"));
    }
    return sp_buf_status(b);
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    size_t at = 0;
    int status;
    do {
        struct memory m;
        struct sp_buf b;
        memory_init(&m);
        m.fail_at = ++at;
        sp_buf_init(&b, &m.alloc, 100000);
        status = fill(&b);
        assert_true(status == SP_OK || status == SP_ERR_NOMEM);
        sp_buf_fini(&b);
        memory_fini(&m);
    } while (status != SP_OK);
    assert_true(at > 3);
}

/* --- arena ---------------------------------------------------------------------------------- */

static void test_arena(void **state)
{
    (void)state;
    struct memory m;
    struct sp_arena a;
    memory_init(&m);
    sp_arena_init(&a, &m.alloc, 1 << 20);
    assert_int_equal(m.calls, 0);
    for (int round = 0; round < 3; round++) {
        uint8_t *all[200];
        for (size_t i = 0; i < 200; i++) {
            size_t n = i * i % 3000;
            all[i] = sp_arena_get(&a, n);
            assert_non_null(all[i]);
            assert_int_equal((uintptr_t)all[i] % _Alignof(max_align_t), 0);
            memset(all[i], (int)i, n);
        }
        for (size_t i = 0; i < 200; i++)
            for (size_t k = 0; k < i * i % 3000; k++)
                assert_int_equal(all[i][k], (uint8_t)i);
        sp_arena_reset(&a);
        memory_fini(&m);
    }
}

static void test_arena_ceiling(void **state)
{
    (void)state;
    struct memory m;
    struct sp_arena a;
    struct sp_view copy = SP_LIT("untouched");
    memory_init(&m);
    sp_arena_init(&a, &m.alloc, 4096);
    assert_null(sp_arena_get(&a, 4097));
    assert_null(sp_arena_get(&a, SIZE_MAX));
    assert_null(sp_arena_get(&a, SIZE_MAX - 8));
    assert_non_null(sp_arena_get(&a, 4096));
    assert_null(sp_arena_get(&a, 1));
    assert_int_equal(sp_arena_copy(&a, SP_LIT("x"), &copy), SP_ERR_NOMEM);
    assert_true(sp_view_eq(copy, SP_LIT("untouched")));
    sp_arena_reset(&a);
    assert_int_equal(sp_arena_copy(&a, SP_LIT("x"), &copy), SP_OK);
    assert_true(sp_view_eq(copy, SP_LIT("x")));
    assert_int_equal(sp_arena_copy(&a, (struct sp_view){0}, &copy), SP_OK);
    assert_int_equal(copy.len, 0);
    m.fail_at = m.calls + 1;
    assert_null(sp_arena_get(&a, 3000));
    m.fail_at = 0;
    assert_non_null(sp_arena_get(&a, 3000));
    sp_arena_reset(&a);
    memory_fini(&m);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_appends), cmocka_unit_test(test_padding),
    cmocka_unit_test(test_ceiling), cmocka_unit_test(test_huge),
    cmocka_unit_test(test_secret),  cmocka_unit_test(test_each_allocation_fails),
    cmocka_unit_test(test_arena),   cmocka_unit_test(test_arena_ceiling),
};

TAP_MAIN(tests)
