#include "host.h"

#include "base/table.h"
#include "base/view.h"
#include "book.h"

#include <stdio.h>
#include <stdlib.h>

/* --- memory ----------------------------------------------------------------------------- */

static void watch_secret(struct host_memory *m, const uint8_t *p, size_t n)
{
    if (m->secret.len > 0 && p && memmem(p, n, m->secret.p, m->secret.len))
        m->secret_left = true;
}

/* Always moves, and never leaves a block as it was: what reads behind its end is found. */
static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    struct host_memory *m = ctx;
    void *fresh = NULL;
    if (n > 0) {
        if (++m->requests == m->refuse_at || !(fresh = malloc(n)))
            return NULL;
        memset(fresh, 0xa5, n);
        if (p)
            memcpy(fresh, p, old < n ? old : n);
        m->out_blocks++;
        m->out_octets += n;
        if (m->out_octets > m->peak_octets)
            m->peak_octets = m->out_octets;
    }
    if (p) {
        watch_secret(m, p, old);
        m->out_blocks--;
        m->out_octets -= old;
        memset(p, 0x5a, old);
        free(p);
    }
    return fresh;
}

struct sp_allocator host_allocator(struct host_memory *m) { return (struct sp_allocator){resize, m}; }

/* The host's own memory never fails, so that the session's failures are what is seen. */
static void *resize_own(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    void *fresh = realloc(p, n);
    if (!fresh)
        abort();
    return fresh;
}
static const struct sp_allocator own = {resize_own, NULL};

/* Of a line: enough for any BDAT. */
enum { WORD_MAX = 512 };

/* --- life ------------------------------------------------------------------------------- */

struct sp_server_options host_options(void)
{
    return (struct sp_server_options){
        .hostname = SP_LIT("mail.example"),
        .starttls = true,
        .extensions = HOST_EXTENSIONS,
        .mechanisms_plain = SP_LIT("SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"),
        .mechanisms_tls = SP_LIT("SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"),
    };
}

static void note_status(struct host *h, int status)
{
    if (status != SP_OK && h->status == SP_OK)
        h->status = status;
}

static void blame(struct host *h, const char *what, const char *input, struct sp_view reply)
{
    if (h->fault)
        return;
    h->fault = what;
    snprintf(h->fault_reply, sizeof(h->fault_reply), "%.*s", (int)reply.len,
             reply.p ? (const char *)reply.p : "");
    snprintf(h->fault_input, sizeof(h->fault_input), "%s", input);
}

void host_init(struct host *h, const struct sp_server_options *options)
{
    *h = (struct host){.options = *options, .tls_by_itself = true};
    h->alloc = host_allocator(&h->memory);
    sp_buf_init(&h->out, &own, SIZE_MAX / 2);
    sp_buf_init(&h->content, &own, SIZE_MAX / 2);
    sp_buf_init(&h->awaiting, &own, SIZE_MAX / 2);
    sp_buf_init(&h->read, &own, SIZE_MAX / 2);
    sp_buf_init(&h->word, &own, WORD_MAX);
}

static void await(struct host *h, struct sp_view input)
{
    sp_buf_add(&h->awaiting, input);
    sp_buf_add_u8(&h->awaiting, 0);
}

void host_open(struct host *h, bool tls)
{
    int status = sp_server_new(&h->options, &h->alloc, &h->s);
    if (status == SP_OK) {
        await(h, SP_LIT("connect"));
        status = sp_server_open(h->s, tls, h->now_ms);
    }
    note_status(h, status);
    if (h->s) {
        sp_server_set_wall(h->s, HOST_WALL_MS);
        host_drain(h);
    }
}

void host_fini(struct host *h)
{
    sp_server_free(h->s);
    if (h->memory.out_blocks > 0)
        blame(h, "the session kept memory", "free", (struct sp_view){0});
    if (h->memory.secret_left)
        blame(h, "a secret was given back with its memory", "free", (struct sp_view){0});
    sp_buf_fini(&h->out);
    sp_buf_fini(&h->content);
    sp_buf_fini(&h->awaiting);
    sp_buf_fini(&h->read);
    sp_buf_fini(&h->word);
    h->s = NULL;
}

/* --- what is said ------------------------------------------------------------------------ */

