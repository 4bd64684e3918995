/*
 * One mail: MAIL, a RCPT each, DATA. With PIPELINING they leave as one group (RFC 2920 3.1), in
 * portions of CLIENT_WINDOW; without it one waits for the other. Replies are matched by count.
 */
#include "smtp/client_session.h"

#include "base/view.h"

enum { ADDRESS_MAX = 1000 }; /* RFC 5321 4.5.3.1.3 asks for 256; longer ones are for the server to judge */

/*
 * Could this stand between < and > and mean one path? Only what could end the path or the line early is
 * refused; whether it is a mailbox is for the server to say.
 */
static bool is_address(struct sp_view v)
{
    bool quoted = false;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.p[i];
        if (c < ' ' || c > '~')
            return false;
        if (quoted && c == '\\') {
            if (++i == v.len || v.p[i] < ' ' || v.p[i] > '~')
                return false;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == ' ' || c == '<' || c == '>')) {
            return false;
        }
    }
    return !quoted && v.len <= ADDRESS_MAX;
}

static bool is_parameters(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] < ' ' || v.p[i] > '~')
            return false;
    return v.len <= ADDRESS_MAX;
}

/* --- sending ----------------------------------------------------------------------------- */

static void say_mail(struct sp_client *s)
{
    const struct sp_client_mail *mail = s->mail.mail;
    const struct sp_client_capabilities *c = &s->capabilities;
    struct sp_buf *b = &s->out.octets;
    sp_buf_add_str(b, "MAIL FROM:<");
    sp_buf_add(b, mail->sender);
    sp_buf_add_u8(b, '>');
    if (c->size && mail->size > 0) {
        sp_buf_add_str(b, " SIZE=");
        sp_buf_add_dec(b, mail->size);
    }
    if (c->eight_bit && mail->eight_bit)
        sp_buf_add_str(b, " BODY=8BITMIME");
    if (mail->parameters.len > 0) {
        sp_buf_add_u8(b, ' ');
        sp_buf_add(b, mail->parameters);
    }
    sp_buf_add(b, SP_LIT("\r\n"));
    s->mail.mail_sent = true;
}

static void say_next_rcpt(struct sp_client *s)
{
    struct smtp_client_mail_state *m = &s->mail;
    struct sp_buf *b = &s->out.octets;
    size_t i = m->to_send++;
    if (m->states[i] != CLIENT_TO_SEND)
        return;
    sp_buf_add_str(b, "RCPT TO:<");
    sp_buf_add(b, m->mail->recipients[i]);
    sp_buf_add(b, SP_LIT(">\r\n"));
    m->states[i] = CLIENT_TO_ANSWER;
    m->unanswered++;
}

void smtp_client_mail_pump(struct sp_client *s)
{
    struct smtp_client_mail_state *m = &s->mail;
    bool group = s->capabilities.pipelining && !s->options->lock_step;
    bool goes_on = s->phase == CLIENT_MAIL || s->phase == CLIENT_RCPT;
    if (!m->mail || !(goes_on || s->phase == CLIENT_DATA) || (s->phase == CLIENT_MAIL && !group))
        return;
    while (goes_on && m->to_send < m->mail->recipient_n && (group || m->unanswered == 0) &&
           smtp_client_output_queued(s) < CLIENT_WINDOW)
        say_next_rcpt(s);
    bool all_sent = m->to_send == m->mail->recipient_n;
    if (all_sent && !m->data_sent && (group || s->phase == CLIENT_DATA)) {
        smtp_client_say(s, "DATA", SP_LIT(""));
        m->data_sent = true;
    }
}

/* --- the way through the phases -------------------------------------------------------------- */

static int after_rcpt(struct sp_client *s)
{
    struct smtp_client_mail_state *m = &s->mail;
    smtp_client_mail_pump(s);
    if (m->unanswered > 0)
        return smtp_client_check(s, SP_OK);
    return smtp_client_move(s, m->taken > 0 ? CLIENT_IN_SOMEBODY : CLIENT_IN_NO_ONE);
}

int smtp_client_mail_enter(struct sp_client *s)
{
    struct smtp_client_mail_state *m = &s->mail;
    switch (s->phase) {
    case CLIENT_RSET:
        if (!s->left_open)
            return smtp_client_move(s, CLIENT_IN_UNSENT);
        smtp_client_say(s, "RSET", SP_LIT(""));
        break;
    case CLIENT_MAIL:
        if (!m->mail_sent)
            say_mail(s);
        smtp_client_mail_pump(s);
        break;
    case CLIENT_RCPT:
        return after_rcpt(s);
    case CLIENT_DATA:
        smtp_client_mail_pump(s);
        break;
    case CLIENT_RCPT_VOID:
        if (m->unanswered == 0)
            return smtp_client_move(s, CLIENT_IN_NO_ONE);
        break;
    case CLIENT_DATA_VOID:
        if (!m->data_sent)
            return smtp_client_move(s, CLIENT_IN_UNSENT);
        break;
    default:
        break;
    }
    return smtp_client_check(s, SP_OK);
}

