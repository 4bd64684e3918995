/* The reader: octets to lines, lines to the conversations they belong to. */
#include "diagnose/diagnose.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/view.h"
#include "diagnose/line.h"
#include "diagnose/mask.h"
#include "diagnose/note.h"
#include "diagnose/prefix.h"
#include "diagnose/report.h"
#include "diagnose/secrets.h"
#include "diagnose/session.h"
#include "diagnose/structured.h"
#include "diagnose/text.h"
#include "diagnose/trace.h"
#include "os/heap.h"

enum { LINE_SIZE = 32768, SESSIONS_MAX = 64, UTF16_BOM = 0xfeff };

struct diagnose {
    uint8_t line[LINE_SIZE]; /* being gathered; what does not fit is dropped */
    uint8_t scratch[LINE_SIZE];
    size_t len;
    bool cut;
    uint64_t lines, octets;
    bool trace; /* a session of our own: what is not a line of it explains it */
    bool frame; /* the line before was a frame of a traceback */
    bool wide;  /* UTF-16, as PowerShell writes: NULs are dropped */
    struct diagnose_style style;
    struct session sessions[SESSIONS_MAX];
    struct session *now; /* that lines without a key belong to; NULL at first */
    struct gathering gathered;
    struct secrets secrets;
    struct diagnose_report report;
};

struct diagnose *diagnose_new(void) { return os_new(sizeof(struct diagnose)); }

void diagnose_free(struct diagnose *d)
{
    if (!d)
        return;
    memset(d->line, 0, sizeof d->line);
    memset(d->scratch, 0, sizeof d->scratch);
    explicit_bzero(&d->secrets, sizeof d->secrets);
    free(d);
}

/* --- conversations ------------------------------------------------------------------------- */

static struct session *slot(struct diagnose *d)
{
    struct session *oldest = &d->sessions[0];
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (!d->sessions[i].used)
            return &d->sessions[i];
        if (d->sessions[i].touched < oldest->touched)
            oldest = &d->sessions[i];
    }
    diagnose_session_end(oldest, &d->gathered);
    return oldest;
}

static struct session *begin(struct diagnose *d, uint64_t key)
{
    struct session *s = slot(d);
    diagnose_session_begin(s, key, d->lines);
    d->now = s;
    return s;
}

/* The conversation of a key; an empty key stands for the latest. */
static struct session *find(struct diagnose *d, struct sp_view key)
{
    uint64_t hash = key.len > 0 ? sp_hash(key, 0) | 1 : 0;
    if (hash == 0 && d->now && d->now->used)
        return d->now;
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (d->sessions[i].used && d->sessions[i].key == hash) {
            d->now = &d->sessions[i];
            return d->now;
        }
    return begin(d, hash);
}

static struct session *begin_anew(struct diagnose *d, struct session *s)
{
    uint64_t key = s->key;
    diagnose_session_end(s, &d->gathered);
    return begin(d, key);
}

/* --- notes --------------------------------------------------------------------------------- */

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

static void take_note(struct diagnose *d, struct session *s, const struct note *n, const struct place *place)
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
            s = begin_anew(d, s);
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

/* "4F1B2C3D4E: to=<...>": a queued message. */
static struct sp_view queue_id(struct sp_view rest)
{
    enum { SHORTEST = 6, LONGEST = 24 };
    size_t end = sp_view_find(rest, ':', 0), digits = 0, i = 0;
    if (end == rest.len || end < SHORTEST || end > LONGEST)
        end = sp_view_find(rest, ' ', 0); /* Exim's "1abcDE-000xyz-Ab => ..." */
    for (; i < end && i < rest.len &&
           (sp_ascii_alpha(rest.p[i]) || sp_ascii_digit(rest.p[i]) || rest.p[i] == '-');
         i++)
        digits += sp_ascii_digit(rest.p[i]);
    bool id = i == end && end >= SHORTEST && end <= LONGEST && digits > 0 && end < rest.len;
    return sp_view_sub(rest, 0, id ? end : 0);
}

/* qmail writes a reply into its log with underscores for spaces. */
static struct sp_view spaced(struct diagnose *d, struct sp_view line)
{
    if (line.p == d->scratch || diagnose_find(line, "_said:_") == line.len)
        return line;
    for (size_t i = 0; i < line.len; i++)
        d->scratch[i] = line.p[i] == '_' ? ' ' : line.p[i];
    return sp_view_make(d->scratch, line.len);
}

/* Python's traceback: a frame, and the line of source below it, which names exceptions that may not be
 * raised. */
static bool is_source(struct diagnose *d, struct sp_view line, struct sp_view rest)
{
    enum { INDENT = 4 };
    struct sp_view text = sp_view_trim(rest);
    bool frame = sp_view_starts(text, SP_LIT("File \"")) && diagnose_find(text, "\", line ") < text.len;
    size_t at = text.len > 0 ? (size_t)(text.p - line.p) : 0;
    bool below = d->frame && at >= INDENT && memcmp(line.p + at - INDENT, "    ", INDENT) == 0;
    d->frame = frame;
    return frame || below;
}

