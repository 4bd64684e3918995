/*
 * Damaging edits to the rule table, each with the theorem of law.c that must fall, or the drive that must
 * find a difference: so the witnesses are seen to see. Every theorem is the witness of one edit at least.
 */
#include "tap.h"

#include "drive.h"
#include "law.h"
#include "oracle.h"

#include <stdio.h>
#include <string.h>

#define NO_ROW                       ((struct smtp_rule){0})
#define WORD_LOSES(verb, what)       l->words[IN_##verb].need &= (uint16_t)~NEED_##what
#define ROW_LOSES(phase, verb, what) l->rules[P_##phase][IN_##verb].need &= (uint16_t)~NEED_##what
#define COPY(phase, input, from)     l->rules[P_##phase][IN_##input] = l->rules[P_##from][IN_##input]
#define ROW(phase, input)            l->rules[P_##phase][IN_##input]

/* NAME, the theorem, the edit. */
#define MUTANTS(X)                                                                                           \
    X(mail_before_ehlo, only_hello_introduces, COPY(START, MAIL, READY))                                     \
    X(rset_introduces, only_hello_introduces, ROW(START, RSET).yes.next = P_READY)                           \
    X(rcpt_without_mail, phase_tells_the_mail, COPY(READY, RCPT, MAIL))                                      \
    X(rcpt_teaches_nothing, phase_tells_the_mail, ROW(MAIL, RCPT).learn = LEARN_NOTHING)                     \
    X(data_without_rcpt, no_message_without_envelope, COPY(MAIL, DATA, RCPT))                                \
    X(bdat_without_rcpt, no_message_without_envelope, COPY(MAIL, BDAT, RCPT))                                \
    X(nested_mail, one_sender_a_mail, COPY(RCPT, MAIL, READY))                                               \
    X(rset_keeps_the_mail, resets_drop_the_mail, ROW(RCPT, RSET).forget = KEEP)                              \
    X(ehlo_keeps_the_mail, resets_drop_the_mail, ROW(RCPT, EHLO).forget = KEEP)                              \
    X(rset_forgets_the_user, resets_drop_the_mail, ROW(READY, RSET).forget = FORGET_ALL)                     \
    X(handshake_forgets_nothing, nothing_clear_survives, ROW(TLS, SECURED).forget = KEEP)                    \
    X(handshake_needs_no_ehlo, nothing_clear_survives, ROW(TLS, SECURED).yes.next = P_READY)                 \
    X(starttls_is_pipelined, new_readers_need_silence, WORD_LOSES(STARTTLS, ALONE))                          \
    X(data_is_pipelined, new_readers_need_silence, WORD_LOSES(DATA, ALONE))                                  \
    X(auth_is_pipelined, new_readers_need_silence, WORD_LOSES(AUTH, ALONE))                                  \
    X(xclient_is_pipelined, new_readers_need_silence, WORD_LOSES(XCLIENT, ALONE))                            \
    X(auth_twice, users_come_from_auth, WORD_LOSES(AUTH, ANONYMOUS))                                         \
    X(auth_in_a_mail, users_come_from_auth, COPY(MAIL, AUTH, READY))                                         \
    X(auth_in_clear, users_come_from_auth, ROW_LOSES(READY, AUTH, MECHANISM))                                \
    X(ehlo_logs_in, users_come_from_auth, ROW(START, EHLO).learn = LEARN_USER)                               \
    X(auth_after_helo, extensions_need_ehlo, ROW_LOSES(READY, AUTH, ESMTP))                                  \
    X(starttls_after_helo, extensions_need_ehlo, ROW_LOSES(READY, STARTTLS, ESMTP))                          \
    X(bdat_after_helo, extensions_need_ehlo, ROW_LOSES(RCPT, BDAT, ESMTP))                                   \
    X(mail_before_tls, policy_is_kept, WORD_LOSES(MAIL, TLS))                                                \
    X(mail_before_user, policy_is_kept, WORD_LOSES(MAIL, USER))                                              \
    X(vrfy_before_user, policy_speaks_first, WORD_LOSES(VRFY, USER))                                         \
    X(bdat_before_tls, policy_speaks_first, WORD_LOSES(BDAT, TLS))                                           \
    X(noop_needs_tls, something_to_say, l->words[IN_NOOP].need |= NEED_TLS)                                  \
    X(quit_is_refused, every_state_ends, ROW(MAIL, QUIT).who = REFUSES)                                      \
    X(timer_stays, every_state_ends, ROW(CHUNK, TIMER).yes.next = P_CHUNK)                                   \
    X(eof_is_forgotten, every_state_ends, ROW(SASL, EOF) = NO_ROW)                                           \
    X(message_without_timer, waiting_is_timed, l->phases[P_DATA].timer = TIMER_NEVER)                        \
    X(chunk_at_the_pace_of_commands, waiting_is_timed, l->phases[P_CHUNK].timer = TIMER_COMMAND)             \
    X(data_between_chunks, chunks_and_data_do_not_mix, COPY(CHUNKED, DATA, RCPT))                            \
    X(chunk_end_reopens_rcpt, chunks_and_data_do_not_mix, ROW(CHUNK, CHUNK_END).yes.next = P_RCPT)           \
    X(mail_after_a_failed_chunk, failed_chunk_needs_reset, COPY(CHUNK_FAILED, MAIL, READY))                  \
    X(bdat_after_a_failed_chunk, failed_chunk_needs_reset, COPY(CHUNK_FAILED, BDAT, CHUNKED))                \
    X(big_chunk_is_forgiven, refusals_go_home, ROW(RCPT, CHUNK_BIG).no.next = P_RCPT)                        \
    X(refused_first_chunk_is_forgiven, refusals_go_home, ROW(RCPT, BDAT).no.next = P_RCPT)                   \
    X(refused_rcpt_ends_the_mail, refusals_go_home, ROW(MAIL, RCPT).no.next = P_READY)                       \
    X(binary_by_data, binary_comes_by_chunks, ROW_LOSES(RCPT, DATA, LINES))                                  \
    X(bdat_not_offered, only_what_is_offered, WORD_LOSES(BDAT, OFFERED))                                     \
    X(xclient_for_all, only_what_is_offered, WORD_LOSES(XCLIENT, OFFERED))                                   \
    X(ehlo_in_lmtp, each_protocol_has_its_hello, WORD_LOSES(EHLO, SMTP))                                     \
    X(lhlo_in_smtp, each_protocol_has_its_hello, WORD_LOSES(LHLO, LMTP))                                     \
    X(xclient_in_a_mail, another_client_begins_anew, COPY(MAIL, XCLIENT, READY))                             \
    X(xclient_keeps_the_hello, another_client_begins_anew, ROW(READY, XCLIENT).forget = KEEP)                \
    X(bad_message_leaves_the_mail, a_message_ends_its_mail, ROW(DATA, END_BARE_LF).no.next = P_RCPT)         \
    X(good_message_leaves_the_mail, a_message_ends_its_mail, ROW(DATA, END).forget = KEEP)                   \
    X(recipients_without_end, recipients_are_counted, ROW_LOSES(RCPT, RCPT, ROOM))                           \
    X(refused_greeting_is_forgiven, a_refused_greeting_stays, COPY(REFUSED, EHLO, START))                    \
    X(order_is_a_syntax_error, refusals_have_their_codes, ROW(READY, DATA).no.say = R_UNKNOWN)               \
    X(reason_lies, reasons_tell_the_truth, ROW(READY, DATA).no.say = R_DATA_BEFORE_RCPT)                     \
    X(bare_lf_is_not_expected, no_row_is_missing, ROW(MAIL, BARE_LF) = NO_ROW)                               \
    X(nul_is_not_expected, no_row_is_missing, ROW(CHUNK, END_NUL) = NO_ROW)                                  \
    X(bare_cr_is_not_expected, no_row_is_missing, ROW(CHUNK, END_BARE_CR) = NO_ROW)                          \
    X(big_chunk_is_not_expected, no_row_is_missing, ROW(CHUNKED, CHUNK_BIG) = NO_ROW)                        \
    X(yes_is_a_refusal, words_fit_their_senders, ROW(READY, MAIL).yes.say = R_NESTED_MAIL)                   \
    X(no_is_no_refusal, words_fit_their_senders, ROW(READY, DATA).no.say = R_OK)                             \
    X(nothing_leads_to_a_message, mail_gets_through, COPY(RCPT, DATA, CHUNKED))                              \
    X(nothing_leads_to_a_last_chunk, mail_gets_through, ROW(CHUNK, END) = NO_ROW)                            \
    X(closed_reopens, closed_is_closed, COPY(CLOSED, NOOP, READY))

