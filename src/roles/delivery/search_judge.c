/* What the answers about a domain mean: which of its hosts may have its mail, and which mail may go to them.
 */
#include "base/view.h"
#include "os/log.h"
#include "roles/delivery/search.h"

#include <stdio.h>

/* --- giving mail to hosts ------------------------------------------------------------------------ */

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
    char text[DELIVERY_SEARCH_TEXT_MAX];
    site.require_tls = a->parameters.require_tls;
    site.plain_will_do = a->plain_will_do;
    if (site.host_n == 0) {
        delivery_tls_tell_no_host(s->route->delivery, a->aim, all->hosts[0].name);
        (void)snprintf(
            text, sizeof text,
            "domain %.255s: its MTA-STS policy names none of its mail servers, of which the first is %.255s",
            s->name, all->hosts[0].name);
        a->health = IPC_HEALTH_UNFOUND;
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
    struct delivery_attempt *list = delivery_search_take_attempts(s), *a;
    struct delivery *d = s->route->delivery;
    struct delivery_aim *aim = delivery_aim_new(s);
    while ((a = list)) {
        list = a->next;
        a->next = NULL;
        delivery_aim_unref(a->aim); /* of a search before a reload */
        a->aim = delivery_aim_ref(aim);
        give(s, a, all, allowed);
    }
    delivery_aim_unref(aim);
    delivery_search_free(s);
    delivery_link_ended(d);
}

/* --- judging ------------------------------------------------------------------------------------- */

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
    char text[DELIVERY_SEARCH_TEXT_MAX];
    if (s->implicit)
        (void)snprintf(text, sizeof text, "domain %.255s: it has neither MX records nor an address", s->name);
    else
        (void)snprintf(text, sizeof text, "domain %.255s: its mail server %.255s%s: %s", s->name,
                       s->candidates[0].host.name, s->candidate_n > 1 ? " (and its others)" : "",
                       dns_verdict_text(s->candidates[0].verdict));
    delivery_search_fail(s, IPC_OUTCOME_FAILED, 0, s->implicit ? "5.1.2" : "5.4.4", text);
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

void delivery_search_judge(struct delivery_search *s)
{
    struct delivery_site all = {.secure = s->secure};
    size_t n = cut_at_ourselves(s);
    if (n == 0) {
        char text[DELIVERY_SEARCH_TEXT_MAX];
        (void)snprintf(
            text, sizeof text,
            "domain %.255s: the DNS names this server for its mail, and the configuration does not have it "
            "as a domain of ours: it would come back for ever",
            s->name);
        delivery_search_fail(s, IPC_OUTCOME_FAILED, 0, "5.4.6", text);
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
