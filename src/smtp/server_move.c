/* The table applied. No other file moves a session. */
#include "smtp/server.h"

bool smtp_server_offers(const struct sp_server *s, unsigned extension)
{
    bool given = s->options.extensions & extension;
    switch (extension) {
    case SP_EXT_BINARYMIME:
        return given && (s->options.extensions & SP_EXT_CHUNKING);
    case SP_EXT_REQUIRETLS:
        return given && s->tls;
    case SP_EXT_DELIVERBY:
    case SP_EXT_FUTURERELEASE:
        return given && s->wall_known;
    default:
        return given;
    }
}

static bool is_offered(const struct sp_server *s, unsigned verb)
{
    const struct sp_server_options *o = &s->options;
    bool upgrade = o->starttls && !s->tls;
    if (verb == IN_STARTTLS)
        return o->starttls || s->tls; /* under TLS the refusal is that TLS is on */
    if (verb == IN_BDAT)
        return smtp_server_offers(s, SP_EXT_CHUNKING);
    if (verb == IN_ETRN)
        return smtp_server_offers(s, SP_EXT_ETRN);
    if (verb == IN_XCLIENT)
        return smtp_server_offers(s, SP_EXT_XCLIENT);
    if (verb == IN_XFORWARD)
        return smtp_server_offers(s, SP_EXT_XFORWARD);
    if (verb == IN_AUTH)
        return smtp_server_mechanisms(s).len > 0 || (upgrade && o->mechanisms_tls.len > 0);
    return true;
}

unsigned smtp_server_met(const struct sp_server *s, unsigned verb)
{
    const struct sp_server_options *o = &s->options;
    const struct {
        unsigned need;
        bool holds;
    } facts[] = {
        {NEED_OFFERED, is_offered(s, verb)},
        {NEED_SMTP, !o->lmtp},
        {NEED_LMTP, o->lmtp},
        {NEED_TLS, !o->tls_required || s->tls},
        {NEED_USER, !o->auth_required || s->user},
        {NEED_PLAIN, !s->tls},
        {NEED_ANONYMOUS, !s->user},
        {NEED_UNREFUSED, !s->rcpt_refused || o->lmtp}, /* there it is 503 (RFC 2033 4.2) */
        {NEED_ESMTP, s->esmtp},
        {NEED_MECHANISM, smtp_server_mechanisms(s).len > 0},
        {NEED_LINES, s->body != SP_BODY_BINARYMIME},
        {NEED_ROOM, s->recipients < o->max_recipients},
    };
    unsigned met = 0;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        met |= facts[i].holds ? facts[i].need : 0;
    return met;
}

bool smtp_server_accepts(const struct sp_server *s, const struct smtp_word *word)
{
    const struct smtp_rule *rule = &s->rules[s->phase][word->input];
    unsigned needs = (word->need & smtp_phases[s->phase].gates) | rule->need;
    return (rule->who == ENGINE || rule->who == CALLER) &&
           (needs & ~(smtp_server_met(s, word->input) | NEED_ALONE)) == 0;
}

static void forget(struct sp_server *s, enum smtp_forget what)
{
    if (what == KEEP)
        return;
    if (s->mail && what != MAIL_DONE && !s->taken)
        s->facts =
            (s->facts | FACT_DROPPED) & ~(unsigned)FACT_CONTENT; /* of what is dropped nothing is told */
    s->mail = s->rcpt_refused = s->utf8 = s->nul = s->wide = s->taken = false;
    s->bare_lf = s->bare_cr = s->after_cr = false;
    s->body = SP_BODY_7BIT;
    s->answered = 0;
    s->recipients = 0;
    s->size = 0;
    if (what == MAIL_DONE)
        s->errors = s->idlers = 0;
    if (what == FORGET_ALL)
        s->esmtp = s->user = false;
}

static void learn(struct sp_server *s, enum smtp_learn what)
{
    switch (what) {
    case LEARN_NOTHING:
        break;
    case LEARN_ESMTP:
        s->esmtp = true;
        break;
    case LEARN_SMTP:
        s->esmtp = false;
        break;
    case LEARN_TLS:
        s->tls = true;
        break;
    case LEARN_USER:
        s->user = true;
        break;
    case LEARN_SENDER:
        s->mail = true;
        s->mail_since_ms = s->now_ms;
        s->body = s->question.as.mail.parameters.body;
        s->utf8 = s->question.as.mail.parameters.utf8;
        break;
    case LEARN_RECIPIENT:
        s->recipients++;
        break;
    case LEARN_CLIENT:
        s->user = s->question.as.peer.login.len > 0;
        break;
    }
}

