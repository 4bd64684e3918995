/*
 * The race for a connection (RFC 8305, "Happy Eyeballs"): an address that does not answer costs a moment, not
 * its whole timeout. A race is for the connection alone: what comes over it (greeting, TLS, login) is judged
 * of the winner, and when that comes to nothing the race goes on among the others.
 *
 * A link is one connection of its pool whatever it takes to get it; what its race has under way beyond one is
 * counted too, and bounded for the pool and for the process.
 */
#include "os/heap.h"
#include "os/log.h"
#include "roles/delivery/dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TURN_MS = 250,            /* until the next address joins: RFC 8305 5, "Connection Attempt Delay"      */
    RACERS_MAX = 4,           /* of one link at once: two hosts in two families; more would be a burst of
                                 half-open connections at every destination that is down                    */
    EXTRA_MAX = 256,          /* beyond one for each link, in this process: descriptors are for mail       */
    CONNECT_MS = 30000,       /* while no other address waits for it                                       */
    CONNECT_ONE_OF_MS = 5000, /* else: long enough for two more SYNs, which leave after 1 and 3 seconds    */
};

/* --- racers ------------------------------------------------------------------------------------------- */

static void count_extra(struct delivery_link *l, size_t before)
{
    size_t after = l->dial.racer_n, extra_before = before > 1 ? before - 1 : 0;
    size_t extra_after = after > 1 ? after - 1 : 0;
    l->pool->extra_n += extra_after - extra_before;
    l->pool->delivery->extra_n += extra_after - extra_before;
}

static void racer_free(struct delivery_racer *r)
{
    struct delivery_link *l = r->link;
    struct delivery_racer **at = &l->dial.racers;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    l->dial.racer_n--;
    count_extra(l, l->dial.racer_n + 1);
    if (l->dial.winner == r) {
        l->dial.winner = NULL;
        l->client = NULL;
    }
    client_free(r->client);
    free(r);
}

static struct delivery_racer *racer_new(struct delivery_link *l)
{
    struct delivery_racer *r = os_new(sizeof *r);
    *r = (struct delivery_racer){.link = l, .next = l->dial.racers, .options = l->pool->route->options};
    l->dial.racers = r;
    l->dial.racer_n++;
    count_extra(l, l->dial.racer_n - 1);
    return r;
}

static void start(struct delivery_racer *r)
{
    struct delivery_link *l = r->link;
    struct delivery *d = l->pool->delivery;
    l->dial.tried_n++;
    r->client = client_new(d->role->base, d->dns, &r->options, &delivery_link_handlers, r);
    if (!r->client)
        os_panic("delivery-hello", "the host name %s cannot stand in EHLO", l->pool->route->hello);
}

void delivery_race_dial_socket(struct delivery_link *l)
{
    struct delivery_racer *r = racer_new(l);
    r->options.path = l->pool->route->socket;
    start(r);
}

static void dial_address(struct delivery_link *l, struct delivery_dial_host *h, uint8_t address, uint32_t ms,
                         struct delivery_place *place)
{
    struct delivery_racer *r = racer_new(l);
    r->host = h;
    r->place = place;
    r->one = (struct dns_addresses){
        .verdict = DNS_FOUND, .why = "", .addresses = {h->addresses.addresses[address]}, .n = 1};
    r->options.host = h->host->name;
    r->options.addresses = &r->one;
    r->options.connect_ms = ms;
    (void)delivery_dial_set_tls(h, &r->options); /* asked before: it can be had */
    start(r);
}

void delivery_race_dial_spare(struct delivery_link *l)
{
    dial_address(l, l->dial.spare_host, l->dial.spare_address, CONNECT_MS, NULL);
}

/* --- turns -------------------------------------------------------------------------------------------- */

static struct delivery_place *next_place(struct delivery_dial *dial)
{
    for (size_t i = 0; i < dial->place_n && dial->tried_n < DELIVERY_TRIED_MAX; i++) {
        struct delivery_place *at = &dial->places[i];
        if (at->tried)
            continue;
        if (!delivery_dial_leave_alone(dial->hosts[at->host], at->address))
            return at;
        at->tried = true;
        dial->untried_n--;
    }
    return NULL;
}

