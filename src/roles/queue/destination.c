/* Destinations: where mail goes, by name, and where each of them stands. */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "dns/idna.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

/* --- rings ---------------------------------------------------------------------------------- */

static struct queue_ring *ring_of(struct queue *q, struct queue_destination *d)
{
    switch (d->stand) {
    case QUEUE_RINGED:
        return &q->window.ring;
    case QUEUE_RESTING:
        return &d->site->resting;
    case QUEUE_PARKING:
        return &q->window.parking;
    case QUEUE_NOWHERE:
        break;
    }
    return NULL;
}

static void enter(struct queue_ring *ring, struct queue_destination *d)
{
    if (!ring->first) {
        ring->first = d->next = d->previous = d;
        return;
    }
    d->next = ring->first;
    d->previous = ring->first->previous;
    d->previous->next = d;
    d->next->previous = d;
}

static void leave(struct queue_ring *ring, struct queue_destination *d)
{
    if (d->next == d) {
        ring->first = NULL;
        return;
    }
    d->previous->next = d->next;
    d->next->previous = d->previous;
    if (ring->first == d)
        ring->first = d->next;
}

void queue_destination_stand(struct queue *q, struct queue_destination *d, enum queue_stand stand)
{
    bool had_turn = d->stand == QUEUE_RINGED && stand != QUEUE_RESTING;
    if (d->stand == stand)
        return;
    if (d->stand != QUEUE_NOWHERE)
        leave(ring_of(q, d), d);
    d->stand = stand;
    if (stand != QUEUE_NOWHERE)
        enter(ring_of(q, d), d);
    if (had_turn)
        queue_site_keep_awake(q, d->site); /* it may have been the one that was woken */
}

void queue_destination_place(struct queue *q, struct queue_destination *d)
{
    bool waits = d->fresh.first || d->retries.first;
    bool blocked = queue_destination_is_blocked(q, d, q->wall_ms());
    queue_destination_stand(q, d, !waits ? QUEUE_NOWHERE : blocked ? QUEUE_PARKING : QUEUE_RINGED);
    if (!blocked)
        queue_ask_refill(q, d);
}

/* --- suspended ------------------------------------------------------------------------------ */

/* Suspensions are kept in lower case, as the command writes them; a route may have capitals. */
static bool find_suspension(const struct queue *q, struct sp_view name, int64_t *since_out)
{
    uint8_t lower[512];
    size_t n = name.len < sizeof lower ? name.len : 0;
    for (size_t i = 0; i < n; i++)
        lower[i] = sp_ascii_lower(name.p[i]);
    const int64_t *since = n ? sp_table_get(&q->window.suspended, sp_view_make(lower, n)) : NULL;
    if (since && since_out)
        *since_out = *since;
    return since != NULL;
}

bool queue_is_suspended(const struct queue *q, const struct queue_destination *d, int64_t *since_out)
{
    if (q->window.suspended.n == 0)
        return false;
    return find_suspension(q, d->domain, since_out) || find_suspension(q, d->route, since_out) ||
           find_suspension(q, d->name, since_out);
}

static void forget_suspensions(struct queue *q)
{
    size_t cursor = 0;
    struct sp_view key;
    uint64_t seed = q->window.suspended.seed;
    for (void *value; sp_table_next(&q->window.suspended, &cursor, &key, &value);)
        free(value);
    sp_table_fini(&q->window.suspended);
    sp_table_init(&q->window.suspended, &os_heap, seed);
}

static void take_suspension(void *ctx, struct sp_view name, int64_t since_ms)
{
    struct queue *q = ctx;
    int64_t *since = os_new(sizeof *since);
    *since = since_ms;
    int status = sp_table_put(&q->window.suspended, name, since);
    (void)status; /* os_heap never says no */
}

void queue_read_suspensions(struct queue *q)
{
    forget_suspensions(q);
    if (store_suspensions(q->store, take_suspension, q) != SP_OK)
        os_log(OS_WARN, "store-failed", OS_STR("what", "suspensions"),
               OS_STR("error", store_error(q->store)));
    queue_destinations_review(q);
}

bool queue_destination_is_blocked(const struct queue *q, const struct queue_destination *d, int64_t now_ms)
{
    return d->site->until_ms > now_ms || queue_is_suspended(q, d, NULL);
}

/* --- names ---------------------------------------------------------------------------------- */

/* The domain of an address in lower case, behind what the buffer holds. */
static struct sp_view add_domain(struct sp_buf *to, struct sp_view address)
{
    char ascii[DNS_IDNA_MAX];
    size_t at = address.len, begin = to->len, n;
    while (at > 0 && address.p[at - 1] != '@') /* no domain holds an @, quoted local parts may */
        at--;
    struct sp_view domain = at > 0 ? sp_view_from(address, at) : (struct sp_view){0};
    if (dns_idna(domain, ascii, &n) == SP_OK) /* else it stays as it is, and delivery says so */
        domain = sp_view_make(ascii, n);
    for (size_t i = 0; i < domain.len; i++)
        (void)sp_buf_add_u8(to, sp_ascii_lower(domain.p[i])); /* os_heap never says no */
    return sp_view_make(to->p + begin, to->len - begin);
}

