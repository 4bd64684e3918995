/* Refusals for order: what the state of the session says was missing (RFC 5321 4.1.4, RFC 4954 4, RFC
 * 3207 4.2). */
#include <string.h>

#include "diagnose/session.h"
#include "diagnose/text.h"

static bool is(struct judgement *j, enum diagnose_cause_id id, double confidence)
{
    *j = (struct judgement){.id = id, .confidence = confidence};
    return true;
}

static bool asks_hello(const struct reply *r)
{
    return diagnose_has(r->text, "helo|ehlo|hello|introduce|polite|identify yourself");
}

static bool judge_auth_order(const struct session *s, const struct reply *r, struct judgement *j)
{
    const char *t = r->text;
    if (r->code != 503 && r->code != 502 && r->code != 500 && r->code != 504 && r->code != 530 &&
        r->code != 538 && r->code != 554 && r->code != 550 && r->code != 501)
        return false;
    if (r->code == 503 &&
        (s->authed || diagnose_has(t, "already auth|identity change|already*authenticated|repeat*auth")))
        return is(j, DIAGNOSE_AUTH_TWICE, 0.95);
    if (r->code == 503 && (s->transaction || diagnose_has(t, "transaction|during mail")))
        return is(j, DIAGNOSE_AUTH_IN_TRANSACTION, 0.9);
    if (s->starttls_done && !s->hello_after_starttls && !r->told)
        return is(j, DIAGNOSE_NO_EHLO_AFTER_STARTTLS, 0.93);
    if (!s->hello && s->greeted && !s->hello_failed)
        return is(j, DIAGNOSE_NO_EHLO, 0.9);
    if (s->helo_used && s->hello && !s->esmtp)
        return is(j, DIAGNOSE_HELO_INSTEAD_OF_EHLO, 0.93);
    if (asks_hello(r) && !s->hello)
        return is(j, DIAGNOSE_NO_EHLO, 0.85);
    bool unavailable = diagnose_has(
        t, "not enabled|not advertised|not supported|not available|not offered|unrecognized|"
           "unrecognised|not implemented|unknown command|not allowed|disabled|not permitted|unimplemented");
    if (s->caps.known && !s->caps.auth && !s->tls && s->caps.starttls)
        return is(j, DIAGNOSE_AUTH_BEFORE_STARTTLS, 0.93);
    if (r->code == 501 || r->code == 550 || r->code == 554)
        return false;
    if ((s->caps.known && !s->caps.auth) || unavailable)
        return is(j, DIAGNOSE_AUTH_NOT_OFFERED, s->caps.known ? 0.9 : 0.75);
    return false;
}

static bool judge_mail_order(const struct session *s, const struct reply *r, struct judgement *j)
{
    const char *t = r->text;
    if (r->verb == VERB_NONE && diagnose_has(t, "nested mail|sender already|already specified|issue a reset"))
        return is(j, DIAGNOSE_NESTED_MAIL, 0.85);
    if (s->refused)
        return is(j, DIAGNOSE_REFUSED_AT_GREETING, 0.8);
    if (s->transaction ||
        diagnose_has(t,
                     "nested|already given|already specified|reset if you want|issue a reset|already*sender|"
                     "sender already|already in progress|already started|transaction in progress"))
        return is(j, DIAGNOSE_NESTED_MAIL, s->transaction ? 0.95 : 0.85);
    if (s->starttls_done && !s->hello_after_starttls && !r->told)
        return is(j, DIAGNOSE_NO_EHLO_AFTER_STARTTLS, 0.9);
    if (!s->hello && (asks_hello(r) || s->greeted))
        return is(j, DIAGNOSE_NO_EHLO, 0.93);
    if (diagnose_has(t, "auth"))
        return is(j, DIAGNOSE_AUTH_REQUIRED, 0.85);
    return asks_hello(r) && is(j, DIAGNOSE_NO_EHLO, 0.85);
}

