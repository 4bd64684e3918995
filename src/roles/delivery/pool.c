/*
 * Attempts that wait for a link, and when to open one. A new attempt is tried at once whatever earlier ones
 * met; what waited when a server was dialled in vain fails together, so that one that is down is dialled once
 * per batch. A server that takes mail over some connections and refuses more is left alone for a while.
 */
#include "base/view.h"
#include "os/clock.h"
#include "roles/delivery/delivery.h"

struct delivery_attempt *delivery_pool_next(struct delivery_pool *p)
{
    struct delivery_attempt *a = p->waiting;
    if (!a)
        return NULL;
    p->waiting = a->next;
    if (!p->waiting)
        p->waiting_end = &p->waiting;
    a->next = NULL;
    p->waiting_n--;
    return a;
}

static void append(struct delivery_pool *p, struct delivery_attempt *a)
{
    a->next = NULL;
    *p->waiting_end = a;
    p->waiting_end = &a->next;
    p->waiting_n++;
}

void delivery_pool_give_back(struct delivery_pool *p, struct delivery_attempt *a)
{
    a->next = p->waiting;
    if (!p->waiting)
        p->waiting_end = &a->next;
    p->waiting = a;
    p->waiting_n++;
}

static struct delivery_link *find_idle(const struct delivery_pool *p)
{
    for (struct delivery_link *l = p->links; l; l = l->next)
        if (delivery_link_is_idle(l))
            return l;
    return NULL;
}

static bool may_dial(const struct delivery_pool *p)
{
    bool works = p->link_n > p->dialling_n;
    return !p->retired && p->link_n < p->connections && p->waiting_n > p->dialling_n &&
           (!works || os_mono_ms() >= p->enough_till_ms);
}

void delivery_pool_feed(struct delivery_pool *p)
{
    struct delivery_link *idle;
    while (p->waiting && (idle = find_idle(p)))
        delivery_link_begin(idle, delivery_pool_next(p));
    while (may_dial(p))
        delivery_link_open(p);
}

void delivery_pool_settle_waiting(struct delivery_pool *p, uint64_t number, const struct delivery_outcome *o,
                                  enum ipc_health health)
{
    struct delivery_attempt *list = p->waiting;
    p->waiting = NULL;
    p->waiting_end = &p->waiting;
    p->waiting_n = 0;
    while (list) {
        struct delivery_attempt *a = list;
        list = a->next;
        if (a->number > number) {
            append(p, a);
            continue;
        }
        a->health = health;
        delivery_attempt_settle_open(a, o);
        delivery_attempt_finish(a);
    }
}

/* What a queue that died before it stored the result asks for again. */
static void settle_done(struct delivery_attempt *a)
{
    const struct delivery_outcome o = {.kind = IPC_OUTCOME_DELIVERED,
                                       .enhanced = SP_LIT("2.0.0"),
                                       .reply = SP_LIT("delivered before, when the result was lost"),
                                       .remote = ""};
    for (size_t i = 0; i < a->target_n; i++)
        if (delivery_done_has(&a->delivery->done, a->id, a->targets[i].recipient))
            delivery_attempt_settle(a, i, &o);
}

void delivery_pool_take(struct delivery_pool *p, struct delivery_attempt *a)
{
    static const struct delivery_outcome gone = {.kind = IPC_OUTCOME_DELIVERED,
                                                 .enhanced = SP_LIT_INIT("2.0.0"),
                                                 .reply = SP_LIT_INIT("discarded"),
                                                 .remote = "discard"};
    static const struct delivery_outcome held = {.kind = IPC_OUTCOME_DEFERRED,
                                                 .enhanced = SP_LIT_INIT("4.3.2"),
                                                 .reply = SP_LIT_INIT("held here"),
                                                 .remote = "hold"};
    a->number = ++p->taken_n;
    settle_done(a);
    switch (p->kind) {
    case CONFIG_ROUTE_RELAY:
        if (a->open_n > 0) {
            append(p, a);
            delivery_pool_feed(p);
            return;
        }
        break;
    case CONFIG_ROUTE_MAILDIR:
        delivery_maildir(p, a);
        break;
    case CONFIG_ROUTE_DISCARD:
        delivery_attempt_settle_open(a, &gone);
        break;
    case CONFIG_ROUTE_HOLD:
        delivery_attempt_settle_open(a, &held);
        break;
    }
    delivery_attempt_finish(a);
}

void delivery_pool_retire(struct delivery_pool *p)
{
    p->retired = true;
    for (struct delivery_link *l = p->links, *next; l; l = next) {
        next = l->next;
        if (delivery_link_is_idle(l))
            delivery_link_leave(l);
        else if (!l->was_ready)
            client_abandon(l->client, SP_LIT("not needed any more"));
    }
}

/* Its leases died with it: what waits is dropped, what is under way ends for the record of the done. */
void delivery_pool_forget_queue(struct delivery_pool *p, const struct os_edge *queue)
{
    struct delivery_attempt *list = p->waiting;
    p->waiting = NULL;
    p->waiting_end = &p->waiting;
    p->waiting_n = 0;
    while (list) {
        struct delivery_attempt *a = list;
        list = a->next;
        if (a->queue == queue)
            delivery_attempt_drop(a);
        else
            append(p, a);
    }
    for (struct delivery_link *l = p->links; l; l = l->next)
        if (l->attempt && l->attempt->queue == queue)
            l->attempt->queue = NULL;
}
