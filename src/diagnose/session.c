/* The client's side of the replay: commands wait for their replies. */
#include "diagnose/session.h"

#include <string.h>

#include "base/table.h"
#include "base/view.h"
#include "diagnose/text.h"

void diagnose_session_begin(struct session *s, uint64_t key, uint64_t line)
{
    memset(s, 0, sizeof *s);
    s->key = key;
    s->used = true;
    s->first_line = s->touched = line;
}

bool diagnose_session_waits_for_answer(const struct session *s)
{
    return s->auth.waiting || (s->auth.active && s->auth.previous_len > 0);
}

/* --- commands ------------------------------------------------------------------------------ */

static void push(struct session *s, enum diagnose_verb verb, uint64_t line)
{
    if (s->pending_n == PENDING_MAX)
        return;
    s->pending[(s->pending_at + s->pending_n++) % PENDING_MAX] = (struct pending){verb, line};
}

static uint64_t hash_address(struct sp_view line)
{
    size_t open = sp_view_find(line, '<', 0), colon = sp_view_find(line, ':', 0);
    size_t start = (open < line.len ? open : colon) + 1;
    struct sp_view rest = sp_view_trim(sp_view_from(line, start));
    rest.len = sp_view_find(rest, '>', 0);
    rest.len = sp_view_find(rest, ' ', 0);
    uint8_t low[256];
    size_t n = rest.len < sizeof low ? rest.len : sizeof low;
    for (size_t i = 0; i < n; i++)
        low[i] = sp_ascii_lower(rest.p[i]);
    return n == 0 ? 0 : sp_hash(sp_view_make(low, n), 1) | 1;
}

static uint64_t size_parameter(struct sp_view line)
{
    uint64_t n = 0;
    size_t at = diagnose_find(line, " SIZE=") + 6;
    for (; at < line.len && sp_ascii_digit(line.p[at]) && n < UINT64_MAX / 20; at++)
        n = n * 10 + (uint64_t)(line.p[at] - '0');
    return n;
}

/* "Subject: hi", "<html>", "--boundary": what stands in messages, not in commands. */
static bool is_header_like(struct sp_view v)
{
    size_t i = 0;
    while (i < v.len && (sp_ascii_alpha(v.p[i]) || sp_ascii_digit(v.p[i]) || v.p[i] == '-'))
        i++;
    return (i > 1 && i < v.len && v.p[i] == ':') || v.len == 0 ||
           (v.len > 1 && v.p[0] == '-' && v.p[1] == '-');
}

static void open_command(struct session *s, enum diagnose_verb verb, struct sp_view text,
                         const struct place *place)
{
    s->last_command = *place;
    if (verb == VERB_AUTH)
        diagnose_auth_command(s, text, place);
    if (verb == VERB_MAIL)
        s->declared_size = size_parameter(text);
    if (verb == VERB_RCPT)
        s->recipient = hash_address(text);
    if (verb == VERB_STARTTLS)
        s->starttls_place = *place;
    if (verb == VERB_HELO || verb == VERB_EHLO || verb == VERB_LHLO)
        s->helo_used = verb == VERB_HELO;
    if (verb == VERB_BDAT) {
        s->bdat_last = diagnose_find(text, " LAST") < text.len;
        s->in_chunk = true;
    }
    if (verb == VERB_QUIT)
        s->quit = true;
    if (verb == VERB_OTHER)
        s->header_like += is_header_like(text);
    push(s, verb, place->line);
}

/* One line of the message; true: it was the last. */
static bool content_line(struct session *s, struct sp_view text, const struct place *place)
{
    if (!(text.len == 1 && text.p[0] == '.'))
        return false;
    s->in_data = false;
    s->content_over = true;
    s->last_command = *place;
    push(s, VERB_END, place->line);
    return true;
}

/* A line of base64 alone, or what our recorder writes in its place. */
static bool is_base64_alone(struct sp_view v)
{
    if (sp_view_ends(v, SP_LIT(" octets, no command, base64>")))
        return true;
    for (size_t i = 0; i < v.len; i++)
        if (!sp_ascii_alpha(v.p[i]) && !sp_ascii_digit(v.p[i]) && !strchr("+/=", v.p[i]))
            return false;
    return v.len > 0;
}

/* The response that was refused had the length of one line: here is the rest of it. */
static void note_rest_of_response(struct session *s, const struct place *place)
{
    s->auth.previous_len = 0;
    for (size_t i = s->found_n; i-- > 0;) {
        struct noted *f = &s->found[i];
        bool auth = f->verb == VERB_AUTH || f->verb == VERB_ANSWER;
        if (!auth || f->overcome)
            continue;
        f->finding.id = DIAGNOSE_RESPONSE_WRAPPED;
        f->finding.confidence = 0.9;
        f->finding.line = place->line;
        memcpy(f->finding.quote, place->quote, sizeof f->finding.quote);
        return;
    }
}

static void client_line(struct session *s, struct sp_view text, bool marked, const struct place *place)
{
    s->lines++;
    if (s->in_data) {
        (void)content_line(s, text, place); /* the message goes on */
        return;
    }
    enum diagnose_verb verb = diagnose_verb_read(text);
    if (s->auth.active && (s->auth.waiting || (verb == VERB_OTHER && s->auth.previous_len > 0))) {
        diagnose_auth_answer(s, text, place);
        if (s->auth.previous_len == 0 || s->pending_n == 0)
            push(s, VERB_ANSWER, place->line);
        return;
    }
    if (verb == VERB_OTHER && s->auth_failed && s->auth.previous_len > 0 && is_base64_alone(text))
        note_rest_of_response(s, place);
    if (verb == VERB_OTHER && (s->in_chunk || !marked || text.len == 0 || s->closed))
        return; /* octets of a chunk, or prose */
    if (verb != VERB_OTHER && verb != VERB_BDAT)
        s->in_chunk = false;
    open_command(s, verb, text, place);
}

void diagnose_session_client(struct session *s, struct sp_view text, bool marked, const struct place *place)
{
    diagnose_session_finish_reply(s, NULL);
    do {
        size_t end = sp_view_find(text, '\n', 0);
        struct sp_view line = sp_view_sub(text, 0, end);
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        client_line(s, line, marked, place);
        text = sp_view_from(text, end + 1);
    } while (text.len > 0);
}