size_t smtp_client_mail_answered(struct sp_client *s, enum smtp_client_input input)
{
    struct smtp_client_mail_state *m = &s->mail;
    bool rcpt = s->phase == CLIENT_RCPT || s->phase == CLIENT_RCPT_VOID;
    if (!rcpt || input >= CLIENT_IN_SHUT || m->unanswered == 0)
        return 0;
    while (m->to_answer + 1 < m->mail->recipient_n && m->states[m->to_answer] != CLIENT_TO_ANSWER)
        m->to_answer++;
    size_t i = m->to_answer++;
    m->unanswered--;
    if (s->phase == CLIENT_RCPT && input == CLIENT_IN_YES) {
        m->states[i] = CLIENT_TAKEN;
        m->taken++;
    }
    return i;
}

/* --- begin ------------------------------------------------------------------------------- */

static int grow_states(struct sp_client *s, size_t n)
{
    struct smtp_client_mail_state *m = &s->mail;
    if (m->state_cap >= n)
        return SP_OK;
    uint8_t *p = s->alloc->resize(s->alloc->ctx, m->states, m->state_cap, n);
    if (!p)
        return SP_ERR_NOMEM;
    m->states = p;
    m->state_cap = n;
    return SP_OK;
}

/* Why the whole mail need not be tried with this server; NULL when it may. */
static const char *judge(const struct sp_client *s, const struct sp_client_mail *mail,
                         const char **enhanced_out)
{
    const struct sp_client_capabilities *c = &s->capabilities;
    if (!is_address(mail->sender)) {
        *enhanced_out = "5.1.7";
        return "the sender's address cannot stand in a command: control, space, < or > or not ASCII";
    }
    if (c->size && c->size_max > 0 && mail->size > c->size_max) {
        *enhanced_out = "5.3.4";
        return "the message is larger than the server's limit (SIZE)";
    }
    if (mail->eight_bit && !c->eight_bit && !mail->send_eight_bit) {
        *enhanced_out = "5.6.3";
        return "the message needs 8BITMIME, which the server does not offer";
    }
    return NULL;
}

/* Outcomes decided here, before a command was sent. */
static void settle_here(struct sp_client *s, enum sp_client_fate fate, const char *enhanced, const char *text)
{
    s->settling = (struct smtp_client_settling){
        .on = true,
        .end = s->mail.mail->recipient_n,
        .fate = fate,
        .phase = CLIENT_READY,
        .reply = {.enhanced = sp_view_of(enhanced), .text = sp_view_of(text)},
    };
}

static size_t mark_unfit(struct smtp_client_mail_state *m)
{
    size_t unfit = 0;
    for (size_t i = 0; i < m->mail->recipient_n; i++) {
        bool fit = m->mail->recipients[i].len > 0 && is_address(m->mail->recipients[i]);
        m->states[i] = fit ? CLIENT_TO_SEND : CLIENT_UNFIT_ADDRESS;
        unfit += !fit;
    }
    return unfit;
}

int sp_client_mail(struct sp_client *s, const struct sp_client_mail *mail, uint64_t now_ms)
{
    if (!smtp_client_asks(s, CLIENT_READY) || mail->recipient_n == 0 || !is_parameters(mail->parameters))
        return SP_ERR_MISUSE;
    struct smtp_client_mail_state *m = &s->mail;
    const char *enhanced = NULL;
    s->now_ms = now_ms;
    *m = (struct smtp_client_mail_state){.mail = mail, .states = m->states, .state_cap = m->state_cap};
    if (grow_states(s, mail->recipient_n)) {
        settle_here(s, SP_CLIENT_RETRY, "4.3.0", "out of memory here");
        s->facts.mail_done = true;
        return smtp_client_check(s, SP_ERR_NOMEM);
    }
    size_t unfit = mark_unfit(m);
    const char *text = judge(s, mail, &enhanced);
    if (text) {
        settle_here(s, SP_CLIENT_BOUNCE, enhanced, text);
    } else if (unfit > 0) {
        settle_here(s, SP_CLIENT_BOUNCE, "5.1.3",
                    "the address cannot stand in a command: control, space, < or > or not ASCII");
        s->settling.only_unfit = true;
    }
    if (text || unfit == mail->recipient_n) {
        s->facts.mail_done = true;
        return SP_OK;
    }
    return smtp_client_move(s, CLIENT_IN_BEGIN_MAIL);
}
