/* SCRAM against the examples of RFC 5802 section 5 and RFC 7677 section 3, and what both sides refuse. */
#include "octets.h"
#include "sasl/client.h"
#include "sasl/scram.h"
#include "sasl/server.h"

#include <stdio.h>

struct example {
    const char *mechanism;
    enum sasl_hash hash;
    const char *client_nonce, *server_nonce, *salt;
    const char *client_first, *server_first, *client_final, *server_final;
};

static const struct example examples[] = {
    {"SCRAM-SHA-1", SASL_SHA1, "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92",
     "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
     "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
     "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
     "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
    {"SCRAM-SHA-256", SASL_SHA256, "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
     "W22ZaJ0SNY7soEsUEjb6gQ==", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
};
enum { EXAMPLE_N = sizeof examples / sizeof *examples };

static struct sasl_verifier verifier_of(const struct example *e)
{
    struct sasl_verifier v = {.iterations = 4096};
    assert_int_equal(sp_base64_decode(sp_view_of(e->salt), v.salt, &v.salt_len), SP_OK);
    for (unsigned h = 0; h < SASL_HASH_N; h++)
        assert_int_equal(sasl_keys_derive((enum sasl_hash)h, SP_LIT("pencil"),
                                          sp_view_make(v.salt, v.salt_len), v.iterations, &v.keys[h]),
                         SP_OK);
    return v;
}

static struct sasl_server *begin(const struct example *e)
{
    struct sasl_server *s = NULL;
    assert_int_equal(sasl_server_new(sp_view_of(e->mechanism), &os_heap, &s), SP_OK);
    return s;
}

/* A server that has said its first message. */
static struct sasl_server *challenged(const struct example *e, bool usable)
{
    struct sasl_server *s = begin(e);
    struct sasl_verifier v = verifier_of(e);
    scram_fix_nonce(e->server_nonce);
    assert_int_equal(sasl_server_start(s, true, sp_view_of(e->client_first)), SASL_SERVER_ASK_VERIFIER);
    assert_view(sasl_server_user(s), SP_LIT("user"));
    assert_int_equal(sasl_server_give_verifier(s, &v, usable), SASL_SERVER_CHALLENGE);
    assert_view(sasl_server_challenge(s), sp_view_of(e->server_first));
    scram_fix_nonce(NULL);
    return s;
}

static void the_server_follows_the_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLE_N; i++) {
        struct sasl_server *s = challenged(&examples[i], true);
        assert_int_equal(sasl_server_step(s, sp_view_of(examples[i].client_final)), SASL_SERVER_CHALLENGE);
        assert_view(sasl_server_challenge(s), sp_view_of(examples[i].server_final));
        assert_int_equal(sasl_server_step(s, SP_LIT("")), SASL_SERVER_YES);
        sasl_server_free(s);
    }
}

static void an_unusable_user_fails_at_the_end_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLE_N; i++) {
        struct sasl_server *s = challenged(&examples[i], false);
        assert_int_equal(sasl_server_step(s, sp_view_of(examples[i].client_final)), SASL_SERVER_NO);
        assert_int_equal(sasl_server_fault(s), SASL_FAULT_REFUSED);
        sasl_server_free(s);
    }
}

static void the_last_word_is_empty(void **state)
{
    struct sasl_server *s = challenged(&examples[0], true);
    (void)state;
    assert_int_equal(sasl_server_step(s, sp_view_of(examples[0].client_final)), SASL_SERVER_CHALLENGE);
    assert_int_equal(sasl_server_step(s, SP_LIT("x")), SASL_SERVER_NO);
    sasl_server_free(s);
}

static void first_refused(const char *message, enum sasl_fault wanted)
{
    struct sasl_server *s = begin(&examples[1]);
    assert_int_equal(sasl_server_start(s, true, sp_view_of(message)), SASL_SERVER_NO);
    if (sasl_server_fault(s) != wanted)
        fail_msg("'%s' is %s", message, sasl_fault_id(sasl_server_fault(s)));
    sasl_server_free(s);
}

static void first_taken(const char *message, const char *user)
{
    struct sasl_server *s = begin(&examples[1]);
    assert_int_equal(sasl_server_start(s, true, sp_view_of(message)), SASL_SERVER_ASK_VERIFIER);
    assert_view(sasl_server_user(s), sp_view_of(user));
    sasl_server_free(s);
}

