#include "sasl/token.h"

#include "base/view.h"
#include "sasl/jwks.h"
#include "sasl/prep.h"

#include <jansson.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

enum { ES256_HALF = 32, SIGNATURE_MAX = 1024 };

static const struct {
    const char *id, *text;
} faults[SASL_TOKEN_N] = {
#define X(n, i, t) [SASL_TOKEN_##n] = {i, t},
    SASL_TOKEN_FAULTS(X)
#undef X
};

const char *sasl_token_fault_id(enum sasl_token_fault f) { return faults[f].id; }

const char *sasl_token_fault_text(enum sasl_token_fault f) { return faults[f].text; }

/* --- the signature ----------------------------------------------------------------------------- */

static const struct algorithm {
    const char *name;
    enum sasl_jwk_kind kind;
    bool pss;
} algorithms[] = {
    {"RS256", SASL_JWK_RSA, false},
    {"PS256", SASL_JWK_RSA, true},
    {"ES256", SASL_JWK_P256, false},
    {"EdDSA", SASL_JWK_ED25519, false},
};

static const struct algorithm *find_algorithm(const char *name)
{
    for (size_t i = 0; name && i < sizeof algorithms / sizeof *algorithms; i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    return NULL;
}

/* JOSE writes r and s side by side, OpenSSL reads DER. RFC 7518 3.4. */
static int to_der(struct sp_view pair, uint8_t *der, size_t *len_out)
{
    if (pair.len != 2 * ES256_HALF)
        return SP_ERR_SYNTAX;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(pair.p, ES256_HALF, NULL), *s = BN_bin2bn(pair.p + ES256_HALF, ES256_HALF, NULL);
    int len = -1;
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
        r = s = NULL;
        if (i2d_ECDSA_SIG(sig, NULL) <= SIGNATURE_MAX)
            len = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    *len_out = len > 0 ? (size_t)len : 0;
    return len > 0 ? SP_OK : SP_ERR_SYNTAX;
}

static bool verifies(const struct algorithm *a, EVP_PKEY *key, struct sp_view text, struct sp_view signature)
{
    uint8_t der[SIGNATURE_MAX];
    size_t der_len;
    if (a->kind == SASL_JWK_P256) {
        if (to_der(signature, der, &der_len) != SP_OK)
            return false;
        signature = sp_view_make(der, der_len);
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how = NULL;
    const EVP_MD *digest = a->kind == SASL_JWK_ED25519 ? NULL : EVP_sha256();
    bool right = ctx && EVP_DigestVerifyInit(ctx, &how, digest, NULL, key) == 1 &&
                 (!a->pss || (EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
                              EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
                 EVP_DigestVerify(ctx, signature.p, signature.len, text.p, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return right;
}

/* Keys that could have signed it: by name when it names one, else all of the algorithm's kind. */
static enum sasl_token_fault check_signature(const struct sasl_jwks *keys, const json_t *header,
                                             struct sp_view text, struct sp_view signature)
{
    const char *id = json_string_value(json_object_get(header, "kid"));
    const struct algorithm *a = find_algorithm(json_string_value(json_object_get(header, "alg")));
    enum sasl_token_fault fault = SASL_TOKEN_KEY;
    if (!a ||
        json_object_get(header, "crit")) /* an extension that must be understood: none is, RFC 7515 4.1.11 */
        return SASL_TOKEN_ALGORITHM;
    for (size_t i = 0; i < keys->n; i++) {
        const struct sasl_jwk *k = &keys->key[i];
        if (k->kind != a->kind || (k->algorithm && strcmp(k->algorithm, a->name) != 0) ||
            (id && k->id && strcmp(k->id, id) != 0))
            continue;
        if (verifies(a, k->key, text, signature))
            return SASL_TOKEN_NONE;
        fault = SASL_TOKEN_SIGNATURE;
    }
    return fault;
}

/* --- what it says ------------------------------------------------------------------------------ */

static bool is_text(const json_t *value, const char *wanted)
{
    return json_is_string(value) && json_string_length(value) == strlen(wanted) &&
           strcmp(json_string_value(value), wanted) == 0;
}

/* A text, or one of several. */
static bool has_text(const json_t *value, const char *wanted)
{
    size_t index;
    const json_t *entry;
    if (!json_is_array(value))
        return is_text(value, wanted);
    json_array_foreach((json_t *)value, index, entry) if (is_text(entry, wanted)) return true;
    return false;
}

static bool has_word(const json_t *scope, struct sp_view wanted)
{
    struct sp_view rest = sp_view_of(json_string_value(scope)), word;
    size_t index;
    const json_t *entry;
    while (sp_view_word(&rest, ' ', &word))
        if (sp_view_eq(word, wanted))
            return true;
    if (json_is_array(scope))
        json_array_foreach((json_t *)scope, index,
                           entry) if (sp_view_eq(sp_view_of(json_string_value(entry)), wanted)) return true;
    return false;
}

static bool has_scope(const json_t *claims, const char *wanted)
{
    struct sp_view rest = sp_view_of(wanted), word;
    while (sp_view_word(&rest, ' ', &word))
        if (!has_word(json_object_get(claims, "scope"), word) &&
            !has_word(json_object_get(claims, "scp"), word))
            return false;
    return true;
}

/* A token without an end is refused: it could never be taken back. */
static enum sasl_token_fault check_time(const json_t *claims, int64_t now_s)
{
    const json_t *end = json_object_get(claims, "exp"), *begin = json_object_get(claims, "nbf");
    if (!json_is_number(end) || json_number_value(end) + SASL_TOKEN_LEEWAY_S <= (double)now_s)
        return SASL_TOKEN_EXPIRED;
    if (begin && (!json_is_number(begin) || json_number_value(begin) - SASL_TOKEN_LEEWAY_S > (double)now_s))
        return SASL_TOKEN_EARLY;
    return SASL_TOKEN_NONE;
}

static enum sasl_token_fault check_claims(const struct sasl_token_rules *rules, const json_t *claims,
                                          int64_t now_s, struct sp_buf *user_out)
{
    enum sasl_token_fault fault = check_time(claims, now_s);
    const json_t *user = json_object_get(claims, rules->user_claim);
    if (fault != SASL_TOKEN_NONE)
        return fault;
    if (rules->issuer && !is_text(json_object_get(claims, "iss"), rules->issuer))
        return SASL_TOKEN_ISSUER;
    if (rules->audience && !has_text(json_object_get(claims, "aud"), rules->audience))
        return SASL_TOKEN_AUDIENCE;
    if (rules->scope && !has_scope(claims, rules->scope))
        return SASL_TOKEN_SCOPE;
    struct sp_view name = sp_view_make(json_string_value(user), json_string_length(user));
    if (!json_is_string(user) || name.len == 0)
        return SASL_TOKEN_USER;
    return sp_buf_add(user_out, name) == SP_OK ? SASL_TOKEN_NONE : SASL_TOKEN_USER;
}

/* --- the whole ----------------------------------------------------------------------------------- */

static json_t *decode_object(struct sp_view part)
{
    uint8_t octets[SASL_TOKEN_MAX];
    size_t len = 0;
    if (part.len > sizeof octets || sasl_base64url_decode(part, octets, &len) != SP_OK)
        return NULL;
    json_t *object = json_loadb((const char *)octets, len, JSON_REJECT_DUPLICATES, NULL);
    explicit_bzero(octets, sizeof octets);
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

enum sasl_token_fault sasl_token_check(const struct sasl_jwks *keys, const struct sasl_token_rules *rules,
                                       struct sp_view token, int64_t now_s, struct sp_buf *user_out)
{
    uint8_t signature[SIGNATURE_MAX];
    size_t dot = sp_view_find(token, '.', 0), second = sp_view_find(token, '.', dot + 1), len = 0;
    if (second == token.len)
        return SASL_TOKEN_FORM;
    struct sp_view text = sp_view_sub(token, 0, second), last = sp_view_from(token, second + 1);
    if (last.len > sizeof signature || sasl_base64url_decode(last, signature, &len) != SP_OK)
        return SASL_TOKEN_FORM;
    json_t *header = decode_object(sp_view_sub(token, 0, dot));
    json_t *claims = decode_object(sp_view_sub(token, dot + 1, second - dot - 1));
    enum sasl_token_fault fault = SASL_TOKEN_FORM;
    if (header && claims)
        fault = check_signature(keys, header, text, sp_view_make(signature, len));
    if (fault == SASL_TOKEN_NONE)
        fault = check_claims(rules, claims, now_s, user_out);
    json_decref(header);
    json_decref(claims);
    return fault;
}