/* false: it tells nothing. */
static bool note_line(struct diagnose *d, struct sp_view line, struct sp_view key)
{
    struct note n;
    struct place place;
    struct sp_view ignored, none = {NULL, 0};
    struct sp_view rest = diagnose_prefix_skip(line, &ignored);
    diagnose_note_read(spaced(d, line), &n);
    bool talking = d->now && d->now->used && d->now->lines > 0;
    if (line.p == d->line && is_source(d, line, rest))
        return false;
    if (n.kind == NOTE_NOTHING || diagnose_note_is_foreign(rest) ||
        (!talking && diagnose_note_is_elsewhere(&n, line)))
        return false;
    struct sp_view id = queue_id(rest);
    diagnose_mask_quote(line, none, d->lines, &place);
    struct session *s = find(d, id.len > 0 ? id : key);
    s->touched = d->lines;
    take_note(d, s, &n, &place);
    return true;
}

/* A record's message, or else what it names as the error. */
static void note_record(struct diagnose *d, struct sp_view line, const struct diagnose_line *l)
{
    struct sp_view error;
    struct diagnose_reply_line reply;
    struct place place;
    if (note_line(d, l->text, l->key) || !diagnose_json_error(line, d->scratch, &error) ||
        note_line(d, error, l->key))
        return;
    bool mail = diagnose_find(line, "smtp") < line.len || diagnose_find(line, "mail") < line.len;
    if (!mail || !diagnose_reply_read(error, &reply) || reply.code < 400 || !diagnose_code_known(reply.code))
        return;
    struct session *s = find(d, l->key);
    diagnose_mask_quote(error, (struct sp_view){NULL, 0}, d->lines, &place);
    s->touched = d->lines;
    take_note(d, s, &(struct note){.kind = NOTE_REPLY, .code = reply.code, .text = reply.text}, &place);
}

/* --- lines --------------------------------------------------------------------------------- */

static bool is_tls_record(struct sp_view line)
{
    enum { ALERT = 0x15, HANDSHAKE = 0x16, SSL3 = 3, MINOR_MAX = 4, LENGTH_MAX = 0x41 };
    if (line.len > 4 && (line.p[0] == ALERT || line.p[0] == HANDSHAKE) && line.p[1] == SSL3 &&
        line.p[2] <= MINOR_MAX && line.p[3] <= LENGTH_MAX)
        return true;
    return memmem(line.p, line.len, "\\x15\\x03", 8) || memmem(line.p, line.len, "\\x16\\x03", 8) ||
           memmem(line.p, line.len, "^U^C", 4);
}

static enum diagnose_expect expected(const struct diagnose *d)
{
    const struct session *s = d->now;
    if (!s || !s->used)
        return DIAGNOSE_EXPECT_COMMAND;
    if (s->in_data)
        return DIAGNOSE_EXPECT_CONTENT;
    return diagnose_session_waits_for_answer(s) ? DIAGNOSE_EXPECT_ANSWER : DIAGNOSE_EXPECT_COMMAND;
}

/* secret: what of the client's text is one. */
static void learn_response(struct diagnose *d, const struct session *s, struct sp_view text,
                           struct sp_view secret)
{
    struct sp_view rest, mechanism = sp_view_of(s->auth.mechanism);
    bool command = secret.p > text.p; /* it stands behind AUTH and the mechanism */
    if (command) {
        rest = sp_view_trim(sp_view_from(text, strlen("AUTH")));
        if (!sp_view_word(&rest, ' ', &mechanism))
            return;
    }
    bool asked = !command && s->auth.last == CHALLENGE_PASSWORD;
    diagnose_secrets_learn_response(&d->secrets, mechanism, asked, secret);
}

static void say(struct diagnose *d, struct sp_view line, const struct diagnose_line *l)
{
    struct place place;
    struct session *s = find(d, l->key);
    bool client = l->kind == DIAGNOSE_LINE_CLIENT;
    bool answers = diagnose_session_waits_for_answer(s);
    struct sp_view secret = {NULL, 0};
    if (client && !s->in_data && !d->trace)
        secret = diagnose_mask_secret_of(l->text, answers);
    if (secret.len > 0)
        learn_response(d, s, l->text, secret);
    if (!client && diagnose_session_is_over_before(s, l->text))
        s = begin_anew(d, s);
    s->touched = d->lines;
    struct diagnose_reply_line reply;
    bool done = !client && diagnose_reply_read(l->text, &reply) && reply.code / 100 == 2 &&
                reply.code != 221; /* never quoted */
    if (done)
        place.line = d->lines, place.quote[0] = '\0';
    else if (client && s->in_data && l->text.len != 1 && sp_view_find(l->text, '\n', 0) == l->text.len)
        place.line = d->lines, place.quote[0] = '\0'; /* content is not quoted */
    else
        diagnose_mask_quote(line, secret, d->lines, &place);
    if (client)
        diagnose_session_client(s, l->text, l->marked, &place);
    else
        diagnose_session_server(s, &d->gathered, l->text, &place);
}

/* --- traces of our own ----------------------------------------------------------------------- */

