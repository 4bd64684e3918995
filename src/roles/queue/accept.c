/* The way in. Nothing is said to be stored before it is. */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

struct acceptance {
    struct queue_entry entry; /* first: the batch gives it back                       */
    struct os_edge *from;     /* lives until the batch ends: see queue_peer_gone      */
    uint64_t tag;
    struct store_mail mail;   /* views are into text                                  */
    struct queue_item *items; /* by next: go into the window                          */
    size_t held, discarded, recipients;
    bool refused; /* this message alone, for this reason                  */
    enum ipc_submit_why why;
    struct sp_buf text;
};

static struct sp_view keep(struct sp_buf *text, struct sp_view v)
{
    size_t at = text->len;
    (void)sp_buf_add(text, v); /* reserved before: the buffer does not move */
    return sp_view_make(text->p + at, v.len);
}

static struct acceptance *acceptance_new(struct os_edge *from, const struct ipc_submit *m)
{
    struct acceptance *a = os_new(sizeof *a);
    a->from = from;
    a->tag = m->tag;
    sp_buf_init(&a->text, &os_heap, SIZE_MAX / 2);
    size_t octets = m->session.len + m->client.len + m->user.len + m->sender.len + m->parameters.envid.len +
                    m->parameters.auth.len;
    (void)sp_buf_reserve(&a->text, octets + 1); /* os_heap never says no */
    a->mail = (struct store_mail){.id = m->id,
                                  .received_ms = (int64_t)m->received_ms,
                                  .session = keep(&a->text, m->session),
                                  .client = keep(&a->text, m->client),
                                  .user = keep(&a->text, m->user),
                                  .sender = keep(&a->text, m->sender),
                                  .stranger = m->stranger != 0,
                                  .size = m->size,
                                  .parameters = m->parameters};
    a->mail.parameters.envid = keep(&a->text, m->parameters.envid);
    a->mail.parameters.auth = keep(&a->text, m->parameters.auth);
    return a;
}

static void acceptance_free(struct acceptance *a)
{
    sp_buf_fini(&a->text);
    free(a);
}

static void log_stored(const struct acceptance *a)
{
    struct queue_id id = queue_id(a->mail.id);
    os_log(OS_INFO, "mail-stored", OS_STR("id", id.text), OS_VIEW("session", a->mail.session),
           OS_VIEW("client", a->mail.client), OS_VIEW("user", a->mail.user),
           OS_VIEW("sender", a->mail.sender.len ? a->mail.sender : SP_LIT("<>")),
           OS_NUM("size", a->mail.size), OS_NUM("recipients", a->recipients));
    if (a->held)
        os_log(OS_INFO, "mail-held", OS_STR("id", id.text), OS_VIEW("session", a->mail.session),
               OS_NUM("recipients", a->held));
    if (a->discarded)
        os_log(OS_INFO, "mail-discarded", OS_STR("id", id.text), OS_VIEW("session", a->mail.session),
               OS_NUM("recipients", a->discarded));
}

static void answer(const struct acceptance *a, bool ok, enum ipc_submit_why why)
{
    struct ipc_message m = {.type = IPC_TYPE_submit_yes, .as.submit_yes = {.tag = a->tag}};
    if (!ok)
        m = (struct ipc_message){.type = IPC_TYPE_submit_no,
                                 .as.submit_no = {.tag = a->tag, .why = (uint8_t)why}};
    (void)os_edge_send(a->from, &m); /* a peer that is gone needs no answer */
}

static void accepted(struct queue *q, struct queue_entry *entry, bool ok, enum ipc_submit_why why)
{
    struct acceptance *a = (struct acceptance *)entry;
    bool yes = ok && !a->refused;
    answer(a, yes, ok ? a->why : why);
    if (yes) {
        q->counters.accepted++;
        log_stored(a);
        if (!a->items && a->held + a->discarded < a->recipients)
            q->window.next_ms = 0; /* it waits in the store */
    }
    while (a->items) {
        struct queue_item *item = a->items;
        a->items = item->next;
        item->next = NULL;
        if (yes)
            queue_window_put(q, item);
        else
            queue_item_free(q, item, STORE_NEVER);
    }
    acceptance_free(a);
}

/* At once, or when its sender wants it sent (RFC 4865). */
static int64_t due_of(const struct store_mail *mail)
{
    int64_t held_ms = mail->parameters.hold_until_ms;
    return held_ms > mail->received_ms ? held_ms : mail->received_ms;
}

