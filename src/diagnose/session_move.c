/* Replies move the state; refusals are judged, and forgiven when the same thing works later. */
#include "diagnose/session.h"
#include "diagnose/text.h"

static void move_on_yes(struct session *s, const struct reply *r)
{
    switch (r->verb) {
    case VERB_CONNECT:
        s->greeted = true;
        break;
    case VERB_EHLO:
    case VERB_HELO:
    case VERB_LHLO:
        s->hello = true;
        s->esmtp = r->verb != VERB_HELO;
        s->hello_after_starttls = s->starttls_done;
        s->transaction = false;
        break;
    case VERB_STARTTLS:
        s->starttls_done = s->tls = true;
        s->caps_before_tls = s->caps;
        s->caps = (struct caps){.known = false};
        s->hello = s->hello_after_starttls = s->authed = s->transaction = false;
        break;
    case VERB_AUTH:
    case VERB_ANSWER:
        s->authed = true;
        s->auth.active = false;
        break;
    case VERB_MAIL:
        s->transaction = true;
        s->mail_failed = s->bdat_used = s->bdat_last = false;
        s->rcpt_ok = s->rcpt_bad = s->accepted_n = 0;
        break;
    case VERB_RCPT:
        s->rcpt_ok++;
        if (s->recipient && s->accepted_n < ROUNDS_MAX)
            s->accepted[s->accepted_n++] = s->recipient;
        break;
    case VERB_BDAT:
        s->bdat_used = true;
        if (!s->bdat_last)
            break;
        s->delivered++;
        break;
    case VERB_END:
        s->delivered++;
        s->transaction = s->content_over = s->in_data = false;
        break;
    case VERB_RSET:
        s->transaction = s->mail_failed = false;
        break;
    case VERB_QUIT:
        s->left = true;
        break;
    default:
        break;
    }
}

static void move_on_no(struct session *s, const struct reply *r)
{
    if (r->verb == VERB_CONNECT)
        s->refused = s->greeted = true;
    if (diagnose_verb_is_greeting(r->verb))
        s->hello_failed = true;
    if (r->verb == VERB_MAIL)
        s->mail_failed = !s->transaction;
    if (r->verb == VERB_RCPT)
        s->rcpt_bad++;
    if (r->verb == VERB_END)
        s->transaction = s->content_over = s->in_data = false;
    if (r->verb == VERB_AUTH || r->verb == VERB_ANSWER) {
        s->auth.active = s->auth.waiting = false;
        s->auth_failed = true;
    }
    if (r->code == 421)
        s->left = true;
}

/* --- what is forgiven ---------------------------------------------------------------------- */

static void overcome(struct session *s, enum diagnose_verb verb, uint64_t recipient)
{
    for (size_t i = 0; i < s->found_n; i++) {
        struct noted *f = &s->found[i];
        bool greeting = diagnose_verb_is_greeting(verb) && diagnose_verb_is_greeting(f->verb);
        bool auth =
            (verb == VERB_AUTH || verb == VERB_ANSWER) && (f->verb == VERB_AUTH || f->verb == VERB_ANSWER);
        bool recipient_same = verb != VERB_RCPT || f->recipient == recipient;
        if (greeting || auth || (f->verb == verb && recipient_same))
            f->overcome = true;
    }
}

/* A message was accepted: what stood in its way did not. */
static void overcome_by_delivery(struct session *s)
{
    for (size_t i = 0; i < s->found_n; i++) {
        struct noted *f = &s->found[i];
        if (f->verb != VERB_RCPT && f->finding.id != DIAGNOSE_CONNECTION_LOST)
            f->overcome = true;
    }
}

static bool judge(const struct session *s, const struct reply *r, struct judgement *j)
{
    static judge_fn *const judges[] = {diagnose_judge_tls, diagnose_judge_auth, diagnose_judge_order,
                                       diagnose_judge_policy, diagnose_judge_general};
    for (size_t i = 0; i < sizeof judges / sizeof *judges; i++)
        if (judges[i](s, r, j))
            return true;
    return false;
}

