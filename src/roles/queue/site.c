/*
 * Sites: how much the servers behind destinations may be given now. The number of connections grows with each
 * success and is halved by trouble; after trouble nothing is tried for a while, twice as long each time, and
 * then with one connection. However many messages wait for a site that is down, one at a time finds that out.
 *
 * Its troubles are remembered until all that was put off has come again, though nothing of it be in memory.
 */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum {
    CONNECTIONS_FIRST = 3,     /* to a site that is not known yet                                     */
    LEASES_PER_CONNECTION = 4, /* under way, so that none of its connections waits                    */
    LEASES_LEAST = 64,         /* to a route of one destination that has its full number              */
    MINUTE_MS = 60000,
    REMIND_MS = 3600000 /* the log speaks of troubles that last                                       */
};

/* --- in and out ----------------------------------------------------------------------------- */

struct queue_site *queue_site_of(struct queue *q, struct sp_view key)
{
    struct queue_site *s = sp_table_get(&q->window.sites, key);
    if (s)
        return s;
    s = os_new(sizeof *s + key.len);
    memcpy(s->key, key.p, key.len);
    s->key_len = key.len;
    s->connections = CONNECTIONS_FIRST;
    int status = sp_table_put(&q->window.sites, key, s);
    (void)status; /* os_heap never says no */
    return s;
}

void queue_site_join(struct queue *q, struct queue_destination *d, struct sp_view key)
{
    struct queue_site *s = queue_site_of(q, key);
    d->site = s;
    d->site_next = s->destinations;
    s->destinations = d;
    s->active += d->active;
}

static void stop_timing(struct queue_site *s)
{
    if (!s->timed_at)
        return;
    *s->timed_at = s->timed_next;
    if (s->timed_next)
        s->timed_next->timed_at = s->timed_at;
    s->timed_at = NULL;
    s->timed_next = NULL;
}

static void forget(struct queue *q, struct queue_site *s)
{
    stop_timing(s);
    (void)sp_table_take(&q->window.sites, sp_view_make(s->key, s->key_len)); /* it is s */
    free(s);
}

void queue_site_leave(struct queue *q, struct queue_destination *d)
{
    struct queue_site *s = d->site;
    struct queue_destination **at = &s->destinations;
    while (*at != d)
        at = &(*at)->site_next;
    *at = d->site_next;
    s->active -= d->active;
    d->site = NULL;
    int64_t now = q->wall_ms();
    bool remembered =
        (s->until_ms > now || s->rate_ms > now || s->keep_ms > now) && q->window.sites.n <= QUEUE_SITES_MAX;
    if (s->destinations) {
        queue_site_keep_awake(q, s);
        return;
    }
    if (remembered)
        queue_site_time(q, s);
    else
        forget(q, s);
}

/* --- how much ------------------------------------------------------------------------------- */

static uint32_t connections_of(const struct queue_site *s, const struct config_route *route)
{
    return s->connections < route->connections ? s->connections : route->connections;
}

uint32_t queue_site_room(const struct queue_site *s, const struct config_route *route)
{
    if (s->troubles > 0)
        return 1; /* it finds out */
    uint32_t room = connections_of(s, route) * LEASES_PER_CONNECTION;
    return s->connections >= route->connections && room < LEASES_LEAST ? LEASES_LEAST : room;
}

void queue_site_time(struct queue *q, struct queue_site *s)
{
    struct queue_window *w = &q->window;
    int64_t at = s->until_ms > s->rate_ms ? s->until_ms : s->rate_ms;
    if (!s->destinations && at < s->keep_ms)
        at = s->keep_ms;
    if (!s->timed_at) {
        s->timed_next = w->timed;
        s->timed_at = &w->timed;
        if (w->timed)
            w->timed->timed_at = &s->timed_next;
        w->timed = s;
    }
    if (at < w->wake_ms)
        w->wake_ms = at;
}

void queue_site_count(struct queue_site *s, const struct config_route *route, int64_t now_ms)
{
    s->active++;
    if (route->rate == 0)
        return;
    s->rate_ms = (s->rate_ms > now_ms ? s->rate_ms : now_ms) + MINUTE_MS / route->rate;
}

void queue_site_wake(struct queue *q, struct queue_site *s, uint32_t room)
{
    for (uint32_t n = s->active; n < room && s->resting.first; n++)
        queue_destination_place(q, s->resting.first);
}

void queue_site_keep_awake(struct queue *q, struct queue_site *s)
{
    while (s->active == 0 && s->resting.first) {
        struct queue_destination *d = s->resting.first;
        queue_destination_place(q, d);
        if (d->stand == QUEUE_RINGED)
            return;
    }
}

static void place_all(struct queue *q, struct queue_site *s)
{
    for (struct queue_destination *d = s->destinations; d; d = d->site_next)
        queue_destination_place(q, d);
}

void queue_sites_set_back(struct queue *q, int64_t by_ms)
{
    for (struct queue_site *s = q->window.timed; s; s = s->timed_next) {
        s->until_ms -= s->until_ms > 0 ? by_ms : 0;
        s->refused_ms -= s->refused_ms > 0 ? by_ms : 0;
        s->keep_ms -= s->keep_ms > 0 ? by_ms : 0;
        s->rate_ms -= s->rate_ms > 0 ? by_ms : 0;
    }
    q->window.wake_ms = 0; /* the tick finds the first */
}