static struct queue_destination *make(struct queue *q, struct sp_view name, size_t route_len,
                                      bool with_domain)
{
    struct queue_destination *d = os_new(sizeof *d + name.len);
    memcpy(d->text, name.p, name.len);
    d->name = sp_view_make(d->text, name.len);
    d->route = sp_view_sub(d->name, 0, route_len);
    d->domain = with_domain ? sp_view_from(d->name, route_len + 1) : (struct sp_view){0};
    d->fresh.end = &d->fresh.first;
    d->retries.end = &d->retries.first;
    int status = sp_table_put(&q->window.destinations, d->name, d);
    (void)status; /* os_heap never says no */
    queue_site_join(q, d, d->name);
    return d;
}

const struct config_route *queue_route_of(const struct queue *q, const struct queue_destination *d)
{
    return config_find_route(q->role->config, d->route);
}

struct queue_destination *queue_destination_find(const struct queue *q, struct sp_view name)
{
    return sp_table_get(&q->window.destinations, name);
}

/* The name of the destination of mail to that address by that route, in an empty buffer. */
static struct sp_view name_of(const struct queue *q, struct sp_view route, struct sp_view address,
                              struct sp_buf *name)
{
    (void)sp_buf_add(name, route); /* os_heap never says no */
    (void)sp_buf_add_u8(name, '/');
    struct sp_view domain = add_domain(name, address);
    /* A domain that is suspended by itself must not take the others of its route with it. */
    const struct config_route *settings = config_find_route(q->role->config, route);
    bool by_domain = settings && settings->kind == CONFIG_ROUTE_MX;
    bool with_domain = domain.len > 0 && (by_domain || find_suspension(q, domain, NULL));
    return sp_view_sub(sp_buf_view(name), 0, with_domain ? name->len : route.len);
}

struct queue_destination *queue_destination_of(struct queue *q, struct sp_view route, struct sp_view address)
{
    struct sp_buf name;
    sp_buf_init(&name, &os_heap, 1 << 20);
    struct sp_view key = name_of(q, route, address, &name);
    struct queue_destination *d = queue_destination_find(q, key);
    if (!d)
        d = make(q, key, route.len, key.len > route.len);
    sp_buf_fini(&name);
    return d;
}

bool queue_destination_fits(const struct queue *q, const struct queue_destination *d,
                            const struct queue_item *item)
{
    struct sp_buf name;
    bool fits = true;
    sp_buf_init(&name, &os_heap, 1 << 20);
    for (const struct queue_target *t = item->targets; t && fits; t = t->next) {
        sp_buf_clear(&name);
        fits = sp_view_eq(name_of(q, d->route, queue_address(t), &name), d->name);
    }
    sp_buf_fini(&name);
    return fits;
}

struct queue_destination *queue_destination_named(struct queue *q, struct sp_view name)
{
    struct queue_destination *d = queue_destination_find(q, name);
    if (d)
        return d;
    size_t slash = name.len; /* no domain holds one, routes may */
    while (slash > 0 && name.p[slash - 1] != '/')
        slash--;
    bool with_domain = slash > 1 && slash < name.len && !config_find_route(q->role->config, name);
    return make(q, name, with_domain ? slash - 1 : name.len, with_domain);
}

void queue_destination_drop(struct queue *q, struct queue_destination *d)
{
    if (d->item_n > 0 || d->parked || d->refilling)
        return;
    queue_destination_stand(q, d, QUEUE_NOWHERE);
    (void)sp_table_take(&q->window.destinations, d->name); /* it is d */
    queue_site_leave(q, d);
    free(d);
}

/* All of them, so that the table may change meanwhile. The caller frees the list. */
static struct queue_destination **list_all(struct queue *q, size_t *n_out)
{
    struct queue_destination **all = os_new((q->window.destinations.n + 1) * sizeof *all);
    size_t n = 0, cursor = 0;
    struct sp_view key;
    for (void *value; sp_table_next(&q->window.destinations, &cursor, &key, &value);)
        all[n++] = value;
    *n_out = n;
    return all;
}

void queue_destinations_review(struct queue *q)
{
    size_t n;
    struct queue_destination **all = list_all(q, &n);
    for (size_t i = 0; i < n; i++) {
        queue_window_forget_misplaced(q, all[i]);
        queue_destination_place(q, all[i]);
        queue_destination_drop(q, all[i]);
    }
    free(all);
    q->window.walk_ms = 0;
}

void queue_destinations_sweep(struct queue *q)
{
    size_t n;
    struct queue_destination **all = list_all(q, &n);
    for (size_t i = 0; i < n; i++)
        queue_destination_drop(q, all[i]);
    free(all);
}