static void take_closed(struct diagnose *d, struct sp_view text, const struct place *place)
{
    struct note n;
    diagnose_note_read(text, &n);
    struct session *s = d->now;
    bool waits = s->auth.waiting || s->in_data || s->transaction || s->pending_n > 0 || !s->hello;
    if (n.kind != NOTE_CAUSE && sp_view_eq(text, SP_LIT("closed by the client")) && !waits)
        s->quit = true; /* without the word, and without harm */
    else if (n.kind != NOTE_CAUSE)
        n = (struct note){.kind = NOTE_CLOSED};
    take_note(d, s, &n, place);
}

static void take_trace_line(struct diagnose *d, struct sp_view line)
{
    static const struct sp_view none = {NULL, 0}, dot = SP_LIT_INIT(".");
    struct diagnose_line l = {.kind = DIAGNOSE_LINE_CLIENT, .marked = true};
    struct place place;
    enum diagnose_trace_kind kind = diagnose_trace_read(line, &l.text);
    diagnose_mask_quote(line, none, d->lines, &place);
    switch (kind) {
    case DIAGNOSE_TRACE_SERVER:
        l.kind = DIAGNOSE_LINE_SERVER;
        say(d, line, &l);
        break;
    case DIAGNOSE_TRACE_CLIENT:
        say(d, line, &l);
        break;
    case DIAGNOSE_TRACE_MESSAGE:
        if (d->now->in_data) /* else a chunk, which has no dot */
            diagnose_session_client(d->now, dot, true, &place);
        break;
    case DIAGNOSE_TRACE_TLS:
        take_note(d, d->now, &(struct note){.kind = NOTE_TLS}, &place);
        break;
    case DIAGNOSE_TRACE_CLOSED:
        take_closed(d, l.text, &place);
        break;
    case DIAGNOSE_TRACE_EVENT:
    case DIAGNOSE_TRACE_NOT:
        break;
    }
}

/* Is it of a trace? Then it is taken. */
static bool take_as_trace(struct diagnose *d, struct sp_view line)
{
    struct sp_view key;
    if (diagnose_trace_begins(line, &key)) {
        d->trace = true;
        (void)begin(d, sp_hash(key, 0) | 1);
    } else if (d->trace) {
        take_trace_line(d, line);
    }
    return d->trace;
}

static void take_line(struct diagnose *d)
{
    struct diagnose_line l;
    struct place place;
    struct sp_view raw = sp_view_make(d->line, d->len), none = {NULL, 0};
    d->lines++;
    if (!d->trace && is_tls_record(raw) && (!d->now || d->now->lines == 0)) {
        diagnose_mask_quote(raw, none, d->lines, &place);
        diagnose_session_note(find(d, none), DIAGNOSE_PLAIN_TO_TLS_PORT, 0.85, &place, NULL);
        return;
    }
    struct sp_view line = sp_view_make(d->line, diagnose_clean(d->line, d->len));
    diagnose_secrets_learn_named(&d->secrets, line);
    if (take_as_trace(d, line))
        return;
    diagnose_line_read(&d->style, line, expected(d), d->scratch, &l);
    struct diagnose_reply_line reply;
    if (l.kind == DIAGNOSE_LINE_SERVER && !diagnose_reply_read(l.text, &reply) &&
        sp_view_find(l.text, '\n', 0) == l.text.len)
        l.kind = DIAGNOSE_LINE_NOTE; /* a program's own words behind the server's mark */
    switch (l.kind) {
    case DIAGNOSE_LINE_CLIENT:
    case DIAGNOSE_LINE_SERVER:
        say(d, line, &l);
        break;
    case DIAGNOSE_LINE_NOTE:
        if (l.text.len > 0 && l.text.p == d->scratch)
            note_record(d, line, &l);
        else if (l.text.len > 0)
            (void)note_line(d, line, l.key);
        break;
    case DIAGNOSE_LINE_ECHO:
        break;
    }
}

void diagnose_feed(struct diagnose *d, struct sp_view octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        uint8_t c = octets.p[i];
        bool head = d->octets++ < 2;
        if (head && (c == 0xff || c == 0xfe))
            d->wide = true;
        if ((d->wide && (c == 0 || head)))
            continue;
        if (c == '\n') {
            take_line(d);
            d->len = 0;
        } else if (d->len < LINE_SIZE) {
            d->line[d->len++] = c;
        }
    }
}

const struct diagnose_report *diagnose_end(struct diagnose *d)
{
    if (d->len > 0)
        take_line(d);
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (d->sessions[i].used)
            diagnose_session_end(&d->sessions[i], &d->gathered);
    diagnose_report_make(&d->gathered, d->lines, &d->report);
    for (size_t i = 0; i < d->report.finding_n; i++)
        diagnose_secrets_hide(&d->secrets, d->report.findings[i].quote);
    for (size_t i = 0; i < d->report.challenge_n; i++) {
        diagnose_secrets_hide(&d->secrets, d->report.challenges[i].text);
        diagnose_secrets_hide(&d->secrets, d->report.challenges[i].decoded);
    }
    return &d->report;
}
