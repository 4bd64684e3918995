/*
 * The contract of sallyport/smtp_server.h, call by call: what events carry, who is answered
 * when, limits, time, ends, secrets, memory.
 */
#include "tap.h"

#include "base/view.h"
#include "book.h"
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void begin(struct host *h, bool hold)
{
    struct sp_server_options o = host_options();
    host_init(h, &o);
    host_open(h, false);
    h->hold = hold;
}

static void finish(struct host *h)
{
    host_fini(h);
    if (h->fault)
        fail_msg("%s: %s: %s", h->fault, h->fault_input, h->fault_reply);
}

/* Type a line, expect the code of its (last) reply. */
static void type(struct host *h, const char *line, int code)
{
    host_forget(h);
    host_line(h, line);
    if (host_code(h) != code)
        fail_msg("%s: wanted %d, got %.*s", line, code, (int)h->out.len, (const char *)h->out.p);
}

static struct sp_server_event peek(struct host *h)
{
    struct sp_server_event e;
    (void)sp_server_event(h->s, &e); /* its type is in e too */
    return e;
}

static void assert_view(struct sp_view v, const char *text)
{
    if (!sp_view_eq(v, sp_view_of(text)))
        fail_msg("wanted %s, got %.*s", text, (int)v.len, (const char *)v.p);
}

static void to_data(struct host *h)
{
    type(h, "MAIL FROM:<alice@client.example>", 250);
    type(h, "RCPT TO:<bob@mail.example>", 250);
    type(h, "DATA", 354);
}

/* --- events ------------------------------------------------------------------------------------ */

static void test_events_carry_their_facts(void **c)
{
    (void)c;
    struct host h;
    begin(&h, true);
    host_line(&h, "EHLO client.example");
    struct sp_server_event e = peek(&h);
    assert_int_equal(e.type, SP_SERVER_ASK_HELLO);
    assert_view(e.as.hello.domain, "client.example");
    assert_true(e.as.hello.esmtp);
    host_answer(&h);
    host_line(&h,
              "mail from:<@r.example:\"al ice\"@[192.0.2.1]> SIZE=1234 body=8bitmime AUTH=a+2Bb@c.example");
    e = peek(&h);
    assert_int_equal(e.type, SP_SERVER_ASK_MAIL);
    assert_view(e.as.mail.sender.text, "\"al ice\"@[192.0.2.1]");
    assert_view(e.as.mail.sender.local, "\"al ice\"");
    assert_view(e.as.mail.sender.domain, "[192.0.2.1]");
    assert_view(e.as.mail.parameters.auth, "a+b@c.example");
    assert_int_equal(e.as.mail.size, 1234);
    assert_int_equal(e.as.mail.parameters.body, SP_BODY_8BITMIME);
    host_answer(&h);
    for (uint32_t n = 0; n < 3; n++) {
        host_line(&h, "RCPT TO:<Postmaster>");
        e = peek(&h);
        assert_int_equal(e.type, SP_SERVER_ASK_RCPT);
        assert_view(e.as.rcpt.recipient.local, "Postmaster");
        assert_int_equal(e.as.rcpt.recipient.domain.len, 0);
        assert_int_equal(e.as.rcpt.n, n);
        host_answer(&h);
    }
    host_line(&h, "VRFY  some body ");
    assert_view(peek(&h).as.words, "some body");
    host_answer(&h);
    host_line(&h, "DATA");
    assert_int_equal(peek(&h).type, SP_SERVER_ASK_DATA);
    host_answer(&h);
    host_feed(&h, SP_LIT("..x\r\n.\r\n"));
    e = peek(&h);
    assert_int_equal(e.type, SP_SERVER_ASK_END);
    assert_int_equal(e.as.end.size, 4);
    host_answer(&h);
    /* parameters of one mail are not those of the next */
    host_line(&h, "MAIL FROM:<>");
    e = peek(&h);
    assert_true(e.as.mail.sender.null && e.as.mail.size == 0 && e.as.mail.parameters.auth.len == 0);
    assert_int_equal(e.as.mail.parameters.body, SP_BODY_7BIT);
    finish(&h);
}

