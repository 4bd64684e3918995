/*
 * Memory that runs out, seen through the public headers alone: whole sessions that use every call, client and
 * server, with each request for memory refused; once, as when others take it for a moment, and from then on.
 * A failure is SP_ERR_NOMEM of the call in which it happens, nothing leaks, and what was promised about
 * outcomes holds.
 */
#include "tap.h"

#include "sallyport/smtp_client.h"
#include "sallyport/smtp_server.h"

#include <stdlib.h>
#include <string.h>

struct memory {
    size_t calls, refuse_at, in_use;
    bool once, refused;
};

static void *limited(void *ctx, void *p, size_t old, size_t n)
{
    struct memory *m = ctx;
    if (n > 0 && (++m->calls == m->refuse_at || (m->calls > m->refuse_at && m->refuse_at > 0 && !m->once))) {
        m->refused = true;
        return NULL;
    }
    m->in_use += n - old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    uint8_t *q = malloc(n); /* always moves, so that no old view can be of use */
    if (p) {
        memcpy(q, p, old < n ? old : n);
        memset(p, 0xdd, old);
        free(p);
    }
    return q;
}

static struct sp_view view(const char *s) { return (struct sp_view){(const uint8_t *)s, strlen(s)}; }

/* --- the client ------------------------------------------------------------------------------ */

enum { RECIPIENTS = 3, ENDINGS = 4 };
enum ending { BY_QUIT, BY_UNFIT, BY_EOF, BY_TICK };

struct talk {
    struct memory memory;
    struct sp_client *s;
    enum ending ending;
    bool lmtp, in_mail, closed;
    unsigned step, challenges, given, said[RECIPIENTS], mails, mails_done;
};

static const struct sp_view recipients[RECIPIENTS] = {SP_LIT_INIT("a@b.example"), SP_LIT_INIT("<malformed"),
                                                      SP_LIT_INIT("c@d.example")};

/* What a willing server says in a phase. */
static struct sp_view reply_in(const struct talk *t)
{
    const char *phase = sp_client_phase(t->s);
    if (strcmp(phase, "GREETING") == 0 || strcmp(phase, "XCLIENT") == 0 || strcmp(phase, "STARTTLS") == 0)
        return SP_LIT("220 mx.example\r\n");
    if (strcmp(phase, "EHLO") == 0)
        return SP_LIT(
            "250-mx.example\r\n250-PIPELINING\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250-BINARYMIME\r\n"
            "250-DSN\r\n250 CHUNKING\r\n");
    if (strcmp(phase, "AUTH") == 0)
        return t->challenges < 3 ? SP_LIT("334 Y2hhbGxlbmdl\r\n") : SP_LIT("501 5.7.0 cancelled\r\n");
    if (strcmp(phase, "CANCEL") == 0)
        return SP_LIT("501 5.7.0 cancelled\r\n");
    return strcmp(phase, "DATA") == 0 ? SP_LIT("354 go on\r\n") : SP_LIT("250 2.0.0 OK\r\n");
}

static int begin_mail(struct talk *t, uint32_t chunk)
{
    static struct sp_client_mail mail;
    mail = (struct sp_client_mail){.sender = SP_LIT("s@t.example"),
                                   .recipients = recipients,
                                   .recipient_n = RECIPIENTS,
                                   .chunk = chunk,
                                   .parameters = {.ret = SP_RET_HDRS, .envid = SP_LIT("an id")},
                                   .extra = SP_LIT("X-A=b")};
    memset(t->said, 0, sizeof t->said);
    t->in_mail = true;
    t->mails++;
    t->given = 0;
    (void)sp_client_needs(t->s, &mail);
    (void)sp_client_may_mail(t->s);
    return sp_client_mail(t->s, &mail, 1);
}

static int say_next(struct talk *t)
{
    static uint8_t initial[600];
    switch (t->step++) {
    case 0:
        return sp_client_xclient(t->s, SP_LIT("ADDR=192.0.2.1"), 1);
    case 1:
        return sp_client_auth(t->s, SP_LIT("PLAIN"), true, (struct sp_view){initial, sizeof initial}, 1);
    case 2:
        return sp_client_raw(t->s, SP_LIT("NOOP\r\n"), 1, 1);
    case 3:
        return begin_mail(t, 0);
    case 4:
        return begin_mail(t, 16);
    case 5:
        return begin_mail(t, 0);
    default:
        return sp_client_quit(t->s, 1);
    }
}

