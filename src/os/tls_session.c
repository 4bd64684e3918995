#include "os/heap.h"
#include "os/tls_context.h"

#include "base/view.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- names ----------------------------------------------------------------------------------- */

static char *common_name(X509 *leaf)
{
    X509_NAME *subject = X509_get_subject_name(leaf);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *utf8 = NULL;
    int n =
        at < 0 ? -1 : ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    char *name = n > 0 && !memchr(utf8, 0, (size_t)n) ? os_text(sp_view_make(utf8, (size_t)n)) : NULL;
    OPENSSL_free(utf8);
    return name;
}

static char *first_dns_name(X509 *leaf)
{
    char *name = NULL;
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names && !name && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        if (one->type != GEN_DNS)
            continue;
        const unsigned char *p = ASN1_STRING_get0_data(one->d.dNSName);
        size_t n = (size_t)ASN1_STRING_length(one->d.dNSName);
        if (n > 0 && !memchr(p, 0, n))
            name = os_text(sp_view_make(p, n));
    }
    GENERAL_NAMES_free(names);
    return name;
}

static char *name_of(X509 *leaf)
{
    char *name = common_name(leaf);
    return name ? name : first_dns_name(leaf);
}

/* --- handshakes ------------------------------------------------------------------------------ */

/* Whose certificate was refused: OpenSSL forgets it before the handshake returns. */
static char refused_name[128];

int tls_note_refused(int ok, X509_STORE_CTX *chain)
{
    if (ok)
        return ok;
    X509 *leaf = X509_STORE_CTX_get0_cert(chain);
    char *name = leaf ? name_of(leaf) : NULL;
    snprintf(refused_name, sizeof refused_name, "%s", name ? name : "");
    free(name);
    return ok;
}

static bool is_ip(const char *name)
{
    uint8_t ip[16];
    return inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;
}

