/*
 * The grammar: exhaustive over short texts against recognisers that are written as plainly as
 * the ABNF reads (recursive, slow, apart from the parsers), then the limits by hand.
 */
#include "tap.h"

#include "base/view.h"
#include "smtp/grammar.h"

#include <stdio.h>

#include <stdlib.h>
#include <string.h>

/* --- recognisers: each returns the set of ends (bit i: a match ends at octet i) ------------------- */

typedef uint32_t ends;
typedef ends rule(const char *s, size_t i);

static ends sequence(const char *s, size_t i, rule *a, rule *b)
{
    ends out = 0, firsts = a(s, i);
    for (size_t k = 0; k < 32; k++)
        if (firsts & (ends)1 << k)
            out |= b(s, k);
    return out;
}

static ends one(const char *s, size_t i, bool good) { return s[i] && good ? (ends)1 << (i + 1) : 0; }
static ends is(const char *s, size_t i, char c) { return one(s, i, s[i] == c); }
static bool let_dig(char c)
{
    return strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", c) && c;
}
static bool atext(char c) { return let_dig(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c)); }

static ends at_sign(const char *s, size_t i) { return is(s, i, '@'); }
static ends colon(const char *s, size_t i) { return is(s, i, ':'); }
static ends less(const char *s, size_t i) { return is(s, i, '<'); }
static ends greater(const char *s, size_t i) { return is(s, i, '>'); }

/* sub-domain = Let-dig [Ldh-str] ; Ldh-str = *( ALPHA / DIGIT / "-" ) Let-dig */
static ends sub_domain(const char *s, size_t i)
{
    ends out = 0;
    if (!let_dig(s[i]))
        return 0;
    for (size_t k = i; let_dig(s[k]) || s[k] == '-'; k++)
        if (let_dig(s[k]))
            out |= (ends)1 << (k + 1);
    return out;
}

/* Domain = sub-domain *("." sub-domain) */
static ends domain_tail(const char *s, size_t i);
static ends dot_sub_domain(const char *s, size_t i) { return s[i] == '.' ? sub_domain(s, i + 1) : 0; }
static ends domain_tail(const char *s, size_t i)
{
    return (ends)1 << i | sequence(s, i, dot_sub_domain, domain_tail);
}
static ends domain(const char *s, size_t i) { return sequence(s, i, sub_domain, domain_tail); }

/* Atom = 1*atext ; Dot-string = Atom *("." Atom) */
static ends atom(const char *s, size_t i)
{
    ends out = 0;
    for (; atext(s[i]); i++)
        out |= (ends)1 << (i + 1);
    return out;
}
static ends dot_string_tail(const char *s, size_t i);
static ends dot_atom(const char *s, size_t i) { return s[i] == '.' ? atom(s, i + 1) : 0; }
static ends dot_string_tail(const char *s, size_t i)
{
    return (ends)1 << i | sequence(s, i, dot_atom, dot_string_tail);
}
static ends dot_string(const char *s, size_t i) { return sequence(s, i, atom, dot_string_tail); }

/* QcontentSMTP = qtextSMTP / quoted-pairSMTP */
static ends qcontent(const char *s, size_t i)
{
    unsigned char c = (unsigned char)s[i], d = c ? (unsigned char)s[i + 1] : 0;
    ends out = 0;
    if (c == 32 || c == 33 || (c >= 35 && c <= 91) || (c >= 93 && c <= 126))
        out |= (ends)1 << (i + 1);
    if (c == 92 && d >= 32 && d <= 126)
        out |= (ends)1 << (i + 2);
    return out;
}
static ends qcontents(const char *s, size_t i) { return (ends)1 << i | sequence(s, i, qcontent, qcontents); }
static ends quote(const char *s, size_t i) { return is(s, i, '"'); }
static ends quoted_rest(const char *s, size_t i) { return sequence(s, i, qcontents, quote); }
static ends quoted_string(const char *s, size_t i) { return sequence(s, i, quote, quoted_rest); }

static ends local_part(const char *s, size_t i) { return dot_string(s, i) | quoted_string(s, i); }

