/* Reading a DNS answer (RFC 1035 4.1). Octets in, records out; nothing allocates. */
#ifndef DNS_PACKET_H
#define DNS_PACKET_H

#include "sallyport/base.h"

enum { DNS_TYPE_A = 1, DNS_TYPE_AAAA = 28, DNS_CLASS_IN = 1 };

struct dns_packet {
    struct sp_view octets;
    size_t at;         /* of the next record           */
    unsigned record_n; /* of the answer still to come  */
    unsigned rcode;
};

struct dns_record {
    unsigned type;
    unsigned class;
    uint32_t ttl_s;
    struct sp_view data; /* names in it may be compressed */
};

/* Read the header and pass the questions. SP_ERR_SYNTAX: that is no answer. */
SP_MUST_USE int dns_packet_open(struct sp_view octets, struct dns_packet *packet_out);

/* The next record of the answer section. SP_ERR_ABSENT: there is none; SP_ERR_SYNTAX: cut off. */
SP_MUST_USE int dns_packet_next(struct dns_packet *p, struct dns_record *record_out);

#endif
