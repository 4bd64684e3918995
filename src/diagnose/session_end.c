/* What is left when a conversation is over: silence judged, findings put in order, all of it gathered. */
#include <stdio.h>
#include <string.h>

#include "base/view.h"
#include "diagnose/session.h"
#include "diagnose/text.h"

static void set_codes(struct diagnose_finding *f, const struct reply *r)
{
    if (r->code == 0)
        return;
    size_t n = 0;
    if (!r->implied)
        snprintf(f->codes[n++], sizeof f->codes[0], "%d", r->code);
    if (r->class != 0)
        snprintf(f->codes[n], sizeof f->codes[0], "%d.%d.%d", r->class % 10, r->subject % 1000,
                 r->detail % 1000);
}

struct noted *diagnose_session_note(struct session *s, enum diagnose_cause_id id, double confidence,
                                    const struct place *place, const struct reply *reply)
{
    for (size_t i = 0; i < s->found_n; i++) {
        struct noted *f = &s->found[i];
        if (f->finding.id == id && !f->overcome) {
            f->finding.times++;
            if (!reply || f->finding.codes[0][0] != '\0')
                return NULL;
            f->overcome = true; /* a program's words; the reply itself says more */
        }
    }
    if (s->found_n == FINDINGS_MAX)
        return NULL;
    struct noted *f = &s->found[s->found_n++];
    *f = (struct noted){.finding = {.id = id, .confidence = confidence, .line = place->line, .times = 1}};
    memcpy(f->finding.quote, place->quote, sizeof f->finding.quote);
    f->general = id == DIAGNOSE_REFUSED || id == DIAGNOSE_REFUSED_FOR_NOW || id == DIAGNOSE_WRONG_ORDER ||
                 id == DIAGNOSE_CONNECTION_LOST || id == DIAGNOSE_TIMED_OUT;
    if (reply) {
        set_codes(&f->finding, reply);
        snprintf(f->finding.command, sizeof f->finding.command, "%s", diagnose_verb_name(reply->verb));
        f->verb = reply->verb;
        f->temporary = reply->code / 100 == 4;
        f->recipient = reply->verb == VERB_RCPT ? s->recipient : 0;
        f->told = reply->told;
    }
    return f;
}

static const struct pending *oldest(const struct session *s)
{
    return s->pending_n > 0 ? &s->pending[s->pending_at] : NULL;
}

static bool is_secret_port(unsigned port) { return port == 465 || port == 2465; }

/* The last word was the client's, or nobody said one. */
static void judge_silence(struct session *s)
{
    const struct pending *p = oldest(s);
    bool told = s->closed || s->timed_out;
    const struct place *place = told ? &s->close_place : &s->last_command;
    if (s->auth.waiting && s->last_code == 334 && s->found_n == 0) {
        enum diagnose_cause_id id = s->auth.token_refused ? DIAGNOSE_OAUTH_TOKEN_REFUSED
                                    : s->auth.bad.seen    ? DIAGNOSE_RESPONSE_NOT_BASE64
                                                          : DIAGNOSE_CHALLENGE_UNANSWERED;
        struct reply r = {.code = 334, .verb = VERB_AUTH};
        struct noted *f = diagnose_session_note(s, id, told ? 0.85 : 0.7, &s->auth.challenge_place, &r);
        if (f && s->lines < 2)
            f->consequence = true; /* a prompt alone is no failure */
        return;
    }
    if (!s->greeted && s->replies == 0 && s->found_n == 0) {
        if (told && is_secret_port(s->port) && !s->implicit_tls)
            diagnose_session_note(s, DIAGNOSE_PLAIN_TO_TLS_PORT, 0.85, place, NULL);
        else if (told)
            diagnose_session_note(s, s->timed_out ? DIAGNOSE_TIMED_OUT : DIAGNOSE_CONNECTION_LOST, 0.6, place,
                                  NULL);
        else if (s->connected && is_secret_port(s->port) && !s->implicit_tls)
            diagnose_session_note(s, DIAGNOSE_PLAIN_TO_TLS_PORT, 0.6, &s->connect_place, NULL);
        return;
    }
    if (s->found_n > 0 || (!told && !(s->content_over && p && p->verb == VERB_END)))
        return;
    if (s->quit || s->left || (s->delivered > 0 && !p && !s->transaction))
        return;
    if (!s->greeted && is_secret_port(s->port) && !s->implicit_tls)
        diagnose_session_note(s, DIAGNOSE_PLAIN_TO_TLS_PORT, 0.8, place, NULL);
    else if (s->timed_out)
        diagnose_session_note(s, DIAGNOSE_TIMED_OUT, 0.8, place, NULL);
    else
        diagnose_session_note(s, DIAGNOSE_CONNECTION_LOST, told ? 0.85 : 0.55, place, NULL);
}

static void judge_bursts(struct session *s)
{
    enum { BURST = 3 };
    if (s->unknown_run < BURST || s->delivered > 0)
        return;
    struct reply r = {.code = 500, .verb = VERB_OTHER};
    for (size_t i = 0; i < s->found_n; i++)
        s->found[i].consequence =
            s->found[i].consequence || s->found[i].finding.line >= s->unknown_first.line;
    diagnose_session_note(s, DIAGNOSE_MESSAGE_AS_COMMANDS, s->header_like > 0 ? 0.9 : 0.6, &s->unknown_first,
                          &r);
}

