/*
 * The words of the SMTP server session and the shape of one rule. The rule table
 * (server_rules.c) is the law: only it moves a session from phase to phase.
 *
 * Pure data: no I/O, no clock, no allocation.
 */
#ifndef SMTP_SERVER_RULES_H
#define SMTP_SERVER_RULES_H

#include "sallyport/smtp_server.h"

/* What must hold. NAME, meaning, reply if not, what then, RFC. Tested in this order. */
#define SMTP_NEEDS(X)                                                                                        \
    X(ALONE, "nothing is buffered behind the command", SENT_AHEAD, CLOSES, "2920 3.1")                       \
    X(SMTP, "the listener speaks SMTP, not LMTP", LMTP_SAYS_LHLO, STAYS, "2033 4.1")                         \
    X(LMTP, "the listener speaks LMTP", NOT_IMPLEMENTED, STAYS, "2033 4.1")                                  \
    X(OFFERED, "the listener offers the command", NOT_OFFERED, STAYS, "5321 4.2.4")                          \
    X(TLS, "TLS is on, where policy asks for it", TLS_REQUIRED, STAYS, "3207 4")                             \
    X(USER, "the client is authenticated, where policy asks for it", AUTH_REQUIRED, STAYS, "4954 6")         \
    X(PLAIN, "the link is not yet TLS", STARTTLS_TWICE, STAYS, "3207 4")                                     \
    X(ANONYMOUS, "the client is not yet authenticated", AUTH_TWICE, STAYS, "4954 4")                         \
    X(UNREFUSED, "no recipient of this mail was refused", NO_VALID_RECIPIENTS, STAYS, "5321 3.3")            \
    X(ESMTP, "the client said EHLO, not HELO", EXTENSION_AFTER_HELO, STAYS, "5321 2.2.1")                    \
    X(MECHANISM, "a mechanism is offered on this link", AUTH_NEEDS_TLS, STAYS, "4954 4")                     \
    X(LINES, "the body is not BINARYMIME", BINARY_BY_DATA, STAYS, "3030 3")                                  \
    X(ROOM, "the mail has fewer recipients than the limit", TOO_MANY_RECIPIENTS, STAYS, "5321 4.5.3.1.10")

#define X(name, ...) NEEDBIT_##name,
enum smtp_need_bit { SMTP_NEEDS(X) NEED_N };
#undef X
#define X(name, ...) NEED_##name = 1u << NEEDBIT_##name,
enum smtp_need { SMTP_NEEDS(X) NEED_ALL = (1u << NEED_N) - 1 };
#undef X

enum smtp_unmet { STAYS, CLOSES };

/*
 * Where a session can be. NAME, HOME, what it READS, its TIMER, which needs of a verb are
 * tested there, what is true there. A refusal sends the session HOME; if that is a move,
 * the mail is dropped.
 */
#define SMTP_PHASES(X)                                                                                       \
    X(GREET, REFUSED, NOTHING, NEVER, NEED_ALL, "connected; the greeting waits for the caller's word")       \
    X(REFUSED, REFUSED, COMMANDS, COMMAND, NEED_ALONE, "the greeting was a refusal; only QUIT is taken")     \
    X(START, START, COMMANDS, COMMAND, NEED_ALL, "greeted; the client has not said who it is")               \
    X(READY, READY, COMMANDS, COMMAND, NEED_ALL, "the client is known by name; no mail is open")             \
    X(MAIL, MAIL, COMMANDS, COMMAND, NEED_ALL, "a sender is accepted; no recipient yet")                     \
    X(RCPT, RCPT, COMMANDS, COMMAND, NEED_ALL, "a sender and at least one recipient are accepted")           \
    X(CHUNKED, CHUNKED, COMMANDS, COMMAND, NEED_ALL, "a chunk is taken; the next is awaited")                \
    X(CHUNK_FAILED, CHUNK_FAILED, COMMANDS, COMMAND, NEED_ALL, "a chunk was refused; RSET clears that")      \
    X(CHUNK, READY, CHUNK, DATA, NEED_ALL, "the octets of a chunk are read, as many as BDAT counted")        \
    X(DATA, READY, MESSAGE, DATA, NEED_ALL, "354 is said; octets are message until CRLF.CRLF")               \
    X(SASL, READY, ANSWERS, COMMAND, NEED_ALL, "334 is said; the next line is an answer to it")              \
    X(TLS, CLOSED, NOTHING, TLS, NEED_ALL, "220 is said to STARTTLS; the handshake runs")                    \
    X(CLOSED, CLOSED, NOTHING, NEVER, NEED_ALL, "the last reply is said; octets are refused")