static void test_questions_stay_facts_go(void **c)
{
    (void)c;
    struct host h;
    size_t used = 99;
    begin(&h, true);
    host_line(&h, "EHLO client.example");
    assert_int_equal(peek(&h).type, SP_SERVER_ASK_HELLO);
    assert_int_equal(peek(&h).type, SP_SERVER_ASK_HELLO);
    assert_int_equal(sp_server_feed(h.s, SP_LIT("NOOP\r\n"), 1, &used), SP_OK);
    assert_int_equal(used, 0);
    host_answer(&h);
    h.hold = false;
    to_data(&h);
    assert_int_equal(sp_server_feed(h.s, SP_LIT("text\r\n"), 1, &used), SP_OK);
    assert_int_equal(used, 6);
    assert_int_equal(sp_server_feed(h.s, SP_LIT("more\r\n"), 1, &used), SP_OK);
    assert_int_equal(used, 0); /* content is unread */
    assert_int_equal(peek(&h).type, SP_SERVER_CONTENT);
    assert_int_equal(peek(&h).type, SP_SERVER_NOTHING);
    finish(&h);
}

static void test_auth_events(void **c)
{
    (void)c;
    struct host h;
    begin(&h, true);
    host_line(&h, "EHLO client.example");
    host_answer(&h);
    host_line(&h, "auth plain =");
    struct sp_server_event e = peek(&h);
    assert_int_equal(e.type, SP_SERVER_ASK_AUTH);
    assert_view(e.as.auth.mechanism, "PLAIN");
    assert_true(e.as.auth.has_initial && e.as.auth.initial.len == 0);
    assert_int_equal(sp_server_more(h.s, (struct sp_view){0}), SP_OK);
    host_drain(&h);
    host_line(&h, "");
    e = peek(&h);
    assert_int_equal(e.type, SP_SERVER_ASK_ANSWER);
    assert_int_equal(e.as.answer.len, 0);
    assert_int_equal(sp_server_more(h.s, SP_LIT("again")), SP_OK);
    host_drain(&h);
    host_line(&h, "AAEC");
    e = peek(&h);
    assert_int_equal(e.type, SP_SERVER_ASK_ANSWER);
    assert_int_equal(e.as.answer.len, 3);
    assert_memory_equal(e.as.answer.p, "\0\1\2", 3);
    assert_int_equal(sp_server_yes(h.s, (struct sp_view){0}), SP_OK);
    host_drain(&h);
    assert_true(sp_server_is_authenticated(h.s));
    assert_int_equal(h.given_up, 0);
    finish(&h);
}

/* AUTH_GIVEN_UP is told when, and only when, the caller has said no last word. */
static void test_given_up(void **c)
{
    (void)c;
    struct host h;
    begin(&h, false);
    type(&h, "EHLO client.example", 250);
    type(&h, "AUTH LOGIN", 334);
    type(&h, "*", 501);
    assert_int_equal(h.given_up, 1);
    type(&h, "AUTH LOGIN", 334);
    type(&h, "!", 501);
    assert_int_equal(h.given_up, 2);
    type(&h, "AUTH PLAIN AGRlbW8Ad3Jvbmc=", 535);
    type(&h, "AUTH PLAIN !", 501);
    assert_int_equal(h.given_up, 2);
    h.hold = true;
    host_line(&h, "AUTH PLAIN");
    assert_int_equal(sp_server_eof(h.s), SP_OK);
    host_drain(&h);
    assert_int_equal(h.given_up, 3);
    assert_true(h.closed);
    finish(&h);
}

/* --- answers ------------------------------------------------------------------------------------ */

static const struct sp_refusal fine = {550, "5.7.1", "refused", {(const uint8_t *)"No", 2}};

