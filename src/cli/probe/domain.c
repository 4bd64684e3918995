/* A domain: its MX records, and what they promise (RFC 5321 5.1, 7505). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "cli/probe/probe.h"
#include "os/heap.h"

enum { LOOKUP_MS = 15000, HOSTS_MAX = 6, LIST_MAX = 500 };

/* --- questions ---------------------------------------------------------------------------------- */

struct question {
    void (*take)(void *ctx, const struct dns_answer *found);
    void *ctx;
    struct dns_addresses *addresses;
    bool done;
};

static void take_answer(void *ctx, const struct dns_answer *found)
{
    struct question *q = ctx;
    q->take(q->ctx, found);
    q->done = true;
}

static void take_addresses(void *ctx, const struct dns_addresses *found)
{
    struct question *q = ctx;
    *q->addresses = *found;
    q->addresses->why = "";
    q->done = true;
}

/* The resolver keeps to its own deadline: the answer always comes. */
static void wait_for(struct probe *p, const struct question *q)
{
    while (!q->done)
        event_base_loop(p->base, EVLOOP_ONCE);
}

void probe_ask_dns(struct probe *p, const char *name, enum dns_type type,
                   void (*take)(void *ctx, const struct dns_answer *found), void *ctx)
{
    struct question q = {.take = take, .ctx = ctx};
    if (!dns_ask(p->dns, sp_view_of(name), type, LOOKUP_MS, take_answer, &q))
        return;
    wait_for(p, &q);
}

void probe_addresses(struct probe *p, const char *name, struct dns_addresses *addresses_out)
{
    struct question q = {.addresses = addresses_out};
    *addresses_out = (struct dns_addresses){.verdict = DNS_FAILED, .why = ""};
    if (dns_addresses(p->dns, sp_view_of(name), 25, LOOKUP_MS, take_addresses, &q))
        wait_for(p, &q);
}

/* --- MX --------------------------------------------------------------------------------------------- */

struct exchange {
    unsigned preference;
    char name[DNS_NAME_MAX + 1];
};

struct gathered {
    enum dns_verdict verdict;
    bool secure, null;
    char why[200];
    struct exchange list[HOSTS_MAX];
    size_t n, all;
};

static int by_preference(const void *one, const void *other)
{
    const struct exchange *a = one, *b = other;
    return a->preference != b->preference ? (a->preference > b->preference) - (a->preference < b->preference)
                                          : strcmp(a->name, b->name);
}

static void take_mx(void *ctx, const struct dns_answer *found)
{
    struct gathered *g = ctx;
    struct dns_packet packet = found->packet;
    struct dns_record r;
    struct exchange one;
    g->verdict = found->verdict;
    g->secure = found->secure;
    snprintf(g->why, sizeof g->why, "%s%s%s", dns_verdict_text(found->verdict), *found->why ? ": " : "",
             found->why);
    if (found->verdict != DNS_FOUND)
        return;
    while (dns_packet_next_of(&packet, DNS_TYPE_MX, &r) == SP_OK) {
        if (dns_record_mx(&packet, &r, &one.preference, one.name))
            continue;
        if (!one.name[0]) {
            g->null = true;
            continue;
        }
        g->all++;
        if (g->n < HOSTS_MAX)
            g->list[g->n++] = one;
        else if (by_preference(&one, &g->list[g->n - 1]) < 0)
            g->list[g->n - 1] = one;
        qsort(g->list, g->n, sizeof *g->list, by_preference);
    }
}

static void tell_list(struct probe_result *r, const struct gathered *g)
{
    char text[LIST_MAX] = "";
    size_t n = 0;
    for (size_t i = 0; i < g->n && n < sizeof text - 1; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s (%u)", i ? ", " : "", g->list[i].name,
                              g->list[i].preference);
    probe_tell(&r->findings, PROBE_MX, text, NULL, NULL);
    if (g->all == 1)
        probe_tell(&r->findings, PROBE_MX_ONE, NULL, NULL, NULL);
    if (g->null)
        probe_tell(&r->findings, PROBE_MX_NULL_MIXED, NULL, NULL, NULL);
    probe_tell_as(&r->findings, PROBE_DNSSEC, g->secure ? PROBE_LEVEL_OK : PROBE_LEVEL_NOTE, NULL, NULL,
                  NULL);
}

static bool is_address(const char *name)
{
    struct os_address a;
    char text[DNS_NAME_MAX + 4];
    snprintf(text, sizeof text, "%s:1", name);
    return os_address_parse(sp_view_of(text), &a) == SP_OK;
}

static void add_host(struct probe *p, struct probe_result *r, const char *name, bool secure)
{
    struct probe_host *h = &r->hosts[r->host_n++];
    snprintf(h->name, sizeof h->name, "%s", name);
    if (is_address(name)) {
        probe_tell(&r->findings, PROBE_MX_NUMERIC, name, NULL, NULL);
        return;
    }
    probe_addresses(p, name, &h->addresses);
    if (h->addresses.verdict != DNS_FOUND) {
        probe_tell(&r->findings, PROBE_MX_ADDRESS, name, dns_verdict_text(h->addresses.verdict), NULL);
        return;
    }
    h->ports = os_new(sizeof *h->ports);
    h->port_n = 1;
    h->ports[0].number = r->target->port_n ? r->target->ports[0] : 25;
    h->ports[0].role = PROBE_AS_MX;
    h->ports[0].asked_for = true;
    probe_dane(p, h, &r->findings, secure);
}

bool probe_domain(struct probe *p, struct probe_result *r)
{
    struct gathered g = {.verdict = DNS_FAILED};
    const char *name = r->target->host;
    probe_ask_dns(p, name, DNS_TYPE_MX, take_mx, &g);
    bool found = g.verdict == DNS_FOUND;
    if (!found && !r->target->domain)
        return false;
    r->is_domain = true;
    r->hosts = os_new(HOSTS_MAX * sizeof *r->hosts);
    if (g.verdict == DNS_NO_DATA) {
        probe_tell(&r->findings, PROBE_MX_NONE, NULL, NULL, NULL);
        add_host(p, r, name, g.secure);
    } else if (!found) {
        probe_tell(&r->findings, PROBE_MX_UNKNOWN, name, g.why, NULL);
    } else if (g.n == 0 && g.null) {
        probe_tell(&r->findings, PROBE_MX_NULL, NULL, NULL, NULL);
    } else {
        tell_list(r, &g);
        for (size_t i = 0; i < g.n; i++)
            add_host(p, r, g.list[i].name, g.secure);
    }
    if (r->host_n > 0)
        probe_sts(p, r);
    return true;
}
