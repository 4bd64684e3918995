/*
 * Attempts that wait for a link, and when to open one. A new attempt is tried at once whatever earlier ones
 * met; what waited when a site was dialled in vain fails together, so that one that is down is dialled once
 * per batch. A server that takes mail over some connections and refuses more is left alone for a while.
 */
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "roles/delivery/delivery.h"

#include <stdio.h>
#include <stdlib.h>

/* --- life ------------------------------------------------------------------------------------ */

static bool is_same_site(const struct delivery_site *a, const struct delivery_site *b)
{
    if (a->host_n != b->host_n || a->secure != b->secure || a->sts != b->sts ||
        a->require_tls != b->require_tls || a->plain_will_do != b->plain_will_do)
        return false;
    for (size_t i = 0; i < a->host_n; i++)
        if (a->hosts[i].preference != b->hosts[i].preference ||
            !sp_view_eq_nocase(sp_view_of(a->hosts[i].name), sp_view_of(b->hosts[i].name)))
            return false;
    return true;
}

/* "ROUTE 10 mx1.example 20 mx2.example", with what is demanded of them behind. */
static char *make_key(const struct delivery_route *route, const struct delivery_site *site)
{
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, 1 << 16);
    for (size_t i = 0; i < site->host_n && route->kind == CONFIG_ROUTE_MX; i++) {
        sp_buf_add_str(&b, i == 0 ? route->name : "");
        sp_buf_add_u8(&b, ' ');
        sp_buf_add_dec(&b, site->hosts[i].preference);
        sp_buf_add_u8(&b, ' ');
        sp_buf_add_str(&b, site->hosts[i].name);
    }
    if (b.len > 0)
        sp_buf_add_str(&b, site->require_tls     ? " REQUIRETLS"
                           : site->plain_will_do ? " TLS-Required: No"
                           : site->sts           ? " MTA-STS"
                                                 : "");
    char *key = os_text(sp_buf_view(&b));
    sp_buf_fini(&b);
    return key;
}

struct delivery_pool *delivery_pool_of(struct delivery_route *route, const struct delivery_site *site)
{
    struct delivery *d = route->delivery;
    for (struct delivery_pool *p = d->pools; p; p = p->next)
        if (!p->retired && p->route == route && is_same_site(&p->site, site))
            return p;
    struct delivery_pool *p = os_new(sizeof *p);
    *p = (struct delivery_pool){
        .next = d->pools, .delivery = d, .route = route, .site = *site, .connections = route->connections};
    p->waiting_end = &p->waiting;
    p->name = os_new(strlen(route->name) + sizeof site->hosts[0].name + 1);
    (void)sprintf(p->name, "%s %s", route->name, site->hosts[0].name); /* there is room for both */
    p->key = make_key(route, site);
    route->use_n++;
    d->pools = p;
    return p;
}

void delivery_pool_free(struct delivery_pool *p)
{
    delivery_route_release(p->route);
    free(p->name);
    free(p->key);
    free(p);
}

/* --- the line ----------------------------------------------------------------------------------- */

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
    return !p->retired && p->link_n + p->extra_n < p->connections && p->waiting_n > p->dialling_n &&
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

void delivery_pool_take(struct delivery_pool *p, struct delivery_attempt *a)
{
    a->number = ++p->taken_n;
    a->site = p->key;
    if (a->connections)
        p->connections = a->connections;
    append(p, a);
    delivery_pool_feed(p);
}

void delivery_pool_retire(struct delivery_pool *p)
{
    p->retired = true;
    for (struct delivery_link *l = p->links, *next; l; l = next) {
        next = l->next;
        if (delivery_link_is_idle(l))
            delivery_link_leave(l);
        else if (!l->was_ready)
            delivery_link_abandon(l, SP_LIT("not needed any more"));
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
