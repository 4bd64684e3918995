/*
 * What RFC 5321 section 4 and the extensions ask of a server, told a second time: in prose
 * turned into ifs, without the rule table. It knows commands only as the drive types them.
 */
#ifndef TESTS_SMTP_ORACLE_H
#define TESTS_SMTP_ORACLE_H

#include <stdbool.h>

/* NAME, the verb as the law book knows it, what is typed; octets that BDAT counts stand behind its CRLF. */
#define ORACLE_COMMANDS(X)                                                                                   \
    X(EHLO, "EHLO", "EHLO client.example\r\n")                                                               \
    X(HELO, "HELO", "HELO client.example\r\n")                                                               \
    X(STARTTLS, "STARTTLS", "STARTTLS\r\n") /* and, on 220, the handshake */                                 \
    X(AUTH, "AUTH", "AUTH PLAIN AGRlbW8Ac2VjcmV0\r\n")                                                       \
    X(AUTH_WRONG, "AUTH", "AUTH PLAIN AGRlbW8Ad3Jvbmc=\r\n")                                                 \
    X(MAIL, "MAIL", "MAIL FROM:<alice@client.example>\r\n")                                                  \
    X(MAIL_REFUSED, "MAIL", "MAIL FROM:<nobody@client.example>\r\n")                                         \
    X(RCPT, "RCPT", "RCPT TO:<bob@mail.example>\r\n")                                                        \
    X(RCPT_REFUSED, "RCPT", "RCPT TO:<nobody@mail.example>\r\n")                                             \
    X(DATA, "DATA", "DATA\r\n") /* and, on 354, a message */                                                 \
    X(BDAT, "BDAT", "BDAT 6\r\nQUIT\r\n")                                                                   \
    X(BDAT_LAST, "BDAT", "BDAT 6 LAST\r\nRSET\r\n")                                                         \
    X(RSET, "RSET", "RSET\r\n")                                                                              \
    X(NOOP, "NOOP", "NOOP\r\n")                                                                              \
    X(QUIT, "QUIT", "QUIT\r\n")                                                                              \
    /* beyond those that are driven deepest: */                                                              \
    X(VRFY, "VRFY", "VRFY carol\r\n")                                                                        \
    X(EXPN, "EXPN", "EXPN staff\r\n")                                                                        \
    X(HELP, "HELP", "HELP\r\n")                                                                              \
    X(UNKNOWN, "FEED", "FEED ME\r\n")                                                                        \
    X(OFF, "SEND", "SEND FROM:<alice@client.example>\r\n")                                                   \
    X(LHLO, "LHLO", "LHLO client.example\r\n")                                                               \
    X(ETRN, "ETRN", "ETRN example.org\r\n")                                                                  \
    X(XCLIENT, "XCLIENT", "XCLIENT ADDR=192.0.2.1 NAME=a.example\r\n")                                       \
    X(XCLIENT_LOGIN, "XCLIENT", "XCLIENT ADDR=IPV6:2001:db8::1 LOGIN=demo\r\n")                              \
    X(XFORWARD, "XFORWARD", "XFORWARD ADDR=192.0.2.1 HELO=a+20b\r\n")                                        \
    X(MAIL_BINARY, "MAIL", "MAIL FROM:<alice@client.example> BODY=BINARYMIME\r\n")                           \
    X(MAIL_UTF8, "MAIL", "MAIL FROM:<\xc3\xa9@\xc3\xa9.example> SMTPUTF8 BODY=8BITMIME\r\n")                  \
    X(MAIL_UTF8_UNSAID, "MAIL", "MAIL FROM:<\xc3\xa9@client.example>\r\n")                                   \
    X(MAIL_REQUIRETLS, "MAIL", "MAIL FROM:<alice@client.example> REQUIRETLS\r\n")                            \
    X(MAIL_ASKS, "MAIL",                                                                                     \
      "MAIL FROM:<alice@client.example> RET=HDRS ENVID=a+2Bb MT-PRIORITY=-3 HOLDFOR=60 BY=120;NT\r\n")       \
    X(MAIL_UNKNOWN_PARAMETER, "MAIL", "MAIL FROM:<alice@client.example> COLOUR=blue\r\n")                    \
    X(MAIL_BAD_PARAMETER, "MAIL", "MAIL FROM:<alice@client.example> SIZE=big\r\n")                           \
    X(MAIL_SYNTAX, "MAIL", "MAIL alice@client.example\r\n")                                                  \
    X(RCPT_UTF8, "RCPT", "RCPT TO:<\xc3\xa9@mail.example>\r\n")                                              \
    X(RCPT_NOTIFY, "RCPT", "RCPT TO:<bob@mail.example> NOTIFY=NEVER ORCPT=rfc822;b\r\n")                     \
    X(RCPT_BAD_NOTIFY, "RCPT", "RCPT TO:<bob@mail.example> NOTIFY=NEVER,DELAY\r\n")                          \
    X(RCPT_SYNTAX, "RCPT", "RCPT TO:<bob>\r\n")                                                              \
    X(BDAT_BIG, "BDAT", 0)                                                                                   \
    X(BDAT_EMPTY, "BDAT", "BDAT 0\r\n")                                                                      \
    X(BDAT_BAD, "BDAT", "BDAT much\r\nQUIT\r\n")                                                             \
    X(DATA_ARGUMENT, "DATA", "DATA now\r\n")                                                                 \
    X(RSET_ARGUMENT, "RSET", "RSET now\r\n")                                                                 \
    X(QUIT_ARGUMENT, "QUIT", "QUIT now\r\n")                                                                 \
    X(STARTTLS_ARGUMENT, "STARTTLS", "STARTTLS now\r\n")                                                     \
    X(EHLO_ALONE, "EHLO", "EHLO\r\n")                                                                        \
    X(EHLO_REFUSED, "EHLO", "EHLO refused.example\r\n") /* 550 by the caller */                              \
    X(VRFY_ALONE, "VRFY", "VRFY\r\n")                                                                        \
    X(ETRN_SYNTAX, "ETRN", "ETRN a b\r\n")                                                                   \
    X(XCLIENT_SYNTAX, "XCLIENT", "XCLIENT ADDR=here\r\n")

#define X(name, ...) ORACLE_##name,
enum oracle_command { ORACLE_COMMANDS(X) ORACLE_N, ORACLE_CORE = ORACLE_QUIT + 1 };
#undef X

enum { ORACLE_SIZE_MAX = 1000 }; /* the listener's limit; BDAT_BIG is beyond it */

struct oracle {
    /* the listener */
    bool tls_required, auth_required, clear_auth, starttls, lmtp, extended;
    /* the session */
    bool tls, hello, esmtp, user, sender, utf8, binary, refused_recipient, closed;
    bool chunks;       /* the message has begun to come by BDAT */
    bool failed_chunk; /* and was refused since; the mail is gone */
    unsigned recipients;
};

/*
 * The code of the reply to a command; for STARTTLS and DATA that of the last reply of the whole step.
 *   replies_out  how many replies with this code: LMTP has one for each recipient behind a message
 */
int oracle_reply(struct oracle *o, enum oracle_command command, unsigned *replies_out);

#endif
