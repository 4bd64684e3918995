/* Where a domain wants reports about TLS: what is a record and what is not; and the mail that carries one. */
#include "tap.h"

#include "base/view.h"
#include "message/tlsrpt.h"

#include <stdio.h>
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

/* rua NULL: no record. */
static const struct sample {
    const char *text, *rua;
} samples[] = {
    {"v=TLSRPTv1; rua=mailto:reports@example.com", "mailto:reports@example.com"},
    {"v=TLSRPTv1;rua=mailto:reports@example.com;", "mailto:reports@example.com"},
    {"v=TLSRPTv1 \t;\trua=https://reporting.example.com/v1/tlsrpt ; ",
     "https://reporting.example.com/v1/tlsrpt"},
    {"v=TLSRPTv1; rua=mailto:a@example.com,https://example.com/b",
     "mailto:a@example.com,https://example.com/b"},
    {"v=TLSRPTv1; rua=mailto:a@example.com , https://example.com/b",
     "mailto:a@example.com,https://example.com/b"},
    {"v=TLSRPTv1; x-new.field_1=anything!; rua=mailto:a@example.com", "mailto:a@example.com"},
    {"v=TLSRPTv1; rua=mailto:a@example.com; later=1", "mailto:a@example.com"},
    {"v=TLSRPTv1; rua=mailto:a@example.com ; x=rua=y;rua=https://b.example/ ,mailto:c@example.com; z=1;",
     "mailto:a@example.com,https://b.example/,mailto:c@example.com"},
    {"v=TLSRPTv1; rua=https://example.com/?a=b", "https://example.com/?a=b"},
    {"v=TLSRPTv1", NULL},
    {"v=TLSRPTv1;", NULL},
    {"v=TLSRPTv1; other=1", NULL},
    {"v=TLSRPTv1; rua=", NULL},
    {"v=TLSRPTv1; rua=,", NULL},
    {"v=TLSRPTv1; rua=mailto:a@example.com,", NULL},
    {"v=TLSRPTv1; rua=a@example.com", NULL},
    {"v=TLSRPTv1; rua=:a@example.com", NULL},
    {"v=TLSRPTv1; rua =mailto:a@example.com", NULL},
    {"v=TLSRPTv1; RUA=mailto:a@example.com", NULL},
    {"v=TLSRPTv1; rua=mailto:a@example.com; rua=mailto:b@example.com,nope", NULL},
    {"v=TLSRPTv1; rua=mailto:a@example.com; rua=", NULL},
    {"v=TLSRPTv1;; rua=mailto:a@example.com", NULL},
    {"v=TLSRPTv1 rua=mailto:a@example.com", NULL},
    {"v=TLSRPTv1; rua=mailto:a b@example.com", NULL},
    {"v=TLSRPTv1; rua=mailto:\xc3\xa1@example.com", NULL},
    {"v=TLSRPTv1; -x=1; rua=mailto:a@example.com", NULL},
    {"v=TLSRPTv1; a2345678901234567890123456789012=1; rua=mailto:a@example.com", "mailto:a@example.com"},
    {"v=TLSRPTv1; a23456789012345678901234567890123=1; rua=mailto:a@example.com", NULL},
    {"v=TLSRPTv2; rua=mailto:a@example.com", NULL},
    {"v=tlsrptv1; rua=mailto:a@example.com", NULL},
    {"v=TLSRPTv10; rua=mailto:a@example.com", NULL},
    {" v=TLSRPTv1; rua=mailto:a@example.com", NULL},
    {"rua=mailto:a@example.com; v=TLSRPTv1", NULL},
    {"", NULL},
};

static void reads_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        size_t len = strlen(samples[i].text);
        uint8_t *copy = malloc(len ? len : 1); /* so that reading on is seen */
        struct sp_view rua = {0};
        struct message_tlsrpt_place place;
        struct sp_buf all;
        sp_buf_init(&all, &heap, 1000);
        memcpy(copy, samples[i].text, len);
        int status = message_tlsrpt_read(sp_view_make(copy, len), &rua);
        if ((status == SP_OK) != (samples[i].rua != NULL))
            fail_msg("%s: %d", samples[i].text, status);
        while (status == SP_OK && message_tlsrpt_next(&rua, &place)) {
            sp_buf_add_str(&all, all.len ? "," : "");
            sp_buf_add(&all, place.uri);
        }
        if (status == SP_OK && !sp_view_eq(sp_buf_view(&all), sp_view_of(samples[i].rua)))
            fail_msg("%s: %.*s", samples[i].text, (int)all.len, (const char *)all.p);
        sp_buf_fini(&all);
        free(copy);
    }
}

static void a_record_begins_with_its_version(void **state)
{
    (void)state;
    assert_true(message_tlsrpt_is_record(SP_LIT("v=TLSRPTv1; nonsense")));
    assert_false(message_tlsrpt_is_record(SP_LIT("v=TLSRPTv1")));
    assert_false(message_tlsrpt_is_record(SP_LIT("v=TLSRPTv11; rua=mailto:a@b")));
    assert_false(message_tlsrpt_is_record(SP_LIT("v=spf1 -all")));
}