#define X(name, ...) P_##name,
enum smtp_phase { SMTP_PHASES(X) P_N };
#undef X

enum smtp_reads { READS_NOTHING, READS_COMMANDS, READS_ANSWERS, READS_MESSAGE, READS_CHUNK };
enum smtp_timer { TIMER_NEVER, TIMER_COMMAND, TIMER_DATA, TIMER_TLS };

/*
 * The longest line with its CRLF: RFC 5321 4.5.3.1.4, and what each extension adds (the section that says
 * so). MAIL and RCPT grow by all of them, offered or not, so that a parameter that is not is told from a line
 * that is too long.
 */
enum {
    SMTP_LINE_MAX = 512,
    SMTP_MORE_SIZE = 26,       /* 1870 3                                    */
    SMTP_MORE_BODY = 17,       /* 6152 2                                    */
    SMTP_MORE_AUTH = 500,      /* 4954 3                                    */
    SMTP_MORE_SMTPUTF8 = 10,   /* 6531 3.1                                  */
    SMTP_MORE_ENVID = 107,     /* 3461 4.4: " ENVID=" and 100 octets        */
    SMTP_MORE_RET = 9,         /* 3461 4.3: " RET=FULL"                     */
    SMTP_MORE_REQUIRETLS = 11, /* 8689 3                                    */
    SMTP_MORE_BY = 17,         /* 2852 3                                    */
    SMTP_MORE_HOLD = 34,       /* 4865 4                                    */
    SMTP_MORE_PRIORITY = 15,   /* 6710 3                                    */
    SMTP_MORE_NOTIFY = 29,     /* 3461 4.1: " NOTIFY=SUCCESS,FAILURE,DELAY" */
    SMTP_MORE_ORCPT = 507,     /* 3461 4.2: " ORCPT=" and 500 octets        */
    SMTP_LINE_MAIL_MAX = SMTP_LINE_MAX + SMTP_MORE_SIZE + SMTP_MORE_BODY + SMTP_MORE_AUTH +
                         SMTP_MORE_SMTPUTF8 + SMTP_MORE_ENVID + SMTP_MORE_RET + SMTP_MORE_REQUIRETLS +
                         SMTP_MORE_BY + SMTP_MORE_HOLD + SMTP_MORE_PRIORITY,
    SMTP_LINE_RCPT_MAX = SMTP_LINE_MAX + SMTP_MORE_NOTIFY + SMTP_MORE_ORCPT,
    SMTP_LINE_PEER_MAX = 2048,  /* XCLIENT, XFORWARD: what Postfix takes and sends */
    SMTP_LINE_AUTH_MAX = 12288, /* 4954 4.4 */
    SMTP_REPLY_MAX = 512,
    SMTP_REASON_MAX = 64
};

/*
 * Verbs. NAME, needs in every phase, counted as idle, longest line. The order is that of the
 * "now:" list in replies. RFC 2920 3.1 also wants EHLO, NOOP, VRFY, EXPN and QUIT last in their
 * group; that binds clients. Nothing can be smuggled behind them, so they are answered in order,
 * and what follows QUIT is thrown away. The octets that BDAT counts belong to its line: where it is refused
 * they are thrown away before the reply (RFC 3030 2), and where the count cannot be read the session is
 * closed.
 */
