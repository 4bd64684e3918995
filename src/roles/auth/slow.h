/*
 * Who guesses waits: how long the answer to a failed attempt is held back, by the failures of the same client and for
 * the same user before it. Attack: guessing passwords, from one address or for one user from many. The right
 * password is never held back, so nobody can be locked out of their own account.
 *
 * A fixed table, so that no flood of addresses takes memory: an entry that was quiet for long gives way. Each
 * process of the role counts for itself.
 */
#ifndef ROLES_AUTH_SLOW_H
#define ROLES_AUTH_SLOW_H

#include "sallyport/base.h"

enum { AUTH_SLOW_SETS = 4096, AUTH_SLOW_WAYS = 4 };

/* limits { auth-slow-... } of the configuration. */
struct auth_slow_rules {
    uint32_t free_n;       /* failures without a delay                              */
    uint32_t first_ms;     /* the first delay; each further one is twice as long    */
    uint32_t most_ms;
    uint32_t half_life_ms; /* of the count, when nothing fails                      */
};

struct auth_slow {
    uint64_t seed;
    struct auth_slow_rules rules;
    struct auth_slow_entry {
        uint64_t name; /* hash of client or user */
        uint64_t last_ms;
        uint32_t failures;
    } entries[AUTH_SLOW_SETS][AUTH_SLOW_WAYS];
};

/* Nobody has failed. The seed is random where strangers choose the names; rules may be changed later on. */
void auth_slow_init(struct auth_slow *s, uint64_t seed);

/*
 * Note a failure and say how long to wait before it is answered.
 *
 *   kind    'c' a client's address, 'u' a user: the same name of both is two names
 *   now_ms  monotonic
 */
uint32_t auth_slow_failed(struct auth_slow *s, char kind, struct sp_view name, uint64_t now_ms);

#endif
