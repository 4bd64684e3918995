/*
 * The rule table as data: every state that it can reach, for every policy, breadth first, and named theorems
 * about each state, each step and the table's form. The engine's own code takes no part, so a fault in either
 * shows. The table is an argument: test_walk.c gives the real one, test_mutants.c damaged ones.
 */
#ifndef TESTS_SMTP_LAW_H
#define TESTS_SMTP_LAW_H

#include "smtp/server_rules.h"

struct law {
    struct smtp_rule rules[P_N][IN_N];
    struct smtp_phase_row phases[P_N];
    struct smtp_word words[IN_VERB_N];
};

void law_init(struct law *l); /* as the engine has it */

/* The theorems, by number from 0; NULL behind the last. */
const char *law_theorem(unsigned n);

enum { LAW_THEOREMS_MAX = 64 };

struct law_verdicts {
    uint64_t fallen;                   /* a bit for each theorem that does not hold */
    char where[LAW_THEOREMS_MAX][120]; /* where not                                 */
    unsigned long states;              /* looked at                                 */
};

/* Judge the theorems of that set of bits. It is over when all of them have fallen. */
void law_judge(const struct law *l, uint64_t theorems, struct law_verdicts *out);

#endif
