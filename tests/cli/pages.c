/* explain and compare: every page in both languages, its width, its JSON; what is asked for and not
 * understood. */
#include "tap.h"

#include <jansson.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/view.h"
#include "capture.h"
#include "cli/catalogue.h"

static const char *const langs[] = {"en", "vi"};
enum { LANGS = 2 };

/* Columns counted apart from the program: letters are what is no continuation octet; the catalogue is NFC. */
static size_t columns_of(const char *line, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)line[i] & 0xc0) != 0x80;
    return n;
}

static void assert_fits(const char *what, const char *text, size_t width)
{
    assert_non_null(strchr(text, '\n'));
    for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        size_t len = (size_t)(end - line);
        if (columns_of(line, len) > width)
            fail_msg("%s: over %zu columns: '%.*s'", what, width, (int)len, line);
        if (len > 0 && line[len - 1] == ' ')
            fail_msg("%s: a space at the end of '%.*s'", what, (int)len, line);
    }
    if (strchr(text, '\033'))
        fail_msg("%s: an escape code in a pipe", what);
}

static void at_width(const char *columns) { setenv("COLUMNS", columns, 1); }

static void assert_headings(const char *text, enum reference_lang lang)
{
    static const enum reference_word five[] = {REFERENCE_WORD_DESCRIPTION, REFERENCE_WORD_WHEN,
                                               REFERENCE_WORD_FIX, REFERENCE_WORD_DIFFERENCE,
                                               REFERENCE_WORD_WHICH};
    const char *at = text;
    for (size_t i = 0; i < 5; i++) {
        char heading[128];
        snprintf(heading, sizeof heading, "\n%s\n", reference_word(five[i], lang));
        at = strstr(at, heading);
        if (!at)
            fail_msg("the heading '%s' is missing or out of order", reference_word(five[i], lang));
    }
}

static void test_codes(void **state)
{
    (void)state;
    static const char *const widths[] = {"40", "80", "132"};
    size_t n;
    const struct reference_code *codes = reference_codes(&n);
    for (size_t i = 0; i < n; i++)
        for (int lang = 0; lang < LANGS; lang++)
            for (size_t w = 0; w < 3; w++) {
                char number[12];
                snprintf(number, sizeof number, "%d", codes[i].code);
                at_width(widths[w]);
                assert_int_equal(OUT("explain", number, "--lang", langs[lang]), EX_OK);
                assert_fits(number, captured, strtoul(widths[w], NULL, 10));
            }
}

static void test_reasons(void **state)
{
    (void)state;
    size_t n;
    at_width("60");
    const struct reference_reason *reasons = reference_reasons(&n);
    for (size_t i = 0; i < n; i++)
        for (int lang = 0; lang < LANGS; lang++) {
            assert_int_equal(OUT("explain", reasons[i].id, "--lang", langs[lang]), EX_OK);
            assert_fits(reasons[i].id, captured, 60);
        }
}

/* Every topic and provider, in both languages, on a narrow screen. */
static void test_topics(void **state)
{
    (void)state;
    size_t n;
    char name[128];
    at_width("60");
    const struct reference_topic *topics = reference_topics(&n);
    for (size_t i = 0; i < n; i++)
        for (int lang = 0; lang < LANGS; lang++) {
            snprintf(name, sizeof name, "%s %s", reference_topic_kind_name(topics[i].kind), topics[i].name);
            assert_int_equal(OUT("explain", name, "--lang", langs[lang]), EX_OK);
            assert_fits(name, captured, 60);
            assert_non_null(
                strstr(captured, reference_word(REFERENCE_WORD_FIX_TOPIC, (enum reference_lang)lang)));
        }
    const struct reference_provider *providers = reference_providers(&n);
    for (size_t i = 0; i < n; i++)
        for (int lang = 0; lang < LANGS; lang++) {
            assert_int_equal(OUT("explain", providers[i].id, "--lang", langs[lang]), EX_OK);
            assert_fits(providers[i].id, captured, 60);
        }
}