static void first_messages(void **state)
{
    static char long_nonce[400];
    (void)state;
    first_taken("y,,n=user,r=abc", "user");
    first_taken("n,a=user,n=user,r=abc", "user");
    first_taken("n,,n=a=2Cb=3Dc,r=abc", "a,b=c");
    first_taken("n,,n=user,r=abc,x=an-extension", "user");
    first_refused("", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n=user,r=abc", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,,", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,,n=user", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,,r=abc,n=user", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,,n=user,r=", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,,n=user,r=a b", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,,n=user,r=abc,", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,,n=user,r=abc,1=x", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,,n=us=er,r=abc", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,,n=us=2,r=abc", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,,n=us=2c,r=abc", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("z,,n=user,r=abc", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,user,n=user,r=abc", SASL_FAULT_SCRAM_GRAMMAR);
    first_refused("n,,n=,r=abc", SASL_FAULT_EMPTY_USER);
    first_refused("n,,m=x,n=user,r=abc", SASL_FAULT_SCRAM_EXTENSION);
    first_refused("p=tls-exporter,,n=user,r=abc", SASL_FAULT_BINDING_UNAVAILABLE);
    first_refused("n,a=other,n=user,r=abc", SASL_FAULT_OTHER_AUTHZID);
    memset(long_nonce, 'r', sizeof long_nonce - 1);
    memcpy(long_nonce, "n,,n=user,r=", 12);
    first_refused(long_nonce, SASL_FAULT_SCRAM_GRAMMAR);
}

static void final_refused(const char *message, enum sasl_fault wanted)
{
    struct sasl_server *s = challenged(&examples[0], true);
    assert_int_equal(sasl_server_step(s, sp_view_of(message)), SASL_SERVER_NO);
    if (sasl_server_fault(s) != wanted)
        fail_msg("'%s' is %s", message, sasl_fault_id(sasl_server_fault(s)));
    sasl_server_free(s);
}

#define NONCE "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
#define PROOF "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="

static void final_messages(void **state)
{
    (void)state;
    final_refused("", SASL_FAULT_SCRAM_GRAMMAR);
    final_refused("c=biws,r=" NONCE, SASL_FAULT_SCRAM_GRAMMAR);
    final_refused("p=" PROOF, SASL_FAULT_SCRAM_GRAMMAR);
    final_refused("r=" NONCE ",c=biws,p=" PROOF, SASL_FAULT_SCRAM_GRAMMAR);
    final_refused("c=biws,r=" NONCE ",p=" PROOF ",x=y", SASL_FAULT_SCRAM_GRAMMAR);
    final_refused("c=biws,r=" NONCE ",p=AAAA", SASL_FAULT_SCRAM_GRAMMAR);
    final_refused("c=biws,r=" NONCE ",p=not base64", SASL_FAULT_SCRAM_GRAMMAR);
    final_refused("c=biws,r=" NONCE "x,p=" PROOF, SASL_FAULT_SCRAM_NONCE);
    final_refused("c=biws,r=fyko+d2lbbFgONRv9qkxdawL,p=" PROOF, SASL_FAULT_SCRAM_NONCE);
    final_refused("c=eSws,r=" NONCE ",p=" PROOF, SASL_FAULT_SCRAM_BINDING); /* "y,," */
    final_refused("c=biws,r=" NONCE ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Tt=", SASL_FAULT_SCRAM_GRAMMAR);
    final_refused("c=biws,r=" NONCE ",p=w0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", SASL_FAULT_REFUSED);
    final_refused("c=biws,r=" NONCE ",x=y,p=" PROOF, SASL_FAULT_REFUSED); /* signed otherwise */
}

/* --- the client --------------------------------------------------------------------------- */

static struct sasl_client *client(const char *mechanism, const char *user, const char *password)
{
    struct sasl_credentials credentials = {sp_view_of(user), sp_view_of(password)};
    struct sasl_client *c = NULL;
    assert_int_equal(sasl_client_new(sp_view_of(mechanism), &credentials, &os_heap, &c), SP_OK);
    return c;
}

static int step(struct sasl_client *c, const char *challenge, const char *wanted)
{
    struct sp_buf out = fresh();
    const char *sent = NULL;
    int status = sasl_client_step(c, sp_view_of(challenge), &out, &sent);
    if (status == SP_OK) {
        assert_non_null(sent);
        assert_view(sp_buf_view(&out), sp_view_of(wanted));
    } else {
        assert_int_equal(out.len, 0);
    }
    sp_buf_fini(&out);
    return status;
}

static struct sasl_client *begun(const struct example *e)
{
    struct sasl_client *c = client(e->mechanism, "user", "pencil");
    scram_fix_nonce(e->client_nonce);
    assert_true(sasl_client_has_initial(c));
    assert_int_equal(step(c, "", e->client_first), SP_OK);
    scram_fix_nonce(NULL);
    return c;
}

static void the_client_follows_the_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLE_N; i++) {
        struct sasl_client *c = begun(&examples[i]);
        assert_int_equal(step(c, examples[i].server_first, examples[i].client_final), SP_OK);
        assert_false(sasl_client_is_complete(c));
        assert_int_equal(step(c, examples[i].server_final, ""), SP_OK);
        assert_true(sasl_client_is_complete(c));
        assert_int_equal(step(c, "", ""), SP_ERR_SYNTAX);
        sasl_client_free(c);
    }
}

