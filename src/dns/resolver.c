#include "dns/resolver.h"

#include "base/view.h"
#include "os/heap.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound-event.h>

/* The keys of the root zone, as IANA publishes them (root-anchors.xml): of 2017 and of 2024. */
static const char *const root_anchors[] = {
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

#define X(n, text) text,
static const char *const verdict_texts[DNS_VERDICT_N] = {DNS_VERDICTS(X)};
#undef X

const char *dns_verdict_text(enum dns_verdict verdict) { return verdict_texts[verdict]; }

/* ADDRESS@PORT, as unbound writes it. */
static int forward_to(struct ub_ctx *ub, const struct os_address *server)
{
    char host[OS_ADDRESS_TEXT], text[OS_ADDRESS_TEXT + 8];
    os_address_host(server, host);
    (void)snprintf(text, sizeof text, "%s@%u", host, os_address_port(server));
    return ub_ctx_set_fwd(ub, text);
}

static int set_servers(struct ub_ctx *ub, const struct dns_options *o)
{
    int status = UB_NOERROR;
    bool loopback = false;
    for (size_t i = 0; i < o->server_n && !status; i++) {
        status = forward_to(ub, &o->servers[i]);
        loopback = loopback || os_address_is_loopback(&o->servers[i]);
    }
    if (!status && loopback)
        status = ub_ctx_set_option(ub, "do-not-query-localhost:", "no");
    if (status || o->server_n > 0)
        return status;
    status = ub_ctx_resolvconf(ub, NULL);
    return status == UB_READFILE ? UB_NOERROR : status; /* then it asks the root servers itself */
}

static int set_trust(struct ub_ctx *ub, const struct dns_options *o)
{
    int status = UB_NOERROR;
    if (o->trust == DNS_TRUST_OFF)
        return status;
    if (o->trust == DNS_TRUST_TOLERANT)
        status = ub_ctx_set_option(ub, "harden-dnssec-stripped:", "no");
    if (!status && o->anchor_file)
        return ub_ctx_add_ta_file(ub, o->anchor_file);
    for (size_t i = 0; i < sizeof root_anchors / sizeof *root_anchors && !status; i++)
        status = ub_ctx_add_ta(ub, root_anchors[i]);
    return status;
}

static int set_hosts(struct ub_ctx *ub)
{
    int status = ub_ctx_hosts(ub, NULL);
    return status == UB_READFILE ? UB_NOERROR : status;
}

struct dns *dns_open(struct event_base *base, const struct dns_options *options, struct sp_buf *error)
{
    struct dns *d = os_new(sizeof *d);
    d->base = base;
    d->ub = ub_ctx_create_event(base);
    int status = d->ub ? UB_NOERROR : UB_NOMEM;
    if (!status)
        status = set_servers(d->ub, options);
    if (!status)
        status = set_trust(d->ub, options);
    if (!status && options->hosts)
        status = set_hosts(d->ub);
    if (!status)
        return d;
    sp_buf_add_str(error, "the resolver cannot start: ");
    sp_buf_add_str(error, ub_strerror(status));
    dns_free(d);
    return NULL;
}

struct dns *dns_new(struct event_base *base, struct sp_buf *error)
{
    return dns_open(base, &(struct dns_options){.hosts = true}, error);
}

static void destroy(struct dns *d)
{
    if (d->ub)
        ub_ctx_delete(d->ub);
    free(d);
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    d->freed = true;
    if (d->lookup_n == 0)
        destroy(d);
}

void dns_hold(struct dns *d) { d->lookup_n++; }

void dns_release(struct dns *d)
{
    if (--d->lookup_n == 0 && d->freed)
        destroy(d);
}
