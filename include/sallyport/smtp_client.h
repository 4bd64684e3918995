/*
 * The client side of an SMTP session, without I/O.
 *
 * Octets from the server go in by sp_client_feed; octets for it come out of
 * sp_client_output. The session sends what the rule table orders, and stops at a
 * question when it needs the caller: what next? how is this challenge answered?
 * where is the message? Time is an argument; memory comes from the caller's allocator.
 *
 *     sp_client_open(s, false, now);
 *     for (;;) {
 *         while (sp_client_event(s, &ev) is a fact) note it;
 *         if it is a question, answer it and drain again;
 *         write sp_client_output(s), then sp_client_sent(s, n, now);
 *         read octets; sp_client_feed(s, octets, now, &used);    // until all is used
 *     }
 *
 * Each recipient of a mail gets exactly one outcome, whatever happens: a reply, a lost
 * connection, a timeout, a failed allocation.
 *
 * RFC 5321 (SMTP), 2033 (LMTP), 3207 (STARTTLS), 4954 (AUTH), 2920 (PIPELINING), 1870 (SIZE),
 * 6152 (8BITMIME), 3030 (CHUNKING, BINARYMIME), 6531 (SMTPUTF8), 3461 (DSN), 8689 (REQUIRETLS),
 * 2852 (DELIVERBY), 4865 (FUTURERELEASE), 6710 (MT-PRIORITY), 9422 (LIMITS), 2034 and 3463
 * (enhanced status codes).
 */
#ifndef SALLYPORT_SMTP_CLIENT_H
#define SALLYPORT_SMTP_CLIENT_H

#include "sallyport/envelope.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is asked of the link before anything is said on it. */
enum sp_client_tls {
    SP_CLIENT_TLS_OFF,           /* never STARTTLS                                             */
    SP_CLIENT_TLS_OPPORTUNISTIC, /* STARTTLS when offered; in clear when not, or when refused  */
    SP_CLIENT_TLS_REQUIRED       /* nothing but EHLO, STARTTLS and QUIT before TLS is up       */
};

/* Which protocol is spoken. */
enum sp_client_protocol {
    SP_CLIENT_ESMTP, /* EHLO, and HELO where it is not known                                        */
    SP_CLIENT_SMTP,  /* HELO: no extension is used                                                  */
    SP_CLIENT_LMTP   /* LHLO, and a reply for each recipient behind the message (RFC 2033)          */
};

/* How long a server may take, in milliseconds. Defaults are those of RFC 5321 4.5.3.2. */
struct sp_client_timeouts {
    uint32_t greeting_ms; /* for the greeting; default 300,000                           */
    uint32_t command_ms;  /* for the reply to a command; default 300,000                 */
    uint32_t data_ms;     /* for the reply to DATA; default 120,000                      */
    uint32_t block_ms;    /* for taking the next octets of a message; default 180,000    */
    uint32_t end_ms;      /* for the reply to the final dot; default 600,000             */
    uint32_t tls_ms;      /* for a handshake; default 60,000                             */
    uint32_t quit_ms;     /* for the reply to QUIT, which decides nothing; default 5,000 */
};

/*
 * What a caller wants of its sessions. Borrowed for the session's life, so one serves
 * many. Zeros mean the defaults.
 *
 * The leniencies are off unless named; each says what it costs.
 */
struct sp_client_options {
    struct sp_view hello; /* argument of EHLO: our host name or [address]; required */
    enum sp_client_tls tls;             /* what is asked of the link                       */
    enum sp_client_protocol protocol;   /* which of SMTP's three forms is spoken           */
    struct sp_client_timeouts timeouts; /* how long the server may take                    */
    bool auth_in_clear; /* mechanisms other than SCRAM may be used without TLS: who reads the line
                           learns the password                                                  */
    bool transcript;    /* say SP_CLIENT_SENT for each line that is sent                        */
    bool lock_step;     /* no command before the reply to the last one, PIPELINING or not: slower, and
                           easier to read                                                           */
    bool lf_replies;    /* a bare LF ends a reply line too. Costs: two readers of the same
                           octets may see different replies; no use to anybody but the server   */
    bool fix_line_ends; /* a bare LF or CR in a message is sent as CRLF. Costs: the message is
                           changed, so signatures over it break. Without it such a message is
                           bounced (5.6.0): sent as it is it could smuggle a second one         */
    bool greeting_only; /* QUIT behind the greeting                                             */
    bool no_hello;      /* ASK_NEXT behind the greeting, without EHLO: for tests of servers     */
};

