/*
 * Every transcript of the catalogue is typed into the server engine, which must say what the
 * page says it says. Those that begin "-- at another server" show what others do.
 *
 * A transcript leaves out what its first line tells ("-- TLS is on, EHLO is done"). Which listener it
 * was taken at is not told: it must fit one of those below.
 */
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "reference/reference.h"
#include "sallyport/smtp_server.h"

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx;
    (void)old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}
static const struct sp_allocator heap = {resize, NULL};

#define HOST       .hostname = SP_LIT_INIT("mx.example")
#define MECHANISMS SP_LIT_INIT("SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN")
#define UNDER_TLS  SP_LIT_INIT("SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN")
#define OFFERED                                                                                              \
    .extensions = SP_EXT_CHUNKING | SP_EXT_BINARYMIME | SP_EXT_SMTPUTF8 | SP_EXT_DSN | SP_EXT_REQUIRETLS |   \
                  SP_EXT_MT_PRIORITY | SP_EXT_LIMITS
static const struct sp_server_options listeners[] = {
    {HOST},
    {HOST, OFFERED, .mechanisms_plain = MECHANISMS, .mechanisms_tls = UNDER_TLS},
    {HOST, OFFERED, .starttls = true, .mechanisms_plain = MECHANISMS, .mechanisms_tls = UNDER_TLS},
    {HOST, OFFERED, .starttls = true, .mechanisms_tls = UNDER_TLS},
    {HOST, OFFERED, .starttls = true, .tls_required = true, .mechanisms_tls = UNDER_TLS},
    {HOST, OFFERED, .starttls = true, .tls_required = true, .auth_required = true,
     .mechanisms_tls = UNDER_TLS},
};
enum { LISTENERS_N = sizeof listeners / sizeof *listeners };

/* What the caller of the engine says no with, by reason id. */
static const struct sp_refusal refusals[] = {
#define REFUSAL(name, id, code, enhanced, text) {code, enhanced, id, SP_LIT_INIT(text)},
#include "roles/smtpd/refusals.def"
#undef REFUSAL
};

struct replay {
    struct sp_server *session;
    const struct reference_transcript *script;
    size_t at;        /* the line of the script being played  */
    size_t answers_n; /* SASL answers of this exchange so far */
    bool login;
    bool playing;     /* the lines of the script, not what comes before it */
    char heard[8192]; /* what the engine said and no S: line took yet */
    char fault[1024];
};

static bool differ(struct replay *r, const char *is)
{
    snprintf(r->fault, sizeof r->fault, "line %zu: the page has '%s', the engine says '%s'", r->at + 1,
             r->at < r->script->n ? r->script->lines[r->at].text : "(the end)", is);
    return false;
}

/* The S: line that answers what was just typed: behind those that are heard already. */
static const char *expected(const struct replay *r)
{
    size_t queued = 0;
    for (const char *p = r->heard; (p = strchr(p, '\n')); p++)
        queued++;
    for (size_t i = r->at; i < r->script->n; i++)
        if (r->script->lines[i].from == 'S' && queued-- == 0)
            return r->script->lines[i].text;
    return "";
}

/* The refusal that the script wants of the caller now, or NULL. */
static const struct sp_refusal *refusal_wanted(const struct replay *r)
{
    const char *line = r->playing ? expected(r) : "";
    struct sp_view id = reference_bracketed(sp_view_of(line));
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (sp_view_eq(sp_view_of(refusals[i].reason), id))
            return &refusals[i];
    return NULL;
}

static int answer_auth(struct replay *r, bool more, const char *challenge)
{
    const struct sp_refusal *no = refusal_wanted(r);
    if (no && !more)
        return sp_server_no(r->session, no);
    return more ? sp_server_more(r->session, sp_view_of(challenge)) : sp_server_yes(r->session, SP_LIT(""));
}

static int answer(struct replay *r, const struct sp_server_event *ev)
{
    static const char stored[] = "250 2.0.0 ";
    const char *line = expected(r);
    switch (ev->type) {
    case SP_SERVER_ASK_AUTH:
        r->answers_n = 0;
        r->login = sp_view_eq(ev->as.auth.mechanism, SP_LIT("LOGIN"));
        return answer_auth(r, !ev->as.auth.has_initial, r->login ? "Username:" : "");
    case SP_SERVER_ASK_ANSWER:
        return answer_auth(r, r->login && r->answers_n++ == 0, "Password:");
    case SP_SERVER_ASK_END:
        if (strncmp(line, stored, sizeof stored - 1) == 0)
            return sp_server_yes(r->session, sp_view_of(line + sizeof stored - 1));
        break;
    default:
        break;
    }
    const struct sp_refusal *no = refusal_wanted(r);
    return no ? sp_server_no(r->session, no) : sp_server_yes(r->session, SP_LIT(""));
}

/* Answer the engine's questions and keep what it says, one line each. */
static void attend(struct replay *r)
{
    struct sp_server_event ev;
    enum sp_server_event_type type;
    do {
        type = sp_server_event(r->session, &ev);
        if (type >= SP_SERVER_ASK_OPEN && type <= SP_SERVER_ASK_XFORWARD)
            assert_int_equal(answer(r, &ev), SP_OK);
        struct sp_view out = sp_server_output(r->session);
        size_t len = strlen(r->heard);
        for (size_t i = 0; i < out.len; i++)
            if (out.p[i] != '\r' && len + 1 < sizeof r->heard)
                r->heard[len++] = (char)out.p[i];
        r->heard[len] = '\0';
        sp_server_sent(r->session, out.len);
    } while (type != SP_SERVER_NOTHING);
}

