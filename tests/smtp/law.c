#include "law.h"

#include "base/view.h"

#include <stdio.h>
#include <string.h>

struct policy {
    bool starttls, tls_required, auth_required, mechanism_clear, mechanism_tls, implicit_tls;
    bool lmtp, chunking, etrn, xclient, xforward;
};
enum { POLICY_N = 1 << 11 };

struct state {
    uint8_t phase;
    bool tls, user, esmtp, mail, rcpt, refused, full, binary;
};
enum { STATE_N = P_N << 8 };

enum outcome { YES, MORE, NO, UNMET };

struct step {
    const struct law *law;
    const struct policy *policy;
    struct state from, to;
    unsigned input;
    enum outcome outcome;
    unsigned say;
};

void law_init(struct law *l)
{
    memcpy(l->rules, smtp_rules, sizeof(l->rules));
    memcpy(l->phases, smtp_phases, sizeof(l->phases));
    memcpy(l->words, smtp_words, sizeof(l->words));
}

static struct policy policy_of(unsigned i)
{
    return (struct policy){i & 1,  i & 2,   i & 4,   i & 8,   i & 16,  i & 32,
                           i & 64, i & 128, i & 256, i & 512, i & 1024};
}

static unsigned index_of(const struct state *s)
{
    return (unsigned)s->phase << 8 | (unsigned)s->tls << 7 | (unsigned)s->user << 6 |
           (unsigned)s->esmtp << 5 | (unsigned)s->mail << 4 | (unsigned)s->rcpt << 3 |
           (unsigned)s->refused << 2 | (unsigned)s->full << 1 | (unsigned)s->binary;
}

/* --- the table, applied ----------------------------------------------------------------------- */

static bool is_offered(const struct policy *p, const struct state *s, unsigned input)
{
    switch (input) {
    case IN_AUTH:
        return (s->tls ? p->mechanism_tls : p->mechanism_clear) ||
               (!s->tls && p->starttls && p->mechanism_tls);
    case IN_STARTTLS:
        return p->starttls || s->tls;
    case IN_BDAT:
        return p->chunking;
    case IN_ETRN:
        return p->etrn;
    case IN_XCLIENT:
        return p->xclient;
    case IN_XFORWARD:
        return p->xforward;
    default:
        return true;
    }
}

static unsigned met(const struct policy *p, const struct state *s, unsigned input)
{
    bool mechanism = s->tls ? p->mechanism_tls : p->mechanism_clear;
    return (p->lmtp ? NEED_LMTP : NEED_SMTP) | (is_offered(p, s, input) ? NEED_OFFERED : 0u) |
           (!p->tls_required || s->tls ? NEED_TLS : 0u) | (!p->auth_required || s->user ? NEED_USER : 0u) |
           (!s->tls ? NEED_PLAIN : 0u) | (!s->user ? NEED_ANONYMOUS : 0u) |
           (!s->refused || p->lmtp ? NEED_UNREFUSED : 0u) | (s->esmtp ? NEED_ESMTP : 0u) |
           (mechanism ? NEED_MECHANISM : 0u) | (!s->binary ? NEED_LINES : 0u) | (!s->full ? NEED_ROOM : 0u) |
           NEED_ALONE;
}

static void drop_mail(struct state *s) { s->mail = s->rcpt = s->refused = s->full = s->binary = false; }

static struct state after_yes(struct state s, const struct smtp_rule *r)
{
    if (r->forget != KEEP)
        drop_mail(&s);
    if (r->forget == FORGET_ALL)
        s.esmtp = s.user = false;
    s.esmtp = r->learn == LEARN_ESMTP || (s.esmtp && r->learn != LEARN_SMTP);
    s.tls = s.tls || r->learn == LEARN_TLS;
    s.user = s.user || r->learn == LEARN_USER;
    s.mail = s.mail || r->learn == LEARN_SENDER;
    s.rcpt = s.rcpt || r->learn == LEARN_RECIPIENT;
    s.phase = r->yes.next;
    return s;
}

static struct state after_no(struct state s, unsigned input, uint8_t next)
{
    s.refused = s.refused || (s.mail && input == IN_RCPT);
    if (next != s.phase)
        drop_mail(&s);
    s.phase = next;
    return s;
}