void queue_sites_tick(struct queue *q, int64_t now_ms)
{
    struct queue_window *w = &q->window;
    if (now_ms < w->wake_ms)
        return;
    w->wake_ms = STORE_NEVER;
    for (struct queue_site *s = w->timed, *next; s; s = next) {
        next = s->timed_next;
        if (s->until_ms > now_ms || s->rate_ms > now_ms) {
            queue_site_time(q, s);
            continue;
        }
        s->until_ms = 0;
        if (!s->destinations && s->keep_ms > now_ms) {
            queue_site_time(q, s);
            continue;
        }
        stop_timing(s);
        if (s->destinations)
            place_all(q, s);
        else
            forget(q, s);
    }
}

/* --- what is learnt ------------------------------------------------------------------------- */

static void end_troubles(struct queue_site *s, int64_t now)
{
    if (s->troubles > 0)
        os_log(OS_INFO, "destination-back", OS_VIEW("site", sp_view_make(s->key, s->key_len)),
               OS_NUM("after-s", now > s->since_ms ? (uint64_t)(now - s->since_ms) / 1000 : 0),
               OS_NUM("troubles", s->troubles));
    s->troubles = 0;
    if (!s->refused_ms)
        s->keep_ms = 0;
}

static void grow(struct queue_site *s, const struct config_route *route)
{
    if (s->connections >= route->connections)
        return;
    /* Until the first trouble each success adds one; from then on it takes a success of each connection. */
    if (s->shrunk && ++s->credit < s->connections)
        return;
    s->credit = 0;
    s->connections++;
}

/* When they begin, and rarely while they last: each try of each site would fill the log. */
static void tell_of_troubles(struct queue_site *s, int64_t now, int64_t pause)
{
    const struct reference_action_text *action = reference_action_text(s->action);
    if (s->troubles == 1)
        s->since_ms = now;
    else if (now >= s->told_ms && now - s->told_ms < REMIND_MS)
        return;
    s->told_ms = now;
    os_log(OS_INFO, "destination-paused", OS_VIEW("site", sp_view_make(s->key, s->key_len)),
           OS_NUM("seconds", (uint64_t)pause / 1000), OS_NUM("troubles", s->troubles),
           OS_NUM("connections", s->connections), OS_VIEW("reply", sp_view_make(s->slowed, s->slowed_len)),
           OS_STR("meaning", s->meaning), OS_STR("action", action ? action->name : NULL));
}

static void keep_text(uint8_t text[QUEUE_SAID_MAX], size_t *len, struct sp_view said)
{
    *len = said.len < QUEUE_SAID_MAX ? said.len : QUEUE_SAID_MAX;
    if (*len)
        memcpy(text, said.p, *len);
}

/* Who refuses this host, or its login, is not asked again soon when that lasts: the pause is four times as
 * long each time. It begins short all the same: a reply to one mail must not close the site to all others for
 * long, and a password may have been mistyped. */
static int64_t back_off_ms(const struct queue *q, const struct queue_site *s)
{
    const struct config_queue *c = &q->role->config->queue;
    bool refused = s->action == REFERENCE_ACTION_BLOCKED || s->action == REFERENCE_ACTION_ACCESS;
    uint32_t n = s->troubles < UINT32_MAX / 2 ? s->troubles : UINT32_MAX / 2;
    return queue_pause_ms(c->back_off_first_s, c->back_off_most_s, refused ? 2 * n - 1 : n);
}

/* The longest that mail which was put off stays away. */
static int64_t retry_most_ms(const struct queue *q, int64_t pause)
{
    int64_t most = queue_pause_most_ms(q->role->config->queue.retry_most_s);
    return most > pause ? most : pause;
}

static void back_off(struct queue *q, struct queue_site *s, const struct queue_lesson *lesson)
{
    int64_t now = q->wall_ms(), asked = (int64_t)lesson->pause_s * 1000, pause;
    s->bad_ms = now;
    if (s->until_ms > now) { /* what was under way when it began tells nothing new, but a longer pause */
        s->until_ms = s->until_ms < now + asked ? now + asked : s->until_ms;
        queue_site_time(q, s);
        return;
    }
    s->troubles++;
    s->shrunk = true;
    s->credit = 0;
    s->connections = lesson->health == IPC_HEALTH_BUSY && s->connections > 1 ? s->connections / 2 : 1;
    s->action = lesson->advice.action;
    s->meaning = lesson->advice.id;
    keep_text(s->slowed, &s->slowed_len, lesson->said);
    pause = back_off_ms(q, s);
    if (pause < asked)
        pause = asked;
    s->until_ms = now + pause;
    s->keep_ms = s->until_ms + retry_most_ms(q, pause);
    queue_site_time(q, s);
    tell_of_troubles(s, now, pause);
    place_all(q, s);
}

void queue_site_note(struct queue *q, struct queue_site *s, const struct config_route *route,
                     const struct queue_lesson *lesson)
{
    if (lesson->health == IPC_HEALTH_UNTOLD)
        return;
    s->health = lesson->health;
    if (lesson->said.len)
        keep_text(s->said, &s->said_len, lesson->said);
    if (lesson->health == IPC_HEALTH_GOOD) {
        s->good_ms = q->wall_ms();
        end_troubles(s, s->good_ms);
        grow(s, route);
    } else {
        back_off(q, s, lesson);
    }
}

void queue_site_reopen(struct queue *q, struct queue_site *s)
{
    s->until_ms = 0;
    place_all(q, s);
}
