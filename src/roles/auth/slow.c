#include "roles/auth/slow.h"

#include <string.h>

#include "base/table.h"

void auth_slow_init(struct auth_slow *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->rules =
        (struct auth_slow_rules){.free_n = 2, .first_ms = 1000, .most_ms = 16000, .half_life_ms = 60000};
}

/* Failures that still count: half of them are forgotten in each half-life. */
static uint32_t remembered(const struct auth_slow *s, const struct auth_slow_entry *e, uint64_t now_ms)
{
    uint64_t halves = (now_ms - e->last_ms) / s->rules.half_life_ms;
    return halves < 32 ? e->failures >> halves : 0;
}

/* The entry of a name, or the one of its set that matters least, emptied. */
static struct auth_slow_entry *entry_of(struct auth_slow *s, uint64_t name, uint64_t now_ms)
{
    struct auth_slow_entry *set = s->entries[name % AUTH_SLOW_SETS], *least = set;
    for (struct auth_slow_entry *e = set; e < set + AUTH_SLOW_WAYS; e++) {
        if (e->name == name && e->failures)
            return e;
        uint32_t here = remembered(s, e, now_ms), there = remembered(s, least, now_ms);
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
    uint32_t before = remembered(s, e, now_ms), delay_ms = s->rules.first_ms;
    e->failures = before < FAILURES_MAX ? before + 1 : before;
    e->last_ms = now_ms;
    if (before < s->rules.free_n)
        return 0;
    for (uint32_t n = s->rules.free_n; n < before && delay_ms < s->rules.most_ms; n++)
        delay_ms *= 2;
    return delay_ms < s->rules.most_ms ? delay_ms : s->rules.most_ms;
}
