/* The life of a client session: octets in, one reply at a time. */
#include "smtp/client_session.h"

#include "base/view.h"

static const struct sp_client_timeouts defaults = {
    .greeting_ms = 300000,
    .command_ms = 300000,
    .data_ms = 120000,
    .block_ms = 180000,
    .end_ms = 600000,
    .tls_ms = 60000,
    .quit_ms = 5000,
};

static uint32_t or_default(uint32_t ms, uint32_t otherwise) { return ms ? ms : otherwise; }

static struct sp_client_timeouts effective(const struct sp_client_timeouts *t)
{
    return (struct sp_client_timeouts){
        .greeting_ms = or_default(t->greeting_ms, defaults.greeting_ms),
        .command_ms = or_default(t->command_ms, defaults.command_ms),
        .data_ms = or_default(t->data_ms, defaults.data_ms),
        .block_ms = or_default(t->block_ms, defaults.block_ms),
        .end_ms = or_default(t->end_ms, defaults.end_ms),
        .tls_ms = or_default(t->tls_ms, defaults.tls_ms),
        .quit_ms = or_default(t->quit_ms, defaults.quit_ms),
    };
}

static bool is_word(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] <= ' ' || v.p[i] > '~')
            return false;
    return v.len > 0 && v.len <= 255;
}

int sp_client_new(const struct sp_client_options *options, const struct sp_allocator *alloc,
                  struct sp_client **session_out)
{
    if (!is_word(options->hello))
        return SP_ERR_MISUSE;
    struct sp_client *s = alloc->resize(alloc->ctx, NULL, 0, sizeof *s);
    if (!s)
        return SP_ERR_NOMEM;
    *s = (struct sp_client){.options = options, .alloc = alloc, .deadline_ms = UINT64_MAX};
    s->timeouts = effective(&options->timeouts);
    smtp_client_reply_init(&s->reply, alloc, options->lf_replies);
    sp_buf_init(&s->out.octets, alloc, CLIENT_OUTPUT_MAX);
    sp_buf_init(&s->hello_lines, alloc, SP_CLIENT_REPLY_MAX);
    sp_buf_init(&s->auth_words, alloc, SP_CLIENT_REPLY_MAX);
    sp_buf_init(&s->initial, alloc, CLIENT_SASL_MAX);
    sp_buf_init(&s->challenge, alloc, SP_CLIENT_LINE_MAX);
    sp_buf_init(&s->chunks.octets, alloc, SP_CLIENT_CHUNK_MAX + CLIENT_COMMAND_MAX);
    *session_out = s;
    return SP_OK;
}

void sp_client_free(struct sp_client *s)
{
    if (!s)
        return;
    const struct sp_allocator *alloc = s->alloc;
    smtp_client_reply_fini(&s->reply);
    sp_buf_fini_secret(&s->out.octets);
    sp_buf_fini(&s->hello_lines);
    sp_buf_fini(&s->auth_words);
    sp_buf_fini_secret(&s->initial);
    sp_buf_fini_secret(&s->challenge);
    sp_buf_fini(&s->chunks.octets);
    if (s->mail.states)
        alloc->resize(alloc->ctx, s->mail.states, s->mail.state_cap, 0);
    alloc->resize(alloc->ctx, s, sizeof *s, 0);
}

/* --- octets and time --------------------------------------------------------------------- */

int sp_client_open(struct sp_client *s, bool tls, uint64_t now_ms)
{
    if (s->phase != CLIENT_NEW)
        return SP_ERR_MISUSE;
    s->now_ms = now_ms;
    s->tls = tls;
    return smtp_client_move(s, CLIENT_IN_OPEN);
}

/* 2yz, where what it means depends on what is asked for or was sent. */
static enum smtp_client_input class_of_yes(const struct sp_client *s)
{
    const struct sp_client_options *o = s->options;
    bool chunk = s->phase == CLIENT_BDAT || s->phase == CLIENT_BDAT_LAST;
    if (s->phase == CLIENT_GREETING)
        return o->greeting_only                ? CLIENT_IN_ENOUGH
               : o->no_hello                   ? CLIENT_IN_BARE
               : o->protocol == SP_CLIENT_SMTP ? CLIENT_IN_OLD
                                               : CLIENT_IN_YES;
    return chunk && (s->chunks.unanswered > 1 || !s->chunks.last) ? CLIENT_IN_PART : CLIENT_IN_YES;
}

