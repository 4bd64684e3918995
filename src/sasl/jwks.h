/* The keys of a JWK set, for token.c alone. */
#ifndef SASL_JWKS_H
#define SASL_JWKS_H

#include "sasl/token.h"

#include <openssl/evp.h>

enum sasl_jwk_kind { SASL_JWK_RSA, SASL_JWK_P256, SASL_JWK_ED25519 };

struct sasl_jwk {
    char *id;        /* kid, or NULL */
    char *algorithm; /* alg, or NULL */
    enum sasl_jwk_kind kind;
    EVP_PKEY *key;
};

struct sasl_jwks {
    size_t n;
    struct sasl_jwk key[];
};

/* Decode base64url without padding, RFC 7515 2. out: in.len octets at least. SP_ERR_SYNTAX. */
int sasl_base64url_decode(struct sp_view in, uint8_t *out, size_t *len_out);

#endif
