/* The keys of a JWK set, for token.c alone. */
#ifndef SASL_KEYS_H
#define SASL_KEYS_H

#include "sasl/token.h"

#include <openssl/evp.h>

enum sasl_key_kind { SASL_KEY_RSA, SASL_KEY_P256, SASL_KEY_ED25519 };

struct sasl_key {
    char *id;        /* kid, or NULL */
    char *algorithm; /* alg, or NULL */
    enum sasl_key_kind kind;
    EVP_PKEY *key;
};

struct sasl_keys {
    size_t n;
    struct sasl_key key[];
};

/* Decode base64url without padding, RFC 7515 2. out: in.len octets at least. SP_ERR_SYNTAX. */
int sasl_base64url_decode(struct sp_view in, uint8_t *out, size_t *len_out);

#endif
