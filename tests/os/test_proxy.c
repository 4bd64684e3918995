/* Headers of the PROXY protocol: whole, cut at every octet, and wrong in every way. */
#include "tap.h"

#include "base/view.h"
#include "os/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* The octets end at the end of an allocation, so that a reader who goes too far is found. */
static int parse(struct sp_view in, struct os_proxy *out, const char **fault)
{
    uint8_t *copy = malloc(in.len ? in.len : 1);
    if (in.len)
        memcpy(copy, in.p, in.len);
    *fault = NULL;
    int status = os_proxy_parse(sp_view_make(copy, in.len), out, fault);
    free(copy);
    assert_int_equal(status == SP_ERR_SYNTAX, *fault != NULL);
    return status;
}

static void is_address(const struct os_address *a, const char *text)
{
    char got[OS_ADDRESS_TEXT];
    os_address_text(a, got);
    assert_string_equal(got, text);
}

/* Every beginning of it asks for more; with the client's octets behind it, it is read the same. */
static struct os_proxy accepts(struct sp_view header)
{
    struct os_proxy p;
    const char *fault;
    uint8_t more[512];
    for (size_t n = 0; n < header.len; n++)
        assert_int_equal(parse(sp_view_sub(header, 0, n), &p, &fault), SP_ERR_ABSENT);
    assert_true(header.len + 4 <= sizeof more);
    memcpy(more, header.p, header.len);
    memcpy(more + header.len, "EHLO", 4);
    assert_int_equal(parse(sp_view_make(more, header.len + 4), &p, &fault), SP_OK);
    assert_int_equal(p.len, header.len);
    assert_int_equal(parse(header, &p, &fault), SP_OK);
    assert_int_equal(p.len, header.len);
    return p;
}

static void refuses(struct sp_view header, const char *word)
{
    struct os_proxy p = {.len = 77};
    const char *fault;
    assert_int_equal(parse(header, &p, &fault), SP_ERR_SYNTAX);
    if (!strstr(fault, word))
        fail_msg("wanted \"%s\" in: %s", word, fault);
    assert_int_equal(p.len, 77);
}

