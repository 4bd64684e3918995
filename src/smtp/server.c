/* The calls of sallyport/smtp_server.h. */
#include "smtp/server.h"

enum {
    OUTPUT_MAX = 1 << 20, /* far above what one read of a client can make us say */
    OUTPUT_KEPT = 256,    /* memory that an idle session may keep for its next reply */
    CHALLENGE_MAX = 9000
};

static uint64_t or_default(uint64_t n, uint64_t preset) { return n ? n : preset; }

static uint32_t at_least(uint32_t n, uint32_t preset, uint32_t least)
{
    n = n ? n : preset;
    return n < least ? least : n;
}

static void fill_defaults(struct sp_server_options *o)
{
    o->max_message_octets = or_default(o->max_message_octets, 52428800);
    o->max_recipients = at_least(o->max_recipients, 1000, 100);
    o->max_errors = at_least(o->max_errors, 20, 1);
    o->max_auth_failures = at_least(o->max_auth_failures, 5, 3);
    o->max_hold_s = at_least(o->max_hold_s, 2592000, 1);
    o->max_idle_commands = at_least(o->max_idle_commands, 100, 1);
    o->timeouts.command_ms = at_least(o->timeouts.command_ms, 300000, 1);
    o->timeouts.data_ms = at_least(o->timeouts.data_ms, 180000, 1);
    o->timeouts.message_ms = at_least(o->timeouts.message_ms, 3600000, 1);
    o->timeouts.tls_ms = at_least(o->timeouts.tls_ms, 60000, 1);
}

int sp_server_new(const struct sp_server_options *options, const struct sp_allocator *alloc,
                  struct sp_server **session_out)
{
    if (options->hostname.len == 0)
        return SP_ERR_MISUSE;
    struct sp_server *s = alloc->resize(alloc->ctx, NULL, 0, sizeof(*s));
    if (!s)
        return SP_ERR_NOMEM;
    *s = (struct sp_server){
        .options = *options, .alloc = alloc, .rules = smtp_rules, .phase = P_GREET, .last_reason = ""};
    fill_defaults(&s->options);
    smtp_line_init(&s->line, alloc);
    sp_buf_init(&s->secret, alloc, SMTP_LINE_AUTH_MAX);
    sp_buf_init(&s->xtext, alloc, SMTP_LINE_PEER_MAX);
    sp_buf_init(&s->held_text, alloc, SMTP_REPLY_MAX);
    sp_buf_init(&s->out, alloc, OUTPUT_MAX);
    *session_out = s;
    return SP_OK;
}

void sp_server_free(struct sp_server *s)
{
    if (!s)
        return;
    smtp_line_release(&s->line);
    sp_buf_fini_secret(&s->secret);
    sp_buf_fini(&s->xtext);
    sp_buf_fini(&s->held_text);
    sp_buf_fini(&s->out);
    s->alloc->resize(s->alloc->ctx, s, sizeof(*s), 0);
}

int smtp_server_settle(struct sp_server *s)
{
    if (s->dead == SP_OK)
        s->dead = sp_buf_status(&s->out);
    return s->dead;
}

static int apply(struct sp_server *s, enum smtp_input input)
{
    int status = smtp_server_apply(s, input);
    return status != SP_OK ? status : smtp_server_settle(s);
}

int sp_server_open(struct sp_server *s, bool tls, uint64_t now_ms)
{
    if (s->dead)
        return s->dead;
    if (s->opened)
        return SP_ERR_MISUSE;
    s->opened = true;
    s->tls = tls;
    s->now_ms = s->since_ms = now_ms;
    return apply(s, IN_OPEN);
}

/* --- events and answers ----------------------------------------------------------------- */

static bool take_fact(struct sp_server *s, enum smtp_fact fact)
{
    bool there = s->facts & (unsigned)fact;
    s->facts &= ~(unsigned)fact;
    return there;
}

enum sp_server_event_type sp_server_event(struct sp_server *s, struct sp_server_event *event_out)
{
    *event_out = (struct sp_server_event){.type = SP_SERVER_NOTHING};
    if (s->dead) {
        return SP_SERVER_NOTHING;
    } else if (take_fact(s, FACT_GIVEN_UP)) {
        event_out->type = SP_SERVER_AUTH_GIVEN_UP;
    } else if (take_fact(s, FACT_DROPPED)) {
        event_out->type = SP_SERVER_MAIL_DROPPED;
    } else if (take_fact(s, FACT_CONTENT)) {
        event_out->type = SP_SERVER_CONTENT;
        event_out->as.content = s->content;
    } else if (s->asked) {
        *event_out = s->question;
    } else if (take_fact(s, FACT_START_TLS)) {
        event_out->type = SP_SERVER_START_TLS;
    } else if (take_fact(s, FACT_CLOSED)) {
        event_out->type = SP_SERVER_CLOSED;
    }
    return event_out->type;
}

