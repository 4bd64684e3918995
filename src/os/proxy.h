/*
 * The PROXY protocol, versions 1 and 2: what a proxy in front of us says of the connection that it passes on, before
 * any octet of the client's. https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt
 *
 * Whoever may say it may claim to be any client: only from trusted proxies is it read.
 */
#ifndef OS_PROXY_H
#define OS_PROXY_H

#include "os/address.h"

enum { OS_PROXY_MAX = 16 + 65535 }; /* octets of the longest header */

struct os_proxy {
    bool              known;    /* from, to: else the connection is the proxy's own, or its client is not TCP's */
    struct os_address from, to; /* of the client, and what it connected to; ::ffff:192.0.2.1 comes as 192.0.2.1 */
    size_t            len;      /* octets of the header; what follows is the client's                           */
};

/*
 * Read the header at the start of `in`.
 *
 * SP_ERR_ABSENT  it may become one: more octets are needed
 * SP_ERR_SYNTAX  it is none, or malformed; fault_out says why, in static text
 */
SP_MUST_USE int os_proxy_parse(struct sp_view in, struct os_proxy *proxy_out, const char **fault_out);

#endif
