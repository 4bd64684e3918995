/*
 * From a domain to the hosts that take its mail (RFC 5321 5.1). All questions of a domain are asked at once;
 * mail for it that comes meanwhile waits with the first.
 */
#include "roles/delivery/search.h"
#include "base/view.h"
#include "os/heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- life --------------------------------------------------------------------------------------- */

void delivery_search_free(struct delivery_search *s)
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

struct delivery_attempt *delivery_search_take_attempts(struct delivery_search *s)
{
    struct delivery_attempt *list = s->waiting;
    s->waiting = NULL;
    s->waiting_end = &s->waiting;
    return list;
}

static void judge_later(void *ctx) { delivery_search_judge(ctx); }

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

/* --- mail ---------------------------------------------------------------------------------------- */

/* All mail of the domain has the same outcome. */
static void fail(struct delivery_search *s, const struct delivery_outcome *o)
{
    struct delivery_attempt *list = delivery_search_take_attempts(s), *a;
    struct delivery *d = s->route->delivery;
    delivery_search_free(s);
    while ((a = list)) {
        list = a->next;
        a->health = o->kind == IPC_OUTCOME_DEFERRED ? IPC_HEALTH_UNFOUND : IPC_HEALTH_UNTOLD;
        delivery_attempt_settle_open(a, o);
        delivery_attempt_finish(a);
    }
    delivery_link_ended(d);
}

void delivery_search_fail(struct delivery_search *s, enum ipc_outcome_kind kind, int code,
                          const char *enhanced, const char *text)
{
    const struct delivery_outcome o = {.kind = kind,
                                       .code = code,
                                       .enhanced = sp_view_of(enhanced),
                                       .reply = sp_view_of(text),
                                       .remote = ""};
    fail(s, &o);
}

/* The domain of an address in lower case. SP_ERR_SYNTAX: there is none, or one of another address's. */
static int domain_of(struct sp_view address, char domain_out[DELIVERY_DOMAIN_MAX])
{
    size_t at = address.len; /* no domain holds an @, quoted local parts may */
    while (at > 0 && address.p[at - 1] != '@')
        at--;
    struct sp_view domain = sp_view_from(address, at);
    if (at == 0 || domain.len == 0 || domain.len >= DELIVERY_DOMAIN_MAX)
        return SP_ERR_SYNTAX;
    for (size_t i = 0; i < domain.len; i++)
        domain_out[i] = (char)sp_ascii_lower(domain.p[i]);
    domain_out[domain.len] = '\0';
    return SP_OK;
}

/* Recipients of another domain than the first: queue gives none such. */
static void settle_strangers(struct delivery_attempt *a, const char *domain)
{
    static const struct delivery_outcome o = {.kind = IPC_OUTCOME_DEFERRED,
                                              .enhanced = SP_LIT_INIT("4.3.0"),
                                              .reply = SP_LIT_INIT("not tried: another domain goes first"),
                                              .remote = ""};
    char own[DELIVERY_DOMAIN_MAX];
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
    char domain[DELIVERY_DOMAIN_MAX] = "";
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
        delivery_search_ask(s);
}

struct delivery_attempt *delivery_search_stop(struct delivery *d)
{
    struct delivery_attempt *list = NULL, **end = &list;
    while (d->searches) {
        *end = delivery_search_take_attempts(d->searches);
        while (*end)
            end = &(*end)->next;
        delivery_search_free(d->searches);
    }
    return list;
}

void delivery_search_forget_queue(struct delivery *d, const struct os_edge *queue)
{
    for (struct delivery_search *s = d->searches; s; s = s->next) {
        struct delivery_attempt *list = delivery_search_take_attempts(s), *a;
        while ((a = list)) {
            list = a->next;
            if (a->queue == queue)
                delivery_attempt_drop(a);
            else
                wait_for(s, a);
        }
    }
}
