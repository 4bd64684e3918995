/*
 * Message octets: the scanner against a naive one that looks at the whole stream octet by
 * octet. Exhaustive over short streams of the octets that matter, each cut at every place;
 * random over long ones, cut at random.
 */
#include "tap.h"

#include "base/view.h"
#include "sallyport/smtp_client.h"
#include "smtp/content.h"
#include "smtp/run.h"

#include <stdlib.h>
#include <string.h>

struct result {
    uint8_t content[20000];
    size_t len;  /* of the content; meaningless when bare */
    size_t used; /* octets up to and including the end    */
    bool ended, bare_lf, bare_cr;
};

/*
 * RFC 5321 4.1.1.4, 4.5.2, 2.3.8, in one loop: lines end in CRLF; a line that is "." ends all; a
 * first dot is taken away; a CR or LF that is not of a CRLF is bare. The CR behind a first dot of
 * a line is judged when its next octet is known.
 */
static void naive(struct sp_view in, struct result *r)
{
    bool line_start = true;
    *r = (struct result){0};
    for (size_t i = 0; i < in.len; i++) {
        bool crlf = in.p[i] == '\r' && i + 1 < in.len && in.p[i + 1] == '\n';
        if (line_start && in.p[i] == '.') {
            if (i + 2 < in.len && in.p[i + 1] == '\r' && in.p[i + 2] == '\n') {
                r->ended = true;
                r->used = i + 3;
                return;
            }
            line_start = false;
            continue;
        }
        if (crlf) {
            r->content[r->len++] = '\r';
            r->content[r->len++] = '\n';
            i++;
            line_start = true;
            continue;
        }
        r->bare_cr = r->bare_cr || (in.p[i] == '\r' && i + 1 < in.len);
        r->bare_lf = r->bare_lf || in.p[i] == '\n';
        r->content[r->len++] = in.p[i];
        line_start = false;
    }
    r->used = in.len;
}

/* The same where a CR or LF alone is taken as CRLF: text behind it, whatever a line would do there. */
static void naive_mending(struct sp_view in, struct result *r)
{
    bool line_start = true;
    *r = (struct result){0};
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.p[i];
        bool crlf = c == '\r' && i + 1 < in.len && in.p[i + 1] == '\n';
        if (line_start && c == '.') {
            r->ended = i + 2 < in.len && in.p[i + 1] == '\r' && in.p[i + 2] == '\n';
            r->used = i + 3;
            if (r->ended)
                return;
            line_start = false;
            continue;
        }
        line_start = crlf;
        if (c == '\r' || c == '\n') {
            r->content[r->len++] = '\r';
            r->content[r->len++] = '\n';
            i += crlf;
        } else {
            r->content[r->len++] = c;
        }
    }
    r->used = in.len;
}

/* cut_at(i): does a read end in front of octet i? */
typedef bool cut_at(size_t i, void *ctx);

static void scan_as(bool mends, struct sp_view in, cut_at *cut, void *ctx, struct result *r)
{
    struct smtp_content c;
    smtp_content_init(&c, mends);
    *r = (struct result){0};
    size_t at = 0;
    while (at < in.len && !r->ended) {
        size_t end = at + 1;
        while (end < in.len && !cut(end, ctx))
            end++;
        uint8_t *read = malloc(end - at); /* a block of its own, so that no octet beyond is looked at */
        memcpy(read, in.p + at, end - at);
        for (size_t used = 0; used < end - at && !r->ended;) {
            struct sp_view piece;
            size_t n = smtp_content_take(&c, sp_view_make(read + used, end - at - used), &piece, &r->ended);
            assert_true((n > 0 || (mends && piece.len > 0)) && n <= end - at - used);
            if (piece.len > 0)
                memcpy(r->content + r->len, piece.p, piece.len);
            r->len += piece.len;
            used += n;
            r->used += n;
        }
        free(read);
        at = end;
    }
    r->bare_lf = c.bare_lf;
    r->bare_cr = c.bare_cr;
}

static void scan(struct sp_view in, cut_at *cut, void *ctx, struct result *r)
{
    scan_as(false, in, cut, ctx, r);
}

