/*
 * Names to addresses, on the event loop, through libunbound: the name servers of /etc/resolv.conf,
 * the names of /etc/hosts, DNSSEC where a name server or an anchor makes it possible.
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/buf.h"
#include "os/address.h"

#include <event2/event.h>

struct dns;
struct dns_query;

/* How a question ended. NAME, phrase. */
#define DNS_VERDICTS(X)                                                                                      \
    X(FOUND, "found")                                                                                        \
    X(NO_NAME, "there is no such name")                                                                      \
    X(NO_DATA, "the name has no address")                                                                    \
    X(FAILED, "the name servers gave no answer")                                                             \
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

enum { DNS_ADDRESSES_MAX = 16 };

struct dns_addresses {
    enum dns_verdict verdict;
    struct os_address addresses[DNS_ADDRESSES_MAX]; /* with the port; IPv6 and IPv4 in turn */
    size_t n;
};

/*
 * A resolver on a loop. NULL: libunbound refused; error says why. A missing /etc/hosts or
 * /etc/resolv.conf is no fault.
 */
struct dns *dns_new(struct event_base *base, struct sp_buf *error);

/* Every query must have ended or been cancelled. NULL is fine. */
void dns_free(struct dns *d);

/*
 * Ask for the IPv6 and IPv4 addresses of a host. A numeric address, bare or in brackets, is its own answer.
 *
 *   port        for the addresses
 *   timeout_ms  for the whole question
 *   answer      called once, never before this call returns; `found` is borrowed for the call
 *
 * The query ends with its answer; before that dns_query_cancel may end it.
 */
struct dns_query *dns_addresses(struct dns *d, struct sp_view host, uint16_t port, uint32_t timeout_ms,
                                void (*answer)(void *ctx, const struct dns_addresses *found), void *ctx);
void dns_query_cancel(struct dns_query *q);

#endif
