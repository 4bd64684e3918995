#include "dns/packet.h"

#include "base/view.h"

enum { HEADER = 12, QUESTION_TAIL = 4, RECORD_TAIL = 10, RESPONSE = 0x8000, JUMPS = 64, POINTER = 0xc0 };

static unsigned u16_at(struct sp_view v, size_t at) { return (unsigned)v.p[at] << 8 | v.p[at + 1]; }

/* Past a name: labels up to the root or to a pointer. SP_ERR_SYNTAX: it runs out of the packet. */
static int skip_name(struct sp_view v, size_t *at)
{
    while (*at < v.len) {
        unsigned n = v.p[*at];
        if (n >= POINTER) {
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
        .owner = p->at,
        .type = u16_at(v, at),
        .class = u16_at(v, at + 2),
        .ttl_s = (uint32_t)u16_at(v, at + 4) << 16 | u16_at(v, at + 6),
        .data = sp_view_sub(v, at + RECORD_TAIL, len),
    };
    p->at = at + RECORD_TAIL + len;
    p->record_n--;
    return SP_OK;
}

int dns_packet_next_of(struct dns_packet *p, enum dns_type type, struct dns_record *record_out)
{
    struct dns_record r;
    int status;
    while ((status = dns_packet_next(p, &r)) == SP_OK)
        if (r.class == DNS_CLASS_IN && r.type == (unsigned)type) {
            *record_out = r;
            return SP_OK;
        }
    return status;
}

/* --- names ------------------------------------------------------------------------------- */

/* Append a label. false: it does not fit, or has octets that no host name has. */
static bool add_label(struct sp_view label, char *name, size_t *len)
{
    if (*len + (*len > 0) + label.len > DNS_NAME_MAX)
        return false;
    if (*len > 0)
        name[(*len)++] = '.';
    for (size_t i = 0; i < label.len; i++) {
        uint8_t c = label.p[i];
        if (c <= ' ' || c >= 0x7f || c == '.')
            return false;
        name[(*len)++] = (char)sp_ascii_lower(c);
    }
    return true;
}

int dns_packet_name(const struct dns_packet *p, size_t at, char name_out[DNS_NAME_MAX + 1], size_t *end_out)
{
    struct sp_view v = p->octets;
    char name[DNS_NAME_MAX + 1];
    size_t len = 0, end = 0;
    for (unsigned jumps = 0; at < v.len;) {
        unsigned n = v.p[at];
        if (n >= POINTER) {
            if (at + 2 > v.len || ++jumps > JUMPS)
                return SP_ERR_SYNTAX;
            end = end ? end : at + 2;
            at = u16_at(v, at) & ~((unsigned)POINTER << 8);
            continue;
        }
        if (n == 0) {
            name[len] = '\0';
            memcpy(name_out, name, len + 1);
            if (end_out)
                *end_out = end ? end : at + 1;
            return SP_OK;
        }
        if (n > 63 || v.len - at - 1 < n || !add_label(sp_view_sub(v, at + 1, n), name, &len))
            return SP_ERR_SYNTAX;
        at += 1 + n;
    }
    return SP_ERR_SYNTAX;
}

/* --- records ------------------------------------------------------------------------------ */

int dns_record_mx(const struct dns_packet *p, const struct dns_record *r, unsigned *preference_out,
                  char name_out[DNS_NAME_MAX + 1])
{
    size_t at = r->data.len > 0 ? (size_t)(r->data.p - p->octets.p) : 0, end = 0;
    char name[DNS_NAME_MAX + 1];
    if (r->data.len < 3 || dns_packet_name(p, at + 2, name, &end) || end != at + r->data.len)
        return SP_ERR_SYNTAX;
    memcpy(name_out, name, sizeof name);
    *preference_out = u16_at(r->data, 0);
    return SP_OK;
}

int dns_record_txt(const struct dns_record *r, char *text_out, size_t max, size_t *len_out)
{
    size_t len = 0;
    for (struct sp_view rest = r->data; rest.len > 0;) {
        size_t n = rest.p[0];
        if (n > rest.len - 1)
            return SP_ERR_SYNTAX;
        if (n > max - len)
            return SP_ERR_LONG;
        memcpy(text_out + len, rest.p + 1, n);
        len += n;
        rest = sp_view_from(rest, 1 + n);
    }
    *len_out = len;
    return SP_OK;
}

int dns_record_tlsa(const struct dns_record *r, struct dns_tlsa *tlsa_out)
{
    if (r->data.len < 4)
        return SP_ERR_SYNTAX;
    *tlsa_out = (struct dns_tlsa){r->data.p[0], r->data.p[1], r->data.p[2], sp_view_from(r->data, 3)};
    return SP_OK;
}
