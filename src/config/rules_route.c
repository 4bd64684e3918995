#include "config/mechanisms.h"
#include "config/rules.h"

#include <string.h>

static bool is_verified(const struct config_route *route) { return route->tls == CONFIG_ROUTE_TLS_VERIFIED; }

static void check_relay_login(const struct config_rules *r, const struct config_route *route)
{
    if (config_rules_given(r, "password-file") && !config_rules_given(r, "user"))
        config_rules_fault(r, "password-file", "user and password-file go together");
    if (config_rules_given(r, "user") && !config_rules_given(r, "password-file") &&
        !config_rules_given(r, "certificate-file"))
        config_rules_fault(r, "user", "needs password-file, or certificate-file to log in by EXTERNAL");
    if (config_rules_given(r, "certificate-file") != config_rules_given(r, "key-file"))
        config_rules_fault(r, config_rules_given(r, "key-file") ? "key-file" : "certificate-file",
                           "certificate-file and key-file go together");
    if (config_rules_given(r, "certificate-file") && route->tls == CONFIG_ROUTE_TLS_OFF)
        config_rules_fault(r, "certificate-file", "has no effect with tls = off");
    if (config_rules_given(r, "password-file") && route->host && !is_verified(route) &&
        !config_rules_is_loopback(route->host))
        config_rules_fault(r, "user", "the password could be read on the way; allowed: with tls = verified");
    if (config_rules_given(r, "min-mechanism") && !config_rules_given(r, "user"))
        config_rules_fault(r, "min-mechanism", "has no effect without user");
    if (config_mechanism_needs(route->min_mechanism) & SASL_NEEDS_ISSUER)
        config_rules_fault(
            r, "min-mechanism",
            config_text(r->faults->arena,
                        "%s takes a token, and a route logs in with a password; allowed: SCRAM-SHA-256, "
                        "PLAIN and the others for passwords",
                        config_mechanism_name(route->min_mechanism)));
    if (route->implicit_tls && route->tls == CONFIG_ROUTE_TLS_OFF)
        config_rules_fault(r, "implicit-tls", "contradicts tls = off");
    if (config_rules_given(r, "ca-file") && !is_verified(route))
        config_rules_fault(r, "ca-file", "has no effect unless tls = verified");
}

/* Keys of one kind are faults under another: a value that does nothing misleads. */
static void check_foreign_keys(const struct config_rules *r, const struct config_route *route)
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
        if (!(keys[i].kinds >> route->kind & 1) && config_rules_given(r, keys[i].key))
            config_rules_fault(r, keys[i].key,
                               config_text(r->faults->arena, "belongs to kind = %s", keys[i].words));
}

static void check_lmtp(const struct config_rules *r, const struct config_route *route)
{
    if (!config_rules_given(r, "host") && !config_rules_given(r, "socket"))
        config_rules_fault(r, "host", "is missing: kind = lmtp needs the server's host or socket");
    if (config_rules_given(r, "host") && config_rules_given(r, "socket"))
        config_rules_fault(r, "socket", "a route has one server: host or socket");
    if (config_rules_given(r, "socket") && route->tls > CONFIG_ROUTE_TLS_OPPORTUNISTIC)
        config_rules_fault(r, "tls", "nobody is on the way to a Unix socket; allowed: leave the key out");
    if (config_rules_given(r, "ca-file") && !is_verified(route))
        config_rules_fault(r, "ca-file", "has no effect unless tls = verified");
}

static uint16_t usual_port(const struct config_route *route)
{
    if (route->kind == CONFIG_ROUTE_LMTP)
        return CONFIG_LMTP_PORT;
    return route->implicit_tls ? 465 : route->user ? 587 : CONFIG_SMTP_PORT;
}

static void check_route_name(const struct config_rules *r, const struct config_route *route)
{
    const char *why = NULL;
    if (strcmp(route->name, "hold") == 0 || strcmp(route->name, "discard") == 0)
        why = "always exists; give this one another name";
    else if (strcmp(route->name, "none") == 0)
        why = "means no route where routes are named; give this one another name";
    else if (strcmp(route->name, "mx") == 0 && config_rules_given(r, "kind") &&
             route->kind != CONFIG_ROUTE_MX)
        why = "is of kind mx; give this one another name";
    if (why)
        config_fault(r->faults, r->block->section->line, "route \"%s\" %s", route->name, why);
}

void config_rules_route(const struct config_rules *r)
{
    struct config_route *route = r->block->target;
    check_route_name(r, route);
    if (!config_rules_given(r, "kind"))
        return;
    check_foreign_keys(r, route);
    if (route->kind == CONFIG_ROUTE_MAILDIR && !config_rules_given(r, "path"))
        config_rules_fault(r, "path",
                           "is missing: kind = maildir needs the folder, such as \"/var/mail/%d/%l\"");
    if (route->kind == CONFIG_ROUTE_LMTP)
        check_lmtp(r, route);
    if (route->kind == CONFIG_ROUTE_RELAY && !config_rules_given(r, "host"))
        config_rules_fault(r, "host", "is missing: kind = relay needs the server's name or address");
    if (route->kind == CONFIG_ROUTE_RELAY)
        check_relay_login(r, route);
    if (route->port == 0)
        route->port = usual_port(route);
}