/* An address is no SNI (RFC 6066 3) but can be verified. */
static bool expect_name(SSL *ssl, const char *name)
{
    if (is_ip(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool expect(struct os_tls_context *t, SSL *ssl, const char *server_name, const struct tls_dane *dane)
{
    if (t->server)
        return true;
    if (t->verify == OS_TLS_DANE)
        return dane && server_name && tls_dane_expect(ssl, server_name, dane);
    return !server_name || expect_name(ssl, server_name);
}

SSL *tls_begin(struct os_tls_context *t, int fd, const char *server_name, const struct tls_dane *dane)
{
    SSL *ssl = SSL_new(t->ctx);
    if (!ssl || !SSL_set_fd(ssl, fd) || !expect(t, ssl, server_name, dane)) {
        SSL_free(ssl);
        return NULL;
    }
    if (t->server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    return ssl;
}

/* --- kinds of failure ----------------------------------------------------------------------- */

static enum os_tls_fault fault_of(long verdict)
{
    switch (verdict) {
    case X509_V_OK:
        return OS_TLS_FAULT_NONE;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return OS_TLS_FAULT_EXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return OS_TLS_FAULT_NAME;
    case X509_V_ERR_DANE_NO_MATCH:
        return OS_TLS_FAULT_TLSA;
    default:
        return OS_TLS_FAULT_UNTRUSTED;
    }
}

enum os_tls_fault tls_fault_of(SSL *ssl)
{
    unsigned long error = ERR_peek_error();
    bool certificate =
        ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    enum os_tls_fault fault = certificate ? fault_of(SSL_get_verify_result(ssl)) : OS_TLS_FAULT_NONE;
    return fault ? fault : OS_TLS_FAULT_HANDSHAKE;
}

/* --- facts ---------------------------------------------------------------------------------- */

struct os_tls_facts *tls_facts_new(SSL *ssl, const struct os_tls_context *t, const char *server_name)
{
    struct os_tls_facts *f = os_new(sizeof *f);
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    bool judged = t->server ? t->asks : server_name != NULL;
    *f = (struct os_tls_facts){
        .version = SSL_get_version(ssl),
        .cipher = SSL_get_cipher_name(ssl),
        .bits = SSL_get_cipher_bits(ssl, NULL),
        .peer_shown = leaf != NULL,
        .peer_verified = leaf && judged && SSL_get_verify_result(ssl) == X509_V_OK,
    };
    f->dane = f->peer_verified && SSL_get0_dane_authority(ssl, NULL, NULL) >= 0;
    f->peer_name = leaf ? name_of(leaf) : NULL;
    if (leaf && judged)
        f->fault = fault_of(SSL_get_verify_result(ssl));
    if (leaf && judged && !f->peer_verified)
        f->peer_fault = X509_verify_cert_error_string(SSL_get_verify_result(ssl));
    ERR_clear_error();
    return f;
}

void tls_facts_free(struct os_tls_facts *f)
{
    if (!f)
        return;
    free((char *)(uintptr_t)f->peer_name);
    free(f);
}

/* --- errors in words ------------------------------------------------------------------------ */

/* What OpenSSL calls it, and what it means when the peer is a client or a server. */
static const struct {
    int reason;
    const char *client, *server;
} words[] = {
    {SSL_R_HTTP_REQUEST, "the client speaks HTTP, not TLS", "the server speaks HTTP, not TLS"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the client speaks to an HTTP proxy, not TLS",
     "the server speaks HTTP, not TLS"},
    {SSL_R_WRONG_VERSION_NUMBER, "the client speaks plain text, not TLS, on this port",
     "the server speaks plain text, not TLS, on this port (it may want STARTTLS)"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, "the client does not speak TLS on this port",
     "the server does not speak TLS on this port (it may want STARTTLS)"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the client offers only versions older than TLS 1.2",
     "the server offers only versions older than TLS 1.2"},
    {SSL_R_VERSION_TOO_LOW, "the client offers only versions older than TLS 1.2",
     "the server offers only versions older than TLS 1.2"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the client refuses TLS 1.2 and 1.3",
     "the server refuses TLS 1.2 and 1.3"},
    {SSL_R_NO_SHARED_CIPHER, "the client offers no cipher that we accept",
     "no cipher is accepted by both sides"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
     "the client found nothing in common with us (versions, ciphers, curves)",
     "the server found nothing in common with us (versions, ciphers, curves)"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the client does not trust our certificate: its issuer is unknown there",
     "the server does not trust our certificate"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the client refuses our certificate",
     "the server refuses our certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the client says that our certificate has expired",
     "the server says that our certificate has expired"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the client refuses our certificate (its name or its issuer)",
     "the server refuses our certificate"},
    {SSL_R_TLSV1_UNRECOGNIZED_NAME, "the client refuses our name",
     "the server does not know the name it was asked for"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, "the client hung up in the handshake",
     "the server hung up in the handshake"},
};

const char *tls_reason(void)
{
    const char *reason = NULL;
    /* The oldest is the cause; the later ones say which library passed it on. */
    for (unsigned long e = ERR_get_error(); e; e = ERR_get_error())
        if (!reason)
            reason = ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);
    return reason ? reason : "unknown reason";
}

static void explain_certificate(SSL *ssl, const char *name, char *text_out)
{
    long verdict = SSL_get_verify_result(ssl);
    const char *why = X509_verify_cert_error_string(verdict);
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        snprintf(text_out, TLS_WORDS_LEN, "TLS: the server's certificate is not for %.120s%s%s",
                 name ? name : "the expected name", *refused_name ? " but for " : "", refused_name);
    } else if (verdict == X509_V_ERR_DANE_NO_MATCH) {
        snprintf(text_out, TLS_WORDS_LEN,
                 "TLS: the server's certificate%s%s fits none of its TLSA records (DANE)",
                 *refused_name ? " for " : "", refused_name);
    } else {
        snprintf(text_out, TLS_WORDS_LEN, "TLS: the server's certificate cannot be verified: %.120s", why);
    }
}

static const char *find_words(int reason, bool server)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].reason == reason)
            return server ? words[i].client : words[i].server;
    return NULL;
}

void tls_explain(SSL *ssl, int result, int why_errno, bool server, const char *name, char *text_out)
{
    const char *peer = server ? "client" : "server";
    unsigned long error = ERR_peek_error();
    const char *found = ERR_GET_LIB(error) == ERR_LIB_SSL ? find_words(ERR_GET_REASON(error), server) : NULL;
    int kind = SSL_get_error(ssl, result);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        explain_certificate(ssl, name, text_out);
    else if (found)
        snprintf(text_out, TLS_WORDS_LEN, "TLS: %s", found);
    else if (error)
        snprintf(text_out, TLS_WORDS_LEN, "TLS: %.200s", tls_reason());
    else if (kind == SSL_ERROR_ZERO_RETURN || why_errno == 0)
        snprintf(text_out, TLS_WORDS_LEN, "TLS: the %s hung up in the handshake", peer);
    else
        snprintf(text_out, TLS_WORDS_LEN, "TLS: %.200s", strerror(why_errno));
    ERR_clear_error();
}