/* The end of a message was answered, and somebody wants to go. */
static int leave_if_due(struct sp_server *s)
{
    if (s->closing && s->phase != P_CLOSED)
        return apply(s, s->shutdown ? IN_SHUTDOWN : IN_EOF);
    return smtp_server_settle(s);
}

/* LMTP: has a recipient had no answer to END yet? Then the question stays, for the next one. */
static bool another_waits(struct sp_server *s, bool yes)
{
    if (!s->options.lmtp)
        return false;
    s->taken = s->taken || yes;
    s->question.as.end.recipient = ++s->answered;
    return s->answered < s->recipients;
}

int sp_server_yes(struct sp_server *s, struct sp_view text)
{
    if (s->dead)
        return s->dead;
    const struct smtp_rule *rule = s->asked;
    if (!rule)
        return SP_ERR_MISUSE;
    if (text.len > 0 && (rule->yes.say == R_TAKEN || rule->yes.say == R_ETRN_OK))
        smtp_server_say_text(s, rule->yes.say, text);
    else if (text.len > 0 && rule->yes.say == R_PERHAPS)
        smtp_server_say_text(s, R_FOUND, text);
    else
        smtp_server_say(s, rule->yes.say);
    s->exchange = false;
    sp_buf_fini_secret(&s->secret);
    if (rule->ask == SP_SERVER_ASK_END && another_waits(s, true))
        return smtp_server_settle(s);
    smtp_server_accept(s, rule);
    return leave_if_due(s);
}

