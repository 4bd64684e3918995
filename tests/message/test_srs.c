/* Addresses that stand for senders: there and back, and nothing that was not signed. */
#include "tap.h"

#include "base/buf.h"
#include "base/view.h"
#include "message/srs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TODAY = 19000, KEEP = 21 };

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

static const struct sp_allocator heap = {resize, NULL};

/* Not HMAC, but as unlike for unlike octets: the scheme's own part is tried here. */
static void digest(void *ctx, size_t secret, struct sp_view octets, uint8_t out[MESSAGE_SRS_DIGEST])
{
    const uint64_t *seeds = ctx;
    for (size_t i = 0; i < MESSAGE_SRS_DIGEST; i++) {
        uint64_t h = seeds[secret] ^ (i * 0x9e3779b97f4a7c15u);
        for (size_t k = 0; k < octets.len; k++)
            h = (h ^ octets.p[k]) * 0x100000001b3u;
        h ^= h >> 31;
        out[i] = (uint8_t)(h * 0xbf58476d1ce4e5b9u >> 56);
    }
}

static uint64_t secrets[] = {1111, 2222, 3333};

static struct message_srs ours(const char *domain)
{
    return (struct message_srs){.domain = sp_view_of(domain),
                                .hash_len = MESSAGE_SRS_HASH_LEAST,
                                .max_age_days = KEEP,
                                .secret_n = 1,
                                .digest = digest,
                                .ctx = secrets};
}

static char text[1024];

static const char *in_text(int status, struct sp_buf *b)
{
    int sticky = sp_buf_status(b);
    assert_int_equal(sticky, SP_OK);
    if (status)
        assert_int_equal(b->len, 0); /* nothing of what failed */
    assert_true(b->len < sizeof text);
    if (b->len)
        memcpy(text, b->p, b->len);
    text[b->len] = 0;
    sp_buf_fini(b);
    return text;
}

static struct sp_view local_of(const char *address)
{
    return sp_view_make(address, (size_t)(strrchr(address, '@') - address));
}

/* The address that stands for one; its copy is the caller's. */
static char *encode(const struct message_srs *srs, const char *address, uint32_t day, int *status_out)
{
    struct sp_buf b;
    struct sp_view local = local_of(address);
    sp_buf_init(&b, &heap, 1024);
    *status_out = message_srs_encode(srs, local, sp_view_of(address + local.len + 1), day, &b);
    return strdup(in_text(*status_out, &b));
}

static char *encoded(const struct message_srs *srs, const char *address, uint32_t day)
{
    int status;
    char *out = encode(srs, address, day, &status);
    assert_int_equal(status, SP_OK);
    return out;
}

static int decode(const struct message_srs *srs, struct sp_view local, uint32_t day)
{
    struct sp_buf b;
    sp_buf_init(&b, &heap, 1024);
    int status = message_srs_decode(srs, local, day, &b);
    (void)in_text(status, &b);
    return status;
}

static void comes_back(const struct message_srs *srs, const char *address, const char *wanted)
{
    char *there = encoded(srs, address, TODAY);
    int status = decode(srs, local_of(there), TODAY);
    assert_int_equal(status, SP_OK);
    assert_string_equal(text, wanted);
    assert_true(local_of(there).len <= MESSAGE_SRS_LOCAL_MAX);
    free(there);
}

static void test_form(void **state)
{
    struct message_srs srs = ours("we.example");
    (void)state;
    char *there = encoded(&srs, "ann@far.example", 18 * 32 + 20);
    assert_memory_equal(there, "SRS0=", 5);
    assert_string_equal(there + 9, "=SU=far.example=ann@we.example");
    free(there);
    there = encoded(&srs, "SRS0+abcd=TT=far.example=ann@one.example", TODAY);
    assert_memory_equal(there, "SRS1=", 5);
    assert_string_equal(there + 9, "=one.example=+abcd=TT=far.example=ann@we.example");
    free(there);
}