static void test_misuse(void **c)
{
    (void)c;
    struct host h;
    size_t used;
    struct sp_server *s = NULL;
    struct sp_server_options none = {0}, o = host_options();
    host_init(&h, &o);
    assert_int_equal(sp_server_new(&none, &h.alloc, &s), SP_ERR_MISUSE);
    assert_int_equal(sp_server_new(&o, &h.alloc, &h.s), SP_OK);
    assert_int_equal(sp_server_feed(h.s, SP_LIT("x"), 0, &used), SP_ERR_MISUSE);
    assert_int_equal(sp_server_shutdown(h.s), SP_ERR_MISUSE);
    assert_int_equal(sp_server_eof(h.s), SP_ERR_MISUSE);
    assert_int_equal(sp_server_secured(h.s, 0), SP_ERR_MISUSE);
    assert_int_equal(sp_server_yes(h.s, (struct sp_view){0}), SP_ERR_MISUSE);
    assert_int_equal(sp_server_no(h.s, &fine), SP_ERR_MISUSE);
    assert_int_equal(sp_server_more(h.s, (struct sp_view){0}), SP_ERR_MISUSE);
    assert_int_equal(sp_server_deadline(h.s), UINT64_MAX);
    assert_int_equal(sp_server_open(h.s, false, 0), SP_OK);
    assert_int_equal(sp_server_open(h.s, false, 0), SP_ERR_MISUSE);
    assert_int_equal(sp_server_more(h.s, (struct sp_view){0}), SP_ERR_MISUSE);
    static const struct sp_refusal bad[] = {
        {250, "2.0.0", "ok", {0}},
        {600, "6.0.0", "x", {0}},
        {550, "4.7.1", "x", {0}},
        {550, "5.7.1", "", {0}},
        {550, "5.7.1", "Bad", {0}},
        {550, "5.7.1", "a b", {0}},
        {550, NULL, "x", {0}},
        {550, "5.7.1", NULL, {0}},
        {550, "", "x", {0}},
        {450, "4.7.1", "x", {0}}, /* a greeting is 554 or 421 */
        {550, "5.7.1", "a-reason-of-more-than-sixty-four-letters-is-nothing-that-anybody-types", {0}}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(sp_server_no(h.s, &bad[i]), SP_ERR_MISUSE);
    assert_int_equal(sp_server_yes(h.s, (struct sp_view){0}), SP_OK);
    assert_int_equal(sp_server_yes(h.s, (struct sp_view){0}), SP_ERR_MISUSE);
    sp_server_free(NULL);
    finish(&h);
}

static void test_challenges(void **c)
{
    (void)c;
    struct host h;
    static uint8_t big[9001];
    begin(&h, true);
    host_line(&h, "EHLO client.example");
    host_answer(&h);
    host_line(&h, "AUTH LOGIN");
    assert_int_equal(sp_server_more(h.s, sp_view_make(big, 9001)), SP_ERR_LONG);
    host_forget(&h);
    assert_int_equal(sp_server_more(h.s, sp_view_make(big, 9000)), SP_OK);
    host_drain(&h);
    assert_int_equal(h.out.len, 4 + 12000 + 2);
    host_line(&h, "AAAA");
    host_forget(&h);
    assert_int_equal(sp_server_more(h.s, (struct sp_view){0}), SP_OK);
    host_drain(&h);
    assert_view(sp_buf_view(&h.out), "334 \r\n");
    finish(&h);
}

/* Whatever the caller says, a line is printable and within 512 octets, its reason whole. */
static void test_refusals_are_cut(void **c)
{
    (void)c;
    struct host h;
    uint8_t text[2000];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)i;
    begin(&h, true);
    host_line(&h, "EHLO client.example");
    host_answer(&h);
    host_line(&h, "MAIL FROM:<>");
    host_forget(&h);
    assert_int_equal(sp_server_no(h.s, &(struct sp_refusal){451, "4.3.0", "because", {text, sizeof(text)}}),
                     SP_OK);
    host_drain(&h);
    assert_int_equal(h.out.len, 512);
    assert_view(book_reason(sp_buf_view(&h.out)), "because");
    assert_int_equal(sp_server_last_code(h.s), 451);
    assert_string_equal(sp_server_last_reason(h.s), "because");
    h.hold = false;
    type(&h, "NOOP", 250);
    assert_int_equal(sp_server_last_code(h.s), 250);
    assert_string_equal(sp_server_last_reason(h.s), "");
    finish(&h);
}

/* Names of full length: every line of the greeting and of EHLO's answer keeps within 512 octets. */
static void test_long_names(void **c)
{
    (void)c;
    struct host h;
    struct sp_server_options o = host_options();
    char name[256], line[300];
    memset(name, 'a', 251);
    for (size_t i = 35; i < 251; i += 36)
        name[i] = '.';
    name[251] = 0;
    o.hostname = sp_view_of(name);
    host_init(&h, &o);
    host_open(&h, false);
    snprintf(line, sizeof(line), "EHLO %s", name);
    type(&h, line, 250);
    finish(&h);
}

