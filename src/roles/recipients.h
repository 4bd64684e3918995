/*
 * The recipients of a message on its way in, as `submit` takes them: each address once, however many aliases
 * lead to it. For the roles that bring messages: smtpd and pickup.
 */
#ifndef ROLES_RECIPIENTS_H
#define ROLES_RECIPIENTS_H

#include "base/buf.h"
#include "base/table.h"
#include "ipc/ipc.h"

/* Octets of the list, within IPC_PAYLOAD_MAX with all that goes along: some 50,000 addresses of usual length. */
enum { RECIPIENTS_MAX = 3 << 20 };

struct recipients {
    struct sp_buf list;    /* of ipc_recipient                       */
    struct sp_table known; /* the addresses in it, once there are two */
    uint32_t n;
};

/* seed: random, for clients choose the addresses. alloc is borrowed. */
void recipients_init(struct recipients *r, const struct sp_allocator *alloc, uint64_t seed);
void recipients_fini(struct recipients *r);

/*
 * Add an address, unless it is there.
 *
 *   said   what the client wrote: where the address is another, it was led on by an alias, and reports name what
 *          was said (RFC 3461 4.2)
 *   asked  of RCPT; borrowed
 *
 * SP_ERR_LONG   the list is full
 * SP_ERR_NOMEM  the allocator said no
 * Nothing changed in either case.
 */
SP_MUST_USE int recipients_add(struct recipients *r, struct sp_view said, struct sp_view address,
                               const char *route, const struct sp_rcpt_parameters *asked);

/* A place in the list, to go back to. */
struct recipients_mark {
    size_t len;
    uint32_t n;
};

static inline struct recipients_mark recipients_mark(const struct recipients *r)
{
    return (struct recipients_mark){r->list.len, r->n};
}

/* Forget what was added since. */
void recipients_rewind(struct recipients *r, struct recipients_mark mark);

#endif