/* Replies answer inputs in their order; a 421 may come by itself. */
static void judge(struct host *h)
{
    size_t n;
    while ((n = book_reply_len(sp_view_from(sp_buf_view(&h->out), h->judged))) > 0) {
        struct sp_view reply = sp_view_sub(sp_buf_view(&h->out), h->judged, n);
        const char *input = "(nothing)";
        if (h->awaited < h->awaiting.len) {
            input = (const char *)h->awaiting.p + h->awaited;
            h->awaited += strlen(input) + 1;
        } else if (book_code(reply) != 421) {
            blame(h, "a reply to nothing", input, reply);
        }
        const char *fault = book_fault(input, reply);
        if (fault)
            blame(h, fault, input, reply);
        h->judged += n;
    }
}

static void collect(struct host *h)
{
    struct sp_view out = sp_server_output(h->s);
    size_t n = out.len > 3 ? out.len - 3 : out.len; /* sent in two steps, as sockets do */
    sp_buf_add(&h->out, sp_view_sub(out, 0, n));
    sp_server_sent(h->s, n);
    out = sp_server_output(h->s);
    sp_buf_add(&h->out, out);
    sp_server_sent(h->s, out.len);
    judge(h);
}

void host_forget(struct host *h)
{
    sp_buf_clear(&h->out);
    h->judged = 0;
}

int host_code(const struct host *h)
{
    int code = 0;
    size_t n;
    for (size_t at = 0; (n = book_reply_len(sp_view_from(sp_buf_view(&h->out), at))) > 0; at += n)
        code = book_code(sp_view_sub(sp_buf_view(&h->out), at, n));
    return code;
}

/* --- answers ------------------------------------------------------------------------------ */

static int say_no(struct host *h, int code, const char *enhanced, const char *reason, struct sp_view text)
{
    return sp_server_no(h->s, &(struct sp_refusal){code, enhanced, reason, text});
}

/* NUL authzid NUL authcid NUL password (RFC 4616), without authorization by another name. */
static bool is_demo(struct sp_view plain) { return sp_view_eq(plain, SP_LIT("\0demo\0secret")); }

static int verdict(struct host *h, bool good)
{
    return good
               ? sp_server_yes(h->s, (struct sp_view){0})
               : say_no(h, 535, "5.7.8", "auth-failed", SP_LIT("The user name or the password is not right"));
}

static int answer_sasl(struct host *h, struct sp_view octets)
{
    switch (h->sasl_step) {
    case 0:
        return verdict(h, is_demo(octets));
    case 1:
        h->user_is_demo = sp_view_eq(octets, SP_LIT("demo"));
        h->sasl_step = 2;
        return sp_server_more(h->s, SP_LIT("Password:"));
    case 3: /* the example of RFC 2195 */
        return verdict(h, sp_view_eq(octets, SP_LIT("tim b913a602c7eda7a495b4e6e7334d3890")));
    default:
        return verdict(h, h->user_is_demo && sp_view_eq(octets, SP_LIT("secret")));
    }
}

static int begin_sasl(struct host *h, const struct sp_server_event *e)
{
    bool login = sp_view_eq(e->as.auth.mechanism, SP_LIT("LOGIN"));
    bool cram = sp_view_eq(e->as.auth.mechanism, SP_LIT("CRAM-MD5"));
    h->sasl_step = login ? 1 : cram ? 3 : 0;
    if (cram && e->as.auth.has_initial)
        return say_no(
            h, 501, "5.7.0", "auth-initial-response",
            SP_LIT("This mechanism begins with the server's challenge; send AUTH without an initial "
                   "response"));
    if (cram)
        return sp_server_more(h->s, SP_LIT("<1896.697170952@postoffice.reston.mci.net>"));
    if (e->as.auth.has_initial)
        return answer_sasl(h, e->as.auth.initial);
    return sp_server_more(h->s, login ? SP_LIT("Username:") : (struct sp_view){0});
}

static int answer_mailbox(struct host *h, const struct sp_path *p, bool sender)
{
    if (sp_view_eq(p->local, SP_LIT("later")))
        return say_no(h, 451, "4.3.0", "try-later", SP_LIT("Not now"));
    if (!sp_view_eq(p->local, SP_LIT("nobody")))
        return sp_server_yes(h->s, (struct sp_view){0});
    return sender ? say_no(h, 550, "5.7.1", "sender-refused", SP_LIT("This sender is not welcome"))
                  : say_no(h, 550, "5.1.1", "unknown-recipient", SP_LIT("There is no such mailbox here"));
}

