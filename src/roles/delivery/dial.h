/*
 * Dialling: from the hosts of a pool to a connection that takes mail. The hosts of one preference are looked
 * up together; their addresses race (RFC 8305): each begins a moment after the one before it, the first that
 * connects wins, the others are closed. The next preference follows when all of the better one have failed
 * (RFC 5321 5.1). Shared by link.c and the files dial*.c.
 */
#ifndef ROLES_DELIVERY_DIAL_H
#define ROLES_DELIVERY_DIAL_H

#include "roles/delivery/delivery.h"

enum { DELIVERY_TLSA_MAX = 16 };

/* A host: its addresses, and what it must prove. */
struct delivery_dial_host {
    struct delivery_link *link;
    const struct delivery_host *host;
    struct dns_query *query;
    struct dns_lookup *lookup;
    struct dns_addresses addresses; /* none: it cannot be dialled */
    bool original;                  /* TLSA records are asked for behind the name as it is, not for its alias */
    char base[DNS_NAME_MAX + 1];
    struct os_tls_tlsa tlsa[DELIVERY_TLSA_MAX];
    struct sp_buf tlsa_data;
    struct sp_buf tlsa_text; /* all records, also those that cannot be used: see tls_report.h */
    struct os_tls_expected expected;
    enum delivery_policy policy;
};

/* An address of a host of the preference at hand. */
struct delivery_place {
    uint8_t host, address;
    bool tried;
};

/* A connection to an address. It stays when it wins: the client's options are in it. */
struct delivery_racer {
    struct delivery_link *link;
    struct delivery_racer *next;
    struct delivery_dial_host *host; /* NULL: a socket of this machine */
    struct delivery_place *place;    /* NULL: it had no turn           */
    struct dns_addresses one;
    struct client_options options;
    struct client *client;
};

/* --- dial.c: hosts by preference ------------------------------------------------------------------ */

void delivery_dial_begin(struct delivery_link *l);
/* The hosts of the next preference, or the end; l may be gone. */
void delivery_dial_next_hosts(struct delivery_link *l);
/* All is known of the host that can be. */
void delivery_dial_host_known(struct delivery_dial_host *h);
void delivery_dial_end(struct delivery_dial *dial);
/* It stands: forget the other hosts. */
void delivery_dial_done(struct delivery_link *l);

/* --- dial_order.c --------------------------------------------------------------------------------- */

/*
 * The order in which the addresses of some hosts race: that of the first host comes first, IPv6 if it has
 * one; then IPv6 and IPv4 in turn while there are both, each of the next host that has one left.
 *
 *   hosts       whose addresses count, of those from the first to the last
 *   places_out  room for all their addresses
 *
 * Returns how many there are. RFC 8305 4, RFC 5321 5.1.
 */
size_t delivery_dial_order(struct delivery_dial_host *const *hosts, size_t host_n,
                           struct delivery_place *places_out);

/* --- dial_race.c ---------------------------------------------------------------------------------- */

/* The next address if it is its turn; when none is left, the next hosts. l may be gone. */
void delivery_race_go_on(struct delivery_link *l);
/* A server of this machine: there is nothing to look up, and nobody on the way. */
void delivery_race_dial_socket(struct delivery_link *l);
/* Somebody must find out when one that was left alone is back. */
void delivery_race_dial_spare(struct delivery_link *l);
/* It let us connect: the others are closed. */
void delivery_race_won(struct delivery_racer *r);
/* The connection came to nothing: note why, and go on. l may be gone. */
void delivery_race_lost(struct delivery_racer *r, const struct client_verdict *v);
void delivery_race_end(struct delivery_dial *dial);

/* --- dial_proof.c: what a host must prove (RFC 7672, 8461) ----------------------------------------- */

const char *delivery_policy_word(enum delivery_policy policy);
/* Of the connection that stands. */
enum delivery_policy delivery_dial_policy(const struct delivery_dial *dial);
/* Find out what the host whose addresses have come must prove. */
void delivery_dial_find_policy(struct delivery_dial_host *h);
/* Ask for it in the options of a connection. false: no TLS can be had here, and it must be. */
bool delivery_dial_set_tls(struct delivery_dial_host *h, struct client_options *options);

/* --- dial_trouble.c: what failed, and what is told of it ------------------------------------------- */

/* Keep the failure, if it tells more than those before it. */
void delivery_dial_note(struct delivery_link *l, const struct delivery_outcome *o, const char *phase);
/* Was one of the failures more than silence? */
bool delivery_dial_was_answered(const struct delivery_dial *dial);
/* A failure of a host before it is dialled. */
void delivery_dial_note_host(struct delivery_dial_host *h, const char *enhanced, const char *what, const char *why);
/* The address could not be reached, or turned us away at its door: the next link need not find out again. */
void delivery_dial_note_address(const struct delivery_racer *r, const struct client_verdict *v);
/* Has it failed lately, so that others go first? Then that is noted as its failure. */
bool delivery_dial_leave_alone(struct delivery_dial_host *h, uint8_t address);
/* What is remembered against the address is over. */
void delivery_dial_forgive(const struct delivery_racer *winner);
enum ipc_health delivery_dial_health(const struct delivery_dial *dial);

#endif
