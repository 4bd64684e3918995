/* Bounces: one as a whole, and what holds for all of them whatever strangers wrote. */
#include "tap.h"

#include "base/view.h"
#include "message/dsn.h"

#include <stdlib.h>
#include <string.h>

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n)
        return realloc(p, n);
    free(p);
    return NULL;
}

static const struct sp_allocator heap = {.resize = resize};

static const struct message_dsn_recipient one = {
    .address = SP_LIT_INIT("b@example.net"),
    .code = 550,
    .enhanced = SP_LIT_INIT("5.1.1"),
    .reply = SP_LIT_INIT("550 5.1.1 <b@example.net>: no such user here, and "
                         "there never was one; see our pages"),
    .remote = SP_LIT_INIT("mx.example.net [192.0.2.1]:25"),
    .last_ms = 1795494290000};

static struct message_dsn report_of(const struct message_dsn_recipient *recipients, size_t n)
{
    return (struct message_dsn){.hostname = "mx.example.org",
                                .id = "0sawnzzp40000",
                                .failed_id = "0sawnzznr0000",
                                .sender = SP_LIT("a@example.org"),
                                .received_ms = 1795494280000,
                                .now_ms = 1795494291000,
                                .content = SP_LIT("Subject: hello\r\nTo: b@example.net\r\n\r\nBody\r\n"),
                                .recipients = recipients,
                                .recipient_n = n};
}

static const char golden[] = "From: Mail Delivery System <MAILER-DAEMON@mx.example.org>\r\n"
                             "To: <a@example.org>\r\n"
                             "Subject: Undelivered mail returned to sender\r\n"
                             "Date: Tue, 24 Nov 2026 04:24:51 +0000\r\n"
                             "Message-ID: <0sawnzzp40000@mx.example.org>\r\n"
                             "Auto-Submitted: auto-replied\r\n"
                             "MIME-Version: 1.0\r\n"
                             "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                             "\tboundary=\"=_sallyport_0sawnzzp40000\"\r\n"
                             "\r\n"
                             "This is a report about a message, in MIME format.\r\n"
                             "\r\n"
                             "--=_sallyport_0sawnzzp40000\r\n"
                             "Content-Type: text/plain; charset=us-ascii\r\n"
                             "\r\n"
                             "This is the mail server mx.example.org.\r\n"
                             "\r\n"
                             "Your message of Tue, 24 Nov 2026 04:24:40 +0000\r\n"
                             "(queue id 0sawnzznr0000) could not be delivered to this recipient:\r\n"
                             "\r\n"
                             "<b@example.net>\r\n"
                             "    mx.example.net [192.0.2.1]:25 said:\r\n"
                             "    550 5.1.1 <b@example.net>: no such user here, and there never was one;\r\n"
                             "    see our pages\r\n"
                             "\r\n"
                             "It will not be tried again. The header of the message is attached.\r\n"
                             "\r\n"
                             "--=_sallyport_0sawnzzp40000\r\n"
                             "Content-Type: message/delivery-status\r\n"
                             "\r\n"
                             "Reporting-MTA: dns; mx.example.org\r\n"
                             "X-Sallyport-Queue-ID: 0sawnzznr0000\r\n"
                             "Arrival-Date: Tue, 24 Nov 2026 04:24:40 +0000\r\n"
                             "\r\n"
                             "Final-Recipient: rfc822; b@example.net\r\n"
                             "Action: failed\r\n"
                             "Status: 5.1.1\r\n"
                             "Remote-MTA: dns; mx.example.net\r\n"
                             "Diagnostic-Code: smtp; 550 5.1.1 <b@example.net>: no such user here, and\r\n"
                             "    there never was one; see our pages\r\n"
                             "Last-Attempt-Date: Tue, 24 Nov 2026 04:24:50 +0000\r\n"
                             "\r\n"
                             "--=_sallyport_0sawnzzp40000\r\n"
                             "Content-Type: text/rfc822-headers\r\n"
                             "\r\n"
                             "Subject: hello\r\n"
                             "To: b@example.net\r\n"
                             "\r\n"
                             "--=_sallyport_0sawnzzp40000--\r\n";

