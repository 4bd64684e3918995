/*
 * From a domain to the hosts that take its mail (RFC 5321 5.1). All questions of a domain are asked at once;
 * mail for it that comes meanwhile waits with the first.
 */
#include "base/view.h"
#include "dns/idna.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/delivery/delivery.h"
#include "roles/delivery/sts.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOKUP_MS = 30000, HOST_LOOKUP_MS = 5000, DOMAIN_MAX = 1000, TEXT_MAX = 1600 };

/* A host of the domain, and whether it has addresses. */
struct candidate {
    struct delivery_search *search;
    struct delivery_host host;
    struct dns_query *query;
    enum dns_verdict verdict;
    bool own;
};

struct delivery_search {
    struct delivery_search *next;
    struct delivery_route *route;
    char domain[DOMAIN_MAX];     /* in lower case, as it stands in addresses */
    char name[DNS_NAME_MAX + 1]; /* as the DNS has it                        */
    struct delivery_attempt *waiting, **waiting_end;
    struct dns_lookup *mx;
    bool implicit; /* it has no MX, and stands for itself */
    bool secure;
    struct candidate candidates[DELIVERY_HOSTS_MAX];
    size_t candidate_n, open_n; /* open: whose addresses are not known yet */
    bool asked_hosts;           /* all of them are known by name           */
    struct sts_question *sts;   /* under way                               */
    struct sts_policy *policy;  /* of MTA-STS; NULL: none                  */
    struct os_later later;
};

/* --- ends --------------------------------------------------------------------------------------- */

static void search_free(struct delivery_search *s)
{
    struct delivery_search **at = &s->route->delivery->searches;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    if (s->mx)
        dns_lookup_cancel(s->mx);
    if (s->sts)
        sts_cancel(s->sts);
    free(s->policy);
    for (size_t i = 0; i < s->candidate_n; i++)
        if (s->candidates[i].query)
            dns_query_cancel(s->candidates[i].query);
    os_later_fini(&s->later);
    delivery_route_release(s->route);
    free(s);
}

static struct delivery_attempt *take_attempts(struct delivery_search *s)
{
    struct delivery_attempt *list = s->waiting;
    s->waiting = NULL;
    s->waiting_end = &s->waiting;
    return list;
}

/* All mail of the domain has the same outcome. */
static void fail(struct delivery_search *s, const struct delivery_outcome *o)
{
    struct delivery_attempt *list = take_attempts(s), *a;
    struct delivery *d = s->route->delivery;
    search_free(s);
    while ((a = list)) {
        list = a->next;
        a->health = o->kind == IPC_OUTCOME_DEFERRED ? IPC_HEALTH_UNFOUND : IPC_HEALTH_UNTOLD;
        delivery_attempt_settle_open(a, o);
        delivery_attempt_finish(a);
    }
    delivery_link_ended(d);
}

static void fail_with(struct delivery_search *s, enum ipc_outcome_kind kind, int code, const char *enhanced,
                      const char *text)
{
    const struct delivery_outcome o = {.kind = kind,
                                       .code = code,
                                       .enhanced = sp_view_of(enhanced),
                                       .reply = sp_view_of(text),
                                       .remote = ""};
    fail(s, &o);
}

static void settle_one(struct delivery_attempt *a, enum ipc_outcome_kind kind, const char *enhanced,
                       const char *text)
{
    const struct delivery_outcome o = {
        .kind = kind, .enhanced = sp_view_of(enhanced), .reply = sp_view_of(text), .remote = ""};
    delivery_attempt_settle_open(a, &o);
    delivery_attempt_finish(a);
}

/* What a mail asks for itself decides which of the hosts it goes to. */
static void give(struct delivery_search *s, struct delivery_attempt *a, const struct delivery_site *all,
                 const struct delivery_site *allowed)
{
    struct delivery_site site = a->plain_will_do ? *all : *allowed;
    char text[TEXT_MAX];
    site.require_tls = a->parameters.require_tls;
    site.plain_will_do = a->plain_will_do;
    if (site.host_n == 0) {
        (void)snprintf(
            text, sizeof text,
            "domain %.255s: its MTA-STS policy names none of its mail servers, of which the first is %.255s",
            s->name, all->hosts[0].name);
        settle_one(a, IPC_OUTCOME_DEFERRED, "4.7.5", text);
    } else if (site.require_tls && !site.secure && !site.sts) {
        /* RFC 8689 4.2.1: a certificate for a name that anybody may have put into the DNS proves nothing. */
        (void)snprintf(
            text, sizeof text,
            "domain %.255s: REQUIRETLS was asked for, and neither DNSSEC nor MTA-STS proves which servers "
            "take its mail",
            s->name);
        settle_one(a, IPC_OUTCOME_FAILED, "5.7.10", text);
    } else {
        delivery_pool_take(delivery_pool_of(s->route, &site), a);
    }
}

