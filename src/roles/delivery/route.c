/* Settings of a route, with copies of what outlives its configuration. */
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/delivery/delivery.h"

#include <stdlib.h>

enum { SECRET_MAX = 16384, AUTHORITIES_MAX = 2 << 20 };

/* The newest credential of this route, or NULL. */
static const struct delivery_credential *find_credential(const struct delivery_route *r)
{
    const struct delivery_credential *best = NULL;
    for (const struct delivery_credential *c = r->delivery->credentials; c; c = c->next)
        if (sp_view_eq(sp_buf_view(&c->route), sp_view_of(r->name)) &&
            (!best || c->generation > best->generation))
            best = c;
    return best;
}

/* --- TLS ----------------------------------------------------------------------------------- */

static struct os_tls_context *make_tls(const struct delivery_route *r, enum os_tls_verify verify,
                                       const struct delivery_credential *c)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    /* Reports about TLS tell what a policy in testing would have made of the certificate. */
    bool judged =
        verify == OS_TLS_VERIFIED || (verify == OS_TLS_ANY && r->delivery->role->config->tls_reports.contact);
    bool own = judged && c && c->authorities_pem.len > 0;
    struct os_tls_context *tls =
        own ? os_tls_client_trusting(verify, sp_buf_view(&c->authorities_pem), &error)
            : os_tls_client_new(verify, NULL, &error);
    if (tls && c && c->certificates_pem.len > 0 &&
        os_tls_client_present(tls, sp_buf_view(&c->certificates_pem), sp_buf_view(&c->key_pem), &error)) {
        os_tls_unref(tls);
        tls = NULL;
    }
    if (!tls)
        os_log(OS_WARN, "route-tls", OS_STR("route", r->name), OS_VIEW("why", sp_buf_view(&error)));
    sp_buf_fini(&error);
    return tls;
}

/* Contexts for what this route may ask of a link: a domain may ask for more than the configuration. */
static void make_contexts(struct delivery_route *r, const struct config_route *route,
                          const struct delivery_credential *c)
{
    bool off = r->tls == CONFIG_ROUTE_TLS_OFF && !route->implicit_tls, mx = r->kind == CONFIG_ROUTE_MX;
    if (off || route->socket)
        return;
    if (r->tls != CONFIG_ROUTE_TLS_VERIFIED)
        r->any = make_tls(r, OS_TLS_ANY, c);
    if (r->tls == CONFIG_ROUTE_TLS_VERIFIED || mx)
        r->verified = make_tls(r, OS_TLS_VERIFIED, c);
    if (mx && r->dane)
        r->by_dane = make_tls(r, OS_TLS_DANE, c);
}

/* --- all ------------------------------------------------------------------------------------- */

static void take_credential(struct delivery_route *r, const struct delivery_credential *best)
{
    sp_buf_reserve(&r->secret, best->user.len + best->password.len);
    sp_buf_add(&r->secret, sp_buf_view(&best->user));
    sp_buf_add(&r->secret, sp_buf_view(&best->password));
    struct sp_view all = sp_buf_view(&r->secret);
    r->credentials.user = sp_view_sub(all, 0, best->user.len);
    r->credentials.password = sp_view_from(all, best->user.len);
    r->credentials.certificate = best->certificates_pem.len > 0;
    r->options.credentials = &r->credentials;
}

static void network_settings(struct delivery_route *r, const struct config_route *route, const char *hostname)
{
    const struct delivery_credential *credential = find_credential(r);
    r->host = route->host ? os_text(sp_view_of(route->host)) : NULL;
    r->socket = route->socket ? os_text(sp_view_of(route->socket)) : NULL;
    r->hello = os_text(sp_view_of(hostname));
    r->port = route->port;
    r->mta_sts_port = route->mta_sts_port;
    if (credential)
        sp_buf_add(&r->authorities_pem, sp_buf_view(&credential->authorities_pem));
    make_contexts(r, route, credential);
    r->options = (struct client_options){
        .convert = true,
        .port = route->port,
        .implicit_tls = route->implicit_tls,
        .floor = sp_view_of(config_mechanism_name(route->min_mechanism)),
        .session =
            {
                .hello = sp_view_of(r->hello),
                .protocol = route->kind == CONFIG_ROUTE_LMTP ? SP_CLIENT_LMTP : SP_CLIENT_ESMTP,
                /* An operator who writes `tls = off` beside a user has said so by name. */
                .auth_in_clear = route->tls == CONFIG_ROUTE_TLS_OFF && route->user,
                .lf_replies = true,
                .transcript = true, /* for `queue why` */
            },
    };
    if (route->user && credential)
        take_credential(r, credential);
}

struct delivery_route *delivery_route_new(struct delivery *d, const struct config_route *route)
{
    struct delivery_route *r = os_new(sizeof *r);
    *r = (struct delivery_route){.delivery = d,
                                 .kind = route->kind,
                                 .tls = route->tls,
                                 .dane = route->dane && route->tls != CONFIG_ROUTE_TLS_OFF,
                                 .mta_sts = route->mta_sts && route->tls != CONFIG_ROUTE_TLS_OFF,
                                 .name = os_text(sp_view_of(route->name)),
                                 .connections = route->connections ? route->connections : 10};
    sp_buf_init(&r->secret, &os_heap_secret, SECRET_MAX);
    sp_buf_init(&r->authorities_pem, &os_heap, AUTHORITIES_MAX);
    if (route->path)
        r->path = os_text(sp_view_of(route->path));
    if (route->kind == CONFIG_ROUTE_RELAY || route->kind == CONFIG_ROUTE_MX ||
        route->kind == CONFIG_ROUTE_LMTP)
        network_settings(r, route, d->role->config->hostname);
    return r;
}

static void route_free(struct delivery_route *r)
{
    sp_buf_fini_secret(&r->secret);
    sp_buf_fini(&r->authorities_pem);
    os_tls_unref(r->any);
    os_tls_unref(r->verified);
    os_tls_unref(r->by_dane);
    free(r->name);
    free(r->path);
    free(r->host);
    free(r->socket);
    free(r->hello);
    free(r);
}

void delivery_route_release(struct delivery_route *r) { r->use_n--; }

void delivery_route_bury(struct delivery *d)
{
    struct delivery_route **at = &d->routes, *r;
    while ((r = *at)) {
        if (!r->retired || r->use_n > 0) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        route_free(r);
    }
}
