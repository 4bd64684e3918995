#include "base/view.h"
#include "config/rules.h"

/* What libcurl would make something else of is refused: octets that are no URL's, a user, a fragment. */
static bool is_web_address(struct sp_view url, struct sp_view scheme, struct sp_view *host_out)
{
    if (!sp_view_starts_nocase(url, scheme))
        return false;
    struct sp_view rest = sp_view_from(url, scheme.len);
    size_t end = sp_view_find(rest, '/', 0);
    for (size_t i = 0; i < rest.len; i++)
        if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || rest.p[i] == '#' || rest.p[i] == '\\' ||
            (i < end && (rest.p[i] == '@' || rest.p[i] == '?')))
            return false;
    struct sp_view host = sp_view_sub(rest, 0, end);
    if (host.len && host.p[0] == '[')
        *host_out = sp_view_sub(host, 1, sp_view_find(host, ']', 0) - 1);
    else
        *host_out = sp_view_sub(host, 0, sp_view_find(host, ':', 0));
    return host_out->len > 0;
}

static void check_url(const struct config_rules *r, const struct config_tokens *t)
{
    struct sp_view host;
    bool clear = t->jwks_in_clear;
    if (!is_web_address(sp_view_of(t->jwks_url), clear ? SP_LIT("http://") : SP_LIT("https://"), &host))
        config_rules_fault(
            r, "jwks-url",
            clear ? "with jwks-in-clear it must be http://ADDRESS:PORT/PATH"
                  : "whoever could change the keys on the way could make tokens for everybody; allowed: "
                    "https://HOST/PATH without user and fragment");
    else if (clear && !config_rules_is_loopback(
                          config_text(r->faults->arena, "%.*s", (int)host.len, (const char *)host.p)))
        config_rules_fault(r, "jwks-in-clear",
                           "allowed: yes with a loopback address (127.0.0.0/8, ::1) in jwks-url only");
}

void config_rules_tokens(const struct config_rules *r)
{
    static const char *const url_keys[] = {"jwks-ca-file",    "jwks-in-clear",  "jwks-fresh-least",
                                           "jwks-fresh-most", "jwks-ask-again", "jwks-keep"};
    const struct config_tokens *t = r->block->target;
    if (config_rules_given(r, "jwks-file") == config_rules_given(r, "jwks-url"))
        config_rules_fault(r, "jwks-url",
                           config_rules_given(r, "jwks-url")
                               ? "contradicts jwks-file; allowed: one of the two"
                               : "is missing: jwks-url or jwks-file must say where the issuer's keys are");
    for (size_t i = 0; i < sizeof url_keys / sizeof *url_keys; i++)
        if (!config_rules_given(r, "jwks-url") && config_rules_given(r, url_keys[i]))
            config_rules_fault(r, url_keys[i], "has no effect without jwks-url");
    if (t->jwks_fresh_most_s < t->jwks_fresh_least_s)
        config_rules_fault(r, "jwks-fresh-most", "is less than jwks-fresh-least");
    if (t->jwks_keep_s < t->jwks_fresh_most_s)
        config_rules_fault(r, "jwks-keep",
                           "is less than jwks-fresh-most: keys that are fresh would not be used");
    if (t->jwks_url)
        check_url(r, t);
}
