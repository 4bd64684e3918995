/*
 * The server side of an SMTP session, without I/O.
 *
 * Octets from the client go in by sp_server_feed. The session stops at a question
 * (may this client come in? is this sender welcome? is this message stored?) and
 * goes on when the caller has answered it. Octets for the client come out of
 * sp_server_output. Time is an argument; memory comes from the caller's allocator.
 *
 *     sp_server_open(s, now);
 *     for (;;) {
 *         while (sp_server_event(s, &ev) != SP_SERVER_NOTHING)
 *             answer or note ev;             // a question stays until it is answered
 *         write sp_server_output(s), then sp_server_sent(s, n);
 *         read octets; sp_server_feed(s, octets, now, &used);
 *     }
 *
 * RFC 5321 (SMTP), 2033 (LMTP), 3207 (STARTTLS), 4954 (AUTH), 2920 (PIPELINING), 1870 (SIZE), 6152
 * (8BITMIME), 3030 (CHUNKING, BINARYMIME), 6531 (SMTPUTF8), 3461 (DSN), 8689 (REQUIRETLS), 2852 (DELIVERBY),
 * 4865 (FUTURERELEASE), 6710 (MT-PRIORITY), 9422 (LIMITS), 1985 (ETRN), 2034 and 3463 (enhanced status codes).
 */
#ifndef SALLYPORT_SMTP_SERVER_H
#define SALLYPORT_SMTP_SERVER_H

#include "sallyport/base.h"
#include "sallyport/envelope.h"
#include "sallyport/replies.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How long a client may take, in milliseconds (RFC 5321 4.5.3.2.7 asks for 5 minutes at least). */
struct sp_server_timeouts {
    uint32_t command_ms; /* between commands, SASL answers included; default 300,000 */
    uint32_t data_ms;    /* between octets of a message; default 180,000            */
    uint32_t message_ms; /* for one mail in all, from MAIL to its end, against senders that
                            drip octets; default 3,600,000                          */
    uint32_t tls_ms;     /* for a handshake; default 60,000                         */
};

/*
 * What a caller can honour beyond the core, and so offers. Each is listed by EHLO only where it can be used:
 * REQUIRETLS under TLS, BINARYMIME with CHUNKING, DELIVERBY and FUTURERELEASE once sp_server_set_wall was
 * called. XCLIENT and XFORWARD (Postfix's) let the client say who somebody else is: for trusted peers alone.
 */
enum sp_server_extension {
    SP_EXT_CHUNKING      = 1 << 0,  /* BDAT (RFC 3030 2)                             */
    SP_EXT_BINARYMIME    = 1 << 1,  /* BODY=BINARYMIME (RFC 3030 3)                  */
    SP_EXT_SMTPUTF8      = 1 << 2,  /* UTF-8 addresses and headers (RFC 6531)        */
    SP_EXT_DSN           = 1 << 3,  /* RET, ENVID, NOTIFY, ORCPT (RFC 3461)          */
    SP_EXT_REQUIRETLS    = 1 << 4,  /* TLS on every hop (RFC 8689)                   */
    SP_EXT_DELIVERBY     = 1 << 5,  /* BY= (RFC 2852)                                */
    SP_EXT_FUTURERELEASE = 1 << 6, /* HOLDFOR=, HOLDUNTIL=; for submission alone (RFC 4865 4) */
    SP_EXT_MT_PRIORITY   = 1 << 7,  /* MT-PRIORITY= (RFC 6710)                       */
    SP_EXT_LIMITS        = 1 << 8,  /* max_recipients said (RFC 9422)                */
    SP_EXT_ETRN          = 1 << 9,  /* ask for what waits (RFC 1985)                 */
    SP_EXT_XCLIENT       = 1 << 10, /* the client is somebody else                   */
    SP_EXT_XFORWARD      = 1 << 11  /* where the next mail came from                 */
};

/*
 * What a listener wants of its sessions. Borrowed for the session's life, so one
 * serves all sessions of a listener. Zeros mean the defaults named here.
 */
