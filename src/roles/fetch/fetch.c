/*
 * The role fetch: documents over HTTPS for roles that should not speak it: the issuer's keys for auth,
 * policies of MTA-STS for delivery. It holds no secret: whoever takes it over learns public keys, and could
 * give false ones.
 */
#include "roles/fetch/fetch.h"

#include "os/heap.h"
#include "os/log.h"
#include "roles/resolver.h"

#include <sys/stat.h>
#include <sysexits.h>

enum { AUTHORITIES_MAX = 1 << 20 };

static struct fetch *obtain(struct role *r)
{
    if (r->state)
        return r->state;
    struct fetch *f = os_new(sizeof *f);
    f->role = r;
    r->state = f;
    sp_buf_init(&f->next_authorities_pem, &os_heap, AUTHORITIES_MAX);
    return f;
}

static void use(struct fetch *f)
{
    fetch_keys_use(&f->keys, sp_buf_view(&f->next_authorities_pem));
    sp_buf_clear(&f->next_authorities_pem);
}

static void start(struct role *r)
{
    struct fetch *f = obtain(r);
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    (void)umask(077);
    f->dns = role_resolver_new(r, &error);
    if (!f->dns)
        os_fatal(EX_OSERR, "resolver", "%.*s", (int)error.len, (const char *)error.p);
    sp_buf_fini(&error);
    f->transfer = fetch_transfer_new(r->base, &f->dns);
    f->documents = fetch_documents_new(r, &f->dns);
    fetch_keys_init(&f->keys, r, f->transfer);
    use(f);
}

static void reload(struct role *r)
{
    struct fetch *f = obtain(r);
    role_resolver_renew(r, &f->dns);
    use(f);
}

static void take_message(struct role *r, struct os_edge *from, const struct ipc_message *m)
{
    struct fetch *f = obtain(r);
    if (m->type == IPC_TYPE_fetch_trust) {
        sp_buf_clear(&f->next_authorities_pem);
        sp_buf_add(&f->next_authorities_pem, m->as.fetch_trust.authorities_pem);
    } else if (m->type == IPC_TYPE_keys_wanted) {
        fetch_keys_want(&f->keys, from, m->as.keys_wanted.url);
    } else if (m->type == IPC_TYPE_document_wanted) {
        fetch_documents_want(f->documents, from, &m->as.document_wanted);
    }
}

static void greet_peer(struct role *r, struct os_edge *peer)
{
    if (os_edge_peer(peer) == IPC_AUTH)
        fetch_keys_greet(&obtain(r)->keys, peer);
}

static void lose_peer(struct role *r, struct os_edge *peer)
{
    if (os_edge_peer(peer) == IPC_AUTH)
        obtain(r)->keys.asks[os_edge_peer_index(peer)] = false;
    else if (os_edge_peer(peer) == IPC_DELIVERY)
        fetch_documents_forget(obtain(r)->documents, os_edge_peer_index(peer));
}

const struct role_ops fetch_ops = {
    .start = start, .reload = reload, .message = take_message, .peer_up = greet_peer, .peer_gone = lose_peer};