/* NAME, the edit: found by typing. */
#define TYPED_MUTANTS(X)                                                                                     \
    X(vrfy_says_ok, ROW(START, VRFY).yes.say = R_OK)                                                         \
    X(help_closes, ROW(READY, HELP).yes.next = P_CLOSED)                                                     \
    X(noop_ends_the_mail, ROW(RCPT, NOOP).yes.next = P_READY)                                                \
    X(auth_teaches_nothing, ROW(READY, AUTH).learn = LEARN_NOTHING)                                          \
    X(helo_is_ehlo, ROW(START, HELO).learn = LEARN_ESMTP)                                                    \
    X(data_is_a_syntax_error, ROW(START, DATA).no.say = R_NOT_OFFERED)                                       \
    X(rset_says_nothing, ROW(READY, RSET).yes.say = R_NONE)                                                  \
    X(rset_before_ehlo_is_refused, ROW(START, RSET) = l->rules[P_START][IN_MAIL])                            \
    X(etrn_in_a_mail, COPY(MAIL, ETRN, READY))                                                               \
    X(chunk_ends_the_mail, ROW(CHUNK, CHUNK_END).yes.next = P_READY)                                         \
    X(last_chunk_keeps_the_mail, ROW(CHUNK, END).yes.next = P_CHUNKED)                                       \
    X(big_chunk_is_told_wrong, ROW(RCPT, CHUNK_BIG).no.say = R_UNKNOWN)                                      \
    X(unrefused_is_forgotten, ROW_LOSES(MAIL, DATA, UNREFUSED))

