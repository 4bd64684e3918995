/* SCRAM's keys against the examples of RFC 5802 section 5 and RFC 7677 section 3. */
#include "octets.h"
#include "sasl/verifier.h"

static void derives(enum sasl_hash hash, const char *salt64, const char *stored64, const char *server64)
{
    uint8_t salt[32];
    size_t len = 0;
    struct sasl_keys keys;
    assert_int_equal(sp_base64_decode(sp_view_of(salt64), salt, &len), SP_OK);
    assert_int_equal(sasl_keys_derive(hash, SP_LIT("pencil"), sp_view_make(salt, len), 4096, &keys), SP_OK);
    assert_base64(sp_view_make(keys.stored, sasl_hash_len(hash)), stored64);
    assert_base64(sp_view_make(keys.server, sasl_hash_len(hash)), server64);
}

static void rfc_5802_keys(void **state)
{
    (void)state;
    derives(SASL_SHA1, "QSXCR+Q6sek8bf92", "6dlGYMOdZcOPutkcNY8U2g7vK9Y=", "D+CSWLOshSulAsxiupA+qs2/fTE=");
}

static void rfc_7677_keys(void **state)
{
    (void)state;
    derives(SASL_SHA256, "W22ZaJ0SNY7soEsUEjb6gQ==", "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=",
            "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

static void a_verifier_knows_its_password_only(void **state)
{
    struct sasl_verifier v, w;
    int which = SASL_WHICH_NONE;
    (void)state;
    assert_int_equal(sasl_verifier_make(SP_LIT("open sesame"), &v), SP_OK);
    assert_int_equal(v.iterations, 4096);
    assert_int_equal(sasl_verifier_check(&v, SP_LIT("open sesame"), &which), SP_OK);
    assert_int_equal(which, SASL_WHICH_OWN);
    assert_int_equal(sasl_verifier_check(&v, SP_LIT("open sesam"), &which), SP_OK);
    assert_int_equal(which, SASL_WHICH_NONE);
    assert_int_equal(sasl_verifier_make(SP_LIT("open sesame"), &w), SP_OK);
    assert_memory_not_equal(v.salt, w.salt, SASL_SALT_LEN);
}

static void a_decoy_is_stable_and_matches_nothing(void **state)
{
    struct sasl_verifier a, b, c, d;
    int which = SASL_WHICH_OWN;
    (void)state;
    assert_int_equal(sasl_verifier_decoy(SP_LIT("secret"), SP_LIT("nobody"), &a), SP_OK);
    assert_int_equal(sasl_verifier_decoy(SP_LIT("secret"), SP_LIT("nobody"), &b), SP_OK);
    assert_int_equal(sasl_verifier_decoy(SP_LIT("secret"), SP_LIT("nobodz"), &c), SP_OK);
    assert_int_equal(sasl_verifier_decoy(SP_LIT("another"), SP_LIT("nobody"), &d), SP_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(a.salt, c.salt, SASL_SALT_LEN);
    assert_memory_not_equal(a.salt, d.salt, SASL_SALT_LEN);
    assert_int_equal(a.salt_len, SASL_SALT_LEN);
    assert_int_equal(a.iterations, SASL_ITERATIONS);
    assert_int_equal(sasl_verifier_check(&a, SP_LIT("nobody"), &which), SP_OK);
    assert_int_equal(which, SASL_WHICH_NONE);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rfc_5802_keys),
    cmocka_unit_test(rfc_7677_keys),
    cmocka_unit_test(a_verifier_knows_its_password_only),
    cmocka_unit_test(a_decoy_is_stable_and_matches_nothing),
};

TAP_MAIN(tests)