static void test_round_trips(void **state)
{
    struct message_srs srs = ours("we.example");
    (void)state;
    comes_back(&srs, "ann@far.example", "ann@far.example");
    comes_back(&srs, "Ann.B+x=y@Far.example", "Ann.B+x=y@Far.example");
    comes_back(&srs, "\"a b\"@far.example", "\"a b\"@far.example");
    comes_back(&srs, "\"ann\"@far.example", "ann@far.example");
    comes_back(&srs, "\"a\\\"@\\\\b\"@far.example", "\"a\\\"@\\\\b\"@far.example");
    comes_back(&srs, "\".a\"@far.example", "\".a\"@far.example");
    comes_back(&srs, "ann@[192.0.2.1]", "ann@[192.0.2.1]");
    comes_back(&srs, "ann@[IPv6:2001:db8::1]", "ann@[IPv6:2001:db8::1]");
    comes_back(&srs, "d\xc6\xb0\xc6\xa1ng@xn--vi-example.example",
               "d\xc6\xb0\xc6\xa1ng@xn--vi-example.example");
    comes_back(&srs, "SRS1=broken@far.example", "SRS1=broken@far.example");
    comes_back(&srs, "\"SRS1=abcd=a@b==x\"@far.example", "\"SRS1=abcd=a@b==x\"@far.example"); /* no host */
    comes_back(&srs, "SRS01=x@far.example", "SRS01=x@far.example");
    comes_back(&srs, "srs0-abcd=TT=a.example=b@far.example", "SRS0-abcd=TT=a.example=b@far.example");
}

/* Local parts of every kind of octet that SMTP has, of any length; domains that hold what domains hold. */
static void test_generated_addresses(void **state)
{
    static const char plain[] = "abzAZ09!#$%&'*+-/=?^_`{|}~", domains[] = "abz09-.";
    struct message_srs srs = ours("we.example");
    uint32_t dice = 4711, back = 0, too_long = 0;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char address[256];
        size_t n = 0, local_n = 1 + (dice >> 8) % 30, domain_n = 1 + (dice >> 16) % 34;
        for (size_t k = 0; k < local_n; k++)
            dice = dice * 1664525 + 1013904223, address[n++] = plain[(dice >> 16) % (sizeof plain - 1)];
        address[n++] = '@';
        for (size_t k = 0; k < domain_n; k++)
            dice = dice * 1664525 + 1013904223, address[n++] = domains[(dice >> 16) % (sizeof domains - 1)];
        address[n] = 0;
        int status;
        char *there = encode(&srs, address, (uint32_t)i, &status);
        if (status == SP_OK) {
            int again = decode(&srs, local_of(there), (uint32_t)i + KEEP);
            assert_int_equal(again, SP_OK);
            assert_string_equal(text, address);
            back++;
        } else {
            assert_int_equal(status, SP_ERR_LONG);
            assert_true(local_n + domain_n + 16 > MESSAGE_SRS_LOCAL_MAX);
            too_long++;
        }
        free(there);
    }
    assert_true(back > 1000 && too_long > 1000);
}

static void test_length(void **state)
{
    struct message_srs srs = ours("we.example");
    char address[128];
    int status;
    (void)state;
    for (size_t n = 1; n < 64; n++) {
        memset(address, 'a', n);
        memcpy(address + n, "@far.example", 13);
        char *there = encode(&srs, address, TODAY, &status);
        assert_int_equal(status, n + 25 <= MESSAGE_SRS_LOCAL_MAX ? SP_OK : SP_ERR_LONG);
        free(there);
    }
    char *odd = encode(&srs, "ann@[tag:a=b]", TODAY, &status);
    assert_int_equal(status, SP_ERR_SYNTAX);
    free(odd);
}

static void test_case_may_change_on_the_way(void **state)
{
    struct message_srs srs = ours("we.example");
    static const char *const addresses[] = {"Ann@Far.Example", "SRS0=AbCd=TT=Far.example=ann@one.example"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *there = encoded(&srs, addresses[i], TODAY), lower[128], upper[128];
        size_t n = local_of(there).len;
        for (size_t k = 0; k < n; k++) {
            lower[k] = (char)sp_ascii_lower((uint8_t)there[k]);
            upper[k] = (char)sp_ascii_upper((uint8_t)there[k]);
        }
        assert_int_equal(decode(&srs, sp_view_make(lower, n), TODAY), SP_OK);
        assert_true(sp_view_eq_nocase(sp_view_of(text), sp_view_of(addresses[i])));
        assert_int_equal(decode(&srs, sp_view_make(upper, n), TODAY), SP_OK);
        assert_true(sp_view_eq_nocase(sp_view_of(text), sp_view_of(addresses[i])));
        there[4] = '+'; /* the other separators */
        assert_int_equal(decode(&srs, sp_view_make(there, n), TODAY), SP_OK);
        there[4] = '-';
        assert_int_equal(decode(&srs, sp_view_make(there, n), TODAY), SP_OK);
        free(there);
    }
}

