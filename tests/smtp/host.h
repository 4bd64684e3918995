/*
 * A caller of the server engine for tests: it answers every question by fixed rules, keeps
 * what the session says and takes, and looks every reply up in the law book.
 *
 * The rules (tests/scenes/README.md repeats them): user demo with password secret; mailboxes
 * nobody@... are refused, later@... refused for now, all others welcome; EHLO refused.example
 * is refused; VRFY knows demo; EXPN is off; ETRN is for example.org alone; each message gets the id
 * 00000000000N; in LMTP a message is refused for full@... alone. The wall clock stands at HOST_WALL_MS.
 */
#ifndef TESTS_SMTP_HOST_H
#define TESTS_SMTP_HOST_H

#include "base/buf.h"
#include "sallyport/smtp_server.h"

/* An allocator that can refuse its nth request, counts what is out, and fills what it takes back. */
struct host_memory {
    size_t requests, refuse_at; /* refuse_at 0: never */
    size_t out_octets, out_blocks, peak_octets;
    struct sp_view secret; /* octets that no block may hold when it is taken back */
    bool   secret_left;
};
struct sp_allocator host_allocator(struct host_memory *m);

#define HOST_WALL_MS 1795497890000 /* 2026-11-24T05:24:50Z */

/* What the sandbox's first listener offers. */
#define HOST_EXTENSIONS                                                                                      \
    (SP_EXT_CHUNKING | SP_EXT_BINARYMIME | SP_EXT_SMTPUTF8 | SP_EXT_DSN | SP_EXT_REQUIRETLS |                \
     SP_EXT_DELIVERBY | SP_EXT_MT_PRIORITY | SP_EXT_LIMITS)

enum { HOST_RECIPIENTS = 32 };

struct host {
    struct sp_server_options options;
    struct host_memory       memory;
    struct sp_allocator      alloc;
    struct sp_server        *s;
    struct sp_buf            out;      /* all that was said and not taken by host_forget        */
    struct sp_buf            content;  /* of the message that is coming, or the last one        */
    struct sp_buf            awaiting; /* inputs that wait for a reply: names, each with its NUL */
    struct sp_buf            read;     /* the octets that the last event may borrow from        */
    struct sp_buf            word;     /* of the line that is coming                            */
    size_t                   judged;   /* octets of out that the book has seen                  */
    size_t                   awaited;  /* octets of awaiting that were answered                 */
    uint32_t messages, dropped, given_up, tls_starts, questions;
    uint64_t stored;         /* a hash over the contents that were stored           */
    uint64_t now_ms;
    int      open_code;      /* 0: come in; else the refusal                       */
    bool     hold;           /* leave questions open: host_answer answers one      */
    size_t   cut;            /* feed in pieces of this size; 0: whole              */
    bool     tls_by_itself;  /* START_TLS is followed by the handshake at once     */
    bool     closed;
    int      sasl_step;      /* of LOGIN */
    bool     user_is_demo;
    uint32_t recipients;     /* of this mail that were accepted */
    bool     full[HOST_RECIPIENTS];
    uint32_t ends_awaited;   /* replies to this message's end   */
    uint64_t chunk_left;     /* octets that the last BDAT counts */
    int      status;         /* the last that was not SP_OK */
    const char *fault;       /* the first thing that was wrong, or NULL */
    char     fault_reply[600];
    char     fault_input[32];
};

/* The sandbox's first listener: STARTTLS and AUTH offered, nothing required. */
struct sp_server_options host_options(void);

void host_init(struct host *h, const struct sp_server_options *options);

/* Begin the session. */
void host_open(struct host *h, bool tls);

/* Free all; the session's memory must be back. Sets fault if it is not. */
void host_fini(struct host *h);

/* Octets from the client, in one read. */
void host_feed(struct host *h, struct sp_view in);
void host_line(struct host *h, const char *line); /* and its CRLF */

/* Answer the open question by the rules. */
void host_answer(struct host *h);

/* The handshake is done. */
void host_secured(struct host *h);

/* Take what the session says now. */
void host_drain(struct host *h);

/* What was said so far is done with. */
void host_forget(struct host *h);

/* The code and reason of the last whole reply said, since host_forget. */
int host_code(const struct host *h);

#endif
