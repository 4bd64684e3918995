/*
 * The octets between 354 and CRLF.CRLF: dots unstuffed, the end found, nothing copied.
 *
 * Only CRLF ends a line. A CR or LF alone is noted and is never a line end, so that no
 * two servers can disagree about where a message stops (RFC 5321 2.3.8, 4.1.1.4, 4.5.2).
 */
#ifndef SMTP_CONTENT_H
#define SMTP_CONTENT_H

#include "sallyport/base.h"

struct smtp_content {
    uint8_t state;
    bool fixes;            /* a CR or LF alone is taken as CRLF: bare_lf and bare_cr stay false  */
    uint8_t insert;        /* what is to be put in next: CR, LF, or 2 for both; 0: nothing       */
    bool bare_lf, bare_cr; /* seen so far */
};

/*
 * Begin: the next octet is the first of a line.
 *
 *   fixes  take CR or LF alone as CRLF. The line behind it is none for the end of the message and for dots:
 *          what is no line end to others cannot end the message here
 */
void smtp_content_init(struct smtp_content *c, bool fixes);

/*
 * Take octets up to the next stuffed dot, the end of the message or the end of `in`.
 *
 *   piece_out  message octets, borrowed from in or static; may be empty; void once bare_lf or bare_cr is set
 *   end_out    CRLF.CRLF was reached, octets behind it are not consumed
 *
 * Returns the octets consumed, at least 1 when in.len > 0; 0 where piece_out is put in.
 */
size_t smtp_content_take(struct smtp_content *c, struct sp_view in, struct sp_view *piece_out, bool *end_out);

#endif
