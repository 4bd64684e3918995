/* The role delivery: pools by route, credentials, and the end. */
#include "roles/delivery/delivery.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/delivery/sts.h"
#include "roles/resolver.h"

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

/* --- routes and pools --------------------------------------------------------------------- */

static struct delivery_route *find_route(struct delivery *d, struct sp_view name)
{
    for (struct delivery_route *r = d->routes; r; r = r->next)
        if (!r->retired && sp_view_eq(sp_view_of(r->name), name))
            return r;
    return NULL;
}

static void make_routes(struct delivery *d)
{
    for (size_t i = 0; i < d->role->config->route_n; i++) {
        struct delivery_route *r = delivery_route_new(d, &d->role->config->routes[i]);
        r->next = d->routes;
        d->routes = r;
    }
}

/* What a queue that died before it stored the result asks for again. */
static void settle_done(struct delivery_attempt *a)
{
    const struct delivery_outcome o = {.kind = IPC_OUTCOME_DELIVERED,
                                       .enhanced = SP_LIT("2.0.0"),
                                       .reply = SP_LIT("delivered before, when the result was lost"),
                                       .remote = ""};
    for (size_t i = 0; i < a->target_n; i++)
        if (!a->targets[i].settled && delivery_done_has(&a->delivery->done, a->id, a->targets[i].recipient))
            delivery_attempt_settle(a, i, &o);
}

/* Every target has the same outcome, without a connection. */
static void settle_all(struct delivery_attempt *a, enum ipc_outcome_kind kind, const char *enhanced,
                       const char *reply, const char *remote)
{
    const struct delivery_outcome o = {
        .kind = kind, .enhanced = sp_view_of(enhanced), .reply = sp_view_of(reply), .remote = remote};
    delivery_attempt_settle_open(a, &o);
}

static void deliver_to_host(struct delivery_route *r, struct delivery_attempt *a)
{
    struct delivery_site site = {.host_n = 1};
    struct sp_view name = sp_view_of(r->host ? r->host : "localhost"); /* with a socket it is a name only */
    memcpy(site.hosts[0].name, name.p, name.len); /* the configuration holds no longer one */
    delivery_pool_take(delivery_pool_of(r, &site), a);
}

/* By a route that is no one-step affair: the attempt goes on and tells when it is done. false: it is done. */
static bool deliver_by(struct delivery_route *r, struct delivery_attempt *a)
{
    switch (r->kind) {
    case CONFIG_ROUTE_RELAY:
    case CONFIG_ROUTE_LMTP:
        deliver_to_host(r, a);
        return true;
    case CONFIG_ROUTE_MX:
        delivery_search(r, a);
        return true;
    case CONFIG_ROUTE_MAILDIR:
        delivery_maildir(r, a);
        break;
    case CONFIG_ROUTE_DISCARD:
        settle_all(a, IPC_OUTCOME_DELIVERED, "2.0.0", "discarded", "discard");
        break;
    case CONFIG_ROUTE_HOLD:
        settle_all(a, IPC_OUTCOME_DEFERRED, "4.3.2", "held here", "hold");
        break;
    }
    return false;
}

static void deliver(struct delivery *d, struct delivery_attempt *a)
{
    struct delivery_route *r = find_route(d, a->route);
    settle_done(a);
    if (!r)
        settle_all(a, IPC_OUTCOME_DEFERRED, "4.3.5", "the configuration has no route of this name", "");
    if (a->open_n == 0 || !deliver_by(r, a))
        delivery_attempt_finish(a);
}

static const struct delivery_outcome untried = {.kind = IPC_OUTCOME_DEFERRED,
                                                .enhanced = SP_LIT_INIT("4.3.2"),
                                                .reply =
                                                    SP_LIT_INIT("not tried: this server is being stopped"),
                                                .remote = ""};

static void leave_untried(struct delivery_attempt *a)
{
    delivery_attempt_settle_open(a, &untried);
    delivery_attempt_finish(a);
}

void delivery_anew(struct delivery *d, struct delivery_attempt *a)
{
    a->next = NULL;
    a->site = "";
    delivery_detour_restart(a);
    if (d->stopping)
        leave_untried(a);
    else
        deliver(d, a);
}

/* Put a list behind another one; returns the new end. */
static struct delivery_attempt **chain(struct delivery_attempt **end, struct delivery_attempt *list)
{
    *end = list;
    while (*end)
        end = &(*end)->next;
    return end;
}

