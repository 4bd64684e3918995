/* JSON web tokens against keys made here: each algorithm, each rule, each way to be wrong. */
#include "base/base64.h"
#include "octets.h"
#include "sasl/token.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum { NOW = 1800000000 };

static EVP_PKEY *rsa, *ec, *ed;
static struct sasl_jwks *keys;
static const struct sasl_token_rules rules = {"https://issuer.example", "sallyport", "smtp", "email"};

static void add_url(struct sp_buf *out, struct sp_view v)
{
    size_t at = out->len;
    sp_buf_add_base64(out, v);
    while (out->len > at && out->p[out->len - 1] == '=')
        out->len--;
    for (; at < out->len; at++)
        out->p[at] = out->p[at] == '+' ? '-' : out->p[at] == '/' ? '_' : out->p[at];
}

static void add_number(struct sp_buf *out, EVP_PKEY *key, const char *name)
{
    BIGNUM *n = NULL;
    uint8_t raw[512];
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
    int len = key == ec ? BN_bn2binpad(n, raw, 32) : BN_bn2bin(n, raw);
    add_url(out, sp_view_make(raw, (size_t)len));
    BN_free(n);
}

static int make_keys(void **state)
{
    struct sp_buf jwks = fresh(), error = fresh();
    uint8_t raw[32];
    size_t raw_len = sizeof raw;
    (void)state;
    rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_true(rsa && ec && ed);
    sp_buf_add_str(&jwks, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"},{\"kty\":\"RSA\",\"kid\":\"r\","
                          "\"use\":\"sig\",\"n\":\"");
    add_number(&jwks, rsa, OSSL_PKEY_PARAM_RSA_N);
    sp_buf_add_str(&jwks, "\",\"e\":\"");
    add_number(&jwks, rsa, OSSL_PKEY_PARAM_RSA_E);
    sp_buf_add_str(&jwks, "\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\",\"kid\":\"e\",\"x\":\"");
    add_number(&jwks, ec, OSSL_PKEY_PARAM_EC_PUB_X);
    sp_buf_add_str(&jwks, "\",\"y\":\"");
    add_number(&jwks, ec, OSSL_PKEY_PARAM_EC_PUB_Y);
    sp_buf_add_str(&jwks, "\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
    assert_int_equal(EVP_PKEY_get_raw_public_key(ed, raw, &raw_len), 1);
    add_url(&jwks, sp_view_make(raw, raw_len));
    sp_buf_add_str(&jwks, "\"}]}");
    assert_int_equal(sasl_jwks_parse(sp_buf_view(&jwks), &error, &keys), SP_OK);
    sp_buf_fini(&jwks);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    sasl_jwks_free(keys);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);
    return 0;
}

static void add_signature(struct sp_buf *out, EVP_PKEY *key, bool pss)
{
    uint8_t sig[512], pair[64];
    size_t len = sizeof sig;
    EVP_PKEY_CTX *how;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, &how, key == ed ? NULL : EVP_sha256(), NULL, key), 1);
    if (pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    assert_int_equal(EVP_DigestSign(ctx, sig, &len, out->p, out->len), 1);
    EVP_MD_CTX_free(ctx);
    sp_buf_add_u8(out, '.');
    if (key != ec) {
        add_url(out, sp_view_make(sig, len));
        return;
    }
    const uint8_t *der = sig;
    ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &der, (long)len);
    BN_bn2binpad(ECDSA_SIG_get0_r(parts), pair, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(parts), pair + 32, 32);
    ECDSA_SIG_free(parts);
    add_url(out, sp_view_make(pair, sizeof pair));
}

static struct sp_buf make_token(const char *header, const char *claims, EVP_PKEY *key, bool pss)
{
    struct sp_buf token = fresh();
    add_url(&token, sp_view_of(header));
    sp_buf_add_u8(&token, '.');
    add_url(&token, sp_view_of(claims));
    add_signature(&token, key, pss);
    return token;
}

#define CLAIMS(more)                                                                                         \
    "{\"iss\":\"https://issuer.example\",\"aud\":[\"x\",\"sallyport\"],\"scope\":\"imap "                    \
    "smtp\",\"exp\":1800000100," more "\"email\":\"me@example.org\"}"