static void test_enhanced(void **state)
{
    (void)state;
    size_t n;
    at_width("70");
    const struct reference_meaning *meanings = reference_meanings(&n);
    assert_true(n >= 70);
    for (size_t i = 0; i < n; i++)
        for (int lang = 0; lang < LANGS; lang++) {
            char name[32];
            snprintf(name, sizeof name, "5.%d.%d", meanings[i].subject, meanings[i].detail);
            assert_int_equal(OUT("explain", name, "--lang", langs[lang]), EX_OK);
            assert_fits(name, captured, 70);
            assert_non_null(strstr(captured, reference_word(REFERENCE_WORD_FIX, (enum reference_lang)lang)));
        }
    /* A number of a provider's own, and one that a provider gives another meaning. */
    assert_int_equal(OUT("explain", "5.7.139", "--lang", "en"), EX_OK);
    assert_non_null(strstr(captured, "OAuth is needed"));
    assert_int_equal(OUT("explain", "4.7.27", "--lang", "en"), EX_OK);
    assert_non_null(strstr(captured, "means something else in the registry"));
}

/* An example that carries another code than the page's says so. */
static void test_said_otherwise(void **state)
{
    (void)state;
    static const char *const otherwise[] = {"421", "5.7.14", "4.7.26"}, *const own[] = {"432", "5.7.57"};
    for (size_t i = 0; i < sizeof otherwise / sizeof *otherwise; i++) {
        assert_int_equal(OUT("explain", otherwise[i], "--lang", "en"), EX_OK);
        assert_non_null(strstr(captured, "The same refusal with another code:"));
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        assert_int_equal(OUT("explain", own[i], "--lang", "en"), EX_OK);
        assert_non_null(strstr(captured, own[i]));
        assert_null(strstr(captured, "The same refusal with another code:"));
    }
}

/* AUTH is two things, and both are shown. */
static void test_same_name(void **state)
{
    (void)state;
    at_width("100");
    assert_int_equal(OUT("explain", "auth", "--lang", "en"), EX_OK);
    assert_non_null(strstr(captured, "Begins a login"));
    assert_non_null(strstr(captured, "login mechanisms that the server offers"));
    assert_int_equal(OUT("compare", "keyword AUTH", "command AUTH", "--lang", "en"), EX_OK);
    assert_non_null(strstr(captured, "- `keyword AUTH`: "));
    assert_int_equal(OUT("explain", "keyword", "AUTH", "--lang", "en"), EX_OK);
    assert_null(strstr(captured, "Begins a login"));
}

/* Whatever two names are given, the five headings are there, and no side of the difference is empty. */
static void test_any_two_pages(void **state)
{
    (void)state;
    static const char *const names[] = {
        "334",  "571",           "5.7.8", "4.2.2", "5.7.139", "AUTH",   "STARTTLS", "PIPELINING",
        "SIZE", "SCRAM-SHA-256", "PLAIN", "LOGIN", "XCLIENT", "SPNEGO", "google",   "data-before-rcpt",
        "599"};
    enum { N = sizeof names / sizeof *names };
    at_width("120");
    for (size_t a = 0; a < N; a++)
        for (size_t b = 0; b < N; b++) {
            if (a == b)
                continue;
            assert_int_equal(OUT("compare", names[a], names[b], "--lang", langs[a % 2]), EX_OK);
            assert_fits(names[a], captured, 120);
            for (enum reference_word w = REFERENCE_WORD_DIFFERENCE; w <= REFERENCE_WORD_WHICH; w++) {
                char heading[128];
                snprintf(heading, sizeof heading, "\n%s\n", reference_word(w, (enum reference_lang)(a % 2)));
                const char *at = strstr(captured, heading);
                assert_non_null(at);
                assert_true(strlen(at) > strlen(heading) + 20);
            }
        }
}

