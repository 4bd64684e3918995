/*
 * The client engine talking to the server engine, in memory, in sessions drawn from numbers. Both have their
 * own idea of what was accepted: they must agree, recipient by recipient and octet by octet, and neither may
 * ever get a reply or a command that it does not expect.
 */
#include "client_harness.h"
#include "host.h"
#include "tap.h"

#include <string.h>

enum { RECIPIENTS = 6, MAILS = 3, SESSIONS = 4000 };

static const struct sp_view mailboxes[] = {
    SP_LIT_INIT("a@example.org"),     SP_LIT_INIT("nobody@example.org"),
    SP_LIT_INIT("later@example.org"), SP_LIT_INIT("\"q q\"@example.org"),
    SP_LIT_INIT("b@[127.0.0.1]"),     SP_LIT_INIT("c+d@example.org"),
    SP_LIT_INIT("bad b@example.org"), SP_LIT_INIT("not an address"),
    SP_LIT_INIT("full@example.org"),  SP_LIT_INIT("h\xe1\xbb\x99p@th\xc6\xb0.example"),
};
enum { MAILBOX_N = sizeof mailboxes / sizeof *mailboxes };

static const struct sp_view contents[] = {
    SP_LIT_INIT("Subject: a\r\n\r\nb\r\n"),     SP_LIT_INIT(""),
    SP_LIT_INIT(".\r\n..\r\n.a\r\n"),           SP_LIT_INIT("no line end"),
    SP_LIT_INIT("\r\n\r\n.\r\n\r\n"),           SP_LIT_INIT("bare\nlf\r\n.\r\n"),
    SP_LIT_INIT("MAIL FROM:<x@y>\r\nQUIT\r\n"), SP_LIT_INIT("bin\r\0e\nl\r.\r\nary"),
};
enum { CONTENT_N = sizeof contents / sizeof *contents };

struct pair {
    uint64_t seed;
    struct host host;
    struct sp_client *c;
    struct limited heap;
    struct sp_allocator alloc;
    struct sp_client_options options;
    struct sp_client_mail mail;
    struct sp_view recipients[RECIPIENTS];
    const struct sp_view *content;
    size_t read;                      /* octets of host.out that the client has had */
    unsigned mails, delivered, taken; /* mails with a delivery; accepted by the server */
    bool auth, over, refused_here, any_delivered;
    size_t piece, given;
};

static void check_host(struct pair *p)
{
    if (p->host.fault)
        fail_msg("%s: %s %s", p->host.fault, p->host.fault_input, p->host.fault_reply);
}

static const struct sp_rcpt_parameters asked[RECIPIENTS] = {
    {.notify = SP_NOTIFY_NEVER},
    {.notify = SP_NOTIFY_SUCCESS | SP_NOTIFY_FAILURE | SP_NOTIFY_DELAY,
     .orcpt = SP_LIT_INIT("rfc822;a+b=c@example.org")},
    {.orcpt = SP_LIT_INIT("utf-8;h\xe1\xbb\x99p\\@th\xc6\xb0.example")},
    {.notify = SP_NOTIFY_DELAY},
};

static void begin_mail(struct pair *p)
{
    size_t n = 1 + dice(&p->seed, RECIPIENTS);
    for (size_t i = 0; i < n; i++)
        p->recipients[i] = mailboxes[dice(&p->seed, MAILBOX_N)];
    p->content = &contents[dice(&p->seed, CONTENT_N)];
    p->mail = (struct sp_client_mail){.sender = dice(&p->seed, 6) ? mailboxes[dice(&p->seed, 3)] : SP_LIT(""),
                                      .recipients = p->recipients,
                                      .recipient_n = n,
                                      .size = p->content->len,
                                      .eight_bit = dice(&p->seed, 3) == 0,
                                      .asked = asked,
                                      .wall_ms = HOST_WALL_MS,
                                      .chunk = dice(&p->seed, 2) ? 1 + dice(&p->seed, 40) : 0};
    p->mail.parameters =
        (struct sp_mail_parameters){.ret = (uint8_t)dice(&p->seed, 3),
                                    .envid = dice(&p->seed, 2) ? SP_LIT("Q+ =\"1") : SP_LIT(""),
                                    .priority = (int8_t)(dice(&p->seed, 9) - 4),
                                    .auth = dice(&p->seed, 3) ? SP_LIT("") : SP_LIT("a+b=@example.org")};
    bool binary = sp_view_starts(*p->content, SP_LIT("bin"));
    if (binary)
        p->mail.parameters.body = SP_BODY_BINARYMIME;
    if (dice(&p->seed, 4) == 0) {
        p->mail.parameters.by = SP_BY_NOTIFY;
        p->mail.parameters.by_ms = HOST_WALL_MS + 1000 * (int64_t)dice(&p->seed, 100000);
    }
    p->given = 0;
    p->any_delivered = false;
    assert_int_equal(sp_client_mail(p->c, &p->mail, 0), SP_OK);
}

