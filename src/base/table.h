/*
 * A hash table from octets to pointers: chained, keyed with a secret seed so
 * that a peer who chooses the keys cannot choose the collisions.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "sallyport/base.h"

struct sp_table_entry;

struct sp_table {
    const struct sp_allocator *alloc; /* borrowed                      */
    struct sp_table_entry    **slots; /* owned                         */
    size_t                     slot_n; /* 0 or a power of two          */
    size_t                     n;      /* entries                      */
    uint64_t                   seed;
};

/* seed: random in a program that meets strangers; any number in a test. */
void sp_table_init(struct sp_table *t, const struct sp_allocator *alloc, uint64_t seed);

/* Free the table; values are the caller's. */
void sp_table_fini(struct sp_table *t);

/* The value of a key, or NULL. */
void *sp_table_get(const struct sp_table *t, struct sp_view key);

/*
 * Bind a key to a value that is not NULL, replacing an older one. The key is copied.
 * SP_ERR_NOMEM: nothing changed.
 */
SP_MUST_USE int sp_table_put(struct sp_table *t, struct sp_view key, void *value);

/* Remove a key; returns its value, or NULL. */
void *sp_table_take(struct sp_table *t, struct sp_view key);

/*
 * Visit each entry once, in no order: start with *cursor = 0; false at the end.
 * The table must not change between calls.
 */
bool sp_table_next(const struct sp_table *t, size_t *cursor, struct sp_view *key_out, void **value_out);

/* The keyed hash used above. */
uint64_t sp_hash(struct sp_view v, uint64_t seed);

#endif
