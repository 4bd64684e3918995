/* The AUTH exchange: each 334 decoded, each response judged by its shape and forgotten. */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/view.h"
#include "diagnose/session.h"
#include "diagnose/text.h"

enum { RESPONSE_MAX = 16384 };

static bool is_printable(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] < ' ' || v.p[i] == 127)
            return false;
    return true;
}

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

/* Base64 in base64: the inner text is canonical and itself decodes to something to read. */
static bool is_twice(struct sp_view decoded)
{
    uint8_t inner[RESPONSE_MAX];
    size_t n;
    if (decoded.len < 8 || decoded.len > sizeof inner || decoded.len % 4 != 0)
        return false;
    if (sp_base64_decode(decoded, inner, &n) != SP_OK)
        return false;
    struct sp_view v = sp_view_make(inner, n);
    bool telling = sp_view_find(v, '@', 0) < n || decoded.p[decoded.len - 1] == '=' || count(v, 0) == 2;
    bool clear = is_printable(v) || count(v, 0) == 2;
    memset(inner, 0, sizeof inner);
    return clear && telling;
}

static bool is_plain_bad(struct sp_view d)
{
    size_t nuls = count(d, 0);
    if (nuls != 2)
        return true;
    size_t first = sp_view_find(d, 0, 0), second = sp_view_find(d, 0, first + 1);
    struct sp_view user = sp_view_sub(d, first + 1, second - first - 1),
                   password = sp_view_from(d, second + 1);
    return user.len == 0 || password.len == 0 || sp_view_eq(user, SP_LIT("undefined")) ||
           sp_view_eq(user, SP_LIT("null")) || sp_view_eq(password, SP_LIT("undefined")) ||
           sp_view_eq(password, SP_LIT("null")) || sp_view_eq(password, SP_LIT("None")) ||
           sp_view_eq(user, SP_LIT("None"));
}

/* user=NAME ^A auth=Bearer TOKEN ^A ^A */
static bool is_xoauth2_bad(struct sp_view d)
{
    size_t end = sp_view_find(d, 1, 0);
    if (!sp_view_starts(d, SP_LIT("user=")) || end <= 5 || end == d.len)
        return true;
    struct sp_view rest = sp_view_from(d, end + 1);
    if (!sp_view_starts(rest, SP_LIT("auth=Bearer ")) || !sp_view_ends(rest, SP_LIT("\x01\x01")))
        return true;
    return rest.len <= strlen("auth=Bearer ") + 2 || count(d, 1) != 3;
}

/* Look at a response once; keep what it looks like. */
static struct response look(const struct session *s, struct sp_view text, const struct place *place)
{
    const struct auth *a = &s->auth;
    uint8_t decoded[RESPONSE_MAX];
    size_t n = 0;
    struct response r = {.seen = true, .place = *place, .empty = text.len == 0};
    bool asked = a->last == CHALLENGE_USER || a->last == CHALLENGE_PASSWORD;
    if (text.len == 1 && text.p[0] == '*') {
        r.cancel = true;
        return r;
    }
    if (is_hidden(text)) {
        r.hidden = true;
        return r;
    }
    if (text.len > sizeof decoded)
        text.len = sizeof decoded / 4 * 4;
    enum diagnose_verb verb = diagnose_verb_sure(text);
    r.command = verb != VERB_NONE && verb != VERB_NOOP && verb != VERB_HELP;
    r.base64 = sp_base64_decode(text, decoded, &n) == SP_OK;
    struct sp_view d = sp_view_make(decoded, n);
    if (!r.base64) {
        memset(decoded, 0, sizeof decoded);
        return r;
    }
    /* A bare word such as "testuser" happens to be base64; what it decodes to does not read as text. */
    if (asked && !is_printable(d) && count(d, '\n') + count(d, '\r') == 0 && !is_twice(d)) {
        bool utf8 = true;
        for (size_t i = 0; i < n; i++)
            utf8 = utf8 && (d.p[i] >= ' ' || d.p[i] == '\t');
        r.base64 = utf8;
    }
    r.line_end = n > 0 && (d.p[n - 1] == '\n' || d.p[n - 1] == '\r');
    r.twice = is_twice(d);
    if (strcmp(a->mechanism, "PLAIN") == 0 && a->challenges <= 1) {
        r.plain_bad = !r.twice && is_plain_bad(d);
        r.line_end = r.line_end && count(d, 0) == 2;
    }
    if (strcmp(a->mechanism, "XOAUTH2") == 0 && a->challenges <= 1)
        r.xoauth2_bad = is_xoauth2_bad(d);
    memset(decoded, 0, sizeof decoded);
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
    enum { LINE_LEN_MIME = 76, LINE_LEN_PEM = 64, LINE_LEN_UU = 60 };
    struct auth *a = &s->auth;
    struct response r = look(s, text, place);
    bool cut = text.len == LINE_LEN_MIME || text.len == LINE_LEN_PEM || text.len == LINE_LEN_UU;
    if (!a->waiting && a->previous_len > 0 && !r.hidden && !r.cancel && !r.command) {
        r.wrapped = true;
        r.place = *place;
        if (!a->bad.wrapped)
            a->bad = r;
        return;
    }
    a->previous_len = cut && text.p[text.len - 1] != '=' ? text.len : 0;
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
    if (!valid && a->last != CHALLENGE_USER && a->last != CHALLENGE_PASSWORD)
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
        record(g, text, d, valid, place->line);
}
