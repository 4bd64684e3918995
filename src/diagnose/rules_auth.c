/* Refusals of an AUTH exchange. What providers say is asked before what the code says (RFC 4954 6). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/view.h"
#include "diagnose/session.h"
#include "diagnose/text.h"

static bool is(struct judgement *j, enum diagnose_cause_id id, double confidence)
{
    *j = (struct judgement){.id = id, .confidence = confidence};
    return true;
}

/* Blame a line of the client, where one is known. */
static bool blame(struct judgement *j, enum diagnose_cause_id id, double confidence,
                  const struct place *place)
{
    *j = (struct judgement){.id = id, .confidence = confidence, .place = place->line ? place : NULL};
    return true;
}

static bool offers(const struct session *s, const char *mechanism)
{
    char low[40] = " ";
    size_t n = 1;
    for (; mechanism[n - 1] && n + 2 < sizeof low; n++)
        low[n] = (char)tolower((unsigned char)mechanism[n - 1]);
    low[n] = ' ';
    return strstr(s->caps.mechanisms, low) != NULL;
}

static bool judge_provider(const struct session *s, const struct reply *r, struct judgement *j)
{
    const char *t = r->text;
    (void)s;
    if (diagnose_has(
            t, "smtpclientauthentication is disabled|smtpclientauthenticationdisabled|smtp_auth_disabled"))
        return is(j, DIAGNOSE_SMTP_AUTH_DISABLED, 0.97);
    if (diagnose_has(t, "basic authentication is disabled|basic auth*disabled") || enhanced_is(r, 7, 139))
        return is(j,
                  diagnose_has(t, "basic auth") ? DIAGNOSE_BASIC_AUTH_DISABLED : DIAGNOSE_SMTP_AUTH_DISABLED,
                  diagnose_has(t, "disabled") ? 0.97 : 0.6);
    if (diagnose_has(t,
                     "application-specific password|invalidsecondfactor|app password|app-specific password|"
                     "application specific password|authorization code is required"))
        return is(j, DIAGNOSE_APP_PASSWORD_REQUIRED, 0.95);
    if (diagnose_has(t, "web browser|webloginrequired|log in via your") ||
        (enhanced_is(r, 7, 14) && r->code / 10 == 53))
        return is(j, DIAGNOSE_BROWSER_SIGN_IN_REQUIRED, 0.95);
    if (r->code / 100 == 4 &&
        diagnose_has(t, "too many*auth|too many*login|too many*auth|too many*attempt|too many failed|"
                        "too many sasl|too many unsuccessful|rate limit|login rate"))
        return is(j, DIAGNOSE_AUTH_RATE_LIMITED, 0.95);
    if (r->code / 100 == 5 &&
        diagnose_has(t, "too many*login|too many*auth|too many*attempt|temporarily locked|locked out|"
                        "temporarily blocked|too many failed"))
        return is(j, DIAGNOSE_AUTH_RATE_LIMITED, 0.85);
    if (enhanced_is(r, 7, 13) ||
        diagnose_has(t, "account*disabled|user*disabled|account*suspended|account is locked"))
        return is(j, DIAGNOSE_ACCOUNT_DISABLED, 0.85);
    return false;
}

static bool judge_response(const struct session *s, const struct reply *r, struct judgement *j)
{
    const struct auth *a = &s->auth;
    const struct response *b = &a->bad;
    /* Behind any other code the answer was sent, and the log does not show it. */
    if (a->waiting && !a->token_refused &&
        (r->code == 421 || diagnose_has(r->text, "timeout|timed out|idle")))
        return blame(j, DIAGNOSE_CHALLENGE_UNANSWERED, 0.9, &a->challenge_place);
    if (r->code == 501 && a->cancelled)
        return is(j, DIAGNOSE_AUTH_CANCELLED, 0.9);
    if (a->token_refused)
        return blame(j, DIAGNOSE_OAUTH_TOKEN_REFUSED, 0.95, &a->token_place);
    if (b->seen && b->command)
        return blame(j, DIAGNOSE_COMMAND_DURING_CHALLENGE, 0.95, &b->place);
    if (b->seen && b->wrapped)
        return blame(j, DIAGNOSE_RESPONSE_WRAPPED, 0.9, &b->place);
    if (a->user_repeated)
        return blame(j, DIAGNOSE_INITIAL_RESPONSE_IGNORED, 0.85, &a->repeat_place);
    if (r->code == 500 &&
        (enhanced_is(r, 5, 6) || diagnose_has(r->text, "too long|limit exceeded|line*long|exceed")))
        return is(j, DIAGNOSE_AUTH_LINE_TOO_LONG, 0.95);
    if (enhanced_is(r, 5, 124) || diagnose_has(r->text, "invalid xoauth2"))
        return is(j, DIAGNOSE_XOAUTH2_MALFORMED, 0.95);
    if (!b->seen)
        return false;
    if (b->twice)
        return blame(j, DIAGNOSE_RESPONSE_TWICE_ENCODED, 0.9, &b->place);
    if (b->line_end)
        return blame(j, DIAGNOSE_RESPONSE_WITH_LINE_END, 0.9, &b->place);
    if (b->xoauth2_bad && b->base64)
        return blame(j, DIAGNOSE_XOAUTH2_MALFORMED, 0.9, &b->place);
    if (b->plain_bad)
        return blame(j, DIAGNOSE_PLAIN_MALFORMED, 0.9, &b->place);
    if (!b->base64)
        return blame(j, DIAGNOSE_RESPONSE_NOT_BASE64, 0.92, &b->place);
    return false;
}