static unsigned unmet_needs(const struct law *l, const struct policy *p, const struct state *s,
                            unsigned input)
{
    unsigned verb = input < IN_VERB_N ? l->words[input].need & l->phases[s->phase].gates : 0;
    return (verb | l->rules[s->phase][input].need) & ~met(p, s, input);
}

enum { STEPS_MAX = 6 };

/* Every step from a state on an input. */
static unsigned steps_on(const struct law *l, const struct policy *p, const struct state *s, unsigned input,
                         struct step out[STEPS_MAX])
{
    const struct smtp_rule *r = &l->rules[s->phase][input];
    struct step base = {.law = l, .policy = p, .from = *s, .input = input};
    unsigned n = 0, unmet = unmet_needs(l, p, s, input);
    if (r->who == ABSENT)
        return 0;
    if (unmet) {
        unsigned bit = 0;
        while (!(unmet & 1u << bit))
            bit++;
        base.outcome = UNMET;
        base.say = smtp_needs[bit].reply;
        base.to = after_no(*s, input, l->phases[s->phase].home);
        out[n++] = base;
        return n;
    }
    if (r->who == ENGINE || r->who == CALLER) {
        base.outcome = YES;
        base.say = r->yes.say;
        base.to = after_yes(*s, r);
        out[n++] = base;
        if (r->learn == LEARN_RECIPIENT || r->learn == LEARN_SENDER || r->learn == LEARN_CLIENT) {
            base.to.full = base.to.full || r->learn == LEARN_RECIPIENT; /* the last there was room for */
            base.to.binary = base.to.binary || r->learn == LEARN_SENDER;
            base.to.user = base.to.user || r->learn == LEARN_CLIENT;
            out[n++] = base;
        }
    }
    if (r->who == REFUSES || r->who == CALLER) {
        base.outcome = NO;
        base.say = r->no.say;
        base.to = after_no(*s, input, r->no.next);
        out[n++] = base;
    }
    if (r->more.say != R_NONE) {
        base.outcome = MORE;
        base.say = r->more.say;
        base.to = *s;
        base.to.phase = r->more.next;
        out[n++] = base;
    }
    return n;
}

static bool is_verb(unsigned input) { return input < IN_VERB_N; }
static uint8_t reads(const struct law *l, uint8_t phase) { return l->phases[phase].reads; }

/* --- theorems about states ------------------------------------------------------------------- */

struct place {
    const struct law *law;
    const struct policy *policy;
    struct state s;
};

static bool in_message(uint8_t phase) { return phase == P_DATA || phase == P_CHUNK || phase == P_CHUNKED; }

static bool phase_tells_the_mail(const struct place *at)
{
    const struct state *s = &at->s;
    bool with_rcpt = s->phase == P_RCPT || in_message(s->phase);
    return s->mail == (s->phase == P_MAIL || with_rcpt) && s->rcpt == with_rcpt;
}

static bool policy_is_kept(const struct place *at)
{
    const struct policy *p = at->policy;
    const struct state *s = &at->s;
    if (p->tls_required && !s->tls && (s->mail || s->phase == P_SASL || (s->user && !p->xclient)))
        return false;
    if (p->auth_required && !s->user && s->mail)
        return false;
    return s->tls || p->mechanism_clear || (s->phase != P_SASL && (!s->user || p->xclient));
}

static bool every_state_ends(const struct place *at)
{
    static const unsigned ends[] = {IN_TIMER, IN_EOF, IN_SHUTDOWN, IN_QUIT};
    for (unsigned i = 0; i < 4; i++) {
        struct step steps[STEPS_MAX];
        if (at->s.phase == P_CLOSED || (ends[i] == IN_QUIT && reads(at->law, at->s.phase) != READS_COMMANDS))
            continue;
        if (steps_on(at->law, at->policy, &at->s, ends[i], steps) != 1 || steps[0].to.phase != P_CLOSED ||
            steps[0].outcome != YES)
            return false;
    }
    return true;
}

/* NOOP, QUIT and saying who one is stay possible (RFC 5321 4.1.4). */
static bool something_to_say(const struct place *at)
{
    const unsigned always[] = {IN_NOOP, at->policy->lmtp ? IN_LHLO : IN_EHLO, IN_QUIT};
    if (reads(at->law, at->s.phase) != READS_COMMANDS || at->s.phase == P_REFUSED)
        return true;
    for (unsigned i = 0; i < 3; i++)
        if (unmet_needs(at->law, at->policy, &at->s, always[i]) ||
            at->law->rules[at->s.phase][always[i]].who < ENGINE)
            return false;
    return true;
}