static bool is_unasked(const struct sp_client *s)
{
    bool chunk = s->phase == CLIENT_BDAT || s->phase == CLIENT_BDAT_LAST || s->phase == CLIENT_BDAT_VOID;
    return chunk && s->chunks.unanswered == 0;
}

static enum smtp_client_input class_of(const struct sp_client *s, const struct sp_client_reply *r)
{
    bool about_number = r->enhanced.len == 0 || sp_view_eq(r->enhanced, SP_LIT("5.5.3"));
    bool lmtp = s->options->protocol == SP_CLIENT_LMTP;
    switch (r->code) {
    case 334:
        return CLIENT_IN_CHALLENGE;
    case 354: /* in LMTP a message for nobody has no reply at all (RFC 2033 4.2) */
        return lmtp && s->phase == CLIENT_DATA_VOID ? CLIENT_IN_BAD : CLIENT_IN_GO;
    case 421:
        return CLIENT_IN_SHUT;
    case 500:
    case 502:
        return lmtp ? CLIENT_IN_NO : CLIENT_IN_NO_VERB; /* there is no older LMTP */
    case 503:
    case 530:
        return CLIENT_IN_ORDER;
    case 552:
        return s->phase == CLIENT_RCPT && s->mail.taken > 0 && about_number ? CLIENT_IN_CROWDED
                                                                            : CLIENT_IN_NO;
    default:
        return r->code / 100 == 2   ? class_of_yes(s)
               : r->code / 100 == 4 ? CLIENT_IN_LATER
               : r->code / 100 == 5 ? CLIENT_IN_NO
                                    : CLIENT_IN_BAD;
    }
}

static void *no_resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)p, (void)old, (void)n;
    return NULL;
}

/* A buffer over storage that does not grow. */
static struct sp_buf fixed_buf(uint8_t *store, size_t n)
{
    static const struct sp_allocator none = {no_resize, NULL};
    return (struct sp_buf){.alloc = &none, .p = store, .cap = n, .max = n};
}

static void end_bad(struct sp_client *s, const char *fault)
{
    smtp_client_end(s, CLIENT_IN_BAD, "4.5.0", sp_view_of(fault));
}

/* A reply that cannot stand here is told, but it is no verdict: "250" to DATA takes nothing over. */
static int refuse_reply(struct sp_client *s, const struct sp_client_reply *reply)
{
    uint8_t store[CLIENT_WHY_MAX];
    struct sp_buf text = fixed_buf(store, sizeof store);
    sp_buf_add_str(&text, "the reply ");
    sp_buf_add_dec(&text, (uint64_t)reply->code);
    sp_buf_add_str(&text, s->phase == CLIENT_READY ? " came unasked" : " cannot stand in phase ");
    sp_buf_add_str(&text, s->phase == CLIENT_READY ? "" : smtp_client_phase_name(s->phase));
    s->facts.reply = true;
    s->facts.last = *reply;
    s->facts.phase = s->phase;
    s->facts.scope = CLIENT_NOBODY;
    smtp_client_end(s, CLIENT_IN_BAD, "4.5.0", sp_buf_view(&text));
    return SP_OK;
}

static int apply_reply(struct sp_client *s)
{
    struct sp_client_reply reply = smtp_client_reply_view(&s->reply);
    enum smtp_client_input input = is_unasked(s) && reply.code != 421 ? CLIENT_IN_BAD : class_of(s, &reply);
    const struct smtp_client_rule *rule = smtp_client_rule_find(s->phase, input);
    if (rule == smtp_client_rule_find(s->phase, CLIENT_IN_BAD) && input != CLIENT_IN_SHUT)
        return refuse_reply(s, &reply);
    return smtp_client_apply(s, input, &reply);
}