static void test_markdown(void **state)
{
    (void)state;
    assert_int_equal(OUT("explain", "334", "--markdown", "--lang", "en"), EX_OK);
    assert_non_null(strstr(captured, "# 334: Server challenge"));
    assert_non_null(strstr(captured, "\n```\n-- TLS is on"));
    assert_int_equal(OUT("compare", "334", "503", "--markdown", "--lang", "vi"), EX_OK);
    assert_non_null(strstr(captured, "\n## Sự khác biệt chính\n"));
    assert_int_equal(OUT("explain", "250-8BITMIME <x> *y*", "--markdown"), EX_OK);
    assert_int_equal(OUT("explain", "--markdown", "--lang", "en"), EX_OK);
    assert_non_null(strstr(captured, "\n## SASL mechanisms\n"));
    assert_non_null(strstr(captured, "\n- `SCRAM-SHA-256`: Proves"));
}

static void test_five_headings(void **state)
{
    (void)state;
    static const char *const widths[] = {"60", "80", "110", "200"};
    for (size_t w = 0; w < 4; w++)
        for (int lang = 0; lang < LANGS; lang++) {
            at_width(widths[w]);
            assert_int_equal(OUT("compare", "334", "503", "--lang", langs[lang]), EX_OK);
            assert_fits("compare", captured, strtoul(widths[w], NULL, 10));
            assert_headings(captured, (enum reference_lang)lang);
            assert_int_equal(OUT("explain", "334", "--lang", langs[lang]), EX_OK);
            assert_headings(captured, (enum reference_lang)lang);
            assert_int_equal(OUT("explain", "503", "--lang", langs[lang]), EX_OK);
            assert_headings(captured, (enum reference_lang)lang);
        }
}

static void test_any_two_codes(void **state)
{
    (void)state;
    size_t n;
    at_width("120");
    const struct reference_code *codes = reference_codes(&n);
    for (size_t i = 0; i + 1 < n; i++) {
        char a[12], b[12];
        snprintf(a, sizeof a, "%d", codes[i].code);
        snprintf(b, sizeof b, "%d", codes[i + 1].code);
        assert_int_equal(OUT("compare", a, b, "--lang=vi"), EX_OK);
        assert_fits(a, captured, 120);
        assert_headings(captured, REFERENCE_VI);
    }
}

/* The written order of a pair is not the order of the question. */
static void test_order(void **state)
{
    (void)state;
    at_width("80");
    const struct reference_pair *pair = reference_pair_find("334", "503");
    assert_int_equal(OUT("compare", "503", "334", "--json"), EX_OK);
    json_t *json = json_loads(captured, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "a"), "code")), 503);
    assert_string_equal(json_string_value(json_object_get(json, "difference")), pair->difference.en);
    assert_true(json_is_true(json_object_get(json, "written")));
    json_decref(json);
}

static json_t *explain_json(const char *word, const char *lang, const char *kind)
{
    json_error_t error;
    assert_int_equal(OUT("explain", word, "--json", "--lang", lang), EX_OK);
    json_t *json = json_loads(captured, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s: %s", word, error.text);
    assert_string_equal(json_string_value(json_object_get(json, "kind")), kind);
    assert_string_equal(json_string_value(json_object_get(json, "lang")), lang);
    return json;
}

static void test_json(void **state)
{
    (void)state;
    size_t codes_n, reasons_n;
    const struct reference_code *codes = reference_codes(&codes_n);
    const struct reference_reason *reasons = reference_reasons(&reasons_n);
    for (int lang = 0; lang < LANGS; lang++) {
        for (size_t i = 0; i < codes_n; i++) {
            char number[12];
            snprintf(number, sizeof number, "%d", codes[i].code);
            json_t *json = explain_json(number, langs[lang], "code");
            assert_int_equal(json_integer_value(json_object_get(json, "code")), codes[i].code);
            assert_string_equal(json_string_value(json_object_get(json, "fix")),
                                reference_in(&codes[i].fix, (enum reference_lang)lang));
            assert_int_equal(json_array_size(json_object_get(json, "cases")), codes[i].cases_n);
            json_decref(json);
        }
        for (size_t i = 0; i < reasons_n; i++) {
            json_t *json = explain_json(reasons[i].id, langs[lang], "reason");
            assert_int_equal(json_integer_value(json_object_get(json, "code")), reasons[i].code);
            json_decref(json);
        }
        json_decref(explain_json("5.5.1", langs[lang], "enhanced"));
        json_decref(explain_json("STARTTLS", langs[lang], "command"));
        json_decref(explain_json("PIPELINING", langs[lang], "keyword"));
        json_decref(explain_json("PLAIN", langs[lang], "mechanism"));
        json_decref(explain_json("microsoft", langs[lang], "provider"));
        json_decref(explain_json("599", langs[lang], "code"));
        json_decref(explain_json("550 5.1.1 \xff not UTF-8", langs[lang], "reply"));
    }
    json_t *json = explain_json("VXNlcm5hbWU6", "en", "reply");
    assert_string_equal(json_string_value(json_object_get(json, "decoded")), "Username:");
    json_decref(json);
    assert_int_equal(OUT("explain", "--json"), EX_OK);
    json = json_loads(captured, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(json, "codes")), codes_n);
    assert_int_equal(json_array_size(json_object_get(json, "reasons")), reasons_n);
    json_decref(json);
}

