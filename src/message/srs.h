/*
 * The Sender Rewriting Scheme: a reverse-path in the domain of who forwards a message, from which who wrote
 * it can be read again and which nobody else can make up.
 *
 *     SRS0=HHHH=TT=far.example=ann@we.example         for ann@far.example
 *     SRS1=HHHH=one.example==OPAQUE@we.example        for SRS0=OPAQUE@one.example, and for what others made
 * of that
 *
 * HHHH is the beginning of an HMAC in base64, TT a day in base32. The first separator may be = + or -. There
 * is no RFC; the octets are those of Mail::SRS and libsrs2, so that servers of a domain may be of both kinds.
 */
#ifndef MESSAGE_SRS_H
#define MESSAGE_SRS_H

#include "base/buf.h"

enum {
    MESSAGE_SRS_DIGEST = 20,    /* octets of HMAC-SHA-1                                  */
    MESSAGE_SRS_LOCAL_MAX = 64, /* octets of a local part (RFC 5321 4.5.3.1.1)           */
    MESSAGE_SRS_HASH_LEAST = 4, /* characters: what the others make                      */
    MESSAGE_SRS_HASH_MOST = 20,
    MESSAGE_SRS_DAYS = 1024 /* TT begins anew                                        */
};

struct message_srs {
    struct sp_view domain; /* ours                                                   */
    size_t hash_len; /* characters made, and the least that are believed; a longer hash must be right as a
                        whole */
    uint32_t max_age_days; /* below MESSAGE_SRS_DAYS - 1                             */
    size_t secret_n;       /* the first signs, each is believed                      */
    /* HMAC-SHA-1 of the octets under a secret. */
    void (*digest)(void *ctx, size_t secret, struct sp_view octets, uint8_t digest_out[MESSAGE_SRS_DIGEST]);
    void *ctx;
};

/*
 * Append the address that stands for a sender.
 *
 *   local   as MAIL had it, quotes included
 *   domain  foreign; as DNS has it is best, so that the result is ASCII where the local part is
 *   day     since 1970
 *
 * SP_ERR_LONG    its local part would be too long for SMTP; nothing was appended
 * SP_ERR_SYNTAX  the domain is one that cannot be read again: it holds what no host's name does; the same
 */
SP_MUST_USE int message_srs_encode(const struct message_srs *srs, struct sp_view local, struct sp_view domain,
                                   uint32_t day, struct sp_buf *address_out);

/*
 * Append the address that a local part in our domain stands for.
 *
 * SP_ERR_ABSENT  it is a name like any other: it does not begin as such addresses do
 * SP_ERR_SYNTAX  it does, but was not made under any of the secrets, or was damaged on its way
 * SP_ERR_RANGE   it was made, but too long ago
 *
 * Letters of hash, day and tag are taken in any case, for servers on the way may have changed it. A day ahead
 * of ours is no fault: clocks differ. An address of the second kind does not end: the first forwarder judges
 * its age.
 */
SP_MUST_USE int message_srs_decode(const struct message_srs *srs, struct sp_view local, uint32_t day,
                                   struct sp_buf *address_out);

#endif
