#include "roles/smtpd/policy.h"

#include "base/buf.h"
#include "base/view.h"
#include "dns/idna.h"
#include "os/heap.h"
#include "smtp/grammar.h"

enum { LOCAL_MAX = 128 };

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

static enum smtpd_refusal refusal_of(enum addresses_answer answer)
{
    static const enum smtpd_refusal refusals[] = {
        [ADDRESSES_HERE] = SMTPD_FINE,           [ADDRESSES_UNKNOWN] = SMTPD_UNKNOWN_RECIPIENT,
        [ADDRESSES_FOREIGN] = SMTPD_NO_ROUTE,    [ADDRESSES_FORGED] = SMTPD_SRS_FORGED,
        [ADDRESSES_EXPIRED] = SMTPD_SRS_EXPIRED, [ADDRESSES_TANGLED] = SMTPD_ALIAS_TANGLE};
    return refusals[answer];
}

enum smtpd_refusal policy_expand(const struct addresses *a, const struct config *c, struct sp_view words,
                                 policy_take *take, void *ctx)
{
    struct sp_path path = {.text = words, .local = words};
    struct smtp_fault fault;
    char ascii[DNS_IDNA_MAX];
    size_t len = 0;
    if (sp_view_find(words, '@', 0) < words.len && (smtp_mailbox_parse(words, true, &path, &fault) != SP_OK ||
                                                    dns_idna(path.domain, ascii, &len) != SP_OK))
        return SMTPD_UNKNOWN_RECIPIENT;
    return refusal_of(addresses_resolve(a, c, path.local, sp_view_make(ascii, len), path.text,
                                        (struct sp_view){0}, take, ctx));
}

enum smtpd_refusal policy_mailbox(const struct addresses *a, const struct config *c,
                                  const struct sp_path *mailbox)
{
    char ascii[DNS_IDNA_MAX];
    size_t len = 0;
    if (dns_idna(mailbox->domain, ascii, &len) != SP_OK)
        return SMTPD_UNKNOWN_RECIPIENT;
    return refusal_of(addresses_resolve(a, c, mailbox->local, sp_view_make(ascii, len), mailbox->text,
                                        (struct sp_view){0}, NULL, NULL));
}

enum smtpd_refusal policy_recipient(const struct addresses *a, const struct config *c, bool may_relay,
                                    struct sp_view sender, const struct sp_path *recipient, policy_take *take,
                                    void *ctx)
{
    char ascii[DNS_IDNA_MAX];
    size_t len = 0;
    if (dns_idna(recipient->domain, ascii, &len) != SP_OK)
        return SMTPD_BAD_DOMAIN;
    struct sp_view domain = sp_view_make(ascii, len);
    /* Once to judge, once to tell: what is tangled is told to nobody. */
    enum addresses_answer answer =
        addresses_resolve(a, c, recipient->local, domain, recipient->text, sender, NULL, NULL);
    if (answer == ADDRESSES_HERE)
        (void)addresses_resolve(a, c, recipient->local, domain, recipient->text, sender, take, ctx);
    if (answer != ADDRESSES_FOREIGN)
        return refusal_of(answer);
    if (!may_relay)
        return SMTPD_RELAY_DENIED;
    const struct config_route *route = route_for(c, sender, recipient, domain);
    if (!route)
        return SMTPD_NO_ROUTE;
    take(ctx, recipient->text, route);
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
