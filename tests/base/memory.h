/* An allocator for tests of the floors that may not allocate: counts, checks sizes, fails on demand. */
#ifndef TESTS_BASE_MEMORY_H
#define TESTS_BASE_MEMORY_H

#include "tap.h"

#include "sallyport/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory {
    struct sp_allocator alloc;
    size_t held;    /* octets given and not taken back */
    size_t calls;   /* calls that wanted octets        */
    size_t fail_at; /* this call and those after it get "no"; 0: none */
};

/* Every block moves at each resize and is overwritten when it is taken back, so stale pointers show. */
static void *memory_resize(void *ctx, void *p, size_t old, size_t n)
{
    struct memory *m = ctx;
    assert_true(p || old == 0);
    assert_true(m->held >= old);
    void *moved = NULL;
    if (n > 0) {
        m->calls++;
        if (m->fail_at && m->calls >= m->fail_at)
            return NULL;
        moved = malloc(n);
        assert_non_null(moved);
        if (p)
            memcpy(moved, p, old < n ? old : n);
        memset((uint8_t *)moved + (p && old < n ? old : p ? n : 0), 0xa5, n - (p ? old < n ? old : n : 0));
    }
    if (p) {
        memset(p, 0x5a, old);
        free(p);
    }
    m->held = m->held - old + n;
    return moved;
}

static inline void memory_init(struct memory *m)
{
    *m = (struct memory){.alloc = {.resize = memory_resize, .ctx = m}};
}

static inline void memory_fini(const struct memory *m) { assert_int_equal(m->held, 0); }

#endif
