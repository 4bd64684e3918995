/*
 * ETRN (RFC 1985): somebody asks for what waits for a domain; or the operator has changed how we log in at a
 * route's server, and what it turned away for that is tried again. A walk over all that waits, a page between
 * commits; all who have asked by its begin share one. Mail that its sender wants sent later stays (RFC 4865),
 * and what an operator holds or has suspended does too.
 */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "dns/idna.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum {
    PAGE = 200,     /* recipients in one step         */
    STEP_MS = 5,    /* between them                   */
    ASKS_MAX = 1000 /* smtpd knows the domains it lets through: more are a mistake */
};

struct queue_ask {
    struct queue_ask *next;
    bool below;  /* with all subdomains             */
    bool login;  /* not a domain but a route: what its server refused for our login */
    bool walked; /* the walk that goes on is for it */
    uint64_t n;
    size_t len;
    uint8_t domain[];
};

/* Recipients of a page that are to be tried now. */
struct wanted {
    uint64_t mail;
    uint32_t number;
};

struct page {
    struct queue *q;
    int64_t now;
    struct wanted found[PAGE];
    size_t n;
    bool met; /* one of these, or one that is due anyway */
};

static struct sp_view domain_of(const struct queue_ask *ask) { return sp_view_make(ask->domain, ask->len); }

static bool concerns(const struct queue_ask *ask, struct sp_view domain)
{
    struct sp_view own = domain_of(ask);
    if (ask->login)
        return false;
    if (sp_view_eq_nocase(own, domain))
        return true;
    return ask->below && domain.len > own.len && domain.p[domain.len - own.len - 1] == '.' &&
           sp_view_eq_nocase(own, sp_view_from(domain, domain.len - own.len));
}

static bool was_login_refused(const struct store_recipient *r)
{
    return r->code >= 400 && r->reply.len >= 4 &&
           reference_advise((int)r->code, sp_view_from(r->reply, 4), REFERENCE_AT_UNKNOWN).action ==
               REFERENCE_ACTION_ACCESS;
}

static bool is_freed(struct queue *q, const struct store_recipient *r)
{
    bool any = false;
    for (struct queue_ask *ask = q->asks.first; ask; ask = ask->next)
        if (ask->walked && ask->login && sp_view_eq(domain_of(ask), r->route) && was_login_refused(r)) {
            ask->n++;
            any = true;
        }
    return any;
}

static bool is_asked_for(struct queue *q, struct sp_view address)
{
    char ascii[DNS_IDNA_MAX];
    size_t len, at = address.len;
    bool any = false;
    while (at > 0 && address.p[at - 1] != '@')
        at--;
    if (dns_idna(sp_view_from(address, at), ascii, &len) != SP_OK)
        return false;
    for (struct queue_ask *ask = q->asks.first; ask; ask = ask->next)
        if (ask->walked && concerns(ask, sp_view_make(ascii, len))) {
            ask->n++;
            any = true;
        }
    return any;
}

static void judge(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct page *p = ctx;
    bool later = mail->parameters.hold_until_ms > p->now;
    if (!store_state_waits(r->state) || later)
        return;
    bool asked = is_asked_for(p->q, r->address);
    if (!asked && !is_freed(p->q, r))
        return;
    p->met = p->met || asked;
    if (asked)
        queue_site_reopen(p->q, queue_destination_of(p->q, r->route, r->address)->site);
    if (r->next_ms > p->now || r->parked.len)
        p->found[p->n++] = (struct wanted){mail->id, r->number};
}

static int write_down(struct page *p)
{
    struct store *store = p->q->store;
    if (p->n == 0)
        return SP_OK;
    int status = store_begin(store);
    if (status)
        return status;
    for (size_t i = 0; i < p->n && !status; i++)
        status = store_hasten(store, p->found[i].mail, p->found[i].number, p->now);
    if (status)
        store_rollback(store);
    return status ? status : store_commit(store);
}

static void end_walk(struct queue *q)
{
    struct queue_ask **at = &q->asks.first;
    q->asks.cursor = (struct store_cursor){0};
    q->asks.full = false;
    while (*at) {
        struct queue_ask *ask = *at;
        if (!ask->walked) {
            ask->walked = true; /* by the next walk */
            at = &ask->next;
            continue;
        }
        *at = ask->next;
        os_log(OS_INFO, ask->login ? "login-tried-anew" : "domain-asked-for",
               OS_VIEW(ask->login ? "route" : "domain", domain_of(ask)), OS_NUM("recipients", ask->n));
        q->asks.n--;
        free(ask);
    }
}

void queue_ask_step(struct queue *q)
{
    struct page p = {.q = q, .now = q->wall_ms()};
    if (q->stopping || !q->asks.first)
        return;
    queue_batch_commit(q);
    int status = store_list(q->store, &q->asks.cursor, PAGE, judge, &p);
    if (!status)
        status = write_down(&p);
    if (status)
        os_log(OS_WARN, "store-failed", OS_STR("what", "ask"), OS_STR("error", store_error(q->store)));
    if (status || q->asks.cursor.end)
        end_walk(q);
    if (p.met)
        queue_dial_anew(q, false);
    if (p.n)
        q->window.next_ms = 0;
    queue_destinations_sweep(q);
    os_later_ask(&q->turn);
    if (q->asks.first)
        os_timer_set(&q->asks.timer, STEP_MS);
}

static void step(void *ctx) { queue_ask_step(ctx); }

/* Whoever asked was told that it begins, and may ask again; the mail's own time comes in any case. */
static void refuse(struct queue *q, struct sp_view name)
{
    if (!q->asks.full)
        os_log(OS_WARN, "domain-not-asked-for", OS_VIEW("domain", name), OS_NUM("waiting", q->asks.n),
               OS_STR("note",
                      "too many domains are asked for at a time (ETRN): this one and further ones are "
                      "tried when their time comes"));
    q->asks.full = true;
}

static void add(struct queue *q, struct sp_view name, bool below, bool login)
{
    bool idle = !q->asks.first;
    for (struct queue_ask *ask = q->asks.first; ask; ask = ask->next)
        if (ask->below == below && ask->login == login && sp_view_eq_nocase(domain_of(ask), name) &&
            (!ask->walked || q->asks.cursor.mail == 0))
            return; /* the walk that serves it is yet to begin */
    if (q->asks.n == ASKS_MAX) {
        refuse(q, name);
        return;
    }
    struct queue_ask *ask = os_new(sizeof *ask + name.len);
    ask->below = below;
    ask->login = login;
    ask->walked = idle;
    ask->len = name.len;
    memcpy(ask->domain, name.p, name.len);
    ask->next = q->asks.first;
    q->asks.first = ask;
    q->asks.n++;
    if (idle)
        os_timer_set(&q->asks.timer, 0);
}

void queue_take_ask(struct queue *q, const struct ipc_retry_domain *m)
{
    add(q, m->domain, m->below != 0, false);
}

void queue_ask_for_refused(struct queue *q, struct sp_view route) { add(q, route, false, true); }

void queue_asks_start(struct queue *q) { os_timer_init(&q->asks.timer, q->role->base, step, q); }

void queue_asks_stop(struct queue *q)
{
    os_timer_fini(&q->asks.timer);
    while (q->asks.first) {
        struct queue_ask *ask = q->asks.first;
        q->asks.first = ask->next;
        free(ask);
    }
}