/* What the last EHLO said. All false and empty before, after HELO, and from STARTTLS to the next EHLO. */
struct sp_client_capabilities {
    bool esmtp;      /* there was a reply to EHLO                              */
    bool pipelining; /* PIPELINING: commands are sent in groups (RFC 2920)     */
    bool eight_bit; /* 8BITMIME                                              */
    bool starttls;  /* STARTTLS                                              */
    bool enhanced; /* ENHANCEDSTATUSCODES                                    */
    bool size;                    /* SIZE                                                   */
    bool chunking;                /* CHUNKING: BDAT                                         */
    bool binary;                  /* BINARYMIME, and CHUNKING, without which it is nothing  */
    bool utf8;                    /* SMTPUTF8                                               */
    bool dsn;                     /* DSN                                                    */
    bool require_tls;             /* REQUIRETLS                                             */
    bool deliver_by;              /* DELIVERBY                                              */
    bool future_release;          /* FUTURERELEASE                                          */
    bool priority;                /* MT-PRIORITY                                            */
    uint64_t size_max;            /* 0: not said                                            */
    uint64_t by_min_s;            /* of DELIVERBY; 0: not said                              */
    struct sp_view auth;          /* mechanisms, space separated; "AUTH=" of old servers too */
    struct {                      /* LIMITS; 0: not said                                    */
        uint32_t mail_max;        /* mails over this connection                    */
        uint32_t rcpt_max;        /* recipients of one mail                        */
        uint32_t rcpt_domain_max; /* domains among them                            */
    } limits;
};

/* A reply, or what came instead of one. Views live until the next feed. */
struct sp_client_reply {
    int code;                /* 200..599; 0: there was no reply, `text` says why          */
    struct sp_view enhanced; /* "5.1.1", of the same class as the code; empty when absent */
    struct sp_view text;     /* behind the code of the last line                          */
    struct sp_view lines;    /* the whole reply as received: see sp_client_reply_line     */
};

/* What something means for a recipient. NAME, phrase. */
#define SP_CLIENT_FATES(X)                                                                                   \
    X(NONE, "decides nothing")                                                                               \
    X(DELIVERED, "the server has taken the message over")                                                    \
    X(RETRY, "not now; the same later may work")                                                             \
    X(BOUNCE, "refused for good")                                                                            \
    X(UNKNOWN, "lost after the final dot: the server may or may not have it")

#define X(n, ...) SP_CLIENT_##n,
/* The fates of SP_CLIENT_FATES, by number; SP_CLIENT_FATE_N: how many there are. */
enum sp_client_fate { SP_CLIENT_FATES(X) SP_CLIENT_FATE_N };
#undef X

/* The name of a fate: "DELIVERED". Static text. */
const char *sp_client_fate_name(enum sp_client_fate fate);

/* How far a mail goes. Short of SP_CLIENT_UNTIL_END no recipient is served: those that are open get NONE. */
enum sp_client_until {
    SP_CLIENT_UNTIL_END,  /* to the reply to the message                                    */
    SP_CLIENT_UNTIL_MAIL, /* the reply to MAIL is enough                                   */
    SP_CLIENT_UNTIL_RCPT, /* the replies to RCPT are                                       */
    SP_CLIENT_UNTIL_DATA  /* 354; then only closing the connection is left                 */
};