static void test_a_whole_report(void **state)
{
    (void)state;
    struct sp_buf out;
    struct message_dsn d = report_of(&one, 1);
    sp_buf_init(&out, &heap, 1 << 20);
    assert_int_equal(message_add_dsn(&out, &d, NULL), SP_OK);
    sp_buf_add_u8(&out, 0);
    assert_int_equal(sp_buf_status(&out), SP_OK);
    assert_string_equal((const char *)out.p, golden);
    sp_buf_fini(&out);
}

static bool has(const struct sp_buf *out, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= out->len; i++)
        if (memcmp(out->p + i, text, len) == 0)
            return true;
    return false;
}

/* Plain ASCII, CRLF and nothing but CRLF, lines that any server takes. */
static void check_form(const struct sp_buf *out, bool utf8)
{
    size_t line = 0;
    assert_true(out->len > 2 && out->p[out->len - 1] == '\n');
    for (size_t i = 0; i < out->len; i++) {
        uint8_t c = out->p[i];
        assert_true(c != 0 && (c < 0x7f || (utf8 && c >= 0x7f)));
        assert_true(c != '\n' || (i > 0 && out->p[i - 1] == '\r'));
        assert_true(c != '\r' || (i + 1 < out->len && out->p[i + 1] == '\n'));
        line = c == '\n' ? 0 : line + 1;
        assert_true(line <= 999); /* with its CR */
    }
}

static struct sp_view random_octets(uint8_t *at, size_t most, uint32_t *seed)
{
    *seed = *seed * 1103515245 + 12345;
    size_t len = (*seed >> 8) % most;
    for (size_t i = 0; i < len; i++) {
        *seed = *seed * 1103515245 + 12345;
        /* Line ends and spaces often: they are what forms lines. */
        uint32_t kind = *seed >> 28;
        at[i] = kind < 2 ? '\r' : kind < 4 ? '\n' : kind < 6 ? ' ' : (uint8_t)(*seed >> 16);
    }
    return sp_view_make(at, len);
}

static void test_strangers_cannot_break_the_form(void **state)
{
    (void)state;
    static uint8_t address[3000], reply[3000], remote[300], enhanced[12], content[50000];
    uint32_t seed = 1;
    for (int i = 0; i < 300; i++) {
        struct message_dsn_recipient r = {.address = random_octets(address, sizeof address, &seed),
                                          .code = i % 2 ? 550 : 0,
                                          .enhanced = random_octets(enhanced, sizeof enhanced, &seed),
                                          .reply = random_octets(reply, sizeof reply, &seed),
                                          .remote = random_octets(remote, sizeof remote, &seed),
                                          .expired = i % 3 == 0};
        /* Addresses are ASCII unless SMTPUTF8 was said. */
        for (size_t k = 0; k < r.address.len && i % 4; k++)
            address[k] &= 0x7f;
        if (i % 4 == 0)
            r.address = SP_LIT("caf\xc3\xa9@example.org");
        r.action = (enum message_dsn_action)(i / 4 % MESSAGE_DSN_ACTION_N);
        struct message_dsn d = report_of(&r, 1);
        d.content = random_octets(content, i % 5 ? 2000 : sizeof content, &seed);
        struct sp_buf out;
        sp_buf_init(&out, &heap, 1 << 20);
        assert_int_equal(message_add_dsn(&out, &d, NULL), SP_OK);
        check_form(&out, i % 4 == 0);
        /* One report of three parts, about one recipient: nobody adds fields or parts of his own. */
        size_t parts = 0, actions = 0;
        for (size_t k = 0; k + 10 < out.len; k++) {
            bool begins = k > 1 && out.p[k - 1] == '\n';
            parts += begins && memcmp(out.p + k, "--=_sally", 9) == 0;
            actions += begins && memcmp(out.p + k, "Action: ", 8) == 0;
        }
        assert_int_equal(parts, 4);
        assert_int_equal(actions, 1);
        sp_buf_fini(&out);
    }
}

