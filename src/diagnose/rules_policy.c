/* Refusals of policy: what the enhanced code and the text name, whatever the code (RFC 3463, RFC 7372, RFC
 * 7505). */
#include <string.h>

#include "diagnose/note.h"
#include "diagnose/session.h"
#include "diagnose/text.h"

static bool is(struct judgement *j, enum diagnose_cause_id id, double confidence)
{
    *j = (struct judgement){.id = id, .confidence = confidence};
    return true;
}

static bool judge_recipient(const struct session *s, const struct reply *r, struct judgement *j)
{
    const char *t = r->text;
    bool sender = diagnose_has(t, "sender|from address|mail from|return path") || r->verb == VERB_MAIL;
    (void)s;
    if (sender)
        return false;
    if ((enhanced_is(r, 2, 1) && r->class == 5) ||
        diagnose_has(t, "account*disabled|mailbox*disabled|user*disabled|account*inactive|account*suspended|"
                        "mailbox*inactive|account is not active|user*suspended"))
        return is(j,
                  r->code / 100 == 4 && diagnose_has(t, "too quickly|rate") ? DIAGNOSE_SERVER_LIMITS
                                                                            : DIAGNOSE_MAILBOX_DISABLED,
                  0.88);
    if (enhanced_is(r, 1, 2) && diagnose_has(t, "host unknown|host not found|name server|nxdomain"))
        return is(j, DIAGNOSE_HOST_NOT_FOUND, 0.88);
    if (r->class != 4 && (enhanced_is(r, 1, 1) || enhanced_is(r, 1, 10) || enhanced_is(r, 1, 6) ||
                          enhanced_is(r, 1, 2) || enhanced_is(r, 1, 3)))
        return is(j, DIAGNOSE_UNKNOWN_RECIPIENT, 0.93);
    if (diagnose_has(
            t,
            "user unknown|does not exist|doesn't exist|no such user|no such "
            "mailbox|recipientnotfound|recipient not found|unknown user|unknown recipient|unknown local|"
            "no such recipient|no such address|mailbox not found|mailbox unavailable|user not found|invalid "
            "recipient|not a known user|unrouteable address|unroutable address|"
            "no mailbox|unknown address|recipient unknown|address unknown|not known|invalid mailbox|mailbox "
            "does not|no longer on server|recipient address rejected: access denied|unknown mailbox|address "
            "rejected|user*not exist|no user|bad destination mailbox|address does not exist|recipient "
            "rejected|recipient*does not|not our user|unknown in"))
        return is(j, r->code / 100 == 4 ? DIAGNOSE_REFUSED_FOR_NOW : DIAGNOSE_UNKNOWN_RECIPIENT, 0.9);
    return false;
}

static bool judge_limits(const struct session *s, const struct reply *r, struct judgement *j)
{
    const char *t = r->text;
    bool four = r->code / 100 == 4;
    if (four && (diagnose_has(t, "timeout|timed out|idle") || enhanced_is(r, 4, 2)))
        return is(j, DIAGNOSE_TIMED_OUT, 0.88);
    if (diagnose_has(
            t, "too many*connection|too many connection|too many concurrent|too many error|too many "
               "message|too many session|rate limit|rate-limit|ratelimit|throttl|concurrent|"
               "too much mail|too many emails|per second|too many new tls|unusual rate|too quickly|at a "
               "rate|exceeded the "
               "rate|temporarily deferred|max message|mail flood|thread limit|excessive volume|access "
               "denied, please try again|server busy|too many unrecognized|too many bad commands|too "
               "fast|slow down|connection limit|excessive|too many syntax|too many invalid|too many nonmail"))
        return is(j, DIAGNOSE_SERVER_LIMITS, 0.9);
    if (enhanced_is(r, 7, 28) ||
        (r->class == 4 && r->subject == 7 && ((r->detail >= 500 && r->detail <= 699) || r->detail >= 850)))
        return is(j, DIAGNOSE_SERVER_LIMITS, 0.88);
    bool place = r->verb == VERB_RCPT || r->verb == VERB_DATA || r->verb == VERB_MAIL ||
                 r->verb == VERB_NONE || r->verb == VERB_END;
    if ((r->code == 450 || r->code == 451) && place && (!s->in_data) &&
        (diagnose_has(t,
                      "try again later|try again in|come back|temporarily deferred|temporary "
                      "deferred|temporarily rejected|temporarily unavailable|temporary rejected|please retry|"
                      "service currently unavailable|please try again|retry later|try later|retry in|service "
                      "unavailable") ||
         (enhanced_is(r, 3, 2) && r->verb == VERB_RCPT) || (enhanced_is(r, 7, 1) && r->verb == VERB_RCPT)) &&
        !diagnose_has(t, "local error|local problem|internal|queue file|lookup|server error|configuration"))
        return is(j, DIAGNOSE_GREYLISTED,
                  enhanced_is(r, 7, 1) || enhanced_is(r, 2, 0) || enhanced_is(r, 3, 2) ? 0.8 : 0.65);
    if (r->code == 421)
        return is(j, DIAGNOSE_SERVER_LIMITS,
                  diagnose_has(t, "later|limit|rate|shut|busy|load") ? 0.75 : 0.55);
    return false;
}

