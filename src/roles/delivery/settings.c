/* A pool made of a route of the configuration, with copies of what outlives it. */
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/delivery/delivery.h"

#include <stdlib.h>

enum { SECRET_MAX = 16384 };

/* The newest credential of this route, or NULL. */
static const struct delivery_credential *find_credential(const struct delivery_pool *p)
{
    const struct delivery_credential *best = NULL;
    for (const struct delivery_credential *c = p->delivery->credentials; c; c = c->next)
        if (sp_view_eq(sp_buf_view(&c->route), sp_view_of(p->name)) &&
            (!best || c->generation > best->generation))
            best = c;
    return best;
}

/* NULL is a relay in clear. */
static struct os_tls_context *make_tls(const struct config_route *route, const struct delivery_credential *c)
{
    bool verified = route->tls == CONFIG_ROUTE_TLS_REQUIRED;
    if (route->tls == CONFIG_ROUTE_TLS_OFF && !route->implicit_tls)
        return NULL;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    enum os_tls_verify verify = verified ? OS_TLS_VERIFIED : OS_TLS_ANY;
    struct os_tls_context *tls =
        route->ca_file
            ? os_tls_client_trusting(verify, c ? sp_buf_view(&c->authorities_pem) : SP_LIT(""), &error)
            : os_tls_client_new(verify, NULL, &error);
    if (tls && c && c->certificates_pem.len > 0 &&
        os_tls_client_present(tls, sp_buf_view(&c->certificates_pem), sp_buf_view(&c->key_pem), &error)) {
        os_tls_unref(tls);
        tls = NULL;
    }
    if (!tls)
        os_log(OS_WARN, "route-tls", OS_STR("route", route->name), OS_VIEW("why", sp_buf_view(&error)));
    sp_buf_fini(&error);
    return tls;
}

static enum sp_client_tls policy_of(enum config_route_tls tls)
{
    return tls == CONFIG_ROUTE_TLS_OFF             ? SP_CLIENT_TLS_OFF
           : tls == CONFIG_ROUTE_TLS_OPPORTUNISTIC ? SP_CLIENT_TLS_OPPORTUNISTIC
                                                   : SP_CLIENT_TLS_REQUIRED;
}

static void take_credential(struct delivery_pool *p, const struct delivery_credential *best)
{
    sp_buf_reserve(&p->secret, best->user.len + best->password.len);
    sp_buf_add(&p->secret, sp_buf_view(&best->user));
    sp_buf_add(&p->secret, sp_buf_view(&best->password));
    struct sp_view all = sp_buf_view(&p->secret);
    p->credentials.user = sp_view_sub(all, 0, best->user.len);
    p->credentials.password = sp_view_from(all, best->user.len);
    p->credentials.certificate = best->certificates_pem.len > 0;
    p->options.credentials = &p->credentials;
}

static void relay_settings(struct delivery_pool *p, const struct config_route *route, const char *hostname)
{
    const struct delivery_credential *credential = find_credential(p);
    p->host = os_text(sp_view_of(route->host));
    p->hello = os_text(sp_view_of(hostname));
    p->connections = route->connections ? route->connections : 10;
    p->options = (struct client_options){
        .convert = true,
        .host = p->host,
        .port = route->port,
        .implicit_tls = route->implicit_tls,
        .plain_fallback = route->tls == CONFIG_ROUTE_TLS_OPPORTUNISTIC && !route->user,
        .tls = make_tls(route, credential),
        .floor = sp_view_of(config_mechanism_name(route->min_mechanism)),
        .session =
            {
                .hello = sp_view_of(p->hello),
                .tls = policy_of(route->tls),
                /* An operator who writes `tls = off` beside a user has said so by name. */
                .auth_in_clear = route->tls == CONFIG_ROUTE_TLS_OFF && route->user,
                .lf_replies = true,
            },
    };
    if (route->user && credential)
        take_credential(p, credential);
}

struct delivery_pool *delivery_pool_new(struct delivery *d, const struct config_route *route)
{
    struct delivery_pool *p = os_new(sizeof *p);
    *p = (struct delivery_pool){.delivery = d, .kind = route->kind, .name = os_text(sp_view_of(route->name))};
    p->waiting_end = &p->waiting;
    sp_buf_init(&p->secret, &os_heap, SECRET_MAX);
    if (route->path)
        p->path = os_text(sp_view_of(route->path));
    if (route->kind == CONFIG_ROUTE_RELAY)
        relay_settings(p, route, d->role->config->hostname);
    return p;
}

void delivery_pool_free(struct delivery_pool *p)
{
    sp_buf_fini_secret(&p->secret);
    if (p->options.tls)
        os_tls_unref(p->options.tls);
    free(p->name);
    free(p->path);
    free(p->host);
    free(p->hello);
    free(p);
}
