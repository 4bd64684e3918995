#include "base/view.h"
#include "roles/delivery/delivery.h"

static size_t slot_of(uint64_t id, uint64_t recipient)
{
    return (size_t)((id ^ recipient * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu >> 40) % DELIVERY_DONE_N;
}

/* Take an entry that is to be overwritten out of its chain. */
static void unchain(struct delivery_done *d, size_t entry)
{
    uint16_t *link = &d->heads[slot_of(d->ring[entry].id, d->ring[entry].recipient)];
    while (*link != 0 && *link != entry + 1)
        link = &d->nexts[*link - 1];
    if (*link != 0)
        *link = d->nexts[entry];
}

void delivery_done_add(struct delivery_done *d, uint64_t id, uint64_t recipient)
{
    size_t entry = d->at;
    d->at = (d->at + 1) % DELIVERY_DONE_N;
    unchain(d, entry);
    d->ring[entry].id = id;
    d->ring[entry].recipient = recipient;
    uint16_t *head = &d->heads[slot_of(id, recipient)];
    d->nexts[entry] = *head;
    *head = (uint16_t)(entry + 1);
}

bool delivery_done_has(const struct delivery_done *d, uint64_t id, uint64_t recipient)
{
    for (uint16_t at = d->heads[slot_of(id, recipient)]; at != 0; at = d->nexts[at - 1])
        if (d->ring[at - 1].id == id && d->ring[at - 1].recipient == recipient)
            return true;
    return false;
}
