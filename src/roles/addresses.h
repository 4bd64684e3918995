/*
 * Addresses of the domains that are ours: which exist, what aliases stand for, and the route that mail to
 * each takes. For the roles that decide it: smtpd when a recipient is given, queue when it writes a report.
 */
#ifndef ROLES_ADDRESSES_H
#define ROLES_ADDRESSES_H

#include "config/config.h"
#include "ipc/ipc.h"
#include "roles/srs.h"

enum {
    ADDRESSES_DEPTH_MAX = 20,     /* aliases behind aliases: more is a mistake                     */
    ADDRESSES_TARGETS_MAX = 10000 /* that one address may stand for                               */
};

struct addresses; /* NULL: there are no aliases */

struct addresses *addresses_new(void);
void addresses_free(struct addresses *a);

/* A domain's alias file, for a generation of the configuration; in use from addresses_use on, when all of
 * older ones goes. It was tried by the supervisor: a fault ends the process. */
void addresses_take(struct addresses *a, const struct ipc_aliases *m);
void addresses_use(struct addresses *a, uint32_t generation);

/* The same for what senders of forwarded mail are signed with. */
void addresses_take_srs(struct addresses *a, const struct ipc_srs_secrets *m);
const struct srs *addresses_srs(const struct addresses *a);

/* NAME. What an address is. */
enum addresses_answer {
    ADDRESSES_HERE,    /* its targets were told                                          */
    ADDRESSES_UNKNOWN, /* the domain is ours, and has no such name; or it stands for such names alone */
    ADDRESSES_FOREIGN, /* the domain is not ours                                         */
    ADDRESSES_FORGED,  /* it looks like one that stands for a sender, and we did not make it */
    ADDRESSES_EXPIRED, /* we did, too long ago                                           */
    ADDRESSES_TANGLED  /* aliases lead in a circle, too deep, or to too many             */
};

/*
 * Where mail to LOCAL@DOMAIN goes.
 *
 *   domain   as it was said or as DNS has it; empty: <postmaster>, the server's own
 *   address  as it was said: where it stands for itself, it is told so
 *   sender   for the rules of routes that lead elsewhere
 *   take     each target once; its route is never NULL: where none leads, mail is held. Its views are void
 * after the call. May be NULL: only the answer matters.
 */
enum addresses_answer addresses_resolve(
    const struct addresses *a, const struct config *c, struct sp_view local, struct sp_view domain,
    struct sp_view address, struct sp_view sender,
    void (*take)(void *ctx, struct sp_view address, const struct config_route *route), void *ctx);

#endif