static void test_words_of_the_caller(void **c)
{
    (void)c;
    struct host h;
    begin(&h, true);
    host_line(&h, "VRFY joe");
    host_forget(&h);
    assert_int_equal(sp_server_yes(h.s, SP_LIT("<joe@mail.example>")), SP_OK);
    host_drain(&h);
    assert_view(sp_buf_view(&h.out), "250 2.1.5 <joe@mail.example>\r\n");
    host_line(&h, "VRFY joe");
    host_forget(&h);
    assert_int_equal(sp_server_yes(h.s, (struct sp_view){0}), SP_OK);
    host_drain(&h);
    assert_int_equal(host_code(&h), 252);
    finish(&h);
}

/* 421 from the caller ends the session, whatever was asked. */
static void test_dismissed(void **c)
{
    (void)c;
    static const char *const before[] = {"EHLO client.example", "MAIL FROM:<a@b>", "RCPT TO:<a@b>", "DATA",
                                         "text\r\n."};
    for (size_t stop = 0; stop < 5; stop++) {
        struct host h;
        begin(&h, false);
        for (size_t i = 0; i < stop; i++)
            host_line(&h, before[i]);
        h.hold = true;
        host_line(&h, before[stop]);
        assert_int_equal(sp_server_no(h.s, &(struct sp_refusal){421, "4.3.0", "gone", SP_LIT_INIT("Going")}),
                         SP_OK);
        host_drain(&h);
        assert_true(h.closed);
        assert_int_equal(host_code(&h), 421);
        assert_int_equal(h.dropped, stop >= 2);
        finish(&h);
    }
}

/* --- TLS ------------------------------------------------------------------------------------------ */

static void test_starttls(void **c)
{
    (void)c;
    struct host h;
    size_t used;
    begin(&h, false);
    h.tls_by_itself = false;
    type(&h, "EHLO client.example", 250);
    type(&h, "STARTTLS", 220);
    assert_int_equal(h.tls_starts, 1);
    assert_string_equal(sp_server_phase(h.s), "TLS");
    assert_int_equal(sp_server_feed(h.s, SP_LIT("x"), 1, &used), SP_ERR_MISUSE);
    assert_false(sp_server_is_tls(h.s));
    assert_int_equal(sp_server_deadline(h.s), 60000);
    host_secured(&h);
    assert_true(sp_server_is_tls(h.s) && !sp_server_is_esmtp(h.s));
    assert_int_equal(sp_server_secured(h.s, 1), SP_ERR_MISUSE);
    type(&h, "EHLO client.example", 250);
    assert_null(memmem(h.out.p, h.out.len, "STARTTLS", 8));
    finish(&h);
    begin(&h, false);
    h.tls_by_itself = false;
    type(&h, "EHLO client.example", 250);
    type(&h, "STARTTLS", 220);
    host_forget(&h);
    assert_int_equal(sp_server_tick(h.s, 60000), SP_OK); /* nothing can be said in a handshake */
    host_drain(&h);
    assert_true(h.closed && h.out.len == 0);
    finish(&h);
}

/* --- time and ends --------------------------------------------------------------------------------- */

static void test_command_timer(void **c)
{
    (void)c;
    struct host h;
    begin(&h, false);
    h.now_ms = 1000;
    type(&h, "EHLO client.example", 250);
    assert_int_equal(sp_server_deadline(h.s), 301000);
    h.now_ms = 200000;
    host_feed(&h, SP_LIT("NO")); /* a line that drips in does not buy time */
    assert_int_equal(sp_server_deadline(h.s), 301000);
    host_feed(&h, SP_LIT("OP\r\n"));
    assert_int_equal(sp_server_deadline(h.s), 500000);
    assert_int_equal(sp_server_tick(h.s, 499999), SP_OK);
    host_drain(&h);
    assert_false(h.closed);
    host_forget(&h);
    assert_int_equal(sp_server_tick(h.s, 500000), SP_OK);
    host_drain(&h);
    assert_true(h.closed);
    assert_view(book_reason(sp_buf_view(&h.out)), "idle-timeout");
    assert_int_equal(sp_server_deadline(h.s), UINT64_MAX);
    assert_int_equal(sp_server_tick(h.s, 900000), SP_OK);
    finish(&h);
}

