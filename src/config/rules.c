#include "config/rules.h"

#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/view.h"

bool config_rules_given(const struct config_rules *r, const char *key)
{
    return config_block_setting(r->block, key) != NULL;
}

void config_rules_fault(const struct config_rules *r, const char *key, const char *text)
{
    const struct config_setting *s = config_block_setting(r->block, key);
    config_fault(r->faults, s ? s->line : r->block->section->line, "%s: %s",
                 config_block_where(r->block, key, r->faults->arena), text);
}

bool config_rules_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* --- references to routes ------------------------------------------------------------------------ */

static const char *route_names(const struct config_rules *r)
{
    const char *names = "hold, discard, mx";
    for (size_t i = 2; i < r->config->route_n; i++)
        if (strcmp(r->config->routes[i].name, "mx") != 0)
            names = config_text(r->faults->arena, "%s, %s", names, r->config->routes[i].name);
    return names;
}

static const struct config_route *resolve_route(const struct config_rules *r, const char *key)
{
    const struct config_setting *s = config_block_setting(r->block, key);
    if (!s || s->list || s->n == 0)
        return NULL;
    const struct config_route *route = config_find_route(r->config, sp_view_of(s->values->text));
    if (!route)
        config_fault(r->faults, s->line, "%s: no route is called '%.60s'; allowed: %s",
                     config_block_where(r->block, key, r->faults->arena), s->values->text, route_names(r));
    return route;
}

static void check_domain(const struct config_rules *r)
{
    struct config_domain *domain = r->block->target;
    domain->route = resolve_route(r, "route");
    if (domain->catch_all && domain->mailbox_n == 0)
        config_rules_fault(r, "catch-all", "has no effect without mailboxes: all names are accepted then");
}

static void check_rule(const struct config_rules *r)
{
    struct config_rule *rule = r->block->target;
    rule->route = resolve_route(r, "route");
}

/* mx when nothing is said; NULL for the word none. */
static const struct config_route *resolve_default(const struct config_rules *r)
{
    const struct config_setting *s = config_block_setting(r->block, "default-route");
    if (!s)
        return config_find_route(r->config, SP_LIT("mx"));
    if (!s->list && s->n == 1 && strcmp(s->values->text, "none") == 0)
        return NULL;
    return resolve_route(r, "default-route");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct config_domain *)a)->name, ((const struct config_domain *)b)->name);
}

/* --- the rest ------------------------------------------------------------------------------------ */

static void check_users(const struct config_rules *r)
{
    const struct config_users *u = r->block->target;
    if (u->source == CONFIG_SOURCE_BUILT_IN && config_rules_given(r, "path"))
        config_rules_fault(r, "path",
                           "has no effect with source = built-in; allowed: with password-file or dovecot");
    if (u->source != CONFIG_SOURCE_BUILT_IN && !config_rules_given(r, "path"))
        config_rules_fault(
            r, "source",
            u->source == CONFIG_SOURCE_DOVECOT
                ? "path is missing: source = dovecot needs the socket, such as /run/dovecot/auth-client"
                : "path is missing: source = password-file needs the file");
}

/* Before they are in the order that config_find_domain needs. */
static bool is_domain(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->domain_n; i++)
        if (strcmp(c->domains[i].name, name) == 0)
            return true;
    return false;
}

static void check_srs(const struct config_rules *r)
{
    enum { DAY_S = 86400 };
    const struct config_srs *s = r->block->target;
    if (s->domain && !is_domain(r->config, s->domain))
        config_rules_fault(
            r, "domain",
            config_text(r->faults->arena,
                        "'%.60s' is no domain of this server, so bounces to it would be refused; allowed: "
                        "a domain with a section of its own: domain \"%.60s\" { route = ... }",
                        s->domain, s->domain));
    if (s->max_age_s % DAY_S)
        config_rules_fault(r, "max-age",
                           "addresses hold a day, not a time; allowed: whole days, such as 21d");
    if (s->max_age_s <= r->config->queue.expire_s)
        config_rules_fault(
            r, "max-age", "is not more than queue/expire: bounces of mail that waited here would be refused");
}

static void check_dns(const struct config_rules *r)
{
    const struct config_dns *d = r->block->target;
    if (config_rules_given(r, "trust-anchor") && d->dnssec == CONFIG_DNSSEC_OFF)
        config_rules_fault(r, "trust-anchor", "has no effect with dnssec = off");
}

