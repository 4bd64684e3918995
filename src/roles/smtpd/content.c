/* The content of a mail from its first octet to the queue. */
#include "roles/smtpd/mail.h"

#include "base/view.h"
#include "message/trace.h"
#include "os/clock.h"
#include "os/heap.h"
#include "roles/smtpd/log.h"
#include "roles/smtpd/policy.h"
#include "roles/smtpd/room.h"
#include "roles/smtpd/session.h"
#include "roles/smtpd/terms.h"

#include <errno.h>
#include <unistd.h>

enum {
    SUBMIT_MAX = 65536, /* octets of content in one message to the queue */
    RECEIVED_MAX = 100  /* RFC 5321 6.3                                  */
};

static struct sp_view tag_key(const struct mail *m) { return sp_view_make(&m->tag, sizeof m->tag); }

/* --- where it begins ------------------------------------------------------------------------ */

static void add_received(struct mail *m)
{
    const struct session *s = m->session;
    const struct os_tls_facts *tls = os_stream_tls(s->stream);
    struct message_received r = {.hello = sp_view_of(s->hello),
                                 .client = s->client,
                                 .hostname = s->terms->hostname,
                                 .esmtp = sp_server_is_esmtp(s->engine),
                                 .lmtp = s->terms->options.lmtp,
                                 .utf8 = m->parameters.utf8,
                                 .tls = tls != NULL,
                                 .authenticated = sp_server_is_authenticated(s->engine),
                                 .tls_version = tls ? tls->version : NULL,
                                 .tls_cipher = tls ? tls->cipher : NULL,
                                 .id = m->id_text,
                                 .wall_ms = (int64_t)m->received_ms};
    if (m->recipients.n == 1)
        r.only_recipient = sp_buf_view(&m->first_recipient);
    (void)message_add_received(&m->content, &r); /* sticks; asked for at the end */
    m->size = m->content.len;
}

/* A quote that is part of the name itself is in nobody's list. */
static bool may_be_author(void *ctx, struct sp_view local, struct sp_view domain)
{
    const struct mail *m = ctx;
    const struct sp_path path = {.local = local, .domain = domain};
    return sp_view_find(local, '"', 0) == local.len &&
           policy_may_send(sp_view_of(m->session->senders), &path);
}

static void watch_author(struct mail *m)
{
    if (m->has_author)
        message_author_fini(&m->author);
    m->has_author = m->session->senders && m->session->terms->checks_from;
    if (m->has_author)
        message_author_init(&m->author, &room_heap, may_be_author, m);
}

struct sp_view mail_refused_author(const struct mail *m)
{
    return m->has_author ? sp_buf_view(&m->author.refused) : (struct sp_view){0};
}

static enum smtpd_refusal judge_author(struct mail *m)
{
    static const enum smtpd_refusal refusals[] = {[MESSAGE_AUTHOR_FINE] = SMTPD_FINE,
                                                  [MESSAGE_AUTHOR_REFUSED] = SMTPD_FROM_NOT_YOURS,
                                                  [MESSAGE_AUTHOR_MALFORMED] = SMTPD_FROM_UNREADABLE};
    return m->has_author ? refusals[message_author_end(&m->author)] : SMTPD_FINE;
}

/* Mail that others relay is not ours to change. */
static void begin_mending(struct mail *m)
{
    const struct terms *terms = m->session->terms;
    const struct message_mend_facts facts = {.sender = sp_buf_view(&m->sender),
                                             .hostname = terms->hostname,
                                             .id = m->id_text,
                                             .wall_ms = (int64_t)m->received_ms};
    if (m->mends)
        message_mend_fini(&m->mend);
    m->mends = terms->mends_headers && sp_server_is_authenticated(m->session->engine);
    if (m->mends)
        message_mend_init(&m->mend, &room_heap, &facts);
}

enum smtpd_refusal mail_open(struct mail *m)
{
    int64_t now_ms = os_wall_ms();
    m->id = message_id_next(&smtpd_self.ids, now_ms);
    m->received_ms = (uint64_t)now_ms;
    message_id_text(m->id, m->id_text);
    message_scan_init(&m->scan);
    watch_author(m);
    begin_mending(m);
    struct os_edge *queue = role_peer_for(smtpd_self.role, IPC_QUEUE, m->id);
    if (!queue)
        return SMTPD_QUEUE_UNAVAILABLE;
    m->queue_index = os_edge_peer_index(queue);
    add_received(m);
    return SMTPD_FINE;
}

/* --- octets ---------------------------------------------------------------------------------- */

void mail_write_spool(struct mail *m, struct sp_view octets)
{
    while (octets.len > 0 && m->failed == SMTPD_FINE) {
        ssize_t n = write(m->spool, octets.p, octets.len);
        if (n >= 0) {
            octets = sp_view_from(octets, (size_t)n);
        } else if (errno != EINTR) {
            m->failed = errno == ENOSPC || errno == EDQUOT ? SMTPD_DISK_FULL : SMTPD_QUEUE_BROKEN;
            os_log(OS_WARN, "spool-failed", OS_STR("id", m->id_text), OS_STR("why", strerror(errno)));
        }
    }
}

/* Nothing more of it is kept; the client hears of it at the end. */
void mail_give_up(struct mail *m, enum smtpd_refusal why)
{
    m->failed = why;
    mail_leave_spool(m);
    sp_buf_fini(&m->content);
}

