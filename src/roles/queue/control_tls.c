/* `sallyport queue tls-reports` and `tls-send`. */
#include "roles/queue/control_own.h"

#include "base/view.h"
#include "os/heap.h"
#include "store/tls.h"

enum { PAGE = 200 }; /* reports in one answer */

struct page {
    struct sp_buf list;
    size_t n;
};

static void gather(void *ctx, const struct store_tls_report *r)
{
    struct page *p = ctx;
    struct ipc_queue_tls_report one = {.day = r->day,
                                       .domain = r->domain,
                                       .state = sp_view_of(store_tls_state_word(r->state)),
                                       .good = r->good,
                                       .bad = r->bad,
                                       .next_ms = (uint64_t)r->next_ms,
                                       .sent_ms = (uint64_t)r->sent_ms,
                                       .sent_to = r->sent_to,
                                       .said = r->said,
                                       .attempts = r->attempts};
    (void)ipc_add_queue_tls_report(&p->list, &one); /* os_heap never says no; a page is far below the limit */
    p->n++;
}

void queue_control_tls_list(const struct queue_control *c, const struct ipc_queue_tls_list *m)
{
    struct page p = {0};
    sp_buf_init(&p.list, &os_heap, IPC_PAYLOAD_MAX - 64);
    if (c->tls_settle)
        c->tls_settle(c->ctx);
    int status = store_tls_list(c->store, m->after_day, m->after, PAGE, gather, &p);
    if (!status)
        c->send(c->ctx, &(struct ipc_message){.type = IPC_TYPE_queue_tls_reports,
                                              .as.queue_tls_reports = {.reports = sp_buf_view(&p.list)}});
    sp_buf_fini(&p.list);
    queue_control_done(
        c, (struct ipc_queue_done){.answer = queue_control_word(c, status), .more = !status && p.n == PAGE});
}

void queue_control_tls_send(const struct queue_control *c, const struct ipc_queue_tls_send *m)
{
    struct ipc_queue_done done = {.answer = IPC_QUEUE_UNSERVED};
    size_t n = 0;
    if (c->tls_settle)
        c->tls_settle(c->ctx);
    if (c->tls_send)
        done.answer = queue_control_word(c, c->tls_send(c->ctx, m->day, m->domain, &n));
    done.count = n;
    queue_control_done(c, done);
}
