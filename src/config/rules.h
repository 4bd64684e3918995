/* What no key alone can be wrong about: the rules between keys, a file for each section that has many. */
#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include "config/parse.h"

struct config_rules {
    struct config *config;
    const struct config_block *block; /* the one looked at */
    struct config_faults *faults;
};

bool config_rules_given(const struct config_rules *r, const char *key);

/* A fault at a key's line when it is given, else at the section's. */
void config_rules_fault(const struct config_rules *r, const char *key, const char *text);

/* An address of this machine alone. */
bool config_rules_is_loopback(const char *host);

void config_rules_listener(const struct config_rules *r);
void config_rules_route(const struct config_rules *r);
void config_rules_tokens(const struct config_rules *r);

#endif