static int answer_end(struct host *h, uint32_t recipient)
{
    char text[40];
    if (h->options.lmtp && recipient < HOST_RECIPIENTS && h->full[recipient])
        return say_no(h, 452, "4.2.2", "mailbox-full", SP_LIT("This mailbox is full"));
    if (recipient > 0)
        return sp_server_yes(h->s, SP_LIT("Queued too"));
    h->stored = sp_hash(sp_buf_view(&h->content), h->stored);
    snprintf(text, sizeof(text), "Queued as %012u", ++h->messages);
    return sp_server_yes(h->s, sp_view_of(text));
}

static int answer(struct host *h, const struct sp_server_event *e)
{
    switch (e->type) {
    case SP_SERVER_ASK_OPEN:
        if (h->open_code)
            return say_no(h, h->open_code, h->open_code == 421 ? "4.7.0" : "5.7.1", "client-refused",
                          SP_LIT("No service for this client"));
        break;
    case SP_SERVER_ASK_HELLO:
        if (sp_view_eq(e->as.hello.domain, SP_LIT("refused.example")))
            return say_no(h, 550, "5.7.1", "hello-refused", SP_LIT("This name is not welcome"));
        break;
    case SP_SERVER_ASK_AUTH:
        return begin_sasl(h, e);
    case SP_SERVER_ASK_ANSWER:
        return answer_sasl(h, e->as.answer);
    case SP_SERVER_ASK_MAIL:
        h->recipients = 0;
        return answer_mailbox(h, &e->as.mail.sender, true);
    case SP_SERVER_ASK_RCPT:
        if (h->recipients < HOST_RECIPIENTS)
            h->full[h->recipients] = sp_view_eq(e->as.rcpt.recipient.local, SP_LIT("full"));
        return answer_mailbox(h, &e->as.rcpt.recipient, false);
    case SP_SERVER_ASK_ETRN:
        if (!sp_view_eq(e->as.words, SP_LIT("example.org")))
            return say_no(h, 459, "4.7.1", "etrn-denied", SP_LIT("Not for this domain"));
        return sp_server_yes(h->s, (struct sp_view){0});
    case SP_SERVER_ASK_VRFY:
        return sp_server_yes(h->s, sp_view_eq(e->as.words, SP_LIT("demo")) ? SP_LIT("<demo@mail.example>")
                                                                           : (struct sp_view){0});
    case SP_SERVER_ASK_EXPN:
        return say_no(h, 502, "5.5.1", "expn-off", SP_LIT("No mailing lists here"));
    case SP_SERVER_ASK_XCLIENT:
    case SP_SERVER_ASK_XFORWARD:
        break;
    case SP_SERVER_ASK_DATA:
        sp_buf_clear(&h->content);
        h->ends_awaited = 0;
        break;
    case SP_SERVER_ASK_END:
        if (e->as.end.size != h->content.len)
            blame(h, "END counts other octets than CONTENT gave", "message", (struct sp_view){0});
        return answer_end(h, e->as.end.recipient);
    default:
        return SP_ERR_MISUSE;
    }
    return sp_server_yes(h->s, (struct sp_view){0});
}

void host_answer(struct host *h)
{
    struct sp_server_event e;
    if (sp_server_event(h->s, &e) != SP_SERVER_NOTHING)
        note_status(h, answer(h, &e));
    host_drain(h);
}

void host_secured(struct host *h)
{
    note_status(h, sp_server_secured(h->s, h->now_ms));
    host_drain(h);
}

static bool is_phase(const struct host *h, const char *name)
{
    return strcmp(sp_server_phase(h->s), name) == 0;
}

