/*
 * The walk: every state that the rule table can reach, for every policy, breadth first, and
 * theorems about each state and each step. The table is read here as data; the engine's own
 * code takes no part, so a fault in either shows.
 */
#include "tap.h"

#include "base/view.h"
#include "smtp/server_rules.h"

#include <stdio.h>
#include <string.h>

struct policy {
    bool starttls, tls_required, auth_required, mechanism_clear, mechanism_tls, implicit_tls;
};

struct state {
    uint8_t phase;
    bool tls, user, esmtp, mail, rcpt, refused, full;
};

enum outcome { YES, MORE, NO, UNMET };

struct step {
    const struct policy *policy;
    struct state from, to;
    unsigned input;
    enum outcome outcome;
    unsigned say;
};

typedef void visit_step(const struct step *step);
typedef void visit_state(const struct policy *policy, const struct state *s);

enum { STATE_N = P_N << 7 };

static unsigned index_of(const struct state *s)
{
    return (unsigned)s->phase << 7 | (unsigned)s->tls << 6 | (unsigned)s->user << 5 |
           (unsigned)s->esmtp << 4 | (unsigned)s->mail << 3 | (unsigned)s->rcpt << 2 |
           (unsigned)s->refused << 1 | (unsigned)s->full;
}

static unsigned met(const struct policy *p, const struct state *s, unsigned input)
{
    bool mechanism = s->tls ? p->mechanism_tls : p->mechanism_clear;
    bool auth = mechanism || (!s->tls && p->starttls && p->mechanism_tls);
    bool offered = input == IN_AUTH ? auth : input == IN_STARTTLS ? p->starttls || s->tls : true;
    return (offered ? NEED_OFFERED : 0u) | (!p->tls_required || s->tls ? NEED_TLS : 0u) |
           (!p->auth_required || s->user ? NEED_USER : 0u) | (!s->tls ? NEED_PLAIN : 0u) |
           (!s->user ? NEED_ANONYMOUS : 0u) | (!s->refused ? NEED_UNREFUSED : 0u) |
           (s->esmtp ? NEED_ESMTP : 0u) | (mechanism ? NEED_MECHANISM : 0u) | (!s->full ? NEED_ROOM : 0u) |
           NEED_ALONE;
}

static void drop_mail(struct state *s) { s->mail = s->rcpt = s->refused = s->full = false; }

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

/* The needs of a verb and its row that are not met here; bits in the order of the table. */
static unsigned unmet_needs(const struct policy *p, const struct state *s, unsigned input)
{
    unsigned verb = input < IN_VERB_N ? smtp_words[input].need & smtp_phases[s->phase].gates : 0;
    return (verb | smtp_rules[s->phase][input].need) & ~met(p, s, input);
}

