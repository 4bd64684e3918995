/* What the session has to say, in the order in which it became true. */
#include "smtp/client_session.h"

#include "base/view.h"

bool smtp_client_facts_pending(const struct sp_client *s)
{
    const struct smtp_client_facts *f = &s->facts;
    bool unsaid = s->options->transcript && s->out.shown < s->out.octets.len;
    return f->reply || s->settling.on || f->auth || f->mail_done || f->failed || f->tls || f->closed ||
           unsaid;
}

static bool take(bool *fact)
{
    bool was = *fact;
    *fact = false;
    return was;
}

static void tell_judgement(uint8_t state, struct sp_client_event *e)
{
    struct smtp_client_judgement j = smtp_client_judge_state((enum smtp_client_recipient)state);
    e->as.outcome.fate = j.fate;
    e->as.outcome.reply =
        (struct sp_client_reply){.enhanced = sp_view_of(j.enhanced), .text = sp_view_of(j.text)};
}

/* What is wrong with an address is said even where the whole mail is unfit. */
static bool has_own_judgement(uint8_t state, const struct smtp_client_settling *g)
{
    return state > CLIENT_DONE && (g->judged || state != CLIENT_OVER_LIMIT);
}

static bool next_outcome(struct sp_client *s, struct sp_client_event *e)
{
    struct smtp_client_settling *g = &s->settling;
    struct smtp_client_mail_state *m = &s->mail;
    /* Without memory for the states none was said before. */
    bool known = m->mail && m->state_cap >= m->mail->recipient_n;
    for (; g->on && g->at < g->end; g->at++) {
        if (known && (m->states[g->at] == CLIENT_DONE || (g->judged && m->states[g->at] < CLIENT_DONE)))
            continue;
        e->type = SP_CLIENT_OUTCOME;
        e->as.outcome.fate = g->fate;
        e->as.outcome.phase = smtp_client_phase_name(g->phase);
        e->as.outcome.reply = g->reply;
        if (known && has_own_judgement(m->states[g->at], g))
            tell_judgement(m->states[g->at], e);
        if (known)
            m->states[g->at] = CLIENT_DONE;
        e->as.outcome.recipient = g->at++;
        return true;
    }
    g->on = false;
    return false;
}

static void tell_reply(const struct sp_client *s, struct sp_client_event *e)
{
    const struct smtp_client_facts *f = &s->facts;
    e->type = SP_CLIENT_REPLY;
    e->as.reply.phase = smtp_client_phase_name(f->phase);
    e->as.reply.reply = f->last;
    e->as.reply.fate = f->scope == CLIENT_NOBODY ? SP_CLIENT_NONE : f->fate;
    e->as.reply.for_all = f->scope == CLIENT_ALL;
    e->as.reply.recipient = f->recipient;
}

/* Facts that a rule left behind. */
static bool next_fact(struct sp_client *s, struct sp_client_event *e)
{
    struct smtp_client_facts *f = &s->facts;
    if (take(&f->reply)) {
        tell_reply(s, e);
    } else if (next_outcome(s, e)) {
        return true;
    } else if (take(&f->auth)) {
        e->type = SP_CLIENT_AUTH_DONE;
        e->as.auth.ok = f->auth_ok;
        e->as.auth.not_base64 = s->challenge_garbled;
        e->as.auth.reply = f->last;
    } else if (take(&f->mail_done)) {
        s->mail.mail = NULL;
        e->type = SP_CLIENT_MAIL_DONE;
    } else if (take(&f->failed)) {
        e->type = SP_CLIENT_FAILED;
        e->as.failed.fate = f->failed_fate;
        e->as.failed.phase = smtp_client_phase_name(f->phase);
        e->as.failed.reply = f->failed_by;
    } else {
        return false;
    }
    return true;
}

static void next_question(const struct sp_client *s, struct sp_client_event *e)
{
    if (s->dead)
        return;
    if (s->phase == CLIENT_READY) {
        e->type = SP_CLIENT_ASK_NEXT;
    } else if (s->phase == CLIENT_SASL) {
        e->type = SP_CLIENT_ASK_ANSWER;
        e->as.challenge = sp_buf_view(&s->challenge);
    } else if ((s->phase == CLIENT_CONTENT || s->phase == CLIENT_BDAT) && !s->out.dot &&
               smtp_client_output_queued(s) < CLIENT_WINDOW && !smtp_client_chunks_wait(s)) {
        e->type = SP_CLIENT_ASK_CONTENT;
    }
}

enum sp_client_event_type sp_client_event(struct sp_client *s, struct sp_client_event *event_out)
{
    *event_out = (struct sp_client_event){.type = SP_CLIENT_NOTHING};
    if (next_fact(s, event_out))
        return event_out->type;
    if (s->ending.on) {
        enum smtp_client_input input = s->ending.input;
        struct sp_client_reply what = s->ending.what;
        s->ending.on = false;
        (void)smtp_client_apply(s, input, &what); /* every phase has a cell for every ending */
        if (next_fact(s, event_out))
            return event_out->type;
    }
    if (smtp_client_output_line(s, event_out))
        return event_out->type;
    if (take(&s->facts.tls))
        event_out->type = SP_CLIENT_START_TLS;
    else if (take(&s->facts.closed))
        event_out->type = SP_CLIENT_CLOSED;
    else
        next_question(s, event_out);
    return event_out->type;
}
