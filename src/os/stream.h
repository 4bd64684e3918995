/*
 * One TCP connection, plain or TLS, on the loop. Input is pushed to the owner as views;
 * what the owner does not consume is kept and pushed again with what follows.
 *
 * An idle stream holds no buffers. Owners may call any function from any handler;
 * os_stream_free inside a handler is allowed.
 */
#ifndef OS_STREAM_H
#define OS_STREAM_H

#include "base/buf.h"
#include "os/loop.h"
#include "sallyport/base.h"

struct os_stream;
struct os_tls_context; /* os/tls.h */

/* What was wrong with a handshake, or with the certificate that it brought. */
enum os_tls_fault {
    OS_TLS_FAULT_NONE,
    OS_TLS_FAULT_HANDSHAKE, /* all else than the certificate                        */
    OS_TLS_FAULT_EXPIRED,
    OS_TLS_FAULT_NAME,      /* it is for another                                    */
    OS_TLS_FAULT_UNTRUSTED, /* its chain leads to no authority, or is faulty        */
    OS_TLS_FAULT_TLSA       /* it fits none of the TLSA records                     */
};

/* What TLS agreed on; texts live as long as the stream. */
struct os_tls_facts {
    const char *version;   /* "TLSv1.3"                                     */
    const char *cipher;    /* "TLS_AES_256_GCM_SHA384"                      */
    int bits;              /* secret bits of the cipher                     */
    const char *peer_name; /* subject CN or first SAN of the peer's certificate, or NULL */
    bool peer_shown;       /* the peer has shown a certificate              */
    bool peer_verified;    /* chain and, of a server, name were verified, or it fits a TLSA record */
    bool dane;             /* the latter                                    */
    const char *peer_fault; /* why they were not: "self-signed certificate"; NULL when verified or not asked */
    enum os_tls_fault fault; /* the same */
};

struct os_stream_handlers {
    /*
     * Octets have arrived (with those kept before). Return how many were consumed. When fewer than
     * all, the rest is kept; it is pushed again with more input or after os_stream_resume.
     */
    size_t (*input)(void *ctx, struct sp_view in);
    /* All output was handed to the kernel; some had been left when the owner returned to the loop. */
    void (*drained)(void *ctx);
    /* connect() or a handshake ended. tls: NULL after a plain connect. NULL: nobody is told. */
    void (*ready)(void *ctx, const struct os_tls_facts *tls);
    /*
     * It is over: the peer closed (why NULL; all that was written until then has been handed to the kernel), or
     * an error ("Connection reset by peer", "TLS: ..."). Called once, never after os_stream_free. Kept input is
     * gone.
     */
    void (*closed)(void *ctx, const char *why);
};

/* An accepted connection. fd is owned from now on. No input is read before os_stream_resume. */
struct os_stream *os_stream_accepted(struct event_base *base, int fd, const struct os_stream_handlers *h,
                                     void *ctx);

/* Where to, from where, how long. Borrowed for the call. */
struct os_stream_dial {
    const void *address, *from; /* struct sockaddr; of a unix socket, too */
    size_t address_len, from_len;
    uint32_t timeout_ms;
};

/*
 * Connect to a numeric address; `ready` or `closed` tells. Input is paused until os_stream_resume.
 *   address, len   a struct sockaddr, borrowed for the call
 *   timeout_ms     for the connection; then closed("connection timed out")
 */
struct os_stream *os_stream_connect(struct event_base *base, const void *address, size_t len,
                                    uint32_t timeout_ms, const struct os_stream_handlers *h, void *ctx);

/* The same from an address of ours: `from`, a struct sockaddr without port; NULL: any. */
struct os_stream *os_stream_connect_from(struct event_base *base, const struct os_stream_dial *dial,
                                         const struct os_stream_handlers *h, void *ctx);

/* It could not be dialled for want of what this machine has to give: descriptors, memory, ports. */
bool os_stream_is_starved(const struct os_stream *s);

/* Close at once, discarding what was not sent; and free. */
void os_stream_free(struct os_stream *s);

/*
 * Send what is queued, say goodbye (TLS close_notify, FIN), discard what the peer still says for
 * at most 2 s and 64 KiB so that the last reply is not lost to a reset, and free. No handler is
 * called any more; the owner forgets s.
 */
