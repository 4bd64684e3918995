/* Whose a message says it is: each form of address that From may hold, what cannot be read, and a header in
 * any split. */
#include "tap.h"

#include "base/view.h"
#include "message/author.h"
#include "os/heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct seen {
    char text[4096];
    size_t len;
};

/* All addresses, one a line; of example.org alone are they allowed. */
static bool note(void *ctx, struct sp_view local, struct sp_view domain)
{
    struct seen *s = ctx;
    s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%.*s@%.*s\n", (int)local.len,
                               (const char *)local.p, (int)domain.len, (const char *)domain.p);
    return sp_view_eq_nocase(domain, SP_LIT("example.org"));
}

enum { FINE = MESSAGE_AUTHOR_FINE, REFUSED = MESSAGE_AUTHOR_REFUSED, MALFORMED = MESSAGE_AUTHOR_MALFORMED };

static enum message_author_verdict read_value(struct sp_view value, struct seen *s, struct sp_buf *refused)
{
    uint8_t *copy = malloc(value.len ? value.len : 1); /* so that reading on is seen */
    *s = (struct seen){0};
    assert_non_null(copy);
    if (value.len)
        memcpy(copy, value.p, value.len);
    enum message_author_verdict v = message_author_read(sp_view_make(copy, value.len), note, s, refused);
    free(copy);
    return v;
}

static const struct sample {
    const char *value, *seen;
    int verdict;
} samples[] = {
    {"ann@example.org", "ann@example.org\n", FINE},
    {" ann@example.org ", "ann@example.org\n", FINE},
    {"<ann@example.org>", "ann@example.org\n", FINE},
    {"Ann <ann@example.org>", "ann@example.org\n", FINE},
    {"\"Ann, the one\" <ann@example.org>", "ann@example.org\n", FINE},
    {"\"evil@evil.example\" <ann@example.org>", "ann@example.org\n", FINE},
    {"Ann Q. Public <ann@example.org>", "ann@example.org\n", FINE},
    {"=?utf-8?q?Ann?= =?utf-8?b?w6k=?= <ann@example.org>", "ann@example.org\n", FINE},
    {"Ann\r\n <ann\r\n\t@example.org>", "ann@example.org\n", FINE},
    {"(a (nested) comment \\) here) ann (b) @ (c) example (d) . org (e)", "ann@example.org\n", FINE},
    {"\"ann\"@example.org", "ann@example.org\n", FINE},
    {"\"a\\nn\"@example.org", "ann@example.org\n", FINE},
    {"\"a n\".n@example.org", "a n.n@example.org\n", FINE},
    {"ann@[192.0.2.1]", "ann@[192.0.2.1]\n", REFUSED},
    {"<@a.example,@b.example:ann@example.org>", "ann@example.org\n", FINE},
    {"ann@example.org, bob@example.org", "ann@example.org\nbob@example.org\n", FINE},
    {",, ann@example.org,,", "ann@example.org\n", FINE},
    {"ann@example.org, Eve <eve@evil.example>", "ann@example.org\neve@evil.example\n", REFUSED},
    {"Team: ann@example.org, Bob <bob@example.org>;", "ann@example.org\nbob@example.org\n", FINE},
    {"Team: ann@example.org, eve@evil.example;, bob@example.org",
     "ann@example.org\neve@evil.example\nbob@example.org\n", REFUSED},
    {"\xc3\xa1nn <\xc3\xa1nn@example.org>", "\xc3\xa1nn@example.org\n", FINE},
    {"ann@EXAMPLE.org", "ann@EXAMPLE.org\n", FINE},
    {"eve@evil.example (ann@example.org)", "eve@evil.example\n", REFUSED},
    {"ann@example.org <eve@evil.example>", "", MALFORMED},
    {"<ann@example.org> <eve@evil.example>", "", MALFORMED},
    {"ann@example.org eve@evil.example", "", MALFORMED},
    {"ann@example.org@evil.example", "", MALFORMED},
    {"Ann <<ann@example.org>>", "", MALFORMED},
    {"Ann <ann@example.org", "", MALFORMED},
    {"Ann ann@example.org>", "", MALFORMED},
    {"", "", MALFORMED},
    {"<>", "", MALFORMED},
    {"Team:;", "", MALFORMED},
    {"Team: ann@example.org", "", MALFORMED},
    {"A: B: ann@example.org;;", "", MALFORMED},
    {"ann", "", MALFORMED},
    {"ann@", "", MALFORMED},
    {"@example.org", "", MALFORMED},
    {"a..b@example.org", "", MALFORMED},
    {".a@example.org", "", MALFORMED},
    {"ann@example..org", "", MALFORMED},
    {"ann@.example.org", "", MALFORMED},
    {"\"ann@example.org", "", MALFORMED},
    {"(ann@example.org", "", MALFORMED},
    {"ann@example.org)", "", MALFORMED},
    {"ann@[192.0.2.1", "", MALFORMED},
    {"ann\\@example.org", "", MALFORMED},
    {"an\x01n@example.org", "", MALFORMED},
    {"ann@example.org\r", "", MALFORMED},
    {"ann@example.org;", "", MALFORMED},
};

