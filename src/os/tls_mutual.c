/* Clients that show who they are: a server's context that asks for it, and a client's that does it. */
#include "base/view.h"
#include "os/tls_context.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

int tls_accept_any(int ok, X509_STORE_CTX *chain)
{
    (void)ok, (void)chain;
    return 1;
}

static bool copy_identity(SSL_CTX *from, SSL_CTX *to)
{
    STACK_OF(X509) *chain = NULL;
    if (!SSL_CTX_get0_chain_certs(from, &chain))
        return false;
    return SSL_CTX_use_certificate(to, SSL_CTX_get0_certificate(from)) == 1 &&
           SSL_CTX_use_PrivateKey(to, SSL_CTX_get0_privatekey(from)) == 1 &&
           SSL_CTX_set1_chain(to, chain) == 1;
}

/* Trusted, and named to clients, which choose a certificate by that. The number of them. */
static size_t trust_all(SSL_CTX *ctx, struct sp_view pem)
{
    BIO *in = pem.len > 0 && pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
    size_t n = 0;
    for (X509 *ca; in && (ca = PEM_read_bio_X509(in, NULL, NULL, NULL)); X509_free(ca))
        n += X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca) == 1 && SSL_CTX_add_client_CA(ctx, ca) == 1;
    BIO_free(in);
    return n;
}

/*
 * Attack: a session whose client was verified by one listener's authorities is resumed at another listener. A
 * session belongs to the authorities that judged it, so that there it is none.
 */
static bool bind_sessions(SSL_CTX *ctx, struct sp_view pem)
{
    uint8_t id[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    return EVP_Digest(pem.p, pem.len, id, &len, EVP_sha256(), NULL) == 1 &&
           SSL_CTX_set_session_id_context(ctx, id, len) == 1;
}

struct os_tls_context *os_tls_server_asking(const struct os_tls_context *like, struct sp_view authorities_pem,
                                            struct sp_buf *error)
{
    ERR_clear_error();
    struct os_tls_context *t = tls_make_context(true, error);
    if (!t)
        return NULL;
    const char *fault = NULL;
    if (trust_all(t->ctx, authorities_pem) == 0)
        fault = "there is no certificate of an authority in it (PEM)";
    else if (!copy_identity(like->ctx, t->ctx) || !bind_sessions(t->ctx, authorities_pem))
        fault = tls_reason();
    ERR_clear_error();
    if (fault) {
        sp_buf_add_str(error, fault);
        os_tls_unref(t);
        return NULL;
    }
    t->asks = true;
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, tls_accept_any);
    SSL_CTX_set_dh_auto(t->ctx, 1);
    SSL_CTX_set_num_tickets(t->ctx, 1);
    return t;
}

int os_tls_client_present(struct os_tls_context *t, struct sp_view certificates_pem, struct sp_view key_pem,
                          struct sp_buf *error)
{
    ERR_clear_error();
    const char *what = "certificate: ", *fault = tls_use_chain(t->ctx, certificates_pem);
    ERR_clear_error();
    if (!fault) {
        what = "key: ";
        fault = tls_use_key(t->ctx, key_pem);
    }
    ERR_clear_error();
    if (!fault)
        return SP_OK;
    sp_buf_add_str(error, what);
    sp_buf_add_str(error, fault);
    return SP_ERR_SYNTAX;
}
