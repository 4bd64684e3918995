#include "os/address.h"

#include "base/view.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* inet_pton wants a NUL behind; a text with one inside is none. */
static bool parse_ip(struct sp_view text, int family, void *ip_out)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.p, 0, text.len))
        return false;
    memcpy(copy, text.p, text.len);
    copy[text.len] = 0;
    return inet_pton(family, copy, ip_out) == 1;
}

int os_address_parse(struct sp_view text, struct os_address *address_out)
{
    struct os_address a = {0};
    size_t colon = text.len;
    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return SP_ERR_SYNTAX;
    struct sp_view host = sp_view_sub(text, 0, colon - 1);
    uint64_t port;
    int status = sp_view_u64(sp_view_from(text, colon), 65535, &port);
    bool v6 = host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';
    if (v6 ? !parse_ip(sp_view_sub(host, 1, host.len - 2), AF_INET6, &a.as.v6.sin6_addr)
           : !parse_ip(host, AF_INET, &a.as.v4.sin_addr))
        return SP_ERR_SYNTAX;
    if (status)
        return status;
    if (v6) {
        a.as.v6.sin6_family = AF_INET6;
        a.as.v6.sin6_port = htons((uint16_t)port);
        a.len = sizeof a.as.v6;
    } else {
        a.as.v4.sin_family = AF_INET;
        a.as.v4.sin_port = htons((uint16_t)port);
        a.len = sizeof a.as.v4;
    }
    *address_out = a;
    return SP_OK;
}

uint16_t os_address_port(const struct os_address *a)
{
    return ntohs(a->as.any.sa_family == AF_INET6 ? a->as.v6.sin6_port : a->as.v4.sin_port);
}

void os_address_host(const struct os_address *a, char *host_out)
{
    const void *ip = a->as.any.sa_family == AF_INET6 ? (const void *)&a->as.v6.sin6_addr
                                                     : (const void *)&a->as.v4.sin_addr;
    if ((a->as.any.sa_family != AF_INET && a->as.any.sa_family != AF_INET6) ||
        !inet_ntop(a->as.any.sa_family, ip, host_out, OS_ADDRESS_TEXT))
        snprintf(host_out, OS_ADDRESS_TEXT, "unknown");
}

void os_address_text(const struct os_address *a, char *text_out)
{
    char host[OS_ADDRESS_TEXT];
    os_address_host(a, host);
    bool v6 = a->as.any.sa_family == AF_INET6;
    /* At most 45 characters of address, so this is never cut. */
    snprintf(text_out, OS_ADDRESS_TEXT, v6 ? "[%.45s]:%u" : "%.45s:%u", host, (unsigned)os_address_port(a));
}

/* As 16 octets, IPv4 mapped. */
static void map(const struct os_address *a, uint8_t octets_out[16])
{
    if (a->as.any.sa_family == AF_INET6) {
        memcpy(octets_out, &a->as.v6.sin6_addr, 16);
        return;
    }
    memset(octets_out, 0, 10);
    memset(octets_out + 10, 0xff, 2);
    memcpy(octets_out + 12, &a->as.v4.sin_addr, 4);
}

static bool is_mapped(const uint8_t octets[16])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(octets, prefix, sizeof prefix) == 0;
}

bool os_address_is_loopback(const struct os_address *a)
{
    uint8_t octets[16];
    map(a, octets);
    return is_mapped(octets) ? octets[12] == 127 : IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)octets);
}

int os_address_bind(const struct os_address *a)
{
    const int on = 1;
    int fd = socket(a->as.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    /* [::]:25 and 0.0.0.0:25 are two listeners, whatever the machine's default. */
    bool v6 = a->as.any.sa_family == AF_INET6;
    /* Accepted connections inherit it: replies leave whole, and waiting to fill a packet only delays them. */
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on)) || bind(fd, &a->as.any, a->len)) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* Are all bits from `prefix` on 0? */
static bool ends_in_zeros(const uint8_t octets[16], unsigned prefix)
{
    for (unsigned bit = prefix; bit < 128; bit++)
        if (octets[bit / 8] & 0x80 >> bit % 8)
            return false;
    return true;
}