/* General-address-literal = Standardized-tag ":" 1*dcontent ; Standardized-tag = Ldh-str */
static ends general_literal(const char *s, size_t i)
{
    size_t k = i + 1;
    while (let_dig(s[k]) || s[k] == '-')
        k++;
    if (s[i] != '[' || k == i + 1 || !let_dig(s[k - 1]) || s[k] != ':')
        return 0;
    size_t content = ++k;
    while ((s[k] >= 33 && s[k] <= 90) || (s[k] >= 94 && s[k] <= 126))
        k++;
    return k > content && s[k] == ']' ? (ends)1 << (k + 1) : 0;
}

/* The texts below are too short for other addresses than these. */
static ends literal(const char *s, size_t i)
{
    static const char *const all[] = {"[1.2.3.4]", "[IPv6:::]"};
    for (size_t k = 0; k < 2; k++)
        if (strncmp(s + i, all[k], strlen(all[k])) == 0)
            return (ends)1 << (i + strlen(all[k]));
    return general_literal(s, i);
}
static ends domain_or_literal(const char *s, size_t i) { return domain(s, i) | literal(s, i); }
static ends at_domain_part(const char *s, size_t i) { return sequence(s, i, at_sign, domain_or_literal); }
static ends mailbox(const char *s, size_t i) { return sequence(s, i, local_part, at_domain_part); }

/* A-d-l = At-domain *( "," At-domain ) */
static ends comma_at_domain(const char *s, size_t i) { return s[i] == ',' ? at_domain_part(s, i + 1) : 0; }
static ends a_d_l_tail(const char *s, size_t i)
{
    return (ends)1 << i | sequence(s, i, comma_at_domain, a_d_l_tail);
}
static ends a_d_l(const char *s, size_t i) { return sequence(s, i, at_domain_part, a_d_l_tail); }
static ends route(const char *s, size_t i) { return sequence(s, i, a_d_l, colon); }
static ends routed_mailbox(const char *s, size_t i) { return mailbox(s, i) | sequence(s, i, route, mailbox); }
static ends path_rest(const char *s, size_t i) { return sequence(s, i, routed_mailbox, greater); }
static ends path(const char *s, size_t i) { return sequence(s, i, less, path_rest); }

/* --- exhaustive comparison -------------------------------------------------------------------- */

/* Every text of up to `max` letters of the alphabet, between a fixed begin and a fixed end. */
static unsigned long for_all(const char *begin, const char *alphabet, size_t max, const char *end,
                             void (*check)(const char *text))
{
    unsigned long n = 0;
    size_t letters = strlen(alphabet);
    for (size_t len = 0; len <= max; len++) {
        unsigned index[8] = {0};
        for (;;) {
            char text[32];
            size_t at = strlen(begin);
            memcpy(text, begin, at);
            for (size_t i = 0; i < len; i++)
                text[at++] = alphabet[index[i]];
            memcpy(text + at, end, strlen(end) + 1);
            check(text);
            n++;
            size_t i = 0;
            while (i < len && ++index[i] == letters)
                index[i++] = 0;
            if (i == len)
                break;
        }
    }
    return n;
}

/* The text in a block of its own size: a parser that looks behind its end is found. */
static struct sp_view exact(const char *text)
{
    size_t n = strlen(text);
    uint8_t *p = malloc(n ? n : 1);
    memcpy(p, text, n);
    return (struct sp_view){p, n};
}

static void check_sender(const char *text)
{
    struct sp_view in = exact(text);
    struct sp_path p;
    struct smtp_fault fault = {.at = 9999};
    size_t at = 0;
    bool good = smtp_path_parse(in, &at, SMTP_PATH_SENDER, false, &p, &fault) == SP_OK;
    ends wanted = strncmp(text, "<>", 2) == 0 ? (ends)1 << 2 : path(text, 0);
    if (good ? !(wanted & (ends)1 << at) : wanted != 0)
        fail_msg("MAIL FROM:%s %s", text, good ? "was taken" : "was refused");
    if (!good)
        assert_true(fault.at <= in.len && fault.what.len > 0);
    else
        assert_true(p.null ? p.text.len == 0 : p.text.len == p.local.len + 1 + p.domain.len);
    free((void *)(uintptr_t)in.p);
}