/* A dot that is held back at the end of the octets is content to neither. */
static void compare(struct sp_view in, const struct result *wanted, const struct result *got)
{
    bool same = wanted->ended == got->ended && wanted->used == got->used && wanted->bare_lf == got->bare_lf &&
                wanted->bare_cr == got->bare_cr;
    if (same && wanted->ended && !wanted->bare_lf && !wanted->bare_cr)
        same = wanted->len == got->len && memcmp(wanted->content, got->content, got->len) == 0;
    if (!same) {
        char text[200];
        size_t n = 0;
        for (size_t i = 0; i < in.len && n < sizeof(text) - 3; i++) {
            text[n++] = in.p[i] == '\r' ? 'r' : in.p[i] == '\n' ? 'n' : (char)in.p[i];
        }
        text[n] = 0;
        fail_msg("%s: ended %d %d, used %zu %zu, bare lf %d %d, bare cr %d %d, octets %zu %zu", text,
                 wanted->ended, got->ended, wanted->used, got->used, wanted->bare_lf, got->bare_lf,
                 wanted->bare_cr, got->bare_cr, wanted->len, got->len);
    }
}

static bool by_mask(size_t i, void *ctx) { return (*(unsigned *)ctx >> i) & 1; }

/* All streams of up to 8 octets of {CR, LF, dot, x}, uncut and cut everywhere; up to 6, under all cuts. */
static void test_short_streams(void **state)
{
    (void)state;
    static const uint8_t letters[] = {'\r', '\n', '.', 'x'};
    static struct result wanted, got;
    for (size_t len = 1; len <= 8; len++) {
        unsigned cuts = len <= 6 ? 1u << len : 2;
        for (unsigned code = 0; code < 1u << (2 * len); code++) {
            uint8_t octets[8];
            for (size_t i = 0; i < len; i++)
                octets[i] = letters[code >> (2 * i) & 3];
            struct sp_view in = {octets, len};
            naive(in, &wanted);
            for (unsigned mask = 0; mask < cuts; mask++) {
                unsigned bits = cuts == 2 && mask ? ~0u : mask;
                scan(in, by_mask, &bits, &got);
                compare(in, &wanted, &got);
            }
        }
    }
}

/* The same streams where line ends are mended, each with an end behind it; nothing bare is told. */
static void test_mended_streams(void **state)
{
    (void)state;
    static const uint8_t letters[] = {'\r', '\n', '.', 'x'};
    static struct result wanted, got;
    for (size_t len = 0; len <= 7; len++) {
        for (unsigned code = 0; code < 1u << (2 * len); code++) {
            uint8_t octets[16];
            for (size_t i = 0; i < len; i++)
                octets[i] = letters[code >> (2 * i) & 3];
            memcpy(octets + len, "x\r\n.\r\n", 6);
            struct sp_view in = {octets, len + 6};
            naive_mending(in, &wanted);
            for (unsigned bits = 0; bits < 3; bits++) {
                unsigned mask = bits == 0 ? 0 : bits == 1 ? ~0u : 0x5555;
                scan_as(true, in, by_mask, &mask, &got);
                assert_true(wanted.ended);
                compare(in, &wanted, &got);
            }
        }
    }
}

