#include "os/tls.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/tls_context.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

/* TLS 1.2 only with forward secrecy; TLS 1.3 has nothing else. */
#define SERVER_CIPHERS                                                                                       \
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:!aNULL:!PSK:!SRP:!DSS"
/* A server that knows only RSA key exchange is still better met so than in clear (RFC 7435). */
#define CLIENT_CIPHERS "HIGH:!aNULL:!eNULL:!PSK:!SRP:!DSS:!3DES"

struct os_tls_context *tls_make_context(bool server, struct sp_buf *error)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(ctx, server ? SERVER_CIPHERS : CLIENT_CIPHERS)) {
        sp_buf_add_str(error, "OpenSSL cannot make a TLS context: ");
        sp_buf_add_str(error, tls_reason());
        SSL_CTX_free(ctx);
        return NULL;
    }
    /* Many hang up without close_notify; a message ends with its dot, not with the connection. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    /* Sessions live in the clients' tickets, which every process can open. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    struct os_tls_context *t = os_new(sizeof *t);
    *t = (struct os_tls_context){.ctx = ctx, .refs = 1, .server = server};
    SSL_CTX_set_app_data(ctx, t);
    return t;
}

struct os_tls_context *os_tls_ref(struct os_tls_context *t)
{
    t->refs++;
    return t;
}

void os_tls_unref(struct os_tls_context *t)
{
    if (!t || --t->refs > 0)
        return;
    SSL_CTX_free(t->ctx);
    explicit_bzero(t, sizeof *t);
    free(t);
}

/* --- the server's identity ------------------------------------------------------------------ */

static int refuse_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf, (void)size, (void)writing;
    *(bool *)ctx = true;
    return -1;
}

static BIO *open_pem(struct sp_view pem)
{
    return pem.len > 0 && pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
}

const char *tls_use_chain(SSL_CTX *ctx, struct sp_view pem)
{
    const char *fault = NULL;
    BIO *in = open_pem(pem);
    X509 *leaf = in ? PEM_read_bio_X509_AUX(in, NULL, NULL, NULL) : NULL;
    if (!leaf)
        fault = "there is no certificate in it (PEM, the own one first)";
    else if (!SSL_CTX_use_certificate(ctx, leaf))
        fault = tls_reason();
    X509_free(leaf);
    for (X509 *more; !fault && (more = PEM_read_bio_X509(in, NULL, NULL, NULL));)
        if (!SSL_CTX_add0_chain_cert(ctx, more)) {
            X509_free(more);
            fault = tls_reason();
        }
    /* The end of the file shows as "no start line"; anything else is a broken certificate. */
    unsigned long last = ERR_peek_last_error();
    if (!fault && !(ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE))
        fault = "a certificate behind the first one is broken";
    BIO_free(in);
    return fault;
}

const char *tls_use_key(SSL_CTX *ctx, struct sp_view pem)
{
    const char *fault = NULL;
    bool encrypted = false;
    BIO *in = open_pem(pem);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, refuse_passphrase, &encrypted) : NULL;
    if (encrypted)
        fault = "the key is protected by a passphrase: store it without one";
    else if (!key)
        fault = "there is no private key in it (PEM)";
    else if (!SSL_CTX_use_PrivateKey(ctx, key))
        fault = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
                        ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH
                    ? "the key is not that of the certificate"
                    : tls_reason();
    EVP_PKEY_free(key);
    BIO_free(in);
    return fault;
}

struct os_tls_context *os_tls_server_new(struct sp_view certificates_pem, struct sp_view key_pem,
                                         struct sp_buf *error)
{
    static const unsigned char session_context[] = "sallyport";
    ERR_clear_error();
    struct os_tls_context *t = tls_make_context(true, error);
    if (!t)
        return NULL;
    const char *what = "certificate: ", *fault = tls_use_chain(t->ctx, certificates_pem);
    ERR_clear_error();
    if (!fault) {
        what = "key: ";
        fault = tls_use_key(t->ctx, key_pem);
    }
    if (!fault && !SSL_CTX_set_session_id_context(t->ctx, session_context, sizeof session_context - 1))
        fault = tls_reason();
    if (fault) {
        sp_buf_add_str(error, what);
        sp_buf_add_str(error, fault);
        ERR_clear_error();
        os_tls_unref(t);
        return NULL;
    }
    SSL_CTX_set_dh_auto(t->ctx, 1);
    SSL_CTX_set_num_tickets(t->ctx, 1);
    return t;
}

/* --- session tickets ------------------------------------------------------------------------ */

/* A key: 16 octets of name, 32 for AES-256-CBC, 32 for HMAC-SHA-256 (RFC 5077 4). */
enum { NAME_LEN = 16, AES_LEN = 32, MAC_LEN = 32 };