struct sp_server_options {
    struct sp_view hostname;          /* in the greeting; required                             */
    uint64_t max_message_octets;      /* SIZE, RFC 1870; default 52,428,800; 552 5.3.4 beyond  */
    uint32_t max_recipients;          /* per transaction; default 1,000, never below 100; 452 4.5.3 */
    uint32_t max_errors;              /* refused commands before 421 4.7.0; default 20         */
    uint32_t max_auth_failures;       /* failed AUTH before 421 4.7.0; default 5, never below 3 (RFC 4954 9) */
    uint32_t max_idle_commands;       /* NOOP, RSET, HELP, VRFY, EXPN in all without a mail in between, before 421 4.7.0; default 100 */
    struct sp_server_timeouts timeouts; /* how long a client may take                          */
    bool starttls;                    /* offer STARTTLS while the link is plain                */
    bool tls_required;                /* 530 5.7.0 to all but NOOP EHLO STARTTLS QUIT (RFC 3207 4) */
    bool auth_required;               /* 530 5.7.0 to MAIL and what needs a user (RFC 4954 6)  */
    struct sp_view mechanisms_plain;  /* offered while plain, space separated; empty: no AUTH  */
    struct sp_view mechanisms_tls;    /* offered under TLS                                     */
    uint32_t extensions;              /* set of enum sp_server_extension                       */
    uint32_t max_hold_s;              /* FUTURERELEASE: the longest; default 2,592,000 (30 days) */
    bool lmtp;                        /* LMTP: LHLO, and after the message a reply for each recipient */
    bool refuse_undeclared_8bit;      /* octets over 127 in a message need BODY=8BITMIME (RFC 6152 3): 554 5.6.1 */
    bool fix_line_ends;               /* of clients that have authenticated, a CR or LF alone in a message of
                                         DATA is taken as CRLF. Costs: the message is changed, so signatures
                                         over it break. It never ends a message. Of others, and without
                                         this, such a message is refused: 554 5.6.0              */
};

/* A mailbox as it came in MAIL, RCPT or VRFY (RFC 5321 4.1.2). Views into the line. */
struct sp_path {
    struct sp_view text;    /* without <> and source route; empty for the null path        */
    struct sp_view local;   /* local part as written, quotes included                      */
    struct sp_view domain;  /* domain or [literal]; empty for <> and for <postmaster>      */
    bool           null;    /* <>                                                          */
};

/*
 * What the session has to say. ASK_* are questions: answered by sp_server_yes,
 * sp_server_no or (AUTH, ANSWER) sp_server_more. The others are facts: taken by being read.
 */
enum sp_server_event_type {
    SP_SERVER_NOTHING = 0,   /* send the output, then feed                                       */

    SP_SERVER_ASK_OPEN,      /* may the client come in? no: 554 (stays, REFUSED) or 421 (closes) */
    SP_SERVER_ASK_HELLO,     /* `hello`: EHLO or HELO, its argument. no: 550                     */
    SP_SERVER_ASK_AUTH,      /* `auth`: begin this mechanism                                     */
    SP_SERVER_ASK_ANSWER,    /* `answer`: the client's decoded SASL response                     */
    SP_SERVER_ASK_MAIL,      /* `mail`: sender and parameters                                    */
    SP_SERVER_ASK_RCPT,      /* `rcpt`: one recipient                                            */
    SP_SERVER_ASK_VRFY,      /* `words`: argument. yes: 252 unless the text says more            */
    SP_SERVER_ASK_EXPN,      /* `words`                                                          */
    SP_SERVER_ASK_DATA,      /* may the message come? By DATA, yes: 354; or by BDAT              */
    SP_SERVER_ASK_END,       /* `end`: the message is whole; yes only when it is durable. LMTP: asked
                                once for each recipient, in order                                */
    SP_SERVER_ASK_ETRN,      /* `words`: send what waits for this node. yes: 250; no: 458, 459   */
    SP_SERVER_ASK_XCLIENT,   /* `peer`: the client is somebody else. yes: 220, all begins anew   */
    SP_SERVER_ASK_XFORWARD,  /* `peer`: where the next mail came from, for the log. yes: 250     */

