/* The client over real sockets against a server that follows a script. */
#include "fake.h"

#include "client/client.h"
#include "os/clock.h"
#include "os/loop.h"

enum { PATIENCE_MS = 20000 };

/* What the owner of a client heard. */
struct owner {
    struct event_base *base;
    struct dns *dns;
    struct fake fake;
    struct client *client;
    struct client_options options;
    struct sp_client_mail mail;
    struct sp_view recipients[3];
    struct sp_view content;
    unsigned mails; /* to send                                    */
    unsigned ready_n, done_n, ended_n;
    int fates[3];
    char text[3][300];
    struct client_verdict end;
    char end_text[500];
    struct sp_buf talk;  /* the conversation as text                   */
    const char *free_in; /* the handler in which the client is freed  */
    struct sasl_credentials credentials;
};

static void maybe_free(struct owner *o, const char *where)
{
    if (!o->free_in || strcmp(o->free_in, where) != 0)
        return;
    client_free(o->client);
    o->client = NULL;
    event_base_loopbreak(o->base);
}

static void on_ready(void *ctx)
{
    struct owner *o = ctx;
    o->ready_n++;
    if (o->free_in) {
        maybe_free(o, "ready");
        if (!o->client)
            return;
    }
    if (o->done_n < o->mails)
        client_mail(o->client, &o->mail);
    else
        client_quit(o->client);
}

static int on_content(void *ctx, uint64_t offset, struct sp_view *piece_out)
{
    struct owner *o = ctx;
    *piece_out = sp_view_from(o->content, (size_t)offset);
    return SP_OK;
}

static void on_outcome(void *ctx, size_t recipient, const struct client_verdict *v)
{
    struct owner *o = ctx;
    o->fates[recipient] = (int)v->fate;
    snprintf(o->text[recipient], sizeof o->text[0], "%.*s", (int)v->text.len, v->text.p);
    maybe_free(o, "outcome");
}

static void on_done(void *ctx)
{
    struct owner *o = ctx;
    o->done_n++;
    maybe_free(o, o->done_n == 200 ? "200th" : "done");
}

static void on_ended(void *ctx, const struct client_verdict *v)
{
    struct owner *o = ctx;
    o->ended_n++;
    o->end = *v;
    snprintf(o->end_text, sizeof o->end_text, "%.*s", (int)v->text.len, v->text.p);
    maybe_free(o, "ended");
    event_base_loopbreak(o->base);
}

static void add_line(struct owner *o, const char *mark, struct sp_view line, const char *more)
{
    sp_buf_add_str(&o->talk, mark);
    sp_buf_add(&o->talk, line);
    sp_buf_add_str(&o->talk, more);
    sp_buf_add_u8(&o->talk, '\n');
}

static void on_note(void *ctx, const struct client_note *n)
{
    struct owner *o = ctx;
    struct sp_view rest, line;
    switch (n->type) {
    case CLIENT_NOTE_SENT:
        add_line(o, "> ", n->event->as.sent.line, n->event->as.sent.secret ? n->secret_name : "");
        break;
    case CLIENT_NOTE_REPLY:
        rest = n->event->as.reply.reply.lines;
        while (sp_client_reply_line(&rest, &line))
            add_line(o, "< ", line, "");
        break;
    case CLIENT_NOTE_TLS:
        add_line(o, "= TLS ", SP_LIT(""), n->tls->peer_verified ? "verified" : "unverified");
        break;
    case CLIENT_NOTE_AUTH:
        add_line(o, "- ", sp_view_of(n->text), "");
        break;
    default:
        break;
    }
}

static const struct client_handlers handlers = {on_ready, on_content, on_outcome, on_done, on_ended, on_note};