static void test_all_paths(void **c)
{
    (void)c;
    unsigned long n = for_all("<", "a@.<>\"\\-, ", 6, "", check_sender);
    n += for_all("<a@", "a.-[]1: >", 5, ">", check_sender);
    n += for_all("<@a", "a@,:.>", 5, "b@c>", check_sender);
    n += for_all("<a@", "1.", 4, "[1.2.3.4]>", check_sender);
    check_sender("<a@[1.2.3.4]>");
    check_sender("<a@[IPv6:::]>");
    check_sender("<@[a:b],@x:\"\"@[a:b]>");
    print_message("# %lu paths\n", n);
}

static void check_domain(const char *text)
{
    struct sp_view in = exact(text);
    size_t at = 0;
    bool good = smtp_domain_skip(in, &at, SMTP_DOMAIN_STRICT) && at == in.len;
    assert_int_equal(good, (domain(text, 0) >> strlen(text)) & 1);
    free((void *)(uintptr_t)in.p);
}

static void test_all_domains(void **c)
{
    (void)c;
    for_all("", "aZ9.-_", 7, "", check_domain);
}

static void check_local(const char *text)
{
    struct sp_view in = exact(text);
    struct smtp_fault fault;
    size_t at = 0;
    bool good = smtp_local_skip(in, &at, false, &fault) && at == in.len;
    assert_int_equal(good, (local_part(text, 0) >> strlen(text)) & 1);
    free((void *)(uintptr_t)in.p);
}

static void test_all_locals(void **c)
{
    (void)c;
    for_all("", "a.\"\\ @!\x7f", 6, "", check_local);
    for (unsigned octet = 1; octet < 256; octet++) {
        char text[] = {(char)octet, 0}, quoted[] = {'"', (char)octet, '"', 0},
             pair[] = {'"', '\\', (char)octet, '"', 0};
        check_local(text);
        check_local(quoted);
        check_local(pair);
    }
}

/* --- addresses in brackets ----------------------------------------------------------------------- */

/* IPv6 by expansion: cut at "::", count groups; apart from the parser's single pass. */
static unsigned groups_in(const char *text, bool *bad)
{
    char copy[64], *save = NULL;
    unsigned n = 0;
    size_t len = strlen(text);
    const char *dot = strchr(text, '.');
    if (len == 0)
        return 0;
    if (text[0] == ':' || text[len - 1] == ':' || strstr(text, "::"))
        *bad = true;
    memcpy(copy, text, len + 1);
    for (char *g = strtok_r(copy, ":", &save); g; g = strtok_r(NULL, ":", &save)) {
        bool last = !*save;
        if (strchr(g, '.')) {
            unsigned a[4];
            int used = 0;
            if (!last || sscanf(g, "%3u.%3u.%3u.%3u%n", &a[0], &a[1], &a[2], &a[3], &used) != 4 || g[used] ||
                a[0] > 255 || a[1] > 255 || a[2] > 255 || a[3] > 255 || strchr(g, ' ') || strchr(g, '+') ||
                strchr(g, '-'))
                *bad = true;
            n += 2;
        } else {
            if (strlen(g) > 4 || strspn(g, "0123456789abcdefABCDEF") != strlen(g))
                *bad = true;
            n++;
        }
    }
    (void)dot;
    return n;
}

static bool plain_ipv6(const char *text)
{
    bool bad = false;
    const char *gap = strstr(text, "::");
    if (!gap)
        return groups_in(text, &bad) == 8 && !bad;
    char before[64];
    memcpy(before, text, (size_t)(gap - text));
    before[gap - text] = 0;
    if (strchr(before, '.') || strstr(gap + 1, "::"))
        return false;
    unsigned n = groups_in(before, &bad) + groups_in(gap + 2, &bad);
    return n <= 6 && !bad;
}

static void check_ipv6(const char *text)
{
    struct sp_view in = exact(text);
    if (smtp_ipv6_is(in) != plain_ipv6(text))
        fail_msg("IPv6:%s", text);
    free((void *)(uintptr_t)in.p);
}