    SP_SERVER_CONTENT,       /* `content`: message octets, dots unstuffed, CRLF kept             */
    SP_SERVER_AUTH_GIVEN_UP, /* the SASL exchange ended without a verdict (`*`, bad base64, ...) */
    SP_SERVER_MAIL_DROPPED,  /* the transaction is gone: forget sender, recipients, content. Each
                                MAIL that got a yes ends in a yes to ASK_END or in this           */
    SP_SERVER_START_TLS,     /* once the output is sent run the handshake, then sp_server_secured */
    SP_SERVER_CLOSED         /* once the output is sent close the connection                     */
};

/* What XCLIENT and XFORWARD say. Decoded and printable; empty: not said, or not known to the peer. */
struct sp_server_peer {
    struct sp_view name;        /* NAME: its host name                            */
    struct sp_view address;     /* ADDR: without "IPV6:"                          */
    struct sp_view port;        /* PORT                                           */
    struct sp_view hello;       /* HELO: what it said in EHLO                     */
    struct sp_view protocol;    /* PROTO: "SMTP" or "ESMTP"                       */
    struct sp_view login;       /* LOGIN: who it authenticated as                 */
    struct sp_view ident;       /* IDENT: the mail's id at the peer               */
    struct sp_view source;      /* SOURCE: "LOCAL" or "REMOTE"                    */
    struct sp_view own_address; /* DESTADDR: which address of ours it came to     */
    struct sp_view own_port;    /* DESTPORT                                       */
};

/*
 * One event: its type, and the member of `as` that the type's comment names. Views are borrowed from the session and from
 * the octets last fed; they are void after the next feed, and what belongs to a question after its answer.
 */
struct sp_server_event {
    enum sp_server_event_type type; /* which of the members below counts           */
    union {
        struct {
            struct sp_view domain;      /* as the client wrote it: a name or [literal]     */
            bool           esmtp;       /* EHLO or LHLO                                    */
        } hello;
        struct {
            struct sp_view mechanism;   /* upper case, one of those offered                */
            bool           has_initial; /* an initial response came along                  */
            struct sp_view initial;     /* decoded; empty for `=` (RFC 4954 4)             */
        } auth;
        struct sp_view answer; /* decoded; may be empty. A secret, as is `initial`         */
        struct {
            struct sp_path            sender;     /* may be the null path                  */
            uint64_t                  size;       /* SIZE= or 0                            */
            struct sp_mail_parameters parameters; /* as the client says: AUTH= is not yet trusted */
        } mail;
        struct {
            struct sp_path            recipient;  /* never the null path                   */
            uint32_t                  n;          /* accepted before this one              */
            struct sp_rcpt_parameters parameters; /* what is asked for this recipient      */
        } rcpt;
        struct sp_view words;   /* behind the verb, as written; printable                  */
        struct sp_view content; /* of the message; in all events together: the whole of it */
        struct {
            uint64_t size;      /* octets of content in all                                */
            uint32_t recipient; /* LMTP: whose, from 0 in the order of the accepted RCPTs; else 0 */
        } end;
        struct sp_server_peer peer; /* what XCLIENT or XFORWARD said                       */
    } as;
};

/*
 * A session with one client, from sp_server_new to sp_server_free. Nothing is shared between sessions: each may live on a
 * thread of its own, but one session is used by one thread at a time.
 */
struct sp_server;

/* Octets of output that wait to be taken, from which on one call of sp_server_feed does no further command. */
enum { SP_SERVER_OUTPUT_PAUSE = 64 << 10 };

/*
 * Make a session. SP_ERR_NOMEM; SP_ERR_MISUSE: no hostname.
 *
 *   options, alloc   borrowed for the session's life
 *   session_out      owned by the caller; sp_server_free. Untouched on failure
 */
