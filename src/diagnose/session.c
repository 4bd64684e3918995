/* The replay: commands wait for their replies, replies move the state and are judged when they refuse. */
#include "diagnose/session.h"

#include <stdio.h>
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

static struct pending pop(struct session *s)
{
    struct pending p = s->pending[s->pending_at];
    s->pending_at = (s->pending_at + 1) % PENDING_MAX;
    s->pending_n--;
    return p;
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

/* --- replies ------------------------------------------------------------------------------- */

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
static enum diagnose_verb guess_verb(const struct session *s, const struct reply *r)
{
    if (!s->greeted && s->lines <= 1 && !s->hello &&
        (r->code == 220 ||
         ((r->code == 554 || r->code == 521 || r->code == 421 || r->code == 550) && !r->told)))
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

static bool is_greeting_verb(enum diagnose_verb v)
{
    return v == VERB_EHLO || v == VERB_HELO || v == VERB_LHLO;
}

static void move_on_yes(struct session *s, const struct reply *r)
{
    switch (r->verb) {
    case VERB_CONNECT:
        s->greeted = true;
        break;
    case VERB_EHLO:
    case VERB_HELO:
    case VERB_LHLO:
        s->hello = true;
        s->esmtp = r->verb != VERB_HELO;
        s->hello_after_starttls = s->starttls_done;
        s->transaction = false;
        break;
    case VERB_STARTTLS:
        s->starttls_done = s->tls = true;
        s->caps_before_tls = s->caps;
        s->caps = (struct caps){.known = false};
        s->hello = s->hello_after_starttls = s->authed = s->transaction = false;
        break;
    case VERB_AUTH:
    case VERB_ANSWER:
        s->authed = true;
        s->auth.active = false;
        break;
    case VERB_MAIL:
        s->transaction = true;
        s->mail_failed = s->bdat_used = s->bdat_last = false;
        s->rcpt_ok = s->rcpt_bad = s->accepted_n = 0;
        break;
    case VERB_RCPT:
        s->rcpt_ok++;
        if (s->recipient && s->accepted_n < ROUNDS_MAX)
            s->accepted[s->accepted_n++] = s->recipient;
        break;
    case VERB_BDAT:
        s->bdat_used = true;
        if (!s->bdat_last)
            break;
        s->delivered++;
        break;
    case VERB_END:
        s->delivered++;
        s->transaction = s->content_over = s->in_data = false;
        break;
    case VERB_RSET:
        s->transaction = s->mail_failed = false;
        break;
    case VERB_QUIT:
        s->left = true;
        break;
    default:
        break;
    }
}

static void move_on_no(struct session *s, const struct reply *r)
{
    if (r->verb == VERB_CONNECT)
        s->refused = s->greeted = true;
    if (is_greeting_verb(r->verb))
        s->hello_failed = true;
    if (r->verb == VERB_MAIL)
        s->mail_failed = !s->transaction;
    if (r->verb == VERB_RCPT)
        s->rcpt_bad++;
    if (r->verb == VERB_END)
        s->transaction = s->content_over = s->in_data = false;
    if (r->verb == VERB_AUTH || r->verb == VERB_ANSWER) {
        s->auth.active = s->auth.waiting = false;
        s->auth_failed = true;
    }
    if (r->code == 421)
        s->left = true;
}

/* --- what is forgiven ---------------------------------------------------------------------- */

static void overcome(struct session *s, enum diagnose_verb verb, uint64_t recipient)
{
    for (size_t i = 0; i < s->found_n; i++) {
        struct noted *f = &s->found[i];
        bool greeting = is_greeting_verb(verb) && is_greeting_verb(f->verb);
        bool auth =
            (verb == VERB_AUTH || verb == VERB_ANSWER) && (f->verb == VERB_AUTH || f->verb == VERB_ANSWER);
        bool recipient_same = verb != VERB_RCPT || f->recipient == recipient;
        if (greeting || auth || (f->verb == verb && recipient_same))
            f->overcome = true;
    }
}

/* A message was accepted: what stood in its way did not. */
static void overcome_by_delivery(struct session *s)
{
    for (size_t i = 0; i < s->found_n; i++) {
        struct noted *f = &s->found[i];
        if (f->verb != VERB_RCPT && f->finding.id != DIAGNOSE_CONNECTION_LOST)
            f->overcome = true;
    }
}

static bool judge(const struct session *s, const struct reply *r, struct judgement *j)
{
    static judge_fn *const judges[] = {diagnose_judge_tls, diagnose_judge_auth, diagnose_judge_order,
                                       diagnose_judge_policy, diagnose_judge_general};
    for (size_t i = 0; i < sizeof judges / sizeof *judges; i++)
        if (judges[i](s, r, j))
            return true;
    return false;
}

/* 503 to a RCPT behind a refused MAIL and its kin: told already by the finding before. */
static bool is_consequence(const struct session *s, const struct reply *r)
{
    bool order = r->code == 503 || r->code == 554 || r->code == 500 || r->code == 501 || r->code == 502;
    if (s->found_n == 0)
        return false;
    if (r->verb == VERB_RCPT && s->mail_failed && order)
        return true;
    if ((r->verb == VERB_DATA || r->verb == VERB_BDAT || r->verb == VERB_END) && order &&
        (s->mail_failed || (s->rcpt_ok == 0 && s->rcpt_bad > 0)))
        return true;
    if (s->refused && r->verb != VERB_CONNECT)
        return true;
    if (s->hello_failed && !s->hello && r->code == 503)
        return true;
    const struct noted *first = &s->found[0];
    if (s->auth_failed && !s->authed &&
        (r->code == 530 || r->code == 503 || r->code == 550 || r->code == 554 || r->code == 553 ||
         r->code == 535) &&
        !first->overcome && (first->verb == VERB_AUTH || first->verb == VERB_ANSWER))
        return true;
    return (first->verb == VERB_STARTTLS && r->code == 530) || (r->code == 421 && r->verb == VERB_NONE);
}

static void refuse(struct session *s, const struct reply *r)
{
    struct judgement j = {.id = DIAGNOSE_REFUSED, .confidence = 0.3};
    bool consequence = is_consequence(s, r);
    if (!judge(s, r, &j))
        return;
    struct noted *f = diagnose_session_note(s, j.id, j.confidence, j.place ? j.place : &r->place, r);
    if (f)
        f->consequence = f->consequence || consequence;
}

static void unknown_run(struct session *s, const struct reply *r)
{
    bool unknown = (r->verb == VERB_OTHER || r->verb == VERB_NONE) &&
                   (r->code == 500 || r->code == 502 || r->code == 503 || r->code == 221 || r->code == 421);
    if (!unknown) {
        s->unknown_run = r->code < 400 ? 0 : s->unknown_run;
        return;
    }
    if (s->unknown_run++ == 0)
        s->unknown_first = r->place;
}

static void take_reply(struct session *s, struct gathering *g, struct reply *r)
{
    match(s, r);
    s->last_verb = r->verb;
    s->last_verb_line = r->verb_line;
    unknown_run(s, r);
    if (is_greeting_verb(r->verb) || (r->verb == VERB_NONE && r->code == 250))
        s->caps.known = r->code == 250;
    if (r->code == 334) {
        s->last_code = 334;
        return;
    }
    if (r->code == 354) {
        s->in_data = true;
    } else if (r->code < 400) {
        overcome(s, r->verb, r->verb == VERB_RCPT ? s->recipient : 0);
        move_on_yes(s, r);
        if (r->verb == VERB_END || (r->verb == VERB_BDAT && s->bdat_last))
            overcome_by_delivery(s);
    } else {
        refuse(s, r);
        move_on_no(s, r);
    }
    s->last_code = r->code;
    (void)g;
}

static void begin_reply(struct session *s, const struct diagnose_reply_line *line, const struct place *place)
{
    s->reply = (struct reply){.code = line->code, .place = *place};
    s->in_reply = true;
    bool hello = s->pending_n > 0 && is_greeting_verb(s->pending[s->pending_at].verb);
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

void diagnose_session_finish_reply(struct session *s, struct gathering *g)
{
    if (!s->in_reply)
        return;
    s->in_reply = false;
    take_reply(s, g, &s->reply);
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

void diagnose_session_told(struct session *s, enum diagnose_verb verb, int code, struct sp_view text,
                           const struct place *place)
{
    struct reply r = {.code = code, .verb = verb, .place = *place, .told = true};
    struct reference_enhanced e;
    size_t n = 0;
    diagnose_session_finish_reply(s, NULL);
    if (text.len > 0 && (text.p[0] == ' ' || text.p[0] == '-'))
        text = sp_view_from(text, 1);
    text = sp_view_trim(text);
    read_enhanced(&r, text);
    if (reference_enhanced_read(text, &e, &n))
        text = sp_view_trim(sp_view_from(text, n));
    add_text(&r, text);
    if (r.verb == VERB_NONE)
        r.verb = guess_verb(s, &r);
    refuse(s, &r);
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
