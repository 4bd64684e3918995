/*
 * From phase to phase, as the table says, and what each step leaves to be told.
 *
 * Endings (a lost connection, a timeout, no memory) may come while facts of an earlier reply are not
 * yet read. They wait until those are: so no outcome is overtaken by another.
 */
#include "smtp/client_session.h"

#include "base/view.h"

void smtp_client_arm(struct sp_client *s)
{
    uint32_t ms = smtp_client_phase_timeout(s->phase, &s->timeouts);
    s->deadline_ms = ms ? s->now_ms + ms : UINT64_MAX;
}

bool smtp_client_asks(const struct sp_client *s, enum smtp_client_phase phase)
{
    return s->phase == phase && !s->dead && !s->ending.on && !smtp_client_facts_pending(s);
}

int smtp_client_check(struct sp_client *s, int status)
{
    if (!status)
        status = sp_buf_status(&s->out.octets);
    if (!status || s->dead)
        return s->dead;
    s->dead = SP_ERR_NOMEM;
    smtp_client_end(s, CLIENT_IN_EOF, "4.3.0", SP_LIT("out of memory here"));
    return s->dead;
}

void smtp_client_end(struct sp_client *s, enum smtp_client_input input, const char *enhanced,
                     struct sp_view text)
{
    if (s->ending.on || s->phase == CLIENT_CLOSED)
        return;
    struct sp_view kept = sp_view_sub(text, 0, sizeof s->why);
    if (kept.len > 0)
        memcpy(s->why, kept.p, kept.len);
    s->ending = (struct smtp_client_ending){
        .on = true,
        .input = input,
        .what = {.enhanced = sp_view_of(enhanced), .text = sp_view_make(s->why, kept.len)},
    };
}

void smtp_client_enough(struct sp_client *s)
{
    smtp_client_end(s, CLIENT_IN_ENOUGH, "", SP_LIT("stopped here, as was wanted"));
}

/* What the TLS policy makes of a server that has answered EHLO or HELO, or refused STARTTLS. */
static int choose(struct sp_client *s)
{
    enum sp_client_tls policy = s->options->tls;
    if (s->tls || policy == SP_CLIENT_TLS_OFF)
        return smtp_client_move(s, CLIENT_IN_GO_ON);
    if (s->capabilities.starttls && !s->tls_refused)
        return smtp_client_move(s, CLIENT_IN_UPGRADE);
    if (policy == SP_CLIENT_TLS_OPPORTUNISTIC)
        return smtp_client_move(s, CLIENT_IN_GO_ON);
    s->facts.failed = true;
    s->facts.failed_fate = SP_CLIENT_RETRY;
    s->facts.failed_by = s->facts.last;
    if (!s->tls_refused)
        s->facts.failed_by = (struct sp_client_reply){
            .enhanced = SP_LIT("4.7.4"),
            .text = SP_LIT("TLS is required here, but the server does not offer STARTTLS")};
    return smtp_client_move(s, CLIENT_IN_NO_TLS);
}

static void close_session(struct sp_client *s)
{
    smtp_client_output_drop(s);
    s->facts.closed = true;
    s->facts.tls = false;
    s->facts.mail_done = s->mail.mail != NULL;
}

static void begin_content(struct sp_client *s)
{
    s->line_start = true;
    s->after_cr = s->out.dot = false;
    sp_buf_clear(&s->chunks.octets);
    s->chunks.ready = s->chunks.unanswered = 0;
    s->chunks.last = false;
}