static uint64_t seed = 20261124;
static uint32_t next_random(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

static bool by_chance(size_t i, void *ctx)
{
    (void)i;
    return next_random() % *(unsigned *)ctx == 0;
}

/* Lines of all kinds; most streams are clean, so that their content is compared octet for octet. */
static size_t make_stream(uint8_t *out, size_t max)
{
    static const char *const pieces[] = {
        "\r\n",     "\r\n.",
        "\r\n..",   "\r\n.\r\n.",
        "text",     ".",
        "..",       "x",
        "\r\n\r\n", "a longer piece of text without any line end in it, to be found in one go"};
    size_t n = 0;
    bool dirty = next_random() % 4 == 0;
    while (n + 80 < max) {
        const char *piece = pieces[next_random() % 10];
        if (strcmp(piece, "\r\n.\r\n.") == 0 && next_random() % 8)
            continue;
        memcpy(out + n, piece, strlen(piece));
        n += strlen(piece);
        if (dirty && next_random() % 64 == 0)
            out[n++] = next_random() & 1 ? '\r' : '\n';
        if (next_random() % 16 == 0)
            out[n++] = (uint8_t)(next_random() % 3 ? 128 + next_random() % 128 : 0);
    }
    memcpy(out + n, "\r\n.\r\n", 5);
    return n + 5;
}

static void test_long_streams(void **state)
{
    (void)state;
    static uint8_t octets[20000];
    static struct result wanted, got;
    unsigned clean = 0;
    for (unsigned round = 0; round < 2000; round++) {
        struct sp_view in = {octets, make_stream(octets, 100 + next_random() % 4000)};
        unsigned rarity = 1 + next_random() % 200;
        naive(in, &wanted);
        scan(in, by_chance, &rarity, &got);
        compare(in, &wanted, &got);
        clean += wanted.ended && !wanted.bare_cr && !wanted.bare_lf;
    }
    assert_true(clean > 500);
}

static const uint8_t letters_that_matter[] = {'\r', '\n', '.', 'x'};
enum { LETTERS = 4, ORDINARY = 330, TOUCHED = 200 };

/* Ordinary lines of so many octets, long enough to be passed over in blocks, with two octets changed at `at`;
 * then an end. */
static struct sp_view ordinary_but(uint8_t *octets, size_t line, size_t at, size_t letters)
{
    for (size_t i = 0; i < ORDINARY; i++)
        octets[i] = i % line == line - 1 ? '\n' : i % line == line - 2 ? '\r' : 'o';
    octets[at] = letters_that_matter[letters % LETTERS];
    octets[at + 1] = letters_that_matter[letters / LETTERS];
    memcpy(octets + ORDINARY, "x\r\n.\r\n", 6);
    return (struct sp_view){octets, ORDINARY + 6};
}

static const size_t line_lengths[] = {31, 66, 300};

static bool every_so_many(size_t i, void *ctx) { return i % *(size_t *)ctx == 0; }

/* Seen alike by the scanner and the naive one, whether line ends are mended or not. */
static void check_cut(struct sp_view in, size_t cut)
{
    static struct result wanted, got;
    for (int mends = 0; mends < 2; mends++) {
        (mends ? naive_mending : naive)(in, &wanted);
        scan_as(mends, in, every_so_many, &cut, &got);
        compare(in, &wanted, &got);
    }
}

/* What is out of the ordinary is seen wherever it stands. */
static void test_faults_in_ordinary_lines(void **state)
{
    (void)state;
    static uint8_t octets[ORDINARY + 6];
    for (size_t i = 0; i < 3 * TOUCHED * LETTERS * LETTERS; i++) {
        size_t at = i / 3 / (LETTERS * LETTERS), letters = i / 3 % (LETTERS * LETTERS);
        struct sp_view in = ordinary_but(octets, line_lengths[i % 3], at, letters);
        for (size_t cut = 101; cut < 1000; cut += 800)
            check_cut(in, cut);
    }
}

enum { AROUND = 5, LONG = 2 * SMTP_RUN_LOOK + 100 };

/* A line longer than is looked through at once, with two octets changed where a look ends. */
static struct sp_view long_line_but(uint8_t *octets, size_t i)
{
    size_t letters = i / (2 * AROUND);
    memset(octets, 'o', LONG);
    octets[SMTP_RUN_LOOK - AROUND + i % (2 * AROUND)] = letters_that_matter[letters % LETTERS];
    octets[SMTP_RUN_LOOK - AROUND + i % (2 * AROUND) + 1] = letters_that_matter[letters / LETTERS];
    memcpy(octets + LONG, "x\r\n.\r\n", 6);
    return (struct sp_view){octets, LONG + 6};
}

static void test_faults_where_a_look_ends(void **state)
{
    (void)state;
    static uint8_t octets[LONG + 6];
    for (size_t i = 0; i < (size_t)2 * AROUND * LETTERS * LETTERS; i++)
        check_cut(long_line_but(octets, i), LONG + 6);
}

/* --- the client: the same on its way out --------------------------------------------------------- */

static void *plain_resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n > 0)
        return realloc(p, n);
    free(p);
    return NULL;
}

