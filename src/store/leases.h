/* The set of recipients that are leased, in memory: a backend that serves one process needs no more. */
#ifndef STORE_LEASES_H
#define STORE_LEASES_H

#include "base/table.h"

struct leases {
    struct sp_table set;
};

void leases_init(struct leases *l);
void leases_fini(struct leases *l);

void leases_add(struct leases *l, uint64_t mail, uint32_t number);
bool leases_has(const struct leases *l, uint64_t mail, uint32_t number);
void leases_end(struct leases *l, uint64_t mail, uint32_t number);

#endif
