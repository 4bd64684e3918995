/*
 * CRAM-MD5's secret: HMAC-MD5's state after the key, inner and outer (RFC 2195, RFC 2104 section 4). Not the
 * password, but whoever has these octets can log in by CRAM-MD5, and can try guesses at the price of two blocks of MD5
 * each: kept only for users for whom somebody asked for it.
 */
#ifndef SASL_CRAM_MD5_H
#define SASL_CRAM_MD5_H

#include "sasl/verifier.h"

enum { SASL_CRAM_DIGEST_LEN = 16 };

/* password: prepared; a secret, borrowed. */
void sasl_cram_derive(struct sp_view password, uint8_t secret_out[SASL_CRAM_LEN]);

/* HMAC-MD5 of a challenge under the password that the secret came from. */
void sasl_cram_digest(const uint8_t secret[SASL_CRAM_LEN], struct sp_view challenge,
                      uint8_t digest_out[SASL_CRAM_DIGEST_LEN]);

/* Tests only, for the RFC's example: every challenge of this process is this text; NULL: random again. */
void sasl_cram_fix_challenge(const char *challenge);

#endif
