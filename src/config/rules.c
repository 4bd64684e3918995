#include "config/mechanisms.h"

#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/view.h"

struct rules {
    struct config *config;
    const struct config_block *block; /* the one looked at */
    struct config_faults *faults;
};

static bool given(const struct rules *r, const char *key)
{
    return config_block_setting(r->block, key) != NULL;
}

/* A fault at a key's line when it is given, else at the section's. */
static void fault(const struct rules *r, const char *key, const char *text)
{
    const struct config_setting *s = config_block_setting(r->block, key);
    config_fault(r->faults, s ? s->line : r->block->section->line, "%s: %s",
                 config_block_where(r->block, key, r->faults->arena), text);
}

/* --- listeners ----------------------------------------------------------------------------------- */

static void check_same_address(const struct rules *r, const struct config_listener *l)
{
    if (os_address_port(&l->address) == 0)
        return;
    for (const struct config_listener *other = r->config->listeners; other < l; other++)
        if (other->address.len == l->address.len &&
            memcmp(&other->address.as, &l->address.as, l->address.len) == 0)
            fault(r, "address",
                  config_text(r->faults->arena, "listener \"%s\" has this address already", other->name));
}

static bool names_external(const struct config_listener *l)
{
    for (size_t i = 0; i < l->mechanism_n; i++)
        if (l->mechanisms[i] == SASL_ID_external)
            return true;
    return l->mechanism_n == 0;
}

static void check_client_ca(const struct rules *r, const struct config_listener *l)
{
    if (!l->client_ca) {
        if (given(r, "client-name"))
            fault(r, "client-name", "has no effect without client-ca");
    } else if (l->tls == CONFIG_TLS_OFF) {
        fault(r, "client-ca",
              "nobody could show a certificate with tls = off; allowed: with tls = starttls or implicit");
    } else if (l->auth == CONFIG_AUTH_OFF) {
        fault(r, "client-ca", "has no effect with auth = off; allowed: with auth = offered or required");
    } else if (!names_external(l)) {
        fault(r, "client-ca", "has no effect, since mechanisms does not name EXTERNAL");
    } else if (r->config->users.source == CONFIG_SOURCE_DOVECOT) {
        fault(r, "client-ca",
              "Dovecot's socket does not say whether a user exists; allowed: with users { source = built-in "
              "} or "
              "password-file");
    }
}

/* RFC 2033 5 */
static void check_protocol(const struct rules *r, const struct config_listener *l)
{
    enum { SMTP_PORT = 25 };
    if (l->protocol == CONFIG_PROTOCOL_LMTP && os_address_port(&l->address) == SMTP_PORT)
        fault(r, "protocol", "port 25 is for SMTP; allowed: lmtp on any other port");
}

static void check_listener(const struct rules *r)
{
    struct config_listener *l = r->block->target;
    check_protocol(r, l);
    bool plain_auth = l->auth != CONFIG_AUTH_OFF && l->tls == CONFIG_TLS_OFF && !l->auth_in_clear;
    if (l->address.len == 0)
        return;
    if (l->auth_in_clear && !os_address_is_loopback(&l->address))
        fault(r, "auth-in-clear",
              "anybody on the way could read the passwords; allowed: yes on a loopback address "
              "(127.0.0.0/8, ::1) only; elsewhere use tls");
    else if (plain_auth)
        fault(r, "auth",
              "AUTH would never be offered, since this listener has no TLS; allowed: tls = starttls or "
              "implicit, or auth-in-clear = yes on a loopback address");
    if (l->auth_in_clear && l->auth == CONFIG_AUTH_OFF)
        fault(r, "auth-in-clear", "has no effect with auth = off; allowed: with auth = offered or required");
    if (l->tls_required && l->tls == CONFIG_TLS_OFF)
        fault(r, "require-tls",
              "nobody could fulfil it with tls = off; allowed: with tls = starttls or implicit");
    if (l->auth == CONFIG_AUTH_REQUIRED && !l->auth_in_clear)
        l->tls_required = true;
    if (given(r, "mechanisms") && l->auth == CONFIG_AUTH_OFF)
        fault(r, "mechanisms", "has no effect with auth = off; allowed: with auth = offered or required");
    check_client_ca(r, l);
    config_mechanisms_settle(r->config, r->block, r->faults);
    check_same_address(r, l);
}