static void type_line(struct replay *r, const char *text)
{
    char line[2048];
    int n = snprintf(line, sizeof line, "%s\r\n", text);
    assert_true(n > 0 && (size_t)n < sizeof line);
    for (size_t used, at = 0; at < (size_t)n; at += used) {
        int status = sp_server_feed(r->session, sp_view_make(line + at, (size_t)n - at), 0, &used);
        if (status == SP_ERR_CLOSED)
            return; /* what should have been said is missed by the S: lines */
        assert_int_equal(status, SP_OK);
        attend(r);
    }
}

static bool hear(struct replay *r)
{
    char *end = strchr(r->heard, '\n');
    if (!end)
        return differ(r, "(nothing)");
    *end = '\0';
    if (strcmp(r->heard, r->script->lines[r->at].text) != 0)
        return differ(r, r->heard);
    memmove(r->heard, end + 1, strlen(end + 1) + 1);
    return true;
}

static void prepare(struct replay *r)
{
    const char *told = r->script->lines[0].from == '-' ? r->script->lines[0].text : "";
    assert_int_equal(sp_server_open(r->session, strstr(told, "TLS is on") != NULL, 0), SP_OK);
    attend(r);
    if (strstr(told, "EHLO is done"))
        type_line(r, "EHLO client.example");
    bool greeted = r->script->lines[*told ? 1 : 0].from == 'S';
    if (!greeted)
        r->heard[0] = '\0';
    if (strstr(told, "EHLO is done"))
        assert_true(sp_server_is_esmtp(r->session));
}

static bool play(struct replay *r)
{
    prepare(r);
    r->playing = true;
    for (r->at = 0; r->at < r->script->n; r->at++) {
        const struct reference_line *line = &r->script->lines[r->at];
        if (line->from == 'S' && !hear(r))
            return false;
        if (line->from == '-' && strcmp(line->text, "TLS handshake") == 0) {
            if (sp_server_secured(r->session, 0) != SP_OK)
                return differ(r, "(no handshake is awaited)");
            attend(r);
        }
        if (line->from == 'C') {
            /* Only lines that are sent ahead of replies may be typed while replies are unread. */
            bool ahead = r->at > 0 && r->script->lines[r->at - 1].from == 'C';
            if (!ahead && r->heard[0] != '\0')
                return differ(r, r->heard);
            type_line(r, line->text);
        }
    }
    return r->heard[0] == '\0' || differ(r, r->heard);
}

/* The fault of the listener that came furthest, when none fits. */
static void check(const char *page, const struct reference_transcript *script)
{
    static const char others[] = "at another server";
    if (script->n == 0 || strncmp(script->lines[0].text, others, sizeof others - 1) == 0)
        return;
    char fault[1024] = "";
    size_t furthest = 0;
    for (size_t i = 0; i < LISTENERS_N; i++) {
        struct replay r = {.script = script};
        assert_int_equal(sp_server_new(&listeners[i], &heap, &r.session), SP_OK);
        bool ok = play(&r);
        sp_server_free(r.session);
        if (ok)
            return;
        if (r.at >= furthest) {
            furthest = r.at;
            memcpy(fault, r.fault, sizeof fault);
        }
    }
    fail_msg("reference/%s: %s", page, fault);
}

static void test_codes(void **state)
{
    (void)state;
    size_t n;
    const struct reference_code *codes = reference_codes(&n);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < codes[i].cases_n; c++) {
            char page[128];
            snprintf(page, sizeof page, "codes/%d.toml, '%s'", codes[i].code, codes[i].cases[c].title.en);
            check(page, &codes[i].cases[c].transcript);
        }
}

static void test_reasons(void **state)
{
    (void)state;
    size_t n;
    const struct reference_reason *reasons = reference_reasons(&n);
    for (size_t i = 0; i < n; i++) {
        char page[128];
        snprintf(page, sizeof page, "reasons.toml, %s", reasons[i].id);
        check(page, &reasons[i].transcript);
    }
}

static void test_topics(void **state)
{
    (void)state;
    size_t n;
    const struct reference_topic *topics = reference_topics(&n);
    for (size_t i = 0; i < n; i++) {
        char page[128];
        snprintf(page, sizeof page, "%ss.toml, %s", reference_topic_kind_name(topics[i].kind),
                 topics[i].name);
        check(page, &topics[i].transcript);
    }
}

static void test_pairs(void **state)
{
    (void)state;
    size_t n;
    const struct reference_pair *pairs = reference_pairs(&n);
    for (size_t i = 0; i < n; i++) {
        char page[128];
        snprintf(page, sizeof page, "pairs/%s-%s.toml", pairs[i].a, pairs[i].b);
        check(page, &pairs[i].transcript);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_codes),
    cmocka_unit_test(test_reasons),
    cmocka_unit_test(test_topics),
    cmocka_unit_test(test_pairs),
};

TAP_MAIN(tests)