static void test_ipv6(void **c)
{
    (void)c;
    static const char *const more[] = {"::1",
                                       "2001:db8::1",
                                       "1:2:3:4:5:6:7:8",
                                       "1:2:3:4:5:6:7",
                                       "1:2:3:4:5:6:7:8:9",
                                       "1:2:3:4:5:6:7::",
                                       "::2:3:4:5:6:7:8",
                                       "1:2:3:4:5:6::",
                                       "::3:4:5:6:7:8",
                                       "1::8",
                                       "::ffff:192.0.2.1",
                                       "1:2:3:4:5:6:192.0.2.1",
                                       "1:2:3:4:5::192.0.2.1",
                                       "1:2:3:4::192.0.2.1",
                                       "::192.0.2.256",
                                       "::192.0.2",
                                       "192.0.2.1::",
                                       "1:2:3:4:5:6:7:192.0.2.1",
                                       "12345::",
                                       "g::",
                                       ":1:2:3:4:5:6:7",
                                       "1:2:3:4:5:6:7:",
                                       "fe80::1%eth0"};
    for_all("", "1a:", 8, "", check_ipv6);
    for_all("1:2:3:4:", "5:.", 7, "", check_ipv6);
    for_all("::", "1:.", 7, "", check_ipv6);
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        check_ipv6(more[i]);
}

