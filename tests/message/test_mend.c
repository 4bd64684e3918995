/* Headers before and after, cut at every size. */
#include "tap.h"

#include "base/view.h"
#include "message/mend.h"

#include <stdlib.h>
#include <string.h>

static void *grow(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}
static const struct sp_allocator heap = {grow, NULL};

#define DATE "Date: Tue, 24 Nov 2026 05:24:50 +0000\r\n"
#define ID   "Message-ID: <0abc@mail.example>\r\n"
#define FROM "From: <ann@client.example>\r\n"

static void check(const char *sender, const char *in, const char *wanted)
{
    struct sp_view text = sp_view_of(in);
    for (size_t cut = 1; cut <= text.len + 1; cut++) {
        struct message_mend m;
        struct sp_buf out;
        sp_buf_init(&out, &heap, 1 << 20);
        message_mend_init(&m, &heap,
                          &(struct message_mend_facts){.sender = sp_view_of(sender),
                                                       .hostname = "mail.example",
                                                       .id = "0abc",
                                                       .wall_ms = 1795497890000});
        for (size_t at = 0; at < text.len; at += cut)
            message_mend_feed(&m, sp_view_sub(text, at, cut), &out);
        message_mend_end(&m, &out);
        message_mend_fini(&m);
        sp_buf_add_u8(&out, 0);
        assert_string_equal((const char *)out.p, wanted);
        sp_buf_fini(&out);
    }
}

static void test_what_is_missing_is_added(void **state)
{
    (void)state;
    check("ann@client.example", "Subject: x\r\n\r\nbody\r\n", DATE ID FROM "Subject: x\r\n\r\nbody\r\n");
    check("ann@client.example", "\r\nbody\r\n", DATE ID FROM "\r\nbody\r\n");
    check("ann@client.example", "body without a header\r\n", DATE ID FROM "\r\nbody without a header\r\n");
    check("ann@client.example", "", DATE ID FROM);
    check("ann@client.example", "Subject: x\r\n", DATE ID FROM "Subject: x\r\n");
    check("", "Subject: x\r\n\r\n", DATE ID "Subject: x\r\n\r\n");
}

static void test_what_is_there_stays(void **state)
{
    (void)state;
    static const char whole[] =
        "date: yesterday\r\nMESSAGE-ID: <a@b>\r\nFrom: a,\r\n b\r\nSubject :x\r\n\r\nBcc: body\r\n";
    check("ann@client.example", whole, whole);
    static const char one[] = "Date: x\r\nMessage-ID: <a@b>\r\nFrom: a@b.example\r\n\r\n";
    check("ann@client.example", one, one);
}

static void test_several_authors_have_a_sender(void **state)
{
    (void)state;
    check("ann@client.example", "Date: x\r\nMessage-ID: <a@b>\r\nFrom: a@b.example, c@d.example\r\n\r\n",
          "Sender: <ann@client.example>\r\nDate: x\r\nMessage-ID: <a@b>\r\nFrom: a@b.example, "
          "c@d.example\r\n\r\n");
    static const char said[] =
        "Date: x\r\nMessage-ID: <a@b>\r\nFrom: a@b.example, c@d.example\r\nSender: e@f.example\r\n\r\n";
    check("ann@client.example", said, said);
}

static void test_bcc_is_removed(void **state)
{
    (void)state;
    check("a@b.example",
          "Date: x\r\nBcc: one,\r\n\ttwo\r\nMessage-ID: <a@b>\r\nbcc:\r\nReturn-Path: <x@y>\r\nFrom: "
          "a@b.example\r\n\r\nb",
          "Date: x\r\nMessage-ID: <a@b>\r\nFrom: a@b.example\r\n\r\nb");
}

static void test_a_header_without_end_is_let_through(void **state)
{
    (void)state;
    struct message_mend m;
    struct sp_buf out;
    size_t n = MESSAGE_MEND_HEADER_MAX + 100;
    char *line = malloc(n);
    assert_non_null(line);
    memset(line, 'x', n);
    memcpy(line, "Bcc:", 4);
    sp_buf_init(&out, &heap, n * 2);
    message_mend_init(&m, &heap, &(struct message_mend_facts){.hostname = "h", .id = "i"});
    for (size_t at = 0; at < n; at += 1000)
        message_mend_feed(&m, sp_view_sub(sp_view_make(line, n), at, 1000), &out);
    message_mend_end(&m, &out);
    assert_true(sp_view_eq(sp_buf_view(&out), sp_view_make(line, n)));
    message_mend_fini(&m);
    sp_buf_fini(&out);
    free(line);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_what_is_missing_is_added),
    cmocka_unit_test(test_what_is_there_stays),
    cmocka_unit_test(test_several_authors_have_a_sender),
    cmocka_unit_test(test_bcc_is_removed),
    cmocka_unit_test(test_a_header_without_end_is_let_through),
};

TAP_MAIN(tests)
