/*
 * From the hosts of a pool to a connection that takes mail: hosts by preference, each one's addresses in
 * turn, what each must prove (RFC 7672, 8461), until one stands or none is left.
 *
 * An address that could not be reached lately is left out while there are others, so that a dead host costs
 * the mail of its neighbours nothing.
 */
#include "roles/delivery/dial.h"
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdio.h>
#include <string.h>

enum {
    LOOKUP_MS = 30000,
    TRIED_MAX = 8,            /* connections for one link                                              */
    CONNECT_MS = 30000,       /* for the last address there is                                         */
    CONNECT_ONE_OF_MS = 5000, /* while there are others: IPv6 that leads nowhere must not cost minutes */
    TEXT_MAX = 2000,
    TLSA_OCTETS_MAX = 65536
};

/* --- a connection --------------------------------------------------------------------------------- */

static void connect_client(struct delivery_link *l)
{
    struct delivery *d = l->pool->delivery;
    l->client = client_new(d->role->base, d->dns, &l->dial.options, &delivery_link_handlers, l);
    if (!l->client)
        os_panic("delivery-hello", "the host name %s cannot stand in EHLO", l->pool->route->hello);
}

static void dial_address(struct delivery_link *l, const struct os_address *a, bool last)
{
    struct delivery_dial *dial = &l->dial;
    const struct delivery_route *r = l->pool->route;
    dial->one = (struct dns_addresses){.verdict = DNS_FOUND, .why = "", .addresses = {*a}, .n = 1};
    dial->options = r->options;
    dial->options.host = dial->host->name;
    dial->options.addresses = &dial->one;
    dial->options.connect_ms = last ? CONNECT_MS : CONNECT_ONE_OF_MS;
    delivery_dial_set_tls(l);
    if (dial->options.session.tls == SP_CLIENT_TLS_REQUIRED && !dial->options.tls) {
        delivery_dial_note_host(l, "4.7.5", "TLS cannot be set up here; the log says why: route-tls", "");
        delivery_dial_next_host(l);
        return;
    }
    dial->tried_n++;
    connect_client(l);
}

static bool is_only_choice(const struct delivery_link *l)
{
    const struct delivery_dial *dial = &l->dial;
    return dial->host_at == l->pool->site.host_n && dial->tried_n == 0;
}

void delivery_dial_next_address(struct delivery_link *l)
{
    struct delivery_dial *dial = &l->dial;
    const struct os_address *last_resort = NULL;
    while (dial->address_at < dial->addresses.n && dial->tried_n < TRIED_MAX) {
        const struct os_address *a = &dial->addresses.addresses[dial->address_at++];
        bool last = dial->address_at == dial->addresses.n && dial->host_at == l->pool->site.host_n;
        if (!delivery_dial_is_left_alone(l, a, false)) {
            dial_address(l, a, last);
            return;
        }
        if (!last_resort && !delivery_dial_is_left_alone(l, a, true))
            last_resort = a;
    }
    /* Nothing better is left, and nothing was tried: somebody must find out when it is back. */
    if (last_resort && is_only_choice(l)) {
        dial_address(l, last_resort, true);
        return;
    }
    delivery_dial_note_left_alone(l);
    delivery_dial_next_host(l);
}

/* --- hosts ----------------------------------------------------------------------------------------- */

static void take_addresses(void *ctx, const struct dns_addresses *found)
{
    struct delivery_link *l = ctx;
    struct delivery_dial *dial = &l->dial;
    dial->query = NULL;
    dial->addresses = *found;
    dial->addresses.why = "";
    dial->address_at = 0;
    if (found->verdict != DNS_FOUND) {
        delivery_dial_note_host(l, dns_is_final(found->verdict) ? "4.4.4" : "4.4.3",
                                dns_verdict_text(found->verdict), found->why);
        delivery_dial_next_host(l);
        return;
    }
    delivery_dial_find_policy(l, found);
}

/* A server of this machine: there is nothing to look up, and nobody on the way. */
static void dial_socket(struct delivery_link *l)
{
    struct delivery_dial *dial = &l->dial;
    const struct delivery_route *r = l->pool->route;
    dial->options = r->options;
    dial->options.path = r->socket;
    dial->tried_n++;
    dial->host_at++;
    connect_client(l);
}

void delivery_dial_next_host(struct delivery_link *l)
{
    struct delivery_dial *dial = &l->dial;
    const struct delivery_pool *p = l->pool;
    if (dial->host_at == p->site.host_n || dial->tried_n >= TRIED_MAX || l->abandoned) {
        delivery_link_failed(l);
        return;
    }
    if (p->route->socket) {
        dial_socket(l);
        return;
    }
    dial->host = &p->site.hosts[dial->order[dial->host_at++]];
    dial->query = dns_addresses(p->delivery->dns, sp_view_of(dial->host->name), p->route->port, LOOKUP_MS,
                                take_addresses, l);
}

/* Those of equal preference in random order (RFC 5321 5.1). */
static void shuffle(struct delivery_dial *dial, const struct delivery_site *site)
{
    uint8_t random[DELIVERY_HOSTS_MAX];
    os_random(random, sizeof random);
    for (size_t i = 0; i < site->host_n; i++) {
        size_t first = i;
        dial->order[i] = (uint8_t)i;
        while (first > 0 && site->hosts[first - 1].preference == site->hosts[i].preference)
            first--;
        size_t other = first + random[i] % (i - first + 1);
        dial->order[i] = dial->order[other];
        dial->order[other] = (uint8_t)i;
    }
}

void delivery_dial_begin(struct delivery_link *l)
{
    sp_buf_init(&l->dial.failure_text, &os_heap, TEXT_MAX + 100);
    sp_buf_init(&l->dial.tlsa_data, &os_heap, TLSA_OCTETS_MAX);
    shuffle(&l->dial, &l->pool->site);
    delivery_dial_next_host(l);
}

/* --- how it went ------------------------------------------------------------------------------------ */

void delivery_dial_on(struct delivery_link *l, const struct client_verdict *v)
{
    /* What fails before a mail is given says nothing of the mail: it waits. */
    const struct delivery_outcome o = {
        .kind = IPC_OUTCOME_DEFERRED,
        .code = v->code,
        .enhanced = v->enhanced,
        .reply = v->text,
        .remote = v->remote,
        .tls = strcmp(v->phase, "CONNECT") != 0 ? delivery_policy_word(l->dial.policy) : NULL};
    if (!l->abandoned)
        delivery_dial_note_address(l, v);
    delivery_dial_note(l, &o, v->phase);
    client_free(l->client);
    l->client = NULL;
    if (l->abandoned)
        delivery_link_failed(l);
    else
        delivery_dial_next_address(l);
}

void delivery_dial_end(struct delivery_dial *dial)
{
    if (dial->query)
        dns_query_cancel(dial->query);
    if (dial->lookup)
        dns_lookup_cancel(dial->lookup);
    sp_buf_fini(&dial->failure_text);
    sp_buf_fini(&dial->tlsa_data);
}