#define SMTP_VERBS(X)                                                                                        \
    X(MAIL, NEED_TLS | NEED_USER, 0, SMTP_LINE_MAIL_MAX)                                                     \
    X(RCPT, NEED_TLS | NEED_USER, 0, SMTP_LINE_RCPT_MAX)                                                     \
    X(DATA, NEED_ALONE | NEED_TLS | NEED_USER, 0, SMTP_LINE_MAX)                                             \
    X(BDAT, NEED_OFFERED | NEED_TLS | NEED_USER, 0, SMTP_LINE_MAX)                                           \
    X(AUTH, NEED_ALONE | NEED_OFFERED | NEED_TLS | NEED_ANONYMOUS, 0, SMTP_LINE_AUTH_MAX)                    \
    X(STARTTLS, NEED_ALONE | NEED_OFFERED | NEED_PLAIN, 0, SMTP_LINE_MAX)                                    \
    X(RSET, NEED_TLS, 1, SMTP_LINE_MAX)                                                                      \
    X(EHLO, NEED_SMTP, 1, SMTP_LINE_MAX)                                                                     \
    X(HELO, NEED_SMTP | NEED_TLS, 1, SMTP_LINE_MAX)                                                          \
    X(LHLO, NEED_LMTP, 1, SMTP_LINE_MAX)                                                                     \
    X(NOOP, 0, 1, SMTP_LINE_MAX)                                                                             \
    X(VRFY, NEED_TLS | NEED_USER, 1, SMTP_LINE_MAX)                                                          \
    X(EXPN, NEED_TLS | NEED_USER, 1, SMTP_LINE_MAX)                                                          \
    X(HELP, NEED_TLS | NEED_USER, 1, SMTP_LINE_MAX)                                                          \
    X(ETRN, NEED_OFFERED | NEED_TLS | NEED_USER, 1, SMTP_LINE_MAX)                                           \
    X(XCLIENT, NEED_ALONE | NEED_OFFERED, 1, SMTP_LINE_PEER_MAX)                                             \
    X(XFORWARD, NEED_OFFERED, 1, SMTP_LINE_PEER_MAX)                                                         \
    X(QUIT, 0, 0, SMTP_LINE_MAX)

/* What else can happen to a session. NAME, a phrase. */
#define SMTP_HAPPENINGS(X)                                                                                   \
    X(OFF, "(a known verb that is not implemented)")                                                         \
    X(UNKNOWN, "(any other verb)")                                                                           \
    X(LONG, "(line over its limit)")                                                                         \
    X(LONG_AUTH, "(AUTH line over its limit)")                                                               \
    X(CONTROL, "(control octet in a line)")                                                                  \
    X(AHEAD, "(octets sent ahead of a reply)")                                                               \
    X(BARE_LF, "(LF without CR in a line)")                                                                  \
    X(HTTP, "(HTTP request)")                                                                                \
    X(PROXY, "(PROXY header)")                                                                               \
    X(TLS_HELLO, "(TLS handshake in clear)")                                                                 \
    X(ANSWER, "(SASL answer)")                                                                               \
    X(CANCEL, "(SASL cancel, `*`)")                                                                          \
    X(BAD_BASE64, "(SASL answer, not base64)")                                                               \
    X(BAD_CHUNK, "(BDAT whose octets cannot be told)")                                                       \
    X(CHUNK_BIG, "(BDAT beyond SIZE)")                                                                       \
    X(CHUNK_END, "(end of a chunk)")                                                                         \
    X(END, "(end of message)")                                                                               \
    X(END_BARE_LF, "(end of a message with bare LF)")                                                        \
    X(END_BARE_CR, "(end of a message with bare CR)")                                                        \
    X(END_BIG, "(end of a message over SIZE)")                                                               \
    X(END_NUL, "(end of a message with NUL)")                                                                \
    X(END_8BIT, "(end of a message with octets over 127, not declared)")                                     \
    X(OPEN, "(connection)")                                                                                  \
    X(SECURED, "(handshake done)")                                                                           \
    X(DISMISS, "(the caller says 421)")                                                                      \
    X(ERRORS, "(one refusal too many)")                                                                      \
    X(IDLERS, "(one idle command too many)")                                                                 \
    X(FAILURES, "(one AUTH too many)")                                                                       \
    X(TIMER, "(time is up)")                                                                                 \
    X(SLOW, "(a mail that takes too long)")                                                                  \
    X(SHUTDOWN, "(the server stops)")                                                                        \
    X(EOF, "(the client closed)")

