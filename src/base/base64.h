/* Base64 by RFC 4648 section 4, strict: canonical padding, no line breaks, no stray bits. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "sallyport/base.h"

static inline size_t sp_base64_encoded_len(size_t n) { return (n + 2) / 3 * 4; }

/* The most octets that len characters can decode to. */
static inline size_t sp_base64_decoded_max(size_t len) { return len / 4 * 3; }

/* Write sp_base64_encoded_len(in.len) characters to out; no NUL. */
void sp_base64_encode(struct sp_view in, uint8_t *out);

/*
 * Decode a whole text.
 *
 *   out      at least sp_base64_decoded_max(in.len) octets; may be in.p itself
 *   len_out  octets written
 *
 * SP_ERR_SYNTAX  a foreign octet, a length that is no multiple of 4, '=' inside,
 *                or bits set behind the last octet
 */
SP_MUST_USE int sp_base64_decode(struct sp_view in, uint8_t *out, size_t *len_out);

#endif