/* Where octets are awaited a timer runs; where a message comes it is that of messages. */
static bool waiting_is_timed(const struct place *at)
{
    const struct smtp_phase_row *row = &at->law->phases[at->s.phase];
    if (row->reads == READS_MESSAGE || row->reads == READS_CHUNK)
        return row->timer == TIMER_DATA;
    return row->reads == READS_NOTHING || row->timer == TIMER_COMMAND;
}

/* --- theorems about steps --------------------------------------------------------------------- */

static bool no_message_without_envelope(const struct step *t)
{
    bool begins = (t->to.phase == P_DATA || t->to.phase == P_CHUNK) && t->to.phase != t->from.phase;
    if (begins && !(t->from.mail && t->from.rcpt && (t->input == IN_DATA || t->input == IN_BDAT)))
        return false;
    return t->input != IN_END || t->outcome != YES || (t->from.mail && t->from.rcpt);
}

/* RFC 3207 4.2 */
static bool nothing_clear_survives(const struct step *t)
{
    if (t->input == IN_SECURED &&
        !(t->to.tls && !t->to.esmtp && !t->to.user && !t->to.mail && t->to.phase == P_START))
        return false;
    return t->to.tls == t->from.tls || (t->input == IN_SECURED && !t->from.tls);
}

/* RFC 4954 4: no second AUTH, none in a mail, none without EHLO; none in clear against policy. */
static bool users_come_from_auth(const struct step *t)
{
    bool asked = t->input == IN_AUTH && (t->outcome == YES || t->outcome == MORE);
    if (asked && (t->from.user || t->from.mail || !t->from.esmtp || t->from.phase != P_READY))
        return false;
    if (asked && !t->from.tls && (!t->policy->mechanism_clear || t->policy->tls_required))
        return false;
    if (t->to.phase == P_SASL && !(t->outcome == MORE && (asked || t->from.phase == P_SASL)))
        return false;
    bool by_peer = t->input == IN_XCLIENT && t->policy->xclient;
    return !t->to.user || t->from.user ||
           (t->outcome == YES && (t->input == IN_AUTH || t->input == IN_ANSWER || by_peer));
}

/* A reply that changes who reads the octets needs an empty input behind the command (RFC 2920 3.1, 3207 4);
 * but the octets of a chunk are counted. So does what changes who the client is. */
static bool new_readers_need_silence(const struct step *t)
{
    bool counted = reads(t->law, t->to.phase) == READS_CHUNK;
    bool changes =
        t->to.phase != P_CLOSED && !counted && reads(t->law, t->to.phase) != reads(t->law, t->from.phase);
    bool renames = t->input == IN_XCLIENT;
    return !is_verb(t->input) || !(changes || renames) || (t->law->words[t->input].need & NEED_ALONE);
}

static bool refusals_go_home(const struct step *t)
{
    if (t->outcome != NO && t->outcome != UNMET)
        return true;
    bool kept = t->to.esmtp == t->from.esmtp && t->to.user == t->from.user && t->to.tls == t->from.tls;
    bool chunk = t->outcome == NO && (t->input == IN_BDAT || t->input == IN_CHUNK_BIG) && t->from.rcpt;
    if (chunk)
        return kept && t->to.phase == P_CHUNK_FAILED && !t->to.mail;
    if (!kept || t->to.phase != t->law->phases[t->from.phase].home)
        return false;
    return !is_verb(t->input) || (t->to.phase == t->from.phase && t->to.mail == t->from.mail);
}

/* What is out of order is 503 or, for what policy asks, 530; others have their own reasons. */
static bool refusals_have_their_codes(const struct step *t)
{
    if (!is_verb(t->input) || (t->outcome != NO && t->outcome != UNMET) || t->say == R_CALLER)
        return true;
    int code = smtp_replies[t->say].code;
    int wanted = t->say == R_TLS_REQUIRED || t->say == R_AUTH_REQUIRED    ? 530
                 : t->say == R_NOT_OFFERED || t->say == R_NOT_IMPLEMENTED ? 502
                 : t->say == R_LMTP_SAYS_LHLO                             ? 500
                 : t->say == R_NO_VALID_RECIPIENTS                        ? 554
                 : t->say == R_TOO_MANY_RECIPIENTS                        ? 452
                 : t->say == R_AUTH_NEEDS_TLS                             ? 504
                                                                          : 503;
    if (code != wanted)
        return false;
    bool before_tls = t->input == IN_NOOP || t->input == IN_EHLO || t->input == IN_LHLO ||
                      t->input == IN_STARTTLS || t->input == IN_QUIT;
    bool before_user = t->input == IN_AUTH || t->input == IN_HELO || t->input == IN_RSET;
    return !(code == 530 && before_tls) && !(t->say == R_AUTH_REQUIRED && before_user);
}

