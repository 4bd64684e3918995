/* What a note changes in the conversation that it belongs to. */
#include "diagnose/reader.h"

#include <stdlib.h>

/* Was this reply seen in the conversation itself? An exception at its end repeats it. */
static bool is_repeated(const struct session *s, const struct note *n)
{
    for (size_t i = 0; i < s->found_n; i++)
        if (atoi(s->found[i].finding.codes[0]) == n->code &&
            (s->lines > 0 || s->found[i].finding.line + 12 > s->touched))
            return true;
    return s->lines > 0 && s->last_code == n->code;
}

static bool has_finding(const struct session *s)
{
    for (size_t i = 0; i < s->found_n; i++)
        if (!s->found[i].overcome && !(s->found[i].general && s->found[i].finding.confidence < 0.6))
            return true;
    return false;
}

/* "Could not connect", and a further line may say why. */
static bool is_weak(const struct noted *f)
{
    return f && f->finding.id == DIAGNOSE_CONNECTION_REFUSED && f->finding.confidence <= NOTE_WEAK;
}

static void take_cause(struct session *s, const struct note *n, const struct place *place)
{
    struct noted *last = s->found_n > 0 ? &s->found[s->found_n - 1] : NULL;
    bool nearer = n->cause == DIAGNOSE_TLS_TO_PLAIN_PORT || n->cause == DIAGNOSE_CERTIFICATE_INVALID;
    if (last && nearer && last->finding.id == DIAGNOSE_TLS_HANDSHAKE_FAILED)
        s->found_n--; /* a further line of the same message says more */
    if (is_weak(last))
        s->found_n--;
    bool weak = n->cause == DIAGNOSE_CONNECTION_REFUSED && n->confidence <= NOTE_WEAK;
    if (has_finding(s) || (weak && s->timed_out) || (s->delivered > 0 && !s->transaction))
        return;
    if (s->auth.waiting && n->cause == DIAGNOSE_WRONG_CREDENTIALS)
        return; /* judged at the end: the challenge was not answered */
    if (n->port)
        s->port = n->port;
    bool offered = !s->caps.known || s->caps.auth || s->auth_tries > 0;
    enum diagnose_cause_id cause = n->cause;
    if (cause == DIAGNOSE_WRONG_CREDENTIALS && !offered) /* nothing was sent that could be wrong */
        cause = s->caps.starttls && !s->tls && !s->implicit_tls ? DIAGNOSE_AUTH_BEFORE_STARTTLS
                                                                : DIAGNOSE_AUTH_NOT_OFFERED;
    diagnose_session_note(s, cause, n->confidence, place, NULL);
}

static bool is_over(const struct session *s) { return s->quit || s->left || s->closed; }

void diagnose_reader_take_note(struct diagnose *d, struct session *s, const struct note *n,
                               const struct place *place)
{
    switch (n->kind) {
    case NOTE_REPLY:
        if (!is_repeated(s, n))
            diagnose_session_told(s, n->verb, n->code, n->implied, n->text, place);
        break;
    case NOTE_CAUSE:
        take_cause(s, n, place);
        break;
    case NOTE_DELIVERED:
        s->told_successes++;
        for (size_t i = 0; i < s->found_n; i++)
            s->found[i].overcome = s->found[i].overcome || s->found[i].temporary;
        break;
    case NOTE_CLOSED:
    case NOTE_TIMED_OUT:
        if (!s->closed && !s->timed_out)
            s->close_place = *place;
        if (s->found_n > 0 && n->kind == NOTE_TIMED_OUT && is_weak(&s->found[s->found_n - 1]))
            s->found_n--;
        s->closed = true;
        s->timed_out = s->timed_out || n->kind == NOTE_TIMED_OUT;
        break;
    case NOTE_TLS:
        s->implicit_tls = s->implicit_tls || s->lines == 0;
        s->tls = true;
        break;
    case NOTE_CONNECT:
        if (is_over(s) && !n->begins)
            return;
        if (is_over(s))
            s = diagnose_reader_begin_anew(d, s);
        if (!s->connected)
            s->connect_place = *place;
        s->connected = true;
        break;
    case NOTE_NOTHING:
        break;
    }
    if (n->port && s->lines == 0)
        s->port = n->port;
}