static void test_what_is_not_a_status_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *enhanced, *status;
        bool expired;
    } rows[] = {{"5.1.1", "Status: 5.1.1\r\n", false},   {"", "Status: 5.0.0\r\n", false},
                {"5.1", "Status: 5.0.0\r\n", false},     {"5..1", "Status: 5.0.0\r\n", false},
                {"2.1.1", "Status: 5.0.0\r\n", false},   {"5.1000.1", "Status: 5.0.0\r\n", false},
                {"5.1.1.1", "Status: 5.0.0\r\n", false}, {"4.2.2", "Status: 4.4.7\r\n", true},
                {"5.7.x", "Status: 5.0.0\r\n", false},   {"5.701.123", "Status: 5.701.123\r\n", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message_dsn_recipient r = one;
        r.enhanced = sp_view_of(rows[i].enhanced);
        r.expired = rows[i].expired;
        struct message_dsn d = report_of(&r, 1);
        struct sp_buf out;
        sp_buf_init(&out, &heap, 1 << 20);
        assert_int_equal(message_add_dsn(&out, &d, NULL), SP_OK);
        if (!has(&out, rows[i].status))
            fail_msg("%s: not %s", rows[i].enhanced, rows[i].status);
        sp_buf_fini(&out);
    }
}

static void test_a_header_beyond_ascii_is_quoted(void **state)
{
    (void)state;
    struct message_dsn d = report_of(&one, 1);
    struct sp_buf out;
    d.content = SP_LIT("Subject: caf\xe9 = 2 \r\nX: y\r\n\r\nbody \xff");
    sp_buf_init(&out, &heap, 1 << 20);
    assert_int_equal(message_add_dsn(&out, &d, NULL), SP_OK);
    check_form(&out, false);
    assert_true(
        has(&out,
            "Content-Transfer-Encoding: quoted-printable\r\n\r\nSubject: caf=E9 =3D 2=20\r\nX: y\r\n\r\n--"));
    assert_false(has(&out, "body"));
    sp_buf_fini(&out);
}

static void test_a_large_header_is_cut_at_a_line(void **state)
{
    (void)state;
    static char content[60000];
    struct message_dsn d = report_of(&one, 1);
    struct sp_buf out;
    for (size_t i = 0; i + 1 < sizeof content; i += 20)
        memcpy(content + i, "X-Field: 123456789\r\n", 20);
    d.content = sp_view_make(content, sizeof content);
    sp_buf_init(&out, &heap, 1 << 20);
    assert_int_equal(message_add_dsn(&out, &d, NULL), SP_OK);
    assert_true(out.len < 40000);
    assert_true(has(&out, "X-Field: 123456789\r\n\r\n--=_sallyport_0sawnzzp40000--\r\n"));
    sp_buf_fini(&out);
}

static void test_no_memory_is_said(void **state)
{
    (void)state;
    struct message_dsn d = report_of(&one, 1);
    struct sp_buf out;
    sp_buf_init(&out, &heap, 200);
    assert_int_equal(message_add_dsn(&out, &d, NULL), SP_ERR_LONG);
    sp_buf_fini(&out);
}

static void report_on(enum message_dsn_action action, struct sp_view content, bool whole, struct sp_buf *out,
                      struct message_dsn_form *form)
{
    struct message_dsn_recipient r = one;
    r.action = action;
    r.orcpt = SP_LIT("rfc822;first@example.com");
    r.meaning = SP_LIT("The mailbox does not exist.");
    if (action != MESSAGE_DSN_FAILED)
        r.enhanced = action == MESSAGE_DSN_DELAYED ? SP_LIT("4.2.0") : SP_LIT("2.1.5");
    if (action == MESSAGE_DSN_DELAYED)
        r.until_ms = 1795926280000;
    struct message_dsn d = report_of(&r, 1);
    d.envid = SP_LIT("QQ 314");
    d.whole = whole;
    d.content = content;
    sp_buf_init(out, &heap, 1 << 20);
    assert_int_equal(message_add_dsn(out, &d, form), SP_OK);
}

