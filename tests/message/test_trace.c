/* The Received field: RFC 5321 4.4, RFC 3848, and lines that keep within 78 octets where they can. */
#include "tap.h"

#include "base/view.h"
#include "message/trace.h"

#include <stdlib.h>

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n > 0)
        return realloc(p, n);
    free(p);
    return NULL;
}

static const struct sp_allocator heap = {.resize = resize};

static const struct message_received usual = {
    .hello = SP_LIT_INIT("client.example"),
    .client = "192.0.2.7",
    .hostname = "mx.example.org",
    .esmtp = true,
    .tls = true,
    .authenticated = true,
    .tls_version = "TLSv1.3",
    .tls_cipher = "TLS_AES_256_GCM_SHA384",
    .id = "0c4x0123456ab",
    .only_recipient = SP_LIT_INIT("bob@example.net"),
    .wall_ms = 1795496690123,
};

static void expect(const struct message_received *r, const char *text)
{
    struct sp_buf out;
    sp_buf_init(&out, &heap, 65536);
    assert_int_equal(message_add_received(&out, r), SP_OK);
    sp_buf_add_u8(&out, 0);
    assert_string_equal((const char *)out.p, text);
    sp_buf_fini(&out);
}

static void names_all_facts(void **state)
{
    (void)state;
    expect(&usual, "Received: from client.example ([192.0.2.7]) by mx.example.org with ESMTPSA\r\n"
                   "\t(TLSv1.3 TLS_AES_256_GCM_SHA384) id 0c4x0123456ab for <bob@example.net>;\r\n"
                   "\tTue, 24 Nov 2026 05:04:50 +0000\r\n");
}

static void says_nothing_of_several_recipients_and_of_no_tls(void **state)
{
    (void)state;
    struct message_received r = usual;
    r.only_recipient = (struct sp_view){0};
    r.tls = r.authenticated = false;
    r.client = "2001:db8::1";
    expect(&r, "Received: from client.example ([IPv6:2001:db8::1]) by mx.example.org\r\n"
               "\twith ESMTP id 0c4x0123456ab; Tue, 24 Nov 2026 05:04:50 +0000\r\n");
}

static void lets_no_foreign_octet_of_ehlo_into_the_header(void **state)
{
    (void)state;
    struct message_received r = usual;
    r.hello = SP_LIT("a\r\nX: (b)\0c");
    struct sp_buf out;
    sp_buf_init(&out, &heap, 65536);
    assert_int_equal(message_add_received(&out, &r), SP_OK);
    assert_true(sp_view_starts(sp_buf_view(&out), SP_LIT("Received: from a??X:??b??c ([192.0.2.7])")));
    sp_buf_fini(&out);
}

/* Every line within 998 octets, and within 78 unless it is a single clause. */
static void folds_between_clauses(void **state)
{
    (void)state;
    char long_name[256];
    memset(long_name, 'h', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    struct message_received r = usual;
    r.hello = sp_view_of(long_name);
    r.hostname = long_name;
    r.only_recipient = sp_view_of(long_name);
    struct sp_buf out;
    sp_buf_init(&out, &heap, 65536);
    assert_int_equal(message_add_received(&out, &r), SP_OK);
    struct sp_view rest = sp_buf_view(&out);
    for (size_t lf; rest.len > 0; rest = sp_view_from(rest, lf + 1)) {
        lf = sp_view_find(rest, '\n', 0);
        assert_true(lf < rest.len && lf >= 2 && rest.p[lf - 1] == '\r');
        assert_true(lf - 1 <= 998);
        bool lonely = sp_view_find(rest, 'h', 0) < lf; /* the long names are clauses of their own */
        assert_true(lonely || lf - 1 <= 78);
    }
    sp_buf_fini(&out);
}

static void tells_a_full_buffer(void **state)
{
    (void)state;
    for (size_t max = 0; max < 180; max++) {
        struct sp_buf out;
        sp_buf_init(&out, &heap, max);
        assert_int_equal(message_add_received(&out, &usual), SP_ERR_LONG);
        sp_buf_fini(&out);
    }
}

static void names_protocols_as_rfc_3848(void **state)
{
    (void)state;
    assert_string_equal(message_protocol(false, false, false, false, false), "SMTP");
    assert_string_equal(message_protocol(false, false, true, false, false), "ESMTP");
    assert_string_equal(message_protocol(false, false, true, true, false), "ESMTPS");
    assert_string_equal(message_protocol(false, false, true, false, true), "ESMTPA");
    assert_string_equal(message_protocol(false, false, true, true, true), "ESMTPSA");
    assert_string_equal(message_protocol(false, true, true, true, false), "UTF8SMTPS");
    assert_string_equal(message_protocol(true, false, true, false, false), "LMTP");
    assert_string_equal(message_protocol(true, true, true, false, true), "UTF8LMTPA");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(names_all_facts),
    cmocka_unit_test(says_nothing_of_several_recipients_and_of_no_tls),
    cmocka_unit_test(lets_no_foreign_octet_of_ehlo_into_the_header),
    cmocka_unit_test(folds_between_clauses),
    cmocka_unit_test(tells_a_full_buffer),
    cmocka_unit_test(names_protocols_as_rfc_3848),
};

TAP_MAIN(tests)
