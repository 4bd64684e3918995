/* Numeric addresses, listening sockets and networks. No names are looked up here. */
#ifndef OS_ADDRESS_H
#define OS_ADDRESS_H

#include "sallyport/base.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct os_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } as;
    socklen_t len;
};

/* "127.0.0.1:2525", "[::1]:25". SP_ERR_SYNTAX: not of that form; SP_ERR_RANGE: port over 65535. */
SP_MUST_USE int os_address_parse(struct sp_view text, struct os_address *address_out);

/* text_out: at least OS_ADDRESS_TEXT octets; "[::1]:25". */
enum { OS_ADDRESS_TEXT = 64 };
void os_address_text(const struct os_address *a, char *text_out);

/* The same without port and brackets: "::1". */
void os_address_host(const struct os_address *a, char *host_out);

bool os_address_is_loopback(const struct os_address *a);
/* Of a host that anybody may have: not this machine, its link, a private network, a group, or what is reserved. */
bool os_address_is_public(const struct os_address *a);
uint16_t os_address_port(const struct os_address *a);

/* Bind a stream socket without listening yet, non-blocking, close-on-exec. -1 with errno. */
int os_address_bind(const struct os_address *a);

/* A network: "192.0.2.0/24", "2001:db8::/32", or one address. */
struct os_network {
    uint8_t octets[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned prefix;    /* 0..128; IPv4's plus 96 */
    bool v4;
};

/* SP_ERR_SYNTAX: not of that form. SP_ERR_RANGE: the prefix is too long, or bits behind it are not 0. */
SP_MUST_USE int os_network_parse(struct sp_view text, struct os_network *network_out);

/* 127.0.0.1 and ::ffff:127.0.0.1 are the same address; ::/0 holds no IPv4. */
bool os_network_has(const struct os_network *n, const struct os_address *a);

#endif