static void test_data_timer(void **c)
{
    (void)c;
    struct host h;
    begin(&h, false);
    type(&h, "EHLO client.example", 250);
    to_data(&h);
    assert_int_equal(sp_server_deadline(h.s), 180000);
    h.now_ms = 100000;
    host_feed(&h, SP_LIT("x"));
    assert_int_equal(sp_server_deadline(h.s), 280000);
    host_forget(&h);
    assert_int_equal(sp_server_tick(h.s, 280000), SP_OK);
    host_drain(&h);
    assert_true(h.closed && h.dropped == 1 && host_code(&h) == 421);
    finish(&h);
}

/* Octets that drip buy no time beyond what one mail may take; the next mail has its own. */
static void test_message_timer(void **c)
{
    (void)c;
    struct host h;
    struct sp_server_options o = host_options();
    o.timeouts.message_ms = 600000;
    host_init(&h, &o);
    host_open(&h, false);
    type(&h, "EHLO client.example", 250);
    h.now_ms = 10000;
    to_data(&h);
    host_line(&h, ".");
    h.now_ms = 100000;
    to_data(&h);
    for (h.now_ms = 200000; h.now_ms < 700000; h.now_ms += 100000)
        host_feed(&h, SP_LIT("x"));
    assert_int_equal(sp_server_deadline(h.s), 700000);
    host_forget(&h);
    assert_int_equal(sp_server_tick(h.s, 699999), SP_OK);
    assert_int_equal(sp_server_tick(h.s, 700000), SP_OK);
    host_drain(&h);
    assert_true(h.closed && h.dropped == 1 && h.messages == 1);
    assert_view(book_reason(sp_buf_view(&h.out)), "message-timeout");
    finish(&h);
}

/* While the caller thinks the client's time stands still; with a tick before the answer it begins anew. */
static void test_late_answer(void **c)
{
    (void)c;
    struct host h;
    begin(&h, false);
    type(&h, "EHLO client.example", 250);
    h.hold = true;
    host_line(&h, "MAIL FROM:<>");
    assert_int_equal(sp_server_deadline(h.s), UINT64_MAX);
    assert_int_equal(sp_server_tick(h.s, 1000000), SP_OK);
    assert_int_equal(peek(&h).type, SP_SERVER_ASK_MAIL);
    host_answer(&h);
    assert_false(h.closed);
    assert_int_equal(sp_server_deadline(h.s), 1300000);
    finish(&h);
}

static void test_end_of_the_client(void **c)
{
    (void)c;
    struct host h;
    size_t used;
    begin(&h, false);
    type(&h, "EHLO client.example", 250);
    type(&h, "MAIL FROM:<>", 250);
    host_forget(&h);
    assert_int_equal(sp_server_eof(h.s), SP_OK);
    host_drain(&h);
    assert_true(h.closed && h.dropped == 1 && h.out.len == 0);
    assert_int_equal(sp_server_feed(h.s, SP_LIT("NOOP\r\n"), 1, &used), SP_ERR_CLOSED);
    assert_int_equal(sp_server_eof(h.s), SP_OK);
    assert_int_equal(sp_server_shutdown(h.s), SP_OK);
    finish(&h);
}

/* A message whose end has come is answered first, and then the session ends. */
static void test_end_while_storing(void **c)
{
    (void)c;
    for (int server = 0; server < 2; server++) {
        struct host h;
        begin(&h, false);
        type(&h, "EHLO client.example", 250);
        to_data(&h);
        h.hold = true;
        host_line(&h, "text\r\n.");
        host_forget(&h);
        assert_int_equal(server ? sp_server_shutdown(h.s) : sp_server_eof(h.s), SP_OK);
        host_drain(&h);
        assert_false(h.closed);
        assert_int_equal(h.out.len, 0);
        host_answer(&h);
        host_drain(&h);
        assert_true(h.closed && h.messages == 1 && h.dropped == 0);
        assert_int_equal(host_code(&h), server ? 421 : 250);
        assert_int_equal(book_code(sp_buf_view(&h.out)), 250);
        finish(&h);
    }
}