/* One beside those that are under way? The first of a link always may. */
static bool may_join(const struct delivery_link *l)
{
    const struct delivery_pool *p = l->pool;
    return l->dial.racer_n == 0 || (l->dial.racer_n < RACERS_MAX && p->delivery->extra_n < EXTRA_MAX &&
                                    p->link_n + p->extra_n < (size_t)p->connections + RACERS_MAX - 1);
}

/* Patience costs nothing where nobody else waits for the place, and gains little once another has answered.
 */
static uint32_t patience(const struct delivery_dial *dial)
{
    bool last = dial->order_at == dial->order_n && dial->untried_n + dial->racer_n <= RACERS_MAX;
    return last && !delivery_dial_was_answered(dial) ? CONNECT_MS : CONNECT_ONE_OF_MS;
}

void delivery_race_go_on(struct delivery_link *l)
{
    struct delivery_dial *dial = &l->dial;
    if (dial->winner || !may_join(l))
        return;
    struct delivery_place *at = next_place(dial);
    if (at) {
        uint32_t ms = patience(dial);
        at->tried = true;
        dial->untried_n--;
        dial_address(l, dial->hosts[at->host], at->address, ms, at);
        if (dial->untried_n > 0)
            os_timer_set(&dial->turn, TURN_MS);
    } else if (dial->racer_n == 0) {
        delivery_dial_next_hosts(l);
    }
}

/* --- the end of a race --------------------------------------------------------------------------------- */

void delivery_race_won(struct delivery_racer *r)
{
    struct delivery_link *l = r->link;
    struct delivery_dial *dial = &l->dial;
    if (dial->winner == r)
        return; /* it was dialled again, in clear */
    dial->winner = r;
    l->client = r->client;
    os_timer_stop(&dial->turn);
    for (struct delivery_racer *other = dial->racers, *next; other; other = next) {
        next = other->next;
        if (other == r)
            continue;
        /* It was not found wanting: it may have another turn. */
        other->place->tried = false;
        dial->untried_n++;
        dial->tried_n--;
        os_log(OS_INFO, "host-slow", OS_STR("remote", client_remote(other->client)),
               OS_STR("instead", client_remote(r->client)));
        racer_free(other);
    }
    delivery_pool_feed(l->pool);
}

/* The server's word for STARTTLS ("454 4.7.0") says nothing of what that meant: no mail without it. RFC
 * 3463 3.8. */
static struct sp_view enhanced_of(const struct delivery_racer *r, const struct client_verdict *v)
{
    enum delivery_policy policy = r->host ? r->host->policy : DELIVERY_OFF;
    bool demanded = policy != DELIVERY_OFF && policy != DELIVERY_OPPORTUNISTIC;
    return demanded && client_tls_story(r->client)->end == CLIENT_TLS_LACKING ? SP_LIT("4.7.4") : v->enhanced;
}

void delivery_race_lost(struct delivery_racer *r, const struct client_verdict *v)
{
    struct delivery_link *l = r->link;
    /* What fails before a mail is given says nothing of the mail: it waits. */
    const struct delivery_outcome o = {
        .kind = IPC_OUTCOME_DEFERRED,
        .stage = REFERENCE_AT_CONNECT,
        .code = v->code,
        .enhanced = enhanced_of(r, v),
        .reply = v->text,
        .remote = v->remote,
        .tls = strcmp(v->phase, "CONNECT") != 0
                   ? delivery_policy_word(r->host ? r->host->policy : DELIVERY_OFF)
                   : NULL};
    l->dial.starved = l->dial.starved || v->starved;
    if (!l->abandoned)
        delivery_dial_note_address(r, v);
    delivery_dial_note(l, &o, v->phase);
    delivery_tls_tell_session(r);
    racer_free(r);
    if (l->abandoned)
        delivery_link_failed(l);
    else
        delivery_race_go_on(l);
}

void delivery_race_end(struct delivery_dial *dial)
{
    while (dial->racers)
        racer_free(dial->racers);
}
