/*
 * Memory that is given back in one stroke. One per session and one per mail:
 * RSET, a refused DATA and the end are the same call.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "sallyport/base.h"

struct sp_arena_block;

struct sp_arena {
    const struct sp_allocator *alloc;  /* borrowed for the arena's life       */
    struct sp_arena_block     *newest; /* owned                               */
    size_t                     used;   /* octets handed out since the reset   */
    size_t                     max;    /* ceiling for `used`, in octets       */
};

/* An empty arena; allocates nothing. */
void sp_arena_init(struct sp_arena *a, const struct sp_allocator *alloc, size_t max);

/* n octets aligned for any type, or NULL: the allocator said no, or the ceiling is reached. */
void *sp_arena_get(struct sp_arena *a, size_t n);

/* A copy of v that lives as long as the arena. SP_ERR_NOMEM; copy_out is then untouched. */
SP_MUST_USE int sp_arena_copy(struct sp_arena *a, struct sp_view v, struct sp_view *copy_out);

/* Give everything back; the arena can be used again. */
void sp_arena_reset(struct sp_arena *a);

#endif
