/*
 * Questions to the DNS on the event loop, through libunbound, which remembers and, where it is asked to,
 * validates the answers. An answer is told from the loop, never inside the call that asks.
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/buf.h"
#include "dns/packet.h"
#include "os/address.h"

#include <event2/event.h>

struct dns;
struct dns_lookup;
struct dns_query;

/* How a question ended. NAME, phrase. */
#define DNS_VERDICTS(X)                                                                                      \
    X(FOUND, "found")                                                                                        \
    X(NO_NAME, "there is no such name")                                                                      \
    X(NO_DATA, "the name has no address")                                                                    \
    X(FAILED, "the name servers gave no answer")                                                             \
    X(BOGUS, "the answer is signed, and the signature is wrong (DNSSEC)")                                    \
    X(TIMEOUT, "the name servers did not answer in time")                                                    \
    X(BAD_NAME, "this cannot be a host name")

#define X(n, ...) DNS_##n,
enum dns_verdict { DNS_VERDICTS(X) DNS_VERDICT_N };
#undef X

const char *dns_verdict_text(enum dns_verdict verdict);

/* NO_NAME, NO_DATA and BAD_NAME will be the same tomorrow. */
static inline bool dns_is_final(enum dns_verdict v)
{
    return v == DNS_NO_NAME || v == DNS_NO_DATA || v == DNS_BAD_NAME;
}

/* --- the resolver ------------------------------------------------------------------------- */

enum dns_trust {
    DNS_TRUST_OFF,      /* nothing is validated, nothing is secure                               */
    DNS_TRUST_TOLERANT, /* validated, unless the name servers leave the signatures out: then the
                           answer is taken, and is not secure                                  */
    DNS_TRUST_STRICT    /* an answer without the signatures that must be there is bogus         */
};

/* Borrowed for the call. Zeros: name servers of /etc/resolv.conf, no names of /etc/hosts, no validation. */
struct dns_options {
    const struct os_address *servers; /* to forward to */
    size_t server_n;
    enum dns_trust trust;
    const char *anchor_file; /* NULL: the keys of the root that this program knows. It is read with the first
                                question */
    bool hosts;              /* the names of /etc/hosts */
};

/*
 * A resolver on a loop. NULL: libunbound refused; error says why. A missing /etc/hosts or
 * /etc/resolv.conf is no fault.
 */
struct dns *dns_open(struct event_base *base, const struct dns_options *options, struct sp_buf *error);

/* That of this machine: /etc/resolv.conf, /etc/hosts, no validation. */
struct dns *dns_new(struct event_base *base, struct sp_buf *error);

/* It lives on until its last question has ended or was cancelled. NULL is fine. */
void dns_free(struct dns *d);

/* --- any records of a name ----------------------------------------------------------------- */

struct dns_answer {
    enum dns_verdict verdict;
    bool secure;              /* what it says, FOUND or NO_..., is proved by DNSSEC       */
    const char *why;          /* BOGUS: what the validator found; else ""                 */
    struct dns_packet packet; /* FOUND: at the first record of the answer                 */
};

/*
 * Ask for the records of a type.
 *
 *   name        ASCII; a dot at its end is allowed
 *   timeout_ms  for the whole question
 *   answer      called once; `found` is borrowed for the call
 *
 * The lookup ends with its answer; before that dns_lookup_cancel may end it.
 */
struct dns_lookup *dns_ask(struct dns *d, struct sp_view name, enum dns_type type, uint32_t timeout_ms,
                           void (*answer)(void *ctx, const struct dns_answer *found), void *ctx);
void dns_lookup_cancel(struct dns_lookup *l);

/* --- addresses of a host --------------------------------------------------------------------- */

enum { DNS_ADDRESSES_MAX = 16 };

struct dns_addresses {
    enum dns_verdict verdict;
    const char *why;                                /* as in dns_answer; borrowed for the call */
    struct os_address addresses[DNS_ADDRESSES_MAX]; /* with the port; IPv6 and IPv4 in turn */
    size_t n;
    bool secure;                 /* proved by DNSSEC, for both families  */
    char name[DNS_NAME_MAX + 1]; /* behind all aliases (CNAME); "" when it has none of its own */
};

/*
 * Ask for the IPv6 and IPv4 addresses of a host. A numeric address, bare or in brackets, is its own answer.
 * Otherwise as dns_ask.
 */
struct dns_query *dns_addresses(struct dns *d, struct sp_view host, uint16_t port, uint32_t timeout_ms,
                                void (*answer)(void *ctx, const struct dns_addresses *found), void *ctx);
void dns_query_cancel(struct dns_query *q);

#endif
