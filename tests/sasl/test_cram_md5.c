/* CRAM-MD5, both sides: the example of RFC 2195, the digest against OpenSSL's HMAC, every defect by its name.
 */
#include "octets.h"
#include "sasl/client.h"
#include "sasl/cram_md5.h"
#include "sasl/server.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define CHALLENGE "<1896.697170952@postoffice.reston.mci.net>"
#define RESPONSE  "tim b913a602c7eda7a495b4e6e7334d3890"

static struct sasl_verifier verifier_of(const char *password)
{
    struct sasl_verifier v = {.has_cram = true};
    sasl_cram_derive(sp_view_of(password), v.cram);
    return v;
}

static struct sasl_server *begin(void)
{
    struct sasl_server *s = NULL;
    assert_int_equal(sasl_server_new(SP_LIT("cram-md5"), &os_heap, &s), SP_OK);
    assert_int_equal(sasl_server_call(s, SP_LIT("mail.example.org")), SP_OK);
    return s;
}

/* What comes of this response to the RFC's challenge; the fault, when it is NO. */
static enum sasl_server_state try(const char *response, const struct sasl_verifier *v, bool usable,
                                  enum sasl_fault *fault_out)
{
    sasl_cram_fix_challenge(CHALLENGE);
    struct sasl_server *s = begin();
    assert_int_equal(sasl_server_start(s, false, SP_LIT("")), SASL_SERVER_CHALLENGE);
    assert_view(sasl_server_challenge(s), SP_LIT(CHALLENGE));
    enum sasl_server_state state = sasl_server_step(s, sp_view_of(response));
    if (state == SASL_SERVER_ASK_VERIFIER)
        state = sasl_server_give_verifier(s, v, usable);
    *fault_out = sasl_server_fault(s);
    sasl_server_free(s);
    sasl_cram_fix_challenge(NULL);
    return state;
}

static void rfc_2195_example_at_the_server(void **state)
{
    struct sasl_verifier right = verifier_of("tanstaaftanstaaf"), wrong = verifier_of("tanstaaftanstaag");
    enum sasl_fault fault;
    (void)state;
    assert_int_equal(try(RESPONSE, &right, true, &fault), SASL_SERVER_YES);
    assert_int_equal(try("tim B913A602C7EDA7A495B4E6E7334D3890", &right, true, &fault), SASL_SERVER_YES);
    assert_int_equal(try(RESPONSE, &wrong, true, &fault), SASL_SERVER_NO);
    assert_int_equal(fault, SASL_FAULT_REFUSED);
    assert_int_equal(try(RESPONSE, &right, false, &fault), SASL_SERVER_NO);
    assert_int_equal(fault, SASL_FAULT_REFUSED);
    /* A decoy that happens to be right is a decoy still. */
    right.has_cram = false;
    assert_int_equal(try(RESPONSE, &right, true, &fault), SASL_SERVER_NO);
    assert_int_equal(fault, SASL_FAULT_REFUSED);
}

static void rfc_2195_example_at_the_client(void **state)
{
    const struct sasl_credentials tim = {.user = SP_LIT("tim"), .password = SP_LIT("tanstaaftanstaaf")};
    struct sasl_client *c = NULL;
    struct sp_buf out = fresh();
    const char *sent = NULL;
    (void)state;
    assert_int_equal(sasl_client_new(SP_LIT("CRAM-MD5"), &tim, &os_heap, &c), SP_OK);
    assert_false(sasl_client_has_initial(c));
    assert_int_equal(sasl_client_step(c, SP_LIT(CHALLENGE), &out, &sent), SP_OK);
    assert_view(sp_buf_view(&out), SP_LIT(RESPONSE));
    assert_string_equal(sent, "user name and proof of the password");
    assert_true(sasl_client_is_complete(c));
    /* A second challenge is no CRAM-MD5. */
    assert_int_equal(sasl_client_step(c, SP_LIT(CHALLENGE), &out, &sent), SP_ERR_SYNTAX);
    sasl_client_free(c);
    sp_buf_fini(&out);
}

/* Of an empty challenge a digest would be good for ever, wherever it is said. */
static void an_empty_challenge_is_not_answered(void **state)
{
    const struct sasl_credentials tim = {.user = SP_LIT("tim"), .password = SP_LIT("tanstaaftanstaaf")};
    struct sasl_client *c = NULL;
    struct sp_buf out = fresh();
    const char *sent = NULL;
    (void)state;
    assert_int_equal(sasl_client_new(SP_LIT("CRAM-MD5"), &tim, &os_heap, &c), SP_OK);
    assert_int_equal(sasl_client_step(c, SP_LIT(""), &out, &sent), SP_ERR_SYNTAX);
    assert_int_equal(out.len, 0);
    sasl_client_free(c);
    sp_buf_fini(&out);
}

/* Keys below, at and above a block; texts across the blocks of MD5. */
static void the_digest_is_hmac_md5(void **state)
{
    uint8_t octets[200], secret[SASL_CRAM_LEN], digest[SASL_CRAM_DIGEST_LEN], wanted[EVP_MAX_MD_SIZE];
    unsigned len;
    (void)state;
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)(i * 37 + 11);
    for (size_t key = 1; key < 140; key += key < 60 || key > 68 ? 13 : 1)
        for (size_t text = 1; text < sizeof octets; text += 9) {
            sasl_cram_derive(sp_view_make(octets, key), secret);
            sasl_cram_digest(secret, sp_view_make(octets, text), digest);
            assert_non_null(HMAC(EVP_md5(), octets, (int)key, octets, text, wanted, &len));
            assert_int_equal(len, sizeof digest);
            assert_memory_equal(digest, wanted, sizeof digest);
        }
}

