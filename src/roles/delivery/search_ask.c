/* The questions about a domain: its MX records, the addresses of those hosts, its policy of MTA-STS. */
#include "base/view.h"
#include "dns/idna.h"
#include "os/heap.h"
#include "roles/delivery/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKUP_MS = 30000, HOST_LOOKUP_MS = 5000 };

/* --- addresses of hosts ------------------------------------------------------------------------------ */

static int by_preference(const void *one, const void *other)
{
    const struct delivery_host *a = &((const struct delivery_candidate *)one)->host;
    const struct delivery_host *b = &((const struct delivery_candidate *)other)->host;
    return a->preference != b->preference ? (a->preference > b->preference) - (a->preference < b->preference)
                                          : strcmp(a->name, b->name);
}

/* All questions are answered. */
static void judge_if_ready(struct delivery_search *s)
{
    if (s->asked_hosts && s->open_n == 0 && !s->sts)
        os_later_ask(&s->later);
}

static void take_policy(void *ctx, const struct sts_policy *policy)
{
    struct delivery_search *s = ctx;
    s->sts = NULL;
    if (policy) {
        s->policy = os_new(sizeof *s->policy);
        *s->policy = *policy;
    }
    judge_if_ready(s);
}

static void take_addresses(void *ctx, const struct dns_addresses *found)
{
    struct delivery_candidate *c = ctx;
    struct delivery_search *s = c->search;
    c->query = NULL;
    c->verdict = found->verdict;
    c->own = delivery_is_own_name(s->route->delivery, c->host.name);
    for (size_t i = 0; i < found->n; i++)
        c->own = c->own || delivery_is_own_address(s->route->delivery, &found->addresses[i]);
    s->open_n--;
    judge_if_ready(s);
}

static void ask_addresses(struct delivery_search *s)
{
    struct delivery *d = s->route->delivery;
    qsort(s->candidates, s->candidate_n, sizeof *s->candidates, by_preference);
    s->open_n = s->candidate_n;
    s->asked_hosts = true;
    for (size_t i = 0; i < s->candidate_n; i++) {
        struct delivery_candidate *c = &s->candidates[i];
        c->search = s;
        c->query = dns_addresses(d->dns, sp_view_of(c->host.name), s->route->port, HOST_LOOKUP_MS,
                                 take_addresses, c);
    }
}

/* --- MX ------------------------------------------------------------------------------------------- */

static void add_candidate(struct delivery_search *s, unsigned preference, const char *name)
{
    size_t worst = 0;
    for (size_t i = 0; i < s->candidate_n; i++)
        if (s->candidates[i].host.preference >= s->candidates[worst].host.preference)
            worst = i;
    if (s->candidate_n < DELIVERY_HOSTS_MAX)
        worst = s->candidate_n++;
    else if (s->candidates[worst].host.preference <= preference)
        return;
    struct delivery_host *h = &s->candidates[worst].host;
    h->preference = preference;
    (void)snprintf(h->name, sizeof h->name, "%s", name); /* both have the same room */
}

static void take_records(struct delivery_search *s, const struct dns_answer *found)
{
    struct dns_packet packet = found->packet;
    struct dns_record r;
    char name[DNS_NAME_MAX + 1];
    unsigned preference;
    bool null = false;
    while (dns_packet_next_of(&packet, DNS_TYPE_MX, &r) == SP_OK) {
        if (dns_record_mx(&packet, &r, &preference, name))
            continue;
        if (name[0])
            add_candidate(s, preference, name);
        else
            null = true;
    }
    char text[DELIVERY_SEARCH_TEXT_MAX];
    if (s->candidate_n > 0) {
        ask_addresses(s);
    } else if (null) {
        (void)snprintf(text, sizeof text,
                       "556 5.1.10 domain %.255s takes no mail: its MX is \".\" (RFC 7505)", s->name);
        delivery_search_fail(s, IPC_OUTCOME_FAILED, 556, "5.1.10", text);
    } else {
        (void)snprintf(text, sizeof text, "domain %.255s: its MX records name no host", s->name);
        delivery_search_fail(s, IPC_OUTCOME_FAILED, 0, "5.4.4", text);
    }
}

static void take_mx(void *ctx, const struct dns_answer *found)
{
    struct delivery_search *s = ctx;
    char text[DELIVERY_SEARCH_TEXT_MAX];
    s->mx = NULL;
    s->secure = found->secure;
    switch (found->verdict) {
    case DNS_FOUND:
        take_records(s, found);
        return;
    case DNS_NO_DATA:
        s->implicit = true;
        add_candidate(s, 0, s->name);
        ask_addresses(s);
        return;
    case DNS_NO_NAME:
    case DNS_BAD_NAME:
        (void)snprintf(text, sizeof text, "domain %.255s: %s", s->name,
                       found->verdict == DNS_NO_NAME ? "there is no such domain"
                                                     : "this cannot be a domain name");
        delivery_search_fail(s, IPC_OUTCOME_FAILED, 0, "5.1.2", text);
        return;
    default:
        if (found->verdict == DNS_BOGUS)
            delivery_tls_tell_no_mx(s, found->why);
        (void)snprintf(text, sizeof text, "domain %.255s: its MX records: %s%s%.900s", s->name,
                       dns_verdict_text(found->verdict), *found->why ? ": " : "", found->why);
        delivery_search_fail(s, IPC_OUTCOME_DEFERRED, 0, "4.4.3", text);
    }
}

/* --- begin ------------------------------------------------------------------------------------------ */

/* As the DNS has it. */
static int name_of(const char *domain, char name_out[DNS_NAME_MAX + 1])
{
    char name[DNS_IDNA_MAX];
    size_t len;
    int status = dns_idna(sp_view_of(domain), name, &len);
    if (!status && len > DNS_NAME_MAX)
        status = SP_ERR_LONG;
    if (!status)
        memcpy(name_out, name, len + 1);
    return status;
}

/* [192.0.2.1], [IPv6:2001:db8::1] (RFC 5321 4.1.3): no MX is asked for. */
static bool take_literal(struct delivery_search *s)
{
    struct sp_view v = sp_view_of(s->name);
    if (v.len < 3 || v.p[0] != '[' || v.p[v.len - 1] != ']')
        return false;
    v = sp_view_sub(v, 1, v.len - 2);
    if (sp_view_starts_nocase(v, SP_LIT("ipv6:")))
        v = sp_view_from(v, 5);
    char *text = os_text(v);
    add_candidate(s, 0, text);
    free(text);
    s->implicit = true;
    ask_addresses(s);
    return true;
}

void delivery_search_ask(struct delivery_search *s)
{
    if (name_of(s->domain, s->name)) {
        delivery_search_fail(s, IPC_OUTCOME_FAILED, 0, "5.1.2",
                             "the recipient's domain cannot be a domain name");
        return;
    }
    if (take_literal(s))
        return;
    s->mx = dns_ask(s->route->delivery->dns, sp_view_of(s->name), DNS_TYPE_MX, LOOKUP_MS, take_mx, s);
    if (s->route->mta_sts)
        s->sts = sts_ask(s->route, s->name, take_policy, s);
}