#define X(name, ...) IN_##name,
enum smtp_input { SMTP_VERBS(X) IN_VERB_N, IN_BEFORE_OTHERS = IN_VERB_N - 1, SMTP_HAPPENINGS(X) IN_N };
#undef X

/* Known verbs of other RFCs: NAME, needs. */
#define SMTP_OFF_VERBS(X)                                                                                    \
    X(BURL, 0)                                                                                               \
    X(ATRN, 0)                                                                                               \
    X(TURN, 0)                                                                                               \
    X(SEND, 0)                                                                                               \
    X(SOML, 0)                                                                                               \
    X(SAML, 0)

/* A browser that was tricked into talking to us begins with one of these. */
#define SMTP_HTTP_VERBS(X) X(GET) X(POST) X(PUT) X(HEAD) X(OPTIONS) X(CONNECT) X(DELETE)

/*
 * How a reply that is no refusal is written. NAME, code, enhanced code, text.
 * $ as in server_reasons.def, and $h us, $p our protocol, $c the client, $k octets of the message so far.
 */
#define SMTP_REPLIES(X)                                                                                      \
    X(NONE, 0, "", "")                                                                                       \
    X(CALLER, 0, "", "the caller's words")                                                                   \
    X(GREETING, 220, "", "$h $p Sallyport")                                                                  \
    X(HELLO, 250, "", "$h greets $c")                                                                        \
    X(EXTENSIONS, 250, "", "$h greets $c")                                                                   \
    X(GO_TLS, 220, "2.0.0", "Ready to start TLS")                                                            \
    X(CHALLENGE, 334, "", "the challenge in base64")                                                         \
    X(AUTH_OK, 235, "2.7.0", "Authentication succeeded")                                                     \
    X(MAIL_OK, 250, "2.1.0", "Sender ok")                                                                    \
    X(RCPT_OK, 250, "2.1.5", "Recipient ok")                                                                 \
    X(GO_DATA, 354, "", "Send the message, end it with <CRLF>.<CRLF>")                                       \
    X(CHUNK_OK, 250, "2.0.0", "$k octets so far")                                                            \
    X(TAKEN, 250, "2.0.0", "Message accepted")                                                               \
    X(OK, 250, "2.0.0", "Ok")                                                                                \
    X(PERHAPS, 252, "2.5.0", "Cannot say, send mail and see")                                                \
    X(FOUND, 250, "2.1.5", "the caller's words")                                                             \
    X(ETRN_OK, 250, "2.0.0", "Delivery started")                                                             \
    X(HELP, 214, "2.0.0", "Now: $n")                                                                         \
    X(BYE, 221, "2.0.0", "Bye")

#define X(name, ...)       R_##name,
#define REFUSAL(name, ...) R_##name,
enum smtp_reply_id {
    SMTP_REPLIES(X) R_REFUSALS,
    R_BEFORE_REFUSALS = R_REFUSALS - 1,
#include "smtp/server_reasons.def"
    R_N
};
#undef REFUSAL
#undef X

/*
 * EHLO keywords. Text; what must hold for it to be listed, for which verb; what the caller must offer; RFC.
 * $m the mechanisms, $s the size limit, $r that of recipients, $f what FUTURERELEASE takes.
 */