/*
 * One mail. Borrowed, lists and all, until SP_CLIENT_MAIL_DONE.
 *
 * What `parameters` and `asked` ask for is said where the server offers the extension. Where it does not,
 * DSN, MT-PRIORITY, AUTH= and BY=...N are left out; what may not be lost is judged as sp_client_mail says.
 */
struct sp_client_mail {
    struct sp_view sender; /* without <>; empty for the null path                            */
    const struct sp_view *recipients;       /* without <>                                     */
    size_t recipient_n;                     /* 1 at least                                     */
    const struct sp_rcpt_parameters *asked; /* one for each recipient, or NULL                */
    struct sp_mail_parameters parameters;   /* what MAIL asks for                             */
    uint64_t size;       /* octets of content with CRLF ends; 0: not known                    */
    int64_t wall_ms;     /* the wall time now: for BY= and HOLDFOR= only                      */
    bool eight_bit;      /* content has octets over 127: BODY=8BITMIME                        */
    bool utf8_header;    /* its header has: SMTPUTF8                                          */
    bool send_eight_bit; /* send it even where 8BITMIME is not offered. Costs: an
                            old relay may clear the eighth bits. Else 5.6.3                   */
    bool verified;       /* the certificate of this link is the server's: for REQUIRETLS      */
    uint32_t chunk;      /* use BDAT, where it is offered, in chunks of so many octets, at most
                            SP_CLIENT_CHUNK_MAX; 0: DATA, and BDAT only for BINARYMIME         */
    enum sp_client_until until; /* how far it goes                                            */
    struct sp_view extra;      /* more parameters for MAIL, "X-A=b"; or empty                 */
    struct sp_view extra_rcpt; /* and for each RCPT                                           */
};

/* Octets of a chunk: the most that sp_client_mail.chunk may ask for, and what BINARYMIME gets where it asks for none. */
enum {
    SP_CLIENT_CHUNK_MAX     = 1 << 19, /* 524,288 */
    SP_CLIENT_CHUNK_DEFAULT = 1 << 16  /* 65,536  */
};

/*
 * What the session has to say. ASK_* are questions: returned again until answered; octets may be
 * fed meanwhile. The others are facts: taken by being read, and to be read before the next feed.
 */
enum sp_client_event_type {
    SP_CLIENT_NOTHING = 0, /* send the output, then feed                                         */

    SP_CLIENT_REPLY,     /* `reply`: a whole reply and what it means                             */
    SP_CLIENT_SENT,      /* `sent`: a line that goes out (options.transcript)                    */
    SP_CLIENT_OUTCOME,   /* `outcome`: what became of one recipient                              */
    SP_CLIENT_MAIL_DONE, /* every recipient has its outcome; the mail is not borrowed any more   */
    SP_CLIENT_AUTH_DONE, /* `auth`: the exchange ended                                           */
    SP_CLIENT_FAILED,    /* `failed`: this session is of no more use; QUIT or CLOSED follows     */

    SP_CLIENT_ASK_NEXT,    /* sp_client_auth, _mail, _raw, _xclient or _quit; may wait            */
    SP_CLIENT_ASK_ANSWER,  /* `challenge`: sp_client_answer or sp_client_cancel                  */
    SP_CLIENT_ASK_CONTENT, /* sp_client_content, at last sp_client_content_end                   */

    SP_CLIENT_START_TLS, /* run the handshake, then sp_client_secured, or sp_client_eof with why  */
    SP_CLIENT_CLOSED     /* once the output is sent close the connection                          */
};