/* --- routes -------------------------------------------------------------------------------------- */

static bool is_loopback_host(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_verified(const struct config_route *route) { return route->tls == CONFIG_ROUTE_TLS_VERIFIED; }

static void check_relay_login(const struct rules *r, const struct config_route *route)
{
    if (given(r, "password-file") && !given(r, "user"))
        fault(r, "password-file", "user and password-file go together");
    if (given(r, "user") && !given(r, "password-file") && !given(r, "certificate-file"))
        fault(r, "user", "needs password-file, or certificate-file to log in by EXTERNAL");
    if (given(r, "certificate-file") != given(r, "key-file"))
        fault(r, given(r, "key-file") ? "key-file" : "certificate-file",
              "certificate-file and key-file go together");
    if (given(r, "certificate-file") && route->tls == CONFIG_ROUTE_TLS_OFF)
        fault(r, "certificate-file", "has no effect with tls = off");
    if (given(r, "password-file") && route->host && !is_verified(route) && !is_loopback_host(route->host))
        fault(r, "user", "the password could be read on the way; allowed: with tls = verified");
    if (given(r, "min-mechanism") && !given(r, "user"))
        fault(r, "min-mechanism", "has no effect without user");
    if (config_mechanism_needs(route->min_mechanism) & SASL_NEEDS_ISSUER)
        fault(r, "min-mechanism",
              config_text(r->faults->arena,
                          "%s takes a token, and a route logs in with a password; allowed: SCRAM-SHA-256, "
                          "PLAIN and the others for passwords",
                          config_mechanism_name(route->min_mechanism)));
    if (route->implicit_tls && route->tls == CONFIG_ROUTE_TLS_OFF)
        fault(r, "implicit-tls", "contradicts tls = off");
    if (given(r, "ca-file") && !is_verified(route))
        fault(r, "ca-file", "has no effect unless tls = verified");
}

/* Keys of one kind are faults under another: a value that does nothing misleads. */
static void check_foreign_keys(const struct rules *r, const struct config_route *route)
{
    enum {
        RELAY = 1 << CONFIG_ROUTE_RELAY,
        MAILDIR = 1 << CONFIG_ROUTE_MAILDIR,
        MX = 1 << CONFIG_ROUTE_MX,
        LMTP = 1 << CONFIG_ROUTE_LMTP
    };
    static const struct {
        const char *key;
        unsigned kinds;
        const char *words;
    } keys[] = {
        {"host", RELAY | LMTP, "relay or lmtp"},
        {"socket", LMTP, "lmtp"},
        {"port", RELAY | LMTP | MX, "relay, lmtp or mx"},
        {"tls", RELAY | LMTP | MX, "relay, lmtp or mx"},
        {"dane", MX, "mx"},
        {"mta-sts", MX, "mx"},
        {"mta-sts-port", MX, "mx"},
        {"implicit-tls", RELAY, "relay"},
        {"ca-file", RELAY | LMTP | MX, "relay, lmtp or mx"},
        {"user", RELAY, "relay"},
        {"password-file", RELAY, "relay"},
        {"certificate-file", RELAY, "relay"},
        {"key-file", RELAY, "relay"},
        {"min-mechanism", RELAY, "relay"},
        {"connections", RELAY | LMTP | MX, "relay, lmtp or mx"},
        {"path", MAILDIR, "maildir"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!(keys[i].kinds >> route->kind & 1) && given(r, keys[i].key))
            fault(r, keys[i].key, config_text(r->faults->arena, "belongs to kind = %s", keys[i].words));
}

static void check_lmtp(const struct rules *r, const struct config_route *route)
{
    if (!given(r, "host") && !given(r, "socket"))
        fault(r, "host", "is missing: kind = lmtp needs the server's host or socket");
    if (given(r, "host") && given(r, "socket"))
        fault(r, "socket", "a route has one server: host or socket");
    if (given(r, "socket") && route->tls > CONFIG_ROUTE_TLS_OPPORTUNISTIC)
        fault(r, "tls", "nobody is on the way to a Unix socket; allowed: leave the key out");
    if (given(r, "ca-file") && !is_verified(route))
        fault(r, "ca-file", "has no effect unless tls = verified");
}

static uint16_t usual_port(const struct config_route *route)
{
    if (route->kind == CONFIG_ROUTE_LMTP)
        return CONFIG_LMTP_PORT;
    return route->implicit_tls ? 465 : route->user ? 587 : CONFIG_SMTP_PORT;
}

static void check_route_name(const struct rules *r, const struct config_route *route)
{
    const char *why = NULL;
    if (strcmp(route->name, "hold") == 0 || strcmp(route->name, "discard") == 0)
        why = "always exists; give this one another name";
    else if (strcmp(route->name, "none") == 0)
        why = "means no route where routes are named; give this one another name";
    else if (strcmp(route->name, "mx") == 0 && given(r, "kind") && route->kind != CONFIG_ROUTE_MX)
        why = "is of kind mx; give this one another name";
    if (why)
        config_fault(r->faults, r->block->section->line, "route \"%s\" %s", route->name, why);
}

static void check_route(const struct rules *r)
{
    struct config_route *route = r->block->target;
    check_route_name(r, route);
    if (!given(r, "kind"))
        return;
    check_foreign_keys(r, route);
    if (route->kind == CONFIG_ROUTE_MAILDIR && !given(r, "path"))
        fault(r, "path", "is missing: kind = maildir needs the folder, such as \"/var/mail/%d/%l\"");
    if (route->kind == CONFIG_ROUTE_LMTP)
        check_lmtp(r, route);
    if (route->kind == CONFIG_ROUTE_RELAY && !given(r, "host"))
        fault(r, "host", "is missing: kind = relay needs the server's name or address");
    if (route->kind == CONFIG_ROUTE_RELAY)
        check_relay_login(r, route);
    if (route->port == 0)
        route->port = usual_port(route);
}

/* --- references to routes ------------------------------------------------------------------------ */

static const char *route_names(const struct rules *r)
{
    const char *names = "hold, discard, mx";
    for (size_t i = 2; i < r->config->route_n; i++)
        if (strcmp(r->config->routes[i].name, "mx") != 0)
            names = config_text(r->faults->arena, "%s, %s", names, r->config->routes[i].name);
    return names;
}

static const struct config_route *resolve_route(const struct rules *r, const char *key)
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

static void check_domain(const struct rules *r)
{
    struct config_domain *domain = r->block->target;
    domain->route = resolve_route(r, "route");
    if (domain->catch_all && domain->mailbox_n == 0)
        fault(r, "catch-all", "has no effect without mailboxes: all names are accepted then");
}

static void check_rule(const struct rules *r)
{
    struct config_rule *rule = r->block->target;
    rule->route = resolve_route(r, "route");
}

/* mx when nothing is said; NULL for the word none. */
static const struct config_route *resolve_default(const struct rules *r)
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

static void check_users(const struct rules *r)
{
    const struct config_users *u = r->block->target;
    if (u->source == CONFIG_SOURCE_BUILT_IN && given(r, "path"))
        fault(r, "path", "has no effect with source = built-in; allowed: with password-file or dovecot");
    if (u->source != CONFIG_SOURCE_BUILT_IN && !given(r, "path"))
        fault(r, "source",
              u->source == CONFIG_SOURCE_DOVECOT
                  ? "path is missing: source = dovecot needs the socket, such as /run/dovecot/auth-client"
                  : "path is missing: source = password-file needs the file");
}

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

static void check_url(const struct rules *r, const struct config_tokens *t)
{
    struct sp_view host;
    bool clear = t->jwks_in_clear;
    if (!is_web_address(sp_view_of(t->jwks_url), clear ? SP_LIT("http://") : SP_LIT("https://"), &host))
        fault(r, "jwks-url",
              clear ? "with jwks-in-clear it must be http://ADDRESS:PORT/PATH"
                    : "whoever could change the keys on the way could make tokens for everybody; allowed: "
                      "https://HOST/PATH without user and fragment");
    else if (clear &&
             !is_loopback_host(config_text(r->faults->arena, "%.*s", (int)host.len, (const char *)host.p)))
        fault(r, "jwks-in-clear", "allowed: yes with a loopback address (127.0.0.0/8, ::1) in jwks-url only");
}

static void check_tokens(const struct rules *r)
{
    static const char *const url_keys[] = {"jwks-ca-file",    "jwks-in-clear",  "jwks-fresh-least",
                                           "jwks-fresh-most", "jwks-ask-again", "jwks-keep"};
    const struct config_tokens *t = r->block->target;
    if (given(r, "jwks-file") == given(r, "jwks-url"))
        fault(r, "jwks-url",
              given(r, "jwks-url")
                  ? "contradicts jwks-file; allowed: one of the two"
                  : "is missing: jwks-url or jwks-file must say where the issuer's keys are");
    for (size_t i = 0; i < sizeof url_keys / sizeof *url_keys; i++)
        if (!given(r, "jwks-url") && given(r, url_keys[i]))
            fault(r, url_keys[i], "has no effect without jwks-url");
    if (t->jwks_fresh_most_s < t->jwks_fresh_least_s)
        fault(r, "jwks-fresh-most", "is less than jwks-fresh-least");
    if (t->jwks_keep_s < t->jwks_fresh_most_s)
        fault(r, "jwks-keep", "is less than jwks-fresh-most: keys that are fresh would not be used");
    if (t->jwks_url)
        check_url(r, t);
}

static void check_dns(const struct rules *r)
{
    const struct config_dns *d = r->block->target;
    if (given(r, "trust-anchor") && d->dnssec == CONFIG_DNSSEC_OFF)
        fault(r, "trust-anchor", "has no effect with dnssec = off");
}

static void check_queue(const struct rules *r)
{
    const struct config_queue *q = r->block->target;
    if (q->retry_most_s < q->retry_first_s)
        fault(r, "retry-most", "is less than retry-first");
    if (q->expire_s < q->retry_first_s)
        fault(r, "expire", "is less than retry-first: nothing would be tried again");
    if (q->back_off_most_s < q->back_off_first_s)
        fault(r, "back-off-most", "is less than back-off-first");
}

/* The name of this machine, when it is one that can be said to others. */
static const char *machine_name(const struct rules *r)
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

static void check_top(const struct rules *r)
{
    struct config *c = r->block->target;
    if (given(r, "tls-certificate") != given(r, "tls-key"))
        fault(r, given(r, "tls-key") ? "tls-key" : "tls-certificate",
              "tls-certificate and tls-key go together");
    c->default_route = resolve_default(r);
    if (!c->hostname && !given(r, "hostname"))
        c->hostname = machine_name(r);
    fill_processes(c);
    if (c->listener_n == 0)
        config_fault(r->faults, 1,
                     "no listener: nobody could connect; write listener \"smtp\" { address = \"...\" }");
    if (c->domain_n == 0 && c->rule_n == 0 && !c->default_route && r->faults->n == 0)
        fault(r, "default-route",
              "neither a domain nor a rule nor a default route: every recipient would be refused");
}

void config_rules(struct config *c, const struct config_block *blocks, struct config_faults *faults)
{
    static void (*const checks[CONFIG_SECTION_N])(const struct rules *r) = {
        [CONFIG_SECTION_TOP] = check_top,       [CONFIG_SECTION_LISTENER] = check_listener,
        [CONFIG_SECTION_ROUTE] = check_route,   [CONFIG_SECTION_DOMAIN] = check_domain,
        [CONFIG_SECTION_QUEUE] = check_queue,   [CONFIG_SECTION_USERS] = check_users,
        [CONFIG_SECTION_TOKENS] = check_tokens, [CONFIG_SECTION_RULE] = check_rule,
        [CONFIG_SECTION_DNS] = check_dns,
    };
    for (const struct config_block *b = blocks; b; b = b->next) {
        struct rules r = {c, b, faults};
        if (checks[b->id])
            checks[b->id](&r);
    }
    if (c->domain_n)
        qsort(c->domains, c->domain_n, sizeof *c->domains, by_name);
}