SP_MUST_USE int sp_server_new(const struct sp_server_options *options, const struct sp_allocator *alloc,
                              struct sp_server **session_out);

/* Free a session in any state; NULL is fine. SASL octets it still holds are overwritten first. */
void sp_server_free(struct sp_server *s);

/*
 * The connection is up: the first question is ASK_OPEN.
 *
 *   tls     TLS is already on (implicit TLS, RFC 8314 3.3)
 *   now_ms  milliseconds of a clock that never goes back, from any beginning; the same clock in all calls
 *
 * SP_ERR_MISUSE: opened before. SP_ERR_NOMEM: the session is dead.
 */
SP_MUST_USE int sp_server_open(struct sp_server *s, bool tls, uint64_t now_ms);

/*
 * Give the session octets that arrived from the client.
 *
 *   in        any split of the stream; borrowed for the call and for the events that follow it
 *   now_ms    monotonic milliseconds, never less than in the last call
 *   used_out  octets consumed, 0..in.len; stops early where sp_server_reads changes, while an event
 *             is unread or unanswered, and
 *             when SP_SERVER_OUTPUT_PAUSE octets of output wait (short commands may have long
 *             replies): take the event or the output, keep the rest and feed it again. May be 0
 *             with an event, where line ends are mended
 *
 * Whether octets are buffered behind a command is judged by what is left of `in`.
 *
 * SP_OK, SP_ERR_NOMEM (the session is dead), SP_ERR_CLOSED (ended, octets are refused),
 * SP_ERR_MISUSE (not opened; or the link waits for sp_server_secured: these octets are TLS's).
 * SP_ERR_LONG (1 MiB of output was not taken with sp_server_sent over many calls; the session is dead).
 * Events borrow from `in` and from the session: they are void after the next feed. A SASL
 * response is void when its question is answered; it is overwritten then.
 * RFC 5321 2.3.8 (lines end in CRLF and only CRLF), 4.5.3.1 (limits).
 */
SP_MUST_USE int sp_server_feed(struct sp_server *s, struct sp_view in, uint64_t now_ms, size_t *used_out);

/*
 * The next event; a question is returned again until it is answered, a fact once. SP_SERVER_NOTHING also for a session that is
 * dead: the status of the call that killed it says why.
 */
enum sp_server_event_type sp_server_event(struct sp_server *s, struct sp_server_event *event_out);

/*
 * Say yes to the question. An answer that took its time: sp_server_tick before it, so that the
 * client's time counts from the reply.
 *
 *   text  for END and ETRN the text behind "250 2.0.0 " ("Queued as 0c4x..."); for VRFY and EXPN the text
 *         behind "250 2.1.5 ", where each LF begins another line of the reply; otherwise, and when empty,
 *         the table's own text
 *
 * SP_ERR_MISUSE: no question is open. SP_ERR_NOMEM: the session is dead.
 */
SP_MUST_USE int sp_server_yes(struct sp_server *s, struct sp_view text);

/*
 * Say no to the question, with any 4yz or 5yz. 421 closes the session after the reply.
 * The table says where the session goes: a handler can refuse but never choose the next phase.
 *
 * SP_ERR_MISUSE: no question is open, or the refusal is malformed (code, class, reason).
 */
SP_MUST_USE int sp_server_no(struct sp_server *s, const struct sp_refusal *refusal);

/*
 * Ask back with `334 base64(challenge)`: only for ASK_AUTH and ASK_ANSWER (RFC 4954 4).
 *
 *   challenge  at most 9,000 octets before encoding; empty gives "334 "
 *
 * SP_ERR_MISUSE: another question is open, or none. SP_ERR_LONG: nothing was said.
 */
SP_MUST_USE int sp_server_more(struct sp_server *s, struct sp_view challenge);

/* Octets to send, borrowed until the next call with this session. Empty: nothing, or the session is dead. */
struct sp_view sp_server_output(struct sp_server *s);