static void version_1(void **state)
{
    (void)state;
    struct os_proxy p = accepts(SP_LIT("PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\n"));
    assert_true(p.known);
    is_address(&p.from, "192.0.2.1:40000");
    is_address(&p.to, "198.51.100.2:25");
    p = accepts(SP_LIT("PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n"));
    assert_true(p.known);
    is_address(&p.from, "[2001:db8::1]:0");
    is_address(&p.to, "[2001:db8::2]:65535");
    p = accepts(SP_LIT("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"));
    is_address(&p.from, "192.0.2.1:1");
    p = accepts(SP_LIT("PROXY UNKNOWN\r\n"));
    assert_false(p.known);
    p = accepts(SP_LIT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n")); /* 107 octets */
    assert_false(p.known);
}

static void version_1_malformed(void **state)
{
    (void)state;
    refuses(SP_LIT("EHLO client.example\r\n"), "neither");
    refuses(SP_LIT("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), "neither");
    refuses(SP_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), "without CR");
    refuses(SP_LIT("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"), "family");
    refuses(SP_LIT("PROXY \r\n"), "family");
    refuses(SP_LIT("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), "family");
    refuses(SP_LIT("PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n"), "address");
    refuses(SP_LIT("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"), "address");
    refuses(SP_LIT("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n"), "address");
    refuses(SP_LIT("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), "address");
    refuses(SP_LIT("PROXY TCP4 192.0.2.1\r\n"), "address");
    refuses(SP_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), "ports");
    refuses(SP_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"), "ports");
    refuses(SP_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"), "ports");
    refuses(SP_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n"), "ports");
    refuses(SP_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), "ports");
    refuses(SP_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"), "space");
    char line[120] = "PROXY UNKNOWN ";
    memset(line + 14, 'x', sizeof line - 14);
    refuses(sp_view_make(line, 107), "107");
    struct os_proxy p;
    const char *fault;
    assert_int_equal(parse(sp_view_make(line, 106), &p, &fault), SP_ERR_ABSENT);
}

static void version_2(void **state)
{
    (void)state;
    struct os_proxy p =
        accepts(SP_LIT(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x9c\x40\0\x19"));
    assert_true(p.known);
    is_address(&p.from, "192.0.2.1:40000");
    is_address(&p.to, "198.51.100.2:25");
    p = accepts(SP_LIT(
        SIGNATURE "\x21\x21\0\x24 \x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1 \x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
                  "\0\1\0\2"));
    assert_true(p.known);
    is_address(&p.from, "[2001:db8::1]:1");
    is_address(&p.to, "[2001:db8::2]:2");
    p = accepts(SP_LIT(SIGNATURE
                       "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
                       "\0\1\0\2"));
    is_address(&p.from, "192.0.2.1:1");
    assert_false(accepts(SP_LIT(SIGNATURE "\x20\x00\0\0")).known);         /* LOCAL */
    assert_false(accepts(SP_LIT(SIGNATURE "\x20\x11\0\4junk")).known);     /* and whatever goes along */
    assert_false(accepts(SP_LIT(SIGNATURE "\x21\x00\0\0")).known);         /* UNSPEC */
    assert_false(accepts(SP_LIT(SIGNATURE "\x21\x00\0\5\5\0\2id")).known); /* with a TLV */
    uint8_t local[16 + 216] = SIGNATURE "\x21\x31\0\xd8";
    assert_false(accepts(sp_view_make(local, sizeof local)).known); /* a Unix socket's client */
}

/* A TLV of a kind that is not known, an empty one, and a checksum that covers itself as zeros. */
static void version_2_with_tlvs(void **state)
{
    (void)state;
    uint8_t octets[] = SIGNATURE "\x21\x11\0\x19\xc0\0\x02\x01\xc6\x33\x64\x02\x9c\x40\0\x19"
                                 "\x05\0\0\3\0\4\0\0\0\0\x02\0\0";
    struct sp_view header = sp_view_make(octets, sizeof octets - 1);
    refuses(header, "checksum is wrong");
    uint32_t crc = UINT32_MAX; /* by the book: bit by bit */
    for (size_t i = 0; i < header.len; i++)
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc ^ (uint32_t)octets[i] >> bit) & 1 ? UINT32_C(0x82f63b78) : 0);
    crc = ~crc;
    for (size_t i = 0; i < 4; i++)
        octets[34 + i] = (uint8_t)(crc >> (24 - 8 * i));
    assert_true(accepts(header).known);
    octets[16] ^= 1;
    refuses(header, "checksum is wrong");
}

static void version_2_malformed(void **state)
{
    (void)state;
    refuses(SP_LIT("\r\n\r\n\0\r\nQUIT\r\n\x21\x11"), "neither");
    refuses(SP_LIT(SIGNATURE "\x11\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x9c\x40\0\x19"), "command");
    refuses(SP_LIT(SIGNATURE "\x22\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x9c\x40\0\x19"), "command");
    refuses(SP_LIT(SIGNATURE "\x21\x12\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x9c\x40\0\x19"), "stream");
    refuses(SP_LIT(SIGNATURE "\x21\x11\0\x0b\xc0\0\x02\x01\xc6\x33\x64\x02\x9c\x40\0"), "cut off");
    refuses(SP_LIT(SIGNATURE "\x21\x21\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x9c\x40\0\x19"), "cut off");
    refuses(SP_LIT(SIGNATURE "\x21\x11\0\x0e\xc0\0\x02\x01\xc6\x33\x64\x02\x9c\x40\0\x19\1\0"),
            "TLV is cut off");
    refuses(SP_LIT(SIGNATURE "\x21\x11\0\x10\xc0\0\x02\x01\xc6\x33\x64\x02\x9c\x40\0\x19\1\0\2x"), "longer");
    refuses(SP_LIT(SIGNATURE "\x21\x11\0\x12\xc0\0\x02\x01\xc6\x33\x64\x02\x9c\x40\0\x19\3\0\3xyz"), "four");
}

/* All lengths that a header can name are waited for, the longest too. */
static void version_2_of_the_greatest_length(void **state)
{
    (void)state;
    static uint8_t octets[OS_PROXY_MAX] = SIGNATURE "\x21\x11\xff\xff";
    struct os_proxy p;
    const char *fault;
    size_t tlv = 16 + 12, len = sizeof octets - tlv - 3;
    octets[tlv] = 4;
    octets[tlv + 1] = (uint8_t)(len >> 8);
    octets[tlv + 2] = (uint8_t)len;
    assert_int_equal(parse(sp_view_make(octets, sizeof octets - 1), &p, &fault), SP_ERR_ABSENT);
    assert_int_equal(parse(sp_view_make(octets, sizeof octets), &p, &fault), SP_OK);
    assert_int_equal(p.len, OS_PROXY_MAX);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(version_1),           cmocka_unit_test(version_1_malformed),
    cmocka_unit_test(version_2),           cmocka_unit_test(version_2_with_tlvs),
    cmocka_unit_test(version_2_malformed), cmocka_unit_test(version_2_of_the_greatest_length),
};

TAP_MAIN(tests)