static void check_queue(const struct config_rules *r)
{
    const struct config_queue *q = r->block->target;
    if (q->retry_most_s < q->retry_first_s)
        config_rules_fault(r, "retry-most", "is less than retry-first");
    if (q->expire_s < q->retry_first_s)
        config_rules_fault(r, "expire", "is less than retry-first: nothing would be tried again");
    if (q->back_off_most_s < q->back_off_first_s)
        config_rules_fault(r, "back-off-most", "is less than back-off-first");
}

/* An address that may stand in a header as it is. */
static bool is_plain_address(const struct config_rules *r, const char *text)
{
    struct sp_view v = sp_view_of(text);
    size_t at = sp_view_find(v, '@', 0);
    const char *domain = NULL;
    for (size_t i = 0; i < at; i++)
        if (v.p[i] <= ' ' || v.p[i] > '~' || memchr("()<>[]:;,\\\"", v.p[i], 11))
            return false;
    return at > 0 && at < v.len &&
           !config_value_read(CONFIG_KIND_DOMAIN, "", text + at + 1, r->faults->arena, &domain);
}

static void check_tls_reports(const struct config_rules *r)
{
    const struct config_tls_reports *t = r->block->target;
    static const char wrong[] = "is no mail address; allowed: \"postmaster@example.org\"";
    if (t->contact && !is_plain_address(r, t->contact))
        config_rules_fault(r, "contact", wrong);
    if (t->from && !is_plain_address(r, t->from))
        config_rules_fault(r, "from", wrong);
}

/* The name of this machine, when it is one that can be said to others. */
static const char *machine_name(const struct config_rules *r)
{
    char name[256] = "";
    const char *domain = "localhost";
    if (gethostname(name, sizeof name - 1) == 0)
        (void)config_value_read(CONFIG_KIND_DOMAIN, "", name, r->faults->arena,
                                &domain); /* untouched when it is none */
    return domain;
}

/* The cores that this process may use, at most as many as a role may have processes. */
static uint32_t core_n(void)
{
    enum { MOST = 62 };
    cpu_set_t cores;
    long n =
        sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MOST ? MOST : (uint32_t)n;
}

static void fill_processes(struct config *c)
{
    uint32_t *const numbers[] = {&c->smtpd_n, &c->auth_n, &c->delivery_n};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (*numbers[i] == 0)
            *numbers[i] = core_n();
}

static void check_top(const struct config_rules *r)
{
    struct config *c = r->block->target;
    if (config_rules_given(r, "tls-certificate") != config_rules_given(r, "tls-key"))
        config_rules_fault(r, config_rules_given(r, "tls-key") ? "tls-key" : "tls-certificate",
                           "tls-certificate and tls-key go together");
    c->default_route = resolve_default(r);
    if (!c->hostname && !config_rules_given(r, "hostname"))
        c->hostname = machine_name(r);
    fill_processes(c);
    if (c->listener_n == 0)
        config_fault(r->faults, 1,
                     "no listener: nobody could connect; write listener \"smtp\" { address = \"...\" }");
    if (c->domain_n == 0 && c->rule_n == 0 && !c->default_route && r->faults->n == 0)
        config_rules_fault(
            r, "default-route",
            "neither a domain nor a rule nor a default route: every recipient would be refused");
}

void config_rules(struct config *c, const struct config_block *blocks, struct config_faults *faults)
{
    static void (*const checks[CONFIG_SECTION_N])(const struct config_rules *r) = {
        [CONFIG_SECTION_TOP] = check_top,
        [CONFIG_SECTION_LISTENER] = config_rules_listener,
        [CONFIG_SECTION_ROUTE] = config_rules_route,
        [CONFIG_SECTION_DOMAIN] = check_domain,
        [CONFIG_SECTION_QUEUE] = check_queue,
        [CONFIG_SECTION_USERS] = check_users,
        [CONFIG_SECTION_TOKENS] = config_rules_tokens,
        [CONFIG_SECTION_RULE] = check_rule,
        [CONFIG_SECTION_DNS] = check_dns,
        [CONFIG_SECTION_SRS] = check_srs,
        [CONFIG_SECTION_TLS_REPORTS] = check_tls_reports,
    };
    for (const struct config_block *b = blocks; b; b = b->next) {
        struct config_rules r = {c, b, faults};
        if (checks[b->id])
            checks[b->id](&r);
    }
    if (c->domain_n)
        qsort(c->domains, c->domain_n, sizeof *c->domains, by_name);
}
