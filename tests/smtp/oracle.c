#include "oracle.h"

static void drop_mail(struct oracle *o)
{
    o->sender = o->refused_recipient = o->utf8 = o->binary = o->chunks = o->failed_chunk = false;
    o->recipients = 0;
}

/* Between EHLO and QUIT, with no mail open and no failed chunk behind. */
static bool is_between_mails(const struct oracle *o) { return o->hello && !o->sender && !o->failed_chunk; }

static bool is_auth(enum oracle_command c) { return c == ORACLE_AUTH || c == ORACLE_AUTH_WRONG; }

static bool is_hello(enum oracle_command c)
{
    return c == ORACLE_EHLO || c == ORACLE_EHLO_REFUSED || c == ORACLE_EHLO_ALONE || c == ORACLE_LHLO;
}

static bool is_xclient(enum oracle_command c)
{
    return c == ORACLE_XCLIENT || c == ORACLE_XCLIENT_LOGIN || c == ORACLE_XCLIENT_SYNTAX ||
           c == ORACLE_XFORWARD;
}

static bool is_starttls(enum oracle_command c)
{
    return c == ORACLE_STARTTLS || c == ORACLE_STARTTLS_ARGUMENT;
}

static bool is_bdat(enum oracle_command c)
{
    return c == ORACLE_BDAT || c == ORACLE_BDAT_LAST || c == ORACLE_BDAT_BIG || c == ORACLE_BDAT_EMPTY;
}

/*
 * A word that is no command here is 500 or 502 before anything else is asked (RFC 5321 4.2.4). RFC 2033 4.1:
 * in LMTP EHLO and HELO are 500; LHLO is no command of SMTP. 0: it is one.
 */
static int known(const struct oracle *o, enum oracle_command c)
{
    if (c == ORACLE_UNKNOWN)
        return 500;
    if (c == ORACLE_OFF)
        return 502;
    if (c == ORACLE_LHLO)
        return o->lmtp ? 0 : 502;
    if (o->lmtp && (is_hello(c) || c == ORACLE_HELO))
        return 500;
    if (!o->extended && (is_bdat(c) || is_xclient(c) || c == ORACLE_ETRN || c == ORACLE_ETRN_SYNTAX))
        return 502;
    if (is_auth(c) && !o->tls && !o->clear_auth && !o->starttls)
        return 502;
    return is_starttls(c) && !o->starttls && !o->tls ? 502 : 0;
}

/*
 * RFC 3207 4: "530 Must issue a STARTTLS command first" to all but NOOP, EHLO, STARTTLS, QUIT.
 * RFC 4954 6: 530 to any command but AUTH, EHLO, HELO, NOOP, RSET, QUIT; STARTTLS must stay possible. Neither
 * knows XCLIENT, which comes from the peer, before the client it speaks of.
 */
static bool is_gated(const struct oracle *o, enum oracle_command c)
{
    if (c == ORACLE_NOOP || is_hello(c) || is_starttls(c) || c == ORACLE_QUIT || c == ORACLE_QUIT_ARGUMENT ||
        is_xclient(c))
        return false;
    if (o->tls_required && !o->tls)
        return true;
    if (is_auth(c) || c == ORACLE_HELO || c == ORACLE_RSET || c == ORACLE_RSET_ARGUMENT)
        return false;
    return o->auth_required && !o->user;
}

/* RFC 4954 4: once in a session, after EHLO, not in a mail. In clear only where that is offered. */
static int auth(struct oracle *o, bool right)
{
    if (o->user || !is_between_mails(o) || !o->esmtp)
        return 503;
    if (!o->tls && !o->clear_auth)
        return 504;
    o->user = right;
    return right ? 235 : 535;
}

