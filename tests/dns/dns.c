/* Names that need no network: numeric ones, those of this machine, and those that cannot be. */
#include "dns/dns.h"
#include "base/view.h"
#include "dns/packet.h"
#include "os/heap.h"
#include "os/loop.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

struct asked {
    struct event_base *base;
    struct dns_addresses found;
    bool told;
};

static void take(void *ctx, const struct dns_addresses *found)
{
    struct asked *a = ctx;
    a->found = *found;
    a->told = true;
    event_base_loopbreak(a->base);
}

static struct asked resolve(const char *host)
{
    struct sp_buf error;
    struct asked a = {.base = os_loop_new()};
    sp_buf_init(&error, &os_heap, 1000);
    struct dns *d = dns_new(a.base, &error);
    assert_non_null(d);
    assert_non_null(dns_addresses(d, sp_view_of(host), 2525, 10000, take, &a));
    assert_false(a.told);
    event_base_dispatch(a.base);
    assert_true(a.told);
    dns_free(d);
    event_base_free(a.base);
    sp_buf_fini(&error);
    return a;
}

static void expect(const char *host, const char *address)
{
    char text[OS_ADDRESS_TEXT];
    struct asked a = resolve(host);
    assert_int_equal(a.found.verdict, DNS_FOUND);
    bool seen = false;
    for (size_t i = 0; i < a.found.n; i++) {
        os_address_text(&a.found.addresses[i], text);
        seen = seen || strcmp(text, address) == 0;
    }
    if (!seen)
        fail_msg("%s is not %s but %s", host, address, text);
}

static void test_numeric(void **state)
{
    (void)state;
    expect("127.0.0.1", "127.0.0.1:2525");
    expect("::1", "[::1]:2525");
    expect("[::1]", "[::1]:2525");
    expect("[192.0.2.7]", "192.0.2.7:2525");
}

static void test_this_machine(void **state)
{
    (void)state;
    expect("localhost", "127.0.0.1:2525");
}

static void test_no_name(void **state)
{
    (void)state;
    assert_int_equal(resolve("").found.verdict, DNS_BAD_NAME);
    assert_int_equal(resolve("a b").found.verdict, DNS_BAD_NAME);
    assert_int_equal(resolve("x\r\ny").found.verdict, DNS_BAD_NAME);
}

static void test_cancel(void **state)
{
    (void)state;
    struct sp_buf error;
    struct asked a = {.base = os_loop_new()};
    sp_buf_init(&error, &os_heap, 1000);
    struct dns *d = dns_new(a.base, &error);
    dns_query_cancel(dns_addresses(d, SP_LIT("127.0.0.1"), 1, 1000, take, &a));
    dns_query_cancel(dns_addresses(d, SP_LIT("localhost"), 1, 1000, take, &a));
    event_base_loop(a.base, EVLOOP_NONBLOCK);
    assert_false(a.told);
    dns_free(d);
    event_base_free(a.base);
    sp_buf_fini(&error);
}

static const uint8_t answer[] = {
    0,    1,   0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0,                   /* header: one question, two records */
    1,    'a', 1,    'b',  0, 0, 1, 0, 1,                            /* a.b A IN                          */
    0xc0, 12,  0,    5,    0, 1, 0, 0, 0, 9, 0, 4, 1, 'c', 0xc0, 14, /* CNAME c.b                         */
    1,    'c', 0xc0, 14,   0, 1, 0, 1, 0, 0, 0, 9, 0, 4,   192,  0,
    2,    7}; /* c.b A                             */

static void test_packet(void **state)
{
    (void)state;
    struct dns_packet p;
    struct dns_record r;
    assert_int_equal(dns_packet_open(sp_view_make(answer, sizeof answer), &p), SP_OK);
    assert_int_equal(dns_packet_next(&p, &r), SP_OK);
    assert_int_equal(r.type, 5);
    assert_int_equal(dns_packet_next(&p, &r), SP_OK);
    assert_int_equal(r.type, DNS_TYPE_A);
    assert_int_equal(r.ttl_s, 9);
    assert_memory_equal(r.data.p, "\xc0\0\2\7", 4);
    assert_int_equal(dns_packet_next(&p, &r), SP_ERR_ABSENT);
}

