#include "config/mechanisms.h"
#include "config/rules.h"

#include <string.h>

static void check_same_address(const struct config_rules *r, const struct config_listener *l)
{
    if (os_address_port(&l->address) == 0)
        return;
    for (const struct config_listener *other = r->config->listeners; other < l; other++)
        if (other->address.len == l->address.len &&
            memcmp(&other->address.as, &l->address.as, l->address.len) == 0)
            config_rules_fault(
                r, "address",
                config_text(r->faults->arena, "listener \"%s\" has this address already", other->name));
}

static bool names_external(const struct config_listener *l)
{
    for (size_t i = 0; i < l->mechanism_n; i++)
        if (l->mechanisms[i] == SASL_ID_external)
            return true;
    return l->mechanism_n == 0;
}

static void check_client_ca(const struct config_rules *r, const struct config_listener *l)
{
    if (!l->client_ca) {
        if (config_rules_given(r, "client-name"))
            config_rules_fault(r, "client-name", "has no effect without client-ca");
    } else if (l->tls == CONFIG_TLS_OFF) {
        config_rules_fault(
            r, "client-ca",
            "nobody could show a certificate with tls = off; allowed: with tls = starttls or implicit");
    } else if (l->auth == CONFIG_AUTH_OFF) {
        config_rules_fault(r, "client-ca",
                           "has no effect with auth = off; allowed: with auth = offered or required");
    } else if (!names_external(l)) {
        config_rules_fault(r, "client-ca", "has no effect, since mechanisms does not name EXTERNAL");
    } else if (r->config->users.source == CONFIG_SOURCE_DOVECOT) {
        config_rules_fault(
            r, "client-ca",
            "Dovecot's socket does not say whether a user exists; allowed: with users { source = built-in "
            "} or "
            "password-file");
    }
}

/* RFC 2033 5 */
static void check_protocol(const struct config_rules *r, const struct config_listener *l)
{
    enum { SMTP_PORT = 25 };
    if (l->protocol == CONFIG_PROTOCOL_LMTP && os_address_port(&l->address) == SMTP_PORT)
        config_rules_fault(r, "protocol", "port 25 is for SMTP; allowed: lmtp on any other port");
}

void config_rules_listener(const struct config_rules *r)
{
    struct config_listener *l = r->block->target;
    check_protocol(r, l);
    bool plain_auth = l->auth != CONFIG_AUTH_OFF && l->tls == CONFIG_TLS_OFF && !l->auth_in_clear;
    if (l->address.len == 0)
        return;
    if (l->auth_in_clear && !os_address_is_loopback(&l->address))
        config_rules_fault(r, "auth-in-clear",
                           "anybody on the way could read the passwords; allowed: yes on a loopback address "
                           "(127.0.0.0/8, ::1) only; elsewhere use tls");
    else if (plain_auth)
        config_rules_fault(
            r, "auth",
            "AUTH would never be offered, since this listener has no TLS; allowed: tls = starttls or "
            "implicit, or auth-in-clear = yes on a loopback address");
    if (l->auth_in_clear && l->auth == CONFIG_AUTH_OFF)
        config_rules_fault(r, "auth-in-clear",
                           "has no effect with auth = off; allowed: with auth = offered or required");
    if (l->tls_required && l->tls == CONFIG_TLS_OFF)
        config_rules_fault(r, "require-tls",
                           "nobody could fulfil it with tls = off; allowed: with tls = starttls or implicit");
    if (l->auth == CONFIG_AUTH_REQUIRED && !l->auth_in_clear)
        l->tls_required = true;
    if (config_rules_given(r, "mechanisms") && l->auth == CONFIG_AUTH_OFF)
        config_rules_fault(r, "mechanisms",
                           "has no effect with auth = off; allowed: with auth = offered or required");
    check_client_ca(r, l);
    config_mechanisms_settle(r->config, r->block, r->faults);
    check_same_address(r, l);
}
