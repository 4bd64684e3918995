/*
 * What can be said of a mail without asking the server: what it has not offered, what it has limited, and
 * what cannot stand in a command.
 */
#include "smtp/client_session.h"

#include "base/utf8.h"
#include "base/view.h"

enum { ADDRESS_MAX = 1000 }; /* RFC 5321 4.5.3.1.3 asks for 256; longer ones are for the server to judge */

/*
 * Could this stand between < and > and mean one path? Only what could end the path or the line early is
 * refused, and what is no UTF-8; whether it is a mailbox is for the server to say.
 */
static bool is_address(struct sp_view v, bool *utf8_out)
{
    bool quoted = false, escaped = false;
    size_t n;
    for (size_t i = 0; i < v.len; i += n) {
        uint8_t c = v.p[i];
        n = sp_utf8_text_len(sp_view_from(v, i));
        if (n == 0)
            return false;
        *utf8_out = *utf8_out || n > 1;
        if (escaped)
            escaped = false;
        else if (quoted && c == '\\')
            escaped = true;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == ' ' || c == '<' || c == '>'))
            return false;
    }
    return !quoted && !escaped && v.len <= ADDRESS_MAX;
}

static const char malformed[] = "the address cannot stand in a command: control, space, < or > or no UTF-8";
static const char no_utf8[] = "the address needs SMTPUTF8, which the server does not offer";

struct smtp_client_judgement smtp_client_judge_state(enum smtp_client_recipient state)
{
    switch (state) {
    case CLIENT_UNFIT_ADDRESS:
        return (struct smtp_client_judgement){SP_CLIENT_BOUNCE, "5.1.3", malformed};
    case CLIENT_NEEDS_UTF8:
        return (struct smtp_client_judgement){SP_CLIENT_BOUNCE, "5.6.7", no_utf8};
    default:
        return (struct smtp_client_judgement){SP_CLIENT_RETRY, "4.5.3",
                                              "more recipients than the server takes in one mail (LIMITS)"};
    }
}

/* --- the recipients --------------------------------------------------------------------------- */

static struct sp_view domain_of(struct sp_view address)
{
    size_t at = address.len;
    while (at > 0 && address.p[at - 1] != '@')
        at--;
    return sp_view_from(address, at);
}

/* Is the domain of recipient i among those of recipients before it that are to be sent? */
static bool is_known_domain(const struct smtp_client_mail_state *m, size_t i)
{
    struct sp_view domain = domain_of(m->mail->recipients[i]);
    for (size_t j = i; j > 0; j--)
        if (m->states[j - 1] == CLIENT_TO_SEND &&
            sp_view_eq_nocase(domain_of(m->mail->recipients[j - 1]), domain))
            return true;
    return false;
}

size_t smtp_client_judge_recipients(struct sp_client *s)
{
    struct smtp_client_mail_state *m = &s->mail;
    const struct sp_client_capabilities *c = &s->capabilities;
    size_t judged = 0, domains = 0;
    for (size_t i = 0; i < m->mail->recipient_n; i++) {
        bool utf8 = false, fit = m->mail->recipients[i].len > 0 && is_address(m->mail->recipients[i], &utf8);
        bool over = c->limits.rcpt_max > 0 && i - judged >= c->limits.rcpt_max;
        bool new_domain = c->limits.rcpt_domain_max > 0 && !is_known_domain(m, i);
        over = over || (new_domain && domains >= c->limits.rcpt_domain_max);
        m->states[i] = (uint8_t)(!fit               ? CLIENT_UNFIT_ADDRESS
                                 : utf8 && !c->utf8 ? CLIENT_NEEDS_UTF8
                                 : over             ? CLIENT_OVER_LIMIT
                                                    : CLIENT_TO_SEND);
        bool goes = m->states[i] == CLIENT_TO_SEND;
        judged += !goes;
        domains += goes && new_domain;
        m->utf8 = m->utf8 || (goes && utf8);
    }
    return judged;
}