static void open_owner(struct owner *o, const char *const *scripts, size_t script_n)
{
    struct sp_buf error;
    *o = (struct owner){.base = os_loop_new(), .mails = 1};
    sp_buf_init(&error, &os_heap, 1000);
    o->dns = dns_new(o->base, &error);
    assert_non_null(o->dns);
    sp_buf_fini(&error);
    fake_open(&o->fake, o->base, scripts, script_n);
    sp_buf_init(&o->talk, &os_heap, 1 << 20);
    o->recipients[0] = SP_LIT("a@example.org");
    o->recipients[1] = SP_LIT("b@example.org");
    o->recipients[2] = SP_LIT("c@example.org");
    o->content = SP_LIT("Subject: x\r\n\r\n.dot\r\n");
    o->mail = (struct sp_client_mail){
        .sender = SP_LIT("me@example.org"), .recipients = o->recipients, .recipient_n = 1, .size = 20};
    o->options = (struct client_options){
        .host = "127.0.0.1",
        .port = o->fake.port,
        .connect_ms = 5000,
        .session = {.hello = SP_LIT("client.example"), .transcript = true},
    };
}

static void give_up(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what, (void)ctx;
    fail_msg("nothing has ended within %d ms", PATIENCE_MS);
}

static void run_owner(struct owner *o)
{
    struct event *patience = event_new(o->base, -1, 0, give_up, o);
    struct timeval tv = {.tv_sec = PATIENCE_MS / 1000};
    event_add(patience, &tv);
    o->client = client_new(o->base, o->dns, &o->options, &handlers, o);
    assert_non_null(o->client);
    event_base_dispatch(o->base);
    event_free(patience);
    if (o->fake.fault[0])
        fail_msg("%s", o->fake.fault);
}

static void close_owner(struct owner *o)
{
    client_free(o->client);
    fake_close(&o->fake);
    if (o->options.tls)
        os_tls_unref(o->options.tls);
    while (os_stream_n(o->base) > 0)
        event_base_loop(o->base, EVLOOP_ONCE);
    dns_free(o->dns);
    sp_buf_fini(&o->talk);
    event_base_free(o->base);
}

static void expect_talk(const struct owner *o, const char *talk)
{
    if (!sp_view_eq(sp_buf_view(&o->talk), sp_view_of(talk)))
        fail_msg("the conversation was\n%.*s", (int)o->talk.len, o->talk.p);
}

#define OPEN(o, ...)                                                                                         \
    static const char *const scripts[] = {__VA_ARGS__};                                                      \
    struct owner o;                                                                                          \
    open_owner(&o, scripts, sizeof scripts / sizeof *scripts)

#define GREET       "S 220 mx.example\nC EHLO client.example\n"
#define PLAIN_HELLO GREET "S 250 mx.example\n"
#define MAIL                                                                                                 \
    "C MAIL FROM:<me@example.org>\nS 250 ok\nC RCPT TO:<a@example.org>\nS 250 ok\nC DATA\nS 354 go\nD\nS "   \
    "250 2.0.0 taken\n"
#define BYE "C QUIT\nS 221 bye\nX"

static void test_one_mail(void **state)
{
    (void)state;
    OPEN(o, PLAIN_HELLO MAIL BYE);
    run_owner(&o);
    assert_int_equal(o.fates[0], SP_CLIENT_DELIVERED);
    assert_string_equal(o.text[0], "250 2.0.0 taken");
    assert_int_equal(o.end.fate, SP_CLIENT_NONE);
    assert_int_equal(o.ended_n, 1);
    assert_true(sp_view_eq(sp_buf_view(&o.fake.messages), SP_LIT("Subject: x\r\n\r\n..dot\r\n")));
    expect_talk(&o, "< 220 mx.example\n> EHLO client.example\n< 250 mx.example\n"
                    "> MAIL FROM:<me@example.org>\n< 250 ok\n> RCPT TO:<a@example.org>\n< 250 ok\n"
                    "> DATA\n< 354 go\n> .\n< 250 2.0.0 taken\n> QUIT\n< 221 bye\n");
    close_owner(&o);
}