static bool judge_530(const struct session *s, const struct reply *r, struct judgement *j)
{
    bool auth = diagnose_has(r->text, "authenticat|auth |login|log in|credential|sasl|smtp auth|not logged");
    if (enhanced_is(r, 7, 57) || (r->code == 530 && !s->authed && r->code == 530))
        return is(j, DIAGNOSE_AUTH_REQUIRED, auth || enhanced_is(r, 7, 57) ? 0.95 : 0.8);
    /* Who names relaying refuses the recipient, whatever else would help. */
    bool relay = r->verb != VERB_MAIL && diagnose_has(r->text, "relay");
    if (!s->authed && auth && !relay &&
        (r->verb == VERB_MAIL || r->verb == VERB_RCPT || r->verb == VERB_DATA || r->verb == VERB_END ||
         r->verb == VERB_NONE) &&
        diagnose_has(r->text, "required|must|first|need|please|not auth"))
        return is(j, DIAGNOSE_AUTH_REQUIRED, 0.88);
    if (s->authed && (r->verb == VERB_MAIL || r->verb == VERB_RCPT) && (r->code == 530 || r->code == 535))
        return is(j, DIAGNOSE_SENDER_NOT_ALLOWED, 0.75);
    return false;
}

/* An enhanced code without a reply code is what a client makes of its own trouble: its words say which. */
static bool judge_own_words(const struct reply *r, struct judgement *j)
{
    enum diagnose_cause_id id;
    double confidence;
    if (!diagnose_note_saying(r->text, &id, &confidence))
        return false;
    bool own = id == DIAGNOSE_CERTIFICATE_INVALID || id == DIAGNOSE_TLS_HANDSHAKE_FAILED ||
               id == DIAGNOSE_TLS_TO_PLAIN_PORT || id == DIAGNOSE_STARTTLS_NOT_OFFERED ||
               id == DIAGNOSE_CONNECTION_REFUSED || id == DIAGNOSE_HOST_NOT_FOUND ||
               id == DIAGNOSE_CONNECTION_LOST;
    return own && is(j, id, confidence);
}