/* One event: its type, and the member of `as` that the type's comment names. Views live as sp_client_event says. */
struct sp_client_event {
    enum sp_client_event_type type; /* which of the members below counts              */
    union {
        struct {
            const char *phase; /* what it answers: "MAIL"; see docs/client-states.md */
            struct sp_client_reply reply; /* the whole of it                         */
            enum sp_client_fate fate;     /* what it means                           */
            bool for_all;     /* the fate is that of all recipients still open   */
            size_t recipient; /* else of this one, when the phase is RCPT        */
        } reply;
        struct {
            struct sp_view line; /* without its end and without the secret that follows it */
            bool secret;         /* a SASL response follows the line                       */
            size_t secret_len;   /* of it, decoded                                         */
        } sent;
        struct {
            size_t recipient; /* index in mail.recipients                        */
            enum sp_client_fate fate;     /* what became of it; never said twice     */
            const char *phase;            /* which reply decided it: "RCPT"          */
            struct sp_client_reply reply; /* that reply, or why there was none       */
        } outcome;
        struct {
            bool ok;                      /* the server answered 235                 */
            bool not_base64;              /* its challenge was none: AUTH was given up, RFC 4954 4 */
            struct sp_client_reply reply; /* the last reply of the exchange          */
        } auth;
        struct {
            enum sp_client_fate fate; /* for mail that waits for this session                 */
            const char *phase;            /* where it happened                       */
            struct sp_client_reply reply; /* or why there was none                   */
        } failed;
        struct sp_view challenge; /* decoded                                                     */
    } as;
};

/*
 * A session with one server, from sp_client_new to sp_client_free. Nothing is shared between sessions: each may live on a
 * thread of its own, but one session is used by one thread at a time.
 */
struct sp_client;

/*
 * Make a session. SP_ERR_NOMEM; SP_ERR_MISUSE: hello is empty or has octets that are not
 * printable ASCII.
 *
 *   options, alloc  borrowed for the session's life
 *   session_out     owned by the caller; sp_client_free. Untouched on failure
 */
SP_MUST_USE int sp_client_new(const struct sp_client_options *options, const struct sp_allocator *alloc,
                              struct sp_client **session_out);

/* Free a session in any state; NULL is fine. Secrets it still holds are overwritten first. */
void sp_client_free(struct sp_client *s);

/*
 * The connection is up: the session waits for the greeting.
 *
 *   tls     TLS is already on (implicit TLS, RFC 8314 3.3)
 *   now_ms  milliseconds of a clock that never goes back, from any beginning; the same clock in all calls
 *
 * SP_ERR_MISUSE: opened before.
 */
SP_MUST_USE int sp_client_open(struct sp_client *s, bool tls, uint64_t now_ms);

/*
 * Give the session octets that arrived from the server.
 *
 *   in        any split of the stream; borrowed for the call
 *   now_ms    monotonic milliseconds, never less than in the last call
 *   used_out  octets consumed, 0..in.len; stops after each reply so that its events can be
 *             read: drain, then feed the rest
 *
 * A reply line has at most SP_CLIENT_LINE_MAX octets, a reply SP_CLIENT_LINES_MAX lines and
 * SP_CLIENT_REPLY_MAX octets; beyond, and for anything that is no reply, the session fails.
 *
 * SP_OK, SP_ERR_NOMEM (the session is closed), SP_ERR_CLOSED (ended, octets are refused),
 * SP_ERR_MISUSE (not opened).
 */
SP_MUST_USE int sp_client_feed(struct sp_client *s, struct sp_view in, uint64_t now_ms, size_t *used_out);

/* How much a server may say in one reply. */
enum {
    SP_CLIENT_LINE_MAX  = 12288, /* octets of a line: RFC 4954 4 for challenges; RFC 5321 4.5.3.1.5 asks for 512 */
    SP_CLIENT_LINES_MAX = 256,   /* lines                                                       */
    SP_CLIENT_REPLY_MAX = 65536  /* octets in all                                               */
};

/* The next event. Views in it live until the next call with this session but those to event. */
enum sp_client_event_type sp_client_event(struct sp_client *s, struct sp_client_event *event_out);

