#include "roles/smtpd/terms.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/smtpd/identity.h"

#include <stdlib.h>

enum { MECHANISMS_MAX = 512 };

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

static bool has(struct sp_view names, struct sp_view wanted)
{
    struct sp_view name;
    while (sp_view_word(&names, ' ', &name))
        if (sp_view_eq(name, wanted))
            return true;
    return false;
}

static void add_name(struct sp_buf *text, struct sp_view name)
{
    if (text->len)
        sp_buf_add_u8(text, ' ');
    sp_buf_add(text, name);
}

/* Of what the listener permits, what Dovecot has; PLAIN and LOGIN, which we speak, as long as that is not
 * known. */
static void add_permitted(const struct config *c, struct sp_view permitted, struct sp_view source,
                          struct sp_buf *out)
{
    bool tokens = c->tokens.jwks_file || c->tokens.jwks_url;
    struct sp_view name;
    while (sp_view_word(&permitted, ' ', &name)) {
        bool plain = sp_view_eq(name, SP_LIT("PLAIN")) || sp_view_eq(name, SP_LIT("LOGIN"));
        bool bearer = sp_view_eq(name, SP_LIT("OAUTHBEARER")) || sp_view_eq(name, SP_LIT("XOAUTH2"));
        if (has(source, name) || (bearer && tokens) || sp_view_eq(name, SP_LIT("EXTERNAL")) ||
            (plain && (source.len == 0 || has(source, SP_LIT("PLAIN")))))
            add_name(out, name);
    }
}

static char *name_source_mechanisms(const struct config *c, const struct config_listener *listener,
                                    uint32_t set, const char *source_mechanisms)
{
    struct sp_view name, source = sp_view_of(source_mechanisms), rest = source;
    char *permitted = name_mechanisms(set), *all = name_mechanisms(UINT32_MAX);
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, MECHANISMS_MAX);
    add_permitted(c, sp_view_of(permitted), source, &text);
    while (set && listener->mechanism_n == 0 && sp_view_word(&rest, ' ', &name))
        if (!has(sp_view_of(all), name)) /* one that is not ours, such as DIGEST-MD5 */
            add_name(&text, name);
    free(permitted);
    free(all);
    char *names = os_text(sp_buf_status(&text) ? (struct sp_view){0} : sp_buf_view(&text));
    sp_buf_fini(&text);
    return names;
}

static char *name_offered(const struct config *c, const struct config_listener *listener, uint32_t set,
                          const char *source_mechanisms)
{
    return c->users.source == CONFIG_SOURCE_DOVECOT
               ? name_source_mechanisms(c, listener, set, source_mechanisms)
               : name_mechanisms(set);
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
    o->extensions = SP_EXT_CHUNKING | SP_EXT_BINARYMIME | SP_EXT_SMTPUTF8 | SP_EXT_DSN | SP_EXT_REQUIRETLS |
                    SP_EXT_DELIVERBY | SP_EXT_MT_PRIORITY | SP_EXT_LIMITS;
    if (listener->auth == CONFIG_AUTH_REQUIRED) /* RFC 4865 4: for submission alone */
        o->extensions |= SP_EXT_FUTURERELEASE;
    if (listener->etrn)
        o->extensions |= SP_EXT_ETRN;
    o->lmtp = listener->protocol == CONFIG_PROTOCOL_LMTP;
    o->fix_line_ends = listener->fix_line_ends;
    o->refuse_undeclared_8bit = listener->undeclared_8bit == CONFIG_UNDECLARED_REFUSE;
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
    t->mechanisms_tls = name_offered(c, listener, listener->offered_tls, smtpd->source_mechanisms);
    t->mechanisms_plain = name_offered(c, listener, listener->offered_clear, smtpd->source_mechanisms);
    t->options.mechanisms_tls = sp_view_of(t->mechanisms_tls);
    t->options.mechanisms_plain = sp_view_of(t->mechanisms_plain);
    t->tls = os_tls_ref(identity_of(smtpd, listener->name));
    t->asks = listener->client_ca != NULL;
    t->client_name = (enum os_tls_name)listener->client_name;
    t->checks_from = listener->from_header == CONFIG_FROM_CHECK;
    t->implicit_tls = listener->tls == CONFIG_TLS_IMPLICIT;
    t->connections = c->limits.connections;
    t->connections_per_address = c->limits.connections_per_address;
    t->relay_from_n = listener->relay_from_n;
    t->relay_from = copy_networks(listener->relay_from, listener->relay_from_n);
    t->proxy_from_n = listener->proxy_from_n;
    t->proxy_from = copy_networks(listener->proxy_from, listener->proxy_from_n);
    t->xclient_from_n = listener->xclient_from_n;
    t->xclient_from = copy_networks(listener->xclient_from, listener->xclient_from_n);
    t->verifies = listener->verify;
    t->mends_headers = listener->mend_headers;
    t->greet_pause_ms = listener->greet_pause_s * 1000;
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
    free(t->xclient_from);
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

bool terms_trusts_peer(const struct terms *t, const struct os_address *from)
{
    for (size_t i = 0; i < t->xclient_from_n; i++)
        if (os_network_has(&t->xclient_from[i], from))
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
