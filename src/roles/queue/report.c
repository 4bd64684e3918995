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

/* --- where it goes -------------------------------------------------------------------------- */

static void take_first(void *ctx, struct sp_view address, const struct config_route *route)
{
    struct queue_way *w = ctx;
    if (w->n++ == 0) {
        w->route = route;
        (void)sp_buf_add(&w->address, address); /* os_heap never says no */
    }
}

void queue_find_way(struct queue *q, struct sp_view address, struct queue_way *w)
{
    size_t at = address.len; /* no domain holds an @, quoted local parts may */
    while (at > 0 && address.p[at - 1] != '@')
        at--;
    *w = (struct queue_way){0};
    sp_buf_init(&w->address, &os_heap, 4096);
    if (at == 0)
        return;
    enum addresses_answer answer =
        addresses_resolve(q->role->addresses, q->role->config, sp_view_sub(address, 0, at - 1),
                          sp_view_from(address, at), address, (struct sp_view){0}, take_first, w);
    w->nobody = answer == ADDRESSES_UNKNOWN || answer == ADDRESSES_FORGED || answer == ADDRESSES_EXPIRED;
    if (answer == ADDRESSES_FOREIGN) {
        w->route = config_route_for(q->role->config, (struct sp_view){0}, address);
        w->n = w->route != NULL;
    }
    /* An alias of several is written to as an alias: its own route takes it, or it is held. */
    if (w->n != 1 || answer == ADDRESSES_FOREIGN) {
        sp_buf_clear(&w->address);
        (void)sp_buf_add(&w->address, address); /* the same */
    }
}

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

int queue_add_own(struct queue *q, struct sp_view address, const struct store_mail *mail,
                  const struct config_route *route, struct sp_view content, struct queue_item **item_out)
{
    bool held = !route || route->kind == CONFIG_ROUTE_HOLD;
    struct sp_view name = route ? sp_view_of(route->name) : SP_LIT("hold");
    struct store_recipient to = {.address = address,
                                 .parameters = {.notify = SP_NOTIFY_NEVER},
                                 .route = name,
                                 .state = held ? STORE_HELD : STORE_QUEUED,
                                 .next_ms = mail->received_ms,
                                 .reply =
                                     route ? (struct sp_view){0} : SP_LIT("no route leads to this domain")};
    struct queue_destination *d = held ? NULL : queue_destination_of(q, name, to.address);
    if (d && queue_window_is_crowded(q, d, mail->parameters.priority)) {
        to.parked = d->name;
        d->parked = true;
    }
    bool leased = d && !d->parked && queue_window_has_room(q, 1);
    int status = store_add(q->store, mail, &to, 1, &content, leased);
    queue_watch_wake(q);
    if (d && (status || !leased))
        queue_destination_drop(q, d);
    if (status || !leased)
        return status;
    struct queue_item *item = queue_item_new(mail, true);
    queue_item_add(item, &to);
    queue_item_aim(item, d);
    *item_out = item;
    return SP_OK;
}

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
        status =
            queue_add_own(q, sp_buf_view(&way->address), &own, way->route, sp_buf_view(&report), item_out);
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
    bool nowhere = way.nobody || (way.route && way.route->kind == CONFIG_ROUTE_DISCARD);
    int status = nowhere ? SP_OK : report_to(q, &way, mail, recipients, n, item_out, id_out);
    sp_buf_fini(&way.address);
    return status;
}