#define SMTP_EXTENSIONS(X)                                                                                   \
    X("PIPELINING", 0, 0, 0, "2920")                                                                         \
    X("SIZE $s", 0, 0, 0, "1870")                                                                            \
    X("8BITMIME", 0, 0, 0, "6152")                                                                           \
    X("ENHANCEDSTATUSCODES", 0, 0, 0, "2034")                                                                \
    X("CHUNKING", 0, 0, SP_EXT_CHUNKING, "3030")                                                             \
    X("BINARYMIME", 0, 0, SP_EXT_BINARYMIME, "3030")                                                         \
    X("SMTPUTF8", 0, 0, SP_EXT_SMTPUTF8, "6531")                                                             \
    X("DSN", 0, 0, SP_EXT_DSN, "3461")                                                                       \
    X("DELIVERBY", 0, 0, SP_EXT_DELIVERBY, "2852")                                                           \
    X("FUTURERELEASE $f", 0, 0, SP_EXT_FUTURERELEASE, "4865")                                                \
    X("MT-PRIORITY", 0, 0, SP_EXT_MT_PRIORITY, "6710")                                                       \
    X("LIMITS RCPTMAX=$r", 0, 0, SP_EXT_LIMITS, "9422")                                                      \
    X("ETRN", 0, 0, SP_EXT_ETRN, "1985")                                                                     \
    X("REQUIRETLS", 0, 0, SP_EXT_REQUIRETLS, "8689")                                                         \
    X("STARTTLS", NEED_OFFERED | NEED_PLAIN, IN_STARTTLS, 0, "3207")                                         \
    X("AUTH $m", NEED_OFFERED | NEED_ANONYMOUS | NEED_MECHANISM, IN_AUTH, 0, "4954")                         \
    X("XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT", 0, 0, SP_EXT_XCLIENT, "5321 2.2.1")       \
    X("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE", 0, 0, SP_EXT_XFORWARD, "5321 2.2.1")                \
    X("HELP", 0, 0, 0, "5321 4.1.1.8")

/* Who decides: nobody (no such cell), the table says no, the engine alone, the caller through a question. */
enum smtp_who { ABSENT = 0, REFUSES, ENGINE, CALLER };

/* What a yes throws away, and what it teaches the session. */
enum smtp_forget { KEEP = 0, FORGET_MAIL, FORGET_ALL, MAIL_DONE };
enum smtp_learn {
    LEARN_NOTHING = 0,
    LEARN_ESMTP,
    LEARN_SMTP,
    LEARN_TLS,
    LEARN_USER,
    LEARN_SENDER,
    LEARN_RECIPIENT,
    LEARN_CLIENT /* the user that XCLIENT names, or none */
};

/* A reply and a next phase. */
struct smtp_outcome {
    uint8_t say;  /* enum smtp_reply_id */
    uint8_t next; /* enum smtp_phase    */
};

/* In PHASE, on INPUT, if NEED holds, WHO decides; on yes say and go, learn and forget; on no go home. */
struct smtp_rule {
    uint8_t who;                       /* enum smtp_who; 0: no such cell                   */
    uint8_t ask;                       /* enum sp_server_event_type, for CALLER            */
    uint16_t need;                     /* set of enum smtp_need, beside those of the verb  */
    struct smtp_outcome yes, more, no; /* `more` only where its phase is not 0             */
    uint8_t learn;                     /* enum smtp_learn, on yes                          */
    uint8_t forget;                    /* enum smtp_forget, on yes                         */
    const char *rfc;                   /* the section that orders this cell                */
};

typedef const struct smtp_rule smtp_rule_row[IN_N];
extern smtp_rule_row smtp_rules[P_N];

struct smtp_phase_row {
    const char *name;
    uint8_t home, reads, timer;
    uint16_t gates;
    const char *meaning;
};
extern const struct smtp_phase_row smtp_phases[P_N];

struct smtp_need_row {
    const char *name, *meaning;
    uint8_t reply, unmet;
    const char *rfc;
};
extern const struct smtp_need_row smtp_needs[NEED_N];

struct smtp_reply_row {
    uint16_t code;
    const char *enhanced, *reason; /* reason "" for what is no refusal */
    struct sp_view text;
};
extern const struct smtp_reply_row smtp_replies[R_N];

/* What a first word on a line stands for. */
struct smtp_word {
    struct sp_view spelling;
    uint8_t input;
    uint8_t idle;
    uint16_t need;
    uint16_t line_max;
};

/* The verbs come first, in the order of enum smtp_input. */
extern const struct smtp_word smtp_words[];
extern const size_t smtp_words_n;

/* The word with this spelling in any case, or the one for unknown words. Never NULL. */
const struct smtp_word *smtp_word_find(struct sp_view spelling);

struct smtp_extension {
    struct sp_view text;
    uint16_t need;
    uint8_t verb;
    uint16_t offer; /* enum sp_server_extension, or 0 */
    const char *rfc;
};
extern const struct smtp_extension smtp_extensions[];
extern const size_t smtp_extensions_n;

/* "EHLO" or the phrase of a happening. */
const char *smtp_input_name(enum smtp_input input);

#endif