static int give_content(struct talk *t)
{
    size_t used;
    if (t->mails == 3 && t->given == 2 && t->ending != BY_QUIT) {
        if (t->ending == BY_UNFIT)
            return sp_client_content_unfit(t->s, "5.6.3", "it cannot be made fit");
        if (t->ending == BY_EOF)
            sp_client_eof(t->s, SP_LIT("gone"));
        else
            sp_client_tick(t->s, sp_client_deadline(t->s));
        return SP_OK;
    }
    return t->given++ < 4 ? sp_client_content(t->s, SP_LIT("A line.\r\n.\r\nanother\r\n"), &used)
                          : sp_client_content_end(t->s);
}

static void note_outcome(struct talk *t, const struct sp_client_event *e)
{
    assert_true(t->in_mail && e->as.outcome.recipient < RECIPIENTS);
    assert_int_equal(t->said[e->as.outcome.recipient]++, 0);
    assert_string_not_equal(sp_client_fate_name(e->as.outcome.fate), "");
}

static int answer_client(struct talk *t, enum sp_client_event_type type, const struct sp_client_event *e)
{
    switch (type) {
    case SP_CLIENT_OUTCOME:
        note_outcome(t, e);
        return SP_OK;
    case SP_CLIENT_MAIL_DONE:
        for (size_t i = 0; i < RECIPIENTS; i++)
            assert_int_equal(t->said[i], 1);
        t->mails_done++;
        t->in_mail = false;
        return SP_OK;
    case SP_CLIENT_ASK_NEXT:
        return say_next(t);
    case SP_CLIENT_ASK_ANSWER:
        return t->challenges++ < 2 ? sp_client_answer(t->s, SP_LIT("a response"), 1)
                                   : sp_client_cancel(t->s, 1);
    case SP_CLIENT_ASK_CONTENT:
        return give_content(t);
    case SP_CLIENT_START_TLS:
        return sp_client_secured(t->s, 1);
    default:
        t->closed = t->closed || type == SP_CLIENT_CLOSED;
        return SP_OK;
    }
}

static void run_client(struct talk *t)
{
    const struct sp_client_options o = {.hello = SP_LIT("client.example"),
                                        .tls = SP_CLIENT_TLS_OPPORTUNISTIC,
                                        .transcript = true,
                                        .protocol = t->lmtp ? SP_CLIENT_LMTP : SP_CLIENT_ESMTP};
    const struct sp_allocator alloc = {limited, &t->memory};
    int status = sp_client_new(&o, &alloc, &t->s);
    assert_int_equal(status, t->memory.refused ? SP_ERR_NOMEM : SP_OK);
    if (status != SP_OK)
        assert_null(t->s);
    else
        status = sp_client_open(t->s, false, 0);
    for (unsigned turns = 0; t->s && !t->closed; turns++) {
        struct sp_client_event e;
        struct sp_view words;
        size_t used;
        assert_true(turns < 2000);
        enum sp_client_event_type type = sp_client_event(t->s, &e);
        status = answer_client(t, type, &e);
        struct sp_view out = sp_client_output(t->s);
        if (out.len > 0)
            sp_client_sent(t->s, out.len, 1);
        else if (type == SP_CLIENT_NOTHING && status == SP_OK)
            status = sp_client_feed(t->s, reply_in(t), 1, &used);
        (void)sp_client_capability(t->s, SP_LIT("AUTH"), &words);
        assert_true(status == SP_OK || (status == SP_ERR_NOMEM && t->memory.refused));
    }
    if (t->s) {
        size_t used;
        assert_int_equal(t->mails_done, t->mails);
        assert_int_not_equal(sp_client_feed(t->s, SP_LIT("250 late\r\n"), 1, &used), SP_OK);
        assert_int_equal(sp_client_deadline(t->s), UINT64_MAX);
    }
    sp_client_free(t->s);
    assert_int_equal(t->memory.in_use, 0);
}