static bool take_event(struct host *h)
{
    struct sp_server_event e;
    if (sp_server_event(h->s, &e) == SP_SERVER_ASK_END && e.as.end.recipient == h->ends_awaited) {
        /* the first reply to BDAT LAST is that to its line */
        bool chunk = is_phase(h, "CHUNK");
        if (!chunk || h->ends_awaited > 0)
            await(h, chunk ? SP_LIT("BDAT") : SP_LIT("message"));
        h->ends_awaited++;
    }
    switch (e.type) {
    case SP_SERVER_NOTHING:
        return false;
    case SP_SERVER_CONTENT:
        if (!sp_server_in_transaction(h->s) && !h->fault)
            h->fault = "content of no mail";
        sp_buf_add(&h->content, e.as.content);
        return true;
    case SP_SERVER_MAIL_DROPPED:
        h->dropped++;
        return true;
    case SP_SERVER_AUTH_GIVEN_UP:
        h->given_up++;
        return true;
    case SP_SERVER_CLOSED:
        h->closed = true;
        return true;
    case SP_SERVER_START_TLS:
        h->tls_starts++;
        collect(h);
        if (h->tls_by_itself)
            note_status(h, sp_server_secured(h->s, h->now_ms));
        return true;
    default:
        h->questions++;
        if (h->hold)
            return false;
        note_status(h, answer(h, &e));
        h->recipients += e.type == SP_SERVER_ASK_RCPT && sp_server_last_code(h->s) == 250;
        return h->status == SP_OK;
    }
}

void host_drain(struct host *h)
{
    while (take_event(h))
        ;
    collect(h);
}

/* --- octets from the client ---------------------------------------------------------------- */

/* "BDAT 123": so many octets that are no lines follow. */
static uint64_t counted(struct sp_view line)
{
    struct sp_view word;
    uint64_t n = 0;
    if (!sp_view_word(&line, ' ', &word) || !sp_view_eq(word, SP_LIT("BDAT")) ||
        !sp_view_word(&line, ' ', &word) || sp_view_u64(word, UINT64_MAX, &n) != SP_OK)
        return 0;
    return n;
}

/* The inputs among octets that were consumed in a phase that reads lines. */
static void note_lines(struct host *h, struct sp_view used, bool sasl)
{
    for (size_t at = 0; at < used.len; at++) {
        uint8_t c = used.p[at];
        if (h->chunk_left > 0) {
            h->chunk_left--;
        } else if (c == '\n') {
            h->chunk_left = sasl ? 0 : counted(sp_buf_view(&h->word));
            size_t space = sp_view_find(sp_buf_view(&h->word), ' ', 0);
            await(h, sasl ? SP_LIT("answer") : sp_view_trim(sp_view_sub(sp_buf_view(&h->word), 0, space)));
            sp_buf_clear(&h->word);
        } else if (c != '\r' && h->word.len < WORD_MAX) {
            sp_buf_add_u8(&h->word, c ? sp_ascii_upper(c) : '?');
        }
    }
}

static size_t feed_once(struct host *h, struct sp_view in)
{
    bool data = is_phase(h, "DATA"), sasl = is_phase(h, "SASL");
    size_t used = 0;
    int status = sp_server_feed(h->s, in, h->now_ms, &used);
    if (status != SP_ERR_CLOSED)
        note_status(h, status);
    if (!data)
        note_lines(h, sp_view_sub(in, 0, used), sasl);
    else if (!is_phase(h, "DATA")) /* refused without a question */
        for (uint32_t n = h->options.lmtp ? h->recipients : 1; n > 0; n--)
            await(h, SP_LIT("message"));
    host_drain(h);
    return used;
}

static void feed_read(struct host *h, struct sp_view in)
{
    while (in.len > 0 && !h->closed && h->status == SP_OK) {
        size_t used = feed_once(h, in);
        in = sp_view_from(in, used);
        if (used == 0 && h->hold)
            return;
    }
}

/* Each read is a block of its own: what is kept of an earlier one, or read behind it, is found. */
void host_feed(struct host *h, struct sp_view in)
{
    size_t piece = h->cut ? h->cut : in.len;
    for (size_t at = 0; at < in.len; at += piece) {
        sp_buf_fini(&h->read);
        sp_buf_add(&h->read, sp_view_sub(in, at, piece));
        uint8_t *tight = own.resize(NULL, h->read.p, h->read.cap, h->read.len);
        h->read.p = tight;
        h->read.cap = h->read.len;
        feed_read(h, sp_buf_view(&h->read));
    }
}

void host_line(struct host *h, const char *line)
{
    struct sp_buf b;
    sp_buf_init(&b, &own, SIZE_MAX / 2);
    sp_buf_add_str(&b, line);
    sp_buf_add_str(&b, "\r\n");
    host_feed(h, sp_buf_view(&b));
    sp_buf_fini(&b);
}
