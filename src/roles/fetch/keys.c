#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/fetch/fetch.h"
#include "sasl/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct config_tokens *rules_of(const struct fetch_keys *k) { return &k->role->config->tokens; }

/* --- telling auth ------------------------------------------------------------------------- */

static void tell(struct fetch_keys *k, struct os_edge *auth, enum ipc_keys_answer answer)
{
    struct ipc_message m = {.type = IPC_TYPE_keys_here,
                            .as.keys_here = {.url = sp_view_of(k->url),
                                             .answer = (uint8_t)answer,
                                             .fetched_ms = (uint64_t)k->kept.fetched_s * 1000,
                                             .jwks = sp_buf_view(&k->jwks)}};
    (void)os_edge_send(auth, &m); /* who is gone is greeted when it comes back */
}

/* That there are none is told to those alone that asked. */
static void tell_all(struct fetch_keys *k, enum ipc_keys_answer answer)
{
    for (uint32_t i = 0; i < ROLE_PEERS_MAX; i++) {
        struct os_edge *auth = role_peer_at(k->role, IPC_AUTH, i);
        if (auth && (answer != IPC_KEYS_AWAY || k->asks[i]))
            tell(k, auth, answer);
        if (answer != IPC_KEYS_KEPT)
            k->asks[i] = false;
    }
}

/* --- fetching ----------------------------------------------------------------------------- */

static uint64_t clamp(uint64_t n, uint64_t least, uint64_t most)
{
    return n < least ? least : n > most ? most : n;
}

static void plan(struct fetch_keys *k)
{
    int64_t now_s = os_wall_ms() / 1000, fresh_s = k->kept.fresh_until_s - now_s;
    if (!k->url)
        os_timer_stop(&k->due);
    else if (k->failed)
        os_timer_set(&k->due, k->pause_s * UINT64_C(1000));
    else /* a clock that was set wrong must not keep keys for years */
        os_timer_set(&k->due,
                     1000 * clamp(fresh_s > 0 ? (uint64_t)fresh_s : 0, 0, rules_of(k)->jwks_fresh_most_s));
}

static void note_failure(struct fetch_keys *k, const char *why)
{
    k->failed = true;
    k->pause_s = k->pause_s ? (uint32_t)clamp(2 * k->pause_s, 0, FETCH_PAUSE_MOST_S) : FETCH_PAUSE_FIRST_S;
    if (k->complaint && strcmp(k->complaint, why) == 0)
        return;
    os_log(
        OS_WARN, "token-keys-away", OS_STR("url", k->url), OS_STR("why", why),
        OS_STR("effect", k->jwks.len ? "the keys from before stay in use" : "no token can be checked: 454"));
    free(k->complaint);
    k->complaint = os_text(sp_view_of(why));
}

static void keep(struct fetch_keys *k, struct sp_view jwks, int64_t max_age_s)
{
    const struct config_tokens *rules = rules_of(k);
    k->kept.fetched_s = os_wall_ms() / 1000;
    k->kept.fresh_until_s =
        k->kept.fetched_s + (int64_t)clamp(max_age_s < 0 ? FETCH_FRESH_S : (uint64_t)max_age_s,
                                           rules->jwks_fresh_least_s, rules->jwks_fresh_most_s);
    sp_buf_clear(&k->jwks);
    sp_buf_add(&k->jwks, jwks);
    if (fetch_kept_write(k->url, &k->kept, jwks) != SP_OK)
        os_log(OS_WARN, "token-keys-not-kept", OS_STR("error", strerror(errno)),
               OS_STR("effect", "a start while the issuer is away would know no keys"));
}

/* As auth will read it: what it could not use is no answer. */
static const char *fault_of(struct sp_view jwks, struct sp_buf *error)
{
    struct sasl_jwks *keys;
    if (sasl_jwks_parse(jwks, error, &keys) == SP_OK) {
        sasl_jwks_free(keys);
        return NULL;
    }
    sp_buf_add_u8(error, 0);
    return sp_buf_status(error) == SP_OK ? (const char *)error->p : "not a JWK set";
}

