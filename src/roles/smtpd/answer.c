#include "roles/smtpd/mail.h"

#include "base/view.h"
#include "roles/smtpd/log.h"
#include "roles/smtpd/session.h"

#include <unistd.h>

static struct mail *take_asked(struct smtpd *smtpd, uint64_t tag)
{
    struct mail *m = sp_table_take(&smtpd->mails, sp_view_make(&tag, sizeof tag));
    if (m)
        m->tag = 0;
    return m;
}

static enum smtpd_refusal refusal_of(uint8_t why)
{
    return why == IPC_SUBMIT_DISK_FULL ? SMTPD_DISK_FULL : SMTPD_QUEUE_BROKEN;
}

/* The session goes on without its mail, and may begin another one at once. */
static struct session *part(struct mail *m)
{
    struct session *s = m->session;
    if (s)
        s->mail = NULL;
    m->session = NULL;
    m->spooled = false; /* the queue has it, swept it, or is gone and will */
    return s;
}

/* A client that left after its final dot is not told, and may send the message again: RFC 5321 4.2.5. */
static void note_accepted(struct mail *m)
{
    log_accepted(m);
    struct session *s = part(m);
    if (s)
        session_note_stored(s, m->id_text);
    mail_free(m);
}

static void note_refused(struct mail *m, enum smtpd_refusal why)
{
    log_not_stored(m, why);
    struct session *s = part(m);
    if (s)
        session_note_not_stored(s, why);
    mail_free(m);
}

static void note_spool(struct mail *m, int fd)
{
    m->spool = fd;
    m->spooled = true;
    if (!m->session) {
        mail_drop(m);
        return;
    }
    mail_write_spool(m, sp_buf_view(&m->content));
    sp_buf_fini(&m->content);
    session_go_on(m->session);
}

static void note_no_spool(struct mail *m, enum smtpd_refusal why)
{
    mail_give_up(m, why);
    if (m->session)
        session_go_on(m->session);
    else
        mail_free(m);
}

void mail_take_message(struct smtpd *smtpd, const struct ipc_message *message)
{
    struct mail *m;
    switch (message->type) {
    case IPC_TYPE_submit_yes:
        if ((m = take_asked(smtpd, message->as.submit_yes.tag)))
            note_accepted(m);
        break;
    case IPC_TYPE_submit_no:
        if ((m = take_asked(smtpd, message->as.submit_no.tag)))
            note_refused(m, refusal_of(message->as.submit_no.why));
        break;
    case IPC_TYPE_spool_here:
        if ((m = take_asked(smtpd, message->as.spool_here.tag)))
            note_spool(m, message->as.spool_here.fd);
        else if (message->as.spool_here.fd >= 0)
            close(message->as.spool_here.fd);
        break;
    case IPC_TYPE_spool_no:
        if ((m = take_asked(smtpd, message->as.spool_no.tag)))
            note_no_spool(m, refusal_of(message->as.spool_no.why));
        break;
    default:
        break;
    }
}

/* Mails that this queue was asked about; answering one may end others, so each is looked up anew. */
static struct mail *next_asked(struct smtpd *smtpd, uint32_t index)
{
    size_t cursor = 0;
    struct sp_view key;
    void *value;
    while (sp_table_next(&smtpd->mails, &cursor, &key, &value))
        if (((struct mail *)value)->queue_index == index)
            return value;
    return NULL;
}

void mail_note_queue_gone(struct smtpd *smtpd, uint32_t index)
{
    struct mail *m;
    while ((m = next_asked(smtpd, index))) {
        (void)take_asked(smtpd, m->tag);
        if (m->submitted)
            note_refused(m, SMTPD_QUEUE_UNAVAILABLE);
        else
            note_no_spool(m, SMTPD_QUEUE_UNAVAILABLE);
    }
    /* What was written for a queue that is gone is swept when it starts again. */
    for (struct session *s = smtpd->sessions; s; s = s->next)
        if (s->mail && s->mail->spooled && s->mail->queue_index == index) {
            s->mail->spooled = false;
            s->mail->failed = SMTPD_QUEUE_UNAVAILABLE;
        }
}