static void first_of_server_refused(const char *message, const char *why)
{
    struct sasl_client *c = begun(&examples[0]);
    assert_null(sasl_client_fault(c));
    assert_int_equal(step(c, message, ""), SP_ERR_SYNTAX);
    assert_non_null(strstr(sasl_client_fault(c), why));
    sasl_client_free(c);
}

static void the_client_refuses_what_a_server_may_not_say(void **state)
{
    (void)state;
    first_of_server_refused("", "not one of SCRAM");
    first_of_server_refused("r=another,s=QSXCR+Q6sek8bf92,i=4096", "nonce");
    first_of_server_refused("r=fyko+d2lbbFgONRv9qkxdawL,s=QSXCR+Q6sek8bf92,i=4096",
                            "nonce"); /* none of its own */
    first_of_server_refused("r=" NONCE ",s=,i=4096", "salt");
    first_of_server_refused("r=" NONCE ",s=***,i=4096", "salt");
    first_of_server_refused("r=" NONCE ",s=QSXCR+Q6sek8bf92,i=1", "fewer"); /* too cheap to guess at */
    first_of_server_refused("r=" NONCE ",s=QSXCR+Q6sek8bf92,i=4294967295", "1,000,000");
    first_of_server_refused("r=" NONCE ",s=QSXCR+Q6sek8bf92,i=-4096", "1,000,000");
    first_of_server_refused("m=x,r=" NONCE ",s=QSXCR+Q6sek8bf92,i=4096", "extension");
    first_of_server_refused("e=other-error", "not one of SCRAM");
}

static void the_server_must_prove_itself(void **state)
{
    static const char *const wrong[] = {
        "v=rmF9pqV8S7suAoZWja4dJRkFsKR=", "v=smF9pqV8S7suAoZWja4dJRkFsKQ=", "v=", "", "v=AAAA"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sasl_client *c = begun(&examples[0]);
        assert_int_equal(step(c, examples[0].server_first, examples[0].client_final), SP_OK);
        assert_int_equal(step(c, wrong[i], ""), SP_ERR_SYNTAX);
        assert_non_null(strstr(sasl_client_fault(c), "impostor"));
        assert_false(sasl_client_is_complete(c));
        sasl_client_free(c);
    }
}

/* The refusal itself is behind it; a yes would not be believed. */
static void an_error_of_the_server_is_acknowledged(void **state)
{
    (void)state;
    struct sasl_client *c = begun(&examples[0]);
    assert_int_equal(step(c, examples[0].server_first, examples[0].client_final), SP_OK);
    assert_int_equal(step(c, "e=invalid-proof", ""), SP_OK);
    assert_false(sasl_client_is_complete(c));
    assert_int_equal(step(c, examples[0].server_final, ""), SP_ERR_SYNTAX);
    assert_false(sasl_client_is_complete(c));
    sasl_client_free(c);
}

static void names_that_cannot_be_carried(void **state)
{
    (void)state;
    struct sasl_client *c = client("SCRAM-SHA-1", "", "x");
    assert_int_equal(step(c, "", ""), SP_ERR_MISUSE);
    sasl_client_free(c);
    c = client("SCRAM-SHA-1", "a\tb", "x");
    assert_int_equal(step(c, "", ""), SP_ERR_MISUSE);
    sasl_client_free(c);
}

