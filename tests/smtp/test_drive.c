/*
 * The drive: every sequence of commands up to a depth is typed into the real engine and its
 * replies are compared with an oracle written apart from the rule table. Each reply goes
 * through the law book, and the engine's facts are compared with the oracle's after each.
 *
 * Sequences share their beginnings: between commands a session holds no memory but itself,
 * so a copy of it is a session in the same state.
 */
#include "tap.h"

#include "base/view.h"
#include "book.h"
#include "host.h"
#include "oracle.h"
#include "smtp/server.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *input, *line;
} typed[ORACLE_N] = {
    [ORACLE_EHLO] = {"EHLO", "EHLO client.example"},
    [ORACLE_HELO] = {"HELO", "HELO client.example"},
    [ORACLE_STARTTLS] = {"STARTTLS", "STARTTLS"},
    [ORACLE_AUTH] = {"AUTH", "AUTH PLAIN AGRlbW8Ac2VjcmV0"},
    [ORACLE_AUTH_WRONG] = {"AUTH", "AUTH PLAIN AGRlbW8Ad3Jvbmc="},
    [ORACLE_MAIL] = {"MAIL", "MAIL FROM:<alice@client.example>"},
    [ORACLE_MAIL_REFUSED] = {"MAIL", "MAIL FROM:<nobody@client.example>"},
    [ORACLE_RCPT] = {"RCPT", "RCPT TO:<bob@mail.example>"},
    [ORACLE_RCPT_REFUSED] = {"RCPT", "RCPT TO:<nobody@mail.example>"},
    [ORACLE_DATA] = {"DATA", "DATA"},
    [ORACLE_RSET] = {"RSET", "RSET"},
    [ORACLE_NOOP] = {"NOOP", "NOOP"},
    [ORACLE_QUIT] = {"QUIT", "QUIT"},
    [ORACLE_VRFY] = {"VRFY", "VRFY carol"},
    [ORACLE_EXPN] = {"EXPN", "EXPN staff"},
    [ORACLE_HELP] = {"HELP", "HELP"},
    [ORACLE_UNKNOWN] = {"FEED", "FEED ME"},
    [ORACLE_BDAT] = {"BDAT", "BDAT 12"},
    [ORACLE_DATA_ARGUMENT] = {"DATA", "DATA now"},
    [ORACLE_RCPT_SYNTAX] = {"RCPT", "RCPT TO:<bob>"},
    [ORACLE_EHLO_REFUSED] = {"EHLO", "EHLO refused.example"},
};

/* Every mail that was begun ends in a stored message or in MAIL_DROPPED. */
struct ledger {
    unsigned begun, stored, dropped;
};

struct node {
    struct sp_server session;
    struct oracle oracle;
    struct ledger ledger;
    bool closed;
};

static unsigned path[16], path_n;
static unsigned long commands_typed;
static const struct sp_refusal no_550 = {550, "5.7.1", "refused", {(const uint8_t *)"No", 2}};
static const struct sp_refusal no_502 = {502, "5.5.1", "expn-off", {(const uint8_t *)"No", 2}};
static const struct sp_refusal no_535 = {535, "5.7.8", "auth-failed", {(const uint8_t *)"No", 2}};