static void test_pipelined_with_a_refusal(void **state)
{
    (void)state;
    OPEN(o, GREET "S 250-mx.example\nS 250-SIZE 1000\nS 250 PIPELINING\n"
                  "C MAIL FROM:<me@example.org> SIZE=20\nC RCPT\nC RCPT\nC RCPT\nC DATA\n"
                  "S 250 ok\nS 550-5.1.1 No such\nS 550 5.1.1 mailbox\nS 250 ok\nS 450 4.2.0 later\nS 354 "
                  "go\nD\nS 250 ok\n" BYE);
    o.mail.recipient_n = 3;
    run_owner(&o);
    assert_int_equal(o.fates[0], SP_CLIENT_BOUNCE);
    assert_string_equal(o.text[0], "550 5.1.1 No such mailbox");
    assert_int_equal(o.fates[1], SP_CLIENT_DELIVERED);
    assert_int_equal(o.fates[2], SP_CLIENT_RETRY);
    close_owner(&o);
}

static void test_many_mails(void **state)
{
    (void)state;
    OPEN(o, PLAIN_HELLO "L\n" MAIL "R");
    o.mails = 200;
    o.free_in = "200th";
    run_owner(&o);
    assert_int_equal(o.fake.message_n, 200);
    assert_int_equal(o.fake.connection_n, 1);
    close_owner(&o);
}

static void test_auth(void **state)
{
    (void)state;
    OPEN(o, GREET
         "S 250-mx.example\nS 250 AUTH PLAIN LOGIN\nC AUTH PLAIN AG1lAHNlY3JldA==\nS 235 in\n" MAIL BYE);
    o.credentials = (struct sasl_credentials){SP_LIT("me"), SP_LIT("secret")};
    o.options.credentials = &o.credentials;
    o.options.session.auth_in_clear = true;
    run_owner(&o);
    assert_int_equal(o.fates[0], SP_CLIENT_DELIVERED);
    assert_non_null(strstr((const char *)o.talk.p, "> AUTH PLAIN user name and password\n"));
    assert_null(memmem(o.talk.p, o.talk.len, "secret", 6));
    assert_null(memmem(o.talk.p, o.talk.len, "AG1l", 4));
    close_owner(&o);
}

static void test_auth_login_refused(void **state)
{
    (void)state;
    OPEN(o, GREET
         "S 250-mx.example\nS 250 AUTH LOGIN\nC AUTH LOGIN\nS 334 VXNlcm5hbWU6\nC bWU=\nS 334 UGFzc3dvcmQ6\n"
         "C c2VjcmV0\nS 535 5.7.8 no\n" BYE);
    o.credentials = (struct sasl_credentials){SP_LIT("me"), SP_LIT("secret")};
    o.options.credentials = &o.credentials;
    o.options.session.auth_in_clear = true;
    run_owner(&o);
    assert_int_equal(o.ready_n, 0);
    assert_int_equal(o.end.code, 535);
    assert_int_equal(o.end.fate, SP_CLIENT_RETRY);
    assert_string_equal(o.end.phase, "AUTH");
    assert_string_equal(o.end_text, "535 5.7.8 no");
    close_owner(&o);
}

/* It would be refused again, and counted against us; but who has another password there may want to know. */
static void test_a_refused_password_is_not_tried_twice(void **state)
{
    (void)state;
    OPEN(o, GREET "S 250-mx.example\nS 250 AUTH CRAM-MD5 PLAIN\nC AUTH CRAM-MD5\nS 334 PDFAbXg+\nC bWUg\nS "
                  "535 5.7.8 no\n" BYE);
    o.credentials = (struct sasl_credentials){SP_LIT("me"), SP_LIT("secret")};
    o.options.credentials = &o.credentials;
    o.options.session.auth_in_clear = true;
    run_owner(&o);
    assert_string_equal(o.end_text, "535 5.7.8 no");
    sp_buf_add_u8(&o.talk, 0);
    assert_non_null(strstr((const char *)o.talk.p,
                           "- CRAM-MD5 failed with 535; PLAIN is not tried with what was just refused"));
    close_owner(&o);
}