static void test_ipv4(void **c)
{
    (void)c;
    for (unsigned n = 0; n < 1000; n++) {
        char text[40];
        int len = snprintf(text, sizeof(text), "%u.0.%u.1", n, 255 - n % 256);
        assert_int_equal(smtp_ipv4_is(sp_view_make(text, (size_t)len)), n < 256);
    }
    static const char *const bad[] = {"",       "1.2.3",    "1.2.3.4.5", "1..3.4",    "1.2.3.",
                                      ".1.2.3", "1.2.3.4 ", "1.2.3.a",   "0001.2.3.4"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(smtp_ipv4_is(sp_view_of(bad[i])));
}

static void test_literals(void **c)
{
    (void)c;
    static const struct {
        const char *text;
        bool good;
    } all[] = {{"[192.0.2.1]", true}, {"[IPv6:::1]", true},   {"[ipv6:2001:db8::1]", true},
               {"[tag:text]", true},  {"[x-y:!~]", true},     {"[x-:a]", false},
               {"[:a]", false},       {"[tag:]", false},      {"[]", false},
               {"[192.0.2.1", false}, {"[1.2.3.999]", false}, {"[IPv6:1]", false},
               {"[a:b[c]", false},    {"[a:b\\c]", false},    {"[a:b c]", false},
               {"[::1]", false}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct smtp_fault fault;
        struct sp_view in = exact(all[i].text);
        size_t at = 0;
        assert_int_equal(smtp_literal_skip(in, &at, &fault) && at == in.len, all[i].good);
        free((void *)(uintptr_t)in.p);
    }
}

/* --- limits (RFC 5321 4.5.3.1) --------------------------------------------------------------------- */

static int parse_sized(size_t local, size_t label, size_t labels, struct sp_path *p)
{
    static char text[1024];
    size_t n = 0;
    struct smtp_fault fault;
    text[n++] = '<';
    memset(text + n, 'l', local);
    n += local;
    text[n++] = '@';
    for (size_t i = 0; i < labels; i++) {
        memset(text + n, 'd', label);
        n += label;
        text[n++] = i + 1 < labels ? '.' : '>';
    }
    size_t at = 0;
    return smtp_path_parse(sp_view_make(text, n), &at, SMTP_PATH_RECIPIENT, false, p, &fault);
}

static void test_lengths(void **c)
{
    (void)c;
    struct sp_path p;
    assert_int_equal(parse_sized(64, 10, 1, &p), SP_OK);
    assert_int_equal(p.local.len, 64);
    assert_int_not_equal(parse_sized(65, 10, 1, &p), SP_OK);
    assert_int_equal(parse_sized(1, 63, 1, &p), SP_OK);
    assert_int_not_equal(parse_sized(1, 64, 1, &p), SP_OK);
    assert_int_equal(parse_sized(1, 35, 7, &p), SP_OK); /* domain 251, path 255 */
    assert_int_equal(p.domain.len, 251);
    assert_int_equal(parse_sized(2, 35, 7, &p), SP_OK); /* path 256 */
    assert_int_equal(parse_sized(3, 35, 7, &p), SP_ERR_LONG);
    assert_int_not_equal(parse_sized(1, 63, 5, &p), SP_OK); /* domain over 255 */
}

static void test_path_parts(void **c)
{
    (void)c;
    struct sp_path p;
    struct smtp_fault f;
    size_t at = 3;
    struct sp_view line = SP_LIT("TO:<@a,@[1.2.3.4]:\"x>y\"@b.c> P=1");
    assert_int_equal(smtp_path_parse(line, &at, SMTP_PATH_RECIPIENT, false, &p, &f), SP_OK);
    assert_true(sp_view_eq(p.text, SP_LIT("\"x>y\"@b.c")));
    assert_true(sp_view_eq(p.local, SP_LIT("\"x>y\"")));
    assert_true(sp_view_eq(p.domain, SP_LIT("b.c")));
    assert_true(sp_view_eq(sp_view_from(line, at), SP_LIT(" P=1")));
    at = 0;
    assert_int_equal(smtp_path_parse(SP_LIT("<pOstMaster>"), &at, SMTP_PATH_RECIPIENT, false, &p, &f), SP_OK);
    assert_true(sp_view_eq(p.text, SP_LIT("pOstMaster")) && p.domain.len == 0 && !p.null);
    at = 0;
    assert_int_equal(smtp_path_parse(SP_LIT("<postmaster>"), &at, SMTP_PATH_SENDER, false, &p, &f),
                     SP_ERR_SYNTAX);
    at = 0;
    assert_int_equal(smtp_path_parse(SP_LIT("<>"), &at, SMTP_PATH_RECIPIENT, false, &p, &f), SP_ERR_SYNTAX);
    at = 0;
    assert_int_equal(smtp_path_parse(SP_LIT("<\xc3\xa4@b>"), &at, SMTP_PATH_SENDER, false, &p, &f),
                     SP_ERR_SYNTAX);
    assert_true(f.not_ascii && f.at == 1);
}

/* --- parameters and xtext ---------------------------------------------------------------------------- */

static void test_parameters(void **c)
{
    (void)c;
    struct smtp_parameter p;
    struct smtp_fault f;
    size_t at = 0;
    struct sp_view in = SP_LIT("  SIZE=10 X-y  a=<b> ");
    assert_int_equal(smtp_parameter_next(in, &at, &p, &f), SP_OK);
    assert_true(sp_view_eq(p.keyword, SP_LIT("SIZE")) && sp_view_eq(p.value, SP_LIT("10")) && p.at == 2);
    assert_int_equal(smtp_parameter_next(in, &at, &p, &f), SP_OK);
    assert_true(sp_view_eq(p.keyword, SP_LIT("X-y")) && !p.has_value);
    assert_int_equal(smtp_parameter_next(in, &at, &p, &f), SP_OK);
    assert_true(sp_view_eq(p.value, SP_LIT("<b>")));
    assert_int_equal(smtp_parameter_next(in, &at, &p, &f), SP_ERR_ABSENT);
    static const char *const bad[] = {"A=1", " =1", " -A", " A=", " A=1=2", " A\x7f", " A=\xc3", " A_B"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        at = 0;
        assert_int_equal(smtp_parameter_next(sp_view_of(bad[i]), &at, &p, &f), SP_ERR_SYNTAX);
        assert_true(f.at <= strlen(bad[i]) && f.what.len > 0);
    }
}

/* RFC 6531 3.3: the same addresses with UTF-8 in them, and what is none in either way. */
static void test_utf8_paths(void **c)
{
    (void)c;
    static const struct {
        const char *text;
        bool good;
    } all[] = {
        {"<\xc3\xbc@b.example>", true},
        {"<a@b\xc3\xbc"
         "cher.example>",
         true},
        {"<\xf0\x9f\x93\xa7.x@\xe4\xbe\x8b\xe3\x81\x88.example>", true},
        {"<\"\xc3\xbc \xc3\xbc\"@b.example>", true},
        {"<\xfc@b.example>", false},         /* Latin-1 */
        {"<\xc3@b.example>", false},         /* cut short */
        {"<\xed\xa0\x80@b.example>", false}, /* a surrogate */
        {"<\xc0\xaf@b.example>", false},     /* overlong */
        {"<\xc2\x85@b.example>", false},     /* a control of C1 */
        {"<\"\xc2\x85\"@b.example>", false},
        {"<a@b.\xfc>", false},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct sp_path p;
        struct smtp_fault f = {0};
        size_t at = 0;
        struct sp_view in = sp_view_of(all[i].text);
        bool good = smtp_path_parse(in, &at, SMTP_PATH_SENDER, true, &p, &f) == SP_OK && at == in.len;
        if (good != all[i].good)
            fail_msg("%s", all[i].text);
        at = 0;
        assert_int_not_equal(smtp_path_parse(in, &at, SMTP_PATH_SENDER, false, &p, &f), SP_OK);
        assert_true(f.not_ascii);
    }
}

/* ORCPT of the type utf-8 (RFC 6533 3): there and back, and what is none. */
static void test_utf8_xtext(void **c)
{
    (void)c;
    static const char *const good[][2] = {{"a@b", "a@b"},
                                          {"\\x{FC}@b", "\xc3\xbc@b"},
                                          {"\\x{1F4E7}", "\xf0\x9f\x93\xa7"},
                                          {"a+2Bb+5Cc", "a+b\\c"},
                                          {"\xc3\xbc", "\xc3\xbc"}};
    static const char *const bad[] = {"\\x{}",       "\\x{F}",  "\\x{1234567}", "\\x{D800}",
                                      "\\x{110000}", "\\x{fc}", "\\",           "\\x{FC",
                                      "+4",          "\xc3",    "a=b"};
    uint8_t out[32];
    size_t n;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(smtp_utf8_xtext_decode(sp_view_of(good[i][0]), out, &n), SP_OK);
        assert_true(sp_view_eq(sp_view_make(out, n), sp_view_of(good[i][1])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (smtp_utf8_xtext_decode(sp_view_of(bad[i]), out, &n) == SP_OK)
            fail_msg("%s", bad[i]);
}

/* Every octet through xtext and back; then texts that are none. */
static void test_xtext(void **c)
{
    (void)c;
    uint8_t out[8];
    size_t n;
    for (unsigned octet = 0; octet < 256; octet++) {
        char text[8];
        int len = snprintf(text, sizeof(text), "+%02X", octet);
        assert_int_equal(smtp_xtext_decode(sp_view_make(text, (size_t)len), out, &n), SP_OK);
        assert_true(n == 1 && out[0] == octet);
        bool plain = octet >= 33 && octet <= 126 && octet != '+' && octet != '=';
        uint8_t one_octet = (uint8_t)octet;
        assert_int_equal(smtp_xtext_decode((struct sp_view){&one_octet, 1}, out, &n) == SP_OK, plain);
    }
    static const char *const bad[] = {"+", "+4", "+4g", "+4a", "a+", "+G0", "=41"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(smtp_xtext_decode(sp_view_of(bad[i]), out, &n), SP_ERR_SYNTAX);
}

static void test_mechanism_names(void **c)
{
    (void)c;
    assert_true(smtp_mechanism_is(SP_LIT("SCRAM-SHA-256-PLUS")));
    assert_true(smtp_mechanism_is(SP_LIT("x_1")));
    assert_true(smtp_mechanism_is(SP_LIT("ABCDEFGHIJKLMNOPQRST")));
    assert_false(smtp_mechanism_is(SP_LIT("ABCDEFGHIJKLMNOPQRSTU")));
    assert_false(smtp_mechanism_is(SP_LIT("")));
    assert_false(smtp_mechanism_is(SP_LIT("A.B")));
}

static void test_hello(void **c)
{
    (void)c;
    static const struct {
        const char *text;
        bool good;
    } all[] = {{"client.example", true},
               {"localhost", true},
               {"my_pc", true},
               {"pc.", true},
               {"192.168.1.1", true},
               {"[192.0.2.1]", true},
               {"[IPv6:::1]", true},
               {"", false},
               {".", false},
               {"a..b", false},
               {"-a", false},
               {"a b", false},
               {"[1]", false},
               {"a@b", false},
               {"\xc3\xa4", false},
               {"[192.0.2.1]x", false}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct smtp_fault f = {0};
        assert_int_equal(smtp_hello_is(sp_view_of(all[i].text), &f), all[i].good);
        assert_true(all[i].good || f.what.len > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_paths),
        cmocka_unit_test(test_all_domains),
        cmocka_unit_test(test_all_locals),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_path_parts),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_xtext),
        cmocka_unit_test(test_utf8_paths),
        cmocka_unit_test(test_utf8_xtext),
        cmocka_unit_test(test_mechanism_names),
        cmocka_unit_test(test_hello),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
