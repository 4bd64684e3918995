/* The walk: every theorem of law.c about the real table, for every policy and choice of extensions. */
#include "tap.h"

#include "base/view.h"
#include "law.h"

#include <stdio.h>
#include <string.h>

static struct law_verdicts verdicts;

static void test_theorem(void **state)
{
    unsigned n = *(unsigned *)*state;
    if (verdicts.fallen & 1ull << n)
        fail_msg("%s does not hold: %s", law_theorem(n), verdicts.where[n]);
}

static void test_all_states_were_seen(void **state)
{
    (void)state;
    print_message("# %lu states under 2048 policies\n", verdicts.states);
    assert_true(verdicts.states > 2048 * 20);
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
    assert_int_equal(smtp_word_find(SP_LIT("burl"))->input, IN_OFF);
    assert_int_equal(smtp_word_find(SP_LIT("GET"))->input, IN_HTTP);
}

int main(void)
{
    enum { MOST = 64 };
    static unsigned numbers[MOST];
    struct CMUnitTest tests[MOST] = {cmocka_unit_test(test_replies_are_well_formed),
                                     cmocka_unit_test(test_words_are_found),
                                     cmocka_unit_test(test_all_states_were_seen)};
    struct law law;
    size_t n = 3;
    law_init(&law);
    law_judge(&law, UINT64_MAX, &verdicts);
    for (unsigned i = 0; law_theorem(i); i++, n++) {
        numbers[i] = i;
        tests[n] = (struct CMUnitTest){
            .name = law_theorem(i), .test_func = test_theorem, .initial_state = &numbers[i]};
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("walk", tests, n, NULL, NULL);
}
