/* The client's table, cell by cell: what must be true of it whatever it says in detail. */
#include "tap.h"

#include "smtp/client_rules.h"

#include <string.h>

#define EACH_RULE(p, i, r)                                                                                   \
    for (unsigned p = 0; p < CLIENT_PHASE_N; p++)                                                            \
        for (unsigned i = 0; i < CLIENT_INPUT_N; i++)                                                        \
            for (const struct smtp_client_rule *r = &smtp_client_rules[p][i]; r && r->known; r = NULL)

/* A mail is under way and recipients are open. */
static bool has_mail(unsigned p)
{
    return p == CLIENT_RSET || p == CLIENT_MAIL || p == CLIENT_RCPT || p == CLIENT_DATA ||
           p == CLIENT_CONTENT || p == CLIENT_DOT || p == CLIENT_DOT_EACH || p == CLIENT_BDAT ||
           p == CLIENT_BDAT_LAST;
}

/* A mail is under way, but every recipient has its outcome. */
static bool is_void(unsigned p)
{
    return p == CLIENT_RCPT_VOID || p == CLIENT_DATA_VOID || p == CLIENT_DOT_VOID || p == CLIENT_BDAT_VOID;
}

static bool lives(unsigned p) { return p != CLIENT_CLOSED && p != CLIENT_CHOOSE; }

static void test_every_phase_can_end(void **state)
{
    (void)state;
    static const enum smtp_client_input endings[] = {CLIENT_IN_SHUT, CLIENT_IN_BAD, CLIENT_IN_TIMEOUT,
                                                     CLIENT_IN_EOF};
    for (unsigned p = 0; p < CLIENT_PHASE_N; p++)
        for (size_t i = 0; lives(p) && i < sizeof endings / sizeof *endings; i++) {
            const struct smtp_client_rule *r = smtp_client_rule_find(p, endings[i]);
            assert_non_null(r);
            assert_int_equal(r->next, CLIENT_CLOSED);
        }
}

static void test_every_reply_has_a_rule_in_every_phase(void **state)
{
    (void)state;
    for (unsigned p = 0; p < CLIENT_PHASE_N; p++)
        for (unsigned i = 0; lives(p) && i <= CLIENT_IN_BAD; i++)
            assert_non_null(smtp_client_rule_find(p, i));
}

/* No recipient is lost: a rule that leaves the phases of a mail decides for all that are open. */
static void test_no_recipient_is_forgotten(void **state)
{
    (void)state;
    EACH_RULE(p, i, r)
    {
        if (i == CLIENT_IN_NO_ONE) { /* each has its own verdict by then */
            assert_true(p == CLIENT_RCPT || p == CLIENT_RCPT_VOID);
            continue;
        }
        if (p == CLIENT_DOT_EACH && i == CLIENT_IN_DONE) /* so it has */
            continue;
        if (has_mail(p) && !has_mail(r->next)) {
            assert_int_equal(r->scope, CLIENT_ALL);
            assert_int_equal(r->fate == SP_CLIENT_NONE, i == CLIENT_IN_ENOUGH);
        }
        if (has_mail(p) && has_mail(r->next) && r->scope != CLIENT_NOBODY)
            assert_int_equal(r->scope, CLIENT_THIS);
        if (!has_mail(p)) /* void: said before; else there is none */
            assert_int_equal(r->scope, CLIENT_NOBODY);
    }
}

static void test_a_single_recipient_is_judged_by_rcpt_and_in_lmtp_behind_the_dot(void **state)
{
    (void)state;
    EACH_RULE(p, i, r)
    if (r->scope == CLIENT_THIS) {
        assert_true(p == CLIENT_RCPT || p == CLIENT_DOT_EACH);
        assert_int_equal(r->next, p);
    }
    for (unsigned i = 0; i < CLIENT_IN_SHUT; i++) /* in LMTP yes is one, too */
        if (smtp_client_rules[CLIENT_DOT_EACH][i].known)
            assert_int_equal(smtp_client_rules[CLIENT_DOT_EACH][i].scope, CLIENT_THIS);
    for (unsigned i = 0; i < CLIENT_IN_SHUT; i++) /* each answer but yes is a verdict */
        if (smtp_client_rules[CLIENT_RCPT][i].known && i != CLIENT_IN_YES)
            assert_int_equal(smtp_client_rules[CLIENT_RCPT][i].scope, CLIENT_THIS);
}

/* The whole message is out, and only a verdict on it is due. */
static bool is_behind(unsigned p) { return p == CLIENT_DOT || p == CLIENT_DOT_EACH || p == CLIENT_BDAT_LAST; }

static void test_delivered_is_2yz_to_the_end(void **state)
{
    (void)state;
    EACH_RULE(p, i, r)
    assert_int_equal(r->fate == SP_CLIENT_DELIVERED, is_behind(p) && i == CLIENT_IN_YES);
}

/* Once the dot is out and no answer was heard, nothing is known; before it, everything is. */
static void test_unknown_is_behind_the_dot_alone(void **state)
{
    (void)state;
    EACH_RULE(p, i, r)
    {
        bool unheard = i == CLIENT_IN_BAD || i == CLIENT_IN_TIMEOUT || i == CLIENT_IN_EOF;
        assert_int_equal(r->fate == SP_CLIENT_UNKNOWN, is_behind(p) && unheard);
    }
}

