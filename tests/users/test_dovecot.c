/* A client of Dovecot's auth socket: the lines taken apart, and a socket that speaks in pieces, wrongly, or
 * not at all. */
#include "base/view.h"
#include "os/heap.h"
#include "tap.h"
#include "users/dovecot_line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- lines -------------------------------------------------------------------------------- */

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum users_dovecot_word word;
        uint32_t number;
        const char *value;
        enum users_answer answer;
    } rows[] = {
        {"VERSION\t1\t2", USERS_DOVECOT_VERSION, 1, "", 0},
        {"VERSION\t2", USERS_DOVECOT_VERSION, 2, "", 0},
        {"VERSION", USERS_DOVECOT_BAD, 0, "", 0},
        {"VERSION\tone", USERS_DOVECOT_BAD, 0, "", 0},
        {"VERSION\t1001", USERS_DOVECOT_BAD, 0, "", 0},
        {"DONE", USERS_DOVECOT_DONE, 0, "", 0},
        {"SPID\t17", USERS_DOVECOT_OTHER, 0, "", 0},
        {"", USERS_DOVECOT_OTHER, 0, "", 0},
        {"\t\t\t", USERS_DOVECOT_OTHER, 0, "", 0},
        {"version\t1", USERS_DOVECOT_OTHER, 0, "", 0},
        {"OK\t7\tuser=bob", USERS_DOVECOT_OK, 7, "bob", USERS_RIGHT},
        {"OK\t7\tuserdb=x\tuser=bob\tuser=eve", USERS_DOVECOT_OK, 7, "bob", USERS_RIGHT},
        {"OK\t7", USERS_DOVECOT_OK, 7, "", USERS_RIGHT},
        {"OK\t7\tuser=a\001tb", USERS_DOVECOT_OK, 7, "", USERS_RIGHT},
        {"OK\t4294967295\tuser=bob", USERS_DOVECOT_OK, 4294967295u, "bob", USERS_RIGHT},
        {"OK\t4294967296\tuser=bob", USERS_DOVECOT_BAD, 0, "", 0},
        {"OK", USERS_DOVECOT_BAD, 0, "", 0},
        {"OK\t-7", USERS_DOVECOT_BAD, 0, "", 0},
        {"FAIL\t7\tuser=bob", USERS_DOVECOT_FAIL, 7, "bob", USERS_WRONG},
        {"FAIL\t7", USERS_DOVECOT_FAIL, 7, "", USERS_WRONG},
        {"FAIL\t7\ttemp", USERS_DOVECOT_FAIL, 7, "", USERS_AWAY},
        {"FAIL\t7\ttemperature", USERS_DOVECOT_FAIL, 7, "", USERS_WRONG},
        {"FAIL\t7\tcode=temp_fail", USERS_DOVECOT_FAIL, 7, "", USERS_AWAY},
        {"FAIL\t7\tuser_disabled", USERS_DOVECOT_FAIL, 7, "", USERS_DISABLED},
        {"FAIL\t7\tcode=user_disabled", USERS_DOVECOT_FAIL, 7, "", USERS_DISABLED},
        {"CONT\t7\tYQ==", USERS_DOVECOT_CONT, 7, "YQ==", 0},
        {"CONT\t7", USERS_DOVECOT_CONT, 7, "", 0},
        {"CONT\tx\tYQ==", USERS_DOVECOT_BAD, 0, "", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct users_dovecot_line l = users_dovecot_parse(sp_view_of(rows[i].line));
        if (l.word != rows[i].word || (l.word != USERS_DOVECOT_BAD && l.number != rows[i].number) ||
            !sp_view_eq(l.value, sp_view_of(rows[i].value)) || l.answer != rows[i].answer)
            fail_msg("%s", rows[i].line);
    }
}

