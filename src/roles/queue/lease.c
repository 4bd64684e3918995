/* Attempts, given to delivery. */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>
#include <unistd.h>

enum { LEASES_AT_ONCE = 512 }; /* given in one turn */

/* --- who may have it ------------------------------------------------------------------------ */

static bool is_delivered(const struct config_route *route)
{
    return route && route->kind != CONFIG_ROUTE_HOLD && route->kind != CONFIG_ROUTE_DISCARD;
}

/* One process keeps a site's connections; mailboxes have none, so all processes fill them. */
static struct os_edge *peer_of(const struct queue *q, const struct queue_destination *d,
                               const struct config_route *route)
{
    uint64_t number = route->kind == CONFIG_ROUTE_MAILDIR
                          ? q->last_lease
                          : sp_hash(sp_view_make(d->site->key, d->site->key_len), 0);
    return role_peer_for(q->role, IPC_DELIVERY, number);
}

void queue_dial_anew(struct queue *q, bool by_operator)
{
    struct ipc_message m = {.type = IPC_TYPE_dial_anew,
                            .as.dial_anew = {(uint64_t)q->wall_ms(), by_operator}};
    for (size_t i = 0; i < role_peer_n(q->role, IPC_DELIVERY); i++)
        (void)os_edge_send(role_peer(q->role, IPC_DELIVERY, i), &m); /* one that is gone has forgotten it */
}

static enum queue_go may_go(struct queue *q, struct queue_destination *d)
{
    const struct config_route *route = queue_route_of(q, d);
    struct queue_site *s = d->site;
    if (!is_delivered(route))
        return QUEUE_GO; /* needs no process */
    if (s->active >= queue_site_room(s, route))
        return QUEUE_REST;
    if (route->rate > 0 && s->rate_ms > q->wall_ms()) {
        queue_site_time(q, s);
        return QUEUE_REST;
    }
    struct os_edge *peer = peer_of(q, d, route);
    return peer && !os_edge_full(peer) ? QUEUE_GO : QUEUE_SKIP;
}

/* --- give ----------------------------------------------------------------------------------- */

/* The route is not one that delivers (any more): what the operator has now written there counts. */
static void settle_without_attempt(struct queue *q, struct queue_item *item, const struct config_route *route)
{
    struct sp_view name = queue_route(item);
    struct sp_buf why;
    sp_buf_init(&why, &os_heap, 4096);
    sp_buf_add_str(&why, "route \"");
    sp_buf_add(&why, name);
    sp_buf_add_str(&why, !route ? "\" is no longer in the configuration: add it again, or remove the message"
                         : route->kind == CONFIG_ROUTE_HOLD ? "\" now holds its mail"
                                                            : "\" now discards its mail");
    struct queue_outcome outcome = {.kind = !route ? IPC_OUTCOME_DEFERRED : IPC_OUTCOME_DELIVERED,
                                    .hold = route && route->kind == CONFIG_ROUTE_HOLD,
                                    .reply = sp_buf_view(&why)};
    queue_settle(q, item, &outcome, 1);
    sp_buf_fini(&why);
}

static void settle_unreadable(struct queue *q, struct queue_item *item)
{
    struct queue_outcome outcome = {.kind = IPC_OUTCOME_DEFERRED,
                                    .attempted = true,
                                    .reply =
                                        SP_LIT("the queue cannot read the message's content; see its log")};
    struct queue_id id = queue_id(item->mail.id);
    os_log(OS_WARN, "content-unreadable", OS_STR("id", id.text), OS_STR("error", store_error(q->store)));
    queue_settle(q, item, &outcome, 1);
}

static int send_attempt(struct queue *q, struct queue_item *item, const struct config_route *route,
                        struct os_edge *peer, const struct store_body *body)
{
    struct sp_buf targets, made;
    struct sp_view sender = queue_sender(q, &item->mail, item->away, &made);
    sp_buf_init(&targets, &os_heap, IPC_PAYLOAD_MAX);
    for (const struct queue_target *t = item->targets; t; t = t->next)
        (void)ipc_add_target(&targets, /* os_heap never says no */
                             &(struct ipc_target){.recipient = t->number,
                                                  .address = queue_address(t),
                                                  .parameters = t->parameters});
    struct ipc_message m = {
        .type = IPC_TYPE_attempt,
        .as.attempt = {.lease = item->lease,
                       .id = item->mail.id,
                       .sender = sender,
                       .route = queue_route(item),
                       .destination = item->destination->domain,
                       .connections = item->destination->site->connections < route->connections
                                          ? item->destination->site->connections
                                          : route->connections,
                       .parameters = item->mail.parameters,
                       .targets = sp_buf_view(&targets),
                       .size = item->mail.size,
                       .content = body->content,
                       .fd = body->fd}};
    int status = os_edge_send(peer, &m);
    sp_buf_fini(&targets);
    sp_buf_fini(&made);
    return status;
}

/* false: it went back into the window, and so would the next. */
static bool give(struct queue *q, struct queue_item *item, const struct config_route *route)
{
    struct queue_destination *d = item->destination;
    struct os_edge *peer = peer_of(q, d, route);
    struct store_body body;
    int status = store_body(q->store, item->mail.id, &body);
    if (status == SP_ERR_ABSENT) {
        queue_item_free(q, item, STORE_NEVER); /* removed by a tool */
        return true;
    }
    if (status) {
        settle_unreadable(q, item);
        return true;
    }
    item->lease = ++q->last_lease;
    item->peer = os_edge_peer_index(peer);
    status = send_attempt(q, item, route, peer, &body);
    if (body.fd >= 0)
        close(body.fd);
    if (status) {
        item->lease = 0;
        queue_window_put(q, item);
        return false;
    }
    d->active++;
    queue_site_count(d->site, route, q->wall_ms());
    q->window.active += item->target_n;
    item->lease_next = sp_table_get(&q->under_way, queue_key(&item->mail.id));
    int put = sp_table_put(&q->leases, queue_key(&item->lease), item);
    put = put ? put : sp_table_put(&q->under_way, queue_key(&item->mail.id), item);
    (void)put; /* os_heap never says no */
    return true;
}

void queue_lease(struct queue *q)
{
    if (q->stopping)
        return;
    for (size_t n = 0; q->leases.n < q->role->config->queue.attempts; n++) {
        if (n == LEASES_AT_ONCE) {
            os_later_ask(&q->turn);
            return;
        }
        struct queue_item *item = queue_window_next(q, may_go);
        if (!item)
            return;
        const struct config_route *route = queue_route_of(q, item->destination);
        if (!is_delivered(route))
            settle_without_attempt(q, item, route);
        else if (!give(q, item, route))
            return;
    }
}