static void gives_up_because(const char *const *scripts, const char *why)
{
    struct owner o;
    open_owner(&o, scripts, 1);
    o.credentials = (struct sasl_credentials){SP_LIT("me"), SP_LIT("secret")};
    o.options.credentials = &o.credentials;
    o.options.session.auth_in_clear = true;
    run_owner(&o);
    assert_int_equal(o.ready_n, 0);
    assert_string_equal(o.end.phase, "AUTH");
    assert_string_equal(o.end_text, why);
    close_owner(&o);
}

/* Not "501 cancelled", which is the server's echo of our own word. */
static void test_why_login_is_given_up(void **state)
{
    (void)state;
    gives_up_because(
        (const char *[]){GREET "S 250-mx.example\nS 250 AUTH CRAM-MD5 PLAIN\nC AUTH CRAM-MD5\nS 334 \nC *\n"
                               "S 501 cancelled\n" BYE},
        "we gave up CRAM-MD5: the server's challenge is empty: the answer to it could be used again");
    gives_up_because(
        (const char *[]){GREET "S 250-mx.example\nS 250 AUTH LOGIN\nC AUTH LOGIN\nS 334 Username:\nC *\n"
                               "S 501 cancelled\n" BYE},
        "we gave up LOGIN: the server's challenge is not base64");
    gives_up_because((const char *[]){GREET
                                      "S 250-mx.example\nS 250 AUTH SCRAM-SHA-256\nC AUTH SCRAM-SHA-256\n"
                                      "S 334 ZT1vdGhlci1lcnJvcg==\nC *\nS 501 cancelled\n" BYE},
                     "we gave up SCRAM-SHA-256: the server's first message is not one of SCRAM: "
                     "r=NONCE,s=SALT,i=ITERATIONS");
}

/* CRAM-MD5 shows a proof, not the password. */
static void test_a_proof_may_go_in_clear(void **state)
{
    (void)state;
    OPEN(o, GREET "S 250-mx.example\nS 250 AUTH CRAM-MD5 PLAIN\nC AUTH CRAM-MD5\nS 334 PDFAbXg+\nC bWUg\nS "
                  "235 in\n" MAIL BYE);
    o.credentials = (struct sasl_credentials){SP_LIT("me"), SP_LIT("secret")};
    o.options.credentials = &o.credentials;
    run_owner(&o);
    assert_int_equal(o.ready_n, 2);
    close_owner(&o);
}

static void test_no_password_in_clear(void **state)
{
    (void)state;
    OPEN(o, GREET "S 250-mx.example\nS 250 AUTH PLAIN LOGIN\n" BYE);
    o.credentials = (struct sasl_credentials){SP_LIT("me"), SP_LIT("secret")};
    o.options.credentials = &o.credentials;
    run_owner(&o);
    assert_int_equal(o.ready_n, 0);
    assert_int_equal(o.end.fate, SP_CLIENT_RETRY);
    assert_true(o.end_text[0] != '\0');
    close_owner(&o);
}

#define TLS_SCRIPT                                                                                           \
    GREET "S 250-mx.example\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nT\nC EHLO\nS 250 mx.example\n" MAIL BYE

static void start_tls(struct owner *o, enum os_tls_verify verify, bool trusted)
{
    struct sp_buf error;
    char path[] = "/tmp/sallyport-ca-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    sp_buf_init(&error, &os_heap, 1000);
    fake_make_tls(&o->fake, path);
    o->options.tls = os_tls_client_new(verify, trusted ? path : NULL, &error);
    assert_non_null(o->options.tls);
    o->options.session.tls = SP_CLIENT_TLS_REQUIRED;
    unlink(path);
    sp_buf_fini(&error);
}

static void test_starttls(void **state)
{
    (void)state;
    OPEN(o, TLS_SCRIPT);
    start_tls(&o, OS_TLS_VERIFIED, true);
    run_owner(&o);
    assert_int_equal(o.fates[0], SP_CLIENT_DELIVERED);
    assert_non_null(memmem(o.talk.p, o.talk.len, "= TLS verified\n> EHLO client.example\n", 37));
    close_owner(&o);
}

