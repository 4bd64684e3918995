/* The keys that sign tokens: of a file, as the supervisor gives them, or of a URL, as the role fetch does. */
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/auth/auth.h"

#include <stdlib.h>

static bool is_url(const struct auth *a, struct sp_view url)
{
    const char *wanted = a->role->config->tokens.jwks_url;
    return wanted && sp_view_eq(url, sp_view_of(wanted));
}

const struct sasl_jwks *auth_keys(const struct auth *a)
{
    const struct config_tokens *t = &a->role->config->tokens;
    const struct auth_fetched *f = &a->fetched;
    if (!t->jwks_url)
        return a->keys;
    bool stale = os_wall_ms() - f->fetched_ms > (int64_t)t->jwks_keep_s * 1000;
    return f->url && is_url(a, sp_view_of(f->url)) && !stale ? f->keys : NULL;
}

bool auth_keys_ask(struct auth *a)
{
    struct os_edge *fetch = role_peer(a->role, IPC_FETCH, 0);
    struct ipc_message m = {.type = IPC_TYPE_keys_wanted,
                            .as.keys_wanted = {.url = sp_view_of(a->role->config->tokens.jwks_url)}};
    return fetch && os_edge_send(fetch, &m) == SP_OK;
}

static void replace(struct auth_fetched *f, const struct ipc_keys_here *m)
{
    struct sasl_jwks *keys = NULL;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    if (m->jwks.len && sasl_jwks_parse(m->jwks, &error, &keys) != SP_OK) {
        os_log(OS_WARN, "token-keys-unusable", OS_VIEW("url", m->url), OS_VIEW("why", sp_buf_view(&error)));
    } else {
        free(f->url);
        f->url = os_text(m->url);
        sasl_jwks_free(f->keys);
        f->keys = keys;
        f->fetched_ms = (int64_t)m->fetched_ms;
    }
    sp_buf_fini(&error);
}

void auth_keys_take(struct auth *a, const struct ipc_keys_here *m)
{
    /* Those of another URL are for a generation that is to come here, or is over. */
    if (m->jwks.len || !a->fetched.url || !sp_view_eq(m->url, sp_view_of(a->fetched.url)))
        replace(&a->fetched, m);
    auth_exchange_note_keys(a, (enum ipc_keys_answer)m->answer);
}