static enum sasl_token_fault judge(struct sp_view token)
{
    struct sp_buf user = fresh();
    enum sasl_token_fault fault = sasl_token_check(keys, &rules, token, NOW, &user);
    if (fault == SASL_TOKEN_NONE)
        assert_view(sp_buf_view(&user), SP_LIT("me@example.org"));
    else
        assert_int_equal(user.len, 0);
    sp_buf_fini(&user);
    return fault;
}

static enum sasl_token_fault judge_made(const char *header, const char *claims, EVP_PKEY *key, bool pss)
{
    struct sp_buf token = make_token(header, claims, key, pss);
    enum sasl_token_fault fault = judge(sp_buf_view(&token));
    sp_buf_fini(&token);
    return fault;
}

static void each_algorithm(void **state)
{
    (void)state;
    assert_int_equal(judge_made("{\"alg\":\"RS256\",\"kid\":\"r\"}", CLAIMS(""), rsa, false),
                     SASL_TOKEN_NONE);
    assert_int_equal(judge_made("{\"alg\":\"PS256\"}", CLAIMS(""), rsa, true), SASL_TOKEN_NONE);
    assert_int_equal(judge_made("{\"alg\":\"ES256\",\"kid\":\"e\"}", CLAIMS(""), ec, false), SASL_TOKEN_NONE);
    assert_int_equal(judge_made("{\"alg\":\"EdDSA\"}", CLAIMS(""), ed, false), SASL_TOKEN_NONE);
}

/* RFC 8725 2.1: what the header says is not believed. */
static void algorithms_do_not_mix(void **state)
{
    (void)state;
    assert_int_equal(judge_made("{\"alg\":\"none\"}", CLAIMS(""), rsa, false), SASL_TOKEN_ALGORITHM);
    assert_int_equal(judge_made("{\"alg\":\"HS256\"}", CLAIMS(""), rsa, false), SASL_TOKEN_ALGORITHM);
    assert_int_equal(judge_made("{\"kid\":\"r\"}", CLAIMS(""), rsa, false), SASL_TOKEN_ALGORITHM);
    assert_int_equal(judge_made("{\"alg\":\"RS256\",\"crit\":[\"b64\"]}", CLAIMS(""), rsa, false),
                     SASL_TOKEN_ALGORITHM);
    assert_int_equal(judge_made("{\"alg\":\"RS256\"}", CLAIMS(""), rsa, true), SASL_TOKEN_SIGNATURE);
    assert_int_equal(judge_made("{\"alg\":\"PS256\"}", CLAIMS(""), rsa, false), SASL_TOKEN_SIGNATURE);
    assert_int_equal(judge_made("{\"alg\":\"ES256\"}", CLAIMS(""), ed, false), SASL_TOKEN_SIGNATURE);
    assert_int_equal(judge_made("{\"alg\":\"RS256\",\"kid\":\"other\"}", CLAIMS(""), rsa, false),
                     SASL_TOKEN_KEY);
    assert_int_equal(judge_made("{\"alg\":\"RS256\",\"kid\":\"e\"}", CLAIMS(""), rsa, false), SASL_TOKEN_KEY);
}

