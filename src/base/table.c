#include "base/table.h"

#include "base/view.h"

struct sp_table_entry {
    struct sp_table_entry *next;
    void *value;
    uint64_t hash;
    size_t key_len;
    uint8_t key[];
};

uint64_t sp_hash(struct sp_view v, uint64_t seed)
{
    /* FNV-1a over a seeded start, finished with the mixer of MurmurHash3. */
    uint64_t h = 0xcbf29ce484222325u ^ seed;
    for (size_t i = 0; i < v.len; i++)
        h = (h ^ v.p[i]) * 0x100000001b3u;
    h ^= seed >> 32 ^ h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

void sp_table_init(struct sp_table *t, const struct sp_allocator *alloc, uint64_t seed)
{
    *t = (struct sp_table){.alloc = alloc, .seed = seed};
}

static void release(struct sp_table *t, struct sp_table_entry *e)
{
    t->alloc->resize(t->alloc->ctx, e, sizeof *e + e->key_len, 0);
}

void sp_table_fini(struct sp_table *t)
{
    for (size_t i = 0; i < t->slot_n; i++)
        while (t->slots[i]) {
            struct sp_table_entry *e = t->slots[i];
            t->slots[i] = e->next;
            release(t, e);
        }
    if (t->slots)
        t->alloc->resize(t->alloc->ctx, t->slots, t->slot_n * sizeof *t->slots, 0);
    sp_table_init(t, t->alloc, t->seed);
}

/* The link that points at the key's entry, or at the NULL where it would be. */
static struct sp_table_entry **link_of(const struct sp_table *t, struct sp_view key, uint64_t hash)
{
    struct sp_table_entry **link = &t->slots[hash & (t->slot_n - 1)];
    while (*link && !((*link)->hash == hash && sp_view_eq(sp_view_make((*link)->key, (*link)->key_len), key)))
        link = &(*link)->next;
    return link;
}

void *sp_table_get(const struct sp_table *t, struct sp_view key)
{
    if (t->n == 0)
        return NULL;
    struct sp_table_entry *e = *link_of(t, key, sp_hash(key, t->seed));
    return e ? e->value : NULL;
}

static int grow(struct sp_table *t)
{
    size_t n = t->slot_n ? t->slot_n * 2 : 16;
    struct sp_table_entry **slots = t->alloc->resize(t->alloc->ctx, NULL, 0, n * sizeof *slots);
    if (!slots)
        return SP_ERR_NOMEM;
    memset(slots, 0, n * sizeof *slots);
    for (size_t i = 0; i < t->slot_n; i++)
        while (t->slots[i]) {
            struct sp_table_entry *e = t->slots[i];
            t->slots[i] = e->next;
            e->next = slots[e->hash & (n - 1)];
            slots[e->hash & (n - 1)] = e;
        }
    if (t->slots)
        t->alloc->resize(t->alloc->ctx, t->slots, t->slot_n * sizeof *t->slots, 0);
    t->slots = slots;
    t->slot_n = n;
    return SP_OK;
}

int sp_table_put(struct sp_table *t, struct sp_view key, void *value)
{
    uint64_t hash = sp_hash(key, t->seed);
    if (t->n >= t->slot_n && grow(t))
        return SP_ERR_NOMEM;
    struct sp_table_entry **link = link_of(t, key, hash);
    if (*link) {
        (*link)->value = value;
        return SP_OK;
    }
    struct sp_table_entry *e = t->alloc->resize(t->alloc->ctx, NULL, 0, sizeof *e + key.len);
    if (!e)
        return SP_ERR_NOMEM;
    *e = (struct sp_table_entry){.value = value, .hash = hash, .key_len = key.len};
    if (key.len)
        memcpy(e->key, key.p, key.len);
    *link = e;
    t->n++;
    return SP_OK;
}

void *sp_table_take(struct sp_table *t, struct sp_view key)
{
    if (t->n == 0)
        return NULL;
    struct sp_table_entry **link = link_of(t, key, sp_hash(key, t->seed));
    struct sp_table_entry *e = *link;
    if (!e)
        return NULL;
    void *value = e->value;
    *link = e->next;
    release(t, e);
    t->n--;
    return value;
}

bool sp_table_next(const struct sp_table *t, size_t *cursor, struct sp_view *key_out, void **value_out)
{
    size_t slot = *cursor >> 16, skip = *cursor & 0xffff;
    for (; slot < t->slot_n; slot++, skip = 0) {
        struct sp_table_entry *e = t->slots[slot];
        for (size_t i = 0; e && i < skip; i++)
            e = e->next;
        if (e) {
            *key_out = sp_view_make(e->key, e->key_len);
            *value_out = e->value;
            *cursor = slot << 16 | (skip + 1);
            return true;
        }
    }
    return false;
}