int sp_client_feed(struct sp_client *s, struct sp_view in, uint64_t now_ms, size_t *used_out)
{
    *used_out = 0;
    if (s->dead)
        return s->dead;
    if (s->phase == CLIENT_CLOSED)
        return SP_ERR_CLOSED;
    if (s->phase == CLIENT_NEW)
        return SP_ERR_MISUSE;
    if (s->ending.on || smtp_client_facts_pending(s) || in.len == 0)
        return SP_OK;
    s->now_ms = now_ms;
    if (s->phase == CLIENT_HANDSHAKE) {
        end_bad(s, "the server spoke between its 220 to STARTTLS and the handshake");
        return SP_OK;
    }
    int status = smtp_client_reply_feed(&s->reply, in, used_out);
    if (status == SP_ERR_NOMEM)
        return smtp_client_check(s, status);
    if (status)
        end_bad(s, s->reply.fault);
    else if (s->reply.whole)
        status = apply_reply(s);
    if (!status && s->phase == CLIENT_HANDSHAKE && *used_out < in.len)
        end_bad(s, "octets came behind the 220 to STARTTLS: somebody may be injecting replies");
    return status == SP_ERR_SYNTAX ? SP_OK : status;
}

int sp_client_secured(struct sp_client *s, uint64_t now_ms)
{
    if (!smtp_client_asks(s, CLIENT_HANDSHAKE))
        return SP_ERR_MISUSE;
    s->now_ms = now_ms;
    s->tls = true;
    return smtp_client_move(s, CLIENT_IN_SECURED);
}

uint64_t sp_client_deadline(const struct sp_client *s) { return s->deadline_ms; }

/* "no reply to MAIL within 300 s", in the session's own store. */
static struct sp_view timeout_text(const struct sp_client *s, struct sp_buf *b)
{
    bool reply = s->phase != CLIENT_CONTENT && s->phase != CLIENT_HANDSHAKE;
    sp_buf_add_str(b, reply ? "timed out: no reply to " : "timed out: no progress in ");
    sp_buf_add_str(b, s->phase == CLIENT_GREETING ? "the connection" : smtp_client_phase_name(s->phase));
    sp_buf_add_str(b, " within ");
    sp_buf_add_dec(b, (smtp_client_phase_timeout(s->phase, &s->timeouts) + 999) / 1000);
    sp_buf_add_str(b, " s");
    return sp_buf_view(b);
}

void sp_client_tick(struct sp_client *s, uint64_t now_ms)
{
    if (now_ms < s->deadline_ms)
        return;
    s->now_ms = now_ms;
    s->deadline_ms = UINT64_MAX;
    uint8_t store[CLIENT_WHY_MAX];
    struct sp_buf text = fixed_buf(store, sizeof store);
    smtp_client_end(s, CLIENT_IN_TIMEOUT, "4.4.2", timeout_text(s, &text));
}

void sp_client_eof(struct sp_client *s, struct sp_view why)
{
    if (why.len == 0)
        why = SP_LIT("connection closed by the server");
    /* RFC 3463: 4.7.5, cryptographic failure, so that nobody takes a wrong certificate for a bad line. */
    smtp_client_end(s, CLIENT_IN_EOF, s->phase == CLIENT_HANDSHAKE ? "4.7.5" : "4.4.2", why);
}

int sp_client_quit(struct sp_client *s, uint64_t now_ms)
{
    if (!smtp_client_asks(s, CLIENT_READY))
        return SP_ERR_MISUSE;
    s->now_ms = now_ms;
    return smtp_client_move(s, CLIENT_IN_LEAVE);
}

int sp_client_raw(struct sp_client *s, struct sp_view octets, unsigned replies, uint64_t now_ms)
{
    if (!smtp_client_asks(s, CLIENT_READY))
        return SP_ERR_MISUSE;
    if (octets.len > SP_CLIENT_RAW_MAX)
        return SP_ERR_LONG;
    s->now_ms = now_ms;
    s->raw_due = replies;
    sp_buf_add(&s->out.octets, octets);
    return smtp_client_move(s, CLIENT_IN_BEGIN_RAW);
}

int sp_client_xclient(struct sp_client *s, struct sp_view attributes, uint64_t now_ms)
{
    if (!smtp_client_asks(s, CLIENT_READY) || attributes.len == 0 || !smtp_client_is_parameters(attributes))
        return SP_ERR_MISUSE;
    s->now_ms = now_ms;
    smtp_client_say(s, "XCLIENT", attributes);
    return smtp_client_move(s, CLIENT_IN_BEGIN_XCLIENT);
}

const struct sp_client_capabilities *sp_client_capabilities(const struct sp_client *s)
{
    return &s->capabilities;
}

bool sp_client_is_tls(const struct sp_client *s) { return s->tls; }

const char *sp_client_phase(const struct sp_client *s) { return smtp_client_phase_name(s->phase); }
