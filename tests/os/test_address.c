/* Addresses and networks: there and back, every wrong form refused, and who is inside. */
#include "harness.h"

#include "base/view.h"
#include "os/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

static struct os_address parse(const char *text)
{
    struct os_address a;
    if (os_address_parse(sp_view_of(text), &a) != SP_OK)
        fail_msg("%s", text);
    return a;
}

static void test_there_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.0.0.1:2525",
                                        "0.0.0.0:0",
                                        "255.255.255.255:65535",
                                        "[::1]:25",
                                        "[::]:0",
                                        "[2001:db8::ff]:587",
                                        "[fe80::1]:65535",
                                        "[::ffff:192.0.2.1]:25",
                                        "[2001:db8:1111:2222:3333:4444:5555:6666]:465"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[OS_ADDRESS_TEXT], host[OS_ADDRESS_TEXT];
        struct os_address a = parse(texts[i]);
        os_address_text(&a, text);
        assert_string_equal(text, texts[i]);
        os_address_host(&a, host);
        assert_int_equal(strspn(host, "[]"), 0);
        assert_true(strstr(text, host) == text + (*text == '['));
        assert_int_equal(os_address_port(&a), atoi(strrchr(text, ':') + 1));
    }
}

static void test_wrong_forms(void **state)
{
    (void)state;
    static const struct sp_view syntax[] = {
        SP_LIT_INIT(""),
        SP_LIT_INIT(":"),
        SP_LIT_INIT(":25"),
        SP_LIT_INIT("127.0.0.1"),
        SP_LIT_INIT("127.0.0.1:"),
        SP_LIT_INIT("127.0.0.1:x"),
        SP_LIT_INIT("127.0.0.1: 25"),
        SP_LIT_INIT("127.0.0.1:+25"),
        SP_LIT_INIT("127.1:25"),
        SP_LIT_INIT("localhost:25"),
        SP_LIT_INIT("::1:25"),
        SP_LIT_INIT("[::1]"),
        SP_LIT_INIT("[::1:25"),
        SP_LIT_INIT("::1]:25"),
        SP_LIT_INIT("[]:25"),
        SP_LIT_INIT("[127.0.0.1]:25"),
        SP_LIT_INIT(" 127.0.0.1:25"),
        SP_LIT_INIT("127.0.0.1\0:25"),
        SP_LIT_INIT("127.0.0.1:25\0"),
        SP_LIT_INIT("[::1]x:25"),
        SP_LIT_INIT("256.0.0.1:25"),
        SP_LIT_INIT("1.2.3.4.5:25"),
        SP_LIT_INIT("localhost:99999"),
        SP_LIT_INIT("[2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]:1"),
    };
    struct os_address a = {.len = 77};
    for (size_t i = 0; i < sizeof syntax / sizeof *syntax; i++)
        if (os_address_parse(syntax[i], &a) != SP_ERR_SYNTAX)
            fail_msg("%.*s", (int)syntax[i].len, (const char *)syntax[i].p);
    assert_int_equal(os_address_parse(SP_LIT("127.0.0.1:65536"), &a), SP_ERR_RANGE);
    assert_int_equal(os_address_parse(SP_LIT("[::1]:99999999999999999999"), &a), SP_ERR_RANGE);
    assert_int_equal(a.len, 77);
}

static void test_loopback(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:1", true},
        {"127.255.3.4:1", true},
        {"128.0.0.1:1", false},
        {"0.0.0.0:1", false},
        {"[::1]:1", true},
        {"[::]:1", false},
        {"[::2]:1", false},
        {"[::ffff:127.0.0.1]:1", true},
        {"[::ffff:10.0.0.1]:1", false},
        {"[1::1]:1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct os_address a = parse(cases[i].text);
        assert_int_equal(os_address_is_loopback(&a), cases[i].loopback);
    }
}

static void test_unknown_family(void **state)
{
    (void)state;
    char text[OS_ADDRESS_TEXT];
    struct os_address a = {.as.any.sa_family = AF_UNIX};
    os_address_text(&a, text);
    assert_string_equal(text, "unknown:0");
}

static void test_bind(void **state)
{
    (void)state;
    struct os_address a = parse("127.0.0.1:0");
    int on = 0, fd = os_address_bind(&a);
    socklen_t len = sizeof on;
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len), 0);
    assert_false(on);
    a.len = sizeof a.as;
    assert_int_equal(getsockname(fd, &a.as.any, &a.len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(os_address_bind(&a), -1);
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
    /* An IPv6 wildcard leaves IPv4's port alone. */
    struct os_address six = parse("[::]:0");
    fd = os_address_bind(&six);
    assert_true(fd >= 0);
    assert_int_equal(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, &len), 0);
    assert_true(on);
    close(fd);
}

/* --- networks -------------------------------------------------------------------------------- */

static bool inside(const char *network, const char *ip)
{
    struct os_network n;
    char text[OS_ADDRESS_TEXT];
    if (os_network_parse(sp_view_of(network), &n) != SP_OK)
        fail_msg("%s", network);
    snprintf(text, sizeof text, strchr(ip, ':') ? "[%s]:1" : "%s:1", ip);
    struct os_address a = parse(text);
    return os_network_has(&n, &a);
}