bool diagnose_judge_policy(const struct session *s, const struct reply *r, struct judgement *j)
{
    const char *t = r->text;
    bool auth = r->verb == VERB_AUTH || r->verb == VERB_ANSWER;
    if (r->implied && judge_own_words(r, j))
        return true;
    if (!auth && judge_530(s, r, j))
        return true;
    if (auth)
        return judge_limits(s, r, j);
    bool parameter =
        r->code == 555 ||
        diagnose_has(t, "unsupported option|parameter*not recognized|unrecognized parameter|unknown "
                        "parameter|unsupported parameter|option not supported|parameters not "
                        "recognized|parameter not supported|invalid parameter|bad parameter");
    if (parameter &&
        (r->verb == VERB_MAIL || r->verb == VERB_RCPT || r->verb == VERB_NONE || r->code == 555) &&
        !diagnose_has(t, "smtputf8"))
        return is(j, DIAGNOSE_BAD_PARAMETERS, r->code == 555 ? 0.95 : 0.85);
    if (diagnose_judge_words(s, r, j) || judge_recipient(s, r, j) || judge_limits(s, r, j))
        return true;
    if (r->verb == VERB_CONNECT)
        return is(j, r->code / 100 == 4 ? DIAGNOSE_SERVER_LIMITS : DIAGNOSE_REFUSED_AT_GREETING, 0.85);
    if (s->authed && r->verb == VERB_MAIL && (r->code == 550 || r->code == 553 || r->code == 554))
        return is(j, DIAGNOSE_SENDER_NOT_ALLOWED, 0.7);
    /* Of the sender, said where the recipient is judged, as servers do that wait with it (Postfix, Exim). */
    if (r->code / 100 == 5 && (r->verb == VERB_RCPT || r->verb == VERB_DATA) &&
        diagnose_has(
            t, "sender address rejected|sender rejected|sender refused|sender denied|sender address refused"))
        return is(j, DIAGNOSE_SENDER_REFUSED, 0.8);
    if (diagnose_has(
            t, "spam|virus|malware|content|message*rejected|message*refused|message*policy|potential "
               "security|attachment|unsolicited|bulk|phish|blocked|policy reasons|local policy|suspicious"))
        return is(j, DIAGNOSE_CONTENT_REFUSED, r->verb == VERB_END ? 0.8 : 0.6);
    return false;
}

bool diagnose_judge_general(const struct session *s, const struct reply *r, struct judgement *j)
{
    (void)s;
    if (r->code < 400 || r->code > 599)
        return false;
    /* a probe of an extension or a courtesy: nobody is hurt by its refusal */
    if (r->verb == VERB_VRFY || r->verb == VERB_EXPN || r->verb == VERB_HELP || r->verb == VERB_NOOP ||
        r->verb == VERB_RSET || r->verb == VERB_XCLIENT || r->verb == VERB_QUIT)
        return false;
    switch (r->code) {
    case 500:
    case 502:
        return is(j, DIAGNOSE_COMMAND_UNKNOWN, r->verb == VERB_NONE ? 0.5 : 0.7);
    case 501:
        return is(j, DIAGNOSE_SYNTAX_ERROR, 0.75);
    case 504:
        return is(j, r->verb == VERB_NONE ? DIAGNOSE_MECHANISM_NOT_OFFERED : DIAGNOSE_BAD_PARAMETERS, 0.5);
    case 503:
        return is(j, DIAGNOSE_WRONG_ORDER, 0.4);
    case 521:
        return is(j, DIAGNOSE_REFUSED_AT_GREETING, 0.7);
    case 451:
        return is(j, DIAGNOSE_SERVER_ERROR, 0.6);
    case 452:
        return is(j, r->verb == VERB_RCPT ? DIAGNOSE_TOO_MANY_RECIPIENTS : DIAGNOSE_SERVER_STORAGE, 0.55);
    case 552:
        return is(j, DIAGNOSE_MESSAGE_TOO_LARGE, 0.5);
    }
    bool five = r->code / 100 == 5;
    if (five && r->verb == VERB_RCPT && (r->code == 550 || r->code == 553 || r->code == 551))
        return is(j, DIAGNOSE_RECIPIENT_REFUSED, 0.6);
    if (five && r->verb == VERB_MAIL)
        return is(j, DIAGNOSE_SENDER_REFUSED, 0.6);
    if (five && r->verb == VERB_END)
        return is(j, DIAGNOSE_CONTENT_REFUSED, 0.6);
    return is(j, five ? DIAGNOSE_REFUSED : DIAGNOSE_REFUSED_FOR_NOW, 0.35);
}
