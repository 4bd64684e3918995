/* UTF-8 (RFC 3629), octet by octet. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "sallyport/base.h"

/* The length of the sequence that begins v, 1 to 4; 0: there is none, or it is overlong, a surrogate, above U+10FFFF. */
size_t sp_utf8_len(struct sp_view v);

/* The same; 0 for a control character (C0, DEL, C1), too. */
size_t sp_utf8_text_len(struct sp_view v);

/* The same as sp_utf8_len, and the code point that it is. */
size_t sp_utf8_get(struct sp_view v, uint32_t *point_out);

/* Write the sequence of a code point; its length, or 0: it is none. */
size_t sp_utf8_put(uint32_t point, uint8_t out[4]);

/* Is all of it UTF-8? */
bool sp_utf8_is(struct sp_view v);

/* Is all of it UTF-8, and none of it a control character (C0, DEL, C1)? */
bool sp_utf8_is_text(struct sp_view v);

#endif