int os_network_parse(struct sp_view text, struct os_network *network_out)
{
    struct os_network n = {0};
    struct os_address a = {0};
    size_t slash = sp_view_find(text, '/', 0);
    struct sp_view ip = sp_view_sub(text, 0, slash);
    if (parse_ip(ip, AF_INET, &a.as.v4.sin_addr))
        a.as.any.sa_family = AF_INET;
    else if (parse_ip(ip, AF_INET6, &a.as.v6.sin6_addr))
        a.as.any.sa_family = AF_INET6;
    else
        return SP_ERR_SYNTAX;
    n.v4 = a.as.any.sa_family == AF_INET;
    uint64_t most = n.v4 ? 32 : 128, prefix = most;
    if (slash < text.len) {
        int status = sp_view_u64(sp_view_from(text, slash + 1), most, &prefix);
        if (status)
            return status;
    }
    map(&a, n.octets);
    n.prefix = (unsigned)prefix + (n.v4 ? 96 : 0);
    if (!ends_in_zeros(n.octets, n.prefix))
        return SP_ERR_RANGE;
    n.v4 = is_mapped(n.octets) && n.prefix >= 96; /* also "::ffff:192.0.2.0/120" */
    *network_out = n;
    return SP_OK;
}

bool os_network_has(const struct os_network *n, const struct os_address *a)
{
    uint8_t octets[16];
    map(a, octets);
    /* ::/0 is all of IPv6, not IPv4 as well. */
    if (n->v4 != is_mapped(octets))
        return false;
    unsigned whole = n->prefix / 8, bits = n->prefix % 8;
    if (memcmp(octets, n->octets, whole) != 0)
        return false;
    return bits == 0 || (octets[whole] ^ n->octets[whole]) >> (8 - bits) == 0;
}

#define V4(a, b, c, d, n)                                                                                    \
    {                                                                                                        \
        {[10] = 0xff, 0xff, a, b, c, d}, .prefix = 96 + (n), .v4 = true                                      \
    }
#define V6(a, b, n)                                                                                          \
    {                                                                                                        \
        {a, b}, .prefix = (n)                                                                                \
    }

/* RFC 6890 and the registries that it began; what is for documentation alone harms nobody. */
static const struct os_network not_public[] = {
    V4(0, 0, 0, 0, 8),    V4(10, 0, 0, 0, 8),     V4(100, 64, 0, 0, 10),
    V4(127, 0, 0, 0, 8),  V4(169, 254, 0, 0, 16), V4(172, 16, 0, 0, 12),
    V4(192, 0, 0, 0, 24), V4(192, 168, 0, 0, 16), V4(198, 18, 0, 0, 15),
    V4(224, 0, 0, 0, 3),  V6(0, 0, 80),           {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, false},
    V6(0x20, 0x02, 16),   V6(0xfc, 0, 7),         V6(0xfe, 0x80, 9),
    V6(0xff, 0, 8),
};

/* Behind a translator (RFC 6052) it is an IPv4 address that is reached. */
static struct os_address translated(const struct os_address *a)
{
    static const struct os_network translator = {{0, 0x64, 0xff, 0x9b}, 96, false};
    struct os_address to = *a;
    if (!os_network_has(&translator, a))
        return to;
    to = (struct os_address){.as.v4.sin_family = AF_INET, .len = sizeof to.as.v4};
    memcpy(&to.as.v4.sin_addr, a->as.v6.sin6_addr.s6_addr + 12, 4);
    return to;
}

bool os_address_is_public(const struct os_address *a)
{
    struct os_address to = translated(a);
    for (size_t i = 0; i < sizeof not_public / sizeof *not_public; i++)
        if (os_network_has(&not_public[i], &to))
            return false;
    return a->as.any.sa_family == AF_INET || a->as.any.sa_family == AF_INET6;
}