/* 503 to a RCPT behind a refused MAIL and its kin: told already by the finding before. */
static bool is_consequence(const struct session *s, const struct reply *r)
{
    bool order = r->code == 503 || r->code == 554 || r->code == 500 || r->code == 501 || r->code == 502;
    if (s->found_n == 0)
        return false;
    if (r->verb == VERB_RCPT && s->mail_failed && order)
        return true;
    if ((r->verb == VERB_DATA || r->verb == VERB_BDAT || r->verb == VERB_END) && order &&
        (s->mail_failed || (s->rcpt_ok == 0 && s->rcpt_bad > 0)))
        return true;
    if (s->refused && r->verb != VERB_CONNECT)
        return true;
    if (s->hello_failed && !s->hello && r->code == 503)
        return true;
    const struct noted *first = &s->found[0];
    if (s->auth_failed && !s->authed &&
        (r->code == 530 || r->code == 503 || r->code == 550 || r->code == 554 || r->code == 553 ||
         r->code == 535) &&
        !first->overcome && (first->verb == VERB_AUTH || first->verb == VERB_ANSWER))
        return true;
    return (first->verb == VERB_STARTTLS && r->code == 530) || (r->code == 421 && r->verb == VERB_NONE);
}

void diagnose_session_refuse(struct session *s, const struct reply *r)
{
    struct judgement j = {.id = DIAGNOSE_REFUSED, .confidence = 0.3};
    bool consequence = is_consequence(s, r);
    if (!judge(s, r, &j))
        return;
    struct noted *f = diagnose_session_note(s, j.id, j.confidence, j.place ? j.place : &r->place, r);
    if (f)
        f->consequence = f->consequence || consequence;
}

static void unknown_run(struct session *s, const struct reply *r)
{
    bool unknown = (r->verb == VERB_OTHER || r->verb == VERB_NONE) &&
                   (r->code == 500 || r->code == 502 || r->code == 503 || r->code == 221 || r->code == 421);
    if (!unknown) {
        s->unknown_run = r->code < 400 ? 0 : s->unknown_run;
        return;
    }
    if (s->unknown_run++ == 0)
        s->unknown_first = r->place;
}

/* The other side spoke: what a program feared before did not hinder the connection. */
static void overcome_connecting(struct session *s)
{
    for (size_t i = 0; i < s->found_n; i++) {
        enum diagnose_cause_id id = s->found[i].finding.id;
        if (id == DIAGNOSE_CERTIFICATE_INVALID || id == DIAGNOSE_TLS_HANDSHAKE_FAILED ||
            id == DIAGNOSE_HOST_NOT_FOUND || id == DIAGNOSE_CONNECTION_REFUSED)
            s->found[i].overcome = true;
    }
}

void diagnose_session_take(struct session *s, const struct reply *r)
{
    if (r->verb == VERB_CONNECT || r->verb == VERB_EHLO || r->verb == VERB_AUTH || r->verb == VERB_MAIL)
        overcome_connecting(s);
    s->last_verb = r->verb;
    s->last_verb_line = r->verb_line;
    unknown_run(s, r);
    if (diagnose_verb_is_greeting(r->verb) || (r->verb == VERB_NONE && r->code == 250))
        s->caps.known = r->code == 250;
    if (r->code == 334) {
        s->last_code = 334;
        return;
    }
    if (r->code == 354) {
        s->in_data = true;
    } else if (r->code < 400) {
        overcome(s, r->verb, r->verb == VERB_RCPT ? s->recipient : 0);
        move_on_yes(s, r);
        if (r->verb == VERB_END || (r->verb == VERB_BDAT && s->bdat_last))
            overcome_by_delivery(s);
    } else {
        diagnose_session_refuse(s, r);
        move_on_no(s, r);
    }
    if (r->code == 221 && r->verb == VERB_OTHER) /* hung up at the sight of a header or of HTTP */
        diagnose_session_note(s, DIAGNOSE_MESSAGE_AS_COMMANDS, 0.85, &r->place, r);
    s->last_code = r->code;
}