/* 530 comes before 503: policy is told first, in every phase but where the greeting was a refusal. */
static bool policy_speaks_first(const struct step *t)
{
    static const unsigned gated[] = {IN_MAIL, IN_RCPT, IN_DATA, IN_BDAT, IN_VRFY, IN_EXPN, IN_HELP};
    bool is_gated = false;
    for (unsigned i = 0; i < sizeof(gated) / sizeof(gated[0]); i++)
        is_gated = is_gated || t->input == gated[i];
    if (!is_gated || t->from.phase == P_REFUSED || (t->input == IN_BDAT && !t->policy->chunking))
        return true;
    bool tls = t->policy->tls_required && !t->from.tls, user = t->policy->auth_required && !t->from.user;
    return tls ? t->say == R_TLS_REQUIRED : !user || t->say == R_AUTH_REQUIRED;
}

static bool closed_is_closed(const struct step *t) { return t->from.phase != P_CLOSED; }

static bool is_reset(unsigned input)
{
    return input == IN_RSET || input == IN_EHLO || input == IN_HELO || input == IN_LHLO;
}

/* RFC 3030 2: nothing but further chunks, and what gives the mail up. */
static bool chunks_and_data_do_not_mix(const struct step *t)
{
    if (t->from.phase == P_CHUNKED && t->to.phase != P_CHUNKED && t->to.phase != P_CLOSED)
        return (t->input == IN_BDAT && t->to.phase == P_CHUNK) || t->to.phase == P_CHUNK_FAILED ||
               (is_reset(t->input) && t->to.phase == P_READY);
    return t->from.phase != P_CHUNK || t->to.phase == P_CHUNK || t->to.phase == P_CHUNKED ||
           t->to.phase == P_READY || t->to.phase == P_CLOSED;
}

static bool failed_chunk_needs_reset(const struct step *t)
{
    return t->from.phase != P_CHUNK_FAILED || t->to.phase == P_CHUNK_FAILED || t->to.phase == P_CLOSED ||
           (is_reset(t->input) && t->to.phase == P_READY && !t->to.mail);
}

/* RFC 3030 3 */
static bool binary_comes_by_chunks(const struct step *t) { return t->to.phase != P_DATA || !t->to.binary; }

/* RFC 2033 4.1 */
static bool each_protocol_has_its_hello(const struct step *t)
{
    if (t->outcome != YES)
        return true;
    return t->policy->lmtp ? t->input != IN_EHLO && t->input != IN_HELO : t->input != IN_LHLO;
}

static bool only_what_is_offered(const struct step *t)
{
    return !is_verb(t->input) || (t->outcome != YES && t->outcome != MORE) ||
           is_offered(t->policy, &t->from, t->input);
}

/* RFC 5321 2.2.1 */
static bool extensions_need_ehlo(const struct step *t)
{
    static const unsigned verbs[] = {IN_AUTH, IN_STARTTLS, IN_BDAT, IN_ETRN, IN_XCLIENT, IN_XFORWARD};
    for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (t->input == verbs[i] && (t->outcome == YES || t->outcome == MORE))
            return t->from.esmtp;
    return true;
}

static bool another_client_begins_anew(const struct step *t)
{
    if (t->input != IN_XCLIENT || t->outcome != YES)
        return true;
    return t->to.phase == P_START && !t->to.esmtp && !t->to.mail && !t->from.mail && t->to.tls == t->from.tls;
}

/* RFC 5321 4.1.1.5, 4.1.4: RSET and a new hello leave no mail. */
static bool resets_drop_the_mail(const struct step *t)
{
    if (!is_reset(t->input) || t->outcome != YES)
        return true;
    return !t->to.mail && !t->to.rcpt && (t->to.phase == P_READY || t->to.phase == P_START) &&
           (t->input != IN_RSET || (t->to.user == t->from.user && t->to.esmtp == t->from.esmtp));
}