static enum cli_lookup_kind kind_of(const char *word)
{
    struct cli_lookup l;
    cli_lookup(&word, 1, &l);
    enum cli_lookup_kind kind = l.kind;
    cli_lookup_free(&l);
    return kind;
}

static void test_lookup(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum cli_lookup_kind kind;
    } asked[] = {
        {"503", CLI_LOOKUP_SUBJECT},
        {" 503 ", CLI_LOOKUP_SUBJECT},
        {"571", CLI_LOOKUP_SUBJECT},
        {"5.5.1", CLI_LOOKUP_SUBJECT},
        {"5.7.139", CLI_LOOKUP_SUBJECT},
        {"5.7.1 Relay access denied", CLI_LOOKUP_SUBJECT},
        {"data-before-rcpt", CLI_LOOKUP_SUBJECT},
        {"[data-before-rcpt]", CLI_LOOKUP_SUBJECT},
        {"Data-Before-RCPT", CLI_LOOKUP_SUBJECT},
        {"503 5.5.1 DATA needs RCPT TO first [data-before-rcpt]", CLI_LOOKUP_REPLY},
        {"250-PIPELINING", CLI_LOOKUP_REPLY},
        {"S: 503 5.5.1 no", CLI_LOOKUP_REPLY},
        {"<** 535 5.7.8 no\r\n", CLI_LOOKUP_REPLY},
        {"<-  334 VXNlcm5hbWU6", CLI_LOOKUP_REPLY},
        {"AUTH", CLI_LOOKUP_SUBJECT},
        {"scram-sha-256", CLI_LOOKUP_SUBJECT},
        {"keyword size", CLI_LOOKUP_SUBJECT},
        {"X.7.8", CLI_LOOKUP_SUBJECT},
        {"VXNlcm5hbWU6", CLI_LOOKUP_CHALLENGE},
        {"UGFzc3dvcmQA", CLI_LOOKUP_CHALLENGE},
        {"PDEyMy40NTZAbXguZXhhbXBsZT4=", CLI_LOOKUP_CHALLENGE},
        {"", CLI_LOOKUP_NOTHING},
        {"199", CLI_LOOKUP_NOTHING},
        {"600 no", CLI_LOOKUP_NOTHING},
        {"5033", CLI_LOOKUP_NOTHING},
        {"503x", CLI_LOOKUP_NOTHING},
        {"3.3.4", CLI_LOOKUP_NOTHING},
        {"password", CLI_LOOKUP_NOTHING},         /* base64 by chance, and no text behind it */
        {"AGRlbW8Ac2VjcmV0", CLI_LOOKUP_NOTHING}, /* a client's answer, with a password in it */
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        if (kind_of(asked[i].word) != asked[i].kind)
            fail_msg("'%s' is understood as %d", asked[i].word, kind_of(asked[i].word));
    static char long_word[CLI_LOOKUP_TEXT_MAX + 2];
    memset(long_word, 'A', sizeof long_word - 1);
    assert_int_equal(kind_of(long_word), CLI_LOOKUP_NOTHING);
}