static void succeed(struct delivery_search *s, const struct delivery_site *all,
                    const struct delivery_site *allowed)
{
    struct delivery_attempt *list = take_attempts(s), *a;
    struct delivery *d = s->route->delivery;
    while ((a = list)) {
        list = a->next;
        a->next = NULL;
        give(s, a, all, allowed);
    }
    search_free(s);
    delivery_link_ended(d);
}

/* --- judging ------------------------------------------------------------------------------------- */

static int by_preference(const void *one, const void *other)
{
    const struct delivery_host *a = &((const struct candidate *)one)->host;
    const struct delivery_host *b = &((const struct candidate *)other)->host;
    return a->preference != b->preference ? (a->preference > b->preference) - (a->preference < b->preference)
                                          : strcmp(a->name, b->name);
}

/* Hosts that stand at or behind ourselves would only send it back. */
static size_t cut_at_ourselves(const struct delivery_search *s)
{
    for (size_t i = 0; i < s->candidate_n; i++) {
        if (!s->candidates[i].own)
            continue;
        while (i > 0 && s->candidates[i - 1].host.preference == s->candidates[i].host.preference)
            i--;
        return i;
    }
    return s->candidate_n;
}

/* None of them has an address, and none will have one tomorrow. */
static bool is_hopeless(const struct delivery_search *s)
{
    for (size_t i = 0; i < s->candidate_n; i++)
        if (!dns_is_final(s->candidates[i].verdict))
            return false;
    return true;
}

static void fail_hopeless(struct delivery_search *s)
{
    char text[TEXT_MAX];
    if (s->implicit)
        (void)snprintf(text, sizeof text, "domain %.255s: it has neither MX records nor an address", s->name);
    else
        (void)snprintf(text, sizeof text, "domain %.255s: its mail server %.255s%s: %s", s->name,
                       s->candidates[0].host.name, s->candidate_n > 1 ? " (and its others)" : "",
                       dns_verdict_text(s->candidates[0].verdict));
    fail_with(s, IPC_OUTCOME_FAILED, 0, s->implicit ? "5.1.2" : "5.4.4", text);
}

/* The hosts that the domain's policy allows. */
static struct delivery_site filter_by_policy(const struct delivery_search *s, const struct delivery_site *all)
{
    const struct sts_policy *p = s->policy;
    struct delivery_site site = {.secure = all->secure, .sts = p && p->mode == STS_ENFORCE};
    for (size_t i = 0; i < all->host_n; i++) {
        bool allowed = !p || sts_policy_allows(p, all->hosts[i].name);
        if (!allowed && !site.sts)
            os_log(OS_INFO, "mta-sts-testing", OS_STR("domain", s->name), OS_STR("host", all->hosts[i].name),
                   OS_STR("why", "its MTA-STS policy does not name this host; it is in mode testing"));
        if (allowed || !site.sts)
            site.hosts[site.host_n++] = all->hosts[i];
    }
    return site;
}

static void judge(struct delivery_search *s)
{
    struct delivery_site all = {.secure = s->secure};
    size_t n = cut_at_ourselves(s);
    if (n == 0) {
        char text[TEXT_MAX];
        (void)snprintf(
            text, sizeof text,
            "domain %.255s: the DNS names this server for its mail, and the configuration does not have it "
            "as a domain of ours: it would come back for ever",
            s->name);
        fail_with(s, IPC_OUTCOME_FAILED, 0, "5.4.6", text);
        return;
    }
    if (is_hopeless(s)) {
        fail_hopeless(s);
        return;
    }
    for (size_t i = 0; i < n; i++)
        all.hosts[all.host_n++] = s->candidates[i].host;
    struct delivery_site allowed = filter_by_policy(s, &all);
    succeed(s, &all, &allowed);
}

/* --- addresses of hosts ------------------------------------------------------------------------------ */

static void judge_later(void *ctx) { judge(ctx); }

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
    struct candidate *c = ctx;
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
        struct candidate *c = &s->candidates[i];
        c->search = s;
        c->query = dns_addresses(d->dns, sp_view_of(c->host.name), s->route->port, HOST_LOOKUP_MS,
                                 take_addresses, c);
    }
}

/* --- MX --------------------------------------------------------------------------------------------------
 */

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
    char text[TEXT_MAX];
    if (s->candidate_n > 0) {
        ask_addresses(s);
    } else if (null) {
        (void)snprintf(text, sizeof text,
                       "556 5.1.10 domain %.255s takes no mail: its MX is \".\" (RFC 7505)", s->name);
        fail_with(s, IPC_OUTCOME_FAILED, 556, "5.1.10", text);
    } else {
        (void)snprintf(text, sizeof text, "domain %.255s: its MX records name no host", s->name);
        fail_with(s, IPC_OUTCOME_FAILED, 0, "5.4.4", text);
    }
}

