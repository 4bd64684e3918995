/* Quoted-printable and base64 of a stream, in lines of at most 76 characters (RFC 2045 6.7, 6.8). */
#ifndef MESSAGE_ENCODE_H
#define MESSAGE_ENCODE_H

#include "base/buf.h"

enum { MESSAGE_BASE64_OCTETS = 57 }; /* of one line */

struct message_encode {
    bool base64;
    uint8_t kept[MESSAGE_BASE64_OCTETS]; /* base64: the line that is being filled              */
    size_t kept_n;
    uint8_t space; /* quoted-printable: a space or tab that may end the line; 0: none */
    size_t column;
};

void message_encode_begin(struct message_encode *e, bool base64);
/* Octets within a line; failures stick in out. */
void message_encode_octets(struct message_encode *e, struct sp_view in, struct sp_buf *out);
/* A CRLF of the content. */
void message_encode_line_end(struct message_encode *e, struct sp_buf *out);
/* The content is over; no CRLF is put behind it. */
void message_encode_end(struct message_encode *e, struct sp_buf *out);

#endif
