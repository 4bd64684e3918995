#include "roles/smtpd/policy.h"

#include "base/buf.h"
#include "base/view.h"
#include "dns/idna.h"
#include "os/heap.h"

enum { LOCAL_MAX = 128 };

/* In lower case, as the configuration keeps mailboxes. An empty view: longer than any of ours. */
static struct sp_view lower(struct sp_view v, uint8_t *out, size_t max)
{
    if (v.len > max)
        return (struct sp_view){0};
    for (size_t i = 0; i < v.len; i++)
        out[i] = sp_ascii_lower(v.p[i]);
    return sp_view_make(out, v.len);
}

/* "a b" and a\ b are the same mailbox, RFC 5321 4.1.2: without quotes and backslashes. */
static struct sp_view unquote(struct sp_view local, uint8_t *out, size_t max)
{
    size_t n = 0;
    if (local.len > max || local.len < 2 || local.p[0] != '"')
        return local;
    for (size_t i = 1; i + 1 < local.len; i++) {
        if (local.p[i] == '\\' && i + 2 < local.len)
            i++;
        out[n++] = local.p[i];
    }
    return sp_view_make(out, n);
}

static bool has_mailbox(const struct config_domain *d, struct sp_view local)
{
    uint8_t bare[LOCAL_MAX], small[LOCAL_MAX];
    struct sp_view name = lower(unquote(local, bare, sizeof bare), small, sizeof small);
    if (d->mailbox_n == 0 || sp_view_eq(name, SP_LIT("postmaster"))) /* RFC 5321 4.5.1 */
        return true;
    for (size_t i = 0; i < d->mailbox_n; i++)
        if (sp_view_eq(name, sp_view_of(d->mailboxes[i])))
            return true;
    return false;
}

/* <postmaster> alone is the server's own: in the domain of its name, else in the first it serves. */
static const struct config_domain *domain_of(const struct config *c, struct sp_view domain)
{
    if (domain.len > 0)
        return config_find_domain(c, domain);
    const struct config_domain *own = config_find_domain(c, sp_view_of(c->hostname));
    return own || c->domain_n == 0 ? own : &c->domains[0];
}

/* Rules know domains as DNS does. */
static const struct config_route *route_for(const struct config *c, struct sp_view sender,
                                            const struct sp_path *recipient, struct sp_view ascii)
{
    struct sp_buf text;
    if (sp_view_eq(ascii, recipient->domain))
        return config_route_for(c, sender, recipient->text);
    sp_buf_init(&text, &os_heap, LOCAL_MAX * 2 + DNS_IDNA_MAX);
    sp_buf_add(&text, recipient->local);
    sp_buf_add_u8(&text, '@');
    sp_buf_add(&text, ascii);
    const struct config_route *route = config_route_for(c, sender, sp_buf_view(&text));
    sp_buf_fini(&text);
    return route;
}

bool policy_is_domain(struct sp_view domain)
{
    char ascii[DNS_IDNA_MAX];
    size_t len;
    return dns_idna(domain, ascii, &len) == SP_OK;
}

enum smtpd_refusal policy_mailbox(const struct config *c, const struct sp_path *mailbox)
{
    char ascii[DNS_IDNA_MAX];
    size_t len = 0;
    if (dns_idna(mailbox->domain, ascii, &len) != SP_OK)
        return SMTPD_UNKNOWN_RECIPIENT;
    const struct config_domain *d = domain_of(c, sp_view_make(ascii, len));
    if (!d)
        return SMTPD_NO_ROUTE;
    return has_mailbox(d, mailbox->local) ? SMTPD_FINE : SMTPD_UNKNOWN_RECIPIENT;
}

enum smtpd_refusal policy_recipient(const struct config *c, bool may_relay, struct sp_view sender,
                                    const struct sp_path *recipient, const char **route_out)
{
    char ascii[DNS_IDNA_MAX];
    size_t len = 0;
    if (dns_idna(recipient->domain, ascii, &len) != SP_OK)
        return SMTPD_BAD_DOMAIN;
    const struct config_domain *d = domain_of(c, sp_view_make(ascii, len));
    if (d) {
        if (!has_mailbox(d, recipient->local))
            return SMTPD_UNKNOWN_RECIPIENT;
        *route_out = d->route->name;
        return SMTPD_FINE;
    }
    if (!may_relay)
        return SMTPD_RELAY_DENIED;
    const struct config_route *route = route_for(c, sender, recipient, sp_view_make(ascii, len));
    if (!route)
        return SMTPD_NO_ROUTE;
    *route_out = route->name;
    return SMTPD_FINE;
}

/* --- senders --------------------------------------------------------------------------------- */

bool policy_may_send(struct sp_view senders, const struct sp_path *sender)
{
    uint8_t bare[LOCAL_MAX];
    struct sp_view local = unquote(sender->local, bare, sizeof bare), pattern;
    if (sender->null)
        return true;
    while (sp_view_word(&senders, '\n', &pattern)) {
        size_t at = sp_view_find(pattern, '@', 0);
        if (sp_view_is_like(local, sp_view_sub(pattern, 0, at)) &&
            sp_view_is_like(sender->domain, sp_view_from(pattern, at + 1)))
            return true;
    }
    return false;
}