static void end_exchange(struct sp_server *s)
{
    if (s->exchange)
        s->facts |= FACT_GIVEN_UP;
    s->exchange = false;
}

static void enter(struct sp_server *s, uint8_t next)
{
    s->asked = NULL;
    s->phase = next;
    s->since_ms = s->now_ms;
    if (next == P_DATA)
        smtp_content_init(&s->message, s->options.fix_line_ends && s->user);
    if (next == P_TLS)
        s->facts |= FACT_START_TLS;
    if (next == P_CLOSED) {
        end_exchange(s);
        s->facts = (s->facts | FACT_CLOSED) & ~(unsigned)(FACT_CONTENT | FACT_START_TLS);
        smtp_line_release(&s->line);
        sp_buf_fini_secret(&s->secret);
        sp_buf_fini(&s->held_text);
        s->held = HELD_NOTHING;
    }
}

void smtp_server_accept(struct sp_server *s, const struct smtp_rule *rule)
{
    forget(s, rule->forget);
    learn(s, rule->learn);
    enter(s, rule->yes.next);
    if (s->phase == P_CHUNK)
        smtp_server_chunk_begin(s);
}

void smtp_server_continue(struct sp_server *s, const struct smtp_rule *rule) { enter(s, rule->more.next); }

void smtp_server_decline(struct sp_server *s, uint8_t next)
{
    s->rcpt_refused = s->rcpt_refused || (s->mail && s->input == IN_RCPT);
    if (s->input == IN_MAIL)
        s->forgiven = s->options.max_recipients;
    if (next != s->phase)
        forget(s, FORGET_MAIL);
    end_exchange(s);
    enter(s, next);
}

/*
 * Whoever guesses, guesses a bounded number of times a connection (RFC 5321 7.8). The end of a
 * message, the greeting and what closes anyway get their own refusal, however many came before.
 */
bool smtp_server_bear(struct sp_server *s, int code)
{
    if (code < 500 || s->rules[s->phase][IN_ERRORS].who == ABSENT)
        return true;
    bool cascade = s->input == IN_RCPT && s->phase == P_READY && s->forgiven > 0;
    s->forgiven -= cascade;
    if (cascade || s->errors++ < s->options.max_errors)
        return true;
    smtp_server_happen(s, IN_ERRORS);
    return false;
}

uint32_t smtp_server_replies_due(const struct sp_server *s)
{
    bool last = s->chunk_last && (s->input == IN_BDAT || s->input == IN_CHUNK_BIG);
    bool end = s->input >= IN_END && s->input <= IN_END_8BIT;
    return s->options.lmtp && s->recipients > 0 && (last || end) ? s->recipients : 1;
}

static void refuse(struct sp_server *s, enum smtp_reply_id reply, uint8_t next)
{
    if (!smtp_server_bear(s, smtp_replies[reply].code))
        return;
    for (uint32_t n = smtp_server_replies_due(s); n > 0; n--)
        smtp_server_say(s, reply);
    smtp_server_decline(s, next);
}

void smtp_server_refuse(struct sp_server *s, enum smtp_reply_id reply)
{
    refuse(s, reply, smtp_phases[s->phase].home);
}

int smtp_server_apply(struct sp_server *s, enum smtp_input input)
{
    const struct smtp_rule *rule = &s->rules[s->phase][input];
    s->input = (uint8_t)input;
    switch (rule->who) {
    case REFUSES:
        refuse(s, rule->no.say, rule->no.next);
        return SP_OK;
    case CALLER:
        s->asked = rule;
        s->question.type = rule->ask;
        s->exchange = s->exchange || rule->ask == SP_SERVER_ASK_AUTH;
        return SP_OK;
    case ENGINE:
        if (rule->yes.next != P_CLOSED && !smtp_server_bear(s, smtp_replies[rule->yes.say].code))
            return SP_OK;
        smtp_server_say(s, rule->yes.say);
        smtp_server_accept(s, rule);
        return SP_OK;
    default:
        return SP_ERR_MISUSE;
    }
}

void smtp_server_happen(struct sp_server *s, enum smtp_input input)
{
    if (smtp_server_apply(s, input) != SP_OK)
        s->dead = SP_ERR_MISUSE;
}