static const struct {
    const char *uri;
    enum message_tlsrpt_kind kind;
    const char *address;
} places[] = {
    {"mailto:reports@example.com", MESSAGE_TLSRPT_MAILTO, "reports@example.com"},
    {"MAILTO:tls.rpt+x@mail-1.example.com?subject=x", MESSAGE_TLSRPT_MAILTO, "tls.rpt+x@mail-1.example.com"},
    {"mailto:a%2Bb@example.com", MESSAGE_TLSRPT_MAILTO, "a+b@example.com"},
    {"mailto:a%21@example.com", MESSAGE_TLSRPT_MAILTO, "a!@example.com"},
    {"https://example.com/v1", MESSAGE_TLSRPT_HTTPS, ""},
    {"https://", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"http://example.com/", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"mailto:", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"mailto:nobody", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"mailto:@example.com", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"mailto:a@", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"mailto:a@b@example.com", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"mailto:a..b@example.com", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"mailto:a%0D%0Ab@example.com", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"mailto:a%2Cb@example.com", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"mailto:%3Ca@example.com%3E", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"mailto:a%2@example.com", MESSAGE_TLSRPT_UNUSABLE, ""},
    {"mailto:a%", MESSAGE_TLSRPT_UNUSABLE, ""},
};

static void finds_endpoints(void **state)
{
    (void)state;
    struct message_tlsrpt_place p;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct sp_view rest = sp_view_of(places[i].uri);
        assert_true(message_tlsrpt_next(&rest, &p));
        if (p.kind != places[i].kind ||
            !sp_view_eq(sp_view_make(p.address, p.address_len), sp_view_of(places[i].address)))
            if (p.kind != MESSAGE_TLSRPT_UNUSABLE || places[i].kind != MESSAGE_TLSRPT_UNUSABLE)
                fail_msg("%s: %d %.*s", places[i].uri, (int)p.kind, (int)p.address_len,
                         (const char *)p.address);
        assert_false(message_tlsrpt_next(&rest, &p));
    }
    struct sp_view two = SP_LIT("mailto:a@example.com , https://example.com/b");
    assert_true(message_tlsrpt_next(&two, &p));
    assert_true(message_tlsrpt_next(&two, &p));
    assert_true(sp_view_eq(p.uri, SP_LIT("https://example.com/b")));
    assert_false(message_tlsrpt_next(&two, &p));
}

static void writes_the_mail(void **state)
{
    (void)state;
    struct sp_buf out, name;
    sp_buf_init(&name, &heap, 1000);
    assert_int_equal(message_tlsrpt_file_name(&name, SP_LIT("us.example"), SP_LIT("one.example"),
                                              INT64_C(1795478400000), INT64_C(1795564799000),
                                              "0sawnzzp40000"),
                     SP_OK);
    struct message_tlsrpt_mail m = {.hostname = "mx.us.example",
                                    .id = "0sawnzzp40000",
                                    .from = SP_LIT("tls-reports@us.example"),
                                    .submitter = SP_LIT("us.example"),
                                    .domain = SP_LIT("one.example"),
                                    .to = SP_LIT("<a@one.example>, <b@two.example>"),
                                    .report_id = SP_LIT("0sawnzzp40000@us.example"),
                                    .file_name = sp_buf_view(&name),
                                    .begin_ms = INT64_C(1795478400000),
                                    .end_ms = INT64_C(1795564799000),
                                    .now_ms = INT64_C(1795570000000),
                                    .good_n = 12,
                                    .bad_n = 1,
                                    .report =
                                        SP_LIT("0123456789012345678901234567890123456789012345678901234567")};
    sp_buf_init(&out, &heap, 100000);
    assert_int_equal(message_add_tlsrpt(&out, &m), SP_OK);
    static const char expected[] =
        "From: <tls-reports@us.example>\r\n"
        "To: <a@one.example>,\r\n\t <b@two.example>\r\n"
        "Subject: Report Domain: one.example\r\n\tSubmitter: us.example\r\n"
        "\tReport-ID: <0sawnzzp40000@us.example>\r\n"
        "Date: Wed, 25 Nov 2026 01:26:40 +0000\r\n"
        "Message-ID: <0sawnzzp40000@mx.us.example>\r\n"
        "TLS-Report-Domain: one.example\r\n"
        "TLS-Report-Submitter: us.example\r\n"
        "TLS-Required: No\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n"
        "\tboundary=\"=_sallyport_0sawnzzp40000\"\r\n\r\n"
        "This is a report about TLS, in MIME format.\r\n"
        "\r\n--=_sallyport_0sawnzzp40000\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        "This is the mail server mx.us.example.\r\n\r\n"
        "The attached report says how TLS went on the connections over which it sent\r\n"
        "mail to one.example\r\n"
        "from 2026-11-24T00:00:00Z to 2026-11-24T23:59:59Z:\r\n\r\n"
        "    sessions with TLS as it should be: 12\r\n"
        "    sessions where it failed:          1\r\n\r\n"
        "It is sent because the DNS asks for it (RFC 8460), at _smtp._tls.one.example\r\n"
        "\r\n--=_sallyport_0sawnzzp40000\r\n"
        "Content-Type: application/tlsrpt+gzip\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment;\r\n"
        "\tfilename=\"us.example!one.example!1795478400!1795564799!0sawnzzp40000.json.gz\"\r\n\r\n"
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\r\n"
        "Nw==\r\n"
        "\r\n--=_sallyport_0sawnzzp40000--\r\n";
    sp_buf_add_u8(&out, 0);
    assert_string_equal((const char *)out.p, expected);
    sp_buf_fini(&out);
    sp_buf_fini(&name);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_records),
    cmocka_unit_test(a_record_begins_with_its_version),
    cmocka_unit_test(finds_endpoints),
    cmocka_unit_test(writes_the_mail),
};

TAP_MAIN(tests)