/*
 * ASK_NEXT: begin AUTH.
 *
 *   mechanism    a name of RFC 4422: letters, digits, - and _
 *   has_initial  `initial` is the first response, maybe empty. It goes along when the line keeps
 *                within 512 octets, else it answers the first challenge (RFC 4954 4)
 *   initial      at most 9,000 octets; copied; the copy is overwritten once sent
 *
 * SP_ERR_MISUSE: not asked, a malformed name, or the link is plain, options.auth_in_clear is off
 * and the mechanism is none of SCRAM. SP_ERR_LONG. SP_ERR_NOMEM.
 */
SP_MUST_USE int sp_client_auth(struct sp_client *s, struct sp_view mechanism, bool has_initial,
                               struct sp_view initial, uint64_t now_ms);

/*
 * ASK_ANSWER: send the response.
 *
 *   response  at most 9,000 octets, may be empty; copied; the copy is overwritten once sent
 *
 * SP_ERR_MISUSE: not asked. SP_ERR_LONG. SP_ERR_NOMEM: the session is closed.
 */
SP_MUST_USE int sp_client_answer(struct sp_client *s, struct sp_view response, uint64_t now_ms);

/* ASK_ANSWER: give the exchange up with "*" (RFC 4954 4). SP_ERR_MISUSE: not asked. SP_ERR_NOMEM: the session is closed. */
SP_MUST_USE int sp_client_cancel(struct sp_client *s, uint64_t now_ms);

/*
 * ASK_NEXT: send a mail. What can be judged without the server is, for all recipients:
 *
 *   5.1.7           the sender cannot stand in a command
 *   5.3.4           the size is over the server's limit
 *   5.6.1, 5.6.3    binary, eight-bit content where BINARYMIME, 8BITMIME is absent: see sp_client_needs
 *   5.6.7, 5.6.9    the sender, the header needs SMTPUTF8, which is absent
 *   5.7.10, 5.7.30  REQUIRETLS without verified TLS; without REQUIRETLS at the server
 *   5.4.7, 5.3.3    BY=...R is over; cannot be kept, as DELIVERBY is absent
 *   5.3.3           HOLDFOR cannot be kept, as FUTURERELEASE is absent
 *
 * or for some: 5.1.3 a malformed address, 5.6.7 one that needs SMTPUTF8, 4.5.3 (RETRY) more than LIMITS
 * allow.
 *
 * SP_ERR_MISUSE: not asked, no recipient, or malformed extra parameters. SP_ERR_NOMEM: the session is
 * closed; outcomes and MAIL_DONE are still said.
 */
SP_MUST_USE int sp_client_mail(struct sp_client *s, const struct sp_client_mail *mail, uint64_t now_ms);

/* What would have to be done to a content so that this server can take it. */
enum sp_client_need {
    SP_CLIENT_AS_IS,        /* nothing                                         */
    SP_CLIENT_TO_EIGHT_BIT, /* no binary: lines, without NUL (RFC 3030 3)      */
    SP_CLIENT_TO_SEVEN_BIT  /* ASCII (RFC 6152 3)                              */
};

/* What this mail's content would need, by what the last EHLO said and what the mail says of itself. */
enum sp_client_need sp_client_needs(const struct sp_client *s, const struct sp_client_mail *mail);

/* May another mail be given over this connection? false: LIMITS MAILMAX is reached, say QUIT (RFC 9422 4.1). */
bool sp_client_may_mail(const struct sp_client *s);

/*
 * ASK_NEXT: send octets as they are, and wait for that many replies. For probes and tests of servers. The
 * replies are told by SP_CLIENT_REPLY, phase RAW, and decide nothing.
 *
 * SP_ERR_MISUSE: not asked. SP_ERR_LONG: more than SP_CLIENT_RAW_MAX octets.
 */
SP_MUST_USE int sp_client_raw(struct sp_client *s, struct sp_view octets, unsigned replies, uint64_t now_ms);

/* Octets that one sp_client_raw may send. */
enum { SP_CLIENT_RAW_MAX = 1 << 19 /* 524,288 */ };

