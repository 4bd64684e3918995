/*
 * One reply, gathered line by line. RFC 5321 4.2: each line is three digits, a hyphen when another
 * line follows or a space when not, and text; the code is the same on all lines. A code alone on its
 * line is a reply too (4.2.1: "SHOULD be prepared").
 */
#ifndef SMTP_CLIENT_REPLY_H
#define SMTP_CLIENT_REPLY_H

#include "base/buf.h"
#include "sallyport/smtp_client.h"

struct smtp_client_reply {
    struct sp_buf octets; /* the lines as received                            */
    size_t line_start;    /* of the current line                              */
    size_t line_n;        /* complete ones                                    */
    int code;             /* of the first line                                */
    bool whole;           /* complete: the next feed begins anew              */
    bool lf;              /* a bare LF ends a line too                        */
    const char *fault;    /* why it is no reply; static text                  */
};

void smtp_client_reply_init(struct smtp_client_reply *r, const struct sp_allocator *alloc, bool lf);
void smtp_client_reply_fini(struct smtp_client_reply *r);

/*
 * Add octets up to the end of the reply.
 *   used_out  octets consumed
 * SP_OK: look at `whole`. SP_ERR_SYNTAX: no reply, see `fault`. SP_ERR_NOMEM.
 */
SP_MUST_USE int smtp_client_reply_feed(struct smtp_client_reply *r, struct sp_view in, size_t *used_out);

/* Has a reply begun and not ended? */
bool smtp_client_reply_begun(const struct smtp_client_reply *r);

/* The reply that is whole, as the caller sees it. */
struct sp_client_reply smtp_client_reply_view(const struct smtp_client_reply *r);

#endif
