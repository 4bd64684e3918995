#include "store/leases.h"

#include "os/heap.h"

#include <string.h>

struct lease_key {
    uint8_t octets[12];
};

static struct lease_key key_of(uint64_t mail, uint32_t number)
{
    struct lease_key k;
    memcpy(k.octets, &mail, 8);
    memcpy(k.octets + 8, &number, 4);
    return k;
}

static struct sp_view view_of(const struct lease_key *k)
{
    return (struct sp_view){k->octets, sizeof k->octets};
}

void leases_init(struct leases *l)
{
    uint64_t seed;
    os_random(&seed, sizeof seed);
    sp_table_init(&l->set, &os_heap, seed);
}

void leases_fini(struct leases *l) { sp_table_fini(&l->set); }

void leases_add(struct leases *l, uint64_t mail, uint32_t number)
{
    struct lease_key k = key_of(mail, number);
    int status = sp_table_put(&l->set, view_of(&k), l);
    (void)status; /* os_heap never says no */
}

bool leases_has(const struct leases *l, uint64_t mail, uint32_t number)
{
    struct lease_key k = key_of(mail, number);
    return sp_table_get(&l->set, view_of(&k)) != NULL;
}

void leases_end(struct leases *l, uint64_t mail, uint32_t number)
{
    struct lease_key k = key_of(mail, number);
    (void)sp_table_take(&l->set, view_of(&k)); /* ending twice is ending once */
}
