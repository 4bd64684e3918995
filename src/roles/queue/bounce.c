#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>
#include <unistd.h>

enum { HEADER_MOST = 40 << 10, BOUNCE_MOST = 16 << 20 };

/* --- where it goes -------------------------------------------------------------------------- */

const struct config_route *queue_route_of(const struct config *c, struct sp_view address, bool *nobody_out)
{
    size_t at = address.len; /* no domain holds an @, quoted local parts may */
    while (at > 0 && address.p[at - 1] != '@')
        at--;
    struct sp_view local = sp_view_sub(address, 0, at ? at - 1 : 0), name = sp_view_from(address, at);
    *nobody_out = false;
    if (at == 0)
        return NULL;
    const struct config_domain *domain = config_find_domain(c, name);
    if (!domain)
        return config_route_for(c, (struct sp_view){0}, address);
    for (size_t i = 0; i < domain->mailbox_n; i++)
        if (sp_view_eq_nocase(local, sp_view_of(domain->mailboxes[i])))
            return domain->route;
    *nobody_out = domain->mailbox_n > 0;
    return domain->route;
}

/* --- what it says --------------------------------------------------------------------------- */

/* The start of the content. SP_ERR_ABSENT: no such message. */
static int read_header(struct queue *q, uint64_t mail, struct sp_buf *header)
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
        (void)sp_buf_add(header, sp_view_sub(body.content, 0, HEADER_MOST)); /* os_heap never says no */
        return SP_OK;
    }
    (void)sp_buf_reserve(header, HEADER_MOST); /* the same */
    ssize_t n = pread(body.fd, header->p, HEADER_MOST, 0);
    header->len = n > 0 ? (size_t)n : 0;
    close(body.fd);
    return SP_OK;
}

static int write_report(struct queue *q, const struct store_mail *mail, uint64_t id,
                        const struct message_dsn_recipient *failed, size_t n, struct sp_buf *report)
{
    struct queue_id own = queue_id(id), theirs = queue_id(mail->id);
    struct sp_buf header;
    sp_buf_init(&header, &os_heap, HEADER_MOST);
    int status = read_header(q, mail->id, &header);
    if (!status)
        status = message_add_dsn(report, &(struct message_dsn){.hostname = q->role->config->hostname,
                                                               .id = own.text,
                                                               .failed_id = theirs.text,
                                                               .sender = mail->sender,
                                                               .received_ms = mail->received_ms,
                                                               .now_ms = q->wall_ms(),
                                                               .content = sp_buf_view(&header),
                                                               .recipients = failed,
                                                               .recipient_n = n});
    sp_buf_fini(&header);
    return status;
}

/* --- into the store ------------------------------------------------------------------------- */

static int add(struct queue *q, const struct store_mail *failed, const struct store_mail *mail,
               const struct config_route *route, struct sp_view report, struct queue_item **item_out)
{
    bool held = !route || route->kind == CONFIG_ROUTE_HOLD;
    struct sp_view name = route ? sp_view_of(route->name) : SP_LIT("hold");
    struct store_recipient to = {.address = failed->sender,
                                 .route = name,
                                 .state = held ? STORE_HELD : STORE_QUEUED,
                                 .next_ms = mail->received_ms,
                                 .reply =
                                     route ? (struct sp_view){0} : SP_LIT("no route leads to this domain")};
    struct queue_destination *d = held ? NULL : queue_destination_of(q, name, to.address);
    if (d && queue_window_is_crowded(q, d)) {
        to.parked = d->name;
        d->parked = true;
    }
    bool leased = d && !d->parked && queue_window_has_room(q, 1);
    int status = store_add(q->store, mail, &to, 1, &report, leased);
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

int queue_bounce(struct queue *q, const struct store_mail *mail, const struct message_dsn_recipient *failed,
                 size_t n, struct queue_item **item_out, uint64_t *id_out)
{
    bool nobody = mail->sender.len == 0;
    const struct config_route *route = nobody ? NULL : queue_route_of(q->role->config, mail->sender, &nobody);
    if (nobody || (route && route->kind == CONFIG_ROUTE_DISCARD))
        return SP_OK;
    uint64_t id = message_id_next(&q->ids, q->wall_ms());
    struct sp_buf report;
    sp_buf_init(&report, &os_heap, BOUNCE_MOST);
    int status = write_report(q, mail, id, failed, n, &report);
    struct store_mail bounce = {
        .id = id, .received_ms = q->wall_ms(), .session = mail->session, .size = report.len};
    if (!status)
        status = add(q, mail, &bounce, route, sp_buf_view(&report), item_out);
    if (!status)
        *id_out = id;
    sp_buf_fini(&report);
    return status;
}
