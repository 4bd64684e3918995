/*
 * Attempts that wait for a link, and when to open one. A new attempt is tried at once whatever earlier ones
 * met; what waited when a site was dialled in vain fails together, so that one that is down is dialled once
 * per batch. A server that takes mail over some connections and refuses more is left alone for a while.
 */
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "roles/delivery/dial.h"

#include <stdio.h>
#include <stdlib.h>

/* --- life ------------------------------------------------------------------------------------ */

/* What makes two sites of a route the same, as octets: a table finds one among a hundred thousand. */
static void site_key(const struct delivery_route *route, const struct delivery_site *site, struct sp_buf *key)
{
    const bool facts[] = {site->secure, site->sts, site->require_tls, site->plain_will_do};
    sp_buf_init(key, &os_heap, SIZE_MAX / 2);
    (void)sp_buf_add(key, sp_view_make(&route, sizeof route)); /* os_heap never says no */
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        sp_buf_add_u8(key, facts[i]);
    for (size_t i = 0; i < site->host_n; i++) {
        sp_buf_add_dec(key, site->hosts[i].preference);
        sp_buf_add_u8(key, ' ');
        for (const char *c = site->hosts[i].name; *c; c++)
            sp_buf_add_u8(key, sp_ascii_lower((uint8_t)*c));
        sp_buf_add_u8(key, ' ');
    }
}

