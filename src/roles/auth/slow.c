#include "roles/auth/slow.h"

#include <string.h>

#include "base/table.h"

void auth_slow_init(struct auth_slow *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->seed = seed;
}

/* Failures that still count: half of them are forgotten in each half-life. */
static uint32_t remembered(const struct auth_slow_entry *e, uint64_t now_ms)
{
    uint64_t halves = (now_ms - e->last_ms) / AUTH_SLOW_HALF_LIFE_MS;
    return halves < 32 ? e->failures >> halves : 0;
}

/* The entry of a name, or the one of its set that matters least, emptied. */
static struct auth_slow_entry *entry_of(struct auth_slow *s, uint64_t name, uint64_t now_ms)
{
    struct auth_slow_entry *set = s->entries[name % AUTH_SLOW_SETS], *least = set;
    for (struct auth_slow_entry *e = set; e < set + AUTH_SLOW_WAYS; e++) {
        if (e->name == name && e->failures)
            return e;
        uint32_t here = remembered(e, now_ms), there = remembered(least, now_ms);
        if (here < there || (here == there && e->last_ms < least->last_ms))
            least = e;
    }
    *least = (struct auth_slow_entry){.name = name, .last_ms = now_ms};
    return least;
}

uint32_t auth_slow_failed(struct auth_slow *s, char kind, struct sp_view name, uint64_t now_ms)
{
    enum { FAILURES_MAX = 1 << 16 };
    struct auth_slow_entry *e = entry_of(s, sp_hash(name, s->seed ^ (uint64_t)kind << 32), now_ms);
    uint32_t before = remembered(e, now_ms), delay_ms = AUTH_SLOW_FIRST_MS;
    e->failures = before < FAILURES_MAX ? before + 1 : before;
    e->last_ms = now_ms;
    if (before < AUTH_SLOW_FREE)
        return 0;
    for (uint32_t n = AUTH_SLOW_FREE; n < before && delay_ms < AUTH_SLOW_MOST_MS; n++)
        delay_ms *= 2;
    return delay_ms;
}
