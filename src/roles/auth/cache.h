/*
 * Recent successes, so that a client who logs in for every message costs PBKDF2 once in a while only.
 * An entry is a keyed hash over name, verifier and password under a key that lives and dies with the
 * process: no password is kept, and a changed verifier finds nothing, whichever process changed it.
 */
#ifndef ROLES_AUTH_CACHE_H
#define ROLES_AUTH_CACHE_H

#include "base/buf.h"
#include "sasl/verifier.h"

enum {
    AUTH_CACHE_KEY_LEN = 32,
    AUTH_CACHE_MAC_LEN = 32,
    AUTH_CACHE_SETS = 1024, /* with AUTH_CACHE_WAYS entries each */
    AUTH_CACHE_WAYS = 4
};

struct auth_cache_entry {
    uint8_t  mac[AUTH_CACHE_MAC_LEN];
    uint64_t expires_ms; /* monotonic; 0: empty */
    int      which;      /* password of the user */
};

struct auth_cache {
    uint8_t                 key[AUTH_CACHE_KEY_LEN];
    uint32_t                life_ms; /* of an entry, however often it is used */
    struct auth_cache_entry entries[AUTH_CACHE_SETS][AUTH_CACHE_WAYS];
};

/* Forget all, and take a new key. life_ms stays. */
void auth_cache_clear(struct auth_cache *c);

/* The hash of a login. password: prepared. SP_ERR_NOMEM: OpenSSL failed. */
SP_MUST_USE int auth_cache_hash(const struct auth_cache *c, struct sp_view name, const struct sasl_verifier *v,
                                struct sp_view password, uint8_t mac_out[AUTH_CACHE_MAC_LEN]);

/* Was the login of this hash right not long ago, and with which password? SASL_WHICH_NONE: it was not. */
int auth_cache_has(const struct auth_cache *c, const uint8_t mac[AUTH_CACHE_MAC_LEN], uint64_t now_ms);

/* It was right: remember it. The entry of its set that would expire first gives way. */
void auth_cache_add(struct auth_cache *c, const uint8_t mac[AUTH_CACHE_MAC_LEN], int which, uint64_t now_ms);

#endif
