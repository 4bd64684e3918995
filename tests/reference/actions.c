/* What refusals mean for who delivers. */
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "reference/reference.h"

static struct reference_advice judge(const char *reply, enum reference_stage stage)
{
    return reference_advise(atoi(reply), sp_view_of(reply + 4), stage);
}

/* At whatever command it came, for its text says it all. */
static void test_what_providers_say(void **state)
{
    (void)state;
    size_t n, counts[REFERENCE_ACTION_N] = {0};
    const struct reference_signature *all = reference_signatures(&n);
    for (size_t i = 0; i < n; i++)
        for (int stage = 0; stage < REFERENCE_STAGE_N; stage++) {
            struct reference_advice j = judge(all[i].said, (enum reference_stage)stage);
            assert_string_equal(j.id, all[i].id);
            assert_int_equal(j.action, all[i].action);
            assert_int_equal(j.judges, all[i].judges);
            assert_non_null(reference_action_text(j.action));
            counts[j.action]++;
        }
    for (int action = REFERENCE_ACTION_NONE + 1; action < REFERENCE_ACTION_N; action++)
        if (counts[action] == 0)
            fail_msg("no provider's reply asks for %s",
                     reference_action_text((enum reference_action)action)->name);
}

static void test_what_others_say(void **state)
{
    (void)state;
    static const struct {
        enum reference_stage stage;
        const char *reply, *action;
    } cases[] = {
        {REFERENCE_AT_CONNECT, "421 mx.example.net service not available", "slow-down"},
        {REFERENCE_AT_CONNECT, "450 busy", "slow-down"},
        {REFERENCE_AT_CONNECT, "554 5.7.1 go away", "blocked"},
        {REFERENCE_AT_CONNECT, "554 no SMTP service here", "blocked"},
        {REFERENCE_AT_CONNECT, "521 mx.example.net does not accept mail", "blocked"},
        {REFERENCE_AT_CONNECT, "535 5.7.8 wrong", "access"},
        {REFERENCE_AT_MAIL, "421 4.3.2 shutting down", "slow-down"},
        {REFERENCE_AT_MAIL, "451 4.3.2 system not accepting network messages", "slow-down"},
        {REFERENCE_AT_MAIL, "452 4.3.1 insufficient system storage", "slow-down"},
        {REFERENCE_AT_MAIL, "452 no room", "slow-down"},
        {REFERENCE_AT_MAIL, "451 4.7.1 not now", "slow-down"},
        {REFERENCE_AT_MAIL, "451 4.4.5 congestion", "slow-down"},
        {REFERENCE_AT_MAIL, "550 5.7.1 your host may not send here", "blocked"},
        {REFERENCE_AT_MAIL, "554 refused", "blocked"},
        {REFERENCE_AT_MAIL, "530 5.7.0 Authentication required", "access"},
        {REFERENCE_AT_MAIL, "450 4.1.8 <a@x.example>: Sender address rejected: Domain not found", "sender"},
        {REFERENCE_AT_MAIL, "550 5.7.23 SPF fail", "sender"},
        {REFERENCE_AT_MAIL, "550 no such sender", "sender"},
        {REFERENCE_AT_MAIL, "552 5.3.4 message too big", "message"},
        {REFERENCE_AT_MAIL, "501 5.5.4 syntax", "protocol"},
        {REFERENCE_AT_RCPT, "450 4.7.1 <b@x.example>: Recipient address rejected: Greylisting in action",
         "greylist"},
        {REFERENCE_AT_RCPT, "451 4.7.1 Please try again later", "recipient"},
        {REFERENCE_AT_RCPT, "450 4.7.1 Too many connections from 192.0.2.9", "slow-down"},
        {REFERENCE_AT_RCPT, "421 4.7.0 bye", "slow-down"},
        {REFERENCE_AT_RCPT,
         "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.example", "blocked"},
        {REFERENCE_AT_RCPT, "550 5.7.25 no name", "blocked"},
        {REFERENCE_AT_RCPT, "550 5.1.1 <spf@x.example>: no such user", "recipient"},
        {REFERENCE_AT_RCPT, "550 user not listed in the directory", "recipient"},
        {REFERENCE_AT_RCPT, "452 4.2.2 mailbox full", "recipient"},
        {REFERENCE_AT_RCPT, "550 5.7.1 you may not write to him", "recipient"},
        {REFERENCE_AT_CONTENT, "452 4.3.1 no room", "slow-down"},
        {REFERENCE_AT_CONTENT, "451 4.7.1 Message rate limit exceeded, slow down", "slow-down"},
        {REFERENCE_AT_CONTENT, "550 5.7.1 spam", "message"},
        {REFERENCE_AT_CONTENT, "550 5.7.1 DMARC policy of reject", "sender"},
        {REFERENCE_AT_CONTENT, "554 transaction failed", "message"},
        {REFERENCE_AT_CONTENT, "552 5.2.2 over quota", "recipient"},
        {REFERENCE_AT_UNKNOWN, "554 what", "message"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reference_advice j = judge(cases[i].reply, cases[i].stage);
        if (strcmp(reference_action_text(j.action)->name, cases[i].action) != 0)
            fail_msg("%s: %s by %s, not %s", cases[i].reply, reference_action_text(j.action)->name, j.id,
                     cases[i].action);
    }
}

/* Each code that there may be, at each command, has an action; what is no refusal has none. */
static void test_every_refusal_has_an_action(void **state)
{
    (void)state;
    for (int code = 0; code < 700; code++)
        for (int stage = 0; stage < REFERENCE_STAGE_N; stage++) {
            struct reference_advice j = reference_advise(code, SP_LIT("what"), (enum reference_stage)stage);
            bool refusal = code / 100 == 4 || code / 100 == 5;
            assert_int_equal(j.action != REFERENCE_ACTION_NONE, refusal);
            assert_int_equal(j.id != NULL, refusal);
        }
    assert_null(reference_action_text(REFERENCE_ACTION_NONE));
    assert_null(reference_action_text(REFERENCE_ACTION_N));
}

static void test_every_rule_is_asked(void **state)
{
    (void)state;
    size_t n;
    const struct reference_rule *all = reference_rules(&n);
    for (size_t i = 0; i < n; i++) {
        bool reached = all[i].action == REFERENCE_ACTION_NONE; /* see test_judgements */
        const int codes[] = {421, 432, 450, 451, 452, 454, 500, 521, 530, 550, 552, 554};
        for (size_t c = 0; c < sizeof codes / sizeof *codes && !reached; c++)
            for (int stage = 1; stage < REFERENCE_STAGE_N && !reached; stage++) {
                char text[200], enhanced[16] = "";
                if (all[i].ranges_n)
                    (void)snprintf(enhanced, sizeof enhanced, "%d.%d.%d ", codes[c] / 100,
                                   all[i].ranges[0].subject, all[i].ranges[0].low);
                (void)snprintf(text, sizeof text, "%s%s", enhanced, all[i].texts ? *all[i].texts : "what");
                struct reference_advice j =
                    reference_advise(codes[c], sp_view_of(text), (enum reference_stage)stage);
                reached = strcmp(j.id, all[i].id) == 0;
            }
        if (!reached)
            fail_msg("rule %s is never reached", all[i].id);
    }
}

/* Replies as servers send them: is it the message or who sends it that is refused? At whatever command. */
static void test_judgements(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        bool judges;
    } cases[] = {
        {"550 5.7.1 Our system has detected that this message is likely unsolicited mail.", true},
        {"554 5.7.1 refused as spam", true},
        {"550 5.7.1 no", true},
        {"550 5.7.0 no", true},
        {"550 5.7.26 This message fails to pass authentication checks (SPF, DKIM).", true},
        {"550 5.7.509 Access denied, sending domain does not pass DMARC verification", true},
        {"550 5.7.606 Access denied, banned sending IP", true},
        {"554 5.7.9 Message not accepted for policy reasons.", true},
        {"552 5.7.0 This message was blocked because its content presents a potential security issue.", true},
        {"554 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", true},
        {"550 rejected: message content looks like SPAM", true},
        {"550 Refused (RBL)", true},
        {"550 Refused by DMARC", true},
        {"554 5.6.0 Virus found", true},
        {"451 4.7.1 looks like spam", true},
        {"421 4.7.0 spam, closing", true},
        {"451 4.7.24 the SPF record has suspicious entries", true},
        /* It comes back. */
        {"451 4.7.1 greylisted by our policy, come back", false},
        {"450 4.2.0 <b@x.example>: Recipient address rejected: Greylisted", false},
        {"450 4.7.1 Please try again later", false},
        {"421 4.7.0 mail.example.net Error: too many errors", false},
        {"451 4.7.1 Message rate limit exceeded, slow down", false},
        /* Who or what cannot be reached. */
        {"550 5.1.1 no such user", false},
        {"550 5.1.1 no such user; see also our spam policy", false},
        {"550 5.1.1 <dmarc@x.example>: no such user", false},
        {"552 5.2.2 mailbox full, empty your folder Spam", false},
        {"550 no such user", false},
        {"550 no such user: marble@x.example", false},
        {"550 5.4.6 too many hops", false},
        {"550 5.7.17 the mailbox has another owner now", false},
        {"550 5.7.2 you may not write to this list", false},
        {"552 5.3.4 message too big", false},
        /* Relaying, logins and TLS. */
        {"554 5.7.1 <a@b.example>: Relay access denied", false},
        {"550 5.7.1 <a@b.example>... Relaying denied. IP name lookup failed [192.0.2.1]", false},
        {"550 5.7.1 This server does not relay to that domain for you [relay-denied]", false},
        {"550 5.7.1 spam, says relay.example.net", true},
        {"535 5.7.8 Authentication failed: blocked by policy", false},
        {"530 5.7.0 Must issue a STARTTLS command first", false},
        {"550 5.7.10 Encryption needed", false},
        {"421 4.7.0 TLS required for RCPT domain, closing connection. - gsmtp", false},
        /* The class of the enhanced code is not the reply's: it says nothing. */
        {"550 4.7.1 mixed up", false},
        {"250 2.0.0 spam", false},
        {"000 policy", false},
        {"550 ", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int stage = 0; stage < REFERENCE_STAGE_N; stage++)
            if (judge(cases[i].reply, (enum reference_stage)stage).judges != cases[i].judges)
                fail_msg("%s (stage %d)", cases[i].reply, stage);
}

static void test_how_long_to_wait(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t wait_s;
    } cases[] = {
        {"try again in 300 seconds", 300},
        {"4.7.1 Greylisted, come back in 5 minutes", 300},
        {"Greylisting in action, please come back in 00:04:59", 299},
        {"come back in 04:59", 299},
        {"Greylisted for 60 seconds (see http://x.example/5 minutes)", 60},
        {"retry after 1 hour", 3600},
        {"wait 10min", 600},
        {"wait at least 15 MINUTES", 900},
        {"in 90s", 90},
        {"(in 2 days)", 172800},
        {"in 999999 days", 604800},
        {"in 99999999 seconds", 0},
        {"try again later", 0},
        {"in 5 years", 0},
        {"main 5 minutes", 0},
        {"in 192.0.2.9 seconds", 0},
        {"300 seconds", 0},
        {"in ", 0},
        {"in 12:99", 0},
        {"wait", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reference_advice j = reference_advise(450, sp_view_of(cases[i].text), REFERENCE_AT_RCPT);
        if (j.wait_s != cases[i].wait_s)
            fail_msg("%s: %u s, not %u", cases[i].text, j.wait_s, cases[i].wait_s);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_what_providers_say),
    cmocka_unit_test(test_what_others_say),
    cmocka_unit_test(test_every_refusal_has_an_action),
    cmocka_unit_test(test_every_rule_is_asked),
    cmocka_unit_test(test_judgements),
    cmocka_unit_test(test_how_long_to_wait),
};

TAP_MAIN(tests)
