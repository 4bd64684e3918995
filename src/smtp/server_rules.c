/*
 * The SMTP server session: phase x input -> who decides, what is said, where it goes.
 *
 * A row reads: in READY, on MAIL (which needs TLS and a user where policy asks: SMTP_VERBS),
 * the caller decides; on yes 250 and to MAIL, on no the caller's words and back to READY.
 * A verb in a phase where commands are read always has a row; any other absent cell is a
 * mistake of the program, never a reply.
 *
 * Deliberate deviations:
 *
 * RFC 2920 3.2 says never to lose buffered octets. Where octets follow STARTTLS, DATA, XCLIENT or an AUTH
 * that asks back, the session is closed over them: they may be somebody's message or password, and must not
 * run as commands. For the same reason a BDAT whose count cannot be read closes it.
 *
 * RFC 3030 2 leaves the state after a refused chunk open. Here the mail is dropped and all but RSET, EHLO,
 * QUIT and what is always allowed gets 503. A refused last chunk ends the mail like a refused end of DATA.
 */
#include "smtp/server_rules.h"

#include "base/view.h"

/* Every phase ends like this. */
#define ENDS(p, last_words)                                                                                  \
    [p][IN_TIMER] = {ENGINE, .yes = {last_words ? R_IDLE_TIMEOUT : R_NONE, P_CLOSED}, .forget = FORGET_ALL,  \
                     .rfc = "5321 4.5.3.2"},                                                                 \
    [p][IN_SLOW] = {ENGINE, .yes = {last_words ? R_MESSAGE_TIMEOUT : R_NONE, P_CLOSED},                      \
                    .forget = FORGET_ALL, .rfc = "5321 4.5.3.2"},                                            \
    [p][IN_SHUTDOWN] = {ENGINE, .yes = {last_words ? R_SHUTDOWN : R_NONE, P_CLOSED}, .forget = FORGET_ALL,   \
                        .rfc = "5321 3.8"},                                                                  \
    [p][IN_EOF] = {ENGINE, .yes = {R_NONE, P_CLOSED}, .forget = FORGET_ALL, .rfc = "5321 3.8"}

/* The caller may answer any question with 421. */
#define DISMISSES(p)                                                                                         \
    [p][IN_DISMISS] = {ENGINE, .yes = {R_CALLER, P_CLOSED}, .forget = FORGET_ALL, .rfc = "5321 3.8"}

#define SAYS(p, in, reply, to, section)                                                                      \
    [p][in] = {ENGINE, .yes = {reply, to}, .forget = (to) == P_CLOSED ? FORGET_ALL : KEEP, .rfc = section}

#define ORDER(p, in, reason, section) [p][in] = {REFUSES, .no = {reason, p}, .rfc = section}

/* Wherever lines are read. */
#define LINES(p)                                                                                             \
    SAYS(p, IN_LONG_AUTH, R_AUTH_LINE_LONG, p, "4954 4"),                                                    \
        SAYS(p, IN_CONTROL, R_CONTROL_OCTET, p, "5321 4.1.1"),                                               \
        SAYS(p, IN_AHEAD, R_SENT_AHEAD, P_CLOSED, "2920 3.1"),                                               \
        SAYS(p, IN_BARE_LF, R_BARE_LF, P_CLOSED, "5321 2.3.8"),                                              \
        SAYS(p, IN_HTTP, R_HTTP, P_CLOSED, "5321 7.8"), SAYS(p, IN_PROXY, R_PROXY, P_CLOSED, "5321 7.8"),    \
        SAYS(p, IN_BAD_CHUNK, R_BAD_CHUNK, P_CLOSED, "3030 2"),                                              \
        SAYS(p, IN_ERRORS, R_TOO_MANY_ERRORS, P_CLOSED, "5321 7.8")

