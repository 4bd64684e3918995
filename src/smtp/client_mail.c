/*
 * One mail: MAIL, a RCPT each, DATA. With PIPELINING they leave as one group (RFC 2920 3.1), in
 * portions of CLIENT_WINDOW; without it one waits for the other. Replies are matched by count.
 */
#include "smtp/client_session.h"

#include "base/view.h"

/* --- sending ----------------------------------------------------------------------------- */

static void say_next_rcpt(struct sp_client *s)
{
    struct smtp_client_mail_state *m = &s->mail;
    size_t i = m->to_send++;
    if (m->states[i] != CLIENT_TO_SEND)
        return;
    smtp_client_say_rcpt(s, i);
    m->states[i] = CLIENT_TO_ANSWER;
    m->unanswered++;
}

void smtp_client_mail_pump(struct sp_client *s)
{
    struct smtp_client_mail_state *m = &s->mail;
    bool group = s->capabilities.pipelining && !s->options->lock_step;
    bool goes_on = s->phase == CLIENT_MAIL || s->phase == CLIENT_RCPT;
    if (!m->mail || !(goes_on || s->phase == CLIENT_DATA) || (s->phase == CLIENT_MAIL && !group) ||
        m->mail->until == SP_CLIENT_UNTIL_MAIL)
        return;
    while (goes_on && m->to_send < m->mail->recipient_n && (group || m->unanswered == 0) &&
           smtp_client_output_queued(s) < CLIENT_WINDOW)
        say_next_rcpt(s);
    bool all_sent = m->to_send == m->mail->recipient_n && m->mail->until != SP_CLIENT_UNTIL_RCPT;
    if (all_sent && !smtp_client_is_chunked(s) && !m->data_sent && (group || s->phase == CLIENT_DATA)) {
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
    if (m->mail->until == SP_CLIENT_UNTIL_MAIL || m->mail->until == SP_CLIENT_UNTIL_RCPT) {
        smtp_client_enough(s);
        return smtp_client_check(s, SP_OK);
    }
    if (m->taken == 0)
        return smtp_client_move(s, CLIENT_IN_NO_ONE);
    return smtp_client_move(s, smtp_client_is_chunked(s) ? CLIENT_IN_CHUNKED : CLIENT_IN_SOMEBODY);
}

static int after_end(struct sp_client *s)
{
    struct smtp_client_mail_state *m = &s->mail;
    if (s->phase == CLIENT_DOT && s->options->protocol == SP_CLIENT_LMTP)
        return smtp_client_move(s, CLIENT_IN_EACH);
    if (s->phase == CLIENT_DOT_EACH && m->told == m->taken)
        return smtp_client_move(s, CLIENT_IN_DONE);
    return smtp_client_check(s, SP_OK);
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
            smtp_client_say_mail(s);
        smtp_client_mail_pump(s);
        break;
    case CLIENT_RCPT:
        return after_rcpt(s);
    case CLIENT_DATA:
        smtp_client_mail_pump(s);
        break;
    case CLIENT_DOT:
    case CLIENT_DOT_EACH:
        return after_end(s);
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

/* The next recipient in this state, from `from` on; it is there. */
static size_t find_state(const struct smtp_client_mail_state *m, size_t from,
                         enum smtp_client_recipient state)
{
    while (from + 1 < m->mail->recipient_n && m->states[from] != state)
        from++;
    return from;
}

size_t smtp_client_mail_answered(struct sp_client *s, enum smtp_client_input input)
{
    struct smtp_client_mail_state *m = &s->mail;
    bool rcpt = s->phase == CLIENT_RCPT || s->phase == CLIENT_RCPT_VOID;
    if (input >= CLIENT_IN_SHUT)
        return 0;
    if (s->phase == CLIENT_DOT_EACH && m->told < m->taken) {
        m->told++;
        return find_state(m, 0, CLIENT_TAKEN);
    }
    if (!rcpt || m->unanswered == 0)
        return 0;
    size_t i = find_state(m, m->to_answer, CLIENT_TO_ANSWER);
    m->to_answer = i + 1;
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

/* Outcomes decided here, before a command was sent. */
static void settle_here(struct sp_client *s, struct smtp_client_judgement j)
{
    s->settling = (struct smtp_client_settling){
        .on = true,
        .end = s->mail.mail->recipient_n,
        .fate = j.fate,
        .phase = CLIENT_READY,
        .reply = {.enhanced = sp_view_of(j.enhanced), .text = sp_view_of(j.text)},
    };
}

int sp_client_mail(struct sp_client *s, const struct sp_client_mail *mail, uint64_t now_ms)
{
    if (!smtp_client_asks(s, CLIENT_READY) || mail->recipient_n == 0 ||
        !smtp_client_is_parameters(mail->extra) || !smtp_client_is_parameters(mail->extra_rcpt))
        return SP_ERR_MISUSE;
    struct smtp_client_mail_state *m = &s->mail;
    s->now_ms = now_ms;
    *m = (struct smtp_client_mail_state){.mail = mail, .states = m->states, .state_cap = m->state_cap};
    m->utf8 = mail->utf8_header || !sp_view_is_ascii(mail->sender);
    if (grow_states(s, mail->recipient_n)) {
        settle_here(s, (struct smtp_client_judgement){SP_CLIENT_RETRY, "4.3.0", "out of memory here"});
        s->facts.mail_done = true;
        return smtp_client_check(s, SP_ERR_NOMEM);
    }
    size_t judged = smtp_client_judge_recipients(s);
    struct smtp_client_judgement j = smtp_client_judge(s, mail);
    if (j.fate != SP_CLIENT_NONE || judged > 0)
        settle_here(s, j);
    s->settling.judged = j.fate == SP_CLIENT_NONE;
    if (j.fate != SP_CLIENT_NONE || judged == mail->recipient_n) {
        s->facts.mail_done = true;
        return SP_OK;
    }
    return smtp_client_move(s, CLIENT_IN_BEGIN_MAIL);
}
