/*
 * What a host must prove before it gets mail: the most demanding of what the route says, what the mail asks,
 * and what the domain says of itself, by DANE (RFC 7672) or MTA-STS (RFC 8461).
 */
#include "base/view.h"
#include "roles/delivery/dial.h"

#include <stdio.h>
#include <string.h>

enum { LOOKUP_MS = 30000 };

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

void delivery_dial_set_tls(struct delivery_link *l)
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
        delivery_dial_note_host(l, "4.4.3", dns_verdict_text(found->verdict),
                                *found->why ? found->why : "of its TLSA records");
        delivery_dial_next_host(l);
    } else if (absent && !dial->original && strcmp(dial->base, dial->host->name) != 0) {
        dial->original = true;
        ask_tlsa(l);
    } else {
        dial->policy = policy_of(l->pool, all, dial->expected.tlsa_n);
        delivery_dial_next_address(l);
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

void delivery_dial_find_policy(struct delivery_link *l, const struct dns_addresses *found)
{
    struct delivery_dial *dial = &l->dial;
    const struct delivery_pool *p = l->pool;
    dial->expected.tlsa_n = 0;
    dial->policy = policy_of(p, 0, 0);
    dial->original = false;
    if (p->route->by_dane && p->site.secure && found->secure && found->name[0] && !p->site.plain_will_do)
        ask_tlsa(l);
    else
        delivery_dial_next_address(l);
}