static void fail_here(const char *what, int wanted, int got)
{
    char text[600];
    size_t n = 0;
    for (unsigned i = 0; i < path_n; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s; ", typed[path[i]].line);
    fail_msg("%s: wanted %d, got %d, after %s", what, wanted, got, text);
}

static int answer(struct sp_server *s, const struct sp_server_event *e)
{
    switch (e->type) {
    case SP_SERVER_ASK_EXPN:
        return sp_server_no(s, &no_502);
    case SP_SERVER_ASK_AUTH:
        if (!sp_view_eq(e->as.auth.initial, SP_LIT("\0demo\0secret")))
            return sp_server_no(s, &no_535);
        break;
    case SP_SERVER_ASK_MAIL:
        if (sp_view_eq(e->as.mail.sender.local, SP_LIT("nobody")))
            return sp_server_no(s, &no_550);
        break;
    case SP_SERVER_ASK_RCPT:
        if (sp_view_eq(e->as.rcpt.recipient.local, SP_LIT("nobody")))
            return sp_server_no(s, &no_550);
        break;
    case SP_SERVER_ASK_HELLO:
        if (sp_view_eq(e->as.hello.domain, SP_LIT("refused.example")))
            return sp_server_no(s, &no_550);
        break;
    default:
        break;
    }
    return sp_server_yes(s, (struct sp_view){0});
}

static void drain(struct node *n)
{
    struct sp_server_event e;
    while (sp_server_event(&n->session, &e) != SP_SERVER_NOTHING) {
        if (e.type <= SP_SERVER_ASK_END) {
            bool was = sp_server_in_transaction(&n->session);
            assert_int_equal(answer(&n->session, &e), SP_OK);
            n->ledger.begun += e.type == SP_SERVER_ASK_MAIL && !was && sp_server_in_transaction(&n->session);
            n->ledger.stored += e.type == SP_SERVER_ASK_END;
        }
        n->ledger.dropped += e.type == SP_SERVER_MAIL_DROPPED;
        n->closed = n->closed || e.type == SP_SERVER_CLOSED;
    }
}

/* Type a line; the code of the reply, which has gone through the book. */
static int type_line(struct node *n, const char *input, struct sp_view line)
{
    while (line.len > 0) {
        size_t used = 0;
        if (sp_server_feed(&n->session, line, 1, &used) != SP_OK)
            fail_here("feed", SP_OK, -1);
        line = sp_view_from(line, used);
        drain(n);
    }
    struct sp_view out = sp_server_output(&n->session);
    if (book_reply_len(out) != out.len)
        fail_here("number of replies", 1, 2);
    int code = book_code(out);
    const char *fault = book_fault(input, out);
    if (fault)
        fail_here(fault, 0, code);
    sp_server_sent(&n->session, out.len);
    sp_buf_fini(&n->session.out); /* so that a copy shares nothing */
    commands_typed++;
    return code;
}

static void compare_facts(const struct node *n)
{
    const struct oracle *o = &n->oracle;
    const struct sp_server *s = &n->session;
    bool open = n->ledger.begun > n->ledger.stored + n->ledger.dropped;
    if (sp_server_is_tls(s) != o->tls)
        fail_here("tls", o->tls, !o->tls);
    if (!o->closed && (sp_server_is_esmtp(s) != o->esmtp || sp_server_is_authenticated(s) != o->user))
        fail_here("esmtp or user", o->esmtp, o->user);
    if (sp_server_in_transaction(s) != (o->sender && !o->closed) || open != (o->sender && !o->closed))
        fail_here("mail", o->sender, open);
    if (n->closed != o->closed)
        fail_here("closed", o->closed, n->closed);
}

static void run_command(struct node *n, unsigned command)
{
    char line[80];
    int len = snprintf(line, sizeof(line), "%s\r\n", typed[command].line);
    int wanted = oracle_reply(&n->oracle, command);
    int got = type_line(n, typed[command].input, sp_view_make(line, (size_t)len));
    if (got == 354)
        got = type_line(n, "message", SP_LIT("Subject: x\r\n\r\n..\r\n.\r\n"));
    if (got == 220)
        assert_int_equal(sp_server_secured(&n->session, 1), SP_OK);
    if (got != wanted)
        fail_here("code", wanted, got);
    compare_facts(n);
}

static void drive(const struct node *from, unsigned alphabet, unsigned depth)
{
    for (unsigned c = 0; c < alphabet; c++) {
        struct node n = *from;
        path[path_n++] = c;
        run_command(&n, c);
        if (depth > 1 && !n.closed)
            drive(&n, alphabet, depth - 1);
        path_n--;
    }
}

struct listener {
    bool starttls, tls_required, auth_required, clear_auth, implicit_tls;
};

static void drive_listener(const struct listener *l, unsigned alphabet, unsigned depth)
{
    struct sp_server_options o = host_options();
    struct host_memory memory = {0};
    struct sp_allocator alloc = host_allocator(&memory);
    struct sp_server *s = NULL;
    o.starttls = l->starttls;
    o.tls_required = l->tls_required;
    o.auth_required = l->auth_required;
    if (!l->clear_auth)
        o.mechanisms_plain = (struct sp_view){0};
    assert_int_equal(sp_server_new(&o, &alloc, &s), SP_OK);
    assert_int_equal(sp_server_open(s, l->implicit_tls, 0), SP_OK);
    struct node root = {.session = *s,
                        .oracle = {.tls_required = l->tls_required,
                                   .auth_required = l->auth_required,
                                   .clear_auth = l->clear_auth,
                                   .starttls = l->starttls,
                                   .tls = l->implicit_tls}};
    drain(&root);
    assert_int_equal(book_code(sp_server_output(&root.session)), 220);
    sp_server_sent(&root.session, sp_server_output(&root.session).len);
    sp_buf_fini(&root.session.out);
    drive(&root, alphabet, depth);
    sp_server_free(s);
    assert_int_equal(memory.out_blocks, 0);
}

static void test_sandbox_listener(void **c)
{
    (void)c;
    drive_listener(&(struct listener){.starttls = true, .clear_auth = true}, ORACLE_QUIT + 1, 5);
    print_message("# %lu commands typed\n", commands_typed);
}

static void test_submission_listener(void **c)
{
    (void)c;
    drive_listener(&(struct listener){.starttls = true, .tls_required = true, .auth_required = true},
                   ORACLE_QUIT + 1, 5);
}

static void test_submissions_listener(void **c)
{
    (void)c;
    drive_listener(&(struct listener){.auth_required = true, .implicit_tls = true}, ORACLE_QUIT + 1, 5);
}

/* All commands, all policies, less deep. */
static void test_all_listeners(void **c)
{
    (void)c;
    for (unsigned i = 0; i < 32; i++)
        drive_listener(&(struct listener){i & 1, i & 2, i & 4, i & 8, i & 16}, ORACLE_N, 3);
    print_message("# %lu commands typed\n", commands_typed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_listeners),
        cmocka_unit_test(test_sandbox_listener),
        cmocka_unit_test(test_submission_listener),
        cmocka_unit_test(test_submissions_listener),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
