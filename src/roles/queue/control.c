#include "roles/queue/control_own.h"

#include "base/view.h"
#include "os/heap.h"

#include <unistd.h>

enum {
    PAGE = 200,       /* recipients of a list in one answer           */
    RETRY_PAGE = 1000 /* recipients made due in one transaction       */
};

void queue_control_done(const struct queue_control *c, struct ipc_queue_done done)
{
    c->send(c->ctx, &(struct ipc_message){.type = IPC_TYPE_queue_done, .as.queue_done = done});
}

uint8_t queue_control_word(const struct queue_control *c, int status)
{
    if (status == SP_OK)
        return IPC_QUEUE_DONE;
    if (status == SP_ERR_ABSENT)
        return IPC_QUEUE_UNKNOWN_ID;
    return store_disk_full(c->store) ? IPC_QUEUE_DISK_FULL : IPC_QUEUE_BROKEN;
}

/* --- list and show -------------------------------------------------------------------------- */

struct page {
    const struct queue_control *c;
    uint64_t mail; /* whose recipients are being gathered; 0: none */
    struct sp_buf recipients;
};

static void send_recipients(struct page *p)
{
    if (p->recipients.len)
        p->c->send(p->c->ctx,
                   &(struct ipc_message){.type = IPC_TYPE_queue_recipients,
                                         .as.queue_recipients = {.recipients = sp_buf_view(&p->recipients)}});
    sp_buf_clear(&p->recipients);
}

static void send_mail(struct page *p, const struct store_mail *mail)
{
    struct ipc_queue_mail m = {.id = mail->id,
                               .received_ms = (uint64_t)mail->received_ms,
                               .session = mail->session,
                               .client = mail->client,
                               .user = mail->user,
                               .sender = mail->sender,
                               .stranger = mail->stranger,
                               .parameters = mail->parameters,
                               .size = mail->size};
    p->c->send(p->c->ctx, &(struct ipc_message){.type = IPC_TYPE_queue_mail, .as.queue_mail = m});
    p->mail = mail->id;
}

/* What is delivered was signed with a secret that may be another by now. */
static bool is_open(const struct store_recipient *r)
{
    return store_state_waits(r->state) || r->state == STORE_HELD;
}

/* Empty: the message's own. */
static struct sp_view sender_of(const struct queue_control *c, const struct store_mail *mail,
                                const struct store_recipient *r, struct sp_buf *made)
{
    struct sp_view sender = is_open(r) && c->sender ? c->sender(c->ctx, mail, r, made) : mail->sender;
    return sp_view_eq(sender, mail->sender) ? (struct sp_view){0} : sender;
}

static void gather(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct page *p = ctx;
    if (p->mail != mail->id) {
        send_recipients(p);
        send_mail(p, mail);
    }
    struct sp_buf made;
    sp_buf_init(&made, &os_heap, 0);
    bool waits = store_state_waits(r->state);
    bool active =
        waits && r->next_ms <= p->c->now_ms && p->c->active && p->c->active(p->c->ctx, mail->id, r->number);
    struct ipc_queue_recipient one = {
        .number = r->number,
        .address = r->address,
        .route = r->route,
        .state = active ? SP_LIT("active") : sp_view_of(store_state_word(r->state)),
        .unreturned = r->unreturned,
        .attempts = r->attempts,
        .next_ms = waits && !active ? (uint64_t)r->next_ms : 0,
        .last_ms = (uint64_t)r->last_ms,
        .code = r->code,
        .enhanced = r->enhanced,
        .reply = r->reply,
        .remote = r->remote,
        .tls = r->tls,
        .sender = sender_of(p->c, mail, r, &made),
        .sender_unsaid = is_open(r) && r->forwarded && !p->c->sender,
        .parameters = r->parameters,
    };
    (void)ipc_add_queue_recipient(&p->recipients,
                                  &one); /* os_heap never says no; a page is far below the limit */
    sp_buf_fini(&made);
}

static int send_page(const struct queue_control *c, struct store_cursor *cursor)
{
    struct page p = {.c = c};
    sp_buf_init(&p.recipients, &os_heap, IPC_PAYLOAD_MAX - 64);
    int status = store_list(c->store, cursor, PAGE, gather, &p);
    send_recipients(&p);
    sp_buf_fini(&p.recipients);
    return status;
}

static void list(const struct queue_control *c, const struct ipc_queue_list *m)
{
    struct store_cursor cursor = {.mail = m->after_id, .number = m->after_number};
    int status = send_page(c, &cursor);
    queue_control_done(c, (struct ipc_queue_done){.answer = queue_control_word(c, status),
                                                  .more = !status && !cursor.end,
                                                  .after_id = cursor.mail,
                                                  .after_number = cursor.number});
}