static void take_mx(void *ctx, const struct dns_answer *found)
{
    struct delivery_search *s = ctx;
    char text[TEXT_MAX];
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
        fail_with(s, IPC_OUTCOME_FAILED, 0, "5.1.2", text);
        return;
    default:
        (void)snprintf(text, sizeof text, "domain %.255s: its MX records: %s%s%.900s", s->name,
                       dns_verdict_text(found->verdict), *found->why ? ": " : "", found->why);
        fail_with(s, IPC_OUTCOME_DEFERRED, 0, "4.4.3", text);
    }
}

/* --- begin -------------------------------------------------------------------------------------------- */

/* The domain of an address in lower case. SP_ERR_SYNTAX: there is none, or one of another address's. */
static int domain_of(struct sp_view address, char domain_out[DOMAIN_MAX])
{
    size_t at = address.len; /* no domain holds an @, quoted local parts may */
    while (at > 0 && address.p[at - 1] != '@')
        at--;
    struct sp_view domain = sp_view_from(address, at);
    if (at == 0 || domain.len == 0 || domain.len >= DOMAIN_MAX)
        return SP_ERR_SYNTAX;
    for (size_t i = 0; i < domain.len; i++)
        domain_out[i] = (char)sp_ascii_lower(domain.p[i]);
    domain_out[domain.len] = '\0';
    return SP_OK;
}

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

static struct delivery_search *search_new(struct delivery_route *route, const char *domain)
{
    struct delivery *d = route->delivery;
    struct delivery_search *s = os_new(sizeof *s);
    s->route = route;
    s->next = d->searches;
    s->waiting_end = &s->waiting;
    (void)snprintf(s->domain, sizeof s->domain, "%s", domain); /* both have the same room */
    os_later_init(&s->later, d->role->base, judge_later, s);
    route->use_n++;
    d->searches = s;
    return s;
}

/* Recipients of another domain than the first: queue gives none such. */
static void settle_strangers(struct delivery_attempt *a, const char *domain)
{
    static const struct delivery_outcome o = {.kind = IPC_OUTCOME_DEFERRED,
                                              .enhanced = SP_LIT_INIT("4.3.0"),
                                              .reply = SP_LIT_INIT("not tried: another domain goes first"),
                                              .remote = ""};
    char own[DOMAIN_MAX];
    for (size_t i = 0; i < a->target_n; i++)
        if (!a->targets[i].settled && (domain_of(a->targets[i].address, own) || strcmp(own, domain) != 0))
            delivery_attempt_settle(a, i, &o);
}

static void wait_for(struct delivery_search *s, struct delivery_attempt *a)
{
    a->next = NULL;
    *s->waiting_end = a;
    s->waiting_end = &a->next;
}

static void begin(struct delivery_search *s)
{
    if (name_of(s->domain, s->name)) {
        fail_with(s, IPC_OUTCOME_FAILED, 0, "5.1.2", "the recipient's domain cannot be a domain name");
        return;
    }
    if (take_literal(s))
        return;
    s->mx = dns_ask(s->route->delivery->dns, sp_view_of(s->name), DNS_TYPE_MX, LOOKUP_MS, take_mx, s);
    if (s->route->mta_sts)
        s->sts = sts_ask(s->route, s->name, take_policy, s);
}

static void settle_homeless(struct delivery_attempt *a)
{
    static const struct delivery_outcome o = {.kind = IPC_OUTCOME_FAILED,
                                              .enhanced = SP_LIT_INIT("5.1.2"),
                                              .reply = SP_LIT_INIT("the recipient's address has no domain"),
                                              .remote = ""};
    delivery_attempt_settle_open(a, &o);
    delivery_attempt_finish(a);
}

void delivery_search(struct delivery_route *route, struct delivery_attempt *a)
{
    char domain[DOMAIN_MAX] = "";
    size_t first = 0;
    while (first < a->target_n && a->targets[first].settled)
        first++;
    if (domain_of(a->targets[first].address, domain)) {
        settle_homeless(a);
        return;
    }
    settle_strangers(a, domain);
    struct delivery_search *s = route->delivery->searches;
    while (s && (s->route != route || strcmp(s->domain, domain) != 0))
        s = s->next;
    bool first_of_domain = !s;
    if (!s)
        s = search_new(route, domain);
    wait_for(s, a);
    if (first_of_domain)
        begin(s);
}

struct delivery_attempt *delivery_search_stop(struct delivery *d)
{
    struct delivery_attempt *list = NULL, **end = &list;
    while (d->searches) {
        *end = take_attempts(d->searches);
        while (*end)
            end = &(*end)->next;
        search_free(d->searches);
    }
    return list;
}

void delivery_search_forget_queue(struct delivery *d, const struct os_edge *queue)
{
    for (struct delivery_search *s = d->searches; s; s = s->next) {
        struct delivery_attempt *list = take_attempts(s), *a;
        while ((a = list)) {
            list = a->next;
            if (a->queue == queue)
                delivery_attempt_drop(a);
            else
                wait_for(s, a);
        }
    }
}