/* "5.7.1" behind a code of the same class, and an id of lower-case letters, digits and hyphens. */
static bool is_well_formed(const struct sp_refusal *r)
{
    if (r->code < 400 || r->code > 599 || !r->enhanced || !r->reason ||
        r->enhanced[0] != '0' + r->code / 100 || r->enhanced[1] != '.' || !r->reason[0])
        return false;
    size_t n = 0;
    for (; r->reason[n]; n++) {
        char c = r->reason[n];
        if (n == SMTP_REASON_MAX || (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-'))
            return false;
    }
    return true;
}

int sp_server_no(struct sp_server *s, const struct sp_refusal *refusal)
{
    if (s->dead)
        return s->dead;
    const struct smtp_rule *rule = s->asked;
    bool is_open = rule && rule->ask == SP_SERVER_ASK_OPEN;
    if (!rule || !is_well_formed(refusal) || (is_open && refusal->code < 500 && refusal->code != 421))
        return SP_ERR_MISUSE;
    if (s->exchange && refusal->code >= 500)
        s->auth_failures++;
    s->exchange = false;
    sp_buf_fini_secret(&s->secret);
    if (s->input == IN_BDAT && refusal->code != 421) {
        smtp_server_chunk_hold_refusal(s, refusal);
        return smtp_server_settle(s);
    }
    if (!smtp_server_bear(s, refusal->code))
        return smtp_server_settle(s);
    smtp_server_say_refusal(s, refusal);
    if (refusal->code == 421)
        return apply(s, IN_DISMISS);
    if (rule->ask == SP_SERVER_ASK_END && another_waits(s, false))
        return smtp_server_settle(s);
    if (rule->ask == SP_SERVER_ASK_END && s->taken)
        smtp_server_accept(s, rule);
    else
        smtp_server_decline(s, rule->no.next);
    return leave_if_due(s);
}

int sp_server_more(struct sp_server *s, struct sp_view challenge)
{
    if (s->dead)
        return s->dead;
    const struct smtp_rule *rule = s->asked;
    if (!rule || rule->more.say == R_NONE)
        return SP_ERR_MISUSE;
    if (challenge.len > CHALLENGE_MAX)
        return SP_ERR_LONG;
    smtp_server_say_challenge(s, challenge);
    sp_buf_fini_secret(&s->secret);
    smtp_server_continue(s, rule);
    return smtp_server_settle(s);
}

struct sp_view sp_server_output(struct sp_server *s)
{
    return s->dead ? (struct sp_view){0} : sp_view_from(sp_buf_view(&s->out), s->out_sent);
}

void sp_server_sent(struct sp_server *s, size_t n)
{
    size_t left = s->out.len - s->out_sent;
    s->out_sent += n < left ? n : left;
    if (s->out_sent < s->out.len || s->dead)
        return;
    s->out_sent = 0;
    if (s->out.cap > OUTPUT_KEPT)
        sp_buf_fini(&s->out);
    else
        sp_buf_clear(&s->out);
}

void sp_server_set_wall(struct sp_server *s, int64_t wall_ms)
{
    s->wall_base_ms = wall_ms - (int64_t)s->now_ms;
    s->wall_known = true;
}

/* --- what happens around the session ------------------------------------------------------ */

void sp_server_withhold(struct sp_server *s, struct sp_view mechanism) { s->withheld = mechanism; }

int sp_server_secured(struct sp_server *s, uint64_t now_ms)
{
    if (s->dead)
        return s->dead;
    if (now_ms > s->now_ms)
        s->now_ms = now_ms;
    (void)take_fact(s, FACT_START_TLS);
    return apply(s, IN_SECURED);
}

/* When the mail that is coming, if any, has taken its time. */
static uint64_t mail_deadline(const struct sp_server *s)
{
    return s->mail ? s->mail_since_ms + s->options.timeouts.message_ms : UINT64_MAX;
}

uint64_t sp_server_deadline(const struct sp_server *s)
{
    const struct sp_server_timeouts *t = &s->options.timeouts;
    uint64_t spans[] = {[TIMER_COMMAND] = t->command_ms, [TIMER_DATA] = t->data_ms, [TIMER_TLS] = t->tls_ms};
    uint8_t timer = smtp_phases[s->phase].timer;
    if (s->dead || s->asked || timer == TIMER_NEVER)
        return UINT64_MAX;
    uint64_t phase = s->since_ms + spans[timer], mail = mail_deadline(s);
    return phase < mail ? phase : mail;
}

int sp_server_tick(struct sp_server *s, uint64_t now_ms)
{
    if (s->dead)
        return s->dead;
    if (now_ms > s->now_ms)
        s->now_ms = now_ms;
    if (s->now_ms < sp_server_deadline(s))
        return SP_OK;
    return apply(s, s->now_ms < mail_deadline(s) ? IN_TIMER : IN_SLOW);
}

/* The end comes after the answer to END, for that message is about to be on disk. */
static int leave(struct sp_server *s, enum smtp_input input)
{
    if (s->dead)
        return s->dead;
    if (!s->opened)
        return SP_ERR_MISUSE;
    if (s->phase == P_CLOSED)
        return SP_OK;
    bool storing = s->asked && s->asked->ask == SP_SERVER_ASK_END;
    if (!storing)
        return apply(s, input);
    s->closing = true;
    s->shutdown = s->shutdown || input == IN_SHUTDOWN;
    return SP_OK;
}

int sp_server_eof(struct sp_server *s) { return leave(s, IN_EOF); }

int sp_server_shutdown(struct sp_server *s) { return leave(s, IN_SHUTDOWN); }

/* --- facts ------------------------------------------------------------------------------ */

bool sp_server_is_tls(const struct sp_server *s) { return s->tls; }
bool sp_server_is_esmtp(const struct sp_server *s) { return s->esmtp; }
bool sp_server_is_authenticated(const struct sp_server *s) { return s->user; }
bool sp_server_in_transaction(const struct sp_server *s) { return s->mail; }

const char *sp_server_phase(const struct sp_server *s) { return smtp_phases[s->phase].name; }

int sp_server_last_code(const struct sp_server *s) { return s->last_code; }
const char *sp_server_last_reason(const struct sp_server *s) { return s->last_reason; }

enum sp_server_reads sp_server_reads(const struct sp_server *s)
{
    static const enum sp_server_reads as[] = {[READS_NOTHING] = SP_SERVER_READS_NOTHING,
                                              [READS_COMMANDS] = SP_SERVER_READS_COMMANDS,
                                              [READS_ANSWERS] = SP_SERVER_READS_ANSWER,
                                              [READS_MESSAGE] = SP_SERVER_READS_MESSAGE,
                                              [READS_CHUNK] = SP_SERVER_READS_MESSAGE};
    return s->held ? SP_SERVER_READS_MESSAGE : as[smtp_phases[s->phase].reads];
}
