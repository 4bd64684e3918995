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

/* Does the theorem of that number hold? Else `where` says where not. states_out: looked at, or NULL. */
bool law_holds(const struct law *l, unsigned theorem, char where[200], unsigned long *states_out);

#endif
