/* A resolver from inside. */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "dns/dns.h"

#include <unbound.h>

struct dns {
    struct ub_ctx *ub;
    struct event_base *base;
    size_t lookup_n; /* questions that have not ended */
    bool freed;      /* it goes with the last of them */
};

/* Each lookup holds its resolver. */
void dns_hold(struct dns *d);
void dns_release(struct dns *d);

#endif
