/*
 * The next host, for recipients that one will not have now (RFC 5321 5.1, 4.2.1). Each recipient whose
 * outcome may be another elsewhere waits for its attempt to be through with the host; what is left of the
 * attempt goes to a host that has not seen it, over a link that serves such attempts alone: ordinary mail
 * stays with the best host.
 *
 * A message whose fate is not known (lost behind its dot) goes nowhere else: it may have been taken.
 */
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/delivery/dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SESSIONS_MAX = 2, /* hosts that one attempt speaks to: a greylisted mail is refused by all of them, and
                         tries them all again soon enough */
    TEXT_MAX = CLIENT_TEXT_MAX + 64
};

/* --- what a host said, kept until another has spoken --------------------------------------------------- */

struct delivery_kept {
    struct delivery_outcome outcome;
    struct sp_buf text;
    char remote[CLIENT_REMOTE_MAX], tls[64];
};

static void keep(struct delivery_target *t, const struct delivery_outcome *o)
{
    struct delivery_kept *k = t->kept;
    if (!k) {
        t->kept = k = os_new(sizeof *k);
        sp_buf_init(&k->text, &os_heap, TEXT_MAX);
    } else if (k->outcome.code > 0 || o->code == 0) {
        return; /* the better host's word, and any word before none */
    }
    sp_buf_clear(&k->text);
    sp_buf_add(&k->text, o->enhanced);
    sp_buf_add(&k->text, o->reply);
    struct sp_view all = sp_buf_view(&k->text);
    (void)snprintf(k->remote, sizeof k->remote, "%s", o->remote); /* both are cut when they do not fit */
    (void)snprintf(k->tls, sizeof k->tls, "%s", o->tls ? o->tls : "");
    k->outcome = *o;
    k->outcome.enhanced = sp_view_sub(all, 0, o->enhanced.len);
    k->outcome.reply = sp_view_from(all, o->enhanced.len);
    k->outcome.remote = k->remote;
    k->outcome.tls = o->tls ? k->tls : NULL;
}

const struct delivery_outcome *delivery_detour_telling(const struct delivery_target *t,
                                                       const struct delivery_outcome *o)
{
    bool kept = t->kept && o->kind == IPC_OUTCOME_DEFERRED && (t->kept->outcome.code > 0 || o->code == 0);
    return kept ? &t->kept->outcome : o;
}

void delivery_detour_forget(struct delivery_target *t)
{
    if (t->kept)
        sp_buf_fini(&t->kept->text);
    free(t->kept);
    t->kept = NULL;
}

/* --- may it go on? ------------------------------------------------------------------------------------- */

static uint32_t bit_of(const struct delivery_link *l)
{
    const struct delivery_dial_host *h = l->dial.winner ? l->dial.winner->host : NULL;
    return h ? (uint32_t)1 << (h->host - l->pool->site.hosts) : 0;
}

static bool is_host_left(const struct delivery_link *l, const struct delivery_attempt *a)
{
    const struct delivery_pool *p = l->pool;
    uint32_t seen = a->seen | bit_of(l), all = ((uint32_t)1 << p->site.host_n) - 1;
    return bit_of(l) && (seen & all) != all && __builtin_popcount(seen) < SESSIONS_MAX && a->queue &&
           !p->retired && !p->delivery->stopping && !l->abandoned;
}

/* Said by this host of now: 4yz, or nothing more before the message was whole. */
static bool is_of_the_host(const struct delivery_link *l, const struct delivery_outcome *o)
{
    bool lost = o->code == 0 && sp_view_eq(o->enhanced, SP_LIT("4.4.2")) && !l->unreadable;
    return o->kind == IPC_OUTCOME_DEFERRED && (o->code / 100 == 4 || lost);
}

void delivery_detour_settle(struct delivery_link *l, size_t target, const struct delivery_outcome *o)
{
    struct delivery_attempt *a = l->attempt;
    struct delivery_target *t = &a->targets[target];
    if (!is_of_the_host(l, o) || !is_host_left(l, a)) {
        delivery_attempt_settle(a, target, o);
        return;
    }
    keep(t, o);
    t->postponed = true;
    a->postponed_n++;
}

/* --- going on ---------------------------------------------------------------------------------------- */

static void log_detour(const struct delivery_link *l, const struct delivery_attempt *a)
{
    size_t first = 0;
    while (!a->targets[first].postponed)
        first++;
    os_log(OS_INFO, "next-host", OS_STR("id", a->id_text), OS_NUM("recipients", a->postponed_n),
           OS_STR("after", a->targets[first].kept->outcome.remote),
           OS_VIEW("why", a->targets[first].kept->outcome.reply), OS_STR("route", l->pool->route->name));
}

void delivery_detour_begin(struct delivery_link *l)
{
    struct delivery_attempt *a = l->attempt;
    log_detour(l, a);
    for (size_t i = 0; i < a->target_n; i++)
        a->targets[i].postponed = false;
    a->postponed_n = 0;
    a->seen |= bit_of(l);
    delivery_talk_tell(l, a);
    l->attempt = NULL;
    delivery_pool_detour(l->pool, a);
}

bool delivery_detour_fits(const struct delivery_link *l, const struct delivery_attempt *a)
{
    return bit_of(l) && (a->seen & bit_of(l)) == 0;
}

void delivery_detour_restart(struct delivery_attempt *a)
{
    for (size_t i = 0; i < a->target_n; i++)
        a->targets[i].postponed = false;
    a->postponed_n = 0;
    a->seen = 0;
}

void delivery_detour_failed(struct delivery_link *l)
{
    struct delivery_attempt *a = l->attempt;
    l->attempt = NULL;
    if (!l->abandoned)
        os_log(OS_INFO, "next-host-failed", OS_STR("id", a->id_text), OS_STR("remote", l->dial.remote),
               OS_VIEW("why", l->dial.failure.reply));
    delivery_talk_tell(l, a);
    delivery_attempt_settle_open(a, &l->dial.failure);
    delivery_attempt_finish(a);
}
