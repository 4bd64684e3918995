/* The certificates that the peer showed, one by one. */
#include "base/view.h"
#include "os/stream_state.h"
#include "os/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void name_text(const X509_NAME *name, char text_out[OS_TLS_NAME_LEN])
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    long n = 0;
    if (out && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
        n = BIO_get_mem_data(out, &text);
    snprintf(text_out, OS_TLS_NAME_LEN, "%.*s", (int)n, text ? text : "");
    BIO_free(out);
}

static int64_t time_ms(const ASN1_TIME *t)
{
    struct tm tm = {0};
    return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) * 1000 : 0;
}

static void add_name(const GENERAL_NAME *name, char text_out[OS_TLS_NAMES_LEN])
{
    size_t len = strlen(text_out);
    char one[OS_TLS_NAME_LEN] = "";
    if (name->type == GEN_DNS) {
        const ASN1_STRING *s = name->d.dNSName;
        snprintf(one, sizeof one, "%.*s", ASN1_STRING_length(s), (const char *)ASN1_STRING_get0_data(s));
    } else if (name->type == GEN_IPADD) {
        const ASN1_OCTET_STRING *s = name->d.iPAddress;
        const uint8_t *p = ASN1_STRING_get0_data(s);
        if (ASN1_STRING_length(s) == 4)
            snprintf(one, sizeof one, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
        for (int i = 0; ASN1_STRING_length(s) == 16 && i < 16; i += 2)
            snprintf(one + strlen(one), sizeof one - strlen(one), "%s%x", i ? ":" : "", p[i] << 8 | p[i + 1]);
    }
    for (char *c = one; *c; c++)
        if (*c <= ' ' || *c > '~')
            *c = '?';
    if (one[0] && len + strlen(one) + 2 < OS_TLS_NAMES_LEN)
        snprintf(text_out + len, OS_TLS_NAMES_LEN - len, "%s%s", len ? " " : "", one);
}

static void names_text(const X509 *x, char text_out[OS_TLS_NAMES_LEN])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    text_out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        add_name(sk_GENERAL_NAME_value(names, i), text_out);
    GENERAL_NAMES_free(names);
}

static void fingerprint(const X509 *x, char text_out[OS_TLS_FINGERPRINT_LEN])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    text_out[0] = '\0';
    if (!X509_digest(x, EVP_sha256(), digest, &n))
        return;
    for (unsigned i = 0; i < n; i++)
        snprintf(text_out + strlen(text_out), OS_TLS_FINGERPRINT_LEN - strlen(text_out), "%s%02X",
                 i ? ":" : "", digest[i]);
}

bool os_stream_certificate(const struct os_stream *s, size_t i, struct os_tls_certificate *certificate_out)
{
    STACK_OF(X509) *chain = s->ssl && s->handshake_done ? SSL_get_peer_cert_chain(s->ssl) : NULL;
    X509 *x = chain && i < (size_t)sk_X509_num(chain) ? sk_X509_value(chain, (int)i) : NULL;
    if (!x)
        return false;
    *certificate_out = (struct os_tls_certificate){.not_before_ms = time_ms(X509_get0_notBefore(x)),
                                                   .not_after_ms = time_ms(X509_get0_notAfter(x))};
    name_text(X509_get_subject_name(x), certificate_out->subject);
    name_text(X509_get_issuer_name(x), certificate_out->issuer);
    names_text(x, certificate_out->names);
    fingerprint(x, certificate_out->sha256);
    ERR_clear_error();
    return true;
}
