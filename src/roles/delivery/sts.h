/* MTA-STS (RFC 8461): what a domain says of the servers that take its mail. */
#ifndef ROLES_DELIVERY_STS_H
#define ROLES_DELIVERY_STS_H

#include "roles/delivery/sts_policy.h"

#include "ipc/ipc.h"

struct delivery;
struct delivery_route;
struct sts_question;

/*
 * Ask for the policy of a domain: from memory, from the disk, or, when the DNS names a newer one, from the domain's
 * web server through the role fetch.
 *
 *   domain  as the DNS has it
 *   answer  called once, by the loop; policy NULL: it has none, or none that could be had. Borrowed for the call
 */
struct sts_question *sts_ask(struct delivery_route *route, const char *domain,
                             void (*answer)(void *ctx, const struct sts_policy *policy), void *ctx);
void sts_cancel(struct sts_question *q);

/* From the role fetch; it is gone. */
void sts_take_document(struct delivery *d, const struct ipc_document_here *m);
void sts_lose_fetch(struct delivery *d);

#endif