static void each_claim(void **state)
{
    static const struct {
        const char *claims;
        enum sasl_token_fault fault;
    } rows[] = {
        {CLAIMS("\"nbf\":1799999999,"), SASL_TOKEN_NONE},
        {CLAIMS("\"nbf\":1800000061,"), SASL_TOKEN_EARLY},
        {CLAIMS("\"nbf\":\"soon\","), SASL_TOKEN_EARLY},
        {"{\"iss\":\"https://"
         "issuer.example\",\"aud\":\"sallyport\",\"scp\":[\"smtp\"],\"exp\":1799999941,\"email\":"
         "\"me@example.org\"}",
         SASL_TOKEN_NONE}, /* within the leeway */
        {"{\"iss\":\"https://"
         "issuer.example\",\"aud\":\"sallyport\",\"scope\":\"smtp\",\"exp\":1799999940,\"email\":\"me\"}",
         SASL_TOKEN_EXPIRED},
        {"{\"iss\":\"https://issuer.example\",\"aud\":\"sallyport\",\"scope\":\"smtp\",\"email\":\"me\"}",
         SASL_TOKEN_EXPIRED},
        {"{\"iss\":\"https://issuer.example/"
         "\",\"aud\":\"sallyport\",\"scope\":\"smtp\",\"exp\":1800000100,\"email\":\"me\"}",
         SASL_TOKEN_ISSUER},
        {"{\"iss\":\"https://"
         "issuer.example\",\"aud\":\"other\",\"scope\":\"smtp\",\"exp\":1800000100,\"email\":\"me\"}",
         SASL_TOKEN_AUDIENCE},
        {"{\"iss\":\"https://issuer.example\",\"scope\":\"smtp\",\"exp\":1800000100,\"email\":\"me\"}",
         SASL_TOKEN_AUDIENCE},
        {"{\"iss\":\"https://"
         "issuer.example\",\"aud\":\"sallyport\",\"scope\":\"smtps\",\"exp\":1800000100,\"email\":\"me\"}",
         SASL_TOKEN_SCOPE},
        {"{\"iss\":\"https://issuer.example\",\"aud\":\"sallyport\",\"scope\":\"smtp\",\"exp\":1800000100}",
         SASL_TOKEN_USER},
        {"{\"iss\":\"https://"
         "issuer.example\",\"aud\":\"sallyport\",\"scope\":\"smtp\",\"exp\":1800000100,\"email\":7}",
         SASL_TOKEN_USER},
        {"[]", SASL_TOKEN_FORM},
        {"{\"exp\":1,\"exp\":1800000100}", SASL_TOKEN_FORM},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum sasl_token_fault fault = judge_made("{\"alg\":\"EdDSA\"}", rows[i].claims, ed, false);
        if (fault != rows[i].fault)
            fail_msg("%s: %s", rows[i].claims, sasl_token_fault_id(fault));
    }
}

/* Every octet changed, every length cut: never accepted. */
static void damage_is_seen(void **state)
{
    (void)state;
    struct sp_buf token = make_token("{\"alg\":\"ES256\"}", CLAIMS(""), ec, false);
    struct sp_view whole = sp_buf_view(&token);
    assert_int_equal(judge(whole), SASL_TOKEN_NONE);
    for (size_t i = 0; i < token.len; i++) {
        uint8_t before = token.p[i];
        assert_int_not_equal(judge(sp_view_sub(whole, 0, i)), SASL_TOKEN_NONE);
        token.p[i] = before == 'A' ? 'g' : 'A';
        assert_int_not_equal(judge(whole), SASL_TOKEN_NONE);
        token.p[i] = '=';
        assert_int_not_equal(judge(whole), SASL_TOKEN_NONE);
        token.p[i] = before;
    }
    sp_buf_add_str(&token, ".AAAA");
    assert_int_not_equal(judge(sp_buf_view(&token)), SASL_TOKEN_NONE);
    sp_buf_fini(&token);
}

static void faulty_sets(void **state)
{
    static const struct {
        const char *jwks;
        int status;
    } rows[] = {
        {"", SP_ERR_SYNTAX},
        {"[]", SP_ERR_SYNTAX},
        {"{\"keys\":{}}", SP_ERR_SYNTAX},
        {"{\"keys\":[]}", SP_ERR_ABSENT},
        {"{\"keys\":[7,null,{}]}", SP_ERR_ABSENT},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", SP_ERR_ABSENT}, /* too short */
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}", SP_ERR_ABSENT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sasl_jwks *none = NULL;
        struct sp_buf error = fresh();
        assert_int_equal(sasl_jwks_parse(sp_view_of(rows[i].jwks), &error, &none), rows[i].status);
        assert_true(error.len > 0);
        assert_null(none);
        sp_buf_fini(&error);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_algorithm), cmocka_unit_test(algorithms_do_not_mix), cmocka_unit_test(each_claim),
    cmocka_unit_test(damage_is_seen), cmocka_unit_test(faulty_sets),
};

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
