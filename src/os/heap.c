#include "os/heap.h"

#include "os/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    void *moved = realloc(p, n);
    if (!moved)
        os_panic("out-of-memory", "%zu octets were asked for", n);
    return moved;
}

const struct sp_allocator os_heap = {.resize = resize};

static void *resize_secret(void *ctx, void *p, size_t old, size_t n)
{
    void *moved = n ? resize(ctx, NULL, 0, n) : NULL;
    if (!p)
        return moved;
    if (moved)
        memcpy(moved, p, old < n ? old : n);
    explicit_bzero(p, old);
    free(p);
    return moved;
}

const struct sp_allocator os_heap_secret = {.resize = resize_secret};

void *os_new(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p)
        os_panic("out-of-memory", "%zu octets were asked for", n);
    return p;
}

char *os_text(struct sp_view v)
{
    char *text = os_new(v.len + 1);
    if (v.len)
        memcpy(text, v.p, v.len);
    return text;
}

void os_random(void *p, size_t n)
{
    for (uint8_t *at = p; n > 0;) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            os_panic("no-randomness", "getrandom: %s", strerror(errno));
        at += got;
        n -= (size_t)got;
    }
}