/* Every octet in every place: it is the same address in other case, or it is nothing. */
static void forge_each_octet(const struct message_srs *srs, const char *address)
{
    char *there = encoded(srs, address, TODAY);
    size_t n = local_of(there).len, separator = there[0] == '"' ? 5 : 4;
    for (size_t at = 0; at < n; at++) {
        uint8_t was = (uint8_t)there[at];
        for (int c = 1; c < 256; c++) {
            there[at] = (char)c;
            int status = decode(srs, sp_view_make(there, n), TODAY);
            bool same = sp_ascii_lower((uint8_t)c) == sp_ascii_lower(was) ||
                        (at == separator && (c == '=' || c == '+' || c == '-'));
            if (same)
                assert_int_equal(status, SP_OK);
            else
                assert_true(status == SP_ERR_SYNTAX || status == SP_ERR_ABSENT);
        }
        there[at] = (char)was;
    }
    for (size_t at = 0; at < n; at++) { /* without the octet, and with what was before it alone */
        char less[128];
        memcpy(less, there, at);
        memcpy(less + at, there + at + 1, n - at - 1);
        int status = decode(srs, sp_view_make(less, n - 1), TODAY);
        assert_true(status == SP_ERR_SYNTAX || status == SP_ERR_ABSENT);
        status = decode(srs, sp_view_make(there, at), TODAY);
        assert_true(status == SP_ERR_SYNTAX || status == SP_ERR_ABSENT);
    }
    free(there);
}

static void test_forged(void **state)
{
    struct message_srs srs = ours("we.example"), other = srs;
    (void)state;
    forge_each_octet(&srs, "ann@far.example");
    forge_each_octet(&srs, "\"a b\"@far.example");
    forge_each_octet(&srs, "SRS0=abcd=TT=far.example=ann@one.example");
    other.ctx = secrets + 1;
    char *there = encoded(&other, "ann@far.example", TODAY);
    assert_int_equal(decode(&srs, local_of(there), TODAY), SP_ERR_SYNTAX);
    free(there);
    /* Signed as one kind, said as the other. */
    there = encoded(&srs, "SRS0=abcd=TT=far.example=ann@one.example", TODAY);
    there[3] = '0';
    assert_int_equal(decode(&srs, local_of(there), TODAY), SP_ERR_SYNTAX);
    free(there);
}

/* What is signed has no marks between its parts: they can be cut elsewhere, but never so that no address
 * comes out. */
static void test_cut_elsewhere(void **state)
{
    struct message_srs srs = ours("we.example");
    char *there = encoded(&srs, "\"@b.example> X\"@far.example", TODAY), other[128];
    (void)state;
    for (size_t at = strlen("\"SRS0=HHHH=TT="); at < local_of(there).len - 1; at++) {
        size_t n = 0;
        for (size_t i = 0; i < local_of(there).len; i++) { /* its third = is behind that octet instead */
            if (i != strlen("\"SRS0=HHHH=TT=far.example"))
                other[n++] = there[i];
            if (i == at)
                other[n++] = '=';
        }
        if (decode(&srs, sp_view_make(other, n), TODAY) == SP_OK)
            assert_null(strpbrk(strrchr(text, '@'), "<> \""));
        assert_true(strchr(text, '@') == NULL || text[0] == '"' || strchr(text, '@') == strrchr(text, '@'));
    }
    free(there);
}

static void test_hash_of_each_length(void **state)
{
    struct message_srs srs = ours("we.example"), longer = srs;
    (void)state;
    for (longer.hash_len = 5; longer.hash_len <= MESSAGE_SRS_HASH_MOST; longer.hash_len++) {
        char *there = encoded(&longer, "a@far.example", TODAY), *shorter;
        assert_int_equal(decode(&longer, local_of(there), TODAY), SP_OK);
        assert_int_equal(decode(&srs, local_of(there), TODAY), SP_OK);
        shorter = encoded(&srs, "a@far.example", TODAY);
        assert_int_equal(decode(&longer, local_of(shorter), TODAY), SP_ERR_SYNTAX);
        there[4 + longer.hash_len] = there[4 + longer.hash_len] == 'A' ? 'B' : 'A'; /* its last character */
        assert_int_equal(decode(&srs, local_of(there), TODAY), SP_ERR_SYNTAX);
        free(shorter);
        free(there);
    }
}

