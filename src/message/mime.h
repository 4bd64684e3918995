/* What the header of a message or of a part says of its body (RFC 2045). */
#ifndef MESSAGE_MIME_H
#define MESSAGE_MIME_H

#include "sallyport/base.h"

enum message_mime_encoding {
    MESSAGE_7BIT, /* also when nothing is said */
    MESSAGE_8BIT,
    MESSAGE_BINARY,
    MESSAGE_ENCODED /* quoted-printable, base64, or one we do not know */
};

struct message_mime {
    struct sp_view type, subtype; /* empty: nothing is said, which means text/plain */
    struct sp_view boundary;      /* as it stands between the quotes                */
    enum message_mime_encoding encoding;
};

/* Views borrow from the header. What is malformed counts as not said. */
struct message_mime message_mime_read(struct sp_view header);

/*
 * The next field of a header: with its folded lines and their ends.
 *   rest        moves behind it
 *   name_out    before the colon; empty: the line is no field
 *   value_out   behind the colon
 * false: there is none.
 */
bool message_mime_field(struct sp_view *rest, struct sp_view *field_out, struct sp_view *name_out,
                        struct sp_view *value_out);

#endif
