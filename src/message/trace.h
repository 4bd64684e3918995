/* The Received field that each accepted message gets in front. RFC 5321 4.4, RFC 3848. */
#ifndef MESSAGE_TRACE_H
#define MESSAGE_TRACE_H

#include "base/buf.h"

struct message_received {
    struct sp_view hello; /* argument of EHLO or HELO                               */
    const char *client;   /* address without port: "127.0.0.1", "2001:db8::1"       */
    const char *hostname; /* ours                                                   */
    bool esmtp;
    bool lmtp; /* and not esmtp, whatever that says                      */
    bool utf8; /* the mail has SMTPUTF8 (RFC 6531 3.7.3)                 */
    bool tls;
    bool authenticated;
    const char *tls_version; /* "TLSv1.3", "TLS_AES_...": when tls                     */
    const char *tls_cipher;
    const char *id;                /* queue id                                               */
    struct sp_view only_recipient; /* `for <...>`; empty with several (RFC 5321 7.2)        */
    int64_t wall_ms;
};

/* Append the whole field with its CRLF; lines within 78 octets where they can be (998 always). */
int message_add_received(struct sp_buf *out, const struct message_received *r);

/* "ESMTPSA" and kin; "UTF8SMTPS", "LMTPA". Static text. RFC 3848, 6531 4.3. */
const char *message_protocol(bool lmtp, bool utf8, bool esmtp, bool tls, bool authenticated);

#endif
