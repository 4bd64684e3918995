/*
 * Conversion of a MIME message for a server that takes less than it holds: without binary (RFC 3030 3), or
 * without octets over 127 (RFC 6152 3). Parts that say they are 8bit or binary are encoded: text as
 * quoted-printable (RFC 2045 6.7), all else as base64; the fields that said so say the new encoding. All
 * other octets stay as they are.
 *
 * A stream: octets in, octets out, in constant memory. What cannot be converted is found on the way.
 */
#ifndef MESSAGE_CONVERT_H
#define MESSAGE_CONVERT_H

#include "base/buf.h"

enum message_convert_to { MESSAGE_TO_EIGHT_BIT, MESSAGE_TO_SEVEN_BIT };

enum {
    MESSAGE_CONVERT_HEADER_MAX = 1 << 18, /* octets of the header of one part */
    MESSAGE_CONVERT_DEPTH_MAX = 50        /* multiparts within each other     */
};

struct message_convert;

/* Begin. alloc is borrowed for its life. SP_ERR_NOMEM. */
SP_MUST_USE int message_convert_new(enum message_convert_to to, const struct sp_allocator *alloc,
                                    struct message_convert **convert_out);
void message_convert_free(struct message_convert *c);

/*
 * The next octets of the message, in any split; what is known of the result is appended to `out`.
 * SP_ERR_NOMEM, or SP_ERR_LONG of out. SP_ERR_SYNTAX: it cannot be converted, see message_convert_fault.
 */
SP_MUST_USE int message_convert_feed(struct message_convert *c, struct sp_view in, struct sp_buf *out);

/* That was all. The same codes. */
SP_MUST_USE int message_convert_end(struct message_convert *c, struct sp_buf *out);

/* Why not, as a static sentence, and its enhanced code: 5.6.2 it may not be, 5.6.3 it cannot be. */
const char *message_convert_fault(const struct message_convert *c, const char **enhanced_out);

#endif