/* Old pools finish what is on the wire; what waits goes the new way. */
static void renew_routes(struct delivery *d)
{
    struct delivery_attempt *list = NULL, **end = &list, *a;
    for (struct delivery_pool *p = d->pools; p; p = p->next) {
        while ((a = delivery_pool_take_back(p)))
            end = chain(end, a);
        delivery_pool_retire(p);
    }
    (void)chain(end, delivery_search_stop(d));
    for (struct delivery_route *r = d->routes; r; r = r->next)
        r->retired = true;
    make_routes(d);
    while (list) {
        a = list;
        list = a->next;
        delivery_anew(d, a);
    }
}

/* --- the role ---------------------------------------------------------------------------- */

static void tidy(void *ctx);

static struct delivery *obtain(struct role *r)
{
    if (!r->state) {
        struct delivery *d = os_new(sizeof *d);
        uint64_t seed;
        os_random(&seed, sizeof seed);
        d->role = r;
        sp_table_init(&d->troubles, &os_heap, seed);
        sp_table_init(&d->policies, &os_heap, seed);
        sp_table_init(&d->pools_by_site, &os_heap, seed);
        os_later_init(&d->tidy, r->base, tidy, d);
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
    d->dns = role_resolver_new(r, &error);
    if (!d->dns)
        os_fatal(EX_OSERR, "resolver", "%.*s", (int)error.len, (const char *)error.p);
    sp_buf_fini(&error);
    delivery_own_start(d);
    make_routes(d);
}

static void reload(struct role *r)
{
    struct delivery *d = obtain(r);
    forget_older_credentials(d, r->generation);
    role_resolver_renew(r, &d->dns);
    delivery_trouble_forget_all(d);
    renew_routes(d);
    delivery_link_ended(d);
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

/* What an operator has mended shows at once, and not when the DNS's memory of the fault is over. */
static void dial_anew(struct delivery *d, const struct ipc_dial_anew *m)
{
    delivery_trouble_forget_all(d);
    if (m->by_operator)
        role_resolver_renew(d->role, &d->dns);
}

static void take_message(struct role *r, struct os_edge *from, const struct ipc_message *m)
{
    struct delivery *d = obtain(r);
    if (m->type == IPC_TYPE_attempt)
        take_attempt(d, from, &m->as.attempt);
    else if (m->type == IPC_TYPE_dial_anew)
        dial_anew(d, &m->as.dial_anew);
    else if (m->type == IPC_TYPE_credential)
        take_credential(d, &m->as.credential);
    else if (m->type == IPC_TYPE_tls_place_wanted)
        delivery_take_place_wanted(d, from, &m->as.tls_place_wanted);
    else if (m->type == IPC_TYPE_tls_post)
        delivery_take_post(d, from, &m->as.tls_post);
    else if (m->type == IPC_TYPE_document_here && !delivery_take_posted(d, &m->as.document_here))
        sts_take_document(d, &m->as.document_here);
}

static void meet_peer(struct role *r, struct os_edge *peer)
{
    if (os_edge_peer(peer) == IPC_QUEUE)
        obtain(r)->paired_ms = os_wall_ms();
}

static void lose_peer(struct role *r, struct os_edge *peer)
{
    struct delivery *d = obtain(r);
    if (os_edge_peer(peer) == IPC_FETCH) {
        sts_lose_fetch(d);
        delivery_lose_posts(d);
        return;
    }
    delivery_forget_errands(d, peer);
    for (struct delivery_pool *p = d->pools; p; p = p->next)
        delivery_pool_forget_queue(p, peer);
    delivery_search_forget_queue(d, peer);
}

/* --- the end ------------------------------------------------------------------------------ */

/* Not at once: whoever says so may be walking along the pools. */
static void tidy(void *ctx)
{
    struct delivery *d = ctx;
    if (d->stopping && d->link_n == 0)
        role_exit(d->role);
    if (d->stopping)
        return;
    delivery_pool_bury(d);
    delivery_route_bury(d);
}

void delivery_link_ended(struct delivery *d) { os_later_ask(&d->tidy); }

/* Time is up: what is on the wire is given up, and queue hears of each. */
static void give_up(void *ctx)
{
    struct delivery *d = ctx;
    for (struct delivery_pool *p = d->pools; p; p = p->next)
        while (p->links)
            delivery_link_abandon(p->links, SP_LIT("given up: this server is being stopped"));
    role_exit(d->role);
}

static void stop(struct role *r, uint32_t grace_ms)
{
    struct delivery *d = obtain(r);
    struct delivery_attempt *list = delivery_search_stop(d), *a;
    d->stopping = true;
    while ((a = list)) {
        list = a->next;
        leave_untried(a);
    }
    for (struct delivery_pool *p = d->pools; p; p = p->next) {
        delivery_pool_settle_all(p, &untried);
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