static void take_result(void *ctx, const struct fetch_result *result)
{
    struct fetch_keys *k = ctx;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    const char *fault = result->fault ? result->fault : fault_of(result->document, &error);
    k->under_way = false;
    k->tried_ms = os_mono_ms();
    if (fault) {
        note_failure(k, fault);
    } else {
        bool changed = !sp_view_eq(sp_buf_view(&k->jwks), result->document);
        keep(k, result->document, result->max_age_s);
        if (changed || k->complaint)
            os_log(OS_INFO, "token-keys", OS_STR("url", k->url),
                   OS_NUM("fresh-s", k->kept.fresh_until_s - k->kept.fetched_s));
        free(k->complaint);
        k->complaint = NULL;
        k->failed = false;
        k->pause_s = 0;
    }
    tell_all(k, fault ? IPC_KEYS_AWAY : IPC_KEYS_NEWEST);
    plan(k);
    sp_buf_fini(&error);
}

static void fetch_now(void *ctx)
{
    struct fetch_keys *k = ctx;
    if (!k->url || k->under_way)
        return;
    k->under_way = true;
    os_timer_stop(&k->due);
    k->wanted = (struct fetch_wanted){.url = k->url,
                                      .authorities_pem = sp_buf_view(&k->authorities_pem),
                                      .in_clear = rules_of(k)->jwks_in_clear};
    fetch_transfer_begin(k->transfer, &k->wanted, take_result, k);
}

/* --- what the role does ------------------------------------------------------------------- */

void fetch_keys_init(struct fetch_keys *k, struct role *r, struct fetch_transfer *transfer)
{
    k->role = r;
    k->transfer = transfer;
    sp_buf_init(&k->authorities_pem, &os_heap, 1 << 20);
    sp_buf_init(&k->jwks, &os_heap, FETCH_OCTETS_MAX);
    os_timer_init(&k->due, r->base, fetch_now, k);
}

static void read_kept(struct fetch_keys *k)
{
    struct sp_buf error;
    int status = fetch_kept_read(k->url, &k->kept, &k->jwks);
    sp_buf_init(&error, &os_heap, 4096);
    if (status == SP_OK && !fault_of(sp_buf_view(&k->jwks), &error))
        return;
    if (status != SP_ERR_ABSENT)
        os_log(OS_WARN, "token-keys-not-kept",
               OS_STR("error", status == SP_ERR_IO ? strerror(errno) : "not a file of ours"),
               OS_STR("effect", "they are fetched anew"));
    sp_buf_clear(&k->jwks);
    k->kept = (struct fetch_kept){0};
    sp_buf_fini(&error);
}

static void forget(struct fetch_keys *k)
{
    fetch_transfer_cancel(k->transfer);
    k->under_way = k->failed = false;
    k->tried_ms = 0;
    k->pause_s = 0;
    free(k->complaint);
    k->complaint = NULL;
}

void fetch_keys_use(struct fetch_keys *k, struct sp_view authorities_pem)
{
    const struct config_tokens *rules = rules_of(k);
    bool same = k->url && rules->jwks_url && strcmp(k->url, rules->jwks_url) == 0;
    forget(k); /* who asked is answered by what comes next */
    sp_buf_clear(&k->authorities_pem);
    sp_buf_add(&k->authorities_pem, authorities_pem);
    if (!same) {
        free(k->url);
        k->url = rules->jwks_url ? os_text(sp_view_of(rules->jwks_url)) : NULL;
        sp_buf_clear(&k->jwks);
        k->kept = (struct fetch_kept){0};
        if (k->url)
            read_kept(k);
        if (k->jwks.len)
            tell_all(k, IPC_KEYS_KEPT);
    }
    plan(k);
    if (same) /* whoever reloads wants what is new */
        os_timer_set(&k->due, 0);
}

void fetch_keys_greet(struct fetch_keys *k, struct os_edge *auth)
{
    if (k->jwks.len)
        tell(k, auth, IPC_KEYS_KEPT);
}

/* Attack: tokens with made-up key ids, each of which would have the issuer asked. */
void fetch_keys_want(struct fetch_keys *k, struct os_edge *auth, struct sp_view url)
{
    bool other = !k->url || !sp_view_eq(url, sp_view_of(k->url)); /* its reload comes before ours, or after */
    bool lately = k->tried_ms && os_mono_ms() - k->tried_ms < rules_of(k)->jwks_ask_again_s * UINT64_C(1000);
    if (other || (lately && !k->under_way)) {
        tell(k, auth, other || k->failed ? IPC_KEYS_AWAY : IPC_KEYS_NEWEST);
        return;
    }
    k->asks[os_edge_peer_index(auth)] = true;
    fetch_now(k);
}