static void reads_each_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct seen s;
        struct sp_buf refused;
        sp_buf_init(&refused, &os_heap, 2048);
        int v = read_value(sp_view_of(samples[i].value), &s, &refused);
        if (v != samples[i].verdict || (v != MALFORMED && strcmp(s.text, samples[i].seen)))
            fail_msg("%s: %d, %s", samples[i].value, v, s.text);
        assert_int_equal(refused.len > 0 || v == MALFORMED, v != FINE);
        sp_buf_fini(&refused);
    }
    struct seen s;
    struct sp_buf refused;
    sp_buf_init(&refused, &os_heap, 2048);
    assert_int_equal(read_value(SP_LIT("ann\0@example.org"), &s, &refused), MALFORMED);
    char deep[8192];
    memset(deep, '(', sizeof deep);
    assert_int_equal(read_value(sp_view_make(deep, sizeof deep), &s, &refused), MALFORMED);
    memset(deep, 'a', sizeof deep);
    assert_int_equal(read_value(sp_view_make(deep, sizeof deep), &s, &refused), MALFORMED);
    sp_buf_fini(&refused);
}

/* Whatever the octets: no crash, and what is fine names nobody but whom `note` allowed. */
static void survives_any_octets(void **state)
{
    static const char letters[] = "ab@.,:;<>()\"\\[] \r\n\tex";
    (void)state;
    srand(1);
    for (int round = 0; round < 200000; round++) {
        char value[24];
        struct seen s;
        struct sp_buf refused;
        size_t n = (size_t)rand() % sizeof value;
        for (size_t i = 0; i < n; i++)
            value[i] = letters[(size_t)rand() % (sizeof letters - 1)];
        sp_buf_init(&refused, &os_heap, 2048);
        int v = read_value(sp_view_make(value, n), &s, &refused);
        if (v == FINE)
            assert_true(s.len > 0);
        sp_buf_fini(&refused);
    }
}

static int read_header(const char *text, size_t cut, char *refused)
{
    struct message_author a;
    struct seen s = {0};
    struct sp_view rest = sp_view_of(text);
    message_author_init(&a, &os_heap, note, &s);
    while (rest.len > 0) {
        message_author_feed(&a, sp_view_sub(rest, 0, cut));
        rest = sp_view_from(rest, cut);
    }
    int v = message_author_end(&a);
    (void)snprintf(refused, 256, "%.*s", (int)a.refused.len, (const char *)a.refused.p);
    message_author_fini(&a);
    return v;
}

#define ANN "From: ann@example.org\r\n"
#define EVE "eve@evil.example"

static const struct sample headers[] = {
    {"", "", FINE},
    {"Subject: x\r\n\r\nFrom: " EVE "\r\n", "", FINE},
    {ANN "\r\nFrom: " EVE "\r\n", "", FINE},
    {ANN "Subject: x\r\n", "", FINE},
    {"From: " EVE "\r\n\r\n", EVE, REFUSED},
    {"From: " EVE, EVE, REFUSED},
    {"FROM \t: " EVE "\r\n\r\n", EVE, REFUSED},
    {"from:" EVE "\r\n\r\n", EVE, REFUSED},
    {ANN "From: " EVE "\r\n\r\n", EVE, REFUSED},
    {ANN "Sender: " EVE "\r\n\r\n", EVE, REFUSED},
    {ANN "Subject: x\r\nsender: " EVE "\r\n\r\n", EVE, REFUSED},
    {"From:\r\n ann@example.org,\r\n\tEve <" EVE ">\r\n\r\n", EVE, REFUSED},
    {"not a field\r\nFrom: " EVE "\r\n\r\n", EVE, REFUSED},
    {"Fro: " EVE "\r\nFromm: " EVE "\r\nX-From: " EVE "\r\nSende: x\r\nFrom " EVE "\r\n" ANN "\r\n", "",
     FINE},
    {"Subject: x\r\n From: " EVE "\r\n" ANN "\r\n", "", FINE},
    {" From: " EVE "\r\n" ANN "\r\n", "", FINE},
    {"From: nobody\r\n\r\n", "", MALFORMED},
    {"From:\r\n" ANN "\r\n", "", MALFORMED},
    {"Reply-To: " EVE "\r\nTo: " EVE "\r\n" ANN "\r\n", "", FINE},
};

static void reads_a_header_in_any_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        for (size_t cut = 1; cut <= strlen(headers[i].value) + 1; cut++) {
            char refused[256];
            int v = read_header(headers[i].value, cut, refused);
            if (v != headers[i].verdict || strcmp(refused, headers[i].seen))
                fail_msg("%zu cut at %zu: %d %s", i, cut, v, refused);
        }
}

/* A field without end takes no more memory than the bound, and is refused; a long one that does not count is
 * nothing. */
static void is_bounded(void **state)
{
    (void)state;
    static const char *const names[] = {"From:", "Subject:"};
    for (size_t i = 0; i < 2; i++) {
        struct message_author a;
        struct seen s = {0};
        message_author_init(&a, &os_heap, note, &s);
        message_author_feed(&a, sp_view_of(names[i]));
        for (int k = 0; k < 100000; k++)
            message_author_feed(&a, SP_LIT(" \r\n aaaaaaaaaaaaaaaa"));
        assert_true(a.field.max <= MESSAGE_AUTHOR_FIELD_MAX);
        message_author_feed(&a, SP_LIT("\r\n\r\n"));
        assert_int_equal(message_author_end(&a), i == 0 ? MALFORMED : FINE);
        message_author_fini(&a);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_each_form),
    cmocka_unit_test(survives_any_octets),
    cmocka_unit_test(reads_a_header_in_any_split),
    cmocka_unit_test(is_bounded),
};

TAP_MAIN(tests)
