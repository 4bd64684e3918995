/* The role auth: who may log in, and who was it. It alone reads users.db while the server runs. */
#include "roles/auth/auth.h"
#include "os/heap.h"
#include "os/log.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { FREED_OCTET = 0xa5 };

static void open_users(struct auth *a)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    int status = users_open(".", &error, &a->users);
    if (status)
        os_fatal(status == SP_ERR_RANGE ? EX_CONFIG : EX_CANTCREAT, "users-db", "%.*s", (int)error.len,
                 (const char *)error.p);
    sp_buf_fini(&error);
}

/* All there is, made when it is first needed: a user may be wanted before the start. */
static struct auth *obtain(struct role *r)
{
    uint64_t seed;
    if (r->state)
        return r->state;
    /* Freed memory is overwritten, libraries' too: whatever copy of a password they made is gone. */
    (void)mallopt(M_PERTURB, FREED_OCTET);
    /* The thread may be at work when the process exits; OpenSSL must not clean up under its hands. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    (void)umask(077);
    struct auth *a = os_new(sizeof *a);
    a->role = r;
    r->state = a;
    os_random(&seed, sizeof seed);
    sp_table_init(&a->exchanges, &os_heap, seed);
    auth_cache_clear(&a->cache);
    open_users(a);
    a->source = auth_source_built_in(a->users);
    a->worker = auth_worker_new(r->base);
    if (r->index == 0)
        auth_wish_open(a);
    return a;
}

static void take_token_keys(struct auth *a, struct sp_view jwks)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    sasl_jwks_free(a->next_keys);
    a->next_keys = NULL;
    if (sasl_jwks_parse(jwks, &error, &a->next_keys) != SP_OK) /* the supervisor has tried it before */
        os_panic("token-keys", "%.*s", (int)error.len, (const char *)error.p);
    sp_buf_fini(&error);
}

static void use_token_keys(struct auth *a)
{
    sasl_jwks_free(a->keys);
    a->keys = a->next_keys;
    a->next_keys = NULL;
}

static void take_user_file(struct auth *a, struct sp_view text)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    users_passwords_free(a->next_passwords);
    a->next_passwords = NULL;
    if (users_passwords_parse(text, &error, &a->next_passwords) !=
        SP_OK) /* the supervisor has tried it before */
        os_panic("user-file", "%.*s", (int)error.len, (const char *)error.p);
    sp_buf_fini(&error);
}

static struct auth_source *make_source(struct auth *a)
{
    const struct config_users *u = &a->role->config->users;
    struct users_passwords *passwords = a->next_passwords;
    a->next_passwords = NULL;
    switch (u->source) {
    case CONFIG_SOURCE_PASSWORD_FILE:
        return auth_source_passwords(passwords);
    case CONFIG_SOURCE_DOVECOT:
        return auth_source_dovecot(a->role->base, u->path, a->users, auth_relay_tell_all, a);
    default:
        return auth_source_built_in(a->users);
    }
}

/* Who waits for the source when another one takes its place is told that it is away. */
static void use_source(struct auth *a)
{
    auth_exchange_leave_source(a);
    a->source->ops->free(a->source);
    a->source = make_source(a);
}

static void use_limits(struct auth *a)
{
    const struct config_limits *l = &a->role->config->limits;
    a->slow.rules = (struct slow_rules){.free_n = l->auth_slow_free,
                                        .first_ms = l->auth_slow_first_s * 1000,
                                        .most_ms = l->auth_slow_most_s * 1000,
                                        .half_life_ms = l->auth_slow_forget_s * 1000};
    a->cache.life_ms = l->auth_remember_s * 1000;
    auth_worker_set_waiting(a->worker, l->auth_waiting);
}

static void take_slow_table(struct auth *a, int fd)
{
    if (!slow_open(fd, &a->slow))
        os_panic("slow-table", "the shared counts of failures cannot be opened: %s", strerror(errno));
    close(fd);
}

static void start(struct role *r)
{
    if (!obtain(r)->slow.table)
        os_panic("start", "the supervisor gave no shared counts of failures");
    use_token_keys(r->state);
    use_limits(r->state);
    use_source(r->state);
}

static void reload(struct role *r)
{
    auth_cache_clear(&obtain(r)->cache);
    use_token_keys(r->state);
    use_limits(r->state);
    use_source(r->state);
}

static void take_message(struct role *r, struct os_edge *from, const struct ipc_message *m)
{
    struct auth *a = obtain(r);
    switch (m->type) {
    case IPC_TYPE_auth_begin:
        auth_exchange_begin(a, from, &m->as.auth_begin);
        break;
    case IPC_TYPE_auth_answer:
        auth_exchange_answer(a, from, &m->as.auth_answer);
        break;
    case IPC_TYPE_auth_drop:
        auth_exchange_drop(a, from, &m->as.auth_drop);
        break;
    case IPC_TYPE_slow_table:
        take_slow_table(a, m->as.slow_table.fd);
        break;
    case IPC_TYPE_user_file:
        take_user_file(a, m->as.user_file.text);
        break;
    case IPC_TYPE_token_keys:
        take_token_keys(a, m->as.token_keys.jwks);
        break;
    case IPC_TYPE_keys_here:
        auth_keys_take(a, &m->as.keys_here);
        break;
    default:
        auth_wish_take(a, from, m);
    }
}

static void greet_peer(struct role *r, struct os_edge *peer)
{
    if (os_edge_peer(peer) == IPC_SMTPD)
        auth_relay_tell(obtain(r), peer);
}

static void lose_peer(struct role *r, struct os_edge *peer)
{
    if (os_edge_peer(peer) == IPC_FETCH)
        auth_exchange_note_keys(obtain(r), IPC_KEYS_AWAY);
    else
        auth_exchange_drop_edge(obtain(r), peer);
}

const struct role_ops auth_ops = {
    .start = start, .reload = reload, .message = take_message, .peer_up = greet_peer, .peer_gone = lose_peer};
