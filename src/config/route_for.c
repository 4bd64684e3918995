/* Rules: which route mail takes to domains that are not ours. */
#include "base/view.h"
#include "config/config.h"

static struct sp_view domain_of(struct sp_view address)
{
    size_t at = address.len; /* no domain holds an @, quoted local parts may */
    while (at > 0 && address.p[at - 1] != '@')
        at--;
    return sp_view_from(address, at);
}

static bool fits(const struct config_pattern *pattern, struct sp_view address)
{
    struct sp_view text = sp_view_of(pattern->text);
    if (address.len == 0 || sp_view_eq(text, SP_LIT("<>")))
        return address.len == 0 && (sp_view_eq(text, SP_LIT("<>")) || sp_view_eq(text, SP_LIT("*")));
    bool whole = sp_view_find(text, '@', 0) < text.len;
    return sp_view_is_like(whole ? address : domain_of(address), text);
}

static bool fits_one(const struct config_pattern *patterns, size_t n, struct sp_view address)
{
    for (size_t i = 0; i < n; i++)
        if (fits(&patterns[i], address))
            return true;
    return n == 0;
}

const struct config_route *config_route_for(const struct config *c, struct sp_view sender,
                                            struct sp_view recipient)
{
    for (size_t i = 0; i < c->rule_n; i++)
        if (fits_one(c->rules[i].from, c->rules[i].from_n, sender) &&
            fits_one(c->rules[i].to, c->rules[i].to_n, recipient))
            return c->rules[i].route;
    return c->default_route;
}

static bool asks_for_policies(const struct config_route *r)
{
    return r && r->kind == CONFIG_ROUTE_MX && r->mta_sts && r->tls != CONFIG_ROUTE_TLS_OFF;
}

bool config_fetches(const struct config *c)
{
    bool fetches = c->tokens.jwks_url || c->tls_reports.contact || asks_for_policies(c->default_route);
    for (size_t i = 0; i < c->rule_n; i++)
        fetches = fetches || asks_for_policies(c->rules[i].route);
    for (size_t i = 0; i < c->domain_n; i++)
        fetches = fetches || asks_for_policies(c->domains[i].route);
    return fetches;
}
