/* The AUTH exchange: each 334 decoded, each response judged by its shape and forgotten. */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/view.h"
#include "diagnose/session.h"
#include "diagnose/text.h"
#include "sasl/shape.h"

static size_t count(struct sp_view v, uint8_t c)
{
    size_t n = 0;
    for (size_t i = 0; i < v.len; i++)
        n += v.p[i] == c;
    return n;
}

/* Stars, <...>, [...]: what programs print in place of a secret. */
static bool is_hidden(struct sp_view v)
{
    char low[120];
    diagnose_lower(v, low, sizeof low);
    if (v.len == 0)
        return false;
    bool framed = (v.p[0] == '<' && sp_view_find(v, '>', 0) < v.len) ||
                  (v.p[0] == '[' && sp_view_find(v, ']', 0) < v.len) ||
                  (v.p[0] == '(' && sp_view_find(v, ')', 0) < v.len);
    size_t marks = count(v, '*') + count(v, 'x') + count(v, 'X') + count(v, '.') + count(v, '#');
    return framed || (v.len > 1 && marks == v.len && v.len != 1) || (v.len > 4 && count(v, '*') >= 3) ||
           diagnose_has(
               low,
               "secret|hidden|redacted|masked|credentials|\xe2\x80\xa2\xe2\x80\xa2|removed|omitted|filtered|"
               "base64|token>|response>|removed for|...");
}

/* Look at a response once, or at what a recorder wrote of it; keep what it looks like. */
static struct response look(const struct session *s, struct sp_view text, const struct place *place)
{
    const struct auth *a = &s->auth;
    struct sasl_shape shape;
    struct response r = {.seen = true, .place = *place};
    bool asked = a->last == CHALLENGE_USER || a->last == CHALLENGE_PASSWORD;
    if (!sasl_shape_read(text, &shape)) {
        r.hidden = is_hidden(text);
        if (r.hidden)
            return r;
        enum diagnose_verb verb = diagnose_verb_sure(text);
        shape = sasl_shape_look(sp_view_of(a->mechanism), a->challenges <= 1, text);
        r.command = verb != VERB_NONE && verb != VERB_NOOP && verb != VERB_HELP;
    } else {
        r.command = shape.flags & SASL_SHAPE_COMMAND;
    }
    r.characters = shape.characters;
    r.empty = shape.flags & SASL_SHAPE_EMPTY;
    r.cancel = shape.flags & SASL_SHAPE_CANCEL;
    r.base64 = shape.flags & SASL_SHAPE_BASE64;
    r.full_line = shape.flags & SASL_SHAPE_FULL_LINE;
    r.twice = shape.flags & SASL_SHAPE_TWICE;
    r.line_end = shape.flags & SASL_SHAPE_LINE_END;
    r.plain_bad = shape.flags & SASL_SHAPE_BAD_PLAIN;
    r.xoauth2_bad = shape.flags & SASL_SHAPE_BAD_XOAUTH2;
    /* A bare word such as "testuser" happens to be base64; what it decodes to does not read as text. */
    if (asked && (shape.flags & SASL_SHAPE_UNREADABLE) && !r.twice)
        r.base64 = false;
    return r;
}

static bool is_wrong(const struct response *r)
{
    return !r->hidden && !r->cancel &&
           ((!r->base64 && !r->empty) || r->twice || r->line_end || r->plain_bad || r->xoauth2_bad);
}

static void keep(struct session *s, const struct response *r)
{
    struct auth *a = &s->auth;
    if (!a->first.seen)
        a->first = *r;
    if (is_wrong(r) && !a->bad.seen)
        a->bad = *r;
}

void diagnose_auth_command(struct session *s, struct sp_view text, const struct place *place)
{
    struct sp_view rest = sp_view_trim(sp_view_from(text, strlen("AUTH"))), word = {NULL, 0};
    s->auth = (struct auth){.active = true, .command_place = *place};
    s->auth_tries++;
    if (!sp_view_word(&rest, ' ', &word))
        return;
    for (size_t i = 0; i < word.len && i + 1 < sizeof s->auth.mechanism; i++)
        s->auth.mechanism[i] = (char)sp_ascii_upper(word.p[i]);
    rest = sp_view_trim(rest);
    s->auth.initial = rest.len > 0;
    if (s->auth.initial && !(rest.len == 1 && rest.p[0] == '=')) {
        struct response r = look(s, rest, place);
        keep(s, &r);
    }
}