static void test_mechanisms(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool usable;
    } rows[] = {
        {"MECH\tPLAIN\tplaintext", true},
        {"MECH\tSCRAM-SHA-256\tdictionary\tactive\tmutual-auth", true},
        {"MECH\tX_1-2", true},
        {"MECH\tANONYMOUS", false},
        {"MECH\tX-ANON\tanonymous", false},
        {"MECH\tDOVECOT-TOKEN\tprivate", false},
        {"MECH\tEXTERNAL", false},
        {"MECH\tSCRAM-SHA-256-PLUS", false},
        {"MECH\tplain", false},
        {"MECH\tA B", false},
        {"MECH\tABCDEFGHIJKLMNOPQRSTU", false},
        {"MECH", false},
        {"MECH\t", false},
        {"MECH\tA\r", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct users_dovecot_line l = users_dovecot_parse(sp_view_of(rows[i].line));
        assert_int_equal(l.word, USERS_DOVECOT_MECH);
        if (l.usable != rows[i].usable)
            fail_msg("%s", rows[i].line);
    }
}

/* --- a socket ------------------------------------------------------------------------------ */

struct rig {
    struct event_base *base;
    char folder[64], path[96];
    int listening, fd;
    struct users_dovecot *d;
    int answers, challenges, news;
    enum users_answer answer;
    char user[64], challenge[64];
};

static void note_answer(void *ctx, enum users_answer answer, struct sp_view user)
{
    struct rig *r = ctx;
    r->answers++;
    r->answer = answer;
    (void)snprintf(r->user, sizeof r->user, "%.*s", (int)user.len, (const char *)user.p);
}

static void note_challenge(void *ctx, struct sp_view challenge)
{
    struct rig *r = ctx;
    r->challenges++;
    (void)snprintf(r->challenge, sizeof r->challenge, "%.*s", (int)challenge.len, (const char *)challenge.p);
}

static void note_news(void *ctx) { ((struct rig *)ctx)->news++; }

/* Until a number has changed; the loop waits for events, not for time. */
static void turn_until(struct rig *r, const int *number, int wanted)
{
    for (int i = 0; *number < wanted && i < 10000; i++)
        (void)event_base_loop(r->base, EVLOOP_ONCE);
    assert_int_equal(*number, wanted);
}

static void turn(struct rig *r)
{
    for (int i = 0; i < 5; i++)
        (void)event_base_loop(r->base, EVLOOP_NONBLOCK);
}

static void set_up(struct rig *r)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    *r = (struct rig){.base = os_loop_new(), .fd = -1};
    (void)strcpy(r->folder, "/tmp/sallyport-test-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    (void)snprintf(r->path, sizeof r->path, "%s/auth", r->folder);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", r->path);
    r->listening = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(r->listening, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(r->listening, 8), 0);
    r->d = users_dovecot_new(r->base, r->path);
}

static void tear_down(struct rig *r)
{
    users_dovecot_free(r->d);
    close(r->listening);
    if (r->fd >= 0)
        close(r->fd);
    unlink(r->path);
    rmdir(r->folder);
    event_base_free(r->base);
}

static void take_call(struct rig *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = accept(r->listening, NULL, NULL);
    assert_true(r->fd >= 0);
}

