/* Reading a DNS answer (RFC 1035 4.1). Octets in, records out; nothing allocates. */
#ifndef DNS_PACKET_H
#define DNS_PACKET_H

#include "sallyport/base.h"

enum dns_type {
    DNS_TYPE_A = 1,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_MX = 15,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_TLSA = 52
};
enum { DNS_CLASS_IN = 1, DNS_NAME_MAX = 253 };

struct dns_packet {
    struct sp_view octets;
    size_t at;         /* of the next record           */
    unsigned record_n; /* of the answer still to come  */
    unsigned rcode;
};

struct dns_record {
    size_t owner; /* where its name stands in the packet, for dns_packet_name */
    unsigned type;
    unsigned class;
    uint32_t ttl_s;
    struct sp_view data; /* names in it may be compressed */
};

/* Read the header and pass the questions. SP_ERR_SYNTAX: that is no answer. */
SP_MUST_USE int dns_packet_open(struct sp_view octets, struct dns_packet *packet_out);

/* The next record of the answer section. SP_ERR_ABSENT: there is none; SP_ERR_SYNTAX: cut off. */
SP_MUST_USE int dns_packet_next(struct dns_packet *p, struct dns_record *record_out);

/* The next one of a type, in class IN. */
SP_MUST_USE int dns_packet_next_of(struct dns_packet *p, enum dns_type type, struct dns_record *record_out);

/*
 * The name at an offset of the packet as text in lower case, without the dot at its end; "" is the root.
 *   end_out  where the octets behind it are; may be NULL
 * SP_ERR_SYNTAX: no name, or one with octets that no host name of ours has (dots, spaces, control octets).
 */
SP_MUST_USE int dns_packet_name(const struct dns_packet *p, size_t at, char name_out[DNS_NAME_MAX + 1],
                                size_t *end_out);

/* RFC 1035 3.3.9. */
SP_MUST_USE int dns_record_mx(const struct dns_packet *p, const struct dns_record *r,
                              unsigned *preference_out, char name_out[DNS_NAME_MAX + 1]);

/* RFC 1035 3.3.14: the strings of one record joined, as RFC 8461 3.1 and others have it. SP_ERR_LONG: more
 * than max. */
SP_MUST_USE int dns_record_txt(const struct dns_record *r, char *text_out, size_t max, size_t *len_out);

/* RFC 6698 2.1. The data are borrowed from the packet. */
struct dns_tlsa {
    uint8_t usage, selector, matching;
    struct sp_view data;
};
SP_MUST_USE int dns_record_tlsa(const struct dns_record *r, struct dns_tlsa *tlsa_out);

#endif