/* EHLO, or LHLO in LMTP. */
#define GREETED(p, in, section)                                                                              \
    [p][in] = {CALLER,                                                                                       \
               SP_SERVER_ASK_HELLO,                                                                          \
               .yes = {R_EXTENSIONS, P_READY},                                                               \
               .no = {R_CALLER, p},                                                                          \
               .learn = LEARN_ESMTP,                                                                         \
               .forget = FORGET_MAIL,                                                                        \
               .rfc = section}

/* Wherever commands are read and the client was let in. */
#define COMMANDS(p)                                                                                          \
    LINES(p), DISMISSES(p), ENDS(p, true), SAYS(p, IN_LONG, R_LINE_LONG, p, "5321 4.5.3.1.4"),               \
        SAYS(p, IN_OFF, R_NOT_IMPLEMENTED, p, "5321 4.2.4"),                                                 \
        SAYS(p, IN_UNKNOWN, R_UNKNOWN, p, "5321 4.2.4"), SAYS(p, IN_NOOP, R_OK, p, "5321 4.1.1.9"),          \
        SAYS(p, IN_HELP, R_HELP, p, "5321 4.1.1.8"), SAYS(p, IN_QUIT, R_BYE, P_CLOSED, "5321 4.1.1.10"),     \
        SAYS(p, IN_IDLERS, R_TOO_MANY_IDLE, P_CLOSED, "5321 7.8"),                                           \
        [p][IN_VRFY] = {CALLER, SP_SERVER_ASK_VRFY, .yes = {R_PERHAPS, p}, .no = {R_CALLER, p},              \
                        .rfc = "5321 3.5.3"},                                                                \
        [p][IN_EXPN] = {CALLER, SP_SERVER_ASK_EXPN, .yes = {R_PERHAPS, p}, .no = {R_CALLER, p},              \
                        .rfc = "5321 3.5.3"},                                                                \
        GREETED(p, IN_EHLO, "5321 4.1.4"), GREETED(p, IN_LHLO, "2033 4.1"),                                  \
        [p][IN_HELO] = {CALLER,                                                                              \
                        SP_SERVER_ASK_HELLO,                                                                 \
                        .yes = {R_HELLO, P_READY},                                                           \
                        .no = {R_CALLER, p},                                                                 \
                        .learn = LEARN_SMTP,                                                                 \
                        .forget = FORGET_MAIL,                                                               \
                        .rfc = "5321 4.1.4"}

#define RESET(p, to) [p][IN_RSET] = {ENGINE, .yes = {R_OK, to}, .forget = FORGET_MAIL, .rfc = "5321 4.1.1.5"}

/* What is said about a session comes between its mails. */
#define PEER_COMMANDS_WAIT(p)                                                                                \
    ORDER(p, IN_ETRN, R_ETRN_IN_TRANSACTION, "1985 5.1"),                                                    \
        ORDER(p, IN_XCLIENT, R_XCLIENT_IN_TRANSACTION, "5321 4.1.4"),                                        \
        ORDER(p, IN_XFORWARD, R_XFORWARD_IN_TRANSACTION, "5321 4.1.4")

/* Inside a mail whose message has begun to come by BDAT. */
#define CHUNK_ORDER(p, reply)                                                                                \
    ORDER(p, IN_MAIL, reply, "3030 2"), ORDER(p, IN_RCPT, reply, "3030 2"),                                  \
        ORDER(p, IN_DATA, reply, "3030 2"), ORDER(p, IN_AUTH, reply, "4954 4"),                              \
        ORDER(p, IN_STARTTLS, reply, "3207 4"), ORDER(p, IN_ETRN, reply, "1985 5.1"),                        \
        ORDER(p, IN_XCLIENT, reply, "3030 2"), ORDER(p, IN_XFORWARD, reply, "3030 2")

#define REFUSED_ROW(in) ORDER(P_REFUSED, in, R_AFTER_REFUSED_GREETING, "5321 3.1")

