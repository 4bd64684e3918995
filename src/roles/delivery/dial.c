/*
 * From the hosts of a pool to a connection that takes mail: hosts by preference, each one's addresses in
 * turn, what each must prove (RFC 7672, 8461), until one stands or none is left.
 *
 * An address that could not be reached lately is left out while there are others, so that a dead host costs
 * the mail of its neighbours nothing.
 */
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/delivery/delivery.h"

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

#define X(n, word) word,
static const char *const policy_words[DELIVERY_POLICY_N] = {DELIVERY_POLICIES(X)};
#undef X

const char *delivery_policy_word(enum delivery_policy policy) { return policy_words[policy]; }

static void next_address(struct delivery_link *l);
static void next_host(struct delivery_link *l);

/* --- failures ------------------------------------------------------------------------------ */

/* How much a failure tells: who answered, if wrongly, is nearer to the cause than an address where nobody is.
 */
static int weight_of(const char *phase)
{
    return strcmp(phase, "DNS") == 0 ? 1 : strcmp(phase, "CONNECT") == 0 ? 2 : 3;
}

void delivery_dial_note(struct delivery_link *l, const struct delivery_outcome *o, const char *phase)
{
    struct delivery_dial *dial = &l->dial;
    if (dial->phase && weight_of(phase) <= weight_of(dial->phase))
        return;
    sp_buf_clear(&dial->failure_text);
    sp_buf_add(&dial->failure_text, o->enhanced);
    sp_buf_add(&dial->failure_text, o->reply);
    struct sp_view all = sp_buf_view(&dial->failure_text);
    (void)snprintf(dial->remote, sizeof dial->remote, "%s", o->remote); /* cut when it does not fit */
    dial->failure = *o;
    dial->failure.enhanced = sp_view_sub(all, 0, o->enhanced.len);
    dial->failure.reply = sp_view_from(all, o->enhanced.len);
    dial->failure.remote = dial->remote;
    dial->phase = phase;
}

/* A failure of a host before it is dialled. */
static void note_host(struct delivery_link *l, const char *enhanced, const char *what, const char *why)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text, "host %.255s: %s%s%.900s", l->dial.host->name, what, *why ? ": " : "",
                   why);
    const struct delivery_outcome o = {.kind = IPC_OUTCOME_DEFERRED,
                                       .enhanced = sp_view_of(enhanced),
                                       .reply = sp_view_of(text),
                                       .remote = ""};
    delivery_dial_note(l, &o, "DNS");
}

/* --- dead addresses ------------------------------------------------------------------------- */

static struct sp_view key_of(const struct os_address *a, char text[OS_ADDRESS_TEXT])
{
    os_address_text(a, text);
    return sp_view_of(text);
}

static bool is_left_alone(const struct delivery_link *l, const struct os_address *a, bool last_resort)
{
    char text[OS_ADDRESS_TEXT];
    const struct delivery_trouble *t = delivery_trouble_find(l->pool->delivery, key_of(a, text));
    return t && !last_resort && os_mono_ms() - t->last_ms < t->pause_ms;
}

/* What is known of the first of these addresses stands for all. */
static void note_left_alone(struct delivery_link *l)
{
    const struct os_address *a = &l->dial.addresses.addresses[0];
    char text[OS_ADDRESS_TEXT], host[OS_ADDRESS_TEXT], remote[CLIENT_REMOTE_MAX];
    if (l->dial.addresses.n == 0)
        return;
    const struct delivery_trouble *t = delivery_trouble_find(l->pool->delivery, key_of(a, text));
    if (!t)
        return;
    os_address_host(a, host);
    (void)snprintf(remote, sizeof remote, "%.255s [%.64s]:%u", l->dial.host->name, host, os_address_port(a));
    const struct delivery_outcome o = {.kind = IPC_OUTCOME_DEFERRED,
                                       .enhanced = SP_LIT("4.4.1"),
                                       .reply = sp_buf_view(&t->text),
                                       .remote = remote};
    delivery_dial_note(l, &o, "CONNECT");
}

/* --- what the host must prove ------------------------------------------------------------------ */