/* Both sides of ours, with passwords and names that need preparing. */
static bool meet(const char *mechanism, const char *user, const char *given, const char *kept)
{
    struct sasl_client *c = client(mechanism, user, given);
    struct sasl_server *s = NULL;
    struct sasl_verifier v;
    enum sasl_fault fault;
    struct sp_buf prepared = fresh();
    assert_int_equal(sasl_prep(sp_view_of(kept), SASL_PREP_STORED, &prepared, &fault), SP_OK);
    assert_int_equal(sasl_verifier_make(sp_buf_view(&prepared), &v), SP_OK);
    sp_buf_fini(&prepared);
    assert_int_equal(sasl_server_new(sp_view_of(mechanism), &os_heap, &s), SP_OK);
    enum sasl_server_state at = sasl_server_start(s, false, SP_LIT(""));
    for (int turn = 0; turn < 8 && (at == SASL_SERVER_CHALLENGE || at == SASL_SERVER_ASK_VERIFIER); turn++) {
        struct sp_buf out = fresh();
        const char *sent = NULL;
        if (at == SASL_SERVER_ASK_VERIFIER) {
            at = sasl_server_give_verifier(s, &v, true);
            continue;
        }
        assert_int_equal(sasl_client_step(c, sasl_server_challenge(s), &out, &sent), SP_OK);
        at = sasl_server_step(s, sp_buf_view(&out));
        sp_buf_fini(&out);
    }
    assert_int_equal(at == SASL_SERVER_YES, sasl_client_is_complete(c));
    sasl_client_free(c);
    sasl_server_free(s);
    return at == SASL_SERVER_YES;
}

static void both_sides_meet(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLE_N; i++) {
        assert_true(meet(examples[i].mechanism, "demo", "secret", "secret"));
        assert_false(meet(examples[i].mechanism, "demo", "secret", "another"));
        assert_true(meet(examples[i].mechanism, "a,b=c", "m\xe1\xba\xadt", "ma\xcc\xa3\xcc\x82t"));
        assert_true(meet(examples[i].mechanism, "demo", "I\xc2\xadX", "\xe2\x85\xa8"));
    }
}

/* --- channel binding ---------------------------------------------------------------------- */

static const char data[SASL_BINDING_N][SASL_BINDING_MAX] = {
    [SASL_BINDING_EXPORTER] = "exported keying material",
    [SASL_BINDING_UNIQUE] = "a finished message",
    [SASL_BINDING_END_POINT] = "a certificate's digest",
};

/* A connection that has the kinds in the set; `other`: somebody else's connection. */
static struct sasl_binding connection(unsigned kinds, bool other)
{
    struct sasl_binding b = {0};
    for (size_t i = 0; i < SASL_BINDING_N; i++)
        if (kinds >> i & 1)
            b.data[i] = other ? SP_LIT("of another connection") : sp_view_of(data[i]);
    return b;
}

struct bound {
    const char *mechanism;
    unsigned client_kinds, server_kinds;
    bool other;        /* the client is connected to somebody in the middle */
    const char *heard; /* what the client saw behind AUTH                   */
    bool plus_offered; /* what the server did offer                         */
};

/* The whole exchange; SASL_FAULT_NONE: both are content. */
static enum sasl_fault meet_bound(const struct bound *w)
{
    struct sasl_binding here = connection(w->client_kinds, w->other),
                        there = connection(w->server_kinds, false);
    struct sasl_client *c = client(w->mechanism, "user", "pencil");
    struct sasl_verifier v;
    struct sasl_server *s = NULL;
    assert_int_equal(sasl_verifier_make(SP_LIT("pencil"), &v), SP_OK);
    assert_int_equal(sasl_server_new(sp_view_of(w->mechanism), &os_heap, &s), SP_OK);
    assert_int_equal(sasl_server_bind(s, &there, w->plus_offered), SP_OK);
    sasl_client_bind(
        c, &(struct sasl_offer){.mechanisms = sp_view_of(w->heard), .secure = true, .binding = &here});
    enum sasl_server_state at = SASL_SERVER_CHALLENGE;
    for (int turn = 0; at < SASL_SERVER_YES && turn < 5; turn++) {
        struct sp_buf out = fresh();
        const char *sent = NULL;
        struct sp_view challenge = turn == 0 ? SP_LIT("") : sasl_server_challenge(s);
        assert_int_equal(sasl_client_step(c, challenge, &out, &sent), SP_OK);
        at = turn == 0 ? sasl_server_start(s, true, sp_buf_view(&out))
                       : sasl_server_step(s, sp_buf_view(&out));
        if (at == SASL_SERVER_ASK_VERIFIER)
            at = sasl_server_give_verifier(s, &v, true);
        sp_buf_fini(&out);
    }
    enum sasl_fault fault = at == SASL_SERVER_YES ? SASL_FAULT_NONE : sasl_server_fault(s);
    assert_true(at == SASL_SERVER_YES || at == SASL_SERVER_NO);
    assert_int_equal(sasl_client_is_complete(c), at == SASL_SERVER_YES);
    sasl_client_free(c);
    sasl_server_free(s);
    return fault;
}

