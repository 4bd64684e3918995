/*
 * The manners of submission (RFC 6409 8) on a message that streams by: missing Date, Message-ID and From are
 * added in front, a Sender where From names several, Bcc and Return-Path are removed. Whatever else the
 * header holds stays as it is, octet for octet, and the body too.
 *
 * The header is held back until it is whole. One that is longer than MESSAGE_MEND_HEADER_MAX is let through
 * as it is.
 */
#ifndef MESSAGE_MEND_H
#define MESSAGE_MEND_H

#include "base/buf.h"

enum { MESSAGE_MEND_HEADER_MAX = 48 << 10 };

struct message_mend_facts {
    struct sp_view sender; /* of MAIL FROM; empty for the null path: no From is made up */
    const char *hostname;  /* ours: the right side of a Message-ID                      */
    const char *id;        /* its left side: unlike any other's                         */
    int64_t wall_ms;
};

struct message_mend {
    struct message_mend_facts facts; /* borrowed */
    struct sp_buf header;            /* so far   */
    size_t looked;                   /* octets of it that hold no end */
    bool passes;                     /* the header is behind          */
};

void message_mend_init(struct message_mend *m, const struct sp_allocator *alloc,
                       const struct message_mend_facts *facts);

/* Append to out what of the message can go on. Failures stick in out. */
void message_mend_feed(struct message_mend *m, struct sp_view octets, struct sp_buf *out);

/* The message is whole: a header without a body ends here. */
void message_mend_end(struct message_mend *m, struct sp_buf *out);
void message_mend_fini(struct message_mend *m);

#endif
