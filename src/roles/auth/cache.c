#include "roles/auth/cache.h"

#include "base/view.h"
#include "os/heap.h"

#include <string.h>

void auth_cache_clear(struct auth_cache *c)
{
    explicit_bzero(c->entries, sizeof c->entries);
    os_random(c->key, sizeof c->key);
}

int auth_cache_hash(const struct auth_cache *c, struct sp_view name, const struct sasl_verifier *v,
                    struct sp_view password, uint8_t mac_out[AUTH_CACHE_MAC_LEN])
{
    struct sp_buf said;
    uint8_t name_len = (uint8_t)name.len; /* at most 255; keeps name and password apart */
    sp_buf_init(&said, &os_heap, 4096);
    sp_buf_reserve(&said, 1 + name.len + (1 + SASL_MORE_MAX) * SASL_KEY_MAX + password.len);
    sp_buf_add_u8(&said, name_len);
    sp_buf_add(&said, name);
    for (int i = 0; i <= SASL_MORE_MAX; i++)
        sp_buf_add(&said,
                   sp_view_make(sasl_verifier_keys(v, SASL_SHA256, i)->stored, sasl_hash_len(SASL_SHA256)));
    sp_buf_add(&said, password);
    int status = sp_buf_status(&said);
    if (!status)
        status = sasl_hmac(SASL_SHA256, sp_view_make(c->key, sizeof c->key), sp_buf_view(&said), mac_out);
    sp_buf_fini_secret(&said);
    return status;
}

/* The hash is keyed, so nobody outside can choose a set. */
static size_t set_of(const uint8_t mac[AUTH_CACHE_MAC_LEN])
{
    return (size_t)(mac[0] | mac[1] << 8) % AUTH_CACHE_SETS;
}

int auth_cache_has(const struct auth_cache *c, const uint8_t mac[AUTH_CACHE_MAC_LEN], uint64_t now_ms)
{
    const struct auth_cache_entry *set = c->entries[set_of(mac)];
    for (size_t i = 0; i < AUTH_CACHE_WAYS; i++)
        if (set[i].expires_ms > now_ms && sp_view_eq_secret(sp_view_make(set[i].mac, AUTH_CACHE_MAC_LEN),
                                                            sp_view_make(mac, AUTH_CACHE_MAC_LEN)))
            return set[i].which;
    return SASL_WHICH_NONE;
}

void auth_cache_add(struct auth_cache *c, const uint8_t mac[AUTH_CACHE_MAC_LEN], int which, uint64_t now_ms)
{
    struct auth_cache_entry *set = c->entries[set_of(mac)], *oldest = set;
    for (size_t i = 1; i < AUTH_CACHE_WAYS; i++)
        if (set[i].expires_ms < oldest->expires_ms)
            oldest = &set[i];
    memcpy(oldest->mac, mac, AUTH_CACHE_MAC_LEN);
    oldest->which = which;
    oldest->expires_ms = now_ms + c->life_ms;
}
