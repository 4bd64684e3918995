/*
 * Bearer tokens that are JSON web tokens: signature by a key of a JWK set, issuer, audience, time, scope,
 * and whom it speaks for. RFC 7519 (JWT), 7515 (JWS), 7517 (JWK), 7518 (algorithms), 8725 (what to mind).
 *
 * The algorithm must be one that the key is for; "none" and secrets shared with the issuer (HS256) are no
 * algorithms here.
 */
#ifndef SASL_TOKEN_H
#define SASL_TOKEN_H

#include "base/buf.h"

struct sasl_jwks;

/*
 * Read a JWK set: RSA keys (RS256, PS256), EC keys on P-256 (ES256), OKP keys on Ed25519 (EdDSA). Keys of other
 * kinds and those not for signatures are passed over.
 *
 *   error     a sentence when it fails
 *   keys_out  owned by the caller: sasl_jwks_free
 *
 * SP_ERR_SYNTAX: not a JWK set. SP_ERR_ABSENT: no usable key in it.
 */
SP_MUST_USE int sasl_jwks_parse(struct sp_view jwks, struct sp_buf *error, struct sasl_jwks **keys_out);

/* NULL is fine. */
void sasl_jwks_free(struct sasl_jwks *keys);

/* What a token must say. Static or borrowed for the call; NULL: anything goes. */
struct sasl_token_rules {
    const char *issuer;     /* iss                                                          */
    const char *audience;   /* aud, or one of them                                          */
    const char *scope;      /* words that must be among those of scope (RFC 9068) or scp    */
    const char *user_claim; /* whose text is the user; required                             */
};

/* NAME, id in logs, sentence for the operator. */
#define SASL_TOKEN_FAULTS(X)                                                                                 \
    X(NONE, "none", "nothing is wrong")                                                                      \
    X(FORM, "token-form", "not a JWT: three parts of base64url with dots between them are needed")           \
    X(ALGORITHM, "token-algorithm", "signed by none of RS256, PS256, ES256 and EdDSA")                       \
    X(KEY, "token-key", "signed with a key that is not in the JWK set")                                      \
    X(SIGNATURE, "token-signature", "the signature is not right")                                            \
    X(EXPIRED, "token-expired", "its time is over (exp); the client must fetch a new one")                   \
    X(EARLY, "token-early", "its time has not come (nbf); the clocks may differ")                            \
    X(ISSUER, "token-issuer", "from another issuer (iss)")                                                   \
    X(AUDIENCE, "token-audience", "for another audience (aud)")                                              \
    X(SCOPE, "token-scope", "the scope that mail needs is not in it")                                        \
    X(USER, "token-user", "the claim that names the user is not in it")                                      \
    X(OTHER_USER, "token-other-user", "for another user than the client says it is")

#define X(n, ...) SASL_TOKEN_##n,
enum sasl_token_fault { SASL_TOKEN_FAULTS(X) SASL_TOKEN_N };
#undef X

/* Static texts. */
const char *sasl_token_fault_id(enum sasl_token_fault f);
const char *sasl_token_fault_text(enum sasl_token_fault f);

enum { SASL_TOKEN_LEEWAY_S = 60 }; /* clocks of issuer and server may differ by this much */

/*
 * Judge a token.
 *
 *   now_s     seconds since 1970, UTC
 *   user_out  appended to when SASL_TOKEN_NONE: whom it speaks for
 */
enum sasl_token_fault sasl_token_check(const struct sasl_jwks *keys, const struct sasl_token_rules *rules,
                                       struct sp_view token, int64_t now_s, struct sp_buf *user_out);

#endif
