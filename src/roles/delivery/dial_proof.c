/*
 * What a host must prove before it gets mail: the most demanding of what the route says, what the mail asks,
 * and what the domain says of itself, by DANE (RFC 7672) or MTA-STS (RFC 8461).
 */
#include "base/view.h"
#include "roles/delivery/dial.h"

#include <stdio.h>
#include <string.h>

enum { LOOKUP_MS = 30000, LOOKUP_ONE_OF_MS = 10000 /* while there are other hosts */ };

#define X(n, word) word,
static const char *const policy_words[DELIVERY_POLICY_N] = {DELIVERY_POLICIES(X)};
#undef X

const char *delivery_policy_word(enum delivery_policy policy) { return policy_words[policy]; }

/* --- judging ------------------------------------------------------------------------------------- */

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

enum delivery_policy delivery_dial_policy(const struct delivery_dial *dial)
{
    return dial->winner && dial->winner->host ? dial->winner->host->policy : DELIVERY_OFF;
}

bool delivery_dial_set_tls(struct delivery_dial_host *h, struct client_options *o)
{
    const struct delivery_route *r = h->link->pool->route;
    bool by_dane = h->policy == DELIVERY_DANE;
    bool verified = h->policy == DELIVERY_VERIFIED || h->policy == DELIVERY_STS;
    o->tls = by_dane ? r->by_dane : verified ? r->verified : r->any;
    o->session.tls = h->policy == DELIVERY_OFF             ? SP_CLIENT_TLS_OFF
                     : h->policy == DELIVERY_OPPORTUNISTIC ? SP_CLIENT_TLS_OPPORTUNISTIC
                                                           : SP_CLIENT_TLS_REQUIRED;
    o->plain_fallback = h->policy == DELIVERY_OPPORTUNISTIC && !o->credentials;
    if (by_dane) {
        /* RFC 7672 3.2.2: with DANE-TA(2) the certificate may have either name. */
        const char *other = strcmp(h->base, h->host->name) != 0 ? h->host->name : NULL;
        h->expected = (struct os_tls_expected){h->base, other, h->tlsa, h->expected.tlsa_n};
        o->expected = &h->expected;
    }
    return o->session.tls != SP_CLIENT_TLS_REQUIRED || o->tls;
}

static void keep_policy(struct delivery_dial_host *h, enum delivery_policy policy)
{
    struct client_options trial = h->link->pool->route->options;
    h->policy = policy;
    if (!delivery_dial_set_tls(h, &trial)) {
        delivery_dial_note_host(h, "4.7.5", "TLS cannot be set up here; the log says why: route-tls", "");
        h->addresses.n = 0;
    }
    delivery_dial_host_known(h);
}

/* --- TLSA records (RFC 7672 2.2.2) ------------------------------------------------------------------- */

static size_t take_records(struct delivery_dial_host *h, const struct dns_answer *found)
{
    struct dns_packet packet = found->packet;
    struct dns_record r;
    struct dns_tlsa t;
    size_t all = 0, n = 0, at = 0;
    sp_buf_clear(&h->tlsa_data);
    sp_buf_clear(&h->tlsa_text);
    for (; dns_packet_next_of(&packet, DNS_TYPE_TLSA, &r) == SP_OK; all++) {
        struct os_tls_tlsa *to = &h->tlsa[n];
        if (n == DELIVERY_TLSA_MAX || dns_record_tlsa(&r, &t))
            continue;
        delivery_tls_add_record(&h->tlsa_text, &t);
        *to = (struct os_tls_tlsa){t.usage, t.selector, t.matching, t.data};
        if (os_tls_tlsa_is_usable(to) && sp_buf_add(&h->tlsa_data, t.data) == SP_OK)
            n++;
    }
    for (size_t i = 0; i < n; at += h->tlsa[i++].data.len)
        h->tlsa[i].data.p = h->tlsa_data.p + at;
    h->expected.tlsa_n = n;
    return all;
}

static void ask_tlsa(struct delivery_dial_host *h);

static void take_tlsa(void *ctx, const struct dns_answer *found)
{
    struct delivery_dial_host *h = ctx;
    h->lookup = NULL;
    size_t all = found->verdict == DNS_FOUND && found->secure ? take_records(h, found) : 0;
    bool absent = found->verdict == DNS_NO_NAME || found->verdict == DNS_NO_DATA;
    if (found->verdict != DNS_FOUND && !absent) {
        /* An attacker who could make this question fail would else switch DANE off. */
        delivery_dial_note_host(h, "4.4.3", dns_verdict_text(found->verdict),
                                *found->why ? found->why : "of its TLSA records");
        delivery_tls_tell_no_tlsa(h, found->verdict, found->why);
        h->addresses.n = 0;
        delivery_dial_host_known(h);
    } else if (absent && !h->original && strcmp(h->base, h->host->name) != 0) {
        h->original = true;
        ask_tlsa(h);
    } else {
        keep_policy(h, policy_of(h->link->pool, all, h->expected.tlsa_n));
    }
}

static void ask_tlsa(struct delivery_dial_host *h)
{
    const struct delivery_pool *p = h->link->pool;
    char name[DNS_NAME_MAX + 32];
    const char *base = h->original ? h->host->name : h->addresses.name;
    (void)snprintf(h->base, sizeof h->base, "%s", base); /* both have the same room */
    int n = snprintf(name, sizeof name, "_%u._tcp.%s", p->route->port, base);
    h->lookup = dns_ask(p->delivery->dns, sp_view_make(name, (size_t)n), DNS_TYPE_TLSA,
                        p->site.host_n > 1 ? LOOKUP_ONE_OF_MS : LOOKUP_MS, take_tlsa, h);
}

void delivery_dial_find_policy(struct delivery_dial_host *h)
{
    const struct delivery_pool *p = h->link->pool;
    const struct dns_addresses *found = &h->addresses;
    if (p->route->by_dane && p->site.secure && found->secure && found->name[0] && !p->site.plain_will_do)
        ask_tlsa(h);
    else
        keep_policy(h, policy_of(p, 0, 0));
}
