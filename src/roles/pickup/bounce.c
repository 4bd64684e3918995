#include "roles/pickup/pickup.h"

#include "base/view.h"
#include "message/dsn.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum { REPORT_MAX = 256 << 10 };

static bool wants_report(const struct pickup_refused *r)
{
    return r->notify == 0 || (r->notify & SP_NOTIFY_FAILURE) != 0;
}

bool pickup_owes_report(const struct parcel *parcel)
{
    for (const struct pickup_refused *r = parcel->refused; r; r = r->next)
        if (wants_report(r))
            return parcel->sender.len > 0;
    return false;
}

static size_t list_refused(const struct parcel *parcel, struct message_dsn_recipient *to)
{
    size_t n = 0;
    for (const struct pickup_refused *r = parcel->refused; r; r = r->next)
        if (wants_report(r))
            to[n++] = (struct message_dsn_recipient){.address = r->address,
                                                     .orcpt = r->orcpt,
                                                     .action = MESSAGE_DSN_FAILED,
                                                     .code = 550,
                                                     .enhanced = sp_view_of(r->enhanced),
                                                     .reply = sp_view_of(r->reply),
                                                     .last_ms = (int64_t)parcel->received_ms};
    return n;
}

static size_t count_refused(const struct parcel *parcel)
{
    size_t n = 0;
    for (const struct pickup_refused *r = parcel->refused; r; r = r->next)
        n++;
    return n;
}

static int write_report(const struct pickup *p, const struct parcel *parcel, const char *id,
                        struct sp_buf *out, struct message_dsn_form *form)
{
    struct message_dsn_recipient *list = os_new((count_refused(parcel) + 1) * sizeof *list);
    struct message_dsn d = {.hostname = p->role->config->hostname,
                            .id = id,
                            .failed_id = parcel->name,
                            .sender = parcel->sender,
                            .envid = parcel->parameters.envid,
                            .received_ms = (int64_t)parcel->received_ms,
                            .now_ms = os_wall_ms(),
                            .content = sp_buf_view(&parcel->start),
                            .recipients = list};
    d.recipient_n = list_refused(parcel, list);
    int status = message_add_dsn(out, &d, form);
    free(list);
    return status;
}

/* The sender as a recipient: where it leads nowhere, the report is held for an operator. */
static void address_report(struct pickup *p, const struct parcel *parcel, struct parcel *report)
{
    size_t at = parcel->sender.len; /* no domain holds an @, quoted local parts may */
    while (at > 0 && parcel->sender.p[at - 1] != '@')
        at--;
    const struct sp_path to = {.text = parcel->sender,
                               .local = sp_view_sub(parcel->sender, 0, at ? at - 1 : 0),
                               .domain = sp_view_from(parcel->sender, at)};
    const struct sp_rcpt_parameters never = {.notify = SP_NOTIFY_NEVER};
    const char *enhanced;
    if (pickup_route(p, report, &to, &never, &enhanced)) {
        struct ipc_recipient r = {.address = to.text, .route = SP_LIT("hold"), .parameters = never};
        (void)ipc_add_recipient(&report->recipients.list, &r); /* fits */
    }
}

int pickup_report(struct pickup *p, const struct parcel *parcel, struct os_edge *queue)
{
    struct parcel *report = os_new(sizeof *report);
    struct message_dsn_form form = {0};
    parcel_init(report);
    report->id = message_id_next(&p->ids, os_wall_ms());
    message_id_text(report->id, report->name);
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, REPORT_MAX);
    int status = write_report(p, parcel, report->name, &text, &form);
    address_report(p, parcel, report);
    struct ipc_message m = {
        .type = IPC_TYPE_submit,
        .as.submit = {.tag = ++p->tag,
                      .id = report->id,
                      .received_ms = (uint64_t)os_wall_ms(),
                      .client = SP_LIT("local"),
                      .parameters = {.body = form.eight_bit ? SP_BODY_8BITMIME : SP_BODY_7BIT,
                                     .utf8 = form.utf8,
                                     .require_tls = parcel->parameters.require_tls},
                      .recipients = sp_buf_view(&report->recipients.list),
                      .size = text.len,
                      .content = sp_buf_view(&text)}};
    if (status == SP_OK)
        status = os_edge_send(queue, &m);
    if (status == SP_OK)
        os_log(OS_INFO, "bounced", OS_STR("id", parcel->name), OS_STR("report", report->name),
               OS_VIEW("to", parcel->sender));
    sp_buf_fini(&text);
    parcel_free(report);
    return status;
}