static void each_challenge_is_new(void **state)
{
    struct sp_buf before = fresh();
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct sasl_server *s = begin();
        assert_int_equal(sasl_server_start(s, false, SP_LIT("")), SASL_SERVER_CHALLENGE);
        struct sp_view challenge = sasl_server_challenge(s);
        assert_int_equal(challenge.len, 1 + 32 + sizeof "@mail.example.org>" - 1);
        assert_int_equal(challenge.p[0], '<');
        assert_view(sp_view_from(challenge, 33), SP_LIT("@mail.example.org>"));
        assert_false(sp_view_eq(challenge, sp_buf_view(&before)));
        sp_buf_clear(&before);
        sp_buf_add(&before, challenge);
        sasl_server_free(s);
    }
    sp_buf_fini(&before);
}

static void the_server_speaks_first(void **state)
{
    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        struct sasl_server *s = begin();
        assert_int_equal(sasl_server_start(s, true, empty ? SP_LIT("") : SP_LIT(RESPONSE)), SASL_SERVER_NO);
        assert_int_equal(sasl_server_fault(s), SASL_FAULT_INITIAL);
        assert_int_equal(sasl_fault_class(sasl_server_fault(s)), SASL_INITIAL);
        sasl_server_free(s);
    }
}

static void every_defect_has_a_name(void **state)
{
    static const struct {
        const char *response;
        enum sasl_fault fault;
    } cases[] = {
        {"", SASL_FAULT_EMPTY},
        {"tim", SASL_FAULT_CRAM_GRAMMAR},
        {"b913a602c7eda7a495b4e6e7334d3890", SASL_FAULT_CRAM_GRAMMAR},
        {" b913a602c7eda7a495b4e6e7334d3890", SASL_FAULT_CRAM_GRAMMAR},
        {"tim b913a602c7eda7a495b4e6e7334d389", SASL_FAULT_CRAM_GRAMMAR},
        {"tim b913a602c7eda7a495b4e6e7334d38900", SASL_FAULT_CRAM_GRAMMAR},
        {"tim b913a602c7eda7a495b4e6e7334d389g", SASL_FAULT_CRAM_GRAMMAR},
        {"tim\tb913a602c7eda7a495b4e6e7334d3890", SASL_FAULT_CRAM_GRAMMAR},
        {"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw", SASL_FAULT_DOUBLE_BASE64},
        {"t\xffm b913a602c7eda7a495b4e6e7334d3890", SASL_FAULT_NOT_UTF8},
        {"tim\n b913a602c7eda7a495b4e6e7334d3890", SASL_FAULT_TRAILING_NEWLINE},
    };
    struct sasl_verifier v = verifier_of("tanstaaftanstaaf");
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum sasl_fault fault;
        assert_int_equal(try(cases[i].response, &v, true, &fault), SASL_SERVER_NO);
        assert_string_equal(sasl_fault_id(fault), sasl_fault_id(cases[i].fault));
    }
}

/* A name may hold spaces, as in other mechanisms. */
static void client_and_server_agree(void **state)
{
    const struct sasl_credentials user = {.user = SP_LIT("Tim B. Lee"), .password = SP_LIT("p\xc3\xa4ss")};
    struct sasl_verifier v = verifier_of("p\xc3\xa4ss");
    struct sasl_client *c = NULL;
    struct sasl_server *s = begin();
    struct sp_buf out = fresh();
    const char *sent = NULL;
    (void)state;
    assert_int_equal(sasl_client_new(SP_LIT("CRAM-MD5"), &user, &os_heap, &c), SP_OK);
    assert_int_equal(sasl_server_start(s, false, SP_LIT("")), SASL_SERVER_CHALLENGE);
    assert_int_equal(sasl_client_step(c, sasl_server_challenge(s), &out, &sent), SP_OK);
    assert_int_equal(sasl_server_step(s, sp_buf_view(&out)), SASL_SERVER_ASK_VERIFIER);
    assert_view(sasl_server_user(s), SP_LIT("Tim B. Lee"));
    assert_int_equal(sasl_server_give_verifier(s, &v, true), SASL_SERVER_YES);
    sasl_client_free(c);
    sasl_server_free(s);
    sp_buf_fini(&out);
}

/* Whatever stands in for a user who is not there: always the same, and of the server's secret. */
static void a_decoy_has_a_secret_too(void **state)
{
    struct sasl_verifier one, again, other;
    static const uint8_t zeros[SASL_CRAM_LEN];
    (void)state;
    assert_int_equal(sasl_verifier_decoy(SP_LIT("secret"), SP_LIT("nobody"), &one), SP_OK);
    assert_int_equal(sasl_verifier_decoy(SP_LIT("secret"), SP_LIT("nobody"), &again), SP_OK);
    assert_int_equal(sasl_verifier_decoy(SP_LIT("other"), SP_LIT("nobody"), &other), SP_OK);
    assert_false(one.has_cram);
    assert_memory_equal(one.cram, again.cram, sizeof one.cram);
    assert_memory_not_equal(one.cram, other.cram, sizeof one.cram);
    assert_memory_not_equal(one.cram, zeros, sizeof one.cram);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rfc_2195_example_at_the_server),
    cmocka_unit_test(rfc_2195_example_at_the_client),
    cmocka_unit_test(an_empty_challenge_is_not_answered),
    cmocka_unit_test(the_digest_is_hmac_md5),
    cmocka_unit_test(each_challenge_is_new),
    cmocka_unit_test(the_server_speaks_first),
    cmocka_unit_test(every_defect_has_a_name),
    cmocka_unit_test(client_and_server_agree),
    cmocka_unit_test(a_decoy_has_a_secret_too),
};

TAP_MAIN(tests)
