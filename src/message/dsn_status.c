/* The part for programs: message/delivery-status, or its form in UTF-8. */
#include "message/dsn_own.h"

#include "base/view.h"

#define X(n, word) [MESSAGE_DSN_##n] = word,
static const char *const actions[MESSAGE_DSN_ACTION_N] = {MESSAGE_DSN_ACTIONS(X)};
#undef X

/* class.subject.detail of RFC 3463 2, of a class that fits the action. */
static bool is_status(struct sp_view v, enum message_dsn_action action)
{
    size_t dots = 0, digits = 0;
    bool good = action == MESSAGE_DSN_DELIVERED || action == MESSAGE_DSN_RELAYED;
    if (v.len < 5 || v.p[1] != '.' || (good ? v.p[0] != '2' : v.p[0] != '4' && v.p[0] != '5') ||
        (action == MESSAGE_DSN_DELAYED && v.p[0] != '4'))
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] == '.' && digits > 0) {
            dots++;
            digits = 0;
        } else if (!sp_ascii_digit(v.p[i]) || ++digits > 3) {
            return false;
        }
    }
    return dots == 2 && digits > 0;
}

static struct sp_view status_of(const struct message_dsn_recipient *r)
{
    static const struct sp_view plain[MESSAGE_DSN_ACTION_N] = {[MESSAGE_DSN_FAILED] = SP_LIT_INIT("5.0.0"),
                                                               [MESSAGE_DSN_DELAYED] = SP_LIT_INIT("4.0.0"),
                                                               [MESSAGE_DSN_DELIVERED] = SP_LIT_INIT("2.0.0"),
                                                               [MESSAGE_DSN_RELAYED] = SP_LIT_INIT("2.0.0")};
    if (r->by_expired)
        return r->action == MESSAGE_DSN_FAILED ? SP_LIT("5.4.7") : SP_LIT("4.4.7"); /* RFC 2852 4.1.5 */
    if (r->expired)
        return SP_LIT("4.4.7");
    return is_status(r->enhanced, r->action) ? r->enhanced : plain[r->action];
}

/* "type;address", as RCPT said it. */
static void add_original(const struct dsn_writing *w, struct sp_view orcpt)
{
    size_t semicolon = sp_view_find(orcpt, ';', 0);
    if (orcpt.len == 0 || semicolon == orcpt.len)
        return;
    size_t start = w->out->len;
    sp_buf_add_str(w->out, "Original-Recipient: ");
    dsn_add_text(w, sp_view_sub(orcpt, 0, semicolon));
    sp_buf_add_str(w->out, "; ");
    dsn_add_folded(w, w->out->len - start, "    ", sp_view_from(orcpt, semicolon + 1));
}

/* "host", "[address]" of "host [address]:port" and "[address]:port". */
static struct sp_view name_of(struct sp_view remote)
{
    struct sp_view host = remote;
    (void)sp_view_word(&remote, ' ', &host); /* there is one word at least */
    size_t bracket = sp_view_find(host, ']', 0);
    return host.len && host.p[0] == '[' && bracket < host.len ? sp_view_sub(host, 0, bracket + 1) : host;
}

static void add_recipient(const struct dsn_writing *w, const struct message_dsn_recipient *r)
{
    sp_buf_add_str(w->out, "\r\n");
    add_original(w, r->orcpt);
    dsn_add_field(w, "Final-Recipient", w->utf8 ? "utf-8; " : "rfc822; ", r->address);
    dsn_add_field(w, "Action", "", sp_view_of(actions[w->action]));
    dsn_add_field(w, "Status", "", status_of(r));
    if (r->code && r->remote.len)
        dsn_add_field(w, "Remote-MTA", "dns; ", name_of(r->remote));
    if (r->reply.len)
        dsn_add_field(w, "Diagnostic-Code", r->code ? "smtp; " : "x-sallyport; ", r->reply);
    if (r->last_ms)
        dsn_add_date(w, "Last-Attempt-Date", r->last_ms);
    if (r->until_ms)
        dsn_add_date(w, "Will-Retry-Until", r->until_ms);
}

void dsn_add_status(const struct dsn_writing *w)
{
    const struct message_dsn *d = w->d;
    dsn_add_part(
        w, w->utf8 ? "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n"
                   : "Content-Type: message/delivery-status\r\n");
    if (d->envid.len)
        dsn_add_field(w, "Original-Envelope-Id", "", d->envid);
    dsn_add_field(w, "Reporting-MTA", "dns; ", sp_view_of(d->hostname));
    dsn_add_field(w, "X-Sallyport-Queue-ID", "", sp_view_of(d->failed_id));
    dsn_add_date(w, "Arrival-Date", d->received_ms);
    for (size_t i = 0; i < d->recipient_n; i++)
        add_recipient(w, &d->recipients[i]);
}