static enum delivery_policy policy_of(const struct delivery_pool *p, size_t tlsa_n, size_t usable_n)
{
    static const enum delivery_policy configured[] = {[CONFIG_ROUTE_TLS_OFF] = DELIVERY_OFF,
                                                      [CONFIG_ROUTE_TLS_OPPORTUNISTIC] =
                                                          DELIVERY_OPPORTUNISTIC,
                                                      [CONFIG_ROUTE_TLS_REQUIRED] = DELIVERY_REQUIRED,
                                                      [CONFIG_ROUTE_TLS_VERIFIED] = DELIVERY_VERIFIED};
    if (p->site.plain_will_do && p->route->tls == CONFIG_ROUTE_TLS_OPPORTUNISTIC)
        return DELIVERY_OPPORTUNISTIC;
    if (usable_n > 0)
        return DELIVERY_DANE;
    if (p->route->tls == CONFIG_ROUTE_TLS_VERIFIED)
        return DELIVERY_VERIFIED;
    if (p->site.sts)
        return DELIVERY_STS;
    if (p->site.require_tls)
        return DELIVERY_VERIFIED;
    return tlsa_n > 0 ? DELIVERY_DANE_UNUSABLE : configured[p->route->tls];
}

static void set_tls(struct delivery_link *l)
{
    struct delivery_dial *dial = &l->dial;
    const struct delivery_route *r = l->pool->route;
    struct client_options *o = &dial->options;
    bool by_dane = dial->policy == DELIVERY_DANE;
    bool verified = dial->policy == DELIVERY_VERIFIED || dial->policy == DELIVERY_STS;
    o->tls = by_dane ? r->by_dane : verified ? r->verified : r->any;
    o->session.tls = dial->policy == DELIVERY_OFF             ? SP_CLIENT_TLS_OFF
                     : dial->policy == DELIVERY_OPPORTUNISTIC ? SP_CLIENT_TLS_OPPORTUNISTIC
                                                              : SP_CLIENT_TLS_REQUIRED;
    o->plain_fallback = dial->policy == DELIVERY_OPPORTUNISTIC && !o->credentials;
    if (by_dane) {
        /* RFC 7672 3.2.2: with DANE-TA(2) the certificate may have either name. */
        const char *other = strcmp(dial->base, dial->host->name) != 0 ? dial->host->name : NULL;
        dial->expected = (struct os_tls_expected){dial->base, other, dial->tlsa, dial->expected.tlsa_n};
        o->expected = &dial->expected;
    }
}

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
    set_tls(l);
    if (dial->options.session.tls == SP_CLIENT_TLS_REQUIRED && !dial->options.tls) {
        note_host(l, "4.7.5", "TLS cannot be set up here; the log says why: route-tls", "");
        next_host(l);
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

static void next_address(struct delivery_link *l)
{
    struct delivery_dial *dial = &l->dial;
    const struct os_address *last_resort = NULL;
    while (dial->address_at < dial->addresses.n && dial->tried_n < TRIED_MAX) {
        const struct os_address *a = &dial->addresses.addresses[dial->address_at++];
        bool last = dial->address_at == dial->addresses.n && dial->host_at == l->pool->site.host_n;
        if (!is_left_alone(l, a, false)) {
            dial_address(l, a, last);
            return;
        }
        if (!last_resort && !is_left_alone(l, a, true))
            last_resort = a;
    }
    /* Nothing better is left, and nothing was tried: somebody must find out when it is back. */
    if (last_resort && is_only_choice(l)) {
        dial_address(l, last_resort, true);
        return;
    }
    note_left_alone(l);
    next_host(l);
}

/* --- TLSA records (RFC 7672 2.2.2) ------------------------------------------------------------------- */

static size_t take_records(struct delivery_dial *dial, const struct dns_answer *found)
{
    struct dns_packet packet = found->packet;
    struct dns_record r;
    struct dns_tlsa t;
    size_t all = 0, n = 0, at = 0;
    sp_buf_clear(&dial->tlsa_data);
    for (; dns_packet_next_of(&packet, DNS_TYPE_TLSA, &r) == SP_OK; all++) {
        struct os_tls_tlsa *to = &dial->tlsa[n];
        if (n == DELIVERY_TLSA_MAX || dns_record_tlsa(&r, &t))
            continue;
        *to = (struct os_tls_tlsa){t.usage, t.selector, t.matching, t.data};
        if (os_tls_tlsa_is_usable(to) && sp_buf_add(&dial->tlsa_data, t.data) == SP_OK)
            n++;
    }
    for (size_t i = 0; i < n; at += dial->tlsa[i++].data.len)
        dial->tlsa[i].data.p = dial->tlsa_data.p + at;
    dial->expected.tlsa_n = n;
    return all;
}

static void ask_tlsa(struct delivery_link *l);

static void take_tlsa(void *ctx, const struct dns_answer *found)
{
    struct delivery_link *l = ctx;
    struct delivery_dial *dial = &l->dial;
    dial->lookup = NULL;
    size_t all = found->verdict == DNS_FOUND && found->secure ? take_records(dial, found) : 0;
    bool absent = found->verdict == DNS_NO_NAME || found->verdict == DNS_NO_DATA;
    if (found->verdict != DNS_FOUND && !absent) {
        /* An attacker who could make this question fail would else switch DANE off. */
        note_host(l, "4.4.3", dns_verdict_text(found->verdict),
                  *found->why ? found->why : "of its TLSA records");
        next_host(l);
    } else if (absent && !dial->original && strcmp(dial->base, dial->host->name) != 0) {
        dial->original = true;
        ask_tlsa(l);
    } else {
        dial->policy = policy_of(l->pool, all, dial->expected.tlsa_n);
        next_address(l);
    }
}

static void ask_tlsa(struct delivery_link *l)
{
    struct delivery_dial *dial = &l->dial;
    char name[DNS_NAME_MAX + 32];
    const char *base = dial->original ? dial->host->name : dial->addresses.name;
    (void)snprintf(dial->base, sizeof dial->base, "%s", base); /* both have the same room */
    int n = snprintf(name, sizeof name, "_%u._tcp.%s", l->pool->route->port, base);
    dial->lookup = dns_ask(l->pool->delivery->dns, sp_view_make(name, (size_t)n), DNS_TYPE_TLSA, LOOKUP_MS,
                           take_tlsa, l);
}

/* --- hosts -----------------------------------------------------------------------------------------------
 */

static void take_addresses(void *ctx, const struct dns_addresses *found)
{
    struct delivery_link *l = ctx;
    struct delivery_dial *dial = &l->dial;
    const struct delivery_pool *p = l->pool;
    dial->query = NULL;
    dial->addresses = *found;
    dial->addresses.why = "";
    dial->address_at = 0;
    if (found->verdict != DNS_FOUND) {
        note_host(l, dns_is_final(found->verdict) ? "4.4.4" : "4.4.3", dns_verdict_text(found->verdict),
                  found->why);
        next_host(l);
        return;
    }
    dial->expected.tlsa_n = 0;
    dial->policy = policy_of(p, 0, 0);
    dial->original = false;
    if (p->route->by_dane && p->site.secure && found->secure && found->name[0] && !p->site.plain_will_do)
        ask_tlsa(l);
    else
        next_address(l);
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

static void next_host(struct delivery_link *l)
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
    next_host(l);
}

/* --- how it went ------------------------------------------------------------------------------------------
 */

/* The server could not be reached, or turned us away at its door: the next link need not find out again. */
static void note_address(const struct delivery_link *l, const struct client_verdict *v)
{
    char text[OS_ADDRESS_TEXT];
    if (l->pool->route->socket || (strcmp(v->phase, "CONNECT") != 0 && strcmp(v->phase, "GREETING") != 0))
        return;
    struct sp_view key = key_of(&l->dial.one.addresses[0], text);
    if (delivery_trouble_note(l->pool->delivery, key, v->text) && l->pool->site.host_n > 1)
        os_log(OS_INFO, "host-down", OS_STR("remote", v->remote), OS_VIEW("why", v->text));
}

void delivery_dial_on(struct delivery_link *l, const struct client_verdict *v)
{
    /* What fails before a mail is given says nothing of the mail: it waits. */
    const struct delivery_outcome o = {.kind = IPC_OUTCOME_DEFERRED,
                                       .code = v->code,
                                       .enhanced = v->enhanced,
                                       .reply = v->text,
                                       .remote = v->remote,
                                       .tls = strcmp(v->phase, "CONNECT") != 0 ? policy_words[l->dial.policy]
                                                                               : NULL};
    if (!l->abandoned)
        note_address(l, v);
    delivery_dial_note(l, &o, v->phase);
    client_free(l->client);
    l->client = NULL;
    if (l->abandoned)
        delivery_link_failed(l);
    else
        next_address(l);
}

void delivery_dial_done(struct delivery_link *l)
{
    const struct delivery_pool *p = l->pool;
    char text[OS_ADDRESS_TEXT];
    int64_t address_s = delivery_trouble_end(p->delivery, key_of(&l->dial.one.addresses[0], text));
    int64_t pool_s = delivery_trouble_end(p->delivery, sp_view_of(p->name));
    int64_t lasted_s = address_s > pool_s ? address_s : pool_s;
    if (lasted_s >= 0)
        os_log(OS_INFO, "remote-back", OS_STR("route", p->route->name),
               OS_STR("remote", client_remote(l->client)), OS_NUM("after-s", lasted_s));
}

/* A server that says 4yz wants less of us; all else is a server that is not there for us. */
enum ipc_health delivery_dial_health(const struct delivery_dial *dial)
{
    return dial->failure.code / 100 == 4 ? IPC_HEALTH_BUSY : IPC_HEALTH_DOWN;
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
