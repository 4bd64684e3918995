/* How long pauses are, and what ends them before their time: a clock that was set back (times in the store
 * are wall time), and a configuration that may have mended what led to them. */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

enum {
    SPREAD = 16,
    RECALL_AT_ONCE = 1000,
    DAY_MS = 86400000,
    RELOADED_MS = 1000 /* delivery has the new configuration by then */
};

int64_t queue_pause_spread(int64_t pause_ms)
{
    uint32_t random;
    os_random(&random, sizeof random);
    return pause_ms + (int64_t)random % (pause_ms / SPREAD + 1);
}

int64_t queue_pause_most_ms(uint32_t pause_s) { return (int64_t)pause_s * 1000 / SPREAD * (SPREAD + 1); }

int64_t queue_pause_ms(uint32_t first_s, uint32_t most_s, uint32_t n)
{
    int64_t pause = (int64_t)first_s * 1000, most = (int64_t)most_s * 1000;
    for (uint32_t i = 1; i < n && pause < most; i++)
        pause *= 2;
    return queue_pause_spread(pause < most ? pause : most);
}

/* --- a clock that was set back ---------------------------------------------------------------- */

/* The longest pause there can be: between attempts, that a server asks for, of a site. */
static int64_t longest_ms(const struct config_queue *c)
{
    int64_t retry = (int64_t)c->retry_most_s * 1000, site = (int64_t)c->back_off_most_s * 1000;
    int64_t most = retry > site ? retry : site;
    most = most > DAY_MS ? most : DAY_MS;
    return most + most / SPREAD;
}

static int recall_some(struct queue *q, int64_t now, size_t *n_out)
{
    int status = store_begin(q->store);
    if (status)
        return status;
    status = store_recall(q->store, now, now + longest_ms(&q->role->config->queue), RECALL_AT_ONCE, n_out);
    if (!status)
        return store_commit(q->store);
    store_rollback(q->store);
    return status;
}

void queue_recall(struct queue *q)
{
    int64_t now = q->wall_ms();
    size_t n = RECALL_AT_ONCE, all = 0;
    int status = SP_OK;
    while (!status && n == RECALL_AT_ONCE) {
        n = 0;
        status = recall_some(q, now, &n);
        all += n;
    }
    if (status)
        os_log(OS_WARN, "store-failed", OS_STR("what", "recall"), OS_STR("error", store_error(q->store)));
    if (all)
        os_log(
            OS_INFO, "clock-set-back", OS_NUM("recipients", all),
            OS_STR("note", "their next attempts were planned by a clock that was ahead: they are due now"));
    q->window.next_ms = 0;
}

/* --- a reload ---------------------------------------------------------------------------------- */

/* Do its troubles have to do with what the configuration says: our login and name, a server that it names? */
static bool is_ours_to_mend(const struct queue_site *s)
{
    bool refused = s->action == REFERENCE_ACTION_BLOCKED || s->action == REFERENCE_ACTION_ACCESS;
    return s->troubles > 0 && (refused || (s->destinations && s->destinations->domain.len == 0));
}

void queue_pauses_renew(struct queue *q)
{
    int64_t soon = q->wall_ms() + RELOADED_MS;
    for (struct queue_site *s = q->window.timed; s; s = s->timed_next) {
        if (!is_ours_to_mend(s))
            continue;
        s->until_ms = s->until_ms > soon ? soon : s->until_ms;
        s->troubles = 0;
        if (s->action == REFERENCE_ACTION_ACCESS) /* of a route's one server: its key is the route's name */
            queue_ask_for_refused(q, s->destinations ? s->destinations->route
                                                     : sp_view_make(s->key, s->key_len));
    }
    q->window.wake_ms = 0; /* the tick finds the first */
}