smtp_rule_row smtp_rules[P_N] = {

    /* GREET: the caller may refuse the client, with 421 (closed) or another code (QUIT is awaited). */
    [P_GREET][IN_OPEN] = {CALLER, SP_SERVER_ASK_OPEN, .yes = {R_GREETING, P_START},
                          .no = {R_CALLER, P_REFUSED}, .rfc = "5321 3.1"},
    DISMISSES(P_GREET),
    ENDS(P_GREET, true),

    /* REFUSED: 503 to all but QUIT. */
    REFUSED_ROW(IN_MAIL),
    REFUSED_ROW(IN_RCPT),
    REFUSED_ROW(IN_DATA),
    REFUSED_ROW(IN_BDAT),
    REFUSED_ROW(IN_AUTH),
    REFUSED_ROW(IN_STARTTLS),
    REFUSED_ROW(IN_EHLO),
    REFUSED_ROW(IN_HELO),
    REFUSED_ROW(IN_LHLO),
    REFUSED_ROW(IN_RSET),
    REFUSED_ROW(IN_NOOP),
    REFUSED_ROW(IN_VRFY),
    REFUSED_ROW(IN_EXPN),
    REFUSED_ROW(IN_HELP),
    REFUSED_ROW(IN_ETRN),
    REFUSED_ROW(IN_XCLIENT),
    REFUSED_ROW(IN_XFORWARD),
    REFUSED_ROW(IN_OFF),
    REFUSED_ROW(IN_UNKNOWN),
    SAYS(P_REFUSED, IN_QUIT, R_BYE, P_CLOSED, "5321 3.1"),
    SAYS(P_REFUSED, IN_LONG, R_LINE_LONG, P_REFUSED, "5321 4.5.3.1.4"),
    LINES(P_REFUSED),
    ENDS(P_REFUSED, true),

    /* START: after the greeting, and again after STARTTLS. */
    COMMANDS(P_START),
    RESET(P_START, P_START),
    SAYS(P_START, IN_TLS_HELLO, R_TLS_HELLO, P_CLOSED, "3207 4"),
    ORDER(P_START, IN_MAIL, R_MAIL_BEFORE_EHLO, "5321 4.1.1.1"),
    ORDER(P_START, IN_RCPT, R_RCPT_BEFORE_EHLO, "5321 3.3"),
    ORDER(P_START, IN_DATA, R_DATA_BEFORE_EHLO, "5321 3.3"),
    ORDER(P_START, IN_BDAT, R_BDAT_BEFORE_EHLO, "3030 2"),
    ORDER(P_START, IN_ETRN, R_ETRN_BEFORE_EHLO, "1985 5.1"),
    ORDER(P_START, IN_XCLIENT, R_XCLIENT_BEFORE_EHLO, "5321 2.2.1"),
    ORDER(P_START, IN_XFORWARD, R_XFORWARD_BEFORE_EHLO, "5321 2.2.1"),
    ORDER(P_START, IN_AUTH, R_AUTH_BEFORE_EHLO, "4954 3"),
    ORDER(P_START, IN_STARTTLS, R_STARTTLS_BEFORE_EHLO, "3207 2"),

    /* READY */
    COMMANDS(P_READY),
    RESET(P_READY, P_READY),
    [P_READY][IN_MAIL] = {CALLER, SP_SERVER_ASK_MAIL, .yes = {R_MAIL_OK, P_MAIL}, .no = {R_CALLER, P_READY},
                          .learn = LEARN_SENDER, .rfc = "5321 4.1.1.2"},
    [P_READY][IN_AUTH] = {CALLER, SP_SERVER_ASK_AUTH, NEED_ESMTP | NEED_MECHANISM,
                          .yes = {R_AUTH_OK, P_READY}, .more = {R_CHALLENGE, P_SASL},
                          .no = {R_CALLER, P_READY}, .learn = LEARN_USER, .rfc = "4954 4"},
    [P_READY][IN_STARTTLS] = {ENGINE, .need = NEED_ESMTP, .yes = {R_GO_TLS, P_TLS}, .rfc = "3207 4"},
    SAYS(P_READY, IN_FAILURES, R_TOO_MANY_AUTH, P_CLOSED, "4954 9"),
    ORDER(P_READY, IN_RCPT, R_RCPT_BEFORE_MAIL, "5321 3.3"),
    ORDER(P_READY, IN_DATA, R_DATA_BEFORE_MAIL, "5321 3.3"),
    ORDER(P_READY, IN_BDAT, R_BDAT_BEFORE_MAIL, "3030 2"),
    [P_READY][IN_ETRN] = {CALLER, SP_SERVER_ASK_ETRN, NEED_ESMTP, .yes = {R_ETRN_OK, P_READY},
                          .no = {R_CALLER, P_READY}, .rfc = "1985 5"},
    [P_READY][IN_XCLIENT] = {CALLER, SP_SERVER_ASK_XCLIENT, NEED_ESMTP, .yes = {R_GREETING, P_START},
                             .no = {R_CALLER, P_READY}, .learn = LEARN_CLIENT, .forget = FORGET_ALL,
                             .rfc = "5321 2.2.1"},
    [P_READY][IN_XFORWARD] = {CALLER, SP_SERVER_ASK_XFORWARD, NEED_ESMTP, .yes = {R_OK, P_READY},
                              .no = {R_CALLER, P_READY}, .rfc = "5321 2.2.1"},

    /* MAIL */
    COMMANDS(P_MAIL),
    RESET(P_MAIL, P_READY),
    [P_MAIL][IN_RCPT] = {CALLER, SP_SERVER_ASK_RCPT, .yes = {R_RCPT_OK, P_RCPT}, .no = {R_CALLER, P_MAIL},
                         .learn = LEARN_RECIPIENT, .rfc = "5321 4.1.1.3"},
    [P_MAIL][IN_DATA] = {REFUSES, .need = NEED_UNREFUSED, .no = {R_DATA_BEFORE_RCPT, P_MAIL},
                         .rfc = "5321 3.3"},
    [P_MAIL][IN_BDAT] = {REFUSES, .need = NEED_UNREFUSED, .no = {R_BDAT_BEFORE_RCPT, P_MAIL},
                         .rfc = "3030 2"},
    PEER_COMMANDS_WAIT(P_MAIL),
    ORDER(P_MAIL, IN_MAIL, R_NESTED_MAIL, "5321 4.1.4"),
    ORDER(P_MAIL, IN_AUTH, R_AUTH_IN_TRANSACTION, "4954 4"),
    ORDER(P_MAIL, IN_STARTTLS, R_STARTTLS_IN_TRANSACTION, "3207 4"),

    /* RCPT */
    COMMANDS(P_RCPT),
    RESET(P_RCPT, P_READY),
    [P_RCPT][IN_RCPT] = {CALLER, SP_SERVER_ASK_RCPT, NEED_ROOM, .yes = {R_RCPT_OK, P_RCPT},
                         .no = {R_CALLER, P_RCPT}, .learn = LEARN_RECIPIENT, .rfc = "5321 4.1.1.3"},
    [P_RCPT][IN_DATA] = {CALLER, SP_SERVER_ASK_DATA, NEED_LINES, .yes = {R_GO_DATA, P_DATA},
                         .no = {R_CALLER, P_RCPT}, .rfc = "5321 4.1.1.4"},
    [P_RCPT][IN_BDAT] = {CALLER, SP_SERVER_ASK_DATA, NEED_ESMTP, .yes = {R_NONE, P_CHUNK},
                         .no = {R_CALLER, P_CHUNK_FAILED}, .rfc = "3030 2"},
    [P_RCPT][IN_CHUNK_BIG] = {REFUSES, .no = {R_TOO_BIG, P_CHUNK_FAILED}, .rfc = "1870 6.3"},
    PEER_COMMANDS_WAIT(P_RCPT),
    ORDER(P_RCPT, IN_MAIL, R_NESTED_MAIL, "5321 4.1.4"),
    ORDER(P_RCPT, IN_AUTH, R_AUTH_IN_TRANSACTION, "4954 4"),
    ORDER(P_RCPT, IN_STARTTLS, R_STARTTLS_IN_TRANSACTION, "3207 4"),

    /* CHUNKED: nothing but the rest of the message, or its end. */
    COMMANDS(P_CHUNKED),
    RESET(P_CHUNKED, P_READY),
    [P_CHUNKED][IN_BDAT] = {ENGINE, .yes = {R_NONE, P_CHUNK}, .rfc = "3030 2"},
    [P_CHUNKED][IN_CHUNK_BIG] = {REFUSES, .no = {R_TOO_BIG, P_CHUNK_FAILED}, .rfc = "1870 6.3"},
    CHUNK_ORDER(P_CHUNKED, R_CHUNKS_ONLY),

    /* CHUNK_FAILED: the mail is gone; chunks that were sent ahead are refused, each. */
    COMMANDS(P_CHUNK_FAILED),
    RESET(P_CHUNK_FAILED, P_READY),
    ORDER(P_CHUNK_FAILED, IN_BDAT, R_CHUNK_FAILED, "3030 2"),
    CHUNK_ORDER(P_CHUNK_FAILED, R_CHUNK_FAILED),

    /* CHUNK: octets, counted, whatever they are. */
    SAYS(P_CHUNK, IN_CHUNK_END, R_CHUNK_OK, P_CHUNKED, "3030 2"),
    [P_CHUNK][IN_END] = {CALLER, SP_SERVER_ASK_END, .yes = {R_TAKEN, P_READY}, .no = {R_CALLER, P_READY},
                         .forget = MAIL_DONE, .rfc = "3030 2"},
    [P_CHUNK][IN_END_BARE_LF] = {REFUSES, .no = {R_BARE_LF_MESSAGE, P_READY}, .rfc = "5321 2.3.8"},
    [P_CHUNK][IN_END_BARE_CR] = {REFUSES, .no = {R_BARE_CR_MESSAGE, P_READY}, .rfc = "5321 2.3.8"},
    [P_CHUNK][IN_END_NUL] = {REFUSES, .no = {R_NUL_IN_MESSAGE, P_READY}, .rfc = "5321 2.3.7"},
    [P_CHUNK][IN_END_8BIT] = {REFUSES, .no = {R_UNDECLARED_8BIT, P_READY}, .rfc = "6152 3"},
    DISMISSES(P_CHUNK),
    ENDS(P_CHUNK, true),

    /* DATA: no commands here; only the end of the message leads on. */
    [P_DATA][IN_END] = {CALLER, SP_SERVER_ASK_END, .yes = {R_TAKEN, P_READY}, .no = {R_CALLER, P_READY},
                        .forget = MAIL_DONE, .rfc = "5321 4.1.1.4"},
    [P_DATA][IN_END_BARE_LF] = {REFUSES, .no = {R_BARE_LF_MESSAGE, P_READY}, .rfc = "5321 2.3.8"},
    [P_DATA][IN_END_BARE_CR] = {REFUSES, .no = {R_BARE_CR_MESSAGE, P_READY}, .rfc = "5321 2.3.8"},
    [P_DATA][IN_END_BIG] = {REFUSES, .no = {R_TOO_BIG, P_READY}, .rfc = "1870 6.3"},
    [P_DATA][IN_END_NUL] = {REFUSES, .no = {R_NUL_IN_MESSAGE, P_READY}, .rfc = "5321 2.3.7"},
    [P_DATA][IN_END_8BIT] = {REFUSES, .no = {R_UNDECLARED_8BIT, P_READY}, .rfc = "6152 3"},
    DISMISSES(P_DATA),
    ENDS(P_DATA, true),

    /* SASL: a line is an answer, whatever it looks like. */
    [P_SASL][IN_ANSWER] = {CALLER, SP_SERVER_ASK_ANSWER, .yes = {R_AUTH_OK, P_READY},
                           .more = {R_CHALLENGE, P_SASL}, .no = {R_CALLER, P_READY}, .learn = LEARN_USER,
                           .rfc = "4954 4"},
    [P_SASL][IN_CANCEL] = {REFUSES, .no = {R_AUTH_CANCELLED, P_READY}, .rfc = "4954 4"},
    [P_SASL][IN_BAD_BASE64] = {REFUSES, .no = {R_AUTH_BASE64, P_READY}, .rfc = "4954 4"},
    [P_SASL][IN_LONG] = {REFUSES, .no = {R_AUTH_LINE_LONG, P_READY}, .rfc = "4954 4"},
    SAYS(P_SASL, IN_BARE_LF, R_BARE_LF, P_CLOSED, "5321 2.3.8"),
    SAYS(P_SASL, IN_ERRORS, R_TOO_MANY_ERRORS, P_CLOSED, "5321 7.8"),
    DISMISSES(P_SASL),
    ENDS(P_SASL, true),

    /* TLS: all that was learned in clear is forgotten. Nothing can be said during a handshake. */
    [P_TLS][IN_SECURED] = {ENGINE, .yes = {R_NONE, P_START}, .learn = LEARN_TLS, .forget = FORGET_ALL,
                           .rfc = "3207 4.2"},
    ENDS(P_TLS, false),
};

