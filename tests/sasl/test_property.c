/*
 * Properties of every mechanism, over random users, passwords and nonces: server and client agree when they
 * share a secret and only then; no octet on the way can be another; and no order of messages does any harm.
 */
#include "octets.h"
#include "sasl/client.h"
#include "sasl/cram_md5.h"
#include "sasl/mechanism.h"
#include "sasl/server.h"

#include <stdlib.h>

enum { ROUNDS = 12, FLIPS = 24, TURNS_MAX = 8, MESSAGES_MAX = 2 * TURNS_MAX };

/* The same in every run. */
static uint64_t dice = 0x2545f4914f6cdd1du;

static size_t roll(size_t below)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (size_t)(dice % below);
}

static size_t make_word(char *out, size_t max, bool is_name)
{
    static const char *const letters[] = {"a", "Z",  "0",  "=", ",", " x", "\xc3\xa9", "\xe2\x82\xac",
                                          "%", "\"", "\\", "~"};
    size_t len = 0, n = 1 + roll(max / 4);
    for (size_t i = 0; i < n; i++) {
        const char *l = letters[roll(sizeof letters / sizeof *letters)];
        if (is_name && (*l == ' ' || *l == '"'))
            l = "b";
        memcpy(out + len, l, strlen(l));
        len += strlen(l);
    }
    return len;
}

/* A pair of sides, and what they know. */
struct pair {
    const char *mechanism;
    char user[128], password[128], other[128];
    size_t user_len, password_len, other_len;
    struct sasl_verifier verifier;
    struct sp_view server_channel, client_channel;
    /* What goes over the line is changed at one octet, or cut, or is another message. */
    int spoil;         /* number of the message; -1: none */
    size_t spoil_at;   /* its octet; past its end: the message is cut short instead */
    size_t spoil_back; /* instead: counted from its end, 1 is the last octet */
    uint8_t spoil_by;
    bool spoilt;
};

struct end {
    bool server_yes, client_yes, broken;
};

static struct sp_view spoil(struct pair *p, int number, struct sp_view message, uint8_t *copy)
{
    if (number != p->spoil || message.len == 0 || message.len > 4096)
        return message;
    p->spoilt = true;
    memcpy(copy, message.p, message.len);
    if (p->spoil_back && p->spoil_back <= message.len)
        p->spoil_at = message.len - p->spoil_back;
    if (p->spoil_at >= message.len)
        return sp_view_make(copy, message.len - 1);
    copy[p->spoil_at] ^= p->spoil_by;
    return sp_view_make(copy, message.len);
}

static struct sasl_server *make_server(const struct pair *p)
{
    struct sasl_server *s = NULL;
    const struct sasl_binding binding = {{[SASL_BINDING_EXPORTER] = p->server_channel}};
    assert_int_equal(sasl_server_new(sp_view_of(p->mechanism), &os_heap, &s), SP_OK);
    assert_int_equal(sasl_server_bind(s, &binding, strstr(p->mechanism, "-PLUS") != NULL), SP_OK);
    return s;
}

/* Answer the server's questions as the role auth does. */
static enum sasl_server_state settle(const struct pair *p, struct sasl_server *s, enum sasl_server_state at)
{
    struct sp_view user = sp_view_make(p->user, p->user_len),
                   password = sp_view_make(p->password, p->password_len);
    bool known;
    switch (at) {
    case SASL_SERVER_ASK_PASSWORD:
        known = sp_view_eq(sasl_server_user(s), user);
        return sasl_server_password_is(s, known && sp_view_eq(sasl_server_password(s), password));
    case SASL_SERVER_ASK_VERIFIER:
        known = sp_view_eq(sasl_server_user(s), user);
        return sasl_server_give_verifier(s, &p->verifier, known);
    case SASL_SERVER_ASK_TOKEN:
        return sasl_server_token_is(
            s, sp_view_eq(sasl_server_password(s), password) ? user : (struct sp_view){0},
            SP_LIT("{\"status\":\"invalid_token\"}"));
    default:
        return at;
    }
}

