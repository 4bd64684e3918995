/* What tls.c and stream*.c share: OpenSSL's side of a context, and its errors in words. */
#ifndef OS_TLS_CONTEXT_H
#define OS_TLS_CONTEXT_H

#include "os/stream.h"
#include "os/tls.h"

#include <openssl/ssl.h>

struct os_tls_context {
    SSL_CTX *ctx;
    unsigned refs;
    bool server;
    bool asks; /* clients for a certificate */
    enum os_tls_verify verify;
    uint8_t keys[OS_TLS_TICKET_KEY_N][OS_TLS_TICKET_KEY_LEN]; /* of tickets, newest first */
    size_t key_n;
};

/* TLSA records, copied; one block of memory. */
struct tls_dane {
    const char *also;
    size_t n;
    struct os_tls_tlsa records[];
};
struct tls_dane *tls_dane_new(const struct os_tls_expected *expected);

/* One handshake, with the name that a client expects or NULL. NULL: OpenSSL refuses the name. */
SSL *tls_begin(struct os_tls_context *t, int fd, const char *server_name, const struct tls_dane *dane);

/* Set a handshake up for TLSA records. false: OpenSSL refuses the name, or all records. */
bool tls_dane_expect(SSL *ssl, const char *server_name, const struct tls_dane *dane);

/* A context of either side with what all have in common. NULL on failure. */
struct os_tls_context *tls_make_context(bool server, struct sp_buf *error);

/* Give a context its certificates, leaf first, and the leaf's key. NULL, or what is wrong with them. */
const char *tls_use_chain(SSL_CTX *ctx, struct sp_view pem);
const char *tls_use_key(SSL_CTX *ctx, struct sp_view pem);

/* A verify callback that goes on whatever is found; SSL_get_verify_result remembers it. */
int tls_accept_any(int ok, X509_STORE_CTX *chain);

/* A verify callback that refuses what is faulty, and remembers whose it was for tls_explain. */
int tls_note_refused(int ok, X509_STORE_CTX *chain);

/* What was agreed on; owned by the caller: tls_facts_free. */
struct os_tls_facts *tls_facts_new(SSL *ssl, const struct os_tls_context *t, const char *server_name);
void tls_facts_free(struct os_tls_facts *facts);

/*
 * Why an SSL_* call failed, as a sentence that begins with "TLS: ".
 *   result     what the call returned
 *   why_errno  errno right after it
 *   name       the server's name that was to be verified, or NULL
 *   text_out   TLS_WORDS_LEN octets
 */
enum { TLS_WORDS_LEN = 400 };
void tls_explain(SSL *ssl, int result, int why_errno, bool server, const char *name, char *text_out);

/* What kind of failure it was; before tls_explain, which takes the errors. */
enum os_tls_fault tls_fault_of(SSL *ssl);

/* Why OpenSSL failed, of its errors the first; all are taken. Or "unknown reason". */
const char *tls_reason(void);

#endif
