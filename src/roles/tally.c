#include "roles/tally.h"

#include "base/table.h"
#include "base/view.h"
#include "os/heap.h"
#include "roles/memory.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PLACE_N = 16384, HASH_N = 2, PAGE = 4096 };

struct row {
    atomic_uint all;
    uint8_t unused[PAGE - sizeof(atomic_uint)]; /* whole pages, so that a row can be cleared from outside */
    atomic_uint places[PLACE_N];
};

/* In front of the rows, written once. */
struct head {
    uint64_t seed;
    uint8_t unused[PAGE - sizeof(uint64_t)];
};

struct shared {
    struct head head;
    struct row rows[];
};

struct tally {
    struct shared *shared;
    uint32_t rows, mine;
};

static size_t size_of(uint32_t rows) { return sizeof(struct shared) + rows * sizeof(struct row); }

int tally_make(uint32_t rows) { return memory_make("tally", size_of(rows)); }

void tally_clear(int fd, uint32_t row)
{
    /* A row that stays counts connections that are gone until its process is back and clears it itself. */
    (void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)size_of(row), sizeof(struct row));
}

struct tally *tally_open(int fd, uint32_t rows, uint32_t row)
{
    void *p = mmap(NULL, size_of(rows), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    tally_clear(fd, row);
    struct tally *t = os_new(sizeof *t);
    *t = (struct tally){p, rows, row};
    return t;
}

void tally_close(struct tally *t)
{
    if (t)
        (void)munmap(t->shared, size_of(t->rows));
    free(t);
}

static uint32_t sum_places(const struct tally *t, size_t place)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < t->rows; i++)
        sum += atomic_load_explicit(&t->shared->rows[i].places[place], memory_order_relaxed);
    return sum;
}

/* The nth place of an address: the hash is long enough for both. */
static size_t place_of(const struct tally *t, struct sp_view address, unsigned nth)
{
    return (size_t)(sp_hash(address, t->shared->head.seed) >> (nth * 32)) % PLACE_N;
}

void tally_enter(struct tally *t, struct sp_view address, uint32_t *all_out, uint32_t *of_address_out)
{
    struct row *mine = &t->shared->rows[t->mine];
    uint32_t all = 0, least = UINT32_MAX;
    atomic_fetch_add_explicit(&mine->all, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < t->rows; i++)
        all += atomic_load_explicit(&t->shared->rows[i].all, memory_order_relaxed);
    for (unsigned nth = 0; nth < HASH_N; nth++)
        atomic_fetch_add_explicit(&mine->places[place_of(t, address, nth)], 1, memory_order_relaxed);
    bool same = place_of(t, address, 0) == place_of(t, address, 1);
    for (unsigned nth = 0; nth < HASH_N; nth++) {
        uint32_t n = sum_places(t, place_of(t, address, nth));
        least = n < least ? n : least;
    }
    *all_out = all;
    *of_address_out = same ? least / HASH_N : least;
}

void tally_leave(struct tally *t, struct sp_view address)
{
    struct row *mine = &t->shared->rows[t->mine];
    atomic_fetch_sub_explicit(&mine->all, 1, memory_order_relaxed);
    for (unsigned nth = 0; nth < HASH_N; nth++)
        atomic_fetch_sub_explicit(&mine->places[place_of(t, address, nth)], 1, memory_order_relaxed);
}
