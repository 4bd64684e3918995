#include "roles/smtpd/mail.h"

#include "base/view.h"
#include "os/heap.h"
#include "roles/smtpd/room.h"
#include "roles/smtpd/session.h"

#include <stdlib.h>
#include <unistd.h>

enum { ADDRESS_MAX = 1024, TEXTS_MAX = 4096 };

static struct sp_view keep(struct mail *m, struct sp_view v)
{
    size_t at = m->texts.len;
    sp_buf_add(&m->texts, v); /* reserved before: the buffer does not move */
    return sp_view_make(m->texts.p + at, v.len);
}

struct mail *mail_begin(struct session *s, const struct sp_path *sender, const struct sp_mail_parameters *p,
                        bool trusted)
{
    struct sp_view submitter = trusted || p->auth.len == 0 ? p->auth : SP_LIT("<>");
    struct mail *m = os_new(sizeof *m);
    m->session = s;
    m->spool = -1;
    m->parameters = *p;
    memcpy(m->session_name, s->name, sizeof m->session_name);
    sp_buf_init(&m->sender, &room_heap, ADDRESS_MAX);
    sp_buf_init(&m->texts, &room_heap, TEXTS_MAX);
    sp_buf_init(&m->first_recipient, &room_heap, ADDRESS_MAX);
    recipients_init(&m->recipients, &room_heap, smtpd_self.mails.seed);
    sp_buf_init(&m->content, &room_heap, MAIL_CONTENT_MAX);
    sp_buf_add(&m->sender, sender->text);
    sp_buf_reserve(&m->texts, p->envid.len + submitter.len + 1);
    m->parameters.envid = keep(m, p->envid);
    m->parameters.auth = keep(m, submitter);
    return m;
}

void mail_leave_spool(struct mail *m)
{
    if (m->takes_spool)
        smtpd_self.spool_n--;
    m->takes_spool = false;
}

void mail_free(struct mail *m)
{
    if (m->session)
        m->session->mail = NULL;
    if (m->spool >= 0)
        close(m->spool);
    mail_leave_spool(m);
    if (m->has_author)
        message_author_fini(&m->author);
    if (m->mends)
        message_mend_fini(&m->mend);
    sp_buf_fini(&m->sender);
    sp_buf_fini(&m->texts);
    sp_buf_fini(&m->first_recipient);
    recipients_fini(&m->recipients);
    sp_buf_fini(&m->content);
    free(m);
}

struct os_edge *mail_queue(const struct mail *m)
{
    return role_peer_at(smtpd_self.role, IPC_QUEUE, m->queue_index);
}

static void drop_spool(struct mail *m)
{
    struct os_edge *queue = mail_queue(m);
    if (m->spooled && queue)
        (void)os_edge_send(queue,
                           &(struct ipc_message){.type = IPC_TYPE_spool_drop, .as.spool_drop = {m->id}});
    m->spooled = false;
}

void mail_drop(struct mail *m)
{
    if (m->tag) { /* the queue was asked: its answer ends it */
        if (m->session)
            m->session->mail = NULL;
        m->session = NULL;
        return;
    }
    drop_spool(m);
    mail_free(m);
}

int mail_add_recipient(struct mail *m, struct sp_view said, struct sp_view address, const char *route,
                       const struct sp_rcpt_parameters *p)
{
    bool is_first = m->recipients.n == 0;
    int status = recipients_add(&m->recipients, said, address, route, p);
    if (status == SP_OK && is_first) {
        sp_buf_clear(&m->first_recipient);
        sp_buf_add(&m->first_recipient, said);
    }
    return status;
}