/* Be in a phase, and send its command. */
static int enter(struct sp_client *s, enum smtp_client_phase phase)
{
    enum smtp_client_phase before = s->phase;
    s->phase = phase;
    smtp_client_arm(s);
    switch (phase) {
    case CLIENT_EHLO:
        smtp_client_capabilities_forget(s);
        smtp_client_say(s, s->options->protocol == SP_CLIENT_LMTP ? "LHLO" : "EHLO", s->options->hello);
        break;
    case CLIENT_HELO:
        smtp_client_say(s, "HELO", s->options->hello);
        break;
    case CLIENT_CHOOSE:
        return choose(s);
    case CLIENT_STARTTLS:
        smtp_client_say(s, "STARTTLS", SP_LIT(""));
        break;
    case CLIENT_HANDSHAKE:
        s->facts.tls = true;
        break;
    case CLIENT_READY:
        s->facts.mail_done = s->mail.mail != NULL;
        break;
    case CLIENT_SASL:
        return smtp_client_auth_challenged(s);
    case CLIENT_CANCEL:
        smtp_client_say(s, "*", SP_LIT(""));
        break;
    case CLIENT_RAW:
        if (s->raw_due == 0)
            return smtp_client_move(s, CLIENT_IN_DONE);
        break;
    case CLIENT_CONTENT:
        begin_content(s);
        if (s->mail.mail->until == SP_CLIENT_UNTIL_DATA)
            smtp_client_enough(s);
        break;
    case CLIENT_BDAT:
    case CLIENT_BDAT_LAST:
    case CLIENT_BDAT_VOID:
        if (phase == CLIENT_BDAT && before != CLIENT_BDAT)
            begin_content(s);
        return smtp_client_chunks_enter(s);
    case CLIENT_DOT_VOID:
        smtp_client_say(s, ".", SP_LIT(""));
        break;
    case CLIENT_QUIT:
        smtp_client_say(s, "QUIT", SP_LIT(""));
        break;
    case CLIENT_CLOSED:
        close_session(s);
        break;
    case CLIENT_RSET:
    case CLIENT_MAIL:
    case CLIENT_RCPT:
    case CLIENT_DATA:
    case CLIENT_DOT:
    case CLIENT_DOT_EACH:
    case CLIENT_RCPT_VOID:
    case CLIENT_DATA_VOID:
        return smtp_client_mail_enter(s);
    default: /* nothing is sent: the server, or the caller, is next */
        break;
    }
    return smtp_client_check(s, SP_OK);
}

int smtp_client_move(struct sp_client *s, enum smtp_client_input input)
{
    const struct smtp_client_rule *rule = smtp_client_rule_find(s->phase, input);
    if (!rule)
        return SP_ERR_MISUSE;
    if (rule->left != CLIENT_LEFT_AS_IS)
        s->left_open = rule->left == CLIENT_LEFT_OPEN;
    return enter(s, (enum smtp_client_phase)rule->next);
}

static void settle(struct sp_client *s, const struct smtp_client_rule *rule, size_t recipient)
{
    if (rule->scope == CLIENT_NOBODY || !s->mail.mail)
        return;
    bool all = rule->scope == CLIENT_ALL;
    s->settling = (struct smtp_client_settling){
        .on = true,
        .at = all ? 0 : recipient,
        .end = all ? s->mail.mail->recipient_n : recipient + 1,
        .fate = (enum sp_client_fate)rule->fate,
        .phase = s->phase,
        .reply = s->facts.last,
    };
}

/* Of several that are due in this phase one has come. */
static void count_reply(struct sp_client *s, enum smtp_client_input input)
{
    bool chunk = s->phase == CLIENT_BDAT || s->phase == CLIENT_BDAT_LAST || s->phase == CLIENT_BDAT_VOID;
    if (input >= CLIENT_IN_SHUT)
        return;
    if (s->phase == CLIENT_RAW)
        s->raw_due--;
    if (chunk)
        s->chunks.unanswered--;
}

int smtp_client_apply(struct sp_client *s, enum smtp_client_input input, const struct sp_client_reply *what)
{
    const struct smtp_client_rule *rule = smtp_client_rule_find(s->phase, input);
    if (!rule)
        return SP_ERR_MISUSE;
    enum smtp_client_phase before = s->phase;
    bool over = rule->next == CLIENT_QUIT || rule->next == CLIENT_CLOSED;
    s->facts.reply = what->code > 0;
    s->facts.last = *what;
    s->facts.phase = before;
    s->facts.scope = (enum smtp_client_scope)rule->scope;
    s->facts.fate = (enum sp_client_fate)rule->fate;
    s->facts.recipient = smtp_client_mail_answered(s, input);
    settle(s, rule, s->facts.recipient);
    s->facts.failed = over && before != CLIENT_QUIT && input != CLIENT_IN_ENOUGH;
    s->facts.failed_by = *what;
    s->facts.failed_fate = rule->scope == CLIENT_NOBODY ? s->facts.fate : SP_CLIENT_RETRY;
    count_reply(s, input);
    if (before == CLIENT_STARTTLS)
        s->tls_refused = rule->next == CLIENT_CHOOSE;
    if ((before == CLIENT_AUTH || before == CLIENT_CANCEL) && rule->next == CLIENT_READY) {
        s->facts.auth = true;
        s->facts.auth_ok = input == CLIENT_IN_YES;
        sp_buf_fini_secret(&s->initial);
        s->has_initial = false;
    }
    if (before == CLIENT_EHLO && input == CLIENT_IN_YES &&
        smtp_client_check(s, smtp_client_capabilities_learn(s)))
        return s->dead;
    return smtp_client_move(s, input);
}
