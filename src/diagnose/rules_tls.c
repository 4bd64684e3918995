/* Refusals about TLS, the greeting and who may talk when. */
#include <string.h>

#include "diagnose/session.h"
#include "diagnose/text.h"

static bool is(struct judgement *j, enum diagnose_cause_id id, double confidence)
{
    *j = (struct judgement){.id = id, .confidence = confidence};
    return true;
}

static bool wants_starttls(const struct session *s, const struct reply *r)
{
    if (diagnose_has(
            r->text,
            "starttls|must issue a start|tls required|require tls|requires tls|encryption required|"
            "encryption needed|use tls|tls is required|secure connection|tls encryption|ssl required|"
            "encrypted connection|tls first|enable tls|need tls"))
        return true;
    if (diagnose_has(r->text, "auth"))
        return false;
    return r->code == 530 && enhanced_is(r, 7, 0) && !s->tls && s->caps.starttls;
}

static bool judge_starttls(const struct session *s, const struct reply *r, struct judgement *j)
{
    if (enhanced_is(r, 7, 10) || diagnose_has(r->text, "pipelin|synchroni"))
        return is(j, DIAGNOSE_STARTTLS_PIPELINED, 0.9);
    if (r->code == 454 && !diagnose_has(r->text, "may not be repeated"))
        return is(j, DIAGNOSE_STARTTLS_UNAVAILABLE, 0.95);
    if (s->caps_before_tls.masked || s->caps.masked)
        return is(j, DIAGNOSE_STARTTLS_STRIPPED, 0.9);
    if (s->tls || diagnose_has(r->text, "already|repeated|active"))
        return is(j, DIAGNOSE_STARTTLS_TWICE, 0.9);
    if (r->code == 503 && !s->hello && diagnose_has(r->text, "helo|ehlo|hello"))
        return is(j, DIAGNOSE_NO_EHLO, 0.9);
    if (r->code == 503 && s->transaction)
        return is(j, DIAGNOSE_WRONG_ORDER, 0.7);
    if (r->code == 421)
        return false;
    return is(j, DIAGNOSE_STARTTLS_NOT_OFFERED, s->caps.starttls ? 0.5 : 0.9);
}

static bool judge_greeting(const struct reply *r, struct judgement *j)
{
    if (diagnose_has(
            r->text,
            "too many|concurrent|rate|busy|limit|throttl|try again|later|max message|load|ib007|ib101"))
        return is(
            j, r->code == 421 || r->code / 100 == 4 ? DIAGNOSE_SERVER_LIMITS : DIAGNOSE_REFUSED_AT_GREETING,
            0.85);
    if (r->code == 521 && diagnose_has(r->text, "does not accept|no mail|not accept mail"))
        return is(j, DIAGNOSE_REFUSED_AT_GREETING, 0.95);
    return false;
}

bool diagnose_judge_tls(const struct session *s, const struct reply *r, struct judgement *j)
{
    if (r->told && diagnose_has(r->text, "must issue a starttls"))
        return is(j, DIAGNOSE_STARTTLS_REQUIRED, 0.93); /* the command it names is not the one it answers */
    if (r->verb == VERB_STARTTLS && judge_starttls(s, r, j))
        return true;
    if (diagnose_has(r->text, "pipelin*starttls|starttls*pipelin") ||
        ((r->code == 523 || r->code == 525) && enhanced_is(r, 7, 10)))
        return is(j, DIAGNOSE_STARTTLS_PIPELINED, 0.9);
    if (diagnose_has(
            r->text,
            "synchroni|pipelining not|improper use of smtp command pipelining|talk too soon|"
            "talked before|spoke too|before greeting|before banner|out of turn|pregreet|early talk") &&
        r->code / 100 >= 4)
        return is(j, DIAGNOSE_TALKED_TOO_EARLY, 0.85);
    if (r->verb == VERB_CONNECT && judge_greeting(r, j))
        return true;
    bool auth = r->verb == VERB_AUTH || r->verb == VERB_ANSWER;
    if (auth && !s->tls && (wants_starttls(s, r) || r->code == 538 || enhanced_is(r, 7, 11)))
        return is(
            j, s->caps.starttls || !s->caps.known ? DIAGNOSE_AUTH_BEFORE_STARTTLS : DIAGNOSE_AUTH_NEEDS_TLS,
            0.9);
    if ((r->code == 530 || r->code == 523 || r->code == 524 || r->code == 538 || r->code == 554 ||
         r->code == 550 || r->code == 421 || r->code == 451) &&
        !s->tls && wants_starttls(s, r))
        return is(j, DIAGNOSE_STARTTLS_REQUIRED, r->code == 530 ? 0.95 : 0.8);
    if ((s->caps_before_tls.masked || s->caps.masked) && (r->code == 500 || r->code == 502) &&
        (r->verb == VERB_EHLO || r->verb == VERB_AUTH))
        return is(j, DIAGNOSE_STARTTLS_STRIPPED, 0.9);
    return false;
}