/* --- the mail --------------------------------------------------------------------------------- */

enum sp_client_need sp_client_needs(const struct sp_client *s, const struct sp_client_mail *mail)
{
    const struct sp_client_capabilities *c = &s->capabilities;
    if (mail->parameters.body == SP_BODY_BINARYMIME && !c->binary)
        return c->eight_bit ? SP_CLIENT_TO_EIGHT_BIT : SP_CLIENT_TO_SEVEN_BIT;
    bool binary = mail->parameters.body == SP_BODY_BINARYMIME;
    return mail->eight_bit && !c->eight_bit && !binary ? SP_CLIENT_TO_SEVEN_BIT : SP_CLIENT_AS_IS;
}

bool sp_client_may_mail(const struct sp_client *s)
{
    return s->capabilities.limits.mail_max == 0 || s->mails_n < s->capabilities.limits.mail_max;
}

static struct smtp_client_judgement bounce(const char *enhanced, const char *text)
{
    return (struct smtp_client_judgement){SP_CLIENT_BOUNCE, enhanced, text};
}

static struct smtp_client_judgement judge_times(const struct sp_client_capabilities *c,
                                                const struct sp_client_mail *mail)
{
    const struct sp_mail_parameters *p = &mail->parameters;
    int64_t left_s = (p->by_ms - mail->wall_ms) / 1000;
    if (p->by == SP_BY_RETURN && left_s <= 0)
        return bounce("5.4.7", "the time within which it had to be delivered (BY=) is over");
    if (p->by == SP_BY_RETURN && (!c->deliver_by || (uint64_t)left_s < c->by_min_s))
        return bounce("5.3.3", c->deliver_by
                                   ? "the server takes more time than is left to deliver it (BY=)"
                                   : "it must be delivered in time or returned (BY=), and the server "
                                     "does not offer DELIVERBY");
    if (p->hold_until_ms > mail->wall_ms && !c->future_release)
        return bounce("5.3.3",
                      "it must be held (HOLDFOR, HOLDUNTIL), and the server does not offer FUTURERELEASE");
    return (struct smtp_client_judgement){.fate = SP_CLIENT_NONE};
}

static struct smtp_client_judgement judge_content(const struct sp_client *s,
                                                  const struct sp_client_mail *mail)
{
    const struct sp_client_capabilities *c = &s->capabilities;
    if (c->size && c->size_max > 0 && mail->size > c->size_max)
        return bounce("5.3.4", "the message is larger than the server's limit (SIZE)");
    if (mail->parameters.body == SP_BODY_BINARYMIME && !c->binary)
        return bounce("5.6.1", "the message needs BINARYMIME, which the server does not offer");
    if (sp_client_needs(s, mail) != SP_CLIENT_AS_IS && !mail->send_eight_bit)
        return bounce("5.6.3", "the message needs 8BITMIME, which the server does not offer");
    if (mail->utf8_header && !c->utf8)
        return bounce("5.6.9", "the message's header needs SMTPUTF8, which the server does not offer");
    return judge_times(c, mail);
}

struct smtp_client_judgement smtp_client_judge(const struct sp_client *s, const struct sp_client_mail *mail)
{
    const struct sp_client_capabilities *c = &s->capabilities;
    bool utf8 = false;
    if (!is_address(mail->sender, &utf8))
        return bounce("5.1.7",
                      "the sender's address cannot stand in a command: control, space, < or > or no UTF-8");
    if (utf8 && !c->utf8)
        return bounce("5.6.7", "the sender's address needs SMTPUTF8, which the server does not offer");
    if (mail->parameters.require_tls && !(s->tls && mail->verified))
        return bounce("5.7.10",
                      "the message requires TLS with a valid certificate on the whole way (REQUIRETLS)");
    if (mail->parameters.require_tls && !c->require_tls)
        return bounce("5.7.30",
                      "the message requires TLS on the whole way, and the server does not offer REQUIRETLS");
    return judge_content(s, mail);
}