/* RFC 5321 4.1.4: RSET before EHLO is no introduction; only a hello is. */
static bool only_hello_introduces(const struct step *t)
{
    bool start = t->from.phase == P_START, leaves = t->to.phase != P_START && t->to.phase != P_CLOSED;
    return !start || !leaves || t->input == IN_EHLO || t->input == IN_HELO || t->input == IN_LHLO;
}

/* Whatever is said to it, the end of a message ends the mail (RFC 5321 4.1.1.4). */
static bool a_message_ends_its_mail(const struct step *t)
{
    bool end = t->input >= IN_END && t->input <= IN_END_8BIT;
    return !end || (!t->to.mail && t->to.phase == P_READY);
}

/* RFC 5321 3.3, 4.1.4 */
static bool one_sender_a_mail(const struct step *t)
{
    if (t->input != IN_MAIL || t->outcome != YES)
        return true;
    return !t->from.mail && t->from.phase == P_READY && t->to.phase == P_MAIL;
}

static bool recipients_are_counted(const struct step *t)
{
    return t->input != IN_RCPT || t->outcome != YES || (!t->from.full && t->from.mail && t->to.rcpt);
}

/* After a greeting that refused, nothing but QUIT (RFC 5321 3.1). */
static bool a_refused_greeting_stays(const struct step *t)
{
    return t->from.phase != P_REFUSED || t->to.phase == P_REFUSED || t->to.phase == P_CLOSED;
}

/* --- theorems about the table's form ------------------------------------------------------------ */

static bool asks_well(const struct law *l, unsigned p)
{
    bool asks = false;
    for (unsigned i = 0; i < IN_N; i++) {
        const struct smtp_rule *r = &l->rules[p][i];
        bool commands = l->phases[p].reads == READS_COMMANDS;
        if ((r->who == ABSENT) != (r->rfc == NULL) || (r->who == CALLER) != (r->ask != 0) ||
            (is_verb(i) && commands != (r->who != ABSENT)))
            return false;
        asks = asks || r->who == CALLER;
    }
    return !asks || l->rules[p][IN_DISMISS].who == ENGINE;
}

/* The engine relies on these rows: it has no answer of its own where one is absent. */
static bool no_row_is_missing(const struct law *l)
{
    static const unsigned in_lines[] = {IN_OFF,   IN_UNKNOWN, IN_LONG,  IN_LONG_AUTH, IN_CONTROL,  IN_BARE_LF,
                                        IN_AHEAD, IN_HTTP,    IN_PROXY, IN_ERRORS,    IN_BAD_CHUNK};
    static const unsigned in_sasl[] = {IN_ANSWER,  IN_CANCEL, IN_BAD_BASE64, IN_LONG,
                                       IN_BARE_LF, IN_ERRORS, IN_DISMISS};
    static const unsigned in_data[] = {IN_END,     IN_END_BARE_LF, IN_END_BARE_CR, IN_END_BIG,
                                       IN_END_NUL, IN_END_8BIT,    IN_DISMISS};
    static const unsigned in_chunk[] = {IN_END,     IN_CHUNK_END, IN_END_BARE_LF, IN_END_BARE_CR,
                                        IN_END_NUL, IN_END_8BIT,  IN_DISMISS};
    bool good = true;
    for (unsigned p = 0; p < P_N; p++) {
        bool commands = l->phases[p].reads == READS_COMMANDS;
        good = good && asks_well(l, p);
        for (unsigned i = 0; commands && i < sizeof(in_lines) / sizeof(in_lines[0]); i++)
            good = good && l->rules[p][in_lines[i]].who != ABSENT;
        for (unsigned i = 0; commands && i < IN_VERB_N; i++)
            good = good && (!l->words[i].idle || l->rules[p][i].who == REFUSES ||
                            l->rules[p][IN_IDLERS].who == ENGINE);
        good = good && (l->rules[p][IN_AUTH].who != CALLER || l->rules[p][IN_FAILURES].who == ENGINE);
        bool chunks = l->rules[p][IN_BDAT].who == CALLER || l->rules[p][IN_BDAT].who == ENGINE;
        good = good && (!chunks || l->rules[p][IN_CHUNK_BIG].who == REFUSES);
    }
    for (unsigned i = 0; i < sizeof(in_sasl) / sizeof(in_sasl[0]); i++)
        good = good && l->rules[P_SASL][in_sasl[i]].who != ABSENT;
    for (unsigned i = 0; i < sizeof(in_data) / sizeof(in_data[0]); i++)
        good = good && l->rules[P_DATA][in_data[i]].who != ABSENT;
    for (unsigned i = 0; i < sizeof(in_chunk) / sizeof(in_chunk[0]); i++)
        good = good && l->rules[P_CHUNK][in_chunk[i]].who != ABSENT;
    return good;
}

