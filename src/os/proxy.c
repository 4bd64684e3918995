/*
 * Version 1 is held to its grammar to the octet: one space between words, addresses of the family that is
 * named, ports without leading zeros. Of version 2 the lengths of all TLVs must fit and a CRC-32C must be
 * right; their contents are not used.
 */
#include "os/proxy.h"

#include "base/view.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

enum {
    V1_MAX = 107, /* octets of the longest line, CRLF included */
    V2_FIXED = 16,
    V2_LOCAL = 0x20,
    V2_PROXY = 0x21,
    V2_UNSPEC = 0x00,
    V2_TCP4 = 0x11,
    V2_TCP6 = 0x21,
    V2_UNIX = 0x31,
    TLV_HEAD = 3,
    TLV_CRC32C = 0x03
};

static const struct sp_view v1_start = SP_LIT_INIT("PROXY ");
static const struct sp_view v2_start = SP_LIT_INIT("\r\n\r\n\0\r\nQUIT\n");

static struct os_address v4_address(const void *ip, uint16_t port_n)
{
    struct os_address a = {.len = sizeof a.as.v4};
    a.as.v4.sin_family = AF_INET;
    a.as.v4.sin_port = port_n;
    memcpy(&a.as.v4.sin_addr, ip, sizeof a.as.v4.sin_addr);
    return a;
}

static struct os_address v6_address(const void *ip, uint16_t port_n)
{
    enum { MAPPED_AT = 12 };
    struct os_address a = {.len = sizeof a.as.v6};
    a.as.v6.sin6_family = AF_INET6;
    a.as.v6.sin6_port = port_n;
    memcpy(&a.as.v6.sin6_addr, ip, sizeof a.as.v6.sin6_addr);
    return IN6_IS_ADDR_V4MAPPED(&a.as.v6.sin6_addr) ? v4_address((const uint8_t *)ip + MAPPED_AT, port_n) : a;
}

/* --- version 1 -------------------------------------------------------------------------------- */

static bool take_word(struct sp_view *rest, struct sp_view *word_out)
{
    size_t n = sp_view_find(*rest, ' ', 0);
    *word_out = sp_view_sub(*rest, 0, n);
    *rest = sp_view_from(*rest, n < rest->len ? n + 1 : n);
    return word_out->len > 0;
}

static bool take_ip(struct sp_view *rest, int family, void *ip_out)
{
    struct sp_view word;
    char text[INET6_ADDRSTRLEN];
    if (!take_word(rest, &word) || word.len >= sizeof text || memchr(word.p, 0, word.len))
        return false;
    memcpy(text, word.p, word.len);
    text[word.len] = 0;
    return inet_pton(family, text, ip_out) == 1;
}

static bool take_port(struct sp_view *rest, uint16_t *port_n_out)
{
    struct sp_view word;
    uint64_t port;
    if (!take_word(rest, &word) || (word.len > 1 && word.p[0] == '0') || sp_view_u64(word, UINT16_MAX, &port))
        return false;
    *port_n_out = htons((uint16_t)port);
    return true;
}

/* "TCP4 192.0.2.1 192.0.2.2 4000 25": NULL, or what is wrong. */
static const char *read_v1_line(struct sp_view line, struct os_proxy *out)
{
    struct sp_view family;
    uint8_t from[16], to[16];
    uint16_t from_port, to_port;
    if (line.len > 0 && line.p[line.len - 1] == ' ')
        return "version 1: a space ends the line";
    (void)take_word(&line, &family);
    if (sp_view_eq(family, SP_LIT("UNKNOWN")))
        return NULL;
    bool v4 = sp_view_eq(family, SP_LIT("TCP4"));
    if (!v4 && !sp_view_eq(family, SP_LIT("TCP6")))
        return "version 1: the family is none of TCP4, TCP6 and UNKNOWN";
    if (!take_ip(&line, v4 ? AF_INET : AF_INET6, from) || !take_ip(&line, v4 ? AF_INET : AF_INET6, to))
        return "version 1: an address is not one of the family";
    if (!take_port(&line, &from_port) || !take_port(&line, &to_port) || line.len > 0)
        return "version 1: two ports from 0 to 65535 must end the line";
    out->from = v4 ? v4_address(from, from_port) : v6_address(from, from_port);
    out->to = v4 ? v4_address(to, to_port) : v6_address(to, to_port);
    out->known = true;
    return NULL;
}

static int parse_v1(struct sp_view in, struct os_proxy *out, const char **fault_out)
{
    struct sp_view start = sp_view_sub(in, 0, V1_MAX);
    size_t end = sp_view_find(start, '\n', 0);
    if (end == start.len) {
        *fault_out = "version 1: no line end within 107 octets";
        return in.len < V1_MAX ? SP_ERR_ABSENT : SP_ERR_SYNTAX;
    }
    out->len = end + 1;
    *fault_out = in.p[end - 1] != '\r'
                     ? "version 1: the line ends in LF without CR"
                     : read_v1_line(sp_view_sub(in, v1_start.len, end - 1 - v1_start.len), out);
    return *fault_out ? SP_ERR_SYNTAX : SP_OK;
}

