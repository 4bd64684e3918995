/*
 * What RFC 5321 section 4 and the extensions ask of a server, told a second time: in prose
 * turned into ifs, without the rule table. It knows commands only as the drive types them.
 */
#ifndef TESTS_SMTP_ORACLE_H
#define TESTS_SMTP_ORACLE_H

#include <stdbool.h>

enum oracle_command {
    ORACLE_EHLO,
    ORACLE_HELO,
    ORACLE_STARTTLS,      /* and, on 220, the handshake            */
    ORACLE_AUTH,          /* PLAIN with the right password         */
    ORACLE_AUTH_WRONG,
    ORACLE_MAIL,
    ORACLE_MAIL_REFUSED,  /* a sender whom the caller refuses, 550 */
    ORACLE_RCPT,
    ORACLE_RCPT_REFUSED,
    ORACLE_DATA,          /* and, on 354, a message                */
    ORACLE_RSET,
    ORACLE_NOOP,
    ORACLE_QUIT,
    /* beyond those that are driven to full depth: */
    ORACLE_VRFY,
    ORACLE_EXPN,
    ORACLE_HELP,
    ORACLE_UNKNOWN,
    ORACLE_BDAT,
    ORACLE_DATA_ARGUMENT,
    ORACLE_RCPT_SYNTAX,
    ORACLE_EHLO_REFUSED,  /* 550 by the caller                     */
    ORACLE_N
};

struct oracle {
    /* the listener */
    bool tls_required, auth_required, clear_auth, starttls;
    /* the session */
    bool tls, hello, esmtp, user, sender, recipient, refused_recipient, closed;
};

/* The code of the reply to a command; for STARTTLS and DATA that of the last reply of the whole step. */
int oracle_reply(struct oracle *o, enum oracle_command command);

#endif