static const uint8_t mails[] = {
    0,    1,   0x81, 0x80, 0,  1, 0, 3, 0, 0, 0, 0, /* one question, three records     */
    1,    'B', 0,    0,    15, 0, 1,                /* b MX IN                         */
    0xc0, 12,  0,    15,   0,  1, 0, 0, 0, 9, 0, 6, 0, 10,  1, 'm', 0xc0,
    12,                                                                  /* MX 10 m.b                       */
    0xc0, 12,  0,    15,   0,  1, 0, 0, 0, 9, 0, 3, 0, 0,   0,           /* MX 0 .                          */
    0xc0, 12,  0,    16,   0,  1, 0, 0, 0, 9, 0, 5, 1, 'x', 2, 'y', 'z', /* TXT "x" "yz"                    */
};

static void test_records(void **state)
{
    (void)state;
    struct dns_packet p;
    struct dns_record r;
    char name[DNS_NAME_MAX + 1], text[3];
    unsigned preference;
    size_t len;
    assert_int_equal(dns_packet_open(sp_view_make(mails, sizeof mails), &p), SP_OK);
    assert_int_equal(dns_packet_next_of(&p, DNS_TYPE_MX, &r), SP_OK);
    assert_int_equal(dns_record_mx(&p, &r, &preference, name), SP_OK);
    assert_int_equal(preference, 10);
    assert_string_equal(name, "m.b");
    assert_int_equal(dns_packet_name(&p, r.owner, name, NULL), SP_OK);
    assert_string_equal(name, "b");
    assert_int_equal(dns_packet_next_of(&p, DNS_TYPE_MX, &r), SP_OK);
    assert_int_equal(dns_record_mx(&p, &r, &preference, name), SP_OK);
    assert_string_equal(name, "");
    assert_int_equal(dns_packet_next_of(&p, DNS_TYPE_TXT, &r), SP_OK);
    assert_int_equal(dns_record_txt(&r, text, 2, &len), SP_ERR_LONG);
    assert_int_equal(dns_record_txt(&r, text, 3, &len), SP_OK);
    assert_int_equal(len, 3);
    assert_memory_equal(text, "xyz", 3);
    assert_int_equal(dns_packet_next_of(&p, DNS_TYPE_MX, &r), SP_ERR_ABSENT);
}

/* A name that points to itself ends. */
static void test_name_in_a_circle(void **state)
{
    (void)state;
    static const uint8_t circle[] = {0, 1, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'a', 0xc0, 12};
    struct dns_packet p;
    char name[DNS_NAME_MAX + 1];
    assert_int_equal(dns_packet_open(sp_view_make(circle, sizeof circle), &p), SP_OK);
    assert_int_equal(dns_packet_name(&p, 12, name, NULL), SP_ERR_SYNTAX);
    assert_int_equal(dns_packet_name(&p, 14, name, NULL), SP_ERR_SYNTAX);
}

/* What a reader of any record would do. */
static void read_all(const struct dns_packet *p, const struct dns_record *r)
{
    char name[DNS_NAME_MAX + 1], text[64];
    struct dns_tlsa tlsa;
    unsigned preference;
    size_t len;
    int failed = dns_packet_name(p, r->owner, name, NULL);
    failed |= dns_record_mx(p, r, &preference, name);
    failed |= dns_record_txt(r, text, sizeof text, &len);
    failed |= dns_record_tlsa(r, &tlsa);
    (void)failed; /* it need not be any of them */
}

/* Cut anywhere, changed anywhere: read to its end without a step outside (the sanitizer watches). */
static void damage(const uint8_t *octets, size_t n)
{
    for (size_t len = 0; len <= n; len++) {
        uint8_t *copy = os_new(len ? len : 1);
        memcpy(copy, octets, len);
        for (size_t at = 0; at <= len * 256; at++) {
            struct dns_packet p;
            struct dns_record r;
            uint8_t kept = at < len * 256 ? copy[at / 256] : 0;
            if (at < len * 256)
                copy[at / 256] = (uint8_t)at;
            if (dns_packet_open(sp_view_make(copy, len), &p) == SP_OK)
                for (unsigned i = 0; dns_packet_next(&p, &r) == SP_OK; i++) {
                    assert_true(i < 65536);
                    read_all(&p, &r);
                }
            if (at < len * 256)
                copy[at / 256] = kept;
        }
        free(copy);
    }
}

static void test_packet_damaged(void **state)
{
    (void)state;
    damage(answer, sizeof answer);
    damage(mails, sizeof mails);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_numeric),          cmocka_unit_test(test_this_machine),
    cmocka_unit_test(test_no_name),          cmocka_unit_test(test_cancel),
    cmocka_unit_test(test_packet),           cmocka_unit_test(test_records),
    cmocka_unit_test(test_name_in_a_circle), cmocka_unit_test(test_packet_damaged),
};

TAP_MAIN(tests)