static bool is_server_first(const char *mechanism)
{
    return strcmp(mechanism, "CRAM-MD5") == 0 || strcmp(mechanism, "DIGEST-MD5") == 0 ||
           strcmp(mechanism, "NTLM") == 0;
}

static bool judge_command(const struct session *s, const struct reply *r, struct judgement *j)
{
    const struct auth *a = &s->auth;
    const char *t = r->text;
    if (r->verb != VERB_AUTH || a->challenges > 0)
        return false;
    if (diagnose_has(t, "initial data not expected|initial response not|no initial response") ||
        (a->initial && is_server_first(a->mechanism) && r->code == 501))
        return is(j, DIAGNOSE_INITIAL_RESPONSE_REFUSED, 0.92);
    bool unknown =
        diagnose_has(t, "unrecognized auth|unrecognised auth|mechanism*not supported|mechanism*not available|"
                        "mechanism*not*support|mechanism*unsupported|unsupported*mechanism|invalid "
                        "authentication mechanism|unknown*mechanism|"
                        "unsupported authentication|authentication type|mechanism not recognized|"
                        "mechanism is not|not a supported*mechanism|mechanism invalid|unimplemented auth|no "
                        "mechanism available|not offered*mechanism");
    bool offered = s->caps.known && a->mechanism[0] && offers(s, a->mechanism);
    if (unknown || r->code == 504) {
        /* Who offers PLAIN or LOGIN in clear has nothing more to offer behind STARTTLS. */
        bool hidden = !offers(s, "PLAIN") && !offers(s, "LOGIN");
        if (!s->tls && s->caps.known && s->caps.starttls && !offered && hidden)
            return is(j, DIAGNOSE_AUTH_BEFORE_STARTTLS, 0.85);
        if (s->caps.known && !s->caps.auth)
            return is(j, DIAGNOSE_AUTH_NOT_OFFERED, 0.85);
        return is(j, DIAGNOSE_MECHANISM_NOT_OFFERED, s->caps.known && !offered ? 0.95 : 0.85);
    }
    if (r->code == 535 && s->caps.known && s->caps.auth && a->mechanism[0] && !offered && !a->first.seen)
        return is(j, DIAGNOSE_MECHANISM_NOT_OFFERED, 0.8);
    return false;
}

static bool judge_by_code(const struct session *s, const struct reply *r, struct judgement *j)
{
    const char *t = r->text;
    switch (r->code) {
    case 454:
    case 435:
    case 421:
    case 451:
    case 450:
        return is(j, DIAGNOSE_AUTH_TEMPORARY_FAILURE, r->code == 454 || r->code == 435 ? 0.95 : 0.75);
    case 432:
        return is(j, DIAGNOSE_PASSWORD_TRANSITION, 0.85);
    case 525:
        return is(j, DIAGNOSE_ACCOUNT_DISABLED, 0.85);
    case 534:
        return is(j, DIAGNOSE_MECHANISM_TOO_WEAK, 0.8);
    case 538:
        return is(j, DIAGNOSE_AUTH_NEEDS_TLS, 0.85);
    case 501:
    case 500:
        if (diagnose_has(t, "base64|decode|encod|cannot decode|invalid character"))
            return blame(j, DIAGNOSE_RESPONSE_NOT_BASE64, 0.8, &s->auth.bad.place);
        if (diagnose_has(t, "cancel|abort"))
            return is(j, DIAGNOSE_AUTH_CANCELLED, 0.7);
        if (strcmp(s->auth.mechanism, "PLAIN") == 0 &&
            diagnose_has(t, "userdata|malformed|invalid|format|credential"))
            return is(j, DIAGNOSE_PLAIN_MALFORMED, 0.7);
        if (r->code == 501 && s->auth.challenges > 0)
            return is(j, DIAGNOSE_RESPONSE_NOT_BASE64, 0.5);
        return false;
    case 535:
    case 550:
    case 553:
    case 554:
    case 571:
        break;
    default:
        return false;
    }
    if (diagnose_has(t, "username and password not accepted|badcredentials"))
        return is(j, DIAGNOSE_GOOGLE_BAD_CREDENTIALS, 0.95);
    if (enhanced_is(r, 7, 3) && diagnose_has(t, "authentication unsuccessful"))
        return is(j, DIAGNOSE_EXCHANGE_AUTH_UNSUCCESSFUL, 0.95);
    if (r->code != 535 && diagnose_has(t, "relay|spam|block|listed|policy"))
        return false;
    return is(j, DIAGNOSE_WRONG_CREDENTIALS, enhanced_is(r, 7, 8) || r->code == 535 ? 0.85 : 0.6);
}

bool diagnose_judge_auth(const struct session *s, const struct reply *r, struct judgement *j)
{
    bool auth = r->verb == VERB_AUTH || r->verb == VERB_ANSWER ||
                (r->verb == VERB_OTHER && s->auth.challenges > 0 && s->auth.bad.seen && s->auth.bad.wrapped);
    if (!auth) {
        bool about =
            r->code == 535 || r->code == 534 ||
            diagnose_has(r->text, "too many auth|too many login|too many failed login|too many sasl");
        return about && judge_provider(s, r, j);
    }
    if (r->code == 503 && s->auth.challenges == 0)
        return false; /* for order: the response was not looked at */
    if (judge_provider(s, r, j) || judge_response(s, r, j) || judge_command(s, r, j))
        return true;
    return r->code != 503 && r->code != 502 && r->code != 530 && judge_by_code(s, r, j);
}