/* RFC 3207 4 and 4.2: after EHLO, before TLS; then all is as after the greeting. */
static int starttls(struct oracle *o, bool argument)
{
    if (o->tls || !is_between_mails(o) || !o->esmtp)
        return 503;
    if (argument)
        return 501;
    o->tls = true;
    o->hello = o->esmtp = o->user = false;
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

/* RFC 5321 3.3 and 4.1.4: one sender a mail, after the client has said who it is. 4.1.1.11: 555 for
 * parameters that are not known, which after HELO are all. */
static int mail(struct oracle *o, enum oracle_command c)
{
    bool plain = c == ORACLE_MAIL || c == ORACLE_MAIL_REFUSED;
    bool utf8 = c == ORACLE_MAIL_UTF8 || c == ORACLE_MAIL_UTF8_UNSAID;
    if (!is_between_mails(o))
        return 503;
    if (c == ORACLE_MAIL_SYNTAX)
        return 501;
    if (c == ORACLE_MAIL_REFUSED)
        return 550;
    if (utf8 && (!o->extended || !o->esmtp || c == ORACLE_MAIL_UTF8_UNSAID))
        return 553; /* RFC 6531 3.5 */
    if (!plain && !o->esmtp)
        return 555;
    if (c == ORACLE_MAIL_UNKNOWN_PARAMETER)
        return 555;
    if (c == ORACLE_MAIL_BAD_PARAMETER)
        return 501;
    if (c == ORACLE_MAIL_BINARY && !o->extended)
        return 501; /* BODY= is known, this value is not */
    if (c == ORACLE_MAIL_REQUIRETLS && o->extended && !o->tls)
        return 530;
    if ((c == ORACLE_MAIL_ASKS || c == ORACLE_MAIL_REQUIRETLS) && !o->extended)
        return 555;
    o->sender = true;
    o->binary = c == ORACLE_MAIL_BINARY;
    o->utf8 = c == ORACLE_MAIL_UTF8;
    return 250;
}

static int rcpt_code(const struct oracle *o, enum oracle_command c)
{
    bool parameters = c == ORACLE_RCPT_NOTIFY || c == ORACLE_RCPT_BAD_NOTIFY;
    if (c == ORACLE_RCPT_SYNTAX)
        return 501;
    if (c == ORACLE_RCPT_REFUSED)
        return 550;
    if (c == ORACLE_RCPT_UTF8 && !o->utf8)
        return 553;
    if (parameters && (!o->extended || !o->esmtp))
        return 555;
    return c == ORACLE_RCPT_BAD_NOTIFY ? 501 : 250;
}

static int rcpt(struct oracle *o, enum oracle_command c)
{
    if (!o->sender || o->chunks)
        return 503;
    int code = rcpt_code(o, c);
    if (code == 250)
        o->recipients++;
    else
        o->refused_recipient = true;
    return code;
}

/* RFC 5321 3.3: 503 "commands out of sequence" or 554 "no valid recipients"; RFC 2033 4.2: 503 in LMTP. */
static int no_recipient(const struct oracle *o)
{
    return o->sender && o->refused_recipient && !o->lmtp ? 554 : 503;
}

/* RFC 3030 2: not after BDAT; 3: not for BINARYMIME. */
static int data(struct oracle *o, bool argument, unsigned *replies)
{
    if (!o->recipients)
        return no_recipient(o);
    if (o->chunks || o->binary)
        return 503;
    if (argument)
        return 501;
    *replies = o->lmtp ? o->recipients : 1;
    drop_mail(o);
    return 250;
}

/* RFC 3030 2 */
static int bdat(struct oracle *o, enum oracle_command c, unsigned *replies)
{
    if (o->failed_chunk)
        return 503;
    if (!o->recipients)
        return no_recipient(o);
    *replies = c == ORACLE_BDAT_LAST && o->lmtp ? o->recipients : 1;
    if (!o->esmtp)
        return 503;
    if (c == ORACLE_BDAT_BIG) {
        drop_mail(o);
        o->failed_chunk = true;
        return 552;
    }
    o->chunks = true;
    if (c == ORACLE_BDAT_LAST)
        drop_mail(o);
    return 250;
}

/* Postfix's XCLIENT: all begins anew, with another client. */
static int xclient(struct oracle *o, enum oracle_command c)
{
    if (!is_between_mails(o) || !o->esmtp)
        return 503;
    if (c == ORACLE_XCLIENT_SYNTAX)
        return 501;
    if (c == ORACLE_XFORWARD)
        return 250;
    o->hello = o->esmtp = false;
    o->user = c == ORACLE_XCLIENT_LOGIN;
    return 220;
}

/* RFC 1985 5.1: not inside a mail. */
static int etrn(const struct oracle *o, enum oracle_command c)
{
    if (!is_between_mails(o) || !o->esmtp)
        return 503;
    return c == ORACLE_ETRN_SYNTAX ? 501 : 250;
}

static int of_session(struct oracle *o, enum oracle_command c)
{
    switch (c) {
    case ORACLE_EHLO:
    case ORACLE_LHLO:
        return hello(o, true);
    case ORACLE_HELO:
        return hello(o, false);
    case ORACLE_EHLO_REFUSED:
        return 550;
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
    default: /* what takes no argument has one, or the other way round: RFC 5321 4.3.2 */
        return 501;
    }
}

int oracle_reply(struct oracle *o, enum oracle_command c, unsigned *replies_out)
{
    int code = known(o, c);
    *replies_out = 1;
    if (c == ORACLE_BDAT_BAD) { /* whatever is allowed: its octets cannot be told from commands */
        o->closed = true;
        return 501;
    }
    if (code)
        return code;
    if (is_gated(o, c))
        return 530;
    if (is_auth(c))
        return auth(o, c == ORACLE_AUTH);
    if (is_starttls(c))
        return starttls(o, c == ORACLE_STARTTLS_ARGUMENT);
    if (is_bdat(c))
        return bdat(o, c, replies_out);
    if (is_xclient(c))
        return xclient(o, c);
    if (c == ORACLE_ETRN || c == ORACLE_ETRN_SYNTAX)
        return etrn(o, c);
    if (c == ORACLE_DATA || c == ORACLE_DATA_ARGUMENT)
        return data(o, c == ORACLE_DATA_ARGUMENT, replies_out);
    if (c == ORACLE_MAIL || c == ORACLE_MAIL_REFUSED || (c >= ORACLE_MAIL_BINARY && c <= ORACLE_MAIL_SYNTAX))
        return mail(o, c);
    if (c == ORACLE_RCPT || c == ORACLE_RCPT_REFUSED || (c >= ORACLE_RCPT_UTF8 && c <= ORACLE_RCPT_SYNTAX))
        return rcpt(o, c);
    return of_session(o, c);
}