static void test_secrets_turn(void **state)
{
    struct message_srs old = ours("we.example"), both = old, later = old;
    (void)state;
    both.secret_n = 3;
    old.ctx = secrets + 2;
    later.secret_n = 2;
    char *there = encoded(&old, "ann@far.example", TODAY);
    assert_int_equal(decode(&both, local_of(there), TODAY), SP_OK);
    assert_int_equal(decode(&later, local_of(there), TODAY), SP_ERR_SYNTAX);
    free(there);
    there = encoded(&both, "ann@far.example", TODAY); /* the first signs */
    assert_int_equal(decode(&later, local_of(there), TODAY), SP_OK);
    free(there);
}

static void test_each_age(void **state)
{
    struct message_srs srs = ours("we.example");
    (void)state;
    for (uint32_t day = TODAY; day < TODAY + MESSAGE_SRS_DAYS; day += 61) {
        char *there = encoded(&srs, "ann@far.example", day);
        for (uint32_t age = 0; age < MESSAGE_SRS_DAYS - 1; age++)
            assert_int_equal(decode(&srs, local_of(there), day + age), age <= KEEP ? SP_OK : SP_ERR_RANGE);
        assert_int_equal(decode(&srs, local_of(there), day - 1), SP_OK);
        assert_int_equal(decode(&srs, local_of(there), day - 2), SP_ERR_RANGE);
        free(there);
    }
}

/* ann -> one -> two -> three, and the bounce from behind the third goes to one, and from there to ann. */
static void test_three_forwarders(void **state)
{
    struct message_srs one = ours("one.example"), two = ours("two.example"), three = ours("three.example");
    (void)state;
    two.ctx = secrets + 1;
    three.ctx = secrets + 2;
    char *at_one = encoded(&one, "ann@far.example", TODAY), *at_two = encoded(&two, at_one, TODAY),
         *at_three = encoded(&three, at_two, TODAY);
    assert_memory_equal(at_three, "SRS1=", 5);
    assert_true(strlen(at_three) <= strlen(at_two) + 2); /* it does not grow by each */
    assert_int_equal(decode(&three, local_of(at_three), TODAY), SP_OK);
    assert_string_equal(text, at_one);
    assert_int_equal(decode(&two, local_of(at_two), TODAY), SP_OK);
    assert_string_equal(text, at_one);
    assert_int_equal(decode(&one, local_of(at_one), TODAY), SP_OK);
    assert_string_equal(text, "ann@far.example");
    free(at_one);
    free(at_two);
    free(at_three);
}

static void test_other_names(void **state)
{
    static const char *const names[] = {"ann",          "SRS",     "SRS0",     "SRS0x",
                                        "srs2=a=b=c=d", "SRS01=a", "\"SRS0\"", ""};
    struct message_srs srs = ours("we.example");
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(decode(&srs, sp_view_of(names[i]), TODAY), SP_ERR_ABSENT);
    assert_int_equal(decode(&srs, SP_LIT("SRS0="), TODAY), SP_ERR_SYNTAX);
    assert_int_equal(decode(&srs, SP_LIT("SRS1=abcd=one.example=x"), TODAY), SP_ERR_SYNTAX);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_form),
    cmocka_unit_test(test_round_trips),
    cmocka_unit_test(test_generated_addresses),
    cmocka_unit_test(test_length),
    cmocka_unit_test(test_case_may_change_on_the_way),
    cmocka_unit_test(test_forged),
    cmocka_unit_test(test_cut_elsewhere),
    cmocka_unit_test(test_hash_of_each_length),
    cmocka_unit_test(test_secrets_turn),
    cmocka_unit_test(test_each_age),
    cmocka_unit_test(test_three_forwarders),
    cmocka_unit_test(test_other_names),
};

TAP_MAIN(tests)
