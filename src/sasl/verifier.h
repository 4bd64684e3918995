/*
 * What is kept instead of a password: SCRAM's StoredKey and ServerKey (RFC 5802 section 3, RFC 7677).
 * PLAIN and LOGIN are checked against the same octets. Whoever reads them can check guesses at the
 * price of PBKDF2 each, but cannot log in with them.
 */
#ifndef SASL_VERIFIER_H
#define SASL_VERIFIER_H

#include "sallyport/base.h"

enum {
    SASL_ITERATIONS = 4096,          /* RFC 7677 section 4: at least          */
    SASL_ITERATIONS_MAX = 1000000,   /* nobody is made to work longer: a third of a second */
    SASL_SALT_LEN = 16,              /* of salts made here                    */
    SASL_SALT_MAX = 64,
    SASL_KEY_MAX = 32,
    SASL_CRAM_LEN = 32,              /* sasl/cram_md5.h                       */
    SASL_MORE_MAX = 16               /* further passwords of one user         */
};

/* The digests, strongest first. NAME, name in mechanisms, octets, OpenSSL's function. */
#define SASL_HASHES(X)                                                                                       \
    X(SHA256, "SHA-256", 32, EVP_sha256)                                                                     \
    X(SHA1, "SHA-1", 20, EVP_sha1)

#define X(n, ...) SASL_##n,
enum sasl_hash { SASL_HASHES(X) SASL_HASH_N };
#undef X

size_t sasl_hash_len(enum sasl_hash h);

/* The two keys of one digest; sasl_hash_len octets of each are used. */
struct sasl_keys {
    uint8_t stored[SASL_KEY_MAX];
    uint8_t server[SASL_KEY_MAX];
};

struct sasl_verifier {
    uint8_t          salt[SASL_SALT_MAX];
    size_t           salt_len;
    uint32_t         iterations;
    struct sasl_keys keys[SASL_HASH_N];
    /*
     * Further passwords of the same user, under the same salt and iterations: so PBKDF2 runs once for
     * all of them, and SCRAM, which shows the salt before it knows the password, takes each.
     */
    uint32_t         more_n;
    struct sasl_keys more[SASL_MORE_MAX][SASL_HASH_N];
    /* The user's own password for CRAM-MD5, if somebody wanted that; without has_cram a decoy's, or zeros. */
    bool             has_cram;
    uint8_t          cram[SASL_CRAM_LEN];
};

/* Which password of a verifier it was: none, the user's own, or more[which - 1]. */
enum { SASL_WHICH_NONE = -1, SASL_WHICH_OWN = 0 };

/*
 * Derive the keys of one digest: PBKDF2, then HMAC and H. About a millisecond at 4,096 iterations.
 *
 *   password  prepared (sasl/prep.h); a secret, borrowed
 *
 * SP_ERR_NOMEM: OpenSSL has no memory left.
 */
SP_MUST_USE int sasl_keys_derive(enum sasl_hash h, struct sp_view password, struct sp_view salt,
                                 uint32_t iterations, struct sasl_keys *keys_out);

/* The same with the client's own key, which is never kept: whoever has it can log in. */
SP_MUST_USE int sasl_client_key_derive(enum sasl_hash h, struct sp_view password, struct sp_view salt,
                                       uint32_t iterations, uint8_t *client_key_out, struct sasl_keys *keys_out);

/* A verifier with a fresh salt and SASL_ITERATIONS. SP_ERR_NOMEM. */
SP_MUST_USE int sasl_verifier_make(struct sp_view password, struct sasl_verifier *verifier_out);

/*
 * The same under the salt and the iterations that stand in the verifier; its own keys are replaced, and a secret for
 * CRAM-MD5, which was of the password before, is gone. SP_ERR_NOMEM.
 */
SP_MUST_USE int sasl_verifier_remake(struct sp_view password, struct sasl_verifier *verifier);

/*
 * Which of the passwords is this? The same work whatever the answer, and however many there are.
 * SP_ERR_NOMEM: not known; which_out is untouched.
 */
SP_MUST_USE int sasl_verifier_check(const struct sasl_verifier *v, struct sp_view password, int *which_out);

/* Which of the passwords has this StoredKey? All places are compared, used or not. */
int sasl_verifier_which(const struct sasl_verifier *v, enum sasl_hash h, const uint8_t *stored);

/* The keys of the password at a place, 0 to SASL_MORE_MAX, used or not. */
const struct sasl_keys *sasl_verifier_keys(const struct sasl_verifier *v, enum sasl_hash h, int place);

/*
 * What stands in for the verifier of a user who does not exist: a salt that is always the same for
 * this name and looks like any other, and keys that match nothing.
 *
 *   secret  of the server; whoever does not know it cannot tell the salt from a random one
 *   name    of the user, prepared: one spelling, one salt
 */
SP_MUST_USE int sasl_verifier_decoy(struct sp_view secret, struct sp_view name, struct sasl_verifier *verifier_out);

/* HMAC and digest by number; out has sasl_hash_len octets. SP_ERR_NOMEM. */
SP_MUST_USE int sasl_hmac(enum sasl_hash h, struct sp_view key, struct sp_view data, uint8_t *out);
SP_MUST_USE int sasl_digest(enum sasl_hash h, struct sp_view data, uint8_t *out);

#endif