#define X(name, witness, edit)                                                                               \
    static void edit_##name(struct law *l) { edit; }
MUTANTS(X)
#undef X
#define X(name, edit)                                                                                        \
    static void type_##name(struct law *l) { edit; }
TYPED_MUTANTS(X)
#undef X

struct mutant {
    const char *name, *witness; /* witness NULL: the drive */
    void (*edit)(struct law *l);
};

static struct mutant mutants[] = {
#define X(name, witness, edit) {#name, #witness, edit_##name},
    MUTANTS(X)
#undef X
#define X(name, edit) {#name, NULL, type_##name},
        TYPED_MUTANTS(X)
#undef X
};
enum { MUTANT_N = sizeof(mutants) / sizeof(mutants[0]) };

static unsigned theorem_of(const char *name)
{
    unsigned n = 0;
    while (law_theorem(n) && strcmp(law_theorem(n), name) != 0)
        n++;
    if (!law_theorem(n))
        fail_msg("no theorem is called %s", name);
    return n;
}

static bool is_typed_apart(const struct law *l)
{
    struct drive d = {.listener = {.starttls = true, .clear_auth = true, .extended = true},
                      .rules = (smtp_rule_row *)l->rules,
                      .commands = ORACLE_N,
                      .depth = 3};
    if (!drive_run(&d))
        return true;
    d.first_n = 2;
    d.first[0] = ORACLE_EHLO;
    d.first[1] = ORACLE_MAIL;
    return !drive_run(&d);
}

static void test_mutant(void **state)
{
    const struct mutant *m = *state;
    struct law law;
    struct law_verdicts verdicts = {0};
    law_init(&law);
    m->edit(&law);
    if (m->witness)
        law_judge(&law, 1ull << theorem_of(m->witness), &verdicts);
    if (m->witness && !verdicts.fallen)
        fail_msg("%s does not see %s", m->witness, m->name);
    if (!m->witness && !is_typed_apart(&law))
        fail_msg("the drive does not see %s", m->name);
}

static void test_every_theorem_is_a_witness(void **state)
{
    (void)state;
    for (unsigned n = 0; law_theorem(n); n++) {
        unsigned uses = 0;
        for (unsigned i = 0; i < MUTANT_N; i++)
            uses += mutants[i].witness && strcmp(mutants[i].witness, law_theorem(n)) == 0;
        if (uses == 0)
            fail_msg("no edit makes %s fall", law_theorem(n));
    }
    print_message("# %u edits\n", (unsigned)MUTANT_N);
}

int main(void)
{
    struct CMUnitTest tests[MUTANT_N + 1] = {cmocka_unit_test(test_every_theorem_is_a_witness)};
    for (unsigned i = 0; i < MUTANT_N; i++)
        tests[i + 1] = (struct CMUnitTest){
            .name = mutants[i].name, .test_func = test_mutant, .initial_state = &mutants[i]};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("mutants", tests, MUTANT_N + 1, NULL, NULL);
}
