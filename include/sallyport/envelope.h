/*
 * What a client asks for a mail and for each recipient, in the parameters of MAIL and RCPT: the same
 * plain values from the server session through the queue to the client session that passes them on.
 *
 * All is decoded: no xtext, no relative times. All zeros: nothing was asked. Texts hold no control
 * characters; they are ASCII unless said otherwise.
 */
#ifndef SALLYPORT_ENVELOPE_H
#define SALLYPORT_ENVELOPE_H

#include "sallyport/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* BODY= (RFC 6152 2, 3030 3). BINARYMIME may hold any octets and travels in BDAT alone. */
enum sp_body {
    SP_BODY_7BIT = 0,  /* ASCII lines, and what is not said           */
    SP_BODY_8BITMIME,  /* lines with octets over 127                  */
    SP_BODY_BINARYMIME /* any octets, with or without line ends       */
};

/* RET= (RFC 3461 4.3): how much of the message a report about a failure carries. */
enum sp_ret {
    SP_RET_UNSAID = 0, /* the server's choice                         */
    SP_RET_FULL,       /* all of it                                   */
    SP_RET_HDRS        /* the header alone                            */
};

/* NOTIFY= (RFC 3461 4.1): a set. 0: not said, which means failure, and delay if the server likes. */
enum sp_notify {
    SP_NOTIFY_NEVER   = 1, /* no report at all; stands alone          */
    SP_NOTIFY_SUCCESS = 2, /* when it was delivered                   */
    SP_NOTIFY_FAILURE = 4, /* when it could not be                    */
    SP_NOTIFY_DELAY   = 8  /* when it takes long                      */
};

/* BY= (RFC 2852 4): what happens to what is not delivered in time. */
enum sp_by {
    SP_BY_UNSAID = 0, /* no deadline                                  */
    SP_BY_RETURN,     /* R: it bounces                                */
    SP_BY_NOTIFY      /* N: the sender is told, it goes on            */
};

/* What MAIL can say beside the sender and SIZE=. */
struct sp_mail_parameters {
    uint8_t body;          /* enum sp_body                                                          */
    bool    utf8;          /* SMTPUTF8 (RFC 6531): an address or the header may be UTF-8            */
    bool    require_tls;   /* REQUIRETLS (RFC 8689): never over a link without verified TLS         */
    uint8_t ret;           /* enum sp_ret                                                           */
    uint8_t by;            /* enum sp_by                                                            */
    bool    by_trace;      /* BY=...T: tell of each relay too                                       */
    int8_t  priority;      /* MT-PRIORITY= (RFC 6710), -9..9; 0 is normal and not said              */
    int64_t by_ms;         /* deadline, wall time in ms; only with `by`, else 0. May be over        */
    int64_t hold_until_ms; /* FUTURERELEASE (RFC 4865): not to be sent before, wall time; 0: at once */
    struct sp_view envid;  /* ENVID= (RFC 3461 4.4), printable ASCII and spaces; empty: not said    */
    struct sp_view auth;   /* AUTH= (RFC 4954 5): a mailbox, "<>", or empty: not said. A server keeps
                              what a client said that it trusts, else "<>"                          */
};

/* What RCPT can say beside the recipient. */
struct sp_rcpt_parameters {
    uint8_t notify;       /* set of enum sp_notify                                                  */
    struct sp_view orcpt; /* ORCPT= (RFC 3461 4.2): "rfc822;user@example.org"; UTF-8 behind "utf-8;"
                             (RFC 6533 3); empty: not said                                          */
};

#ifdef __cplusplus
}
#endif

#endif
