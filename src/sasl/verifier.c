#include "sasl/verifier.h"

#include "base/view.h"
#include "os/heap.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const struct {
    size_t len;
    const EVP_MD *(*digest)(void);
} hashes[SASL_HASH_N] = {
#define X(n, name, l, f) [SASL_##n] = {.len = l, .digest = f},
    SASL_HASHES(X)
#undef X
};

size_t sasl_hash_len(enum sasl_hash h) { return hashes[h].len; }

int sasl_hmac(enum sasl_hash h, struct sp_view key, struct sp_view data, uint8_t *out)
{
    static const uint8_t none[1];
    unsigned len = 0;
    return HMAC(hashes[h].digest(), key.len ? key.p : none, (int)key.len, data.len ? data.p : none, data.len,
                out, &len)
               ? SP_OK
               : SP_ERR_NOMEM;
}

int sasl_digest(enum sasl_hash h, struct sp_view data, uint8_t *out)
{
    return EVP_Digest(data.p, data.len, out, NULL, hashes[h].digest(), NULL) == 1 ? SP_OK : SP_ERR_NOMEM;
}

int sasl_client_key_derive(enum sasl_hash h, struct sp_view password, struct sp_view salt,
                           uint32_t iterations, uint8_t *client_key_out, struct sasl_keys *keys_out)
{
    size_t len = hashes[h].len;
    uint8_t salted[SASL_KEY_MAX], client[SASL_KEY_MAX];
    struct sasl_keys keys = {0};
    int status = SP_ERR_NOMEM;
    if (PKCS5_PBKDF2_HMAC((const char *)password.p, (int)password.len, salt.p, (int)salt.len, (int)iterations,
                          hashes[h].digest(), (int)len, salted) == 1)
        status = sasl_hmac(h, sp_view_make(salted, len), SP_LIT("Client Key"), client);
    if (!status)
        status = sasl_digest(h, sp_view_make(client, len), keys.stored);
    if (!status)
        status = sasl_hmac(h, sp_view_make(salted, len), SP_LIT("Server Key"), keys.server);
    if (!status) {
        memcpy(client_key_out, client, len);
        *keys_out = keys;
    }
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(client, sizeof client);
    OPENSSL_cleanse(&keys, sizeof keys);
    return status;
}

int sasl_keys_derive(enum sasl_hash h, struct sp_view password, struct sp_view salt, uint32_t iterations,
                     struct sasl_keys *keys_out)
{
    uint8_t client[SASL_KEY_MAX];
    int status = sasl_client_key_derive(h, password, salt, iterations, client, keys_out);
    OPENSSL_cleanse(client, sizeof client);
    return status;
}

int sasl_verifier_remake(struct sp_view password, struct sasl_verifier *verifier)
{
    struct sasl_keys keys[SASL_HASH_N];
    struct sp_view salt = sp_view_make(verifier->salt, verifier->salt_len);
    int status = SP_OK;
    for (unsigned h = 0; h < SASL_HASH_N && !status; h++)
        status = sasl_keys_derive((enum sasl_hash)h, password, salt, verifier->iterations, &keys[h]);
    if (!status) {
        memcpy(verifier->keys, keys, sizeof keys);
        verifier->has_cram = false;
        OPENSSL_cleanse(verifier->cram, sizeof verifier->cram);
    }
    OPENSSL_cleanse(keys, sizeof keys);
    return status;
}

int sasl_verifier_make(struct sp_view password, struct sasl_verifier *verifier_out)
{
    struct sasl_verifier v = {.salt_len = SASL_SALT_LEN, .iterations = SASL_ITERATIONS};
    os_random(v.salt, v.salt_len);
    int status = sasl_verifier_remake(password, &v);
    if (!status)
        *verifier_out = v;
    OPENSSL_cleanse(&v, sizeof v);
    return status;
}

const struct sasl_keys *sasl_verifier_keys(const struct sasl_verifier *v, enum sasl_hash h, int place)
{
    return place == SASL_WHICH_OWN ? &v->keys[h] : &v->more[place - 1][h];
}

int sasl_verifier_which(const struct sasl_verifier *v, enum sasl_hash h, const uint8_t *stored)
{
    int which = SASL_WHICH_NONE;
    for (int i = SASL_MORE_MAX; i >= 0; i--) {
        bool same = sp_view_eq_secret(sp_view_make(stored, hashes[h].len),
                                      sp_view_make(sasl_verifier_keys(v, h, i)->stored, hashes[h].len));
        if (same && i <= (int)v->more_n)
            which = i;
    }
    return which;
}

int sasl_verifier_check(const struct sasl_verifier *v, struct sp_view password, int *which_out)
{
    struct sasl_keys keys;
    int status =
        sasl_keys_derive(SASL_SHA256, password, sp_view_make(v->salt, v->salt_len), v->iterations, &keys);
    if (!status)
        *which_out = sasl_verifier_which(v, SASL_SHA256, keys.stored);
    OPENSSL_cleanse(&keys, sizeof keys);
    return status;
}

int sasl_verifier_decoy(struct sp_view secret, struct sp_view name, struct sasl_verifier *verifier_out)
{
    uint8_t mac[SASL_KEY_MAX], key[SASL_KEY_MAX];
    int status = sasl_hmac(SASL_SHA256, secret, name, mac);
    /* The keys come from a second HMAC: the salt is shown to clients, so they must not follow from it. */
    if (!status)
        status = sasl_hmac(SASL_SHA256, secret, sp_view_make(mac, sizeof mac), key);
    if (status)
        return status;
    struct sasl_verifier v = {.salt_len = SASL_SALT_LEN, .iterations = SASL_ITERATIONS};
    memcpy(v.salt, mac, v.salt_len);
    for (unsigned h = 0; h < SASL_HASH_N; h++) {
        memcpy(v.keys[h].stored, key, SASL_KEY_MAX);
        memcpy(v.keys[h].server, key, SASL_KEY_MAX);
    }
    memcpy(v.cram, key, SASL_CRAM_LEN);
    *verifier_out = v;
    return SP_OK;
}
