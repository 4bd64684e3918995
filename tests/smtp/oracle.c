#include "oracle.h"

static void drop_mail(struct oracle *o) { o->sender = o->recipient = o->refused_recipient = false; }

/*
 * RFC 3207 4: "530 Must issue a STARTTLS command first" to all but NOOP, EHLO, STARTTLS, QUIT.
 * RFC 4954 6: 530 to any command but AUTH, EHLO, HELO, NOOP, RSET, QUIT; STARTTLS must stay possible.
 * A word that is no command here is 500 or 502 before anything else is asked (RFC 5321 4.2.4).
 */
static bool is_gated(const struct oracle *o, enum oracle_command c)
{
    if (c == ORACLE_NOOP || c == ORACLE_EHLO || c == ORACLE_EHLO_REFUSED || c == ORACLE_STARTTLS ||
        c == ORACLE_QUIT || c == ORACLE_UNKNOWN || c == ORACLE_BDAT)
        return false;
    if (o->tls_required && !o->tls)
        return true;
    if (c == ORACLE_AUTH || c == ORACLE_AUTH_WRONG || c == ORACLE_HELO || c == ORACLE_RSET)
        return false;
    return o->auth_required && !o->user;
}

/* RFC 4954 4: once in a session, after EHLO, not in a mail. In clear only where that is offered. */
static int auth(struct oracle *o, bool right)
{
    if (!o->tls && !o->clear_auth && !o->starttls)
        return 502;
    if (o->user || o->sender || !o->hello || !o->esmtp)
        return 503;
    if (!o->tls && !o->clear_auth)
        return 504;
    o->user = right;
    return right ? 235 : 535;
}

/* RFC 3207 4 and 4.2: after EHLO, before TLS; then all is as after the greeting. */
static int starttls(struct oracle *o)
{
    if (!o->starttls && !o->tls)
        return 502;
    if (o->tls || o->sender || !o->hello || !o->esmtp)
        return 503;
    o->tls = true;
    o->hello = o->esmtp = o->user = false;
    drop_mail(o);
    return 220;
}

/* RFC 5321 4.1.4: at any time; "as if RSET had been issued". */
static int hello(struct oracle *o, bool esmtp)
{
    o->hello = true;
    o->esmtp = esmtp;
    drop_mail(o);
    return 250;
}

/* RFC 5321 3.3 and 4.1.4: one sender a mail, after the client has said who it is. */
static int mail(struct oracle *o, bool welcome)
{
    if (!o->hello || o->sender)
        return 503;
    o->sender = welcome;
    return welcome ? 250 : 550;
}

static int rcpt(struct oracle *o, bool welcome)
{
    if (!o->sender)
        return 503;
    if (welcome)
        o->recipient = true;
    else
        o->refused_recipient = true;
    return welcome ? 250 : 550;
}

/* RFC 5321 3.3: 503 "commands out of sequence" or 554 "no valid recipients". */
static int data(struct oracle *o)
{
    if (!o->recipient)
        return o->sender && o->refused_recipient ? 554 : 503;
    drop_mail(o);
    return 250;
}

int oracle_reply(struct oracle *o, enum oracle_command command)
{
    if (is_gated(o, command)) {
        /* AUTH is not known to a listener that has none to offer */
        if ((command == ORACLE_AUTH || command == ORACLE_AUTH_WRONG) && !o->clear_auth && !o->starttls &&
            !o->tls)
            return 502;
        /* what was asked of a mail is not held against it */
        return 530;
    }
    switch (command) {
    case ORACLE_EHLO:
        return hello(o, true);
    case ORACLE_HELO:
        return hello(o, false);
    case ORACLE_EHLO_REFUSED:
        return 550;
    case ORACLE_STARTTLS:
        return starttls(o);
    case ORACLE_AUTH:
        return auth(o, true);
    case ORACLE_AUTH_WRONG:
        return auth(o, false);
    case ORACLE_MAIL:
        return mail(o, true);
    case ORACLE_MAIL_REFUSED:
        return mail(o, false);
    case ORACLE_RCPT:
        return rcpt(o, true);
    case ORACLE_RCPT_REFUSED:
        return rcpt(o, false);
    case ORACLE_DATA:
        return data(o);
    case ORACLE_RSET:
        drop_mail(o);
        return 250;
    case ORACLE_NOOP:
        return 250;
    case ORACLE_QUIT:
        o->closed = true;
        return 221;
    case ORACLE_VRFY:
        return 252;
    case ORACLE_EXPN:
        return 502;
    case ORACLE_HELP:
        return 214;
    case ORACLE_UNKNOWN:
        return 500;
    case ORACLE_BDAT:
        return 502;
    case ORACLE_DATA_ARGUMENT:
        return !o->recipient ? (o->sender && o->refused_recipient ? 554 : 503) : 501;
    case ORACLE_RCPT_SYNTAX:
        if (!o->sender)
            return 503;
        o->refused_recipient = true;
        return 501;
    case ORACLE_N:
        break;
    }
    return 0;
}