static unsigned verb_of(struct sp_view word)
{
    for (unsigned i = 0; i < IN_VERB_N; i++)
        if (sp_view_eq_nocase(smtp_words[i].spelling, word))
            return i;
    return IN_N;
}

/* "data-before-rcpt" tells the truth: RCPT is accepted there, and leads where DATA is nearer. */
static bool tells_the_truth(const struct law *l, unsigned phase, unsigned verb)
{
    const struct smtp_rule *here = &l->rules[phase][verb];
    struct sp_view id = sp_view_of(smtp_replies[here->no.say].reason), first, middle, second;
    if (!sp_view_word(&id, '-', &first) || !sp_view_word(&id, '-', &middle) ||
        !sp_view_eq(middle, SP_LIT("before")) || !sp_view_word(&id, '-', &second))
        return true;
    unsigned missing = verb_of(second);
    if (verb_of(first) != verb || missing == IN_N)
        return false;
    const struct smtp_rule *step = &l->rules[phase][missing], *then = &l->rules[step->yes.next][verb];
    return step->who == CALLER &&
           (then->who >= ENGINE || (then->who == REFUSES && then->no.say != here->no.say));
}

static bool reasons_tell_the_truth(const struct law *l)
{
    for (unsigned p = 0; p < P_N; p++)
        for (unsigned i = 0; i < IN_VERB_N; i++)
            if (l->rules[p][i].who == REFUSES && !tells_the_truth(l, p, i))
                return false;
    return true;
}

/* What cannot be done any more, or could be a password, is not said to be a refusal of the caller. */
static bool words_fit_their_senders(const struct law *l)
{
    for (unsigned p = 0; p < P_N; p++)
        for (unsigned i = 0; i < IN_N; i++) {
            const struct smtp_rule *r = &l->rules[p][i];
            if (r->who == REFUSES && smtp_replies[r->no.say].code < 400)
                return false;
            if (r->who == CALLER && (r->no.say != R_CALLER || smtp_replies[r->yes.say].code >= 400))
                return false;
        }
    return true;
}

/* --- all ------------------------------------------------------------------------------------------ */

static const struct theorem {
    const char *name;
    bool (*of_state)(const struct place *at);
    bool (*of_step)(const struct step *t);
    bool (*of_form)(const struct law *l);
} theorems[] = {
#define STATE(f)                                                                                             \
    {                                                                                                        \
        .name = #f, .of_state = f                                                                            \
    }
#define STEP(f)                                                                                              \
    {                                                                                                        \
        .name = #f, .of_step = f                                                                             \
    }
#define FORM(f)                                                                                              \
    {                                                                                                        \
        .name = #f, .of_form = f                                                                             \
    }
    STATE(phase_tells_the_mail),
    STATE(policy_is_kept),
    STATE(every_state_ends),
    STATE(something_to_say),
    STATE(waiting_is_timed),
    STEP(no_message_without_envelope),
    STEP(nothing_clear_survives),
    STEP(users_come_from_auth),
    STEP(new_readers_need_silence),
    STEP(refusals_go_home),
    STEP(refusals_have_their_codes),
    STEP(policy_speaks_first),
    STEP(closed_is_closed),
    STEP(chunks_and_data_do_not_mix),
    STEP(failed_chunk_needs_reset),
    STEP(binary_comes_by_chunks),
    STEP(each_protocol_has_its_hello),
    STEP(only_what_is_offered),
    STEP(extensions_need_ehlo),
    STEP(another_client_begins_anew),
    STEP(resets_drop_the_mail),
    STEP(only_hello_introduces),
    STEP(a_message_ends_its_mail),
    STEP(one_sender_a_mail),
    STEP(recipients_are_counted),
    STEP(a_refused_greeting_stays),
    FORM(no_row_is_missing),
    FORM(reasons_tell_the_truth),
    FORM(words_fit_their_senders),
    {.name = "mail_gets_through"},
};
enum { THEOREM_N = sizeof(theorems) / sizeof(theorems[0]) };