#define SMALL "Subject: hello\r\n\r\nBody\r\n"

static void test_each_action_says_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *action, *status, *subject;
    } rows[MESSAGE_DSN_ACTION_N] = {
        [MESSAGE_DSN_FAILED] = {"Action: failed\r\n", "Status: 5.1.1\r\n", "Subject: Undelivered mail"},
        [MESSAGE_DSN_DELAYED] = {"Action: delayed\r\n", "Status: 4.2.0\r\n", "Subject: Delayed mail"},
        [MESSAGE_DSN_DELIVERED] = {"Action: delivered\r\n", "Status: 2.1.5\r\n",
                                   "Subject: Mail was delivered"},
        [MESSAGE_DSN_RELAYED] = {"Action: relayed\r\n", "Status: 2.1.5\r\n", "Subject: Mail was handed on"}};
    for (unsigned i = 0; i < MESSAGE_DSN_ACTION_N; i++) {
        struct sp_buf out;
        report_on((enum message_dsn_action)i, SP_LIT(SMALL), false, &out, NULL);
        assert_true(has(&out, rows[i].action) && has(&out, rows[i].status) && has(&out, rows[i].subject));
        assert_true(has(&out, "Original-Envelope-Id: QQ 314\r\n"));
        assert_true(has(&out, "\r\nOriginal-Recipient: rfc822; first@example.com\r\n"));
        assert_true(has(&out, "What this means: The mailbox does not exist."));
        assert_int_equal(has(&out, "Will-Retry-Until: Sun, 29 Nov 2026"), i == MESSAGE_DSN_DELAYED);
        check_form(&out, false);
        sp_buf_fini(&out);
    }
}

static void test_a_whole_message_comes_back_as_it_is(void **state)
{
    (void)state;
    struct sp_buf out;
    struct message_dsn_form form;
    report_on(MESSAGE_DSN_FAILED, SP_LIT(SMALL), true, &out, &form);
    assert_true(has(&out, "Content-Type: message/rfc822\r\n\r\n" SMALL "\r\n--=_sally"));
    assert_true(has(&out, "The message is attached.") && !form.eight_bit && !form.utf8);
    sp_buf_fini(&out);
    report_on(MESSAGE_DSN_FAILED, SP_LIT("X: y\r\n\r\ncaf\xe9\r\n"), true, &out, &form);
    assert_true(
        has(&out, "message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nX: y\r\n\r\ncaf\xe9\r\n"));
    assert_true(form.eight_bit && !form.utf8);
    sp_buf_fini(&out);
    report_on(MESSAGE_DSN_FAILED, SP_LIT("X: y\r\n\r\nbare\rreturn\r\n"), true, &out, &form);
    assert_true(has(&out, "text/rfc822-headers\r\n\r\nX: y\r\n")); /* no text in lines: its header */
    assert_false(form.eight_bit);
    sp_buf_fini(&out);
}

