/*
 * The role pickup: mail that programs of this machine put into the maildrop, taken to the queue. It owns two
 * folders:
 *
 *   DATA/maildrop  anybody may put a file there under a name that nobody can guess. Nothing in it is trusted.
 *   DATA/pickup    its own. A file is claimed by being moved there under the queue id that its message gets:
 * the name is the record of what was begun, and nobody else can make one.
 *
 * A claimed file is read, submitted under its id, and removed when the queue says that the message is on
 * disk. Whatever dies in between, it is submitted again under the same id, which the queue refuses when it
 * has it (EXISTS).
 *
 * A file holds an SMTP session as a client would say it (EHLO, MAIL, RCPT, DATA, message, QUIT), and is read
 * by the server engine: there is no other grammar. See docs/sendmail.md.
 */
#ifndef PICKUP_PICKUP_H
#define PICKUP_PICKUP_H

#include "base/arena.h"
#include "base/table.h"
#include "message/id.h"
#include "message/mend.h"
#include "message/scan.h"
#include "os/loop.h"
#include "roles/recipients.h"
#include "roles/role.h"
#include "sallyport/smtp_server.h"

#include <dirent.h>
#include <sys/types.h>

enum {
    PICKUP_SUBMIT_MAX = 65536, /* octets of a file whose message goes to the queue in one piece */
    PICKUP_RECEIVED_MAX = 100, /* RFC 5321 6.3                                                  */
    PICKUP_USER_MAX = 40,
    PICKUP_REFUSED_MOST = 1000 /* files that are kept for an operator; what comes then is removed */
};

/* A recipient that cannot be. Its views are in the parcel's memory. */
struct pickup_refused {
    struct pickup_refused *next;
    struct sp_view address, orcpt;
    uint8_t notify;
    const char *enhanced, *reply; /* static */
};

/* A claimed file, and what was read of it. */
struct parcel {
    uint64_t id;
    char name[MESSAGE_ID_TEXT + 1]; /* of the file in DATA/pickup: the id as text */
    bool fresh;                     /* claimed by this process: its id was given to nobody before */
    int file, spool;                /* descriptors, or -1 */
    bool spooled;                   /* the message is in incoming/<id> */
    uint64_t octets;                /* of the file */
    char user[PICKUP_USER_MAX];     /* whose file it is */
    uint64_t received_ms;

    struct sp_arena memory;
    struct sp_view sender; /* empty: the null path */
    struct sp_mail_parameters parameters;
    struct recipients recipients;
    struct sp_view only_recipient;
    struct pickup_refused *refused;

    struct sp_buf content; /* all of it, or with a spool what is to be written next */
    struct sp_buf start;   /* its beginning, for a report: the header at least */
    struct message_mend mend;
    struct message_scan scan;
    bool mending;
    uint64_t size;
    bool began, whole; /* MAIL was said; the message has ended */
    const char *fault; /* why it cannot be taken at all; static or in memory */
    bool later;        /* why it cannot be written now: said in the log */
};

struct pickup {
    struct role *role;
    int maildrop, watch; /* descriptors, or -1 */
    struct event *changed;
    DIR *entries;          /* of the maildrop, being looked through; NULL: not yet */
    size_t passed;         /* entries that this pass has left where they are */
    uint64_t pass_ms;      /* when the next pass may begin, by os_mono_ms */
    bool found, left;      /* something was claimed in this pass; there are files that were claimed before */
    struct os_timer again; /* look once more, or try once more */
    struct os_later turn;
    struct message_id_maker ids;
    struct parcel *parcel; /* under way; NULL: none */
    struct sp_table taken; /* messages by user, since a time: see quota.c */
    int64_t taken_ms;
    enum { PICKUP_IDLE, PICKUP_SPOOL, PICKUP_SUBMIT, PICKUP_BOUNCE } wait;
    uint64_t tag;
    bool stopping, troubled; /* trouble was said in the log, and is not over */
};

/* --- quota.c -------------------------------------------------------------------------------- */

/* Count one more message of the user. false: it has had its number for this hour. */
bool pickup_count(struct pickup *p, uid_t uid);

/* --- claim.c -------------------------------------------------------------------------------- */

/*
 * The next file: one that was claimed before and is left, else one of the maildrop. What can be no mail
 * (links, pipes, devices, files with a second name) is removed. NULL: there is none, or not yet.
 */
struct parcel *pickup_claim(struct pickup *p);

/* After it gave NULL: milliseconds until it is to be asked again. */
uint64_t pickup_pause_ms(const struct pickup *p);

/* It is done with: the file goes. */
void parcel_finish(struct pickup *p, struct parcel *parcel);
/* It cannot be taken: the file stays as NAME.refused for an operator, unless too many do. */
void parcel_refuse(struct pickup *p, struct parcel *parcel);
/* Its id is somebody else's: it is claimed anew. */
void parcel_rename(struct pickup *p, struct parcel *parcel);
void parcel_free(struct parcel *parcel);

/* --- read.c --------------------------------------------------------------------------------- */

/* Read the file; a message goes to the spool, if there is one. What came of it is in fault, later and whole.
 */
void parcel_read(struct pickup *p, struct parcel *parcel);

/* --- parcel.c: what the engine asks while the file is read ---------------------------------- */

void parcel_init(struct parcel *parcel);
struct sp_view parcel_keep(struct parcel *parcel, struct sp_view v);
void parcel_take_mail(struct pickup *p, struct parcel *parcel, const struct sp_server_event *ev);
void parcel_take_recipient(struct pickup *p, struct parcel *parcel, const struct sp_server_event *ev);
void parcel_open(struct pickup *p, struct parcel *parcel);
void parcel_add(struct parcel *parcel, struct sp_view octets);
void parcel_end(struct parcel *parcel);

/* --- route.c -------------------------------------------------------------------------------- */

/* Add where mail to a mailbox goes to the parcel's recipients. NULL, or the refusal, whose enhanced code is
 * put out. */
const char *pickup_route(struct pickup *p, struct parcel *parcel, const struct sp_path *to,
                         const struct sp_rcpt_parameters *parameters, const char **enhanced_out);

/* --- bounce.c ------------------------------------------------------------------------------- */

/* Who is to be told of the refused recipients? */
bool pickup_owes_report(const struct parcel *parcel);

/* Submit the report. SP_OK, or as of os_edge_send. */
int pickup_report(struct pickup *p, const struct parcel *parcel, struct os_edge *queue);

#endif