static void test_starttls_by_a_stranger(void **state)
{
    (void)state;
    OPEN(o, TLS_SCRIPT);
    start_tls(&o, OS_TLS_VERIFIED, false);
    run_owner(&o);
    assert_int_equal(o.ready_n, 0);
    assert_int_equal(o.end.fate, SP_CLIENT_RETRY);
    assert_string_equal(o.end.phase, "HANDSHAKE");
    assert_non_null(strstr(o.end_text, "certificate"));
    close_owner(&o);
}

static void test_starttls_required_not_offered(void **state)
{
    (void)state;
    OPEN(o, PLAIN_HELLO BYE);
    start_tls(&o, OS_TLS_ANY, false);
    run_owner(&o);
    assert_int_equal(o.ready_n, 0);
    assert_non_null(strstr(o.end_text, "STARTTLS"));
    close_owner(&o);
}

static void test_opportunistic_falls_back(void **state)
{
    (void)state;
    OPEN(o, GREET "S 250-mx.example\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nX",
         GREET "S 250-mx.example\nS 250 STARTTLS\n" MAIL BYE);
    start_tls(&o, OS_TLS_ANY, false);
    o.options.session.tls = SP_CLIENT_TLS_OPPORTUNISTIC;
    o.options.plain_fallback = true;
    run_owner(&o);
    assert_int_equal(o.fates[0], SP_CLIENT_DELIVERED);
    assert_int_equal(o.fake.connection_n, 2);
    close_owner(&o);
}

static void test_implicit_tls(void **state)
{
    (void)state;
    OPEN(o, "T\n" PLAIN_HELLO MAIL BYE);
    start_tls(&o, OS_TLS_VERIFIED, true);
    o.options.implicit_tls = true;
    run_owner(&o);
    assert_int_equal(o.fates[0], SP_CLIENT_DELIVERED);
    close_owner(&o);
}

static void test_refused(void **state)
{
    (void)state;
    OPEN(o, "X");
    event_free(o.fake.accepting);
    o.fake.accepting = NULL;
    close(o.fake.listener);
    o.fake.listener = -1;
    run_owner(&o);
    char wanted[200];
    snprintf(wanted, sizeof wanted, "connect to [127.0.0.1]:%u: Connection refused", o.fake.port);
    assert_string_equal(o.end_text, wanted);
    assert_string_equal(o.end.phase, "CONNECT");
    assert_int_equal(o.end.fate, SP_CLIENT_RETRY);
    close_owner(&o);
}

/* The fake listens on IPv4 only; localhost may have an IPv6 address too, which is tried and refused. */
static void test_addresses_in_turn(void **state)
{
    (void)state;
    OPEN(o, PLAIN_HELLO MAIL BYE);
    o.options.host = "localhost";
    run_owner(&o);
    assert_int_equal(o.fates[0], SP_CLIENT_DELIVERED);
    assert_non_null(strstr(client_remote(o.client), "localhost [127.0.0.1]:"));
    close_owner(&o);
}

/* The address of the fake, then one more. */
static void give_addresses(struct owner *o, struct dns_addresses *all, const char *other)
{
    char text[64];
    *all = (struct dns_addresses){.verdict = DNS_FOUND, .why = "", .addresses = {o->fake.address}, .n = 2};
    snprintf(text, sizeof text, "%s:%u", other, o->fake.port);
    assert_int_equal(os_address_parse(sp_view_of(text), &all->addresses[1]), SP_OK);
    o->options.addresses = all;
}

static void test_the_address_that_answers_says_why(void **state)
{
    (void)state;
    struct dns_addresses all;
    OPEN(o, "T");
    start_tls(&o, OS_TLS_VERIFIED, false);
    o.options.implicit_tls = true;
    give_addresses(&o, &all, "127.0.0.2");
    run_owner(&o);
    assert_non_null(strstr(o.end_text, "[127.0.0.1]"));
    assert_non_null(strstr(o.end_text, "certificate"));
    assert_string_equal(o.end.phase, "HANDSHAKE");
    assert_non_null(strstr(o.end.remote, "127.0.0.1"));
    close_owner(&o);
}