static void test_client(void **state)
{
    (void)state;
    size_t refused = 0;
    for (unsigned kind = 0; kind < ENDINGS * 4; kind++)
        for (size_t nth = 1;; nth++) {
            struct talk t = {.memory = {.refuse_at = nth, .once = kind & 1},
                             .lmtp = kind & 2,
                             .ending = (enum ending)(kind / 4)};
            run_client(&t);
            refused += t.memory.refused;
            if (t.memory.refused)
                continue;
            assert_int_equal(t.mails, 3);
            assert_true(nth > 5);
            break;
        }
    assert_true(refused > 100);
}

/* --- the server ------------------------------------------------------------------------------ */

struct visit {
    struct memory memory;
    struct sp_server *s;
    bool closed;
    unsigned mails, ended;
};

static const char *const esmtp[] = {
    "EHLO client.example\r\n",
    "STARTTLS\r\n",
    "EHLO client.example\r\n",
    "VRFY someone\r\n",
    "EXPN a-list\r\n",
    "ETRN node.example\r\n",
    "AUTH LOGIN\r\n",
    "YW4gYW5zd2VyIHRoYXQgaXMgbm90IHNob3J0\r\n",
    "XFORWARD NAME=a ADDR=192.0.2.1\r\n",
    "MAIL FROM:<a@b.example> ENVID=a+20b AUTH=<> RET=HDRS\r\nRCPT TO:<no@b.example>\r\nRCPT TO:<c@d.example> "
    "NOTIFY=DELAY\r\nDATA\r\n",
    "Subject: x\r\n\r\n..",
    ".dots\r\n.\r\n",
    "MAIL FROM:<no@b.example>\r\n",
    "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n",
    "BDAT 4\r\nab\r\nBDAT 2 LAST\r\n\r\n",
    "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 4\r\nabcd",
    "RSET\r\n",
    "HELP\r\n",
    "NOSUCH\r\n",
    "EHLO bad_name-\r\n",
    "XCLIENT ADDR=192.0.2.7 LOGIN=someone\r\n",
    "EHLO client.example\r\n",
    "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@d.example>\r\nDATA\r\n",
    "half a line"};
static const char *const lmtp[] = {"LHLO client.example\r\n",
                                   "MAIL FROM:<a@b.example>\r\n",
                                   "RCPT TO:<c@d.example>\r\nRCPT TO:<e@d.example>\r\n",
                                   "DATA\r\n",
                                   "x\r\n.\r\n",
                                   "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n",
                                   "BDAT 3 LAST\r\nabc",
                                   "MAIL FR"};

static const struct sp_refusal refusal = {550, "5.1.1", "not-here",
                                          SP_LIT_INIT("There is no such mailbox here")};

static int answer_server(struct visit *v, const struct sp_server_event *e)
{
    switch (e->type) {
    case SP_SERVER_ASK_AUTH:
        return sp_server_more(v->s, SP_LIT("who is it?"));
    case SP_SERVER_ASK_MAIL:
        if (e->as.mail.sender.local.len == 2)
            return sp_server_no(v->s, &refusal);
        v->mails++;
        return sp_server_yes(v->s, SP_LIT(""));
    case SP_SERVER_ASK_RCPT:
        return e->as.rcpt.recipient.local.len == 2 ? sp_server_no(v->s, &refusal)
                                                   : sp_server_yes(v->s, SP_LIT(""));
    case SP_SERVER_ASK_DATA:
        return v->mails % 3 == 0 ? sp_server_no(v->s, &refusal) : sp_server_yes(v->s, SP_LIT(""));
    case SP_SERVER_MAIL_DROPPED:
        v->ended++;
        return SP_OK;
    case SP_SERVER_START_TLS:
        return sp_server_secured(v->s, 1);
    case SP_SERVER_CLOSED:
        v->closed = true;
        return SP_OK;
    default:
        return e->type < SP_SERVER_CONTENT
                   ? sp_server_yes(v->s, SP_LIT("A text of the caller, which stands in the reply"))
                   : SP_OK;
    }
}

static int drain(struct visit *v)
{
    struct sp_server_event e;
    int status = SP_OK;
    while (status == SP_OK && sp_server_event(v->s, &e) != SP_SERVER_NOTHING)
        status = answer_server(v, &e);
    sp_server_sent(v->s, sp_server_output(v->s).len);
    return status;
}

