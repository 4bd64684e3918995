/* The server's side: lines to replies, replies to the commands that they answer. */
#include <stdio.h>
#include <string.h>

#include "base/view.h"
#include "diagnose/session.h"
#include "diagnose/text.h"

static struct pending pop(struct session *s)
{
    struct pending p = s->pending[s->pending_at];
    s->pending_at = (s->pending_at + 1) % PENDING_MAX;
    s->pending_n--;
    return p;
}

/* --- matching ------------------------------------------------------------------------------- */

/* Which commands a code with one meaning can answer. */
static bool can_answer(enum diagnose_verb verb, int code)
{
    switch (code) {
    case 334:
    case 235:
    case 534:
    case 535:
        return verb == VERB_AUTH || verb == VERB_ANSWER || (code >= 500 && verb != VERB_EHLO);
    case 354:
        return verb == VERB_DATA;
    case 221:
        return verb == VERB_QUIT;
    case 220:
        return verb == VERB_STARTTLS || verb == VERB_CONNECT;
    default:
        return true;
    }
}

/* What a reply without its command most likely answers. */
/* The first line of all, and about the host rather than a message. */
static bool is_refused_greeting(const struct session *s, const struct reply *r)
{
    bool code = r->code == 554 || r->code == 521 || r->code == 421;
    return code && !r->told && s->lines <= 1 &&
           !diagnose_has(r->text, "message rejected|message refused|message content|your message|this "
                                  "message|recipient|relay|mailbox|user|content|spam|sender");
}

static enum diagnose_verb guess_verb(const struct session *s, const struct reply *r)
{
    if (!s->greeted && !s->hello && ((r->code == 220 && s->lines <= 1) || is_refused_greeting(s, r)))
        return VERB_CONNECT;
    if (s->content_over || s->in_data)
        return VERB_END;
    if (s->auth.active)
        return VERB_ANSWER;
    switch (r->code) {
    case 235:
    case 334:
    case 432:
    case 435:
    case 534:
    case 535:
    case 538:
        return VERB_AUTH;
    case 530:
        return VERB_MAIL;
    case 354:
        return VERB_DATA;
    case 552:
    case 556:
        return r->code == 552 && !(r->subject == 2) ? VERB_END : VERB_RCPT;
    case 221:
        return VERB_QUIT;
    }
    if (r->class && r->subject == 1)
        return r->detail == 7 || r->detail == 8 ? VERB_MAIL : VERB_RCPT;
    if (r->class && r->subject == 2)
        return VERB_RCPT;
    return VERB_NONE;
}

static void match(struct session *s, struct reply *r)
{
    while (s->pending_n > 1 && !can_answer(s->pending[s->pending_at].verb, r->code))
        (void)pop(s);
    if (s->pending_n > 0 &&
        !(r->code == 220 && !s->greeted && s->pending[s->pending_at].verb != VERB_STARTTLS)) {
        struct pending p = pop(s);
        r->verb = p.verb;
        r->verb_line = p.line;
    } else if (r->verb == VERB_NONE) {
        r->verb = guess_verb(s, r);
    }
}

static void read_enhanced(struct reply *r, struct sp_view text)
{
    struct reference_enhanced e;
    size_t n;
    if (r->class == 0 && reference_enhanced_read(text, &e, &n) && e.class == r->code / 100) {
        r->class = e.class;
        r->subject = e.subject;
        r->detail = e.detail;
    }
}

static void add_text(struct reply *r, struct sp_view text)
{
    if (r->len > 0 && r->len + 2 < sizeof r->text)
        r->text[r->len++] = ' ';
    r->len += diagnose_lower(text, r->text + r->len, sizeof r->text - r->len);
}

static void capability(struct session *s, struct sp_view text)
{
    struct caps *c = &s->caps;
    struct sp_view rest = text, word;
    char low[MECHANISMS_SIZE];
    c->starttls = c->starttls || diagnose_is_word(text, "STARTTLS");
    c->chunking = c->chunking || diagnose_is_word(text, "CHUNKING");
    c->smtputf8 = c->smtputf8 || diagnose_is_word(text, "SMTPUTF8");
    size_t x = 0;
    while (x < text.len && text.p[x] == 'X')
        x++;
    c->masked = c->masked || (x >= 3 && x + 1 >= sp_view_find(text, ' ', 0));
    if (diagnose_is_word(text, "SIZE") && sp_view_word(&rest, ' ', &word) &&
        sp_view_word(&rest, ' ', &word) && sp_view_u64(word, UINT64_MAX, &c->size) != SP_OK)
        c->size = 0;
    if (!diagnose_is_word(text, "AUTH") && !diagnose_begins(text, "AUTH="))
        return;
    c->auth = true;
    size_t used = strlen(c->mechanisms);
    size_t n = diagnose_lower(sp_view_from(text, 5), low, sizeof low);
    if (used + n + 3 < sizeof c->mechanisms)
        snprintf(c->mechanisms + used, sizeof c->mechanisms - used, " %s ", low);
}

