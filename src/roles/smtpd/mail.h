/*
 * A transaction from MAIL to its answer: sender, recipients with their routes, and the content on its way
 * to the queue. A mail that was submitted outlives its session: the queue may have it whoever has left.
 */
#ifndef SMTPD_MAIL_H
#define SMTPD_MAIL_H

#include "message/author.h"
#include "message/mend.h"
#include "roles/recipients.h"
#include "roles/smtpd/smtpd.h"

enum { MAIL_CONTENT_MAX = 2 << 20 }; /* octets that may come in one piece before it is noticed */

struct mail {
    struct session *session; /* NULL: the client has left */
    uint64_t id, tag;
    char id_text[MESSAGE_ID_TEXT + 1];
    char session_name[SESSION_NAME + 1];
    struct sp_buf sender;
    struct sp_buf first_recipient;
    struct recipients recipients;
    struct sp_mail_parameters parameters; /* views are into texts */
    struct sp_buf texts;
    struct sp_buf content; /* until it is submitted or spooled */
    struct message_scan scan;
    bool mends; /* the header, by the manners of submission */
    struct message_mend mend;
    struct message_author author;
    bool has_author;           /* author is in use */
    uint64_t size;             /* of the content, trace field included */
    uint64_t received_ms;      /* wall time */
    int spool;                 /* descriptor of incoming/<id>, or -1 */
    bool spooled;              /* incoming/<id> is ours at the queue */
    bool submitted;            /* whole, and handed to the queue     */
    bool takes_spool;          /* counted in spool_n                 */
    uint32_t queue_index;      /* the queue process that has or gets it */
    enum smtpd_refusal failed; /* what END will be answered with */
};

/* trusted: the client's AUTH= is believed; else it is kept as "<>" (RFC 4954 5). */
struct mail *mail_begin(struct session *s, const struct sp_path *sender, const struct sp_mail_parameters *p,
                        bool trusted);

/* See recipients_add. */
SP_MUST_USE int mail_add_recipient(struct mail *m, struct sp_view said, struct sp_view address, const char *route,
                                   const struct sp_rcpt_parameters *p);

/* The transaction is gone, or its session. */
void mail_drop(struct mail *m);

/* Without a word to anybody. */
void mail_free(struct mail *m);

/* The process that has or gets it; NULL: it is gone. */
struct os_edge *mail_queue(const struct mail *m);

/* Its descriptor is closed, or will never come. */
void mail_leave_spool(struct mail *m);

/* --- content.c ------------------------------------------------------------------------------ */

/* DATA: the id is made and the Received field begins the content. SMTPD_FINE, or why not. */
enum smtpd_refusal mail_open(struct mail *m);

/* Content. The session waits (WAIT_SPOOL) when it grew over what one message to the queue carries. */
void mail_add(struct mail *m, struct sp_view octets);

/*
 * The content is whole: hand it to the queue. SMTPD_FINE: the session waits (WAIT_SUBMIT) and
 * mail_note_answer goes on; or the refusal.
 */
enum smtpd_refusal mail_submit(struct mail *m);

/* The address that SMTPD_FROM_NOT_YOURS is about; else empty. */
struct sp_view mail_refused_author(const struct mail *m);

/* Nothing more of its content is kept; why counts for END. */
void mail_give_up(struct mail *m, enum smtpd_refusal why);

/* What the disk says of writing counts for END: until then the content has to be read anyway. */
void mail_write_spool(struct mail *m, struct sp_view octets);

/* --- answer.c: from the queue -------------------------------------------------------------- */

void mail_take_message(struct smtpd *smtpd, const struct ipc_message *m);
void mail_note_queue_gone(struct smtpd *smtpd, uint32_t index);

#endif