/* --- version 2 -------------------------------------------------------------------------------- */

/* CRC-32C (Castagnoli), reflected; `hole` is counted as four zeros. */
static uint32_t crc32c(struct sp_view v, size_t hole)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < v.len; i++) {
        crc ^= i - hole < sizeof crc ? 0 : v.p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (UINT32_C(0x82f63b78) & (0 - (crc & 1)));
    }
    return ~crc;
}

static const char *check_tlvs(struct sp_view header, size_t at)
{
    while (at < header.len) {
        if (header.len - at < TLV_HEAD)
            return "version 2: a TLV is cut off";
        size_t len = (size_t)header.p[at + 1] << 8 | header.p[at + 2], value = at + TLV_HEAD;
        if (len > header.len - value)
            return "version 2: a TLV is longer than the header";
        if (header.p[at] == TLV_CRC32C) {
            uint32_t sum;
            if (len != sizeof sum)
                return "version 2: the checksum has not four octets";
            memcpy(&sum, header.p + value, sizeof sum);
            if (ntohl(sum) != crc32c(header, value))
                return "version 2: the checksum is wrong";
        }
        at = value + len;
    }
    return NULL;
}

/* The octets that the addresses of a family take; what is no stream has none. */
static bool address_len(uint8_t family, size_t *len_out)
{
    static const struct {
        uint8_t family;
        size_t len;
    } known[] = {{V2_UNSPEC, 0}, {V2_TCP4, 12}, {V2_TCP6, 36}, {V2_UNIX, 216}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].family == family) {
            *len_out = known[i].len;
            return true;
        }
    return false;
}

static void read_v2_addresses(uint8_t family, const uint8_t *p, struct os_proxy *out)
{
    uint16_t ports[2];
    size_t ip = family == V2_TCP4 ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    if (family != V2_TCP4 && family != V2_TCP6)
        return;
    memcpy(ports, p + 2 * ip, sizeof ports);
    out->from = family == V2_TCP4 ? v4_address(p, ports[0]) : v6_address(p, ports[0]);
    out->to = family == V2_TCP4 ? v4_address(p + ip, ports[1]) : v6_address(p + ip, ports[1]);
    out->known = true;
}

static const char *read_v2_header(struct sp_view header, struct os_proxy *out)
{
    uint8_t command = header.p[12], family = header.p[13];
    size_t addresses = 0;
    if (command != V2_LOCAL && command != V2_PROXY)
        return "version 2: the command is neither LOCAL nor PROXY";
    if (command == V2_LOCAL) /* a health check of the proxy's own; addresses are to be ignored */
        return NULL;
    if (!address_len(family, &addresses))
        return "version 2: the family or protocol is not that of a stream";
    if (header.len - V2_FIXED < addresses)
        return "version 2: the addresses are cut off";
    const char *fault = check_tlvs(header, V2_FIXED + addresses);
    if (!fault)
        read_v2_addresses(family, header.p + V2_FIXED, out);
    return fault;
}

static int parse_v2(struct sp_view in, struct os_proxy *out, const char **fault_out)
{
    if (in.len < V2_FIXED)
        return SP_ERR_ABSENT;
    out->len = V2_FIXED + ((size_t)in.p[14] << 8 | in.p[15]);
    if (in.len < out->len)
        return SP_ERR_ABSENT;
    *fault_out = read_v2_header(sp_view_sub(in, 0, out->len), out);
    return *fault_out ? SP_ERR_SYNTAX : SP_OK;
}

/* --- both ------------------------------------------------------------------------------------- */

static bool may_begin(struct sp_view in, struct sp_view start)
{
    size_t n = in.len < start.len ? in.len : start.len;
    return sp_view_eq(sp_view_sub(in, 0, n), sp_view_sub(start, 0, n));
}

int os_proxy_parse(struct sp_view in, struct os_proxy *proxy_out, const char **fault_out)
{
    struct os_proxy p = {0};
    const char *fault = "neither version 1 nor version 2 begins like this";
    int status = SP_ERR_SYNTAX;
    bool v1 = may_begin(in, v1_start), v2 = may_begin(in, v2_start);
    if ((v1 && in.len < v1_start.len) || (v2 && in.len < v2_start.len))
        return SP_ERR_ABSENT;
    if (v1)
        status = parse_v1(in, &p, &fault);
    else if (v2)
        status = parse_v2(in, &p, &fault);
    if (status == SP_OK)
        *proxy_out = p;
    else if (status == SP_ERR_SYNTAX)
        *fault_out = fault;
    return status;
}