static void say(struct rig *r, const char *text)
{
    assert_int_equal(send(r->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What came, until it holds this. */
static void expect(struct rig *r, const char *wanted)
{
    char text[16384];
    size_t len = 0;
    for (int i = 0; i < 1000; i++) {
        turn(r);
        ssize_t n = recv(r->fd, text + len, sizeof text - 1 - len, MSG_DONTWAIT);
        if (n > 0)
            len += (size_t)n;
        text[len] = '\0';
        if (strstr(text, wanted))
            return;
    }
    fail_msg("no %s in: %s", wanted, text);
}

static uint32_t ask(struct rig *r)
{
    const struct users_password_question q = {.user = SP_LIT("bob"),
                                              .password = SP_LIT("secret"),
                                              .client = SP_LIT("192.0.2.1"),
                                              .tls = true,
                                              .done = note_answer,
                                              .ctx = r};
    return users_dovecot_ask(r->d, &q);
}

static uint32_t begin(struct rig *r, struct sp_view response)
{
    const struct users_question q = {.mechanism = SP_LIT("NTLM"),
                                     .has_response = response.len > 0,
                                     .response = response,
                                     .challenge = note_challenge,
                                     .done = note_answer,
                                     .ctx = r};
    return users_dovecot_begin(r->d, &q);
}

#define GREETING "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tNTLM\nMECH\tX\tprivate\nDONE\n"

/* The whole talk, cut at every octet of what Dovecot says. */
static void test_cut_at_every_octet(void **state)
{
    (void)state;
    static const char all[] = GREETING "CONT\t1\tYWJj\nFAIL\t2\tuser=bob\n";
    for (size_t cut = 0; cut < sizeof all; cut++) {
        struct rig r;
        char first[sizeof all];
        set_up(&r);
        users_dovecot_watch(r.d, note_news, &r);
        assert_int_equal(begin(&r, SP_LIT("x")), 1);
        assert_int_equal(ask(&r), 2);
        take_call(&r);
        expect(&r, "AUTH\t2\tPLAIN\tservice=smtp\trip=192.0.2.1\tsecured=tls\tresp=AGJvYgBzZWNyZXQ=\n");
        memcpy(first, all, cut);
        first[cut] = '\0';
        say(&r, first);
        turn(&r);
        say(&r, all + cut);
        turn_until(&r, &r.answers, 1);
        assert_int_equal(r.answer, USERS_WRONG);
        assert_string_equal(r.user, "bob");
        assert_int_equal(r.challenges, 1);
        assert_string_equal(r.challenge, "abc");
        assert_int_equal(r.news, 1);
        assert_true(sp_view_eq(users_dovecot_mechanisms(r.d), SP_LIT("PLAIN NTLM")));
        users_dovecot_continue(r.d, 1, SP_LIT("def"));
        expect(&r, "CONT\t1\tZGVm\n");
        say(&r, "OK\t1\tuser=eve\n");
        turn_until(&r, &r.answers, 2);
        assert_string_equal(r.user, "eve");
        tear_down(&r);
    }
}

/* And the connection lost after every octet: whoever has no answer by then is told that it is away. */
static void test_lost_at_every_octet(void **state)
{
    (void)state;
    static const char all[] = GREETING "CONT\t1\tYWJj\nOK\t2\tuser=bob\n";
    for (size_t cut = 0; cut < sizeof all - 1; cut++) {
        struct rig r;
        char first[sizeof all];
        set_up(&r);
        begin(&r, SP_LIT("x"));
        ask(&r);
        take_call(&r);
        memcpy(first, all, cut);
        first[cut] = '\0';
        say(&r, first);
        close(r.fd);
        r.fd = -1;
        turn_until(&r, &r.answers, 2);
        assert_int_equal(r.answer, USERS_AWAY);
        tear_down(&r);
    }
}

static void test_nonsense(void **state)
{
    (void)state;
    static const char *const rows[] = {"VERSION\t2\t0\n",         "OK\t1\tuser=bob\n", GREETING "OK\n",
                                       GREETING "OK\tx\n",        "MECH\tPLAIN\n",     "VERSION\n",
                                       GREETING "CONT\t1\tYQ==\n"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig r;
        set_up(&r);
        ask(&r);
        take_call(&r);
        say(&r, rows[i]);
        turn_until(&r, &r.answers, 1);
        assert_int_equal(r.answer, USERS_AWAY);
        tear_down(&r);
    }
    struct rig r;
    char *endless = os_new(10000);
    memset(endless, 'x', 9999);
    set_up(&r);
    ask(&r);
    take_call(&r);
    (void)send(r.fd, endless, 9999, MSG_NOSIGNAL | MSG_DONTWAIT); /* may be cut short by its hanging up */
    turn_until(&r, &r.answers, 1);
    assert_int_equal(r.answer, USERS_AWAY);
    tear_down(&r);
    free(endless);
}

/* Answers nobody asked for, twice, for what was forgotten, and a challenge where none is due. */
static void test_out_of_order(void **state)
{
    (void)state;
    struct rig r;
    set_up(&r);
    uint32_t one = begin(&r, SP_LIT("x")), two = begin(&r, (struct sp_view){0}), three = ask(&r);
    take_call(&r);
    expect(&r, "AUTH\t2\tNTLM\tservice=smtp\tsecured\n");
    say(&r, GREETING "OK\t99\tuser=eve\nCONT\t99\tYQ==\nCONT\t2\tYQ==\nCONT\t2\tYg==\n");
    turn_until(&r, &r.answers, 1); /* a second challenge before the first was answered */
    assert_int_equal(r.answer, USERS_AWAY);
    expect(&r, "CANCEL\t2\n");
    users_dovecot_continue(r.d, two, SP_LIT("late"));
    users_dovecot_forget(r.d, one);
    say(&r, "CONT\t1\tYQ==\n");
    expect(&r, "CANCEL\t1\n");
    assert_int_equal(r.challenges, 1);
    say(&r, "OK\t1\tuser=eve\nOK\t3\tuser=bob\nOK\t3\tuser=eve\n");
    turn_until(&r, &r.answers, 2);
    assert_int_equal(r.answer, USERS_RIGHT);
    assert_string_equal(r.user, "bob");
    users_dovecot_forget(r.d, three);
    turn(&r);
    assert_int_equal(r.answers, 2);
    tear_down(&r);
}

static void test_too_long_and_too_many(void **state)
{
    (void)state;
    struct rig r;
    set_up(&r);
    char *response = os_new(USERS_DOVECOT_RESPONSE_MAX + 1);
    begin(&r, sp_view_make(response, USERS_DOVECOT_RESPONSE_MAX + 1));
    turn_until(&r, &r.answers, 1);
    assert_int_equal(r.answer, USERS_AWAY);
    uint32_t n = begin(&r, sp_view_make(response, USERS_DOVECOT_RESPONSE_MAX));
    take_call(&r);
    say(&r, GREETING "CONT\t2\t\n");
    turn_until(&r, &r.challenges, 1);
    users_dovecot_continue(r.d, n, sp_view_make(response, USERS_DOVECOT_RESPONSE_MAX + 1));
    turn_until(&r, &r.answers, 2);
    assert_int_equal(r.answer, USERS_AWAY);
    for (int i = 0; i <= USERS_DOVECOT_WAITING_MAX; i++)
        begin(&r, (struct sp_view){0});
    turn_until(&r, &r.answers, 3);
    tear_down(&r);
    free(response);
}

static void note_answer_and_ask_on(void *ctx, enum users_answer answer, struct sp_view user)
{
    struct rig *r = ctx;
    ask(r); /* finds out that Dovecot is gone */
    ask(r); /* calls it again */
    assert_true(sp_view_eq(user, SP_LIT("bob")));
    note_answer(r, answer, user);
}

/* Who is answered asks again, when the connection that the answer came by is lost already. */
static void test_asked_again_while_it_is_lost(void **state)
{
    (void)state;
    struct rig r;
    set_up(&r);
    const struct users_password_question q = {
        .user = SP_LIT("bob"), .password = SP_LIT("secret"), .done = note_answer_and_ask_on, .ctx = &r};
    assert_int_equal(users_dovecot_ask(r.d, &q), 1);
    take_call(&r);
    say(&r, GREETING "OK\t1\tuser=bob\nOK\t3\tuser=ghost\nOK\t2\tuser=gh");
    close(r.fd);
    r.fd = -1;
    turn_until(&r, &r.answers, 2);
    assert_int_equal(r.answer, USERS_AWAY);
    take_call(&r);
    expect(&r, "VERSION\t1\t2\n");
    say(&r, GREETING "OK\t3\tuser=eve\n");
    turn_until(&r, &r.answers, 3);
    assert_int_equal(r.answer, USERS_RIGHT);
    assert_string_equal(r.user, "eve");
    tear_down(&r);
}

static void test_away(void **state)
{
    (void)state;
    struct rig r;
    set_up(&r);
    close(r.listening);
    unlink(r.path);
    ask(&r);
    turn_until(&r, &r.answers, 1);
    assert_int_equal(r.answer, USERS_AWAY);
    users_dovecot_free(r.d);
    char path[200];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    r.d = users_dovecot_new(r.base, path); /* too long for a socket */
    ask(&r);
    turn_until(&r, &r.answers, 2);
    assert_int_equal(r.answer, USERS_AWAY);
    r.listening = socket(AF_UNIX, SOCK_STREAM, 0);
    tear_down(&r);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_lines),
    cmocka_unit_test(test_mechanisms),
    cmocka_unit_test(test_cut_at_every_octet),
    cmocka_unit_test(test_lost_at_every_octet),
    cmocka_unit_test(test_nonsense),
    cmocka_unit_test(test_out_of_order),
    cmocka_unit_test(test_too_long_and_too_many),
    cmocka_unit_test(test_asked_again_while_it_is_lost),
    cmocka_unit_test(test_away),
};

TAP_MAIN(tests)
