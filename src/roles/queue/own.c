/* Messages of our own, reports: where they go, which is where any mail to that address would, and their way
 * in. */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"

#include <stdlib.h>

/* --- where it goes -------------------------------------------------------------------------- */

struct finding {
    struct queue_way *way;
    struct sp_view said;
};

/* What is discarded needs no message. */
static void take(void *ctx, struct sp_view address, const struct config_route *route)
{
    static const struct sp_rcpt_parameters never = {.notify = SP_NOTIFY_NEVER};
    struct finding *f = ctx;
    f->way->found = true;
    if (route->kind == CONFIG_ROUTE_DISCARD)
        return;
    int status = recipients_add(&f->way->to, f->said, address, route->name, &never);
    (void)status; /* os_heap never says no; one alias more than the list holds is left out */
}

void queue_find_way(struct queue *q, struct sp_view address, struct queue_way *w)
{
    struct finding f = {w, address};
    uint64_t seed;
    size_t at = address.len; /* no domain holds an @, quoted local parts may */
    while (at > 0 && address.p[at - 1] != '@')
        at--;
    os_random(&seed, sizeof seed);
    *w = (struct queue_way){.said = address};
    recipients_init(&w->to, &os_heap, seed);
    if (at == 0)
        return;
    enum addresses_answer answer =
        addresses_resolve(q->role->addresses, q->role->config, sp_view_sub(address, 0, at - 1),
                          sp_view_from(address, at), address, (struct sp_view){0}, take, &f);
    const struct config_route *away =
        answer == ADDRESSES_FOREIGN ? config_route_for(q->role->config, (struct sp_view){0}, address) : NULL;
    if (away)
        take(&f, address, away);
    w->nobody = answer == ADDRESSES_UNKNOWN || answer == ADDRESSES_FORGED || answer == ADDRESSES_EXPIRED ||
                (w->found && w->to.n == 0);
}

void queue_way_fini(struct queue_way *w) { recipients_fini(&w->to); }

/* --- into the store ------------------------------------------------------------------------- */

static struct store_recipient recipient_of(struct queue *q, const struct ipc_recipient *r, uint32_t number,
                                           const struct store_mail *mail)
{
    const struct config_route *route = config_find_route(q->role->config, r->route);
    bool held = !route || route->kind == CONFIG_ROUTE_HOLD;
    return (struct store_recipient){.number = number,
                                    .address = r->address,
                                    .route = r->route,
                                    .parameters = r->parameters,
                                    .state = held ? STORE_HELD : STORE_QUEUED,
                                    .next_ms = mail->received_ms};
}

/* One recipient goes to memory at once, where there is room. */
static int add_one(struct queue *q, const struct store_mail *mail, struct store_recipient *to,
                   struct sp_view content, struct queue_item **item_out)
{
    struct queue_destination *d =
        to->state == STORE_HELD ? NULL : queue_destination_of(q, to->route, to->address);
    if (d && queue_window_is_crowded(q, d, mail->parameters.priority)) {
        to->parked = d->name;
        d->parked = true;
    }
    bool leased = d && !d->parked && queue_window_has_room(q, 1);
    int status = store_add(q->store, mail, to, 1, &content, leased);
    if (d && (status || !leased))
        queue_destination_drop(q, d);
    if (status || !leased)
        return status;
    struct queue_item *item = queue_item_new(mail, true);
    queue_item_add(item, to);
    queue_item_aim(item, d);
    *item_out = item;
    return SP_OK;
}

int queue_add_own(struct queue *q, const struct queue_way *way, const struct store_mail *mail,
                  struct sp_view content, struct queue_item **item_out)
{
    struct store_recipient *to = os_new((way->to.n + 1) * sizeof *to);
    struct sp_view rest = sp_buf_view(&way->to.list);
    uint32_t n = 0;
    int status;
    for (struct ipc_recipient r; ipc_next_recipient(&rest, &r); n++)
        to[n] = recipient_of(q, &r, n, mail);
    if (n == 0) {
        to[n++] = (struct store_recipient){.address = way->said,
                                           .route = SP_LIT("hold"),
                                           .parameters = {.notify = SP_NOTIFY_NEVER},
                                           .state = STORE_HELD,
                                           .next_ms = mail->received_ms,
                                           .reply = SP_LIT("no route leads to this domain")};
    }
    if (n == 1) {
        status = add_one(q, mail, to, content, item_out);
    } else {
        status = store_add(q->store, mail, to, n, &content, false);
        q->window.next_ms = 0; /* they are due in the store */
    }
    free(to);
    queue_watch_wake(q);
    return status;
}