/* Every step from a state on an input. */
static unsigned steps_on(const struct policy *p, const struct state *s, unsigned input, struct step out[4])
{
    const struct smtp_rule *r = &smtp_rules[s->phase][input];
    struct step base = {.policy = p, .from = *s, .input = input};
    unsigned n = 0, unmet = unmet_needs(p, s, input);
    if (r->who == ABSENT)
        return 0;
    if (unmet) {
        unsigned bit = 0;
        while (!(unmet & 1u << bit))
            bit++;
        base.outcome = UNMET;
        base.say = smtp_needs[bit].reply;
        base.to = after_no(*s, input, smtp_phases[s->phase].home);
        out[n++] = base;
        return n;
    }
    if (r->who == ENGINE || r->who == CALLER) {
        base.outcome = YES;
        base.say = r->yes.say;
        base.to = after_yes(*s, r);
        out[n++] = base;
        if (r->learn == LEARN_RECIPIENT) {
            base.to.full = true; /* this one was the last that there is room for */
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

static unsigned walk(const struct policy *p, visit_state *on_state, visit_step *on_step)
{
    static struct state queue[STATE_N];
    static bool seen[STATE_N];
    unsigned head = 0, tail = 0;
    memset(seen, 0, sizeof(seen));
    queue[tail++] = (struct state){.phase = P_GREET, .tls = p->implicit_tls};
    seen[index_of(&queue[0])] = true;
    while (head < tail) {
        struct state s = queue[head++];
        if (on_state)
            on_state(p, &s);
        for (unsigned input = 0; input < IN_N; input++) {
            struct step steps[4];
            unsigned n = steps_on(p, &s, input, steps);
            for (unsigned i = 0; i < n; i++) {
                if (on_step)
                    on_step(&steps[i]);
                if (!seen[index_of(&steps[i].to)]) {
                    seen[index_of(&steps[i].to)] = true;
                    queue[tail++] = steps[i].to;
                }
            }
        }
    }
    return tail;
}

/* All policies, sensible or not: the theorems hold for each. */
static unsigned walk_all(visit_state *on_state, visit_step *on_step)
{
    unsigned states = 0;
    for (unsigned i = 0; i < 64; i++) {
        struct policy p = {i & 1, i & 2, i & 4, i & 8, i & 16, i & 32};
        states += walk(&p, on_state, on_step);
    }
    return states;
}

static bool is_verb(unsigned input) { return input < IN_VERB_N; }
static uint8_t reads(uint8_t phase) { return smtp_phases[phase].reads; }

/* --- theorems about states ------------------------------------------------------------------- */

/* The phase and the flags never disagree: the phase is the only gate. */
static void phase_tells_the_mail(const struct policy *p, const struct state *s)
{
    (void)p;
    bool inside = s->phase == P_MAIL || s->phase == P_RCPT || s->phase == P_DATA;
    assert_int_equal(s->mail, inside);
    assert_true(!s->rcpt || s->mail);
    assert_true(s->phase == P_MAIL ? !s->rcpt : true);
    assert_true(s->phase == P_RCPT || s->phase == P_DATA ? s->rcpt : true);
}

static void policy_is_kept(const struct policy *p, const struct state *s)
{
    if (p->tls_required && !s->tls)
        assert_true(!s->mail && !s->user && s->phase != P_SASL);
    if (p->auth_required && !s->user)
        assert_false(s->mail);
    if (!s->tls && !p->mechanism_clear)
        assert_true(!s->user && s->phase != P_SASL);
}

/* Whoever reads, can leave: QUIT, the timer, the end of the connection, the end of the server. */
static void every_state_ends(const struct policy *p, const struct state *s)
{
    static const unsigned ends[] = {IN_TIMER, IN_SLOW, IN_EOF, IN_SHUTDOWN, IN_QUIT};
    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct step steps[4];
        if (s->phase == P_CLOSED || (ends[i] == IN_QUIT && reads(s->phase) != READS_COMMANDS))
            continue;
        assert_int_equal(steps_on(p, s, ends[i], steps), 1);
        assert_int_equal(steps[0].to.phase, P_CLOSED);
        assert_int_equal(steps[0].outcome, YES);
    }
}

/* A reply never says that nothing is accepted, and NOOP, EHLO and QUIT stay possible (RFC 5321 4.1.4). */
static void always_something_to_say(const struct policy *p, const struct state *s)
{
    static const unsigned always[] = {IN_NOOP, IN_EHLO, IN_QUIT};
    if (reads(s->phase) != READS_COMMANDS || s->phase == P_REFUSED)
        return;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(unmet_needs(p, s, always[i]), 0);
        assert_true(smtp_rules[s->phase][always[i]].who >= ENGINE);
    }
}

static bool reaches_a_stored_mail;
static void note_stored_mail(const struct step *t)
{
    reaches_a_stored_mail = reaches_a_stored_mail || (t->input == IN_END && t->outcome == YES);
}

static void test_phase_tells_the_mail(void **c)
{
    (void)c;
    unsigned n = walk_all(phase_tells_the_mail, NULL);
    print_message("# %u states under 64 policies\n", n);
    assert_true(n > 64 * 10);
}
static void test_policy_is_kept(void **c) { (void)c, walk_all(policy_is_kept, NULL); }
static void test_every_state_ends(void **c) { (void)c, walk_all(every_state_ends, NULL); }
static void test_always_something_to_say(void **c) { (void)c, walk_all(always_something_to_say, NULL); }

/* A listener that can be used at all lets a mail through; one that asks for the impossible never does. */
static void test_mail_gets_through(void **c)
{
    (void)c;
    for (unsigned i = 0; i < 64; i++) {
        struct policy p = {i & 1, i & 2, i & 4, i & 8, i & 16, i & 32};
        bool can_tls = p.starttls || p.implicit_tls;
        bool can_auth =
            (can_tls && p.mechanism_tls) || (!p.implicit_tls && !p.tls_required && p.mechanism_clear);
        bool usable = (!p.tls_required || can_tls) && (!p.auth_required || can_auth);
        reaches_a_stored_mail = false;
        walk(&p, NULL, note_stored_mail);
        assert_int_equal(reaches_a_stored_mail, usable);
    }
}

/* --- theorems about steps --------------------------------------------------------------------- */

static void no_message_without_envelope(const struct step *t)
{
    if (t->to.phase == P_DATA && t->from.phase != P_DATA)
        assert_true(t->from.phase == P_RCPT && t->from.mail && t->from.rcpt && t->input == IN_DATA);
    if (t->input == IN_END && t->outcome == YES)
        assert_true(t->from.mail && t->from.rcpt);
}

/* RFC 3207 4.2 */
static void nothing_clear_survives_starttls(const struct step *t)
{
    if (t->input == IN_SECURED)
        assert_true(t->to.tls && !t->to.esmtp && !t->to.user && !t->to.mail && t->to.phase == P_START);
    if (t->to.tls != t->from.tls)
        assert_true(t->input == IN_SECURED && !t->from.tls);
}

/* RFC 4954 4: no second AUTH, none in a mail, none without EHLO; no password is asked for in clear against
 * policy. */
static void users_come_from_auth_alone(const struct step *t)
{
    bool asked = t->input == IN_AUTH && (t->outcome == YES || t->outcome == MORE);
    if (asked) {
        assert_true(!t->from.user && !t->from.mail && t->from.esmtp && t->from.phase == P_READY);
        assert_true(t->from.tls || (t->policy->mechanism_clear && !t->policy->tls_required));
    }
    if (t->to.user && !t->from.user)
        assert_true(t->outcome == YES && (t->input == IN_AUTH || t->input == IN_ANSWER));
    if (t->to.phase == P_SASL)
        assert_true(t->outcome == MORE && (asked || t->from.phase == P_SASL));
}

/* A reply that changes who reads the octets needs an empty input behind the command (RFC 2920 3.1, 3207 4).
 */
static void new_readers_need_silence(const struct step *t)
{
    if (is_verb(t->input) && t->to.phase != P_CLOSED && reads(t->to.phase) != reads(t->from.phase))
        assert_true(smtp_words[t->input].need & NEED_ALONE);
}

static void refusals_go_home(const struct step *t)
{
    if (t->outcome != NO && t->outcome != UNMET)
        return;
    assert_int_equal(t->to.phase, smtp_phases[t->from.phase].home);
    assert_true(t->to.esmtp == t->from.esmtp && t->to.user == t->from.user && t->to.tls == t->from.tls);
    if (is_verb(t->input)) {
        assert_int_equal(t->to.phase, t->from.phase);
        assert_int_equal(t->to.mail, t->from.mail);
    }
}

/* What is out of order is 503 or, for what policy asks, 530; 554 and 452 have their own reasons (RFC
 * 5321 3.3, 4.5.3.1.10). */
static void refusals_by_the_table_have_their_codes(const struct step *t)
{
    if (!is_verb(t->input) || (t->outcome != NO && t->outcome != UNMET) || t->say == R_CALLER)
        return;
    int code = smtp_replies[t->say].code;
    if (t->say == R_TLS_REQUIRED || t->say == R_AUTH_REQUIRED)
        assert_int_equal(code, 530);
    else if (t->say == R_NOT_OFFERED)
        assert_int_equal(code, 502);
    else if (t->say == R_NO_VALID_RECIPIENTS)
        assert_int_equal(code, 554);
    else if (t->say == R_TOO_MANY_RECIPIENTS)
        assert_int_equal(code, 452);
    else if (t->say == R_AUTH_NEEDS_TLS)
        assert_int_equal(code, 504);
    else
        assert_int_equal(code, 503);
    if (code == 530)
        assert_true(t->input != IN_NOOP && t->input != IN_EHLO && t->input != IN_STARTTLS &&
                    t->input != IN_QUIT);
    if (t->say == R_AUTH_REQUIRED)
        assert_true(t->input != IN_AUTH && t->input != IN_HELO && t->input != IN_RSET);
}

static void closed_is_closed(const struct step *t) { assert_int_not_equal(t->from.phase, P_CLOSED); }

static void test_no_message_without_envelope(void **c)
{
    (void)c, walk_all(NULL, no_message_without_envelope);
}
static void test_nothing_clear_survives(void **c)
{
    (void)c, walk_all(NULL, nothing_clear_survives_starttls);
}
static void test_users_come_from_auth(void **c) { (void)c, walk_all(NULL, users_come_from_auth_alone); }
static void test_new_readers_need_silence(void **c) { (void)c, walk_all(NULL, new_readers_need_silence); }
static void test_refusals_go_home(void **c) { (void)c, walk_all(NULL, refusals_go_home); }
static void test_refusal_codes(void **c) { (void)c, walk_all(NULL, refusals_by_the_table_have_their_codes); }
static void test_closed_is_closed(void **c) { (void)c, walk_all(NULL, closed_is_closed); }

/* --- theorems about the table's form ------------------------------------------------------------ */

/* The engine relies on these rows: it has no answer of its own where one is absent. */
static void test_no_row_is_missing(void **c)
{
    (void)c;
    static const unsigned in_lines[] = {IN_OFF,     IN_UNKNOWN, IN_LONG, IN_LONG_AUTH, IN_CONTROL,
                                        IN_BARE_LF, IN_AHEAD,   IN_HTTP, IN_PROXY,     IN_ERRORS};
    static const unsigned in_sasl[] = {IN_ANSWER,  IN_CANCEL, IN_BAD_BASE64, IN_LONG,
                                       IN_BARE_LF, IN_ERRORS, IN_DISMISS};
    static const unsigned in_data[] = {IN_END, IN_END_BARE_LF, IN_END_BARE_CR, IN_END_BIG, IN_DISMISS};
    for (unsigned p = 0; p < P_N; p++) {
        bool commands = smtp_phases[p].reads == READS_COMMANDS, asks = false;
        for (unsigned i = 0; i < IN_N; i++) {
            const struct smtp_rule *r = &smtp_rules[p][i];
            assert_int_equal(r->who == ABSENT, r->rfc == NULL);
            assert_true(!is_verb(i) || (commands == (r->who != ABSENT)));
            assert_int_equal(r->who == CALLER, r->ask != 0);
            asks = asks || r->who == CALLER;
        }
        assert_true(!asks || smtp_rules[p][IN_DISMISS].who == ENGINE);
        for (unsigned i = 0; commands && i < sizeof(in_lines) / sizeof(in_lines[0]); i++)
            assert_int_not_equal(smtp_rules[p][in_lines[i]].who, ABSENT);
        for (unsigned i = 0; commands && i < IN_VERB_N; i++)
            assert_true(!smtp_words[i].idle || smtp_rules[p][i].who == REFUSES ||
                        smtp_rules[p][IN_IDLERS].who == ENGINE);
        assert_true(smtp_rules[p][IN_AUTH].who != CALLER || smtp_rules[p][IN_FAILURES].who == ENGINE);
    }
    for (unsigned i = 0; i < sizeof(in_sasl) / sizeof(in_sasl[0]); i++)
        assert_int_not_equal(smtp_rules[P_SASL][in_sasl[i]].who, ABSENT);
    for (unsigned i = 0; i < sizeof(in_data) / sizeof(in_data[0]); i++)
        assert_int_not_equal(smtp_rules[P_DATA][in_data[i]].who, ABSENT);
}

static unsigned verb_of(struct sp_view word)
{
    for (unsigned i = 0; i < IN_VERB_N; i++)
        if (sp_view_eq_nocase(smtp_words[i].spelling, word))
            return i;
    return IN_N;
}

/* "data-before-rcpt" tells the truth: RCPT is accepted there, and leads where DATA is nearer. */
static void check_before(unsigned phase, unsigned verb, const char *reason)
{
    struct sp_view id = sp_view_of(reason), first, middle, second;
    if (!sp_view_word(&id, '-', &first) || !sp_view_word(&id, '-', &middle) ||
        !sp_view_eq(middle, SP_LIT("before")) || !sp_view_word(&id, '-', &second))
        return;
    unsigned missing = verb_of(second);
    assert_int_equal(verb_of(first), verb);
    assert_int_not_equal(missing, IN_N);
    const struct smtp_rule *step = &smtp_rules[phase][missing];
    assert_int_equal(step->who, CALLER);
    const struct smtp_rule *then = &smtp_rules[step->yes.next][verb];
    assert_true(then->who >= ENGINE ||
                (then->who == REFUSES && then->no.say != smtp_rules[phase][verb].no.say));
}

static void test_reasons_tell_the_truth(void **c)
{
    (void)c;
    for (unsigned p = 0; p < P_N; p++)
        for (unsigned i = 0; i < IN_VERB_N; i++)
            if (smtp_rules[p][i].who == REFUSES)
                check_before(p, i, smtp_replies[smtp_rules[p][i].no.say].reason);
}

static void test_replies_are_well_formed(void **c)
{
    (void)c;
    for (unsigned i = 0; i < R_N; i++) {
        const struct smtp_reply_row *r = &smtp_replies[i];
        assert_int_equal(r->code >= 400, r->reason[0] != 0);
        assert_int_equal(i >= R_REFUSALS, r->code >= 400);
        if (r->code >= 400)
            assert_true(r->enhanced[0] == '0' + r->code / 100 && strlen(r->reason) <= SMTP_REASON_MAX);
        for (unsigned k = 0; k < i; k++)
            assert_true(r->reason[0] == 0 || strcmp(r->reason, smtp_replies[k].reason) != 0);
    }
}

static void test_words_are_found(void **c)
{
    (void)c;
    for (unsigned i = 0; i < IN_VERB_N; i++) {
        assert_int_equal(smtp_words[i].input, i);
        assert_ptr_equal(smtp_word_find(smtp_words[i].spelling), &smtp_words[i]);
        assert_string_equal(smtp_input_name(i), (const char *)smtp_words[i].spelling.p);
    }
    assert_ptr_equal(smtp_word_find(SP_LIT("eHlO")), &smtp_words[IN_EHLO]);
    assert_int_equal(smtp_word_find(SP_LIT("EHL"))->input, IN_UNKNOWN);
    assert_int_equal(smtp_word_find(SP_LIT("EHLOO"))->input, IN_UNKNOWN);
    assert_int_equal(smtp_word_find(SP_LIT(""))->input, IN_UNKNOWN);
    assert_int_equal(smtp_word_find(SP_LIT("bdat"))->input, IN_OFF);
    assert_int_equal(smtp_word_find(SP_LIT("GET"))->input, IN_HTTP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phase_tells_the_mail),
        cmocka_unit_test(test_policy_is_kept),
        cmocka_unit_test(test_every_state_ends),
        cmocka_unit_test(test_always_something_to_say),
        cmocka_unit_test(test_mail_gets_through),
        cmocka_unit_test(test_no_message_without_envelope),
        cmocka_unit_test(test_nothing_clear_survives),
        cmocka_unit_test(test_users_come_from_auth),
        cmocka_unit_test(test_new_readers_need_silence),
        cmocka_unit_test(test_refusals_go_home),
        cmocka_unit_test(test_refusal_codes),
        cmocka_unit_test(test_closed_is_closed),
        cmocka_unit_test(test_no_row_is_missing),
        cmocka_unit_test(test_reasons_tell_the_truth),
        cmocka_unit_test(test_replies_are_well_formed),
        cmocka_unit_test(test_words_are_found),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