static void test_reply(void **state)
{
    (void)state;
    at_width("100");
    assert_int_equal(
        OUT("explain", "503", "5.5.1", "DATA", "needs", "RCPT", "TO", "first", "[data-before-rcpt]"), EX_OK);
    assert_non_null(strstr(captured, "is remembered"));
    assert_int_equal(OUT("explain", "334 VXNlcm5hbWU6"), EX_OK);
    assert_non_null(strstr(captured, "Decoded:         \"Username:\""));
    assert_int_equal(
        OUT("explain", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled"), EX_OK);
    assert_non_null(strstr(captured, "Microsoft no longer takes a password here"));
    assert_non_null(strstr(captured, "Who says it:"));
}

static void test_unknown(void **state)
{
    (void)state;
    assert_int_equal(ERR("explain", "data-befor-rcpt", "--lang", "en"), EX_DATAERR);
    assert_non_null(strstr(captured, "Nearest:\n  data-before-rcpt  "));
    assert_int_equal(ERR("explain", "5033", "--lang", "en"), EX_DATAERR);
    assert_non_null(strstr(captured, "\n  503  Bad sequence"));
    assert_int_equal(ERR("explain", "bad sequence", "--lang", "en"), EX_DATAERR);
    assert_non_null(strstr(captured, "Nearest:\n  503  "));
    assert_int_equal(ERR("explain", "STARTLS", "--lang", "en"), EX_DATAERR);
    assert_non_null(strstr(captured, "Nearest:\n  STARTTLS  "));
    assert_int_equal(ERR("explain", "recipients", "--lang", "vi"), EX_DATAERR);
    assert_non_null(strstr(captured, "too-many-recipients"));
    assert_non_null(strstr(captured, reference_word(REFERENCE_WORD_UNKNOWN, REFERENCE_VI)));
    assert_int_equal(OUT("explain", "nothing-of-the-kind-at-all"), EX_DATAERR);
    assert_string_equal(captured, "");
    assert_int_equal(ERR("compare", "334", "5033", "--lang", "en"), EX_DATAERR);
    assert_non_null(strstr(captured, "no page for '5033'; near it: 503"));
    assert_int_equal(ERR("compare", "334"), EX_USAGE);
    assert_int_equal(ERR("compare", "334", "334"), EX_USAGE);
    assert_int_equal(ERR("compare", "334", "503", "535"), EX_USAGE);
    assert_int_equal(ERR("explain", "334", "503"), EX_USAGE);
    assert_non_null(strstr(captured, "sallyport compare 334 503"));
    assert_int_equal(ERR("explain", "334", "--lang", "de"), EX_USAGE);
}

static bool is_vietnamese(void)
{
    assert_int_equal(OUT("explain", "334"), EX_OK);
    return strstr(captured, "Mô tả") != NULL;
}

static void test_default_language(void **state)
{
    (void)state;
    unsetenv("LC_ALL");
    unsetenv("LC_MESSAGES");
    setenv("LANG", "vi_VN.UTF-8", 1);
    assert_true(is_vietnamese());
    setenv("LC_MESSAGES", "C", 1);
    assert_false(is_vietnamese());
    setenv("LC_ALL", "vi", 1);
    assert_true(is_vietnamese());
    setenv("LC_ALL", "vie", 1);
    assert_false(is_vietnamese());
    setenv("LC_ALL", "", 1);
    setenv("LC_MESSAGES", "", 1);
    assert_true(is_vietnamese());
    unsetenv("LC_ALL");
    unsetenv("LC_MESSAGES");
    unsetenv("LANG");
    assert_false(is_vietnamese());
}

/* The head of the page of 334, as a terminal of 50 columns gets it. */
static void on_a_terminal(void)
{
    int master, slave;
    struct winsize size = {.ws_row = 24, .ws_col = 50};
    const char *word = "5.1.1";
    struct cli_page page;
    struct cli_lookup l;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    FILE *to = fdopen(slave, "w");
    assert_non_null(to);
    cli_page_init(&page, to);
    cli_lookup(&word, 1, &l);
    cli_page_lookup(&page.out, &l);
    cli_lookup_free(&l);
    assert_int_equal(page.screen, 50);
    assert_int_equal(fflush(to), 0);
    ssize_t n = read(master, captured, sizeof captured - 1); /* what is flushed is there */
    assert_true(n > 0);
    captured[n] = '\0';
    fclose(to);
    close(master);
}

static void test_terminal(void **state)
{
    (void)state;
    unsetenv("COLUMNS");
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    on_a_terminal();
    assert_non_null(strstr(captured, "\033[1m5.1.1"));
    setenv("NO_COLOR", "1", 1);
    on_a_terminal();
    assert_null(strchr(captured, '\033'));
    setenv("NO_COLOR", "", 1);
    setenv("TERM", "dumb", 1);
    on_a_terminal();
    assert_null(strchr(captured, '\033'));
    unsetenv("NO_COLOR");
}

static char *wrapped(const char *text, struct cli_wrap how)
{
    static char all[4096];
    struct cli_lines lines = {NULL, 0};
    size_t at = 0;
    cli_wrap(&lines, text, how);
    for (size_t i = 0; i < lines.n; i++)
        at += (size_t)snprintf(all + at, sizeof all - at, "%s|", lines.line[i].bytes);
    cli_lines_free(&lines);
    return all;
}

static void test_wrap(void **state)
{
    (void)state;
    struct cli_wrap ten = {.width = 10}, marked = {.width = 10, .markup = true};
    assert_string_equal(wrapped("", ten), "|");
    assert_string_equal(wrapped("one two three four", ten), "one two|three four|");
    assert_string_equal(wrapped("abcdefghijklmnop qr", ten), "abcdefghij|klmnop qr|");
    /* Columns, not octets; a combining mark takes none. */
    assert_string_equal(wrapped("trả lời thư", ten), "trả lời|thư|");
    assert_string_equal(wrapped("ếếếếếếếếếế ế", ten), "ếếếếếếếếếế|ế|");
    assert_int_equal(cli_columns("e\xcc\x81"), 1);
    assert_int_equal(cli_columns("Cách khắc phục"), 14);
    /* Paragraphs are parted by an empty line, items are not. */
    assert_string_equal(wrapped("a:\n- b\n- c d e f g h\ni", marked), "a:|- b|- c d e f|  g h||i|");
    /* Code stays together where it can, and is cut where it cannot. */
    assert_string_equal(wrapped("say `a b c` now", marked), "say|`a b c`|now|");
    assert_string_equal(wrapped("say `aaaa bbbb cccc`", marked), "say `aaaa|bbbb cccc`|");
    marked.colour = true;
    assert_string_equal(wrapped("say `a b c`", marked), "say \033[36ma b c\033[39m|");
    assert_string_equal(wrapped("x `aaaa bbbb cccc`", marked),
                        "x \033[36maaaa\033[39m|\033[36mbbbb cccc\033[39m|");
    assert_string_equal(wrapped("one two three four five", (struct cli_wrap){.width = 12, .hang = 4}),
                        "one two|    three|    four|    five|");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_codes),          cmocka_unit_test(test_reasons),
    cmocka_unit_test(test_topics),         cmocka_unit_test(test_enhanced),
    cmocka_unit_test(test_said_otherwise), cmocka_unit_test(test_same_name),
    cmocka_unit_test(test_any_two_pages),  cmocka_unit_test(test_markdown),
    cmocka_unit_test(test_five_headings),  cmocka_unit_test(test_any_two_codes),
    cmocka_unit_test(test_order),          cmocka_unit_test(test_json),
    cmocka_unit_test(test_lookup),         cmocka_unit_test(test_reply),
    cmocka_unit_test(test_unknown),        cmocka_unit_test(test_default_language),
    cmocka_unit_test(test_terminal),       cmocka_unit_test(test_wrap),
};

int main(void)
{
    unsetenv("LC_ALL");
    unsetenv("LC_MESSAGES");
    unsetenv("LANG");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
