#include "sasl/jwks.h"

#include "base/base64.h"
#include "base/view.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdlib.h>

enum {
    NUMBER_MAX = 1024 /* octets: RSA of 8,192 bits */,
    P256_LEN = 32,
    ED25519_LEN = 32,
    RSA_BITS_MIN = 2048
};

int sasl_base64url_decode(struct sp_view in, uint8_t *out, size_t *len_out)
{
    uint8_t group[4];
    size_t n = 0;
    for (size_t i = 0; i < in.len; i += 4) {
        size_t have = in.len - i < 4 ? in.len - i : 4, got;
        memcpy(group, "====", 4);
        for (size_t k = 0; k < have; k++) {
            uint8_t c = in.p[i + k];
            if (c == '+' || c == '/' || c == '=')
                return SP_ERR_SYNTAX;
            group[k] = c == '-' ? '+' : c == '_' ? '/' : c;
        }
        uint8_t octets[3];
        if (have == 1 || sp_base64_decode(sp_view_make(group, 4), octets, &got) != SP_OK)
            return SP_ERR_SYNTAX;
        memcpy(out + n, octets, got);
        n += got;
    }
    *len_out = n;
    return SP_OK;
}

/* A member that is a number in base64url; 0 when it is not there, not right or too long. */
static size_t number(const json_t *jwk, const char *name, uint8_t out[NUMBER_MAX])
{
    struct sp_view text = sp_view_of(json_string_value(json_object_get(jwk, name)));
    size_t len = 0;
    if (text.len == 0 || text.len / 4 * 3 + 3 > NUMBER_MAX || sasl_base64url_decode(text, out, &len) != SP_OK)
        return 0;
    return len;
}

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *parts)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(parts);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *rsa_key(const json_t *jwk)
{
    uint8_t n[NUMBER_MAX], e[NUMBER_MAX];
    size_t n_len = number(jwk, "n", n), e_len = number(jwk, "e", e);
    if (n_len == 0 || e_len == 0)
        return NULL;
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(n, (int)n_len, NULL), *exponent = BN_bin2bn(e, (int)e_len, NULL);
    if (parts && modulus && exponent && BN_num_bits(modulus) >= RSA_BITS_MIN &&
        OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, exponent))
        key = make_key("RSA", parts);
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(parts);
    return key;
}

static EVP_PKEY *p256_key(const json_t *jwk)
{
    uint8_t x[NUMBER_MAX], y[NUMBER_MAX], point[1 + 2 * P256_LEN] = {4};
    if (number(jwk, "x", x) != P256_LEN || number(jwk, "y", y) != P256_LEN)
        return NULL;
    memcpy(point + 1, x, P256_LEN);
    memcpy(point + 1 + P256_LEN, y, P256_LEN);
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    if (parts && OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point))
        key = make_key("EC", parts);
    OSSL_PARAM_BLD_free(parts);
    return key;
}

static EVP_PKEY *ed25519_key(const json_t *jwk)
{
    uint8_t x[NUMBER_MAX];
    if (number(jwk, "x", x) != ED25519_LEN)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, ED25519_LEN);
}

static bool says(const json_t *jwk, const char *name, const char *value)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    return text && strcmp(text, value) == 0;
}

/* false: not a key of a kind that is known here. */
static bool take_key(const json_t *jwk, struct sasl_jwk *k)
{
    const char *id = json_string_value(json_object_get(jwk, "kid"));
    const char *algorithm = json_string_value(json_object_get(jwk, "alg"));
    if (json_object_get(jwk, "use") && !says(jwk, "use", "sig"))
        return false;
    if (says(jwk, "kty", "RSA"))
        *k = (struct sasl_jwk){.kind = SASL_JWK_RSA, .key = rsa_key(jwk)};
    else if (says(jwk, "kty", "EC") && says(jwk, "crv", "P-256"))
        *k = (struct sasl_jwk){.kind = SASL_JWK_P256, .key = p256_key(jwk)};
    else if (says(jwk, "kty", "OKP") && says(jwk, "crv", "Ed25519"))
        *k = (struct sasl_jwk){.kind = SASL_JWK_ED25519, .key = ed25519_key(jwk)};
    else
        return false;
    if (!k->key)
        return false;
    k->id = id ? strdup(id) : NULL;
    k->algorithm = algorithm ? strdup(algorithm) : NULL;
    return true;
}

int sasl_jwks_parse(struct sp_view jwks, struct sp_buf *error, struct sasl_jwks **keys_out)
{
    json_error_t why;
    json_t *root = json_loadb((const char *)jwks.p, jwks.len, JSON_REJECT_DUPLICATES, &why);
    const json_t *list = json_object_get(root, "keys");
    if (!json_is_array(list)) {
        sp_buf_add_str(error, root ? "not a JWK set: an object with an array \"keys\" is needed" : why.text);
        json_decref(root);
        return SP_ERR_SYNTAX;
    }
    size_t index;
    const json_t *jwk;
    struct sasl_jwks *keys = calloc(1, sizeof *keys + json_array_size(list) * sizeof keys->key[0]);
    if (!keys)
        abort();
    json_array_foreach((json_t *)list, index, jwk) keys->n += take_key(jwk, &keys->key[keys->n]);
    json_decref(root);
    if (keys->n > 0) {
        *keys_out = keys;
        return SP_OK;
    }
    sp_buf_add_str(
        error, "no key in it is usable: RSA of 2,048 bits or more, EC on P-256 or OKP on Ed25519 is needed");
    free(keys);
    return SP_ERR_ABSENT;
}

void sasl_jwks_free(struct sasl_jwks *keys)
{
    for (size_t i = 0; keys && i < keys->n; i++) {
        EVP_PKEY_free(keys->key[i].key);
        free(keys->key[i].id);
        free(keys->key[i].algorithm);
    }
    free(keys);
}