static void test_shutdown(void **c)
{
    (void)c;
    static const char *const lines[] = {"EHLO client.example", "MAIL FROM:<a@b>", "RCPT TO:<a@b>", "DATA",
                                        "half a message"};
    for (size_t n = 0; n <= 5; n++) {
        struct host h;
        begin(&h, false);
        for (size_t i = 0; i < n; i++)
            host_line(&h, lines[i]);
        host_forget(&h);
        assert_int_equal(sp_server_shutdown(h.s), SP_OK);
        host_drain(&h);
        assert_true(h.closed);
        assert_view(book_reason(sp_buf_view(&h.out)), "shutting-down");
        assert_int_equal(h.dropped, n >= 2);
        finish(&h);
    }
}

/* --- secrets and memory ----------------------------------------------------------------------------- */

/* No block that held a password, plain or in base64, is given back or moved with it. */
static void test_secrets_are_overwritten(void **c)
{
    (void)c;
    static const char *const secrets[] = {"VmVyeVNlY3JldFBhc3N3b3Jk", "VerySecretPassword"};
    for (size_t which = 0; which < 2; which++)
        for (size_t cut = 0; cut < 60; cut++) {
            struct host h;
            begin(&h, false);
            h.cut = cut;
            h.memory.secret = sp_view_of(secrets[which]);
            type(&h, "EHLO client.example", 250);
            type(&h, "AUTH LOGIN", 334);
            type(&h, "ZGVtbw==", 334);
            type(&h, "VmVyeVNlY3JldFBhc3N3b3Jk", 535);
            type(&h, "AUTH LOGIN VmVyeVNlY3JldFBhc3N3b3Jk", 334);
            type(&h, "VmVyeVNlY3JldFBhc3N3b3Jk!", 501);
            type(&h, "AUTH PLAIN VmVyeVNlY3JldFBhc3N3b3Jk", 535);
            type(&h, "AUTH PLAIN", 334);
            host_feed(&h, SP_LIT("VmVyeVNlY3JldFBhc3N3b3Jk")); /* and the client is gone */
            finish(&h);
        }
}

static void test_memory_of_an_idle_session(void **c)
{
    (void)c;
    struct host h;
    begin(&h, false);
    h.cut = 7;
    type(&h, "EHLO client.example", 250);
    type(&h, "AUTH PLAIN AGRlbW8Ac2VjcmV0", 235);
    to_data(&h);
    type(&h, "text\r\n.", 250);
    type(&h, "NOOP", 250);
    print_message("# an idle session holds %zu octets\n", h.memory.out_octets);
    assert_true(h.memory.out_octets <= 1536);
    finish(&h);
}

static const char *const long_session[] = {"EHLO client.example",
                                           "AUTH LOGIN",
                                           "ZGVtbw==",
                                           "c2VjcmV0",
                                           "MAIL FROM:<alice@client.example> AUTH=a+2Bb@c.example",
                                           "RCPT TO:<nobody@mail.example>",
                                           "RCPT TO:<bob@mail.example>",
                                           "HELP",
                                           "DATA",
                                           "Subject: x\r\n\r\n..text\r\n.",
                                           "VRFY demo",
                                           "STARTTLS",
                                           "EHLO client.example",
                                           "AUTH PLAIN",
                                           "AGRlbW8Ac2VjcmV0",
                                           "MAIL FROM:<a@b> FOO=1",
                                           "BDAT 6\r\nrefused",
                                           "XFORWARD NAME=a+20b ADDR=192.0.2.1",
                                           "MAIL FROM:<a@b> ENVID=a+20b AUTH=a@b REQUIRETLS",
                                           "RCPT TO:<bob@mail.example> ORCPT=utf-8;\\x{FC}@b",
                                           "BDAT 12\r\nSubject: x",
                                           "BDAT 6 LAST\r\n\r\nok",
                                           "XCLIENT ADDR=192.0.2.1 LOGIN=demo HELO=a",
                                           "EHLO client.example",
                                           "QUIT"};

