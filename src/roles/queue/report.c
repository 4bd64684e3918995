/* Reports to the sender of a message: written, and put into the queue as any mail to that address would be.
 */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    HEADER_MOST = 40 << 10, /* read of the content for its header                                  */
    WHOLE_MOST = 1 << 20,   /* a larger message does not come back whole, whatever RET says        */
    REPORT_MOST = 16 << 20
};

/* --- what it says --------------------------------------------------------------------------- */

/* The start of the content, that many octets at most. SP_ERR_ABSENT: no such message. */
static int read_content(struct queue *q, uint64_t mail, size_t most, struct sp_buf *content)
{
    struct store_body body;
    int status = store_body(q->store, mail, &body);
    if (status == SP_ERR_IO) {
        struct queue_id id = queue_id(mail);
        os_log(OS_WARN, "content-unreadable", OS_STR("id", id.text), OS_STR("error", store_error(q->store)));
        return SP_OK; /* the report is worth sending without it */
    }
    if (status)
        return status;
    if (body.fd < 0) {
        (void)sp_buf_add(content, sp_view_sub(body.content, 0, most)); /* os_heap never says no */
        return SP_OK;
    }
    (void)sp_buf_reserve(content, most); /* the same */
    while (content->len < most) {
        ssize_t n = pread(body.fd, content->p + content->len, most - content->len, (off_t)content->len);
        if (n <= 0)
            break;
        content->len += (size_t)n;
    }
    close(body.fd);
    return SP_OK;
}

/* All of it comes back when its sender asks for that, and only of what failed (RFC 3461 4.3); never of what
 * may not be seen on its way (RFC 8689 5), and nothing of what a stranger wrote goes to who may be somebody
 * else. */
static bool wants_whole(const struct store_mail *mail, const struct message_dsn_recipient *recipients)
{
    return recipients[0].action == MESSAGE_DSN_FAILED && mail->parameters.ret == SP_RET_FULL &&
           mail->parameters.body != SP_BODY_BINARYMIME && !mail->parameters.require_tls && !mail->stranger &&
           mail->size <= WHOLE_MOST;
}

static int write_report(struct queue *q, const struct store_mail *mail, uint64_t id,
                        const struct message_dsn_recipient *recipients, size_t n, struct sp_buf *report,
                        struct message_dsn_form *form)
{
    struct queue_id own = queue_id(id), theirs = queue_id(mail->id);
    struct sp_buf content;
    bool whole = wants_whole(mail, recipients);
    sp_buf_init(&content, &os_heap, WHOLE_MOST + HEADER_MOST);
    int status = read_content(q, mail->id, whole ? (size_t)mail->size : HEADER_MOST, &content);
    struct message_dsn d = {.hostname = q->role->config->hostname,
                            .id = own.text,
                            .failed_id = theirs.text,
                            .sender = mail->sender,
                            .envid = mail->parameters.envid,
                            .received_ms = mail->received_ms,
                            .now_ms = q->wall_ms(),
                            .content = sp_buf_view(&content),
                            .whole = whole && content.len == mail->size,
                            .recipients = recipients,
                            .recipient_n = n};
    if (!status)
        status = message_add_dsn(report, &d, form);
    sp_buf_fini(&content);
    return status;
}

/* --- into the store ------------------------------------------------------------------------- */

static int report_to(struct queue *q, const struct queue_way *way, const struct store_mail *mail,
                     const struct message_dsn_recipient *recipients, size_t n, struct queue_item **item_out,
                     uint64_t *id_out)
{
    uint64_t id = message_id_next(&q->ids, q->wall_ms());
    struct sp_buf report;
    struct message_dsn_form form = {0};
    sp_buf_init(&report, &os_heap, REPORT_MOST);
    int status = write_report(q, mail, id, recipients, n, &report, &form);
    struct store_mail own = {.id = id,
                             .received_ms = q->wall_ms(),
                             .session = mail->session,
                             .size = report.len,
                             .parameters = {.body = form.eight_bit ? SP_BODY_8BITMIME : SP_BODY_7BIT,
                                            .utf8 = form.utf8,
                                            .require_tls = mail->parameters.require_tls}};
    if (!status)
        status = queue_add_own(q, way, &own, sp_buf_view(&report), item_out);
    if (!status)
        *id_out = id;
    sp_buf_fini(&report);
    return status;
}

int queue_report(struct queue *q, const struct store_mail *mail,
                 const struct message_dsn_recipient *recipients, size_t n, struct queue_item **item_out,
                 uint64_t *id_out)
{
    struct queue_way way;
    if (mail->sender.len == 0)
        return SP_OK;
    queue_find_way(q, mail->sender, &way);
    int status = way.nobody ? SP_OK : report_to(q, &way, mail, recipients, n, item_out, id_out);
    queue_way_fini(&way);
    return status;
}
