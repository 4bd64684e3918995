/*
 * From the hosts of a pool to a connection that takes mail: the hosts of one preference after those of the
 * other, equal ones in random order, until one stands or none is left.
 *
 * An address that could not be reached lately is left out while there are others, so that a dead host costs
 * the mail of its neighbours nothing.
 */
#include "roles/delivery/dial.h"
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum {
    LOOKUP_MS = 30000,
    LOOKUP_ONE_OF_MS = 5000, /* while there are other hosts */
    TEXT_MAX = 2000,
    TLSA_OCTETS_MAX = 65536
};

/* --- a host ----------------------------------------------------------------------------------------- */

static void take_addresses(void *ctx, const struct dns_addresses *found)
{
    struct delivery_dial_host *h = ctx;
    h->query = NULL;
    h->addresses = *found;
    h->addresses.why = "";
    if (found->verdict == DNS_FOUND) {
        delivery_dial_find_policy(h);
        return;
    }
    delivery_dial_note_host(h, dns_is_final(found->verdict) ? "4.4.4" : "4.4.3",
                            dns_verdict_text(found->verdict), found->why);
    delivery_dial_host_known(h);
}

static struct delivery_dial_host *host_new(struct delivery_link *l, const struct delivery_host *host)
{
    const struct delivery_pool *p = l->pool;
    struct delivery_dial_host *h = os_new(sizeof *h);
    *h = (struct delivery_dial_host){.link = l, .host = host};
    sp_buf_init(&h->tlsa_data, &os_heap, TLSA_OCTETS_MAX);
    sp_buf_init(&h->tlsa_text, &os_heap, TLSA_OCTETS_MAX);
    h->query = dns_addresses(p->delivery->dns, sp_view_of(host->name), p->route->port,
                             p->site.host_n > 1 ? LOOKUP_ONE_OF_MS : LOOKUP_MS, take_addresses, h);
    return h;
}

static void host_free(struct delivery_dial_host *h)
{
    if (!h)
        return;
    if (h->query)
        dns_query_cancel(h->query);
    if (h->lookup)
        dns_lookup_cancel(h->lookup);
    sp_buf_fini(&h->tlsa_data);
    sp_buf_fini(&h->tlsa_text);
    free(h);
}

/* --- hosts of one preference -------------------------------------------------------------------------- */

static unsigned preference_at(const struct delivery_link *l, size_t at)
{
    return l->pool->site.hosts[l->dial.order[at]].preference;
}

/* Where the hosts of the preference at hand begin: they end at order_at. */
static size_t first_of_preference(const struct delivery_link *l)
{
    size_t first = l->dial.order_at - 1;
    while (first > 0 && preference_at(l, first - 1) == preference_at(l, first))
        first--;
    return first;
}

void delivery_dial_host_known(struct delivery_dial_host *h)
{
    struct delivery_link *l = h->link;
    struct delivery_dial *dial = &l->dial;
    if (--dial->open_n > 0)
        return;
    size_t first = first_of_preference(l), host_n = dial->order_at - first;
    free(dial->places);
    dial->places = os_new(host_n * DNS_ADDRESSES_MAX * sizeof *dial->places);
    dial->place_n = delivery_dial_order(&dial->hosts[first], host_n, dial->places);
    for (size_t i = 0; i < dial->place_n; i++)
        dial->places[i].host = (uint8_t)(dial->places[i].host + first);
    dial->untried_n = dial->place_n;
    delivery_race_go_on(l);
}

static void ask_hosts(struct delivery_link *l)
{
    struct delivery_dial *dial = &l->dial;
    size_t first = dial->order_at;
    do {
        dial->hosts[dial->order_at] = host_new(l, &l->pool->site.hosts[dial->order[dial->order_at]]);
        dial->open_n++;
        dial->order_at++;
    } while (dial->order_at < dial->order_n && preference_at(l, dial->order_at) == preference_at(l, first));
}

void delivery_dial_next_hosts(struct delivery_link *l)
{
    struct delivery_dial *dial = &l->dial;
    bool any = dial->order_at < dial->order_n && !l->abandoned;
    if (any && l->pool->route->socket) {
        dial->order_at = dial->order_n;
        delivery_race_dial_socket(l);
    } else if (any && dial->tried_n < DELIVERY_TRIED_MAX) {
        ask_hosts(l);
    } else if (dial->spare_host && dial->tried_n == 0 && !l->abandoned && !l->avoided) {
        delivery_race_dial_spare(l);
    } else {
        delivery_link_failed(l);
    }
}

/* --- begin and end ----------------------------------------------------------------------------------- */

/* Those of equal preference in random order (RFC 5321 5.1). */
static void shuffle(struct delivery_link *l)
{
    struct delivery_dial *dial = &l->dial;
    uint8_t random[DELIVERY_HOSTS_MAX];
    os_random(random, sizeof random);
    for (size_t host = 0; host < l->pool->site.host_n; host++) {
        if (l->avoided >> host & 1)
            continue;
        size_t last = dial->order_n++, first = last;
        dial->order[last] = (uint8_t)host;
        while (first > 0 && preference_at(l, first - 1) == preference_at(l, last))
            first--;
        size_t other = first + random[host] % (last - first + 1);
        dial->order[last] = dial->order[other];
        dial->order[other] = (uint8_t)host;
    }
}

static void take_turn(void *ctx) { delivery_race_go_on(ctx); }

void delivery_dial_begin(struct delivery_link *l)
{
    sp_buf_init(&l->dial.failure_text, &os_heap, TEXT_MAX + 100);
    os_timer_init(&l->dial.turn, l->pool->delivery->role->base, take_turn, l);
    shuffle(l);
    delivery_dial_next_hosts(l);
}

static void forget_hosts(struct delivery_dial *dial, const struct delivery_dial_host *kept)
{
    for (size_t i = 0; i < dial->order_at; i++) {
        if (dial->hosts[i] == kept)
            continue;
        host_free(dial->hosts[i]);
        dial->hosts[i] = NULL;
    }
    free(dial->places);
    dial->places = NULL;
    dial->place_n = dial->untried_n = 0;
}

void delivery_dial_done(struct delivery_link *l)
{
    struct delivery_dial *dial = &l->dial;
    delivery_dial_forgive(dial->winner);
    dial->winner->place = NULL;
    dial->spare_host = NULL;
    forget_hosts(dial, dial->winner->host);
}

void delivery_dial_end(struct delivery_dial *dial)
{
    delivery_race_end(dial);
    forget_hosts(dial, NULL);
    os_timer_fini(&dial->turn);
    sp_buf_fini(&dial->failure_text);
}
