/*
 * One line from the client. The checks run in this order: known verb, policy, phase,
 * argument, caller; the first two and what is needed for a phase are columns of the table.
 */
#include "smtp/server.h"

static bool holds_control(struct sp_view line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.p[i] < 32 || line.p[i] == 127)
            return true;
    return false;
}

/* Refuse the command, and with a BDAT its octets first. */
static void refuse(struct sp_server *s, enum smtp_held how, unsigned what)
{
    if (s->input == IN_BDAT)
        smtp_server_chunk_hold(s, how, what);
    else if (how == HELD_REFUSAL)
        smtp_server_refuse(s, (enum smtp_reply_id)what);
    else
        smtp_server_happen(s, (enum smtp_input)what);
}

/* false: a need was unmet and is answered. */
static bool has_needs(struct sp_server *s, unsigned needs, unsigned met)
{
    for (unsigned bit = 0; bit < NEED_N; bit++) {
        if ((needs & ~met & 1u << bit) == 0)
            continue;
        if (smtp_needs[bit].unmet == CLOSES)
            smtp_server_happen(s, IN_AHEAD);
        else
            refuse(s, HELD_REFUSAL, smtp_needs[bit].reply);
        return false;
    }
    return true;
}

/* false: too many were sent, which is answered. */
static bool within_limits(struct sp_server *s)
{
    enum smtp_input input = s->word->input;
    if (s->word->idle && s->idlers >= s->options.max_idle_commands)
        smtp_server_happen(s, IN_IDLERS);
    else if (input == IN_AUTH && s->auth_failures >= s->options.max_auth_failures)
        smtp_server_happen(s, IN_FAILURES);
    else
        return true;
    return false;
}

void smtp_server_command(struct sp_server *s, struct sp_view line, bool alone)
{
    while (line.len > 0 && line.p[line.len - 1] == ' ')
        line.len--;
    size_t at = sp_view_find(line, ' ', 0);
    s->word = smtp_word_find(sp_view_sub(line, 0, at));
    s->input = s->word->input;
    s->named = (struct sp_view){0};
    if (s->input != IN_RCPT)
        s->forgiven = 0;
    bool chunk = s->input == IN_BDAT, control = holds_control(line);
    while (at < line.len && line.p[at] == ' ')
        at++;
    if (chunk && (control || !smtp_server_chunk(s, sp_view_from(line, at)))) {
        smtp_server_happen(s, IN_BAD_CHUNK);
        return;
    }
    if (control) {
        smtp_server_happen(s, IN_CONTROL);
        return;
    }
    alone = alone || (s->input == IN_AUTH && smtp_server_is_single_round(sp_view_from(line, at)));
    unsigned met = smtp_server_met(s, s->input) | (alone ? NEED_ALONE : 0);
    const struct smtp_rule *rule = &s->rules[s->phase][s->input];
    if (!has_needs(s, s->word->need & smtp_phases[s->phase].gates, met) || !has_needs(s, rule->need, met))
        return;
    if (rule->who == REFUSES) {
        refuse(s, HELD_INPUT, s->input);
        return;
    }
    if (chunk && smtp_server_chunk_is_big(s)) {
        refuse(s, HELD_INPUT, IN_CHUNK_BIG);
        return;
    }
    if (!chunk) {
        enum smtp_reply_id wrong = smtp_server_argument(s, line, at);
        if (wrong != R_NONE) {
            smtp_server_refuse(s, wrong);
            return;
        }
        if (!within_limits(s))
            return;
        s->idlers += s->word->idle;
    }
    smtp_server_happen(s, s->input);
}

void smtp_server_answer(struct sp_server *s, struct sp_view line)
{
    enum smtp_input input = IN_ANSWER;
    if (sp_view_eq(line, SP_LIT("*"))) {
        input = IN_CANCEL;
    } else if (smtp_server_decode(s, line) == SP_OK) {
        s->question.as.answer = sp_buf_view(&s->secret);
    } else {
        input = IN_BAD_BASE64;
    }
    smtp_server_happen(s, input);
}