/* --- reading -------------------------------------------------------------------------------- */

static void begin_reply(struct session *s, const struct diagnose_reply_line *line, const struct place *place)
{
    s->reply = (struct reply){.code = line->code, .place = *place};
    s->in_reply = true;
    bool hello = s->pending_n > 0 && diagnose_verb_is_greeting(s->pending[s->pending_at].verb);
    if (hello && line->code == 250)
        s->caps = (struct caps){.known = true};
}

static void server_line(struct session *s, struct gathering *g, struct sp_view text,
                        const struct place *place)
{
    struct diagnose_reply_line line;
    if (!diagnose_reply_read(text, &line))
        return;
    s->lines++;
    s->replies++;
    if (s->in_reply && s->reply.code != line.code)
        diagnose_session_finish_reply(s, g);
    if (!s->in_reply)
        begin_reply(s, &line, place);
    else if (line.code == 250)
        capability(s, line.text);
    if (line.code == 220 && sp_view_find(line.text, '*', 0) == 0 && line.text.len > 5)
        s->caps_before_tls.masked = true;
    struct reference_enhanced e;
    size_t n = 0;
    read_enhanced(&s->reply, line.text);
    if (reference_enhanced_read(line.text, &e, &n))
        line.text = sp_view_trim(sp_view_from(line.text, n));
    add_text(&s->reply, line.text);
    if (line.code == 334)
        diagnose_auth_challenge(s, g, line.text, place);
    s->reply.more = line.more;
    if (!line.more)
        diagnose_session_finish_reply(s, g);
}

/* openssl s_client -starttls speaks up to TLS unseen, but for the last line of the reply to its EHLO. */
static bool is_end_of_hidden_hello(const struct session *s)
{
    return s->lines == 1 && s->implicit_tls && s->reply.code == 250 && s->reply.verb == VERB_NONE &&
           !s->reply.told;
}

void diagnose_session_finish_reply(struct session *s, struct gathering *g)
{
    if (!s->in_reply)
        return;
    s->in_reply = false;
    match(s, &s->reply);
    if (is_end_of_hidden_hello(s)) {
        s->greeted = s->starttls_done = true;
        return;
    }
    diagnose_session_take(s, &s->reply);
    (void)g;
}

void diagnose_session_server(struct session *s, struct gathering *g, struct sp_view text,
                             const struct place *place)
{
    do {
        size_t end = sp_view_find(text, '\n', 0);
        struct sp_view line = sp_view_sub(text, 0, end);
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        server_line(s, g, line, place);
        text = sp_view_from(text, end + 1);
    } while (text.len > 0);
}

void diagnose_session_told(struct session *s, enum diagnose_verb verb, int code, bool implied,
                           struct sp_view text, const struct place *place)
{
    struct reply r = {.code = code, .verb = verb, .place = *place, .told = true, .implied = implied};
    struct reference_enhanced e;
    size_t n = 0;
    diagnose_session_finish_reply(s, NULL);
    size_t comma = sp_view_find(text, ',', 0);
    if (implied && comma < text.len && reference_enhanced_read(sp_view_sub(text, 0, comma), &e, &n) &&
        n == comma) {
        read_enhanced(&r, sp_view_sub(text, 0, comma)); /* "dsn=5.1.1, stat=..." */
        text = sp_view_from(text, comma + 1);
    }
    if (text.len > 0 && (text.p[0] == ' ' || text.p[0] == '-'))
        text = sp_view_from(text, 1);
    text = sp_view_trim(text);
    read_enhanced(&r, text);
    if (reference_enhanced_read(text, &e, &n))
        text = sp_view_trim(sp_view_from(text, n));
    add_text(&r, text);
    if (r.verb == VERB_NONE)
        r.verb = guess_verb(s, &r);
    diagnose_session_refuse(s, &r);
}

bool diagnose_session_is_over_before(const struct session *s, struct sp_view text)
{
    struct diagnose_reply_line line;
    if (!s->greeted || s->in_reply || !diagnose_reply_read(text, &line) || line.code != 220)
        return false;
    for (size_t i = 0; i < s->pending_n; i++)
        if (s->pending[(s->pending_at + i) % PENDING_MAX].verb == VERB_STARTTLS)
            return false;
    return s->lines > 1;
}