static struct end talk(struct pair *p, struct sp_view client_password)
{
    struct sasl_server *s = make_server(p);
    struct sasl_client *c = NULL;
    bool bearer = sasl_mechanism_find(sp_view_of(p->mechanism))->bearer;
    const struct sasl_credentials mine = {
        .user = sp_view_make(p->user, p->user_len), .password = client_password, .token = bearer};
    const struct sasl_binding binding = {{[SASL_BINDING_EXPORTER] = p->client_channel}};
    const struct sasl_offer offer = {
        .mechanisms = sp_view_of(p->mechanism), .secure = true, .binding = &binding};
    assert_int_equal(sasl_client_new(sp_view_of(p->mechanism), &mine, &os_heap, &c), SP_OK);
    sasl_client_bind(c, &offer);
    uint8_t copy[4096];
    struct end end = {0};
    bool initial = sasl_client_has_initial(c);
    enum sasl_server_state at = SASL_SERVER_CHALLENGE;
    int number = 0, status = SP_OK;
    if (!initial)
        at = settle(p, s, sasl_server_start(s, false, (struct sp_view){0}));
    for (int turn = 0; turn < TURNS_MAX && at == SASL_SERVER_CHALLENGE; turn++) {
        struct sp_buf response = fresh();
        const char *sent = NULL;
        bool first = initial && turn == 0;
        struct sp_view challenge = first ? SP_LIT("") : spoil(p, number++, sasl_server_challenge(s), copy);
        status = sasl_client_step(c, challenge, &response, &sent);
        if (status == SP_OK) {
            struct sp_view said = spoil(p, number++, sp_buf_view(&response), copy);
            at = first ? sasl_server_start(s, true, said) : sasl_server_step(s, said);
            while (at == SASL_SERVER_ASK_PASSWORD || at == SASL_SERVER_ASK_VERIFIER ||
                   at == SASL_SERVER_ASK_TOKEN)
                at = settle(p, s, at);
        }
        sp_buf_fini_secret(&response);
        if (status != SP_OK)
            break;
    }
    end.server_yes = at == SASL_SERVER_YES;
    end.client_yes = status == SP_OK && sasl_client_is_complete(c) && end.server_yes;
    end.broken = at == SASL_SERVER_BROKEN;
    sasl_client_free(c);
    sasl_server_free(s);
    return end;
}

static void make_pair(struct pair *p, const char *mechanism)
{
    *p = (struct pair){.mechanism = mechanism, .spoil = -1};
    bool bearer = sasl_mechanism_find(sp_view_of(mechanism))->bearer;
    p->user_len = make_word(p->user, 64, true);
    if (bearer) {
        for (p->password_len = 0; p->password_len < 40; p->password_len++)
            p->password[p->password_len] = "abcXYZ019-._~+/"[roll(15)];
    } else {
        p->password_len = make_word(p->password, 64, false);
    }
    memcpy(p->other, p->password, p->password_len);
    p->other_len = p->password_len;
    p->other[roll(p->other_len)] = 'q'; /* may break UTF-8: no password either */
    struct sp_view password = sp_view_make(p->password, p->password_len);
    if (!bearer) {
        assert_int_equal(sasl_verifier_make(password, &p->verifier), SP_OK);
        sasl_cram_derive(password, p->verifier.cram);
        p->verifier.has_cram = true;
    }
    if (strstr(mechanism, "-PLUS"))
        p->server_channel = p->client_channel = SP_LIT("one TLS connection");
}

/* All but EXTERNAL, where TLS has done all there is to do. */
static const char *const all[] = {
    "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5",
    "OAUTHBEARER",        "XOAUTH2",          "PLAIN",         "LOGIN"};
enum { ALL_N = sizeof all / sizeof *all };

static void both_agree_on_one_secret_only(void **state)
{
    (void)state;
    assert_int_equal(ALL_N + 1, sasl_mechanism_n);
    for (size_t i = 0; i < ALL_N; i++)
        for (int round = 0; round < ROUNDS; round++) {
            struct pair p;
            make_pair(&p, all[i]);
            struct sp_view right = sp_view_make(p.password, p.password_len),
                           other = sp_view_make(p.other, p.other_len);
            struct end end = talk(&p, right);
            if (!end.server_yes || !end.client_yes)
                fail_msg("%s: %.*s, %.*s", all[i], (int)p.user_len, p.user, (int)right.len, right.p);
            if (sp_view_eq(right, other))
                continue;
            end = talk(&p, other);
            assert_false(end.server_yes || end.client_yes || end.broken);
        }
}

/* SCRAM signs every octet of both sides: whichever is changed or cut off, not both believe it. */
static void no_octet_of_scram_can_be_another(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (int flip = 0; flip < FLIPS; flip++) {
            struct pair p;
            make_pair(&p, all[i]);
            p.spoil = (int)roll(4);
            p.spoil_at = roll(120);
            p.spoil_by = (uint8_t)(1 + roll(255));
            struct end end = talk(&p, sp_view_make(p.password, p.password_len));
            assert_false(end.broken);
            if (p.spoilt && end.server_yes && end.client_yes)
                fail_msg("%s: octet %zu of message %d by %02x", all[i], p.spoil_at, p.spoil, p.spoil_by);
        }
}

