/* For the tests of SASL: octets from base64, and a buffer with the heap behind it. */
#ifndef TESTS_SASL_OCTETS_H
#define TESTS_SASL_OCTETS_H

#include "base/base64.h"
#include "base/view.h"
#include "os/heap.h"
#include "tap.h"

#include "base/buf.h"

static inline struct sp_buf fresh(void)
{
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, 1 << 16);
    return b;
}

static inline void assert_view(struct sp_view is, struct sp_view wanted)
{
    assert_int_equal(is.len, wanted.len);
    if (wanted.len)
        assert_memory_equal(is.p, wanted.p, wanted.len);
}

/* The base64 of v is this text. */
static inline void assert_base64(struct sp_view v, const char *wanted)
{
    struct sp_buf b = fresh();
    sp_buf_add_base64(&b, v);
    assert_view(sp_buf_view(&b), sp_view_of(wanted));
    sp_buf_fini(&b);
}

#endif