static void test_a_later_address_has_a_reason_of_its_own(void **state)
{
    (void)state;
    struct dns_addresses all;
    OPEN(o, "X", "T\nS 554 5.3.2 no\nC QUIT\nX");
    start_tls(&o, OS_TLS_VERIFIED, true);
    o.options.implicit_tls = true;
    give_addresses(&o, &all, "127.0.0.1");
    run_owner(&o);
    assert_string_equal(o.end_text, "554 5.3.2 no");
    assert_string_equal(o.end.phase, "GREETING");
    close_owner(&o);
}

static void test_no_such_host(void **state)
{
    (void)state;
    OPEN(o, "X");
    o.options.host = "no host";
    run_owner(&o);
    assert_string_equal(o.end_text, "host no host: this cannot be a host name");
    close_owner(&o);
}

static void test_lost_after_the_dot(void **state)
{
    (void)state;
    OPEN(o, PLAIN_HELLO "C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\nS 354 go\nD\nX");
    run_owner(&o);
    assert_int_equal(o.fates[0], SP_CLIENT_UNKNOWN);
    assert_string_equal(o.text[0], "connection closed by the server");
    close_owner(&o);
}

static void test_lost_before_the_dot(void **state)
{
    (void)state;
    OPEN(o, PLAIN_HELLO "C MAIL\nS 250 ok\nC RCPT\nX");
    run_owner(&o);
    assert_int_equal(o.fates[0], SP_CLIENT_RETRY);
    close_owner(&o);
}

static void test_large(void **state)
{
    (void)state;
    enum { N = 6 << 20 };
    uint8_t *content = os_new(N);
    OPEN(o, PLAIN_HELLO MAIL BYE);
    for (size_t i = 0; i < N; i++)
        content[i] = i % 80 == 78 ? '\r' : i % 80 == 79 ? '\n' : i % 240 == 0 ? '.' : 'x';
    content[N - 2] = '\r';
    content[N - 1] = '\n';
    o.content = sp_view_make(content, N);
    run_owner(&o);
    assert_int_equal(o.fates[0], SP_CLIENT_DELIVERED);
    assert_int_equal(o.fake.messages.len, N + (N + 239) / 240);
    free(content);
    close_owner(&o);
}

static void test_free_anywhere(void **state)
{
    (void)state;
    static const char *const where[] = {"ready", "outcome", "done", "ended"};
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        OPEN(o, PLAIN_HELLO MAIL BYE);
        o.free_in = where[i];
        run_owner(&o);
        assert_null(o.client);
        close_owner(&o);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_one_mail),
    cmocka_unit_test(test_pipelined_with_a_refusal),
    cmocka_unit_test(test_many_mails),
    cmocka_unit_test(test_auth),
    cmocka_unit_test(test_auth_login_refused),
    cmocka_unit_test(test_a_refused_password_is_not_tried_twice),
    cmocka_unit_test(test_why_login_is_given_up),
    cmocka_unit_test(test_a_proof_may_go_in_clear),
    cmocka_unit_test(test_no_password_in_clear),
    cmocka_unit_test(test_starttls),
    cmocka_unit_test(test_starttls_by_a_stranger),
    cmocka_unit_test(test_starttls_required_not_offered),
    cmocka_unit_test(test_opportunistic_falls_back),
    cmocka_unit_test(test_implicit_tls),
    cmocka_unit_test(test_refused),
    cmocka_unit_test(test_addresses_in_turn),
    cmocka_unit_test(test_the_address_that_answers_says_why),
    cmocka_unit_test(test_a_later_address_has_a_reason_of_its_own),
    cmocka_unit_test(test_no_such_host),
    cmocka_unit_test(test_lost_after_the_dot),
    cmocka_unit_test(test_lost_before_the_dot),
    cmocka_unit_test(test_large),
    cmocka_unit_test(test_free_anywhere),
};

TAP_MAIN(tests)
