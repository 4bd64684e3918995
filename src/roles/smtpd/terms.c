#include "roles/smtpd/terms.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/smtpd/identity.h"

#include <stdlib.h>

enum { MECHANISMS_MAX = 256 };

static char *name_mechanisms(uint32_t set)
{
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, MECHANISMS_MAX);
    config_mechanisms_text(set, &text);
    if (sp_buf_status(&text) != SP_OK)
        os_panic("mechanisms", "their names have more than %d octets", MECHANISMS_MAX);
    char *names = os_text(sp_buf_view(&text));
    sp_buf_fini(&text);
    return names;
}

static void fill_options(struct sp_server_options *o, const struct config *c,
                         const struct config_listener *listener)
{
    const struct config_limits *limits = &c->limits;
    o->max_message_octets = limits->message_octets;
    o->max_recipients = limits->recipients;
    o->max_errors = limits->errors;
    o->max_auth_failures = limits->auth_failures;
    o->max_idle_commands = limits->idle_commands;
    o->timeouts.command_ms = limits->command_timeout_s * 1000;
    o->timeouts.data_ms = limits->data_timeout_s * 1000;
    o->timeouts.message_ms = limits->message_timeout_s * 1000;
    o->timeouts.tls_ms = limits->tls_timeout_s * 1000;
    o->starttls = listener->tls == CONFIG_TLS_STARTTLS;
    o->tls_required = listener->tls_required;
    o->auth_required = listener->auth == CONFIG_AUTH_REQUIRED;
}

static struct os_network *copy_networks(const struct os_network *networks, size_t n)
{
    struct os_network *copy = os_new((n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = networks[i];
    return copy;
}

struct terms *terms_new(const struct smtpd *smtpd, const struct config_listener *listener)
{
    const struct config *c = smtpd->role->config;
    struct terms *t = os_new(sizeof *t);
    t->refs = 1;
    t->name = os_text(sp_view_of(listener->name));
    t->hostname = os_text(sp_view_of(c->hostname));
    t->options.hostname = sp_view_of(t->hostname);
    fill_options(&t->options, c, listener);
    t->mechanisms_tls = name_mechanisms(listener->offered_tls);
    t->mechanisms_plain = name_mechanisms(listener->offered_clear);
    t->options.mechanisms_tls = sp_view_of(t->mechanisms_tls);
    t->options.mechanisms_plain = sp_view_of(t->mechanisms_plain);
    t->tls = os_tls_ref(identity_of(smtpd, listener->name));
    t->asks = listener->client_ca != NULL;
    t->client_name = (enum os_tls_name)listener->client_name;
    t->implicit_tls = listener->tls == CONFIG_TLS_IMPLICIT;
    t->connections = c->limits.connections;
    t->connections_per_address = c->limits.connections_per_address;
    t->relay_from_n = listener->relay_from_n;
    t->relay_from = copy_networks(listener->relay_from, listener->relay_from_n);
    t->proxy_from_n = listener->proxy_from_n;
    t->proxy_from = copy_networks(listener->proxy_from, listener->proxy_from_n);
    t->proxy_timeout_ms = c->limits.proxy_timeout_s * 1000;
    return t;
}

struct terms *terms_ref(struct terms *t)
{
    t->refs++;
    return t;
}

void terms_unref(struct terms *t)
{
    if (!t || --t->refs > 0)
        return;
    free(t->relay_from);
    os_tls_unref(t->tls);
    free(t->proxy_from);
    free(t->hostname);
    free(t->mechanisms_tls);
    free(t->mechanisms_plain);
    free(t->name);
    free(t);
}

static bool is_among(const struct os_network *networks, size_t n, const struct os_address *a)
{
    for (size_t i = 0; i < n; i++)
        if (os_network_has(&networks[i], a))
            return true;
    return false;
}

bool terms_may_relay(const struct terms *t, const struct os_address *from)
{
    return is_among(t->relay_from, t->relay_from_n, from);
}

bool terms_is_proxy(const struct terms *t, const struct os_address *from)
{
    return is_among(t->proxy_from, t->proxy_from_n, from);
}

struct sp_view terms_key(const struct os_address *a)
{
    enum { MAPPED_AT = 12, PREFIX_LEN = 8 };
    const uint8_t *v6 = a->as.v6.sin6_addr.s6_addr;
    if (a->as.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->as.v6.sin6_addr))
        return sp_view_make(v6 + MAPPED_AT, sizeof a->as.v4.sin_addr);
    if (a->as.any.sa_family == AF_INET6)
        return sp_view_make(v6, PREFIX_LEN);
    return sp_view_make(&a->as.v4.sin_addr, sizeof a->as.v4.sin_addr);
}
