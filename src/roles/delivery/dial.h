/* Dialling: from the hosts of a pool to a connection that takes mail. Shared by link.c and the files dial*.c.
 */
#ifndef ROLES_DELIVERY_DIAL_H
#define ROLES_DELIVERY_DIAL_H

#include "roles/delivery/delivery.h"

/* --- dial.c ------------------------------------------------------------------------------------ */

void delivery_dial_begin(struct delivery_link *l);
void delivery_dial_next_host(struct delivery_link *l);
void delivery_dial_next_address(struct delivery_link *l);
/* The connection came to nothing: note why, and try the next address. l may be gone. */
void delivery_dial_on(struct delivery_link *l, const struct client_verdict *v);
void delivery_dial_end(struct delivery_dial *dial);

/* --- dial_proof.c: what the host must prove (RFC 7672, 8461) -------------------------------------- */

const char *delivery_policy_word(enum delivery_policy policy);
/* Find out what the host whose addresses have come must prove, then dial the first of these. */
void delivery_dial_find_policy(struct delivery_link *l, const struct dns_addresses *found);
/* Ask for it in the options of the connection. */
void delivery_dial_set_tls(struct delivery_link *l);

/* --- dial_trouble.c: what failed, and what is told of it ------------------------------------------ */

/* Keep the failure, if it tells more than those before it. */
void delivery_dial_note(struct delivery_link *l, const struct delivery_outcome *o, const char *phase);
/* A failure of a host before it is dialled. */
void delivery_dial_note_host(struct delivery_link *l, const char *enhanced, const char *what,
                             const char *why);
/* The address that is dialled could not be reached, or turned us away at its door: the next link need not
 * find out again. */
void delivery_dial_note_address(const struct delivery_link *l, const struct client_verdict *v);
/* Did it fail so lately that others go first? */
bool delivery_dial_is_left_alone(const struct delivery_link *l, const struct os_address *a, bool last_resort);
/* What is known of the first of the host's addresses stands for all. */
void delivery_dial_note_left_alone(struct delivery_link *l);
/* It stands. */
void delivery_dial_done(struct delivery_link *l);
enum ipc_health delivery_dial_health(const struct delivery_dial *dial);

#endif
