/* The resolver of a role, as the section dns of its configuration says. */
#ifndef ROLES_RESOLVER_H
#define ROLES_RESOLVER_H

#include "dns/dns.h"
#include "roles/role.h"

/* NULL leaves a sentence in error. Files that it names are read with the first question, /etc/hosts at once. */
struct dns *role_resolver_new(const struct role *r, struct sp_buf *error);

/* A new configuration: replace *dns, which lives on until its last question is answered. When that cannot be, it stays,
 * and the log says so. */
void role_resolver_renew(const struct role *r, struct dns **dns);

#endif