/*
 * ASK_NEXT: tell a server that trusts us about another client (XCLIENT), then EHLO anew.
 *   attributes  "ADDR=192.0.2.1 NAME=client.example"
 * SP_ERR_MISUSE: not asked, or malformed.
 */
SP_MUST_USE int sp_client_xclient(struct sp_client *s, struct sp_view attributes, uint64_t now_ms);

/*
 * ASK_CONTENT: the next octets of the message, in any split. Dots are stuffed and chunks are cut here.
 *
 *   octets    borrowed for the call
 *   used_out  octets taken; fewer than all when the output is full, or the next chunk must wait for the reply
 *             to this one: go on at the next ASK_CONTENT
 *
 * SP_ERR_MISUSE: not asked. SP_ERR_NOMEM: as for sp_client_mail.
 */
SP_MUST_USE int sp_client_content(struct sp_client *s, struct sp_view octets, size_t *used_out);

/*
 * ASK_CONTENT: it turns out that the message cannot be sent at all: its recipients bounce, the connection is
 * given up.
 *   enhanced, text  static: "5.6.3", why
 *
 * SP_ERR_MISUSE: not asked.
 */
SP_MUST_USE int sp_client_content_unfit(struct sp_client *s, const char *enhanced, const char *text);

/*
 * ASK_CONTENT: that was all. A last line without CRLF gets one (but for BINARYMIME), then the final dot, or
 * the last chunk, is sent.
 *
 * SP_ERR_MISUSE: not asked. SP_ERR_NOMEM: as for sp_client_mail.
 */
SP_MUST_USE int sp_client_content_end(struct sp_client *s);

/* ASK_NEXT: say QUIT. SP_ERR_MISUSE: not asked. SP_ERR_NOMEM: the session is closed. */
SP_MUST_USE int sp_client_quit(struct sp_client *s, uint64_t now_ms);

/* Octets to send, borrowed until the next call with this session. Empty: there is nothing to send. */
struct sp_view sp_client_output(struct sp_client *s);

/* The first n octets of the output were sent (n <= output.len). A SASL response among them is overwritten. */
void sp_client_sent(struct sp_client *s, size_t n, uint64_t now_ms);

/*
 * The handshake that SP_CLIENT_START_TLS asked for is done: all learned in clear is forgotten (RFC 3207 4.2). Where it failed,
 * sp_client_eof instead. SP_ERR_MISUSE: no handshake was asked for. SP_ERR_NOMEM: the session is closed.
 */
SP_MUST_USE int sp_client_secured(struct sp_client *s, uint64_t now_ms);

/* When sp_client_tick is due, in the caller's monotonic milliseconds; UINT64_MAX for never. */
uint64_t sp_client_deadline(const struct sp_client *s);

/* Time has passed. Past the deadline the session fails: each recipient still open gets its outcome (4.4.2). */
void sp_client_tick(struct sp_client *s, uint64_t now_ms);

/*
 * The connection is gone, or the caller gives it up.
 *   why  for the outcomes' text: "Connection reset by peer"; at most 200 octets are kept. Empty:
 *        "connection closed by the server"
 */
void sp_client_eof(struct sp_client *s, struct sp_view why);

/* What the last EHLO said; never NULL. Borrowed from the session; its views until the next EHLO. */
const struct sp_client_capabilities *sp_client_capabilities(const struct sp_client *s);

/* Is the link under TLS? */
bool sp_client_is_tls(const struct sp_client *s);

/* The words behind a keyword of the last EHLO reply. false: it was not there. Views until the next EHLO. */
bool sp_client_capability(const struct sp_client *s, struct sp_view keyword, struct sp_view *words_out);

/* The phase's name as in docs/client-states.md: "RCPT". Static text. */
const char *sp_client_phase(const struct sp_client *s);

/* The next line of reply.lines, without its end. false: there is none. */
bool sp_client_reply_line(struct sp_view *rest, struct sp_view *line_out);

#ifdef __cplusplus
}
#endif

#endif
