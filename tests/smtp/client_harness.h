/* A client session with an allocator that can be told to say no, and what it said as text. */
#ifndef TESTS_SMTP_CLIENT_HARNESS_H
#define TESTS_SMTP_CLIENT_HARNESS_H

#include "base/buf.h"
#include "base/view.h"
#include "sallyport/smtp_client.h"

#include <stdio.h>
#include <stdlib.h>

/* malloc behind sp_allocator; the call number `fail_at` (from 1) and all later ones say no. */
struct limited {
    size_t calls, fail_at, in_use;
};

static inline void *limited_resize(void *ctx, void *p, size_t old, size_t n)
{
    struct limited *l = ctx;
    if (n == 0) {
        free(p);
        l->in_use -= old;
        return NULL;
    }
    if (l->fail_at > 0 && ++l->calls >= l->fail_at)
        return NULL;
    void *q = realloc(p, n);
    if (q)
        l->in_use += n - old;
    return q;
}

/* Small numbers that look random and are the same in every run. */
static inline uint32_t dice(uint64_t *seed, uint32_t sides)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % sides;
}

#endif
