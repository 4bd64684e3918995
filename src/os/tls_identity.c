/* The certificate that a sandbox shows, and fingerprints. */
#include "os/tls.h"

#include "base/view.h"
#include "os/heap.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum { SERIAL_BITS = 127, YEAR_DAYS = 3653, SKEW_S = 3600, COMMON_NAME_MAX = 64 };

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

/* Built by hand: the text form of X509V3_EXT_conf would give a comma in a name a meaning. */
static bool add_name(GENERAL_NAMES *names, const char *name)
{
    uint8_t ip[16];
    int v4 = inet_pton(AF_INET, name, ip), v6 = v4 == 1 ? 0 : inet_pton(AF_INET6, name, ip);
    bool numeric = v4 == 1 || v6 == 1;
    GENERAL_NAME *one = GENERAL_NAME_new();
    ASN1_OCTET_STRING *value = numeric ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    const void *p = numeric ? (const void *)ip : (const void *)name;
    int n = v4 == 1 ? 4 : v6 == 1 ? 16 : (int)strlen(name);
    if (!one || !value || !ASN1_STRING_set(value, p, n)) {
        GENERAL_NAME_free(one);
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(one, numeric ? GEN_IPADD : GEN_DNS, value);
    if (sk_GENERAL_NAME_push(names, one) > 0)
        return true;
    GENERAL_NAME_free(one);
    return false;
}

static bool add_names(X509 *cert, const char *hostname)
{
    static const char *const more[] = {"localhost", "127.0.0.1", "::1"};
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool ok = names && add_name(names, hostname);
    for (size_t i = 0; ok && i < sizeof more / sizeof *more; i++)
        if (strcmp(more[i], hostname) != 0)
            ok = add_name(names, more[i]);
    ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1;
    GENERAL_NAMES_free(names);
    return ok;
}

static bool set_serial(X509 *cert)
{
    BIGNUM *n = BN_new();
    bool ok = n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
    return ok;
}

static X509 *make_certificate(const char *hostname, EVP_PKEY *key)
{
    X509 *cert = X509_new();
    if (!cert)
        return NULL;
    X509_NAME *subject = X509_get_subject_name(cert);
    /* The field is too short for some names; they stand among the alternative names in any case. */
    const char *common = strlen(hostname) <= COMMON_NAME_MAX ? hostname : "sallyport";
    bool ok = X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
              X509_gmtime_adj(X509_getm_notBefore(cert), -SKEW_S) &&
              X509_time_adj_ex(X509_getm_notAfter(cert), YEAR_DAYS, 0, NULL) && X509_set_pubkey(cert, key) &&
              X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const uint8_t *)common, -1,
                                         -1, 0) &&
              X509_set_issuer_name(cert, subject) &&
              add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
              add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
              add_extension(cert, NID_ext_key_usage, "serverAuth") &&
              add_extension(cert, NID_subject_key_identifier, "hash") && add_names(cert, hostname) &&
              X509_sign(cert, key, EVP_sha256()) > 0;
    if (ok)
        return cert;
    X509_free(cert);
    return NULL;
}

static bool append(BIO *from, struct sp_buf *out)
{
    char *p;
    long n = BIO_get_mem_data(from, &p);
    if (n <= 0 || sp_buf_add(out, sp_view_make(p, (size_t)n)))
        return false;
    OPENSSL_cleanse(p, (size_t)n);
    return true;
}

int os_tls_make_identity(const char *hostname, struct sp_buf *certificate_pem_out, struct sp_buf *key_pem_out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key ? make_certificate(hostname, key) : NULL;
    BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
    bool ok = cert && cert_pem && key_pem && PEM_write_bio_X509(cert_pem, cert) &&
              PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) &&
              append(cert_pem, certificate_pem_out) && append(key_pem, key_pem_out);
    BIO_free(cert_pem);
    BIO_free(key_pem);
    X509_free(cert);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok ? SP_OK : SP_ERR_IO;
}

int os_tls_fingerprint(struct sp_view certificates_pem, struct sp_buf *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    BIO *in = certificates_pem.len > 0 && certificates_pem.len <= INT32_MAX
                  ? BIO_new_mem_buf(certificates_pem.p, (int)certificates_pem.len)
                  : NULL;
    X509 *leaf = in ? PEM_read_bio_X509_AUX(in, NULL, NULL, NULL) : NULL;
    bool ok = leaf && X509_digest(leaf, EVP_sha256(), digest, &n) == 1;
    X509_free(leaf);
    BIO_free(in);
    ERR_clear_error();
    if (!ok)
        return SP_ERR_SYNTAX;
    for (unsigned i = 0; i < n; i++) {
        char text[4];
        snprintf(text, sizeof text, "%s%02X", i ? ":" : "", digest[i]);
        sp_buf_add_str(out, text);
    }
    return sp_buf_status(out);
}