static bool init_mac(EVP_MAC_CTX *mac, uint8_t *key)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key + NAME_LEN + AES_LEN, MAC_LEN),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(struct os_tls_context *t, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                EVP_MAC_CTX *mac)
{
    uint8_t *key = t->keys[0];
    memcpy(name, key, NAME_LEN);
    return RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
                   EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + NAME_LEN, iv) == 1 &&
                   init_mac(mac, key)
               ? 1
               : -1;
}

/* 0: not ours, so a full handshake; 2: ours but old, so a new ticket is given. */
static int unseal(struct os_tls_context *t, const unsigned char *name, const unsigned char *iv,
                  EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    for (size_t i = 0; i < t->key_n; i++) {
        uint8_t *key = t->keys[i];
        if (memcmp(name, key, NAME_LEN) != 0)
            continue;
        if (!init_mac(mac, key) ||
            EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + NAME_LEN, iv) != 1)
            return -1;
        return i == 0 ? 1 : 2;
    }
    return 0;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing)
{
    struct os_tls_context *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    return sealing ? seal(t, name, iv, cipher, mac) : unseal(t, name, iv, cipher, mac);
}

void os_tls_set_ticket_keys(struct os_tls_context *t, struct sp_view keys)
{
    size_t n = keys.len / OS_TLS_TICKET_KEY_LEN;
    if (n > OS_TLS_TICKET_KEY_N)
        n = OS_TLS_TICKET_KEY_N;
    explicit_bzero(t->keys, sizeof t->keys);
    if (n > 0)
        memcpy(t->keys, keys.p, n * OS_TLS_TICKET_KEY_LEN);
    t->key_n = n;
    /* Without keys OpenSSL uses random ones of the context's own. */
    SSL_CTX_set_tlsext_ticket_key_evp_cb(t->ctx, n > 0 ? on_ticket : NULL);
}

/* --- clients -------------------------------------------------------------------------------- */

static struct os_tls_context *make_client(enum os_tls_verify verify, struct sp_buf *error)
{
    ERR_clear_error();
    struct os_tls_context *t = tls_make_context(false, error);
    if (!t)
        return NULL;
    t->verify = verify;
    /* Whoever accepts any certificate gains nothing by refusing a short key: clear text is worse. */
    if (verify == OS_TLS_ANY)
        SSL_CTX_set_security_level(t->ctx, 1);
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, verify == OS_TLS_ANY ? tls_accept_any : tls_note_refused);
    if (verify == OS_TLS_DANE && SSL_CTX_dane_enable(t->ctx) != 1) {
        sp_buf_add_str(error, "OpenSSL cannot be made to check TLSA records: ");
        sp_buf_add_str(error, tls_reason());
        os_tls_unref(t);
        return NULL;
    }
    return t;
}

/* `loaded` certificates of `source` are there, or the context is given up with the reason. */
static struct os_tls_context *keep_if(struct os_tls_context *t, bool loaded, const char *source,
                                      struct sp_buf *error)
{
    if (!loaded) {
        sp_buf_add_str(error, source);
        sp_buf_add_str(error, ": no CA certificate can be read from it: ");
        sp_buf_add_str(error, tls_reason());
        os_tls_unref(t);
    }
    ERR_clear_error();
    return loaded ? t : NULL;
}

struct os_tls_context *os_tls_client_new(enum os_tls_verify verify, const char *ca_file, struct sp_buf *error)
{
    struct os_tls_context *t = make_client(verify, error);
    if (!t || verify == OS_TLS_DANE)
        return t;
    if (ca_file)
        return keep_if(t, SSL_CTX_load_verify_file(t->ctx, ca_file) == 1, ca_file, error);
    bool loaded = SSL_CTX_set_default_verify_paths(t->ctx) == 1;
    return keep_if(t, loaded || verify == OS_TLS_ANY, "the system's certificates", error);
}

struct os_tls_context *os_tls_client_trusting(enum os_tls_verify verify, struct sp_view authorities_pem,
                                              struct sp_buf *error)
{
    struct os_tls_context *t = make_client(verify, error);
    BIO *in = t ? BIO_new_mem_buf(authorities_pem.p, (int)authorities_pem.len) : NULL;
    size_t n = 0;
    for (X509 *ca; in && (ca = PEM_read_bio_X509(in, NULL, NULL, NULL)); X509_free(ca))
        n += X509_STORE_add_cert(SSL_CTX_get_cert_store(t->ctx), ca) == 1;
    BIO_free(in);
    return t ? keep_if(t, n > 0, "the authorities given", error) : NULL;
}
