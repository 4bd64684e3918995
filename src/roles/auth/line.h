/*
 * Who is next: a bounded line of work, fair among clients. Each client has a queue of its own and they
 * take turns, so that one who asks a thousand times delays the others by one turn each. When the line
 * is full, the one with the most in it gives way. No threads in here: the caller locks.
 */
#ifndef ROLES_AUTH_LINE_H
#define ROLES_AUTH_LINE_H

#include "base/table.h"

struct auth_line_client;

/* Stands at the front of whatever waits. */
struct auth_line_item {
    struct auth_line_item   *before, *behind; /* in the queue of its client       */
    struct auth_line_client *client;          /* NULL: does not wait              */
};

struct auth_line {
    struct sp_table          clients;
    struct auth_line_client *turn; /* whose turn it is; a ring; NULL: nobody waits */
    size_t                   n, max;
};

/* max: items at once. */
void auth_line_init(struct auth_line *l, size_t max, uint64_t seed);

/* The line must be empty. */
void auth_line_fini(struct auth_line *l);

/*
 * Put an item behind those of the same client.
 * Returns the item that had to leave because the line was full (it may be this one), or NULL.
 */
struct auth_line_item *auth_line_push(struct auth_line *l, struct sp_view client, struct auth_line_item *item);

/* The next one's item, which leaves the line; NULL: nobody waits. */
struct auth_line_item *auth_line_pop(struct auth_line *l);

/* Take an item that waits out of the line. */
void auth_line_remove(struct auth_line *l, struct auth_line_item *item);

/*
 * What counts as one client: an IPv4 address, the /64 of an IPv6 address (a network card has that many),
 * and any other text as it is. out: at least AUTH_CLIENT_KEY_MAX octets. Returns the octets used.
 */
enum { AUTH_CLIENT_KEY_MAX = 48 };
size_t auth_client_key(struct sp_view address, uint8_t *out);

#endif
