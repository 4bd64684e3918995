/* TLS contexts over OpenSSL: what a server shows, what a client demands. TLS 1.2 at least. */
#ifndef OS_TLS_H
#define OS_TLS_H

#include "base/buf.h"

struct os_tls_context;

/* How strictly a client looks at the server (RFC 3207, 7817). */
enum os_tls_verify {
    OS_TLS_ANY,      /* opportunistic: encrypt, accept any certificate             */
    OS_TLS_VERIFIED, /* chain to the system's CAs (or ca_file) and name must match */
    OS_TLS_DANE      /* TLSA records say which certificate it must be (RFC 7672)   */
};

/* A TLSA record (RFC 6698 2.1). */
struct os_tls_tlsa {
    uint8_t usage, selector, matching;
    struct sp_view data;
};

/* Whom a client expects. Borrowed for the call that begins the handshake. */
struct os_tls_expected {
    const char *name;               /* for SNI and the certificate; NULL for none. With DANE the base domain */
    const char *also;               /* DANE: another name that the certificate may have; NULL: none          */
    const struct os_tls_tlsa *tlsa; /* DANE: one at least for which os_tls_tlsa_is_usable                    */
    size_t tlsa_n;
};

/*
 * Can this record be checked? Usages DANE-TA(2) and DANE-EE(3) alone (RFC 7672 3.1.3), whole certificates or keys,
 * by SHA-256, SHA-512 or in full, and with data of the right length.
 */
bool os_tls_tlsa_is_usable(const struct os_tls_tlsa *t);

/*
 * A server's context.
 *   certificates_pem  leaf first; key_pem: its key; both borrowed for the call
 *   error             a sentence for the operator when it fails
 * NULL when OpenSSL refuses them.
 */
struct os_tls_context *os_tls_server_new(struct sp_view certificates_pem, struct sp_view key_pem,
                                         struct sp_buf *error);

/*
 * A further context of a server's, with the same certificate and key, that asks clients for a certificate. Whatever they
 * show the handshake goes on: os_tls_facts says whether one of these authorities has signed it.
 *   authorities_pem  of which there must be one at least; clients are told their names
 * NULL when OpenSSL refuses them. The ticket keys are to be set anew; a session of one context is none of another's.
 */
struct os_tls_context *os_tls_server_asking(const struct os_tls_context *like, struct sp_view authorities_pem,
                                            struct sp_buf *error);

/*
 * What a client shows of itself when it is asked: certificate (leaf first) and key.
 * SP_ERR_SYNTAX: OpenSSL refuses them; error says why.
 */
SP_MUST_USE int os_tls_client_present(struct os_tls_context *t, struct sp_view certificates_pem, struct sp_view key_pem,
                                      struct sp_buf *error);

/* A client's context. ca_file: PEM file, or NULL for the system's; not read with DANE. NULL on failure. */
struct os_tls_context *os_tls_client_new(enum os_tls_verify verify, const char *ca_file,
                                         struct sp_buf *error);

/* The same for who cannot open files: the authorities as PEM, of which there must be one at least. */
struct os_tls_context *os_tls_client_trusting(enum os_tls_verify verify, struct sp_view authorities_pem,
                                              struct sp_buf *error);

/* What a person may want of a client's context beside that. NULL: as it is. */
struct os_tls_settings {
    const char *min_version, *max_version; /* "1.0" to "1.3"                                          */
    const char *ciphers;                   /* as OpenSSL lists them; those of TLS 1.3 begin with TLS_ */
};

/* SP_ERR_SYNTAX: `error` says which of them cannot be used, and why. */
SP_MUST_USE int os_tls_set(struct os_tls_context *t, const struct os_tls_settings *s, struct sp_buf *error);

/* Contexts are counted: streams hold their own reference. */
struct os_tls_context *os_tls_ref(struct os_tls_context *t);
void os_tls_unref(struct os_tls_context *t);

/* Session-ticket keys: OS_TLS_TICKET_KEY_LEN octets each, newest first, shared by all smtpd processes. */
enum { OS_TLS_TICKET_KEY_LEN = 80, OS_TLS_TICKET_KEY_N = 3 };
void os_tls_set_ticket_keys(struct os_tls_context *t, struct sp_view keys);

/*
 * Make a self-signed certificate with an EC P-256 key, valid 10 years, for `hostname` and, as
 * further names, localhost, 127.0.0.1 and ::1. SP_ERR_IO: OpenSSL failed.
 */
SP_MUST_USE int os_tls_make_identity(const char *hostname, struct sp_buf *certificate_pem_out,
                                     struct sp_buf *key_pem_out);

/* Append the leaf's SHA-256 fingerprint as "AB:CD:..". SP_ERR_SYNTAX: no certificate in there. */
SP_MUST_USE int os_tls_fingerprint(struct sp_view certificates_pem, struct sp_buf *out);

#endif
