/*
 * Who guesses waits: how long the answer to a failed attempt is held back, by the failures of the same client and for
 * the same user before it. Attack: guessing passwords, from one address or for one user from many. The right
 * password is never held back, so nobody can be locked out of their own account.
 *
 * The counts are memory that all auth processes share, made by the supervisor: whichever process an attempt comes to,
 * it is counted with the others, and a process that dies takes nothing with it. A fixed table, so that no flood of
 * addresses takes memory: an entry that was quiet for long gives way. Two processes that count for the same name at the
 * same moment may count once.
 */
#ifndef ROLES_SLOW_H
#define ROLES_SLOW_H

#include "sallyport/base.h"

/* limits { auth-slow-... } of the configuration. */
struct slow_rules {
    uint32_t free_n;       /* failures without a delay                              */
    uint32_t first_ms;     /* the first delay; each further one is twice as long    */
    uint32_t most_ms;
    uint32_t half_life_ms; /* of the count, when nothing fails                      */
};

struct slow {
    struct slow_rules  rules; /* may be changed at any time */
    struct slow_table *table; /* shared                     */
};

/* Make the memory: a descriptor to pass on, or -1 with errno. Nobody has failed. */
int slow_make(void);

/* Open it. false with errno. The descriptor may be closed then. */
bool slow_open(int fd, struct slow *slow_out);
void slow_close(struct slow *s);

/*
 * Note a failure and say how long to wait before it is answered.
 *
 *   kind    'c' a client's address, 'u' a user: the same name of both is two names
 *   now_ms  monotonic, the same clock in all processes
 */
uint32_t slow_failed(struct slow *s, char kind, struct sp_view name, uint64_t now_ms);

#endif