static int send_content(const struct queue_control *c, uint64_t id)
{
    struct store_body body;
    int status = store_body(c->store, id, &body);
    if (status)
        return status;
    c->send(c->ctx, &(struct ipc_message){.type = IPC_TYPE_queue_content,
                                          .as.queue_content = {.content = body.content, .fd = body.fd}});
    if (body.fd >= 0)
        close(body.fd);
    return SP_OK;
}

static void show(const struct queue_control *c, const struct ipc_queue_show *m)
{
    struct store_cursor cursor = {.mail = m->id, .number = m->after_number, .only = true};
    int status = send_page(c, &cursor);
    if (!status && cursor.end && m->with_content)
        status = send_content(c, m->id);
    queue_control_done(c, (struct ipc_queue_done){.answer = queue_control_word(c, status),
                                                  .more = !status && !cursor.end,
                                                  .after_number = cursor.number});
}

/* --- retry and remove ----------------------------------------------------------------------- */

static void count_held(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    (void)mail;
    *(uint64_t *)ctx += r->state == STORE_HELD;
}

static int held_of(const struct queue_control *c, uint64_t id, uint64_t *held)
{
    struct store_cursor cursor = {.mail = id, .only = true};
    int status = SP_OK;
    while (!status && !cursor.end)
        status = store_list(c->store, &cursor, RETRY_PAGE, count_held, held);
    return status;
}

static void retry(const struct queue_control *c, const struct ipc_queue_retry *m)
{
    int64_t since = m->since_ms ? (int64_t)m->since_ms : c->now_ms;
    uint64_t held = 0;
    size_t n = 0;
    int status = m->id ? held_of(c, m->id, &held) : SP_OK;
    if (!status)
        status = store_begin(c->store);
    if (!status) {
        status = store_retry(c->store, m->id, c->now_ms, since, RETRY_PAGE, &n);
        if (status)
            store_rollback(c->store);
        else
            status = store_commit(c->store);
    }
    if (!status && n && c->retried)
        c->retried(c->ctx, m->id);
    queue_control_done(c, (struct ipc_queue_done){.answer = queue_control_word(c, status),
                                                  .count = status ? 0 : n,
                                                  .held = held,
                                                  .more = !status && !m->id && n == RETRY_PAGE,
                                                  .after_id = (uint64_t)since});
}

static void remove_one(const struct queue_control *c, const struct ipc_queue_remove *m)
{
    int status = store_begin(c->store);
    if (!status) {
        int removed = store_remove(c->store, m->id);
        if (removed)
            store_rollback(c->store);
        status = removed ? removed : store_commit(c->store);
    }
    if (!status && c->removed)
        c->removed(c->ctx, m->id);
    queue_control_done(c, (struct ipc_queue_done){.answer = queue_control_word(c, status), .count = !status});
}

/* --- status --------------------------------------------------------------------------------- */

static void status_of(const struct queue_control *c, const struct ipc_queue_status *m)
{
    struct ipc_queue_counters counters = {0};
    struct store_space space;
    int status = m->with_messages ? store_count(c->store, &counters.messages) : SP_OK;
    if (!status)
        status = store_space(c->store, &space);
    if (!status) {
        counters.free_octets = space.free_octets;
        if (c->count)
            c->count(c->ctx, &counters);
        c->send(c->ctx,
                &(struct ipc_message){.type = IPC_TYPE_queue_counters, .as.queue_counters = counters});
    }
    queue_control_done(c, (struct ipc_queue_done){.answer = queue_control_word(c, status)});
}

void queue_control_answer(const struct queue_control *c, const struct ipc_message *request)
{
    switch (request->type) {
    case IPC_TYPE_queue_list:
        list(c, &request->as.queue_list);
        break;
    case IPC_TYPE_queue_show:
        show(c, &request->as.queue_show);
        break;
    case IPC_TYPE_queue_retry:
        retry(c, &request->as.queue_retry);
        break;
    case IPC_TYPE_queue_remove:
        remove_one(c, &request->as.queue_remove);
        break;
    case IPC_TYPE_queue_status:
        status_of(c, &request->as.queue_status);
        break;
    case IPC_TYPE_queue_change:
        queue_control_change(c, &request->as.queue_change);
        break;
    case IPC_TYPE_queue_suspend:
        queue_control_suspend(c, &request->as.queue_suspend);
        break;
    case IPC_TYPE_queue_why:
        queue_control_why(c, &request->as.queue_why);
        break;
    case IPC_TYPE_queue_destinations:
        queue_control_destinations(c, &request->as.queue_destinations);
        break;
    case IPC_TYPE_queue_tls_list:
        queue_control_tls_list(c, &request->as.queue_tls_list);
        break;
    case IPC_TYPE_queue_tls_send:
        queue_control_tls_send(c, &request->as.queue_tls_send);
        break;
    default: /* messages.def lets a tool say nothing else to queue */
        queue_control_done(c, (struct ipc_queue_done){.answer = IPC_QUEUE_BROKEN});
    }
}