#define PLUS "SCRAM-SHA-256-PLUS SCRAM-SHA-256"

static void bound_to_the_channel(void **state)
{
    static const char *const mechanisms[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"};
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (unsigned kinds = 1; kinds < 1U << SASL_BINDING_N; kinds++) {
            struct bound w = {mechanisms[i], kinds, (1U << SASL_BINDING_N) - 1, false, PLUS, true};
            assert_int_equal(meet_bound(&w), SASL_FAULT_NONE);
            w.other = true;
            assert_int_equal(meet_bound(&w), SASL_FAULT_BINDING_MISMATCH);
        }
}

static void a_kind_that_the_server_has_not(void **state)
{
    (void)state;
    assert_int_equal(meet_bound(&(struct bound){"SCRAM-SHA-256-PLUS", 1, 6, false, PLUS, true}),
                     SASL_FAULT_BINDING_KIND);
    assert_int_equal(meet_bound(&(struct bound){"SCRAM-SHA-1-PLUS", 2, 5, false, PLUS, true}),
                     SASL_FAULT_BINDING_KIND);
}

/* -PLUS was taken out of the list on the way: a client that could bind says so, and is refused. */
static void a_downgrade_is_seen(void **state)
{
    (void)state;
    assert_int_equal(meet_bound(&(struct bound){"SCRAM-SHA-256", 7, 7, false, "SCRAM-SHA-256", true}),
                     SASL_FAULT_BINDING_DOWNGRADE);
    assert_int_equal(meet_bound(&(struct bound){"SCRAM-SHA-256", 7, 7, false, "SCRAM-SHA-256", false}),
                     SASL_FAULT_NONE);
    assert_int_equal(meet_bound(&(struct bound){"SCRAM-SHA-256", 7, 7, false, PLUS, true}), SASL_FAULT_NONE);
    assert_int_equal(meet_bound(&(struct bound){"SCRAM-SHA-256", 0, 7, false, "SCRAM-SHA-256", true}),
                     SASL_FAULT_NONE);
}

static void a_first_message_that_does_not_bind(void **state)
{
    (void)state;
    struct sasl_server *s = NULL;
    assert_int_equal(sasl_server_new(SP_LIT("SCRAM-SHA-1-PLUS"), &os_heap, &s), SP_OK);
    assert_int_equal(sasl_server_start(s, true, SP_LIT("n,,n=user,r=abc")), SASL_SERVER_NO);
    assert_int_equal(sasl_server_fault(s), SASL_FAULT_BINDING_MISSING);
    sasl_server_free(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_server_follows_the_examples),
    cmocka_unit_test(an_unusable_user_fails_at_the_end_only),
    cmocka_unit_test(the_last_word_is_empty),
    cmocka_unit_test(first_messages),
    cmocka_unit_test(final_messages),
    cmocka_unit_test(the_client_follows_the_examples),
    cmocka_unit_test(the_client_refuses_what_a_server_may_not_say),
    cmocka_unit_test(the_server_must_prove_itself),
    cmocka_unit_test(an_error_of_the_server_is_acknowledged),
    cmocka_unit_test(names_that_cannot_be_carried),
    cmocka_unit_test(both_sides_meet),
    cmocka_unit_test(bound_to_the_channel),
    cmocka_unit_test(a_kind_that_the_server_has_not),
    cmocka_unit_test(a_downgrade_is_seen),
    cmocka_unit_test(a_first_message_that_does_not_bind),
};

TAP_MAIN(tests)
