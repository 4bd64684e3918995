#include "dns/packet.h"

#include "base/view.h"

enum { HEADER = 12, QUESTION_TAIL = 4, RECORD_TAIL = 10, RESPONSE = 0x8000 };

static unsigned u16_at(struct sp_view v, size_t at) { return (unsigned)v.p[at] << 8 | v.p[at + 1]; }

/* Past a name: labels up to the root or to a pointer. SP_ERR_SYNTAX: it runs out of the packet. */
static int skip_name(struct sp_view v, size_t *at)
{
    while (*at < v.len) {
        unsigned n = v.p[*at];
        if (n >= 0xc0) {
            *at += 2;
            return *at <= v.len ? SP_OK : SP_ERR_SYNTAX;
        }
        if (n > 63)
            return SP_ERR_SYNTAX;
        *at += 1 + n;
        if (n == 0)
            return *at <= v.len ? SP_OK : SP_ERR_SYNTAX;
    }
    return SP_ERR_SYNTAX;
}

int dns_packet_open(struct sp_view octets, struct dns_packet *packet_out)
{
    if (octets.len < HEADER || !(u16_at(octets, 2) & RESPONSE))
        return SP_ERR_SYNTAX;
    struct dns_packet p = {.octets = octets, .at = HEADER};
    p.rcode = u16_at(octets, 2) & 15;
    p.record_n = u16_at(octets, 6);
    for (unsigned questions = u16_at(octets, 4); questions > 0; questions--) {
        if (skip_name(octets, &p.at) || octets.len - p.at < QUESTION_TAIL)
            return SP_ERR_SYNTAX;
        p.at += QUESTION_TAIL;
    }
    *packet_out = p;
    return SP_OK;
}

int dns_packet_next(struct dns_packet *p, struct dns_record *record_out)
{
    struct sp_view v = p->octets;
    size_t at = p->at;
    if (p->record_n == 0)
        return SP_ERR_ABSENT;
    if (skip_name(v, &at) || v.len - at < RECORD_TAIL)
        return SP_ERR_SYNTAX;
    size_t len = u16_at(v, at + 8);
    if (v.len - at - RECORD_TAIL < len)
        return SP_ERR_SYNTAX;
    *record_out = (struct dns_record){
        .type = u16_at(v, at),
        .class = u16_at(v, at + 2),
        .ttl_s = (uint32_t)u16_at(v, at + 4) << 16 | u16_at(v, at + 6),
        .data = sp_view_sub(v, at + RECORD_TAIL, len),
    };
    p->at = at + RECORD_TAIL + len;
    p->record_n--;
    return SP_OK;
}
