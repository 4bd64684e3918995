/*
 * Reports: what tells a sender that recipients did not get the message and why, that it is late, or that it
 * has arrived. RFC 6522 (multipart/report), 3464 (message/delivery-status), 6533 (the same in UTF-8), 3834
 * (Auto-Submitted).
 *
 * The report is plain ASCII with lines below 998 octets, whatever the message and the replies held, so that
 * any server takes it, with three exceptions: a whole message is given back as it is; a header in UTF-8 is
 * given back as message/global-headers, and a whole message with one as message/global; and where an address
 * is UTF-8, which only a sender who knows SMTPUTF8 has used, the report is UTF-8 too.
 */
#ifndef MESSAGE_DSN_H
#define MESSAGE_DSN_H

#include "base/buf.h"

/* RFC 3464 2.3.3. NAME, word. */
#define MESSAGE_DSN_ACTIONS(X)                                                                               \
    X(FAILED, "failed") X(DELAYED, "delayed") X(DELIVERED, "delivered") X(RELAYED, "relayed")

#define X(n, word) MESSAGE_DSN_##n,
enum message_dsn_action { MESSAGE_DSN_ACTIONS(X) MESSAGE_DSN_ACTION_N };
#undef X

struct message_dsn_recipient {
    struct sp_view address;
    struct sp_view orcpt; /* as RCPT said it, "rfc822;address"; empty: it did not          */
    enum message_dsn_action action;
    uint32_t code;           /* of the decisive reply; 0: there was none                    */
    struct sp_view enhanced; /* "5.1.1"; may be empty                                       */
    struct sp_view reply;    /* the reply, or the reason why there was none                 */
    struct sp_view remote;   /* "host [address]:port"; may be empty                         */
    struct sp_view meaning;  /* what the reply means, a sentence in ASCII; may be empty     */
    int64_t last_ms;         /* wall time of the last attempt; 0: none                      */
    int64_t until_ms;        /* DELAYED: it is tried until then                             */
    bool expired;            /* given up after the time that the queue tries                */
    bool by_expired;         /* or the time is over that the sender gave it (RFC 2852), of DELAYED too */
};

struct message_dsn {
    const char *hostname;  /* ours                                                        */
    const char *id;        /* queue id of the report                                      */
    const char *failed_id; /* queue id of the message                                     */
    struct sp_view sender; /* who gets the report; never empty                            */
    struct sp_view envid;  /* ENVID of MAIL; may be empty                                 */
    int64_t received_ms;   /* when the message came                                       */
    int64_t now_ms;
    struct sp_view content; /* of the message: from its start to the end of its header at least, or as
                               much as there is                                            */
    bool whole;             /* content is all of it, and is to be given back               */
    const struct message_dsn_recipient *recipients; /* all of one action                    */
    size_t recipient_n;
};

/* What the report is, for the one who sends it. */
struct message_dsn_form {
    bool eight_bit, utf8;
};

/* Append the whole report. Returns sp_buf_status(out). form_out may be NULL. */
int message_add_dsn(struct sp_buf *out, const struct message_dsn *d, struct message_dsn_form *form_out);

#endif