/* The first n octets of the output were sent (n <= output.len). */
void sp_server_sent(struct sp_server *s, size_t n);

/*
 * Leave a mechanism of the options out of EHLO for this session: AUTH with it is still asked, so that the caller can say
 * why not. One at a time; an empty view lists all again.
 *   mechanism  borrowed for the session's life
 */
void sp_server_withhold(struct sp_server *s, struct sp_view mechanism);

/*
 * Say what time it is: the wall time, in milliseconds since 1970-01-01 UTC, of the last now_ms. Without it nothing
 * that counts in wall time is offered.
 */
void sp_server_set_wall(struct sp_server *s, int64_t wall_ms);

/*
 * The handshake that SP_SERVER_START_TLS asked for is done: all learned in clear is forgotten (RFC 3207 4.2). Where it failed,
 * sp_server_eof instead.
 *
 * SP_ERR_MISUSE: no handshake was asked for. SP_ERR_NOMEM: the session is dead.
 */
SP_MUST_USE int sp_server_secured(struct sp_server *s, uint64_t now_ms);

/* When sp_server_tick is due, in the caller's monotonic milliseconds; UINT64_MAX for never. */
uint64_t sp_server_deadline(const struct sp_server *s);

/*
 * Time has passed. Past the deadline the session says 421 4.4.2 and closes (in a handshake: closes).
 * Nobody else holds a sender that drips to its time: call it between feeds too, when the deadline is over.
 * While a question is open there is no deadline, and the time is only noted.
 *
 * SP_OK, SP_ERR_NOMEM (the session is dead).
 */
SP_MUST_USE int sp_server_tick(struct sp_server *s, uint64_t now_ms);

/*
 * The client closed its side: nothing is said, the transaction is dropped (RFC 5321 3.8). While END
 * is unanswered the session ends after that answer, for the client may still be reading.
 *
 * SP_OK also when it has ended already. SP_ERR_MISUSE: not opened.
 */
SP_MUST_USE int sp_server_eof(struct sp_server *s);

/*
 * The server is going away: 421 4.3.2 and close, at once or, while END is unanswered,
 * after its answer. RFC 5321 3.8.
 *
 * SP_OK also when it has ended already. SP_ERR_MISUSE: not opened. SP_ERR_NOMEM: the session is dead.
 */
SP_MUST_USE int sp_server_shutdown(struct sp_server *s);

/* Is the link under TLS? This and the facts that follow are true to the state after the last answered event. */
bool sp_server_is_tls(const struct sp_server *s);

/* Did the client say EHLO or LHLO? false before, and after HELO. */
bool sp_server_is_esmtp(const struct sp_server *s);

/* Did AUTH succeed? */
bool sp_server_is_authenticated(const struct sp_server *s);

/* Has MAIL been accepted, and the mail neither taken over nor dropped? */
bool sp_server_in_transaction(const struct sp_server *s);

/* The phase's name as in docs/server-states.md: "READY". Static text. */
const char *sp_server_phase(const struct sp_server *s);

/* What the next octets are taken for: what may be shown of them depends on it. */
enum sp_server_reads {
    SP_SERVER_READS_NOTHING,  /* until a question is answered or the handshake is done    */
    SP_SERVER_READS_COMMANDS, /* lines of commands                                    */
    SP_SERVER_READS_ANSWER,   /* a response in a SASL exchange                            */
    SP_SERVER_READS_MESSAGE   /* octets of a message, its end or of a chunk included  */
};

/* What the next octets are taken for, now. */
enum sp_server_reads sp_server_reads(const struct sp_server *s);

/* The code of the last reply to a command that is complete, for logs; 0 before the first. */
int sp_server_last_code(const struct sp_server *s);

/* Its reason id; "" for replies that are no refusals. Static text unless the caller gave it. */
const char *sp_server_last_reason(const struct sp_server *s);

#ifdef __cplusplus
}
#endif

#endif