static void wait_for_answer(struct mail *m, enum session_wait wait)
{
    m->session->wait = wait;
    if (sp_table_put(&smtpd_self.mails, tag_key(m), m) != SP_OK)
        os_panic("mails", "out of memory");
}

static void ask_spool(struct mail *m)
{
    struct os_edge *queue = mail_queue(m);
    if (!queue || !room_for_spool(&smtpd_self)) {
        mail_give_up(m, queue ? SMTPD_SERVER_BUSY : SMTPD_QUEUE_UNAVAILABLE);
        return;
    }
    m->takes_spool = true;
    smtpd_self.spool_n++;
    m->tag = ++smtpd_self.last_tag;
    struct ipc_message want = {.type = IPC_TYPE_spool_want, .as.spool_want = {.tag = m->tag, .id = m->id}};
    (void)os_edge_send(queue, &want); /* an edge that is gone is told to mail_note_queue_gone */
    wait_for_answer(m, WAIT_SPOOL);
}

/* Octets that are part of the message as it is stored. */
static void add(struct mail *m, struct sp_view octets)
{
    m->size += octets.len;
    if (m->failed != SMTPD_FINE || octets.len == 0)
        return;
    if (m->spool >= 0) {
        mail_write_spool(m, octets);
    } else if (!room_for_mail(&smtpd_self)) {
        mail_give_up(m, SMTPD_SERVER_BUSY);
    } else {
        sp_buf_add(&m->content, octets);
        if (m->content.len > SUBMIT_MAX)
            ask_spool(m);
    }
}

static void add_mended(struct mail *m, struct sp_view octets, bool last)
{
    struct sp_buf mended;
    sp_buf_init(&mended, &room_heap, MAIL_CONTENT_MAX);
    if (last)
        message_mend_end(&m->mend, &mended);
    else
        message_mend_feed(&m->mend, octets, &mended);
    if (sp_buf_status(&mended) != SP_OK)
        mail_give_up(m, SMTPD_QUEUE_BROKEN);
    add(m, sp_buf_view(&mended));
    sp_buf_fini(&mended);
}

void mail_add(struct mail *m, struct sp_view octets)
{
    message_scan_feed(&m->scan, octets);
    if (m->has_author)
        message_author_feed(&m->author, octets);
    if (m->mends && !m->mend.passes)
        add_mended(m, octets, false);
    else
        add(m, octets);
}

/* --- submit ------------------------------------------------------------------------------------------ */

static enum smtpd_refusal close_spool(struct mail *m)
{
    int why = fdatasync(m->spool) ? errno : 0;
    if (close(m->spool) && !why)
        why = errno;
    m->spool = -1;
    mail_leave_spool(m);
    if (!why)
        return SMTPD_FINE;
    os_log(OS_WARN, "spool-failed", OS_STR("id", m->id_text), OS_STR("why", strerror(why)));
    return why == ENOSPC || why == EDQUOT ? SMTPD_DISK_FULL : SMTPD_QUEUE_BROKEN;
}

static void fill_submit(const struct mail *m, struct ipc_submit *out)
{
    const struct session *s = m->session;
    *out = (struct ipc_submit){.tag = m->tag,
                               .id = m->id,
                               .received_ms = m->received_ms,
                               .session = sp_view_of(m->session_name),
                               .client = sp_view_of(s->client),
                               .user = sp_view_of(s->user),
                               .sender = sp_buf_view(&m->sender),
                               .stranger = !sp_server_is_authenticated(s->engine) &&
                                           !terms_may_relay(s->terms, &s->address),
                               .parameters = m->parameters,
                               .recipients = sp_buf_view(&m->recipients.list),
                               .size = m->size,
                               .spooled = m->spooled,
                               .content = sp_buf_view(&m->content)};
}

enum smtpd_refusal mail_submit(struct mail *m)
{
    struct os_edge *queue = mail_queue(m);
    if (m->scan.received_n > RECEIVED_MAX)
        return SMTPD_MAIL_LOOP;
    if (m->mends && !m->mend.passes) /* a short one: it does not need a file */
        add_mended(m, (struct sp_view){0}, true);
    enum smtpd_refusal author = judge_author(m);
    if (author != SMTPD_FINE)
        return author;
    if (m->failed == SMTPD_FINE && m->spooled)
        m->failed = close_spool(m);
    if (m->failed == SMTPD_FINE && !queue)
        m->failed = SMTPD_QUEUE_UNAVAILABLE;
    if (m->failed == SMTPD_FINE && (sp_buf_status(&m->content) || sp_buf_status(&m->recipients.list)))
        m->failed = SMTPD_QUEUE_BROKEN;
    if (m->failed != SMTPD_FINE)
        return m->failed;
    m->tag = ++smtpd_self.last_tag;
    struct ipc_message submit = {.type = IPC_TYPE_submit};
    fill_submit(m, &submit.as.submit);
    int status = os_edge_send(queue, &submit);
    if (status != SP_OK &&
        status != SP_ERR_CLOSED) { /* an edge that is gone is told to mail_note_queue_gone */
        m->tag = 0;
        return SMTPD_QUEUE_BROKEN;
    }
    m->submitted = true;
    wait_for_answer(m, WAIT_SUBMIT);
    if (os_edge_full(queue))
        smtpd_self.queue_full = true;
    sp_buf_fini(&m->content);
    return SMTPD_FINE;
}
