#include "roles/slow.h"

#include "base/table.h"
#include "roles/memory.h"

#include <stdatomic.h>
#include <sys/mman.h>

enum { SETS = 4096, WAYS = 4, FAILURES_MAX = 1 << 16 };

/* Zeros: nobody. */
struct entry {
    _Atomic uint64_t name; /* hash of client or user */
    _Atomic uint64_t last_ms;
    _Atomic uint32_t failures;
};

struct slow_table {
    uint64_t seed; /* written once: strangers choose the names */
    struct entry entries[SETS][WAYS];
};

int slow_make(void) { return memory_make("slow", sizeof(struct slow_table)); }

bool slow_open(int fd, struct slow *slow_out)
{
    void *p = mmap(NULL, sizeof(struct slow_table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return false;
    slow_out->table = p;
    slow_out->rules =
        (struct slow_rules){.free_n = 2, .first_ms = 1000, .most_ms = 16000, .half_life_ms = 60000};
    return true;
}

void slow_close(struct slow *s)
{
    if (s->table)
        (void)munmap(s->table, sizeof *s->table);
    s->table = NULL;
}

/* Failures that still count: half of them are forgotten in each half-life. */
static uint32_t remembered(const struct slow *s, const struct entry *e, uint64_t now_ms)
{
    uint64_t last_ms = e->last_ms; /* another process may have been later than this one's now */
    uint64_t halves = now_ms > last_ms ? (now_ms - last_ms) / s->rules.half_life_ms : 0;
    return halves < 32 ? e->failures >> halves : 0;
}

/* The entry of a name, or the one of its set that matters least, emptied. */
static struct entry *entry_of(struct slow *s, uint64_t name, uint64_t now_ms)
{
    struct entry *set = s->table->entries[name % SETS], *least = set;
    for (struct entry *e = set; e < set + WAYS; e++) {
        if (e->name == name && e->failures)
            return e;
        uint32_t here = remembered(s, e, now_ms), there = remembered(s, least, now_ms);
        if (here < there || (here == there && e->last_ms < least->last_ms))
            least = e;
    }
    least->failures = 0;
    least->name = name;
    least->last_ms = now_ms;
    return least;
}

uint32_t slow_failed(struct slow *s, char kind, struct sp_view name, uint64_t now_ms)
{
    struct entry *e = entry_of(s, sp_hash(name, s->table->seed ^ (uint64_t)kind << 32), now_ms);
    uint32_t before = remembered(s, e, now_ms), delay_ms = s->rules.first_ms;
    e->failures = before < FAILURES_MAX ? before + 1 : before;
    e->last_ms = now_ms;
    if (before < s->rules.free_n)
        return 0;
    for (uint32_t n = s->rules.free_n; n < before && delay_ms < s->rules.most_ms; n++)
        delay_ms *= 2;
    return delay_ms < s->rules.most_ms ? delay_ms : s->rules.most_ms;
}
