/* The role delivery: pools by route, credentials, and the end. */
#include "roles/delivery/delivery.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>

enum { NAME_MAX_LEN = 1024, CREDENTIAL_PART_MAX = 1 << 20 };

/* --- credentials ------------------------------------------------------------------------- */

static void keep(struct sp_buf *b, struct sp_view v)
{
    sp_buf_init(b, &os_heap, CREDENTIAL_PART_MAX);
    sp_buf_reserve(b, v.len);
    sp_buf_add(b, v);
}

static void take_credential(struct delivery *d, const struct ipc_credential *m)
{
    struct delivery_credential *c = os_new(sizeof *c);
    c->generation = m->generation;
    keep(&c->route, m->route);
    keep(&c->user, m->user);
    keep(&c->password, m->password);
    keep(&c->authorities_pem, m->authorities_pem);
    keep(&c->certificates_pem, m->certificates_pem);
    keep(&c->key_pem, m->key_pem);
    c->next = d->credentials;
    d->credentials = c;
}

static void forget_older_credentials(struct delivery *d, uint32_t generation)
{
    struct delivery_credential **at = &d->credentials;
    while (*at) {
        struct delivery_credential *c = *at;
        if (c->generation >= generation) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        sp_buf_fini(&c->route);
        sp_buf_fini(&c->user);
        sp_buf_fini_secret(&c->password);
        sp_buf_fini(&c->authorities_pem);
        sp_buf_fini(&c->certificates_pem);
        sp_buf_fini_secret(&c->key_pem);
        free(c);
    }
}

/* --- pools ------------------------------------------------------------------------------- */

static struct delivery_pool *find_pool(struct delivery *d, struct sp_view route)
{
    for (struct delivery_pool *p = d->pools; p; p = p->next)
        if (!p->retired && sp_view_eq(sp_view_of(p->name), route))
            return p;
    return NULL;
}

static void make_pools(struct delivery *d)
{
    for (size_t i = 0; i < d->role->config->route_n; i++) {
        struct delivery_pool *p = delivery_pool_new(d, &d->role->config->routes[i]);
        p->next = d->pools;
        d->pools = p;
    }
}

static void deliver(struct delivery *d, struct delivery_attempt *a)
{
    struct delivery_pool *p = find_pool(d, a->route);
    if (p) {
        if (a->connections)
            p->connections = a->connections;
        delivery_pool_take(p, a);
        return;
    }
    const struct delivery_outcome o = {.kind = IPC_OUTCOME_DEFERRED,
                                       .enhanced = SP_LIT("4.3.5"),
                                       .reply = SP_LIT("the configuration has no route of this name"),
                                       .remote = ""};
    delivery_attempt_settle_open(a, &o);
    delivery_attempt_finish(a);
}

/* Old pools finish what is on the wire; what waits goes the new way. */
static void renew_pools(struct delivery *d)
{
    struct delivery_attempt *list = NULL, **end = &list, *a;
    for (struct delivery_pool *p = d->pools; p; p = p->next) {
        while ((a = delivery_pool_next(p))) {
            *end = a;
            end = &a->next;
        }
        delivery_pool_retire(p);
    }
    make_pools(d);
    while (list) {
        a = list;
        list = a->next;
        a->next = NULL;
        deliver(d, a);
    }
}

/* Pools that have outlived their configuration. */
static void bury_pools(struct delivery *d)
{
    struct delivery_pool **at = &d->pools, *p;
    while ((p = *at)) {
        if (p->retired && p->link_n == 0 && !p->waiting) {
            *at = p->next;
            delivery_pool_free(p);
        } else {
            at = &p->next;
        }
    }
}

/* --- the role ---------------------------------------------------------------------------- */

static struct delivery *obtain(struct role *r)
{
    if (!r->state) {
        struct delivery *d = os_new(sizeof *d);
        d->role = r;
        r->state = d;
    }
    return r->state;
}

static void start(struct role *r)
{
    struct delivery *d = obtain(r);
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    (void)umask(077);
    d->paired_ms = os_wall_ms();
    d->dns = dns_new(r->base, &error);
    if (!d->dns)
        os_fatal(EX_OSERR, "resolver", "%.*s", (int)error.len, (const char *)error.p);
    sp_buf_fini(&error);
    make_pools(d);
}

static void reload(struct role *r)
{
    struct delivery *d = obtain(r);
    forget_older_credentials(d, r->generation);
    renew_pools(d);
    bury_pools(d);
}

static void take_attempt(struct delivery *d, struct os_edge *from, const struct ipc_attempt *m)
{
    struct delivery_attempt *a = delivery_attempt_new(d, from, m);
    if (!a)
        return;
    if (d->stopping)
        delivery_attempt_drop(a);
    else
        deliver(d, a);
}

static void take_message(struct role *r, struct os_edge *from, const struct ipc_message *m)
{
    struct delivery *d = obtain(r);
    if (m->type == IPC_TYPE_attempt)
        take_attempt(d, from, &m->as.attempt);
    else if (m->type == IPC_TYPE_credential)
        take_credential(d, &m->as.credential);
}

static void meet_peer(struct role *r, struct os_edge *peer)
{
    (void)peer;
    obtain(r)->paired_ms = os_wall_ms();
}

static void lose_peer(struct role *r, struct os_edge *peer)
{
    for (struct delivery_pool *p = obtain(r)->pools; p; p = p->next)
        delivery_pool_forget_queue(p, peer);
}

/* --- the end ------------------------------------------------------------------------------ */

static size_t links_of(const struct delivery *d)
{
    size_t n = 0;
    for (const struct delivery_pool *p = d->pools; p; p = p->next)
        n += p->link_n;
    return n;
}

void delivery_link_ended(struct delivery *d)
{
    if (d->stopping && links_of(d) == 0)
        role_exit(d->role);
    if (!d->stopping)
        bury_pools(d);
}

/* Time is up: what is on the wire is given up, and queue hears of each. */
static void give_up(void *ctx)
{
    struct delivery *d = ctx;
    for (struct delivery_pool *p = d->pools; p; p = p->next)
        while (p->links)
            client_abandon(p->links->client, SP_LIT("given up: this server is being stopped"));
    role_exit(d->role);
}

static void stop(struct role *r, uint32_t grace_ms)
{
    static const struct delivery_outcome untried = {
        .kind = IPC_OUTCOME_DEFERRED,
        .enhanced = SP_LIT_INIT("4.3.2"),
        .reply = SP_LIT_INIT("not tried: this server is being stopped"),
        .remote = ""};
    struct delivery *d = obtain(r);
    d->stopping = true;
    for (struct delivery_pool *p = d->pools; p; p = p->next) {
        delivery_pool_settle_waiting(p, UINT64_MAX, &untried, IPC_HEALTH_UNTOLD);
        delivery_pool_retire(p);
    }
    os_timer_init(&d->grace, r->base, give_up, d);
    os_timer_set(&d->grace, grace_ms);
    delivery_link_ended(d);
}

const struct role_ops delivery_ops = {.start = start,
                                      .reload = reload,
                                      .message = take_message,
                                      .peer_up = meet_peer,
                                      .peer_gone = lose_peer,
                                      .stop = stop};