/* Each request for memory fails once: the session dies of it in order, or never needed it. */
static void test_each_allocation_fails(void **c)
{
    (void)c;
    for (size_t cut = 0; cut < 9; cut += 4) {
        size_t nth = 1;
        unsigned dead = 0;
        for (;; nth++) {
            struct host h;
            struct sp_server_options o = host_options();
            o.extensions |= SP_EXT_XCLIENT | SP_EXT_XFORWARD;
            host_init(&h, &o);
            h.cut = cut;
            h.memory.refuse_at = nth;
            host_open(&h, false);
            for (size_t i = 0; h.s && i < sizeof(long_session) / sizeof(long_session[0]); i++)
                host_line(&h, long_session[i]);
            bool refused = h.memory.requests >= nth;
            assert_int_equal(h.status, refused ? SP_ERR_NOMEM : SP_OK);
            if (h.s && refused) {
                size_t used;
                assert_int_equal(sp_server_feed(h.s, SP_LIT("NOOP\r\n"), 1, &used), SP_ERR_NOMEM);
                assert_int_equal(peek(&h).type, SP_SERVER_NOTHING);
                assert_int_equal(sp_server_output(h.s).len, 0);
                assert_int_equal(sp_server_deadline(h.s), UINT64_MAX);
            }
            dead += refused;
            bool closed = h.closed;
            finish(&h);
            if (!refused) {
                assert_true(closed);
                break;
            }
        }
        assert_true(dead > 5);
    }
}

/* --- octets --------------------------------------------------------------------------------------- */

/* A message of 2 MiB in reads of odd sizes comes out octet for octet, from views alone. */
static void test_large_message(void **c)
{
    (void)c;
    enum { LINES = 30000 };
    struct host h;
    begin(&h, false);
    type(&h, "EHLO client.example", 250);
    to_data(&h);
    size_t memory = h.memory.peak_octets, sent = 0;
    char line[100];
    for (unsigned i = 0; i < LINES; i++) {
        int n = snprintf(line, sizeof(line), "%sline %u of a message with some text in it, to fill it up\r\n",
                         i % 7 ? "" : "..", i);
        host_feed(&h, sp_view_make(line, (size_t)n));
        sent += (size_t)n - (i % 7 ? 0 : 1);
    }
    host_line(&h, ".");
    assert_int_equal(h.messages, 1);
    assert_int_equal(h.content.len, sent);
    assert_int_equal(h.memory.peak_octets, memory);
    finish(&h);
}

/* Over the limit nothing more is handed out, and the mail is dropped, not asked about. */
static void test_over_the_limit(void **c)
{
    (void)c;
    struct host h;
    struct sp_server_options o = host_options();
    o.max_message_octets = 1000;
    host_init(&h, &o);
    host_open(&h, false);
    type(&h, "EHLO client.example", 250);
    to_data(&h);
    for (unsigned i = 0; i < 100; i++)
        host_line(&h, "twenty-odd octets of it");
    assert_true(h.content.len <= 1000);
    type(&h, ".", 552);
    assert_int_equal(h.dropped, 1);
    assert_int_equal(h.messages, 0);
    type(&h, "NOOP", 250);
    finish(&h);
}

/* Short commands with long replies, in one read: the session stops and waits until somebody takes them. */
static void test_output_that_nobody_takes(void **c)
{
    (void)c;
    enum { COMMAND_N = 20000, COMMAND_LEN = 6 };
    static char in[COMMAND_N * COMMAND_LEN];
    struct host h;
    struct sp_server_options o = host_options();
    o.max_idle_commands = UINT32_MAX;
    host_init(&h, &o);
    host_open(&h, false);
    type(&h, "EHLO client.example", 250);
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = "HELP\r\n"[i % COMMAND_LEN];
    size_t replies = 0, used;
    for (size_t total = 0; total < sizeof in; total += used) {
        struct sp_view line;
        assert_int_equal(sp_server_feed(h.s, sp_view_make(in + total, sizeof in - total), 1, &used), SP_OK);
        assert_true(used > 0);
        struct sp_view out = sp_server_output(h.s);
        size_t len = out.len;
        assert_true(len < SP_SERVER_OUTPUT_PAUSE + 1024);
        while (sp_view_word(&out, '\n', &line))
            replies += sp_view_starts(line, SP_LIT("214 "));
        sp_server_sent(h.s, len);
    }
    assert_int_equal(replies, COMMAND_N);
    finish(&h);
}