void diagnose_auth_answer(struct session *s, struct sp_view text, const struct place *place)
{
    struct auth *a = &s->auth;
    struct response r = look(s, text, place);
    if (!a->waiting && a->previous_len > 0 && !r.hidden && !r.cancel && !r.command) {
        r.wrapped = true;
        r.place = *place;
        if (!a->bad.wrapped)
            a->bad = r;
        return;
    }
    a->previous_len = r.full_line ? r.characters : 0;
    a->cancelled = r.cancel;
    a->waiting = false;
    keep(s, &r);
}

/* --- challenges ---------------------------------------------------------------------------- */

static enum challenge name_challenge(const char *low, size_t n)
{
    if (n == 0)
        return CHALLENGE_EMPTY;
    if (low[0] == '{' && diagnose_has(low, "\"status\""))
        return CHALLENGE_JSON;
    if (low[0] == '<')
        return CHALLENGE_OTHER;
    if (n < 40 && diagnose_has(low, "user|login|e-mail|email|account"))
        return CHALLENGE_USER;
    if (n < 40 && diagnose_has(low, "pass"))
        return CHALLENGE_PASSWORD;
    return CHALLENGE_OTHER;
}

static void record(struct gathering *g, struct sp_view text, struct sp_view decoded, bool valid,
                   uint64_t line)
{
    if (g->challenge_n == DIAGNOSE_CHALLENGES_MAX)
        return;
    struct diagnose_challenge *c = &g->challenges[g->challenge_n++];
    *c = (struct diagnose_challenge){.line = line, .valid = valid};
    size_t n = 0;
    for (size_t i = 0; i < text.len && n + 1 < sizeof c->text; i++)
        c->text[n++] = text.p[i] < ' ' || text.p[i] > 126 ? '?' : (char)text.p[i];
    n = 0;
    for (size_t i = 0; i < decoded.len && n + 5 < sizeof c->decoded; i++)
        if (decoded.p[i] < ' ' || decoded.p[i] > 126)
            n += (size_t)snprintf(c->decoded + n, sizeof c->decoded - n, "\\x%02x", decoded.p[i]);
        else
            c->decoded[n++] = (char)decoded.p[i];
}

void diagnose_auth_challenge(struct session *s, struct gathering *g, struct sp_view text,
                             const struct place *place)
{
    struct auth *a = &s->auth;
    uint8_t decoded[TEXT_SIZE];
    char low[TEXT_SIZE];
    size_t n = 0;
    text = sp_view_trim(text);
    if (text.len > TEXT_SIZE)
        text.len = TEXT_SIZE / 4 * 4;
    bool valid = sp_base64_decode(text, decoded, &n) == SP_OK;
    struct sp_view d = valid ? sp_view_make(decoded, n) : text;
    enum challenge was = a->last;
    diagnose_lower(d, low, sizeof low);
    a->active = true;
    a->last = name_challenge(low, d.len);
    bool named = text.len > 2 && text.p[0] == '<' && text.p[text.len - 1] == '>'; /* by our recorder */
    if (!valid && !named && a->last != CHALLENGE_USER && a->last != CHALLENGE_PASSWORD)
        a->last = CHALLENGE_BROKEN;
    a->waiting = true;
    a->challenges++;
    if (a->last == CHALLENGE_USER && ((a->challenges == 1 && a->initial) || was == CHALLENGE_USER) &&
        !a->user_repeated) {
        a->user_repeated = true;
        a->repeat_place = *place;
    }
    a->password_was_asked = a->password_was_asked || a->last == CHALLENGE_PASSWORD;
    if (a->last == CHALLENGE_JSON && !a->token_refused) {
        a->token_refused = true;
        a->token_place = *place;
    }
    a->challenge_place = *place;
    if (g && text.len <= TEXT_SIZE)
        record(g, text, d, valid || named, place->line);
}