void os_stream_finish(struct os_stream *s);

/*
 * Queue octets; copied. They are sent at the end of this turn of the loop, together with what else is
 * written in it; large ones at once, as far as the kernel takes them, without a copy.
 */
void os_stream_write(struct os_stream *s, struct sp_view out);

/* Octets not yet taken by the kernel: stop producing above a limit of your own, go on at `drained`. */
size_t os_stream_backlog(const struct os_stream *s);

/* Stop pushing and reading input; go on. Kept input is pushed at the end of this turn, not inside resume. */
void os_stream_pause(struct os_stream *s);
void os_stream_resume(struct os_stream *s);

/*
 * Begin a handshake, as the server or as the client of the context's kind. Output queued before is
 * sent first. Input that was kept is thrown away (RFC 3207 4.2, injection). `ready` or `closed` tells.
 *
 *   server_name  for a client: SNI and the name to verify; NULL for none
 *   timeout_ms   for the handshake
 */
void os_stream_start_tls(struct os_stream *s, struct os_tls_context *tls, const char *server_name,
                         uint32_t timeout_ms);

/* The same for a client that expects more than a name, such as TLSA records; all is copied. */
struct os_tls_expected; /* os/tls.h */
void os_stream_start_tls_expecting(struct os_stream *s, struct os_tls_context *tls,
                                   const struct os_tls_expected *expected, uint32_t timeout_ms);

/* Streams of this loop that are not gone yet; those that finish count too. */
size_t os_stream_n(struct event_base *base);

/* Kinds of channel binding: tls-exporter (TLS 1.3, RFC 9266), tls-unique (TLS 1.2) and tls-server-end-point
 * (RFC 5929). */
enum os_tls_binding { OS_TLS_EXPORTER, OS_TLS_UNIQUE, OS_TLS_END_POINT };

/* Append the data of a kind, at most 64 octets; nothing when the connection is plain or has not that kind. */
void os_stream_add_binding(const struct os_stream *s, enum os_tls_binding kind, struct sp_buf *out);

/* A certificate as it was shown, in words; names that do not fit are cut. */
enum { OS_TLS_NAME_LEN = 256, OS_TLS_NAMES_LEN = 2048, OS_TLS_FINGERPRINT_LEN = 96 };
struct os_tls_certificate {
    char subject[OS_TLS_NAME_LEN], issuer[OS_TLS_NAME_LEN]; /* "CN=mx.example,O=Example"           */
    char names[OS_TLS_NAMES_LEN];                           /* subjectAltName: names and addresses */
    char sha256[OS_TLS_FINGERPRINT_LEN];                    /* "AB:CD:.."                          */
    int64_t not_before_ms, not_after_ms;                    /* wall times                          */
};

/* The i-th certificate of the server, its own is 0. false: there is none, or no TLS. */
bool os_stream_certificate(const struct os_stream *s, size_t i, struct os_tls_certificate *certificate_out);

/* Who a certificate is for: its subjectAltNames of a kind, or its subject's common name. */
enum os_tls_name { OS_TLS_EMAIL, OS_TLS_DNS, OS_TLS_COMMON_NAME };

/*
 * Append those of the peer's certificate, one a line, whether it was verified or not. Those that are no UTF-8 text of 1 to 255
 * octets without control characters are left out, as is what out has no room for.
 */
void os_stream_add_names(const struct os_stream *s, enum os_tls_name kind, struct sp_buf *out);

/* NULL while plain. */
const struct os_tls_facts *os_stream_tls(const struct os_stream *s);

/* Why a handshake came to nothing; NONE as long as none has. To be asked from `closed` on. */
enum os_tls_fault os_stream_tls_fault(const struct os_stream *s);

/*
 * "127.0.0.1" and port of the peer and of our side; IPv6 without brackets. The first call asks the kernel,
 * which forgets them with the connection: "unknown" and 0 then.
 */
const char *os_stream_peer_address(const struct os_stream *s);
uint16_t os_stream_peer_port(const struct os_stream *s);
const char *os_stream_local_address(const struct os_stream *s);
uint16_t os_stream_local_port(const struct os_stream *s);

#endif