/* The first that stands by itself; a general one gives way to a particular one behind it. */
static size_t choose(const struct session *s)
{
    size_t best = s->found_n;
    for (size_t i = 0; i < s->found_n; i++) {
        const struct noted *f = &s->found[i];
        if (f->overcome || f->consequence || f->finding.id == DIAGNOSE_AUTH_CANCELLED)
            continue;
        bool bug = f->finding.id == DIAGNOSE_NESTED_MAIL && best < s->found_n &&
                   (s->found[best].verb == VERB_RCPT || s->found[best].verb == VERB_END ||
                    s->found[best].verb == VERB_DATA);
        if (bug || best == s->found_n ||
            (s->found[best].general && !f->general && s->found[best].finding.confidence < 0.5) ||
            (s->found[best].general && !f->general &&
             (s->found[best].finding.id == DIAGNOSE_CONNECTION_LOST ||
              s->found[best].finding.id == DIAGNOSE_TIMED_OUT)))
            best = i;
    }
    return best;
}

static void gather(struct gathering *g, const struct noted *f)
{
    enum { ROOM = DIAGNOSE_FINDINGS_MAX * 2 };
    for (size_t i = 0; i < g->n; i++)
        if (g->best[i].finding.id == f->finding.id) {
            bool better = f->consequence + f->overcome < g->best[i].consequence + g->best[i].overcome;
            uint64_t times = g->best[i].finding.times + f->finding.times;
            if (better)
                g->best[i] = *f;
            g->best[i].finding.times = times;
            return;
        }
    if (g->n < ROOM)
        g->best[g->n++] = *f;
}

/* A later message to the same recipient was accepted: the earlier "not now" was overcome. */
static void overcome_earlier(struct gathering *g, const struct session *s)
{
    for (size_t i = 0; i < g->n; i++) {
        struct noted *f = &g->best[i];
        for (unsigned k = 0; k < s->accepted_n; k++)
            if (f->recipient && f->recipient == s->accepted[k])
                f->overcome = true;
        if (f->temporary && f->finding.line < s->first_line && f->recipient == 0)
            f->overcome = true;
    }
}

/* What a program said in its own words, seen in the light of the whole conversation. */
static enum diagnose_cause_id refine(const struct session *s, enum diagnose_cause_id cause)
{
    if (cause == DIAGNOSE_PLAIN_TO_TLS_PORT && s->port != 0 && s->port != 465 && s->port != 2465)
        return DIAGNOSE_TIMED_OUT;
    if (cause != DIAGNOSE_AUTH_NOT_OFFERED && cause != DIAGNOSE_MECHANISM_NOT_OFFERED)
        return cause;
    if (s->caps.known && s->caps.auth)
        return DIAGNOSE_MECHANISM_NOT_OFFERED;
    if (s->starttls_done && !s->hello_after_starttls)
        return DIAGNOSE_NO_EHLO_AFTER_STARTTLS;
    if (s->caps.known && s->caps.starttls && !s->tls)
        return DIAGNOSE_AUTH_BEFORE_STARTTLS;
    if (s->helo_used && s->hello)
        return DIAGNOSE_HELO_INSTEAD_OF_EHLO;
    return cause;
}

static void refine_all(struct session *s)
{
    for (size_t i = 0; i < s->found_n; i++)
        if (s->found[i].verb == VERB_NONE && s->found[i].finding.codes[0][0] == '\0')
            s->found[i].finding.id = refine(s, s->found[i].finding.id);
}

/* Did it come to an end, or at least through what it was for? */
static bool is_finished(const struct session *s)
{
    bool courtesy = s->last_verb == VERB_VRFY || s->last_verb == VERB_EXPN || s->last_verb == VERB_HELP ||
                    s->last_verb == VERB_NOOP || s->last_verb == VERB_RSET;
    if (s->delivered + s->told_successes > 0 || (s->authed && !s->transaction))
        return true;
    return s->lines > 2 && (s->quit || s->left || (courtesy && s->pending_n == 0));
}

void diagnose_session_end(struct session *s, struct gathering *g)
{
    diagnose_session_finish_reply(s, g);
    refine_all(s);
    judge_bursts(s);
    judge_silence(s);
    size_t first = choose(s);
    bool spoke = s->lines > 0 || s->found_n > 0 || s->told_successes > 0;
    if (s->delivered + s->told_successes > 0)
        overcome_earlier(g, s);
    for (size_t i = 0; i < s->found_n; i++) {
        struct noted *f = &s->found[i];
        f->consequence = f->consequence || i != first;
        gather(g, f);
    }
    bool finished = is_finished(s);
    g->sessions += spoke;
    g->talk_lines += s->lines;
    g->delivered += s->delivered + s->told_successes;
    g->finished += finished;
    g->healthy += first == s->found_n && finished;
    s->used = false;
}
