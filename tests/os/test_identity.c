/* Certificates and keys: made, fingerprinted, and refused with a sentence that helps. */
#include "identity.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static void test_fingerprint(void **state)
{
    (void)state;
    /* Made by: openssl req -x509 ... ; openssl x509 -fingerprint -sha256 says the same of this certificate.
     */
    struct identity id;
    struct sp_buf ours;
    make_identity(&id, "mail.example.org");
    sp_buf_init(&ours, &os_heap, 200);
    assert_int_equal(os_tls_fingerprint(sp_buf_view(&id.certificate), &ours), SP_OK);
    assert_int_equal(ours.len, 32 * 3 - 1);

    BIO *in = BIO_new_mem_buf(id.certificate.p, (int)id.certificate.len);
    X509 *cert = PEM_read_bio_X509(in, NULL, NULL, NULL);
    unsigned char der[4096], *end = der, digest[32];
    assert_true(i2d_X509(cert, NULL) < (int)sizeof der);
    int n = i2d_X509(cert, &end);
    char text[100] = "";
    assert_non_null(EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)n, digest, NULL) ? digest : NULL);
    for (size_t i = 0; i < 32; i++)
        snprintf(text + strlen(text), 4, "%s%02X", i ? ":" : "", digest[i]);
    assert_true(sp_view_eq(sp_buf_view(&ours), sp_view_of(text)));
    X509_free(cert);
    BIO_free(in);

    assert_int_equal(os_tls_fingerprint(SP_LIT("no certificate"), &ours), SP_ERR_SYNTAX);
    assert_int_equal(os_tls_fingerprint((struct sp_view){0}, &ours), SP_ERR_SYNTAX);
    sp_buf_fini(&ours);
    free_identity(&id);
}

static void refuse(struct sp_view certificates, struct sp_view key, const char *words)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1000);
    assert_null(os_tls_server_new(certificates, key, &error));
    sp_buf_add_u8(&error, 0);
    if (!strstr((const char *)error.p, words))
        fail_msg("\"%s\" does not say \"%s\"", (const char *)error.p, words);
    assert_int_equal(ERR_peek_error(), 0);
    sp_buf_fini(&error);
}

static void test_faulty_identities(void **state)
{
    (void)state;
    struct identity a, b;
    struct sp_buf broken;
    make_identity(&a, "a.example.org");
    make_identity(&b, "b.example.org");
    struct sp_view cert = sp_buf_view(&a.certificate), key = sp_buf_view(&a.key);
    refuse(SP_LIT(""), key, "certificate: there is no certificate");
    refuse(key, key, "certificate: there is no certificate");
    refuse(cert, SP_LIT(""), "key: there is no private key");
    refuse(cert, cert, "key: there is no private key");
    refuse(cert, sp_buf_view(&b.key), "key: the key is not that of the certificate");
    refuse(cert,
           SP_LIT("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                  "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiB1ZYbAWZv2gICCAAw\n"
                  "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEGqzPCFCd0IR8nSCkgmJ1hEEgZB4\n"
                  "-----END ENCRYPTED PRIVATE KEY-----\n"),
           "key: ");
    sp_buf_init(&broken, &os_heap, 1 << 16);
    sp_buf_add(&broken, cert);
    sp_buf_add(&broken, SP_LIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    refuse(sp_buf_view(&broken), key, "behind the first one");
    sp_buf_fini(&broken);
    free_identity(&a);
    free_identity(&b);
}

static void test_passphrase(void **state)
{
    (void)state;
    struct identity id;
    make_identity(&id, "a.example.org");
    BIO *in = BIO_new_mem_buf(id.key.p, (int)id.key.len), *out = BIO_new(BIO_s_mem());
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    char *pem;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(out, key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL), 1);
    long n = BIO_get_mem_data(out, &pem);
    refuse(sp_buf_view(&id.certificate), sp_view_make(pem, (size_t)n), "passphrase: store it without one");
    EVP_PKEY_free(key);
    BIO_free(in);
    BIO_free(out);
    free_identity(&id);
}

static void test_ca_file_absent(void **state)
{
    (void)state;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1000);
    assert_null(os_tls_client_new(OS_TLS_VERIFIED, "/nonexistent/ca.pem", &error));
    assert_true(
        sp_view_eq(sp_buf_view(&error), SP_LIT("/nonexistent/ca.pem: no CA certificate can be read from it: "
                                               "No such file or directory")));
    sp_buf_clear(&error);
    assert_null(os_tls_client_new(OS_TLS_ANY, "/dev/null", &error));
    assert_true(
        sp_view_starts(sp_buf_view(&error), SP_LIT("/dev/null: no CA certificate can be read from it: ")));
    assert_int_equal(ERR_peek_error(), 0);
    sp_buf_fini(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_faulty_identities),
        cmocka_unit_test(test_passphrase),
        cmocka_unit_test(test_ca_file_absent),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