/* RFC 6532 and 6533: what holds a header in UTF-8 is global, though all addresses are ASCII. */
static void test_a_header_in_utf8_comes_back_as_global(void **state)
{
    (void)state;
    static const struct {
        const char *content, *part;
        bool whole;
    } rows[] = {
        {"Subject: caf\xc3\xa9\r\n\r\nx\r\n",
         "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: "
         "caf\xc3\xa9\r\n\r\n--",
         false},
        {"Subject: caf\xc3\xa9\r\n\r\nx\r\n",
         "Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: "
         "caf\xc3\xa9\r\n\r\nx\r\n\r\n--",
         true},
        {"Subject: caf\xe9\r\n\r\nx\r\n",
         "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: caf\xe9\r\n", true},
        /* What is no text in lines: its header alone. */
        {"Subject: caf\xc3\xa9\r\n\r\nbare\rreturn\r\n", "Content-Type: message/global-headers\r\n", true},
        {"Subject: bare\rcaf\xc3\xa9\r\n\r\n",
         "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sp_buf out;
        struct message_dsn_form form;
        report_on(MESSAGE_DSN_FAILED, sp_view_of(rows[i].content), rows[i].whole, &out, &form);
        assert_true(has(&out, rows[i].part));
        assert_true(has(&out, "Content-Type: message/delivery-status\r\n"));
        assert_int_equal(form.eight_bit, i != 4);
        assert_false(form.utf8); /* it needs no SMTPUTF8: the header of a part within a part is content */
        sp_buf_fini(&out);
    }
}

static void test_an_address_in_utf8_makes_a_global_report(void **state)
{
    (void)state;
    struct message_dsn_recipient r = one;
    struct message_dsn_form form;
    struct sp_buf out;
    r.address = SP_LIT("th\xc6\xb0@vi.example");
    struct message_dsn d = report_of(&r, 1);
    sp_buf_init(&out, &heap, 1 << 20);
    assert_int_equal(message_add_dsn(&out, &d, &form), SP_OK);
    assert_true(has(&out, "Content-Type: message/global-delivery-status\r\n"));
    assert_true(has(&out, "Final-Recipient: utf-8; th\xc6\xb0@vi.example\r\n"));
    assert_true(has(&out, "Content-Type: message/global-headers\r\n"));
    assert_true(form.utf8 && form.eight_bit);
    sp_buf_fini(&out);
}

static void test_a_global_report_is_utf8_throughout(void **state)
{
    (void)state;
    struct message_dsn_recipient r = one;
    struct sp_buf out;
    r.address = SP_LIT("th\xc6\xb0@vi.example");
    r.reply = SP_LIT("550 5.1.1 nutzer h\xf6rt nicht, d\xc3\xb6rt auch\xc2\x85X: y \xc3");
    struct message_dsn d = report_of(&r, 1);
    sp_buf_init(&out, &heap, 1 << 20);
    assert_int_equal(message_add_dsn(&out, &d, NULL), SP_OK);
    assert_true(has(&out, "nutzer h?rt nicht, d\xc3\xb6rt"));
    assert_true(has(&out, "auch??X: y ?\r\n"));
    sp_buf_fini(&out);
}

static void test_time_that_the_sender_gave_is_over(void **state)
{
    (void)state;
    struct message_dsn_recipient r = one;
    struct sp_buf out;
    r.by_expired = true;
    struct message_dsn d = report_of(&r, 1);
    sp_buf_init(&out, &heap, 1 << 20);
    assert_int_equal(message_add_dsn(&out, &d, NULL), SP_OK);
    assert_true(has(&out, "Status: 5.4.7\r\n") && has(&out, "The time that the message was given"));
    sp_buf_fini(&out);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_whole_report),
    cmocka_unit_test(test_strangers_cannot_break_the_form),
    cmocka_unit_test(test_what_is_not_a_status_is_replaced),
    cmocka_unit_test(test_a_header_beyond_ascii_is_quoted),
    cmocka_unit_test(test_a_header_in_utf8_comes_back_as_global),
    cmocka_unit_test(test_a_large_header_is_cut_at_a_line),
    cmocka_unit_test(test_each_action_says_what_it_is),
    cmocka_unit_test(test_a_whole_message_comes_back_as_it_is),
    cmocka_unit_test(test_an_address_in_utf8_makes_a_global_report),
    cmocka_unit_test(test_a_global_report_is_utf8_throughout),
    cmocka_unit_test(test_time_that_the_sender_gave_is_over),
    cmocka_unit_test(test_no_memory_is_said),
};

TAP_MAIN(tests)