static void test_public_ones(void **state)
{
    static const char *const are[] = {"8.8.8.8:1",        "11.0.0.0:1",           "100.63.255.255:1",
                                      "100.128.0.0:1",    "169.253.0.1:1",        "172.15.0.1:1",
                                      "172.32.0.1:1",     "192.167.0.1:1",        "198.17.0.1:1",
                                      "198.20.0.1:1",     "223.255.255.255:1",    "[2001:db8::1]:1",
                                      "[2606:4700::1]:1", "[64:ff9b::808:808]:1", "[::ffff:8.8.8.8]:1"};
    static const char *const are_not[] = {"0.0.0.0:1",
                                          "0.1.2.3:1",
                                          "10.0.0.1:1",
                                          "100.64.0.1:1",
                                          "100.127.255.255:1",
                                          "127.0.0.1:1",
                                          "127.9.9.9:1",
                                          "169.254.169.254:1",
                                          "172.16.0.1:1",
                                          "172.31.255.255:1",
                                          "192.0.0.1:1",
                                          "192.168.1.1:1",
                                          "198.18.0.1:1",
                                          "198.19.255.255:1",
                                          "224.0.0.1:1",
                                          "255.255.255.255:1",
                                          "[::]:1",
                                          "[::1]:1",
                                          "[::7f00:1]:1",
                                          "[::ffff:127.0.0.1]:1",
                                          "[::ffff:10.0.0.1]:1",
                                          "[64:ff9b::7f00:1]:1",
                                          "[64:ff9b::a00:1]:1",
                                          "[64:ff9b:1::1]:1",
                                          "[2002:7f00:1::]:1",
                                          "[fc00::1]:1",
                                          "[fdff::1]:1",
                                          "[fe80::1]:1",
                                          "[fec0::1]:1",
                                          "[ff02::1]:1"};
    (void)state;
    struct os_address a;
    for (size_t i = 0; i < sizeof are / sizeof *are; i++) {
        assert_int_equal(os_address_parse(sp_view_of(are[i]), &a), SP_OK);
        if (!os_address_is_public(&a))
            fail_msg("%s is public", are[i]);
    }
    for (size_t i = 0; i < sizeof are_not / sizeof *are_not; i++) {
        assert_int_equal(os_address_parse(sp_view_of(are_not[i]), &a), SP_OK);
        if (os_address_is_public(&a))
            fail_msg("%s is not public", are_not[i]);
    }
    a = (struct os_address){.as.any.sa_family = AF_UNIX};
    assert_false(os_address_is_public(&a));
}

static void test_networks(void **state)
{
    (void)state;
    assert_true(inside("192.0.2.0/24", "192.0.2.0") && inside("192.0.2.0/24", "192.0.2.255"));
    assert_false(inside("192.0.2.0/24", "192.0.3.0") || inside("192.0.2.0/24", "192.0.1.255"));
    assert_true(inside("192.0.2.7", "192.0.2.7"));
    assert_false(inside("192.0.2.7", "192.0.2.6"));
    assert_true(inside("0.0.0.0/0", "203.0.113.9"));
    assert_false(inside("0.0.0.0/0", "2001:db8::1"));
    assert_false(inside("::/0", "203.0.113.9"));
    assert_true(inside("::/0", "2001:db8::1"));
    assert_true(inside("2001:db8::/32", "2001:db8:ffff::1"));
    assert_false(inside("2001:db8::/32", "2001:db9::1"));
    assert_true(inside("2001:db8::1", "2001:db8::1"));
    assert_true(inside("192.0.2.0/24", "::ffff:192.0.2.9"));
    assert_true(inside("::ffff:192.0.2.0/120", "192.0.2.9"));
    assert_false(inside("::ffff:192.0.2.0/120", "192.0.3.9"));
}

/* Every prefix length: the last address inside and the first outside. */
static void test_every_prefix(void **state)
{
    (void)state;
    for (unsigned prefix = 1; prefix <= 32; prefix++) {
        uint32_t base = htonl(0x80000000u >> (prefix - 1)),
                 last = htonl(ntohl(base) | (uint32_t)(0xffffffffull >> prefix));
        uint32_t next = htonl(ntohl(last) + 1);
        char network[64], text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &base, text, sizeof text);
        snprintf(network, sizeof network, "%s/%u", text, prefix);
        assert_true(inside(network, text));
        assert_true(inside(network, inet_ntop(AF_INET, &last, text, sizeof text)));
        assert_false(inside(network, inet_ntop(AF_INET, &next, text, sizeof text)));
    }
}

static void test_wrong_networks(void **state)
{
    (void)state;
    static const char *const syntax[] = {
        "",     "/",      "/8",           "192.0.2.0/",  "192.0.2.0/x", "192.0.2/24", "192.0.2.0/-1",
        "host", "host/8", "10.0.0.0/8/8", "10.0.0.0 /8", "::1/",        "[::1]/128"};
    static const char *const range[] = {"192.0.2.0/33",
                                        "192.0.2.1/24",
                                        "2001:db8::/129",
                                        "2001:db8::1/64",
                                        "128.0.0.0/0",
                                        "192.0.2.128/24",
                                        "10.0.0.0/99999999999999999999"};
    struct os_network n = {.prefix = 77};
    for (size_t i = 0; i < sizeof syntax / sizeof *syntax; i++)
        if (os_network_parse(sp_view_of(syntax[i]), &n) != SP_ERR_SYNTAX)
            fail_msg("%s", syntax[i]);
    for (size_t i = 0; i < sizeof range / sizeof *range; i++)
        if (os_network_parse(sp_view_of(range[i]), &n) != SP_ERR_RANGE)
            fail_msg("%s", range[i]);
    assert_int_equal(n.prefix, 77);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_wrong_forms),
    cmocka_unit_test(test_public_ones),    cmocka_unit_test(test_loopback),
    cmocka_unit_test(test_unknown_family), cmocka_unit_test(test_bind),
    cmocka_unit_test(test_networks),       cmocka_unit_test(test_every_prefix),
    cmocka_unit_test(test_wrong_networks),
};

TAP_MAIN(tests)
