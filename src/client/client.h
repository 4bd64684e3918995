/*
 * One connection to an SMTP server: dials, secures, authenticates, and then carries mail after mail. It
 * runs the client engine over a stream, the resolver and the SASL client; delivery and the command-line
 * tools tell it what to say and hear what became of it.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "dns/dns.h"
#include "os/stream.h"
#include "os/tls.h"
#include "sallyport/smtp_client.h"
#include "sasl/client.h"

/* What is wanted of a connection. Borrowed, with all it points to, for the client's life. */
struct client_options {
    const char *host; /* name or numeric address, without brackets               */
    uint16_t port;
    struct sp_client_options session;           /* `tls` is the STARTTLS policy                     */
    bool implicit_tls;                          /* TLS from the first octet                         */
    bool plain_fallback;                        /* opportunistic: when the handshake fails, dial
                                                   again without TLS                             */
    struct os_tls_context *tls;                 /* a client's; NULL: no TLS is ever tried           */
    const struct os_tls_expected *expected;     /* whom TLS must meet; NULL: host                   */
    const struct dns_addresses *addresses;      /* of host; NULL: they are looked up                */
    const struct sasl_credentials *credentials; /* NULL: no AUTH                                    */
    struct sp_view mechanism;                   /* empty: the strongest that is offered             */
    struct sp_view floor;                       /* none weaker than this mechanism; empty: any      */
    uint32_t connect_ms;                        /* for one address; 0: 30,000                       */
    const char *path;                           /* of a unix socket, instead of host and port       */
    const struct os_address *from;              /* one of ours, to connect from; NULL: any          */
    int family;                                 /* AF_INET, AF_INET6: such addresses alone; 0: both */
    const char *server_name;                    /* for SNI and the certificate; NULL: the host      */
    struct sp_view preamble;                    /* octets before all else: a PROXY header           */
    struct sp_view xclient;                     /* attributes for XCLIENT; empty: none is sent      */
    bool convert; /* MIME that the server does not take is converted, if it may be, instead of bounced */
};

/*
 * What became of something. Views and texts are borrowed for the call.
 */
struct client_verdict {
    enum sp_client_fate fate;
    int code;                /* of the reply; 0: there was none                                  */
    struct sp_view enhanced; /* of the reply, or ours; may be empty                              */
    struct sp_view text;     /* "550 5.1.1 No such user": all lines of the reply in one, or the
                                reason; printable ASCII, at most CLIENT_TEXT_MAX octets          */
    const char *phase;       /* what was waited for: "RCPT"; "CONNECT" before there is a connection */
    bool dsn;                /* the server offers DSN: reports that were asked for are its duty now */
    bool starved;            /* it could not be dialled for want of descriptors, memory or ports here */
    const char *remote;      /* "mx.example [192.0.2.1]:25", or "" before an address was dialled */
};

enum { CLIENT_TEXT_MAX = 900, CLIENT_REMOTE_MAX = 400 };

/* The conversation as it goes, for those who show it. */
enum client_note_type {
    CLIENT_NOTE_DIAL,  /* `text`: the address that is tried                                           */
    CLIENT_NOTE_UP,    /* `text`: the remote; connected                                               */
    CLIENT_NOTE_DOWN,  /* `text`: why the address or the handshake failed, or the connection ended    */
    CLIENT_NOTE_TLS,   /* `tls`                                                                       */
    CLIENT_NOTE_SENT,  /* `sent`; secret_name says what the secret is: "password"                     */
    CLIENT_NOTE_REPLY, /* `reply`                                                                     */
    CLIENT_NOTE_AUTH   /* `text`: why no AUTH can be done, or why another mechanism is tried            */
};

struct client_note {
    enum client_note_type type;
    const char *text;
    const struct os_tls_facts *tls;
    const struct sp_client_event *event; /* SP_CLIENT_SENT or SP_CLIENT_REPLY                         */
    const char *secret_name;
};

struct client;

/* Any function of this header may be called from a handler, client_free too. */
struct client_handlers {
    /* Identified, secured, authenticated: client_mail or client_quit, now or later. Said again after each
     * mail. */
    void (*ready)(void *ctx);
    /*
     * The octets of the message from `offset` on, as many as are at hand; empty at its end; borrowed
     * until the next call. Not SP_OK: it cannot be read, the connection is given up.
     */
    int (*content)(void *ctx, uint64_t offset, struct sp_view *piece_out);
    /* One for each recipient of the mail, then mail_done. */
    void (*outcome)(void *ctx, size_t recipient, const struct client_verdict *v);
    void (*mail_done)(void *ctx);
    /*
     * The end, once: after QUIT (fate NONE), or why no mail can be sent over it. A mail under way had its
     * outcomes before. The client may be freed in it, and must be some time.
     */
    void (*ended)(void *ctx, const struct client_verdict *v);
    /* NULL for those who do not show the conversation. */
    void (*note)(void *ctx, const struct client_note *n);
};

/* Begin to dial. NULL: the options are malformed (hello). */
struct client *client_new(struct event_base *base, struct dns *dns, const struct client_options *options,
                          const struct client_handlers *handlers, void *ctx);

/* Leave at once, in whatever state; outcomes that were not said are never said. NULL is fine. */
void client_free(struct client *c);

/* Is it waiting for client_mail or client_quit? */
bool client_is_ready(const struct client *c);

/*
 * Only when ready. The mail is borrowed until mail_done. `verified` is set here. With parameters.utf8 the
 * header is looked at, whether it needs SMTPUTF8: content is asked for from its beginning, then again.
 */
void client_mail(struct client *c, const struct sp_client_mail *mail);
void client_quit(struct client *c);

/* Only when ready: say octets as they are; `replies` of them are told as notes (phase RAW), then ready again.
 */
void client_raw(struct client *c, struct sp_view octets, unsigned replies);

/* The i-th certificate of the server; false: there is none. */
bool client_certificate(const struct client *c, size_t i, struct os_tls_certificate *certificate_out);

/* Give up now: open outcomes are said with this reason, then ended. */
void client_abandon(struct client *c, struct sp_view why);

/* "mx.example [192.0.2.1]:25"; "" before an address was dialled. */
const char *client_remote(const struct client *c);

/* NULL before the greeting. */
const struct sp_client *client_session(const struct client *c);

/* NULL while plain. */
const struct os_tls_facts *client_tls(const struct client *c);

/* How far TLS came. The first that is decided stands, also when the connection then goes on in clear. */
enum client_tls_end {
    CLIENT_TLS_UNKNOWN, /* it did not come as far as that                     */
    CLIENT_TLS_LACKING, /* the server does not offer STARTTLS, or refuses it  */
    CLIENT_TLS_FAILED,  /* the handshake did not end well                     */
    CLIENT_TLS_UP
};

struct client_tls_story {
    enum client_tls_end end;
    enum os_tls_fault fault;     /* FAILED: why; UP: what is wrong with the certificate, whoever demands one */
    char why[200];               /* in words; may be empty                                                   */
    char local[OS_ADDRESS_TEXT]; /* our address; "" before there is a connection                             */
    char helo[256];              /* what the server calls itself in its answer to EHLO; "" before            */
};

/* Also in `ended`, and until the client is freed. */
const struct client_tls_story *client_tls_story(const struct client *c);

#endif