static bool is_binary(const struct pair *p) { return p->mail.parameters.body == SP_BODY_BINARYMIME; }

static unsigned binary_n; /* binary mails that came through */

static bool needs_utf8(struct sp_view v) { return sp_view_starts(v, SP_LIT("h\xe1")); }

/* What the server's rules (host.h) make of a recipient whose mail is taken. */
static enum sp_client_fate expected(const struct pair *p, struct sp_view recipient)
{
    if (is_binary(p) && !sp_client_capabilities(p->c)->binary)
        return SP_CLIENT_BOUNCE;
    if (needs_utf8(recipient) && !sp_client_capabilities(p->c)->utf8)
        return SP_CLIENT_BOUNCE;
    if (p->options.protocol == SP_CLIENT_LMTP && sp_view_starts(recipient, SP_LIT("full@")))
        return SP_CLIENT_RETRY;
    if (sp_view_starts(recipient, SP_LIT("nobody@")))
        return SP_CLIENT_BOUNCE;
    if (sp_view_starts(recipient, SP_LIT("later@")))
        return SP_CLIENT_RETRY;
    bool unfit = sp_view_starts(recipient, SP_LIT("bad ")) || sp_view_starts(recipient, SP_LIT("not "));
    return unfit ? SP_CLIENT_BOUNCE : SP_CLIENT_DELIVERED;
}

static void check_outcome(struct pair *p, const struct sp_client_event *e)
{
    enum sp_client_fate fate = e->as.outcome.fate;
    struct sp_view sender = p->mail.sender;
    bool bare = !is_binary(p) && memmem(p->content->p, p->content->len, "e\nl", 3) != NULL;
    assert_int_not_equal(fate, SP_CLIENT_UNKNOWN);
    if (fate == SP_CLIENT_DELIVERED) {
        p->any_delivered = true;
        assert_false(bare);
    }
    if (sp_view_starts(sender, SP_LIT("nobody@")) || sp_view_starts(sender, SP_LIT("later@")) || bare)
        assert_int_not_equal(fate, SP_CLIENT_DELIVERED);
    else
        assert_int_equal(fate, expected(p, p->recipients[e->as.outcome.recipient]));
}

/* The server has the same content, with a line end where there was none. */
static void check_content(struct pair *p)
{
    struct sp_view has = sp_buf_view(&p->host.content);
    size_t len = p->content->len;
    bool added = len > 0 && !is_binary(p) && p->content->p[len - 1] != '\n';
    if (!p->any_delivered)
        return;
    p->delivered++;
    binary_n += is_binary(p);
    assert_int_equal(has.len, len + (added ? 2 : 0));
    assert_true(sp_view_eq(sp_view_sub(has, 0, len), *p->content));
}

static void next(struct pair *p)
{
    if (p->auth) {
        p->auth = false;
        const char *password = dice(&p->seed, 2) ? "secret" : "wrong";
        uint8_t response[20] = "\0demo";
        size_t n = 6 + strlen(password);
        memcpy(response + 6, password, strlen(password));
        assert_int_equal(sp_client_auth(p->c, SP_LIT("PLAIN"), true, sp_view_make(response, n), 0), SP_OK);
    } else if (p->mails++ < MAILS) {
        begin_mail(p);
    } else {
        assert_int_equal(sp_client_quit(p->c, 0), SP_OK);
    }
}