const char *law_theorem(unsigned n) { return n < THEOREM_N ? theorems[n].name : NULL; }

struct walk {
    const struct law *law;
    uint64_t theorems; /* that are judged, and have not fallen yet */
    bool stored_by_data, stored_by_chunks;
    struct law_verdicts *out;
};

static void fall(struct walk *w, unsigned n, const char *where)
{
    w->theorems &= ~(1ull << n);
    w->out->fallen |= 1ull << n;
    snprintf(w->out->where[n], sizeof(w->out->where[n]), "%s", where);
}

static void fall_in(struct walk *w, unsigned n, const struct state *s, unsigned input)
{
    char where[120];
    snprintf(where, sizeof(where), "in %s%s%s%s, on %s", smtp_phases[s->phase].name, s->tls ? " tls" : "",
             s->user ? " user" : "", s->esmtp ? " esmtp" : "",
             input < IN_N ? smtp_input_name(input) : "arrival");
    fall(w, n, where);
}

static void look(struct walk *w, const struct policy *p, const struct state *s)
{
    const struct place place = {w->law, p, *s};
    w->out->states++;
    for (unsigned n = 0; n < THEOREM_N; n++)
        if ((w->theorems & 1ull << n) && theorems[n].of_state && !theorems[n].of_state(&place))
            fall_in(w, n, s, IN_N);
}

static void look_at_step(struct walk *w, const struct step *t)
{
    for (unsigned n = 0; n < THEOREM_N; n++)
        if ((w->theorems & 1ull << n) && theorems[n].of_step && !theorems[n].of_step(t))
            fall_in(w, n, &t->from, t->input);
    w->stored_by_data |= t->from.phase == P_DATA && t->input == IN_END && t->outcome == YES;
    w->stored_by_chunks |= t->from.phase == P_CHUNK && t->input == IN_END && t->outcome == YES;
}

static void walk(struct walk *w, const struct policy *p)
{
    static struct state queue[STATE_N];
    static bool seen[STATE_N];
    unsigned head = 0, tail = 0;
    memset(seen, 0, sizeof(seen));
    queue[tail++] = (struct state){.phase = P_GREET, .tls = p->implicit_tls};
    seen[index_of(&queue[0])] = true;
    while (head < tail) {
        struct state s = queue[head++];
        look(w, p, &s);
        for (unsigned input = 0; input < IN_N; input++) {
            struct step steps[STEPS_MAX];
            unsigned n = steps_on(w->law, p, &s, input, steps);
            for (unsigned i = 0; i < n; i++) {
                look_at_step(w, &steps[i]);
                if (seen[index_of(&steps[i].to)])
                    continue;
                seen[index_of(&steps[i].to)] = true;
                queue[tail++] = steps[i].to;
            }
        }
    }
}

/* A listener that can be used at all lets a mail through; one that asks for the impossible never does. */
static bool lets_mail_through(const struct walk *w, const struct policy *p)
{
    bool can_tls = p->starttls || p->implicit_tls;
    bool can_auth = (can_tls && p->mechanism_tls) ||
                    (!p->implicit_tls && !p->tls_required && p->mechanism_clear) || p->xclient;
    bool usable = (!p->tls_required || can_tls) && (!p->auth_required || can_auth);
    return w->stored_by_data == usable && w->stored_by_chunks == (usable && p->chunking);
}

void law_judge(const struct law *l, uint64_t wanted, struct law_verdicts *out)
{
    enum { THROUGH = THEOREM_N - 1 }; /* mail_gets_through */
    struct walk w = {.law = l, .theorems = wanted & ((1ull << THEOREM_N) - 1), .out = out};
    uint64_t forms = 0;
    *out = (struct law_verdicts){0};
    for (unsigned n = 0; n < THEOREM_N; n++) {
        forms |= theorems[n].of_form ? 1ull << n : 0;
        if ((w.theorems & 1ull << n) && theorems[n].of_form && !theorems[n].of_form(l))
            fall(&w, n, "in the table's form");
    }
    for (unsigned i = 0; i < POLICY_N && (w.theorems & ~forms); i++) {
        struct policy p = policy_of(i);
        w.stored_by_data = w.stored_by_chunks = false;
        walk(&w, &p);
        if ((w.theorems & 1ull << THROUGH) && !lets_mail_through(&w, &p))
            fall(&w, THROUGH, "under some policy");
    }
}