/* Of the others every octet of the password, the digest or the token, and with PLAIN of the name. */
static void a_changed_response_is_refused(void **state)
{
    (void)state;
    for (size_t i = 4; i < ALL_N; i++)
        for (int flip = 0; flip < FLIPS; flip++) {
            struct pair p;
            make_pair(&p, all[i]);
            p.spoil = 0;
            p.spoil_by = 1;
            if (strcmp(all[i], "LOGIN") == 0) {
                p.spoil = 3;
                p.spoil_back = 1 + roll(p.password_len);
            } else if (strcmp(all[i], "CRAM-MD5") == 0) {
                p.spoil = 1;
                p.spoil_back = 1 + roll(32);
                p.spoil_by = 0x40; /* not the same digit in another case */
            } else if (strcmp(all[i], "PLAIN") == 0) {
                p.spoil_back = 1 + roll(p.user_len + 1 + p.password_len);
            } else {
                p.spoil_back = 3 + roll(p.password_len); /* two octets 1 stand behind the token */
            }
            struct end end = talk(&p, sp_view_make(p.password, p.password_len));
            assert_true(p.spoilt);
            if (end.server_yes || end.broken)
                fail_msg("%s: octet %zu of message %d", all[i], p.spoil_at, p.spoil);
        }
}

/* Somebody in the middle has a connection to each side: the data differ. */
static void nobody_passes_it_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (int round = 0; round < ROUNDS / 2; round++) {
            struct pair p;
            make_pair(&p, all[i]);
            p.client_channel = SP_LIT("another TLS connection");
            struct end end = talk(&p, sp_view_make(p.password, p.password_len));
            assert_false(end.server_yes || end.client_yes || end.broken);
        }
}

/* Messages of a good exchange, cut, doubled and in any order, to either side: an end, and never a yes for who
 * has proved nothing. */
static void any_order_ends(void **state)
{
    static const struct sp_view words[] = {SP_LIT_INIT(""),
                                           SP_LIT_INIT("*"),
                                           SP_LIT_INIT("n,,n=user,r=abc"),
                                           SP_LIT_INIT("p=tls-exporter,,n=user,r=abc"),
                                           SP_LIT_INIT("c=biws,r=abcdef,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                                           SP_LIT_INIT("r=abcdef,s=QSXCR+Q6sek8bf92,i=4096"),
                                           SP_LIT_INIT("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="),
                                           SP_LIT_INIT("e=other-error"),
                                           SP_LIT_INIT("\0user\0wrong"),
                                           SP_LIT_INIT("user"),
                                           SP_LIT_INIT("user 0123456789abcdef0123456789abcdef"),
                                           SP_LIT_INIT("<1.2@host>"),
                                           SP_LIT_INIT("n,,\1auth=Bearer x\1\1"),
                                           SP_LIT_INIT("user=user\1auth=Bearer x\1\1"),
                                           SP_LIT_INIT("{\"status\":\"401\"}"),
                                           SP_LIT_INIT("\1")};
    (void)state;
    struct pair p;
    for (size_t i = 0; i < ALL_N; i++) {
        make_pair(&p, all[i]);
        for (int round = 0; round < 400; round++) {
            struct sasl_server *s = make_server(&p);
            enum sasl_server_state at = SASL_SERVER_CHALLENGE;
            for (int turn = 0; turn < MESSAGES_MAX && at == SASL_SERVER_CHALLENGE; turn++) {
                struct sp_view w = words[roll(sizeof words / sizeof *words)];
                w = sp_view_sub(w, 0, roll(4) ? w.len : roll(w.len + 1));
                at = turn == 0 ? sasl_server_start(s, roll(2), w) : sasl_server_step(s, w);
                while (at == SASL_SERVER_ASK_PASSWORD || at == SASL_SERVER_ASK_VERIFIER ||
                       at == SASL_SERVER_ASK_TOKEN)
                    at = settle(&p, s, at);
            }
            assert_true(at == SASL_SERVER_NO);
            sasl_server_free(s);
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(both_agree_on_one_secret_only),
    cmocka_unit_test(no_octet_of_scram_can_be_another),
    cmocka_unit_test(a_changed_response_is_refused),
    cmocka_unit_test(nobody_passes_it_on),
    cmocka_unit_test(any_order_ends),
};

TAP_MAIN(tests)