static void give_content(struct pair *p)
{
    struct sp_view rest = sp_view_from(*p->content, p->given);
    size_t used = 0;
    if (rest.len == 0) {
        assert_int_equal(sp_client_content_end(p->c), SP_OK);
        return;
    }
    assert_int_equal(sp_client_content(p->c, sp_view_sub(rest, 0, p->piece ? p->piece : rest.len), &used),
                     SP_OK);
    p->given += used;
}

/* Take the client's events; false when it waits. */
static bool step(struct pair *p)
{
    struct sp_client_event e;
    switch (sp_client_event(p->c, &e)) {
    case SP_CLIENT_NOTHING:
        return false;
    case SP_CLIENT_OUTCOME:
        check_outcome(p, &e);
        return true;
    case SP_CLIENT_MAIL_DONE:
        check_content(p);
        return true;
    case SP_CLIENT_ASK_NEXT:
        next(p);
        return true;
    case SP_CLIENT_ASK_CONTENT:
        give_content(p);
        return true;
    case SP_CLIENT_ASK_ANSWER:
        fail_msg("PLAIN has no second step");
        return false;
    case SP_CLIENT_START_TLS:
        assert_int_equal(sp_client_secured(p->c, 0), SP_OK);
        return true;
    case SP_CLIENT_CLOSED:
        p->over = true;
        return false;
    default:
        return true;
    }
}

static void to_server(struct pair *p)
{
    struct sp_view out = sp_client_output(p->c);
    size_t n = p->piece && p->piece < out.len ? p->piece : out.len;
    if (n > 0) {
        host_feed(&p->host, sp_view_sub(out, 0, n));
        sp_client_sent(p->c, n, 0);
        check_host(p);
    }
}

static void to_client(struct pair *p)
{
    struct sp_view in = sp_view_from(sp_buf_view(&p->host.out), p->read);
    size_t used = 0;
    assert_int_equal(sp_client_feed(p->c, sp_view_sub(in, 0, p->piece ? p->piece : in.len), 0, &used), SP_OK);
    p->read += used;
}

static void run(uint64_t number, unsigned *delivered)
{
    struct pair p = {.seed = number};
    (void)dice(&p.seed, 2);
    struct sp_server_options server = host_options();
    p.alloc = (struct sp_allocator){limited_resize, &p.heap};
    p.options = (struct sp_client_options){.hello = SP_LIT("client.example"),
                                           .tls = (enum sp_client_tls)dice(&p.seed, 3),
                                           .auth_in_clear = true,
                                           .transcript = dice(&p.seed, 2)};
    p.auth = dice(&p.seed, 2);
    p.piece = dice(&p.seed, 3) ? 0 : 1 + dice(&p.seed, 20);
    if (dice(&p.seed, 2))
        server.extensions &= dice(&p.seed, 1 << 12);
    server.lmtp = dice(&p.seed, 4) == 0;
    p.options.protocol = server.lmtp ? SP_CLIENT_LMTP : SP_CLIENT_ESMTP;
    p.options.lock_step = dice(&p.seed, 3) == 0;
    host_init(&p.host, &server);
    p.host.tls_by_itself = true;
    host_open(&p.host, false);
    assert_int_equal(sp_client_new(&p.options, &p.alloc, &p.c), SP_OK);
    assert_int_equal(sp_client_open(p.c, false, 0), SP_OK);
    for (unsigned turns = 0; !p.over; turns++) {
        assert_true(turns < 20000);
        while (step(&p))
            ;
        to_server(&p);
        if (!p.over && sp_client_output(p.c).len == 0)
            to_client(&p);
    }
    if (!server.lmtp) /* there the host counts a message with its first recipient */
        assert_int_equal(p.host.messages, p.delivered);
    *delivered += p.delivered;
    sp_client_free(p.c);
    assert_int_equal(p.heap.in_use, 0);
    host_fini(&p.host);
    check_host(&p);
}

static void test_they_agree(void **state)
{
    (void)state;
    unsigned delivered = 0;
    for (uint64_t n = 0; n < SESSIONS; n++)
        run(n, &delivered);
    assert_true(delivered > SESSIONS / 4);
    assert_true(binary_n > SESSIONS / 40);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_they_agree)};

TAP_MAIN(tests)