static int type_in(struct visit *v, struct sp_view in)
{
    int status = SP_OK;
    while (status == SP_OK && in.len > 0 && !v->closed) {
        size_t used;
        status = sp_server_feed(v->s, in, 1, &used);
        in.p += used, in.len -= used;
        status = status == SP_OK ? drain(v) : status;
    }
    return status;
}

static int leave(struct visit *v, unsigned how)
{
    int status = how == 0   ? sp_server_shutdown(v->s)
                 : how == 1 ? sp_server_eof(v->s)
                            : sp_server_tick(v->s, sp_server_deadline(v->s));
    return status == SP_OK ? drain(v) : status;
}

/* What is left of a session that died. */
static void check_dead(struct visit *v)
{
    struct sp_server_event e;
    size_t used;
    assert_int_equal(sp_server_feed(v->s, SP_LIT("NOOP\r\n"), 1, &used), SP_ERR_NOMEM);
    assert_int_equal(sp_server_event(v->s, &e), SP_SERVER_NOTHING);
    assert_int_equal(sp_server_output(v->s).len, 0);
    assert_int_equal(sp_server_yes(v->s, view("")), SP_ERR_NOMEM);
    assert_int_equal(sp_server_no(v->s, &refusal), SP_ERR_NOMEM);
    assert_int_equal(sp_server_more(v->s, view("")), SP_ERR_NOMEM);
    assert_int_equal(sp_server_secured(v->s, 2), SP_ERR_NOMEM);
    assert_int_equal(sp_server_tick(v->s, 2), SP_ERR_NOMEM);
    assert_int_equal(sp_server_eof(v->s), SP_ERR_NOMEM);
    assert_int_equal(sp_server_shutdown(v->s), SP_ERR_NOMEM);
    assert_int_equal(sp_server_deadline(v->s), UINT64_MAX);
}

static void run_server(struct visit *v, bool in_lmtp, unsigned how)
{
    const struct sp_server_options o = {.hostname = SP_LIT("mx.example"),
                                        .starttls = true,
                                        .lmtp = in_lmtp,
                                        .extensions = 0xfff,
                                        .mechanisms_plain = SP_LIT("LOGIN PLAIN"),
                                        .mechanisms_tls = SP_LIT("LOGIN PLAIN")};
    const struct sp_allocator alloc = {limited, &v->memory};
    int status = sp_server_new(&o, &alloc, &v->s);
    assert_int_equal(status, v->memory.refused ? SP_ERR_NOMEM : SP_OK);
    if (status != SP_OK) {
        assert_null(v->s);
        return;
    }
    sp_server_withhold(v->s, SP_LIT("PLAIN"));
    sp_server_set_wall(v->s, 1000);
    status = sp_server_open(v->s, false, 0);
    status = status == SP_OK ? drain(v) : status;
    const char *const *lines = in_lmtp ? lmtp : esmtp;
    size_t n = in_lmtp ? sizeof lmtp / sizeof *lmtp : sizeof esmtp / sizeof *esmtp;
    for (size_t i = 0; i < n && status == SP_OK; i++)
        status = type_in(v, view(lines[i]));
    status = status == SP_OK ? leave(v, how) : status;
    assert_int_equal(status, v->memory.refused ? SP_ERR_NOMEM : SP_OK);
    if (v->memory.refused)
        check_dead(v);
    else
        assert_true(v->closed);
    sp_server_free(v->s);
}

static void test_server(void **state)
{
    (void)state;
    size_t refused = 0;
    for (unsigned kind = 0; kind < 12; kind++)
        for (size_t nth = 1;; nth++) {
            struct visit v = {.memory = {.refuse_at = nth, .once = kind & 1}};
            run_server(&v, kind & 2, kind / 4);
            assert_int_equal(v.memory.in_use, 0);
            refused += v.memory.refused;
            if (v.memory.refused)
                continue;
            assert_true(nth > 5 && v.mails > 1 && (kind & 2 || v.ended > 1));
            break;
        }
    assert_true(refused > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_client), cmocka_unit_test(test_server)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