/* No attempt finds it any more. */
static void hide(const struct delivery_pool *p)
{
    struct sp_buf key;
    site_key(p->route, &p->site, &key);
    if (sp_table_get(&p->delivery->pools_by_site, sp_buf_view(&key)) == p)
        (void)sp_table_take(&p->delivery->pools_by_site, sp_buf_view(&key)); /* it is p */
    sp_buf_fini(&key);
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

static struct delivery_pool *pool_new(struct delivery_route *route, const struct delivery_site *site)
{
    struct delivery *d = route->delivery;
    struct delivery_pool *p = os_new(sizeof *p);
    *p = (struct delivery_pool){
        .next = d->pools, .delivery = d, .route = route, .site = *site, .connections = route->connections};
    p->waiting_end = &p->waiting;
    p->detours_end = &p->detours;
    p->name = os_new(strlen(route->name) + sizeof site->hosts[0].name + 1);
    (void)sprintf(p->name, "%s %s", route->name, site->hosts[0].name); /* there is room for both */
    p->key = make_key(route, site);
    route->use_n++;
    p->here = &d->pools;
    if (p->next)
        p->next->here = &p->next;
    d->pools = p;
    return p;
}

struct delivery_pool *delivery_pool_of(struct delivery_route *route, const struct delivery_site *site)
{
    struct sp_table *pools = &route->delivery->pools_by_site;
    struct sp_buf key;
    site_key(route, site, &key);
    struct delivery_pool *p = sp_table_get(pools, sp_buf_view(&key));
    if (!p) {
        p = pool_new(route, site);
        int put = sp_table_put(pools, sp_buf_view(&key), p);
        (void)put; /* os_heap never says no */
    }
    sp_buf_fini(&key);
    return p;
}

static bool is_needed(const struct delivery_pool *p) { return p->link_n > 0 || p->waiting || p->detours; }

void delivery_pool_may_go(struct delivery_pool *p)
{
    struct delivery *d = p->delivery;
    if (is_needed(p) || p->is_idle)
        return;
    p->is_idle = true;
    p->next_idle = d->idle_pools;
    d->idle_pools = p;
}

static void pool_free(struct delivery_pool *p)
{
    *p->here = p->next;
    if (p->next)
        p->next->here = p->here;
    hide(p);
    delivery_route_release(p->route);
    free(p->name);
    free(p->key);
    free(p);
}

void delivery_pool_bury(struct delivery *d)
{
    struct delivery_pool *p;
    while ((p = d->idle_pools)) {
        d->idle_pools = p->next_idle;
        p->is_idle = false;
        if (!is_needed(p))
            pool_free(p);
    }
}

/* --- the line ----------------------------------------------------------------------------------- */

static struct delivery_attempt *take_first(struct delivery_attempt **first, struct delivery_attempt ***end)
{
    struct delivery_attempt *a = *first;
    if (!a)
        return NULL;
    *first = a->next;
    if (!*first)
        *end = first;
    a->next = NULL;
    return a;
}

static struct delivery_attempt *take_waiting(struct delivery_pool *p)
{
    struct delivery_attempt *a = take_first(&p->waiting, &p->waiting_end);
    p->waiting_n -= a != NULL;
    return a;
}

static struct delivery_attempt *take_fitting_detour(struct delivery_pool *p, const struct delivery_link *l)
{
    for (struct delivery_attempt **at = &p->detours; *at; at = &(*at)->next)
        if (delivery_detour_fits(l, *at)) {
            bool last = !(*at)->next;
            struct delivery_attempt *a = take_first(at, &p->detours_end);
            if (last)
                p->detours_end = at;
            return a;
        }
    return NULL;
}

struct delivery_attempt *delivery_pool_next(struct delivery_pool *p, const struct delivery_link *l)
{
    struct delivery_attempt *a = take_fitting_detour(p, l);
    return a || l->avoided ? a : take_waiting(p);
}

struct delivery_attempt *delivery_pool_take_back(struct delivery_pool *p)
{
    struct delivery_attempt *a = take_first(&p->detours, &p->detours_end);
    return a ? a : take_waiting(p);
}

static void append(struct delivery_pool *p, struct delivery_attempt *a)
{
    a->next = NULL;
    *p->waiting_end = a;
    p->waiting_end = &a->next;
    p->waiting_n++;
}

static void append_detour(struct delivery_pool *p, struct delivery_attempt *a)
{
    a->next = NULL;
    *p->detours_end = a;
    p->detours_end = &a->next;
}

void delivery_pool_give_back(struct delivery_pool *p, struct delivery_attempt *a)
{
    if (!a->queue) {
        delivery_attempt_drop(a);
    } else if (p->retired) {
        delivery_anew(p->delivery, a);
    } else if (a->seen) {
        append_detour(p, a);
    } else {
        a->next = p->waiting;
        if (!p->waiting)
            p->waiting_end = &a->next;
        p->waiting = a;
        p->waiting_n++;
    }
}

static bool has_room(const struct delivery_pool *p)
{
    return !p->retired && p->link_n + p->extra_n < p->connections;
}

static bool may_dial(const struct delivery_pool *p)
{
    bool works = p->link_n > p->dialling_n;
    return has_room(p) && p->waiting_n > p->dialling_n - p->dialling_detour_n &&
           (!works || os_mono_ms() >= p->enough_till_ms);
}

/* Its connections are all at hosts that have seen the mail. */
bool delivery_pool_needs_room(const struct delivery_pool *p)
{
    return p->detours && !has_room(p) && p->detour_link_n == 0 && !p->making_room;
}

static void feed_idle(struct delivery_pool *p)
{
    struct delivery_attempt *a;
    for (struct delivery_link *l = p->links, *next; l; l = next) {
        next = l->next;
        if (!delivery_link_is_idle(l))
            continue;
        if ((a = delivery_pool_next(p, l))) {
            delivery_link_begin(l, a);
        } else if (delivery_pool_needs_room(p)) {
            p->making_room = true;
            delivery_link_leave(l);
        }
    }
}

void delivery_pool_feed(struct delivery_pool *p)
{
    feed_idle(p);
    while (p->detours && has_room(p))
        delivery_link_open(p, take_first(&p->detours, &p->detours_end));
    while (may_dial(p))
        delivery_link_open(p, NULL);
}

void delivery_pool_detour(struct delivery_pool *p, struct delivery_attempt *a)
{
    append_detour(p, a);
    delivery_pool_feed(p);
}

static struct delivery_attempt *take_all(struct delivery_attempt **first, struct delivery_attempt ***end)
{
    struct delivery_attempt *list = *first;
    *first = NULL;
    *end = first;
    return list;
}

static struct delivery_attempt *take_all_waiting(struct delivery_pool *p)
{
    p->waiting_n = 0;
    return take_all(&p->waiting, &p->waiting_end);
}

void delivery_pool_settle_waiting(struct delivery_pool *p, const struct delivery_link *failed)
{
    struct delivery_attempt *list = take_all_waiting(p), *a;
    while ((a = list)) {
        list = a->next;
        if (a->number > failed->born) {
            append(p, a);
            continue;
        }
        a->health = delivery_dial_health(&failed->dial);
        delivery_talk_tell(failed, a);
        delivery_attempt_settle_open(a, &failed->dial.failure);
        delivery_attempt_finish(a);
    }
}

static void settle_list(struct delivery_attempt *list, const struct delivery_outcome *o)
{
    for (struct delivery_attempt *a = list, *next; a; a = next) {
        next = a->next;
        delivery_attempt_settle_open(a, o);
        delivery_attempt_finish(a);
    }
}

void delivery_pool_settle_all(struct delivery_pool *p, const struct delivery_outcome *o)
{
    settle_list(take_all(&p->detours, &p->detours_end), o);
    settle_list(take_all_waiting(p), o);
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
    hide(p);
    for (struct delivery_link *l = p->links, *next; l; l = next) {
        next = l->next;
        if (delivery_link_is_idle(l))
            delivery_link_leave(l);
        else if (!l->was_ready)
            delivery_link_abandon(l, SP_LIT("not needed any more"));
    }
    delivery_pool_may_go(p);
}

/* Its leases died with it: what waits is dropped, what is under way ends for the record of the done. */
void delivery_pool_forget_queue(struct delivery_pool *p, const struct os_edge *queue)
{
    struct delivery_attempt *lists[] = {take_all_waiting(p), take_all(&p->detours, &p->detours_end)}, *a;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        while ((a = lists[i])) {
            lists[i] = a->next;
            if (a->queue == queue)
                delivery_attempt_drop(a);
            else if (a->seen)
                append_detour(p, a);
            else
                append(p, a);
        }
    for (struct delivery_link *l = p->links; l; l = l->next)
        if (l->attempt && l->attempt->queue == queue)
            l->attempt->queue = NULL;
    delivery_pool_may_go(p);
}