/* What the recipients' routes mean now. Returns how many are to be stored. */
static size_t sort_recipients(struct queue *q, struct acceptance *a, struct sp_view list,
                              struct store_recipient *to)
{
    size_t n = 0;
    uint32_t number = 0;
    int64_t due_ms = due_of(&a->mail);
    for (struct ipc_recipient r; ipc_next_recipient(&list, &r); number++) {
        const struct config_route *route = config_find_route(q->role->config, r.route);
        enum config_route_kind kind =
            route ? route->kind : CONFIG_ROUTE_RELAY; /* its absence is met at the lease */
        a->recipients++;
        a->held += kind == CONFIG_ROUTE_HOLD;
        a->discarded += kind == CONFIG_ROUTE_DISCARD;
        if (kind == CONFIG_ROUTE_DISCARD)
            continue;
        to[n++] = (struct store_recipient){.number = number,
                                           .address = r.address,
                                           .route = r.route,
                                           .state = kind == CONFIG_ROUTE_HOLD ? STORE_HELD : STORE_QUEUED,
                                           .next_ms = due_ms,
                                           .forwarded = r.forwarded,
                                           .parameters = r.parameters};
    }
    return n;
}

/* What its destination cannot take now waits in the store from the start. */
static void park_crowded(struct queue *q, const struct store_mail *mail, struct store_recipient *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!store_state_waits(to[i].state))
            continue;
        struct queue_destination *d = queue_destination_of(q, to[i].route, to[i].address);
        if (queue_window_is_crowded(q, d, mail->parameters.priority)) {
            d->parked = true;
            to[i].parked = d->name; /* which parked keeps */
        } else {
            queue_destination_drop(q, d);
        }
    }
}

static void make_items(struct queue *q, struct acceptance *a, const struct store_recipient *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!store_state_waits(to[i].state) || to[i].parked.len)
            continue;
        struct queue_destination *d = queue_destination_of(q, to[i].route, to[i].address);
        struct queue_item *item = a->items;
        while (item && !queue_item_fits(q, item, d, &to[i]))
            item = item->next;
        if (!item) {
            item = queue_item_new(&a->mail, true);
            queue_item_aim(item, d);
            item->away = queue_is_away(q, &to[i]);
            item->next = a->items;
            a->items = item;
        }
        queue_item_add(item, &to[i]);
    }
}

static int store_message(struct queue *q, struct acceptance *a, const struct ipc_submit *m)
{
    size_t most = m->recipients.len / 14; /* two octets and three lengths of four octets at least */
    struct store_recipient *to = os_new((most + 1) * sizeof *to);
    size_t n = sort_recipients(q, a, m->recipients, to);
    bool leased = due_of(&a->mail) <= a->mail.received_ms && queue_window_has_room(q, n);
    int status = SP_OK;
    if (leased)
        park_crowded(q, &a->mail, to, n);
    if (n)
        status = store_add(q->store, &a->mail, to, n, m->spooled ? NULL : &m->content, leased);
    if (!status && leased)
        make_items(q, a, to, n);
    queue_watch_wake(q);
    if (m->spooled && (status || !n))
        store_unspool(q->store, m->id);
    free(to);
    return status;
}

void queue_take_submit(struct queue *q, struct os_edge *from, const struct ipc_submit *m)
{
    struct acceptance *a = acceptance_new(from, m);
    bool owned = m->spooled && queue_forget_spool(q, m->id, queue_bringer_of(from));
    enum ipc_submit_why why = IPC_SUBMIT_BROKEN;
    bool refused = (m->spooled && !owned) || m->recipients.len == 0;
    if (!refused && !queue_batch_open(q)) {
        refused = true;
        why = queue_batch_why(q);
    }
    const struct store_space *space = &q->batch.space;
    if (!refused && queue_is_low(q, space->free_octets + (m->spooled ? 0 : space->reusable_octets))) {
        refused = true;
        why = IPC_SUBMIT_DISK_FULL;
    }
    if (refused) {
        if (owned)
            store_unspool(q->store, m->id);
        answer(a, false, why);
        acceptance_free(a);
        return;
    }
    int status = store_message(q, a, m);
    a->entry.done = accepted;
    a->refused = status != SP_OK;
    a->why = status == SP_ERR_EXISTS ? IPC_SUBMIT_EXISTS : IPC_SUBMIT_BROKEN;
    queue_batch_add(q, &a->entry, m->content.len);
    if (status == SP_ERR_IO)
        queue_batch_fail(q);
}