/* For good is only what a server said with 5yz of this mail, or what the message itself is. */
static void test_bounce_needs_a_5yz(void **state)
{
    (void)state;
    EACH_RULE(p, i, r)
    if (r->fate == SP_CLIENT_BOUNCE) {
        assert_true(i == CLIENT_IN_NO || i == CLIENT_IN_UNFIT);
        assert_true(has_mail(p));
    }
}

/* From p, by any inputs but those of `without`, is q reached? */
static bool reaches(unsigned p, unsigned q, const enum smtp_client_input *without)
{
    bool seen[CLIENT_PHASE_N] = {false};
    seen[p] = true;
    for (bool grew = true; grew;) {
        grew = false;
        EACH_RULE(a, i, r)
        if (seen[a] && !seen[r->next] && (!without || i != *without)) {
            seen[r->next] = true;
            grew = true;
        }
    }
    return seen[q];
}

static void test_every_phase_is_reached(void **state)
{
    (void)state;
    for (unsigned p = 0; p < CLIENT_PHASE_N; p++)
        if (!reaches(CLIENT_NEW, p, NULL))
            fail_msg("nothing leads to %s", smtp_client_phase_name(p));
}

/* A command of the caller stands before each of these; no reply leads there by itself. */
static void test_only_the_caller_begins(void **state)
{
    (void)state;
    const enum smtp_client_input mail = CLIENT_IN_BEGIN_MAIL, auth = CLIENT_IN_BEGIN_AUTH;
    assert_false(reaches(CLIENT_NEW, CLIENT_MAIL, &mail));
    assert_false(reaches(CLIENT_NEW, CLIENT_CONTENT, &mail));
    assert_false(reaches(CLIENT_NEW, CLIENT_AUTH, &auth));
    EACH_RULE(p, i, r)
    if (i == mail || i == auth || i == CLIENT_IN_LEAVE || i == CLIENT_IN_BEGIN_RAW ||
        i == CLIENT_IN_BEGIN_XCLIENT)
        assert_int_equal(p, CLIENT_READY);
}

/* TLS comes up in one place, and what was learned before it is asked for again. */
static void test_tls_begins_anew(void **state)
{
    (void)state;
    EACH_RULE(p, i, r)
    {
        if (i == CLIENT_IN_SECURED) {
            assert_int_equal(p, CLIENT_HANDSHAKE);
            assert_int_equal(r->next, CLIENT_EHLO);
        }
        if (r->next == CLIENT_HANDSHAKE)
            assert_int_equal(p, CLIENT_STARTTLS);
    }
}

/* A transaction that the server may still hold open is known to be; one that it has ended is not. */
static void test_what_is_left_open(void **state)
{
    (void)state;
    EACH_RULE(p, i, r)
    {
        if (r->left == CLIENT_LEFT_CLEAN)
            assert_true(is_behind(p) || p == CLIENT_DOT_VOID || p == CLIENT_RSET || p == CLIENT_EHLO ||
                        p == CLIENT_HELO);
        if (p == CLIENT_DATA && r->next == CLIENT_READY)
            assert_int_equal(r->left, CLIENT_LEFT_OPEN);
        if (r->next == CLIENT_BDAT_VOID && !is_void(p)) /* RFC 3030 2: RSET, whichever chunk it was */
            assert_int_equal(r->left, CLIENT_LEFT_OPEN);
        if (p == CLIENT_MAIL && r->next == CLIENT_RCPT)
            assert_int_equal(r->left, CLIENT_LEFT_OPEN);
    }
}

static void test_every_wait_is_limited(void **state)
{
    (void)state;
    const struct sp_client_timeouts t = {1, 1, 1, 1, 1, 1, 1};
    for (unsigned p = 0; p < CLIENT_PHASE_N; p++) {
        bool waits = lives(p) && p != CLIENT_NEW && p != CLIENT_READY && p != CLIENT_SASL;
        assert_int_equal(smtp_client_phase_timeout(p, &t), waits ? 1 : 0);
    }
}

static void test_every_rule_names_its_rfc(void **state)
{
    (void)state;
    EACH_RULE(p, i, r)
    assert_true(r->rfc && strlen(r->rfc) > 4);
    for (unsigned p = 0; p < CLIENT_PHASE_N; p++)
        assert_true(is_void(p) == (strstr(smtp_client_phase_name(p), "_VOID") != NULL));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_every_phase_can_end),
    cmocka_unit_test(test_every_reply_has_a_rule_in_every_phase),
    cmocka_unit_test(test_no_recipient_is_forgotten),
    cmocka_unit_test(test_a_single_recipient_is_judged_by_rcpt_and_in_lmtp_behind_the_dot),
    cmocka_unit_test(test_delivered_is_2yz_to_the_end),
    cmocka_unit_test(test_unknown_is_behind_the_dot_alone),
    cmocka_unit_test(test_bounce_needs_a_5yz),
    cmocka_unit_test(test_every_phase_is_reached),
    cmocka_unit_test(test_only_the_caller_begins),
    cmocka_unit_test(test_tls_begins_anew),
    cmocka_unit_test(test_what_is_left_open),
    cmocka_unit_test(test_every_wait_is_limited),
    cmocka_unit_test(test_every_rule_names_its_rfc),
};

TAP_MAIN(tests)
