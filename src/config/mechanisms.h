/* What a listener offers in EHLO: its mechanisms by name, or all that its TLS, the users and the tokens permit. */
#ifndef CONFIG_MECHANISMS_H
#define CONFIG_MECHANISMS_H

#include "config/parse.h"

/* SASL_ID_NONE: not one of ours. Any case. */
enum sasl_mechanism_id config_mechanism_find(const char *name);

/* Bits of enum sasl_need. */
unsigned config_mechanism_needs(enum sasl_mechanism_id id);

/* The name that an operator may have meant, or NULL. */
const char *config_mechanism_nearest(const char *name);

/* "SCRAM-SHA-256-PLUS, SCRAM-SHA-1-PLUS, ..." */
const char *config_mechanism_names(struct sp_arena *arena);

/* Fill offered_tls and offered_clear of a listener, and note the names that it cannot offer. */
void config_mechanisms_settle(struct config *c, const struct config_block *listener, struct config_faults *faults);

#endif