static bool says(const struct host *h, const char *text)
{
    return memmem(h->out.p, h->out.len, text, strlen(text)) != NULL;
}

/* EHLO does not list it, the caller is asked nevertheless; when it is the only one there is no AUTH to list.
 */
static void test_a_mechanism_is_withheld(void **state)
{
    (void)state;
    for (int alone = 0; alone < 2; alone++) {
        struct host h;
        struct sp_server_options o = host_options();
        o.mechanisms_plain = alone ? SP_LIT("EXTERNAL") : SP_LIT("EXTERNAL PLAIN");
        host_init(&h, &o);
        host_open(&h, false);
        sp_server_withhold(h.s, SP_LIT("EXTERNAL"));
        type(&h, "EHLO client.example", 250);
        assert_int_equal(says(&h, "AUTH PLAIN\r\n"), !alone);
        assert_int_equal(says(&h, "AUTH"), !alone);
        type(&h, "AUTH EXTERNAL =", 535);
        type(&h, "AUTH FANCY", 504);
        assert_false(says(&h, "EXTERNAL"));
        sp_server_withhold(h.s, (struct sp_view){0});
        type(&h, "EHLO client.example", 250);
        assert_true(says(&h, alone ? "AUTH EXTERNAL\r\n" : "AUTH EXTERNAL PLAIN\r\n"));
        finish(&h);
    }
}

/* --- line ends of chunks ------------------------------------------------------------------------ */

static bool is_text(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if ((v.p[i] == '\n') != (i > 0 && v.p[i - 1] == '\r'))
            return false;
    return v.len == 0 || v.p[v.len - 1] != '\r';
}

static void chunk(struct host *h, struct sp_view content, size_t cut)
{
    char line[64];
    begin(h, false);
    type(h, "EHLO client.example", 250);
    type(h, "MAIL FROM:<alice@client.example>", 250);
    type(h, "RCPT TO:<bob@mail.example>", 250);
    (void)snprintf(line, sizeof line, "BDAT %zu LAST\r\n", content.len); /* fits */
    host_forget(h);
    h->cut = cut;
    host_feed(h, sp_view_of(line));
    host_feed(h, content);
    if (host_code(h) != (is_text(content) ? 250 : 554))
        fail_msg("cut %zu: %d to %.*s", cut, host_code(h), (int)content.len, (const char *)content.p);
    finish(h);
}

/* Each string of CR, LF and x up to five octets, alone and behind and before lines that are passed over. */
static void test_line_ends_of_chunks(void **state)
{
    (void)state;
    static const char letters[] = "\r\nx", *const around[] = {"",
                                                              "0123456789012345678901234567890123456789\r\n"};
    static const size_t cuts[] = {0, 1, 64, 65};
    for (size_t len = 0, count = 1; len <= 5; len++, count *= 3)
        for (size_t n = 0; n < count * 2; n++) {
            char text[512] = "";
            for (size_t i = 0; i < 4; i++)
                strcat(text, around[n & 1]);
            for (size_t i = 0, rest = n / 2; i < len; i++, rest /= 3)
                strncat(text, &letters[rest % 3], 1);
            for (size_t i = 0; i < 4; i++)
                strcat(text, around[n & 1]);
            for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
                struct host h;
                chunk(&h, sp_view_of(text), cuts[i]);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_carry_their_facts),
        cmocka_unit_test(test_questions_stay_facts_go),
        cmocka_unit_test(test_auth_events),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_challenges),
        cmocka_unit_test(test_refusals_are_cut),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_words_of_the_caller),
        cmocka_unit_test(test_dismissed),
        cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_command_timer),
        cmocka_unit_test(test_data_timer),
        cmocka_unit_test(test_message_timer),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_end_of_the_client),
        cmocka_unit_test(test_end_while_storing),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_secrets_are_overwritten),
        cmocka_unit_test(test_memory_of_an_idle_session),
        cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_large_message),
        cmocka_unit_test(test_over_the_limit),
        cmocka_unit_test(test_output_that_nobody_takes),
        cmocka_unit_test(test_a_mechanism_is_withheld),
        cmocka_unit_test(test_line_ends_of_chunks),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
