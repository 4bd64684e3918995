/*
 * Replies: what the reference says that a server means decides who waits. What is said of one recipient,
 * message or sender changes nothing for others; what is said of this host slows the site, and returns no mail
 * at first sight.
 */
#include "roles/queue/queue.h"

#include "base/view.h"

enum {
    GREYLIST_TRIES = 6,   /* so often the pause of a greylisted recipient does not grow */
    WAIT_MOST_S = 86400,  /* a server may ask for no longer pause                       */
    BEFORE_SITE_MS = 1000 /* who goes with a site is there, parked, when its pause ends */
};

/* What an action does to the site. */
static const struct effect {
    enum ipc_health health; /* UNTOLD: nothing                                    */
    bool patient;           /* its 5yz bounces nothing for the block's patience   */
    bool lasting;           /* nor later, until the message expires               */
} effects[REFERENCE_ACTION_N] = {
    [REFERENCE_ACTION_SLOW_DOWN] = {.health = IPC_HEALTH_BUSY, .patient = true},
    [REFERENCE_ACTION_BLOCKED] = {.health = IPC_HEALTH_DOWN, .patient = true},
    [REFERENCE_ACTION_ACCESS] = {.health = IPC_HEALTH_DOWN, .lasting = true},
};

/* Whose servers are found by MX has no login or agreement with them: they speak of the recipient. */
static const struct effect *effect_of(const struct queue_outcome *o, const struct config_route *route)
{
    bool foreign = route->kind == CONFIG_ROUTE_MX && o->advice.action == REFERENCE_ACTION_ACCESS;
    return &effects[foreign ? REFERENCE_ACTION_NONE : o->advice.action];
}

static bool is_final(const struct queue_outcome *o) { return o->code / 100 == 5; }

/* The first outcome of those that say most: who is down, who is busy, else what failed. */
static const struct queue_outcome *telling(const struct config_route *route,
                                           const struct queue_outcome *outcomes, size_t n)
{
    const struct queue_outcome *best = NULL;
    int most = -1;
    for (size_t i = 0; i < n; i++) {
        enum ipc_health health = effect_of(&outcomes[i], route)->health;
        int says = health == IPC_HEALTH_DOWN                   ? 3
                   : health == IPC_HEALTH_BUSY                 ? 2
                   : outcomes[i].kind != IPC_OUTCOME_DELIVERED ? 1
                                                               : 0;
        if (says > most) {
            most = says;
            best = &outcomes[i];
        }
    }
    return best;
}

static void count(struct queue_site *s, const struct queue_outcome *o)
{
    s->delivered += o->kind == IPC_OUTCOME_DELIVERED;
    s->failed += o->kind == IPC_OUTCOME_FAILED;
    s->deferred += o->kind == IPC_OUTCOME_DEFERRED || o->kind == IPC_OUTCOME_UNKNOWN;
}

/* Has the site refused this host for so long that it is to be believed? */
static bool is_believed(const struct queue *q, const struct queue_site *s)
{
    int64_t patience_ms = (int64_t)q->role->config->queue.block_patience_s * 1000;
    return q->wall_ms() - s->refused_ms >= patience_ms;
}

static void read_outcome(const struct queue_site *s, const struct effect *e, struct queue_outcome *o,
                         bool believed)
{
    if (!is_final(o) || !(e->patient || e->lasting))
        return;
    /* One that was refused before there was a word of mail is DEFERRED from the start. */
    o->kind = e->patient && believed ? IPC_OUTCOME_FAILED : IPC_OUTCOME_DEFERRED;
    if (o->kind == IPC_OUTCOME_DEFERRED)
        o->site_ms = s->until_ms;
}

/* What a server asks for of all mail, before it knows of any. An answer to one mail may come from whoever
 * gets that: the others of the site wait for no longer than for one that is down. */
static uint32_t most_wait_s(const struct queue *q, const struct queue_outcome *o)
{
    uint32_t most = q->role->config->queue.back_off_most_s;
    bool of_a_mail = o->stage == REFERENCE_AT_RCPT || o->stage == REFERENCE_AT_CONTENT;
    return of_a_mail && most < WAIT_MOST_S ? most : WAIT_MOST_S;
}

void queue_learn(struct queue *q, struct queue_site *s, const struct config_route *route,
                 const struct ipc_attempt_result *result, struct queue_outcome *outcomes, size_t n)
{
    bool taken = false;
    for (size_t i = 0; i < n; i++) {
        struct queue_outcome *o = &outcomes[i];
        taken = taken || o->kind == IPC_OUTCOME_DELIVERED;
        if (o->code >= 400 && o->reply.len >= 4)
            o->advice = reference_advise((int)o->code, sp_view_from(o->reply, 4), o->stage);
    }
    const struct queue_outcome *o = telling(route, outcomes, n);
    const struct effect *e = o ? effect_of(o, route) : &effects[REFERENCE_ACTION_NONE];
    bool refused = o && e->patient && is_final(o);
    if (taken)
        s->refused_ms = 0;
    if (refused && s->refused_ms == 0)
        s->refused_ms = q->wall_ms();
    bool believed = refused && is_believed(q, s);
    struct queue_lesson lesson = {.health = (enum ipc_health)result->health,
                                  .pause_s = result->pause_s,
                                  .said = o ? o->reply : (struct sp_view){0}};
    if (believed)
        lesson.health = IPC_HEALTH_UNTOLD; /* what waits is to be returned, not to wait for longer */
    else if (e->health != IPC_HEALTH_UNTOLD)
        lesson.health = e->health;
    if (o && lesson.health != IPC_HEALTH_GOOD) {
        uint32_t most = most_wait_s(q, o), asked = o->advice.wait_s < most ? o->advice.wait_s : most;
        lesson.advice = o->advice;
        lesson.pause_s = lesson.pause_s < asked ? asked : lesson.pause_s;
    }
    queue_site_note(q, s, route, &lesson);
    for (size_t i = 0; i < n; i++) {
        read_outcome(s, effect_of(&outcomes[i], route), &outcomes[i], believed);
        count(s, &outcomes[i]);
    }
}

int64_t queue_pause_after(const struct queue *q, const struct queue_outcome *o, uint32_t attempts,
                          int64_t now)
{
    const struct config_queue *c = &q->role->config->queue;
    bool greylisted = o->advice.action == REFERENCE_ACTION_GREYLIST && attempts <= GREYLIST_TRIES;
    int64_t pause = queue_pause_ms(c->retry_first_s, c->retry_most_s, greylisted ? 1 : attempts);
    int64_t asked = (int64_t)(o->advice.wait_s < WAIT_MOST_S ? o->advice.wait_s : WAIT_MOST_S) * 1000;
    bool of_site =
        o->advice.action == REFERENCE_ACTION_SLOW_DOWN || o->advice.action == REFERENCE_ACTION_BLOCKED;
    if (asked > 0 && !of_site && (greylisted || asked > pause))
        pause = queue_pause_spread(asked);
    if (o->site_ms > now && now + pause > o->site_ms - BEFORE_SITE_MS)
        pause = o->site_ms - BEFORE_SITE_MS - now;
    return pause > 0 ? pause : 0;
}