/* A session that asks for the content of a mail. */
static struct sp_client *client_in_content(const struct sp_client_options *o,
                                           const struct sp_client_mail *mail)
{
    static const struct sp_allocator alloc = {plain_resize, NULL};
    static const char *const replies[] = {"220 a\r\n", "250-a\r\n250 CHUNKING\r\n", "250 ok\r\n",
                                          "250 ok\r\n", "354 go\r\n"};
    struct sp_client *s;
    struct sp_client_event e;
    size_t used, said = 0;
    assert_int_equal(sp_client_new(o, &alloc, &s), SP_OK);
    assert_int_equal(sp_client_open(s, false, 0), SP_OK);
    for (;;) {
        enum sp_client_event_type type = sp_client_event(s, &e);
        sp_client_sent(s, sp_client_output(s).len, 0);
        if (type == SP_CLIENT_ASK_CONTENT)
            return s;
        if (type == SP_CLIENT_ASK_NEXT)
            assert_int_equal(sp_client_mail(s, mail, 0), SP_OK);
        else if (type == SP_CLIENT_NOTHING)
            assert_int_equal(sp_client_feed(s, sp_view_of(replies[said++]), 0, &used), SP_OK);
    }
}

/* What goes out for `in`, given so many octets at a time; in r->ended, whether it was sent to its end. */
static void send_as(const struct sp_client_options *o, uint32_t chunk, struct sp_view in, size_t step,
                    struct result *r)
{
    static const struct sp_view to = SP_LIT_INIT("b@example.org");
    struct sp_client_mail mail = {
        .sender = SP_LIT("a@example.org"), .recipients = &to, .recipient_n = 1, .chunk = chunk};
    struct sp_client *s = client_in_content(o, &mail);
    struct sp_client_event e;
    size_t used = 0, at = 0;
    *r = (struct result){0};
    while (at < in.len && sp_client_event(s, &e) == SP_CLIENT_ASK_CONTENT) {
        uint8_t *piece = malloc(step); /* a block of its own, so that no octet beyond is looked at */
        struct sp_view v = sp_view_sub(in, at, step);
        memcpy(piece + step - v.len, v.p, v.len);
        assert_int_equal(sp_client_content(s, (struct sp_view){piece + step - v.len, v.len}, &used), SP_OK);
        free(piece);
        at += used;
    }
    r->ended = at == in.len && sp_client_content_end(s) == SP_OK;
    struct sp_view out = sp_client_output(s);
    r->len = r->ended ? out.len : 0;
    if (r->len > 0)
        memcpy(r->content, out.p, out.len);
    sp_client_free(s);
}

/* Every line end as CRLF. */
static void with_crlf(struct sp_view in, struct result *r)
{
    *r = (struct result){0};
    for (size_t i = 0; i < in.len; i++) {
        bool cr = in.p[i] == '\r';
        if (!cr && in.p[i] != '\n') {
            r->content[r->len++] = in.p[i];
            continue;
        }
        memcpy(r->content + r->len, "\r\n", 2);
        r->len += 2;
        i += cr && i + 1 < in.len && in.p[i + 1] == '\n';
    }
}