const struct smtp_phase_row smtp_phases[P_N] = {
#define X(name, home, reads, timer, gates, meaning)                                                          \
    [P_##name] = {#name, P_##home, READS_##reads, TIMER_##timer, gates, meaning},
    SMTP_PHASES(X)
#undef X
};

const struct smtp_need_row smtp_needs[NEED_N] = {
#define X(name, meaning, reply, unmet, rfc) [NEEDBIT_##name] = {#name, meaning, R_##reply, unmet, rfc},
    SMTP_NEEDS(X)
#undef X
};

const struct smtp_reply_row smtp_replies[R_N] = {
#define X(name, code, enhanced, text) [R_##name] = {code, enhanced, "", SP_LIT_INIT(text)},
    SMTP_REPLIES(X)
#undef X
#define REFUSAL(name, code, enhanced, reason, text) [R_##name] = {code, enhanced, reason, SP_LIT_INIT(text)},
#include "smtp/server_reasons.def"
#undef REFUSAL
};

const struct smtp_extension smtp_extensions[] = {
#define X(text, need, verb, offer, rfc) {SP_LIT_INIT(text), need, verb, offer, rfc},
    SMTP_EXTENSIONS(X)
#undef X
};
const size_t smtp_extensions_n = sizeof(smtp_extensions) / sizeof(smtp_extensions[0]);

const struct smtp_word smtp_words[] = {
#define X(name, need, idle, line_max) {SP_LIT_INIT(#name), IN_##name, idle, need, line_max},
    SMTP_VERBS(X)
#undef X
#define X(name, need) {SP_LIT_INIT(#name), IN_OFF, 0, need, SMTP_LINE_MAX},
        SMTP_OFF_VERBS(X)
#undef X
#define X(name) {SP_LIT_INIT(#name), IN_HTTP, 0, 0, SMTP_LINE_MAX},
            SMTP_HTTP_VERBS(X)
#undef X
                {SP_LIT_INIT("PROXY"), IN_PROXY, 0, 0, SMTP_LINE_MAX},
};
const size_t smtp_words_n = sizeof(smtp_words) / sizeof(smtp_words[0]);

static const struct smtp_word unknown_word = {SP_LIT_INIT(""), IN_UNKNOWN, 0, 0, SMTP_LINE_MAX};

const struct smtp_word *smtp_word_find(struct sp_view spelling)
{
    for (size_t i = 0; i < smtp_words_n; i++)
        if (sp_view_eq_nocase(smtp_words[i].spelling, spelling))
            return &smtp_words[i];
    return &unknown_word;
}

const char *smtp_input_name(enum smtp_input input)
{
    static const char *const names[IN_N] = {
#define X(name, ...) [IN_##name] = #name,
        SMTP_VERBS(X)
#undef X
#define X(name, phrase) [IN_##name] = phrase,
            SMTP_HAPPENINGS(X)
#undef X
    };
    return names[input];
}
