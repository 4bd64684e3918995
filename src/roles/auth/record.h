/*
 * What happened in an exchange, for one field of the log: each challenge by its name, each response by its
 * length. Never what a response said.
 */
#ifndef ROLES_AUTH_RECORD_H
#define ROLES_AUTH_RECORD_H

#include "sallyport/base.h"

enum { AUTH_RECORD_MAX = 192 };

struct auth_record {
    char   text[AUTH_RECORD_MAX]; /* "initial:23 334:password-prompt response:12"; ends in a NUL */
    size_t len;
    size_t last_response; /* octets of the last one, decoded */
};

void auth_record_initial(struct auth_record *r, struct sp_view response);
void auth_record_response(struct auth_record *r, struct sp_view response);
void auth_record_challenge(struct auth_record *r, struct sp_view challenge);

/*
 * A sentence when the last response has the length of one full line of wrapped base64 (76, 64 or 60 characters), as
 * long tokens have when a tool breaks them; else NULL.
 */
const char *auth_record_wrapped(const struct auth_record *r);

#endif