/* However it comes, the same goes out; what goes out is what the scanner takes for the same message. */
static void test_client_faults_in_ordinary_lines(void **state)
{
    (void)state;
    static uint8_t octets[ORDINARY + 6];
    static struct result whole, cut, back;
    unsigned sent = 0;
    for (size_t i = 0; i < 3 * TOUCHED * LETTERS * LETTERS; i++) {
        size_t at = i / 3 / (LETTERS * LETTERS), letters = i / 3 % (LETTERS * LETTERS), no_cut = 1000;
        struct sp_view in = ordinary_but(octets, line_lengths[i % 3], at, letters);
        struct sp_client_options o = {.hello = SP_LIT("client.example"), .fix_line_ends = i % 2};
        uint32_t chunk = i % 5 == 0 ? 4096 : 0;
        send_as(&o, chunk, in, in.len, &whole);
        send_as(&o, chunk, in, i % 7 == 0 ? 97 : 1, &cut);
        assert_int_equal(whole.ended, cut.ended);
        assert_int_equal(whole.len, cut.len);
        assert_memory_equal(whole.content, cut.content, whole.len);
        sent += whole.ended;
        if (!whole.ended || chunk)
            continue;
        scan(sp_view_make(whole.content, whole.len), every_so_many, &no_cut, &back);
        assert_true(back.ended && !back.bare_cr && !back.bare_lf);
        with_crlf(in, &cut);
        assert_int_equal(back.len, cut.len);
        assert_memory_equal(back.content, cut.content, cut.len);
        assert_int_equal(back.used, whole.len);
    }
    assert_true(sent > 3000);
}

static void test_client_faults_where_a_look_ends(void **state)
{
    (void)state;
    static uint8_t octets[LONG + 6];
    static struct result whole, cut;
    unsigned sent = 0;
    for (size_t i = 0; i < (size_t)2 * 2 * AROUND * LETTERS * LETTERS; i++) {
        struct sp_view in = long_line_but(octets, i / 2);
        struct sp_client_options o = {.hello = SP_LIT("client.example"), .fix_line_ends = i % 2};
        send_as(&o, 0, in, in.len, &whole);
        send_as(&o, 0, in, 997, &cut);
        assert_int_equal(whole.ended, cut.ended);
        assert_int_equal(whole.len, cut.len);
        assert_memory_equal(whole.content, cut.content, whole.len);
        sent += whole.ended;
    }
    assert_in_range(sent, 2 * AROUND * LETTERS * LETTERS + 1, 4 * AROUND * LETTERS * LETTERS - 1);
}

/* Dot stuffing by RFC 5321 4.5.2 and back gives the same octets, whatever they are. */
static void test_stuffed_and_back(void **state)
{
    (void)state;
    static uint8_t original[4000], stuffed[9000];
    static struct result got;
    for (unsigned round = 0; round < 1000; round++) {
        size_t n = 0, m = 0;
        while (n + 4 < 1 + next_random() % 3000) {
            uint8_t c = (uint8_t)next_random();
            if (next_random() % 8 == 0) {
                original[n++] = '\r';
                original[n++] = '\n';
            } else if (next_random() % 4 == 0) {
                original[n++] = '.';
            } else if (c != '\r' && c != '\n') {
                original[n++] = c;
            }
        }
        original[n++] = '\r';
        original[n++] = '\n';
        for (size_t i = 0; i < n; i++) {
            if (original[i] == '.' && (i == 0 || original[i - 1] == '\n'))
                stuffed[m++] = '.';
            stuffed[m++] = original[i];
        }
        memcpy(stuffed + m, ".\r\n", 3);
        unsigned rarity = 1 + next_random() % 50;
        scan(sp_view_make(stuffed, m + 3), by_chance, &rarity, &got);
        assert_true(got.ended && !got.bare_lf && !got.bare_cr);
        assert_int_equal(got.used, m + 3);
        assert_int_equal(got.len, n);
        assert_memory_equal(got.content, original, n);
    }
}

/* What is behind the end is not touched. */
static void test_end_stops(void **state)
{
    (void)state;
    static struct result got;
    unsigned none = 0;
    scan(SP_LIT(".\r\nMAIL FROM:<>\r\n"), by_mask, &none, &got);
    assert_true(got.ended);
    assert_int_equal(got.used, 3);
    assert_int_equal(got.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_streams),
        cmocka_unit_test(test_mended_streams),
        cmocka_unit_test(test_long_streams),
        cmocka_unit_test(test_stuffed_and_back),
        cmocka_unit_test(test_end_stops),
        cmocka_unit_test(test_faults_in_ordinary_lines),
        cmocka_unit_test(test_faults_where_a_look_ends),
        cmocka_unit_test(test_client_faults_in_ordinary_lines),
        cmocka_unit_test(test_client_faults_where_a_look_ends),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
