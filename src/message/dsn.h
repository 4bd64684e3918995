/*
 * Bounces: the report that tells a sender which recipients did not get the message, and why.
 * RFC 3462 (multipart/report), 3464 (message/delivery-status), 3834 (Auto-Submitted).
 *
 * The report is plain ASCII with lines below 998 octets, whatever the message and the replies held, so that
 * any server takes it. Of the message it brings back the header.
 */
#ifndef MESSAGE_DSN_H
#define MESSAGE_DSN_H

#include "base/buf.h"

struct message_dsn_recipient {
    struct sp_view address;
    uint32_t code;           /* of the decisive reply; 0: there was none                    */
    struct sp_view enhanced; /* "5.1.1"; may be empty                                       */
    struct sp_view reply;    /* the reply, or the reason why there was none                 */
    struct sp_view remote;   /* "host [address]:port"; may be empty                         */
    int64_t last_ms;         /* wall time of the last attempt; 0: none                      */
    bool expired;            /* given up after the time that the queue tries                */
};

struct message_dsn {
    const char *hostname;  /* ours                                                        */
    const char *id;        /* queue id of the report                                      */
    const char *failed_id; /* queue id of the message                                     */
    struct sp_view sender; /* who gets the report; never empty                            */
    int64_t received_ms;   /* when the message came                                       */
    int64_t now_ms;
    struct sp_view content; /* of the message: from its start to the end of its header at least, or as
                               much as there is                                            */
    const struct message_dsn_recipient *recipients;
    size_t recipient_n;
};

/* Append the whole report. Returns sp_buf_status(out). */
int message_add_dsn(struct sp_buf *out, const struct message_dsn *d);

#endif
