#include "base/arena.h"

#include <stdalign.h>
#include <string.h>

struct sp_arena_block {
    struct sp_arena_block *older;
    size_t size; /* whole block, header included */
    size_t used; /* header included              */
};

enum {
    ALIGN = alignof(max_align_t),
    HEADER = (sizeof(struct sp_arena_block) + ALIGN - 1) / ALIGN * ALIGN,
    BLOCK = 1024
};

void sp_arena_init(struct sp_arena *a, const struct sp_allocator *alloc, size_t max)
{
    *a = (struct sp_arena){.alloc = alloc, .max = max};
}

static struct sp_arena_block *add_block(struct sp_arena *a, size_t n)
{
    size_t size = HEADER + n > BLOCK ? HEADER + n : BLOCK;
    struct sp_arena_block *b = a->alloc->resize(a->alloc->ctx, NULL, 0, size);
    if (b) {
        *b = (struct sp_arena_block){.older = a->newest, .size = size, .used = HEADER};
        a->newest = b;
    }
    return b;
}

void *sp_arena_get(struct sp_arena *a, size_t n)
{
    if (n > a->max)
        return NULL;
    n = (n + ALIGN - 1) / ALIGN * ALIGN;
    if (n > a->max - a->used)
        return NULL;
    struct sp_arena_block *b = a->newest;
    if (!b || n > b->size - b->used)
        b = add_block(a, n);
    if (!b)
        return NULL;
    void *p = (uint8_t *)b + b->used;
    b->used += n;
    a->used += n;
    return p;
}

int sp_arena_copy(struct sp_arena *a, struct sp_view v, struct sp_view *copy_out)
{
    void *p = sp_arena_get(a, v.len ? v.len : 1);
    if (!p)
        return SP_ERR_NOMEM;
    if (v.len)
        memcpy(p, v.p, v.len);
    *copy_out = (struct sp_view){p, v.len};
    return SP_OK;
}

void sp_arena_reset(struct sp_arena *a)
{
    while (a->newest) {
        struct sp_arena_block *b = a->newest;
        a->newest = b->older;
        a->alloc->resize(a->alloc->ctx, b, b->size, 0);
    }
    a->used = 0;
}