static bool judge_data_order(const struct session *s, const struct reply *r, struct judgement *j)
{
    const char *t = r->text;
    if (diagnose_has(t, "after bdat|bdat*data|data*bdat|last chunk|bdat*last|bdat already") ||
        (s->bdat_used && r->code == 503))
        return is(j, DIAGNOSE_DATA_BDAT_MIXED, 0.93);
    if (r->verb == VERB_BDAT && s->caps.known && !s->caps.chunking && r->code != 554)
        return is(j, DIAGNOSE_MESSAGE_AS_COMMANDS, 0.8);
    if (s->mail_failed)
        return is(j, DIAGNOSE_MAIL_REFUSED_CASCADE, 0.7);
    if (!s->hello && s->greeted && asks_hello(r))
        return is(j, DIAGNOSE_NO_EHLO, 0.9);
    if (s->rcpt_bad > 0 && s->rcpt_ok == 0)
        return is(j, DIAGNOSE_NO_VALID_RECIPIENTS, 0.9);
    if (diagnose_has(t, "valid recipient|need rcpt|rcpt|no recipient|recipient*first|recipients"))
        return is(j, DIAGNOSE_NO_VALID_RECIPIENTS, 0.9);
    if (r->code == 503 && !s->transaction)
        return is(j, diagnose_has(t, "mail") ? DIAGNOSE_NO_MAIL : DIAGNOSE_NO_VALID_RECIPIENTS, 0.85);
    return r->code == 503 && s->rcpt_ok == 0 && is(j, DIAGNOSE_NO_VALID_RECIPIENTS, 0.85);
}

static bool judge_hello(const struct session *s, const struct reply *r, struct judgement *j)
{
    (void)s;
    if (r->code == 421 || r->code / 100 == 4)
        return false;
    if (diagnose_has(r->text, "blocked|spamhaus|listed|dnsbl|rbl|reputation") || enhanced_is(r, 7, 506))
        return false;
    return is(j, DIAGNOSE_EHLO_REFUSED, 0.9);
}

static bool judge_rcpt_order(const struct session *s, const struct reply *r, struct judgement *j)
{
    if (s->mail_failed)
        return is(j, DIAGNOSE_MAIL_REFUSED_CASCADE, 0.7);
    if (!s->hello && s->greeted)
        return is(j, DIAGNOSE_NO_EHLO, 0.9);
    if (diagnose_has(r->text, "auth"))
        return is(j, DIAGNOSE_AUTH_REQUIRED, 0.8);
    return is(j, DIAGNOSE_NO_MAIL, 0.88);
}

/* A 503 of which nobody knows what it answers: its words may say. */
static bool judge_by_words(const struct reply *r, struct judgement *j)
{
    if (diagnose_has(r->text, "already auth|identity change"))
        return is(j, DIAGNOSE_AUTH_TWICE, 0.9);
    if (diagnose_has(r->text, "auth*not enabled|auth*not advertised|authentication not|auth*not "
                              "available|auth command used when"))
        return is(j, DIAGNOSE_AUTH_NOT_OFFERED, 0.75);
    if (diagnose_has(r->text, "nested|already given|already specified|issue a reset"))
        return is(j, DIAGNOSE_NESTED_MAIL, 0.85);
    if (diagnose_has(r->text, "bdat"))
        return is(j, DIAGNOSE_DATA_BDAT_MIXED, 0.8);
    if (asks_hello(r))
        return is(j, DIAGNOSE_NO_EHLO, 0.85);
    if (diagnose_has(r->text, "recipient|rcpt"))
        return is(j, DIAGNOSE_NO_VALID_RECIPIENTS, 0.8);
    if (diagnose_has(r->text, "need mail|mail first|sender not|mail before"))
        return is(j, DIAGNOSE_NO_MAIL, 0.85);
    return is(j, DIAGNOSE_WRONG_ORDER, 0.4);
}

bool diagnose_judge_order(const struct session *s, const struct reply *r, struct judgement *j)
{
    bool order = r->code == 503;
    /* Postfix refuses the name of a HELO behind the RCPT (smtpd_delay_reject). */
    if (diagnose_has(r->text, "helo command rejected|invalid helo|helo name|ehlo name"))
        return judge_hello(s, r, j);
    switch (r->verb) {
    case VERB_EHLO:
    case VERB_HELO:
    case VERB_LHLO:
        return judge_hello(s, r, j);
    case VERB_AUTH:
    case VERB_ANSWER:
        return judge_auth_order(s, r, j);
    case VERB_MAIL:
        return order && judge_mail_order(s, r, j);
    case VERB_RCPT:
        return order && judge_rcpt_order(s, r, j);
    case VERB_DATA:
    case VERB_BDAT:
    case VERB_END:
        if (order || r->code == 500 || r->code == 502 ||
            (r->code == 554 && diagnose_has(r->text, "recipient|rcpt")))
            return judge_data_order(s, r, j);
        return false;
    case VERB_ETRN:
        return order && !s->hello && is(j, DIAGNOSE_NO_EHLO, 0.85);
    case VERB_NONE:
    case VERB_OTHER:
    case VERB_CONNECT:
        break;
    default:
        return order && s->refused && is(j, DIAGNOSE_REFUSED_AT_GREETING, 0.8);
    }
    return order && judge_by_words(r, j);
}
