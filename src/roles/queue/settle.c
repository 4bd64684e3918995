/* What became of recipients: decided, written down with the batch, and said in the log once it is on disk. */
#include "roles/queue/settle_own.h"

#include "base/time.h"
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum { AGAIN_MS = 1000 };

static struct sp_view keep(struct sp_buf *text, struct sp_view v)
{
    size_t at = text->len;
    (void)sp_buf_add(text, v); /* reserved before: the buffer does not move */
    return sp_view_make(text->p + at, v.len);
}

static struct queue_settling *settling_new(struct queue_item *item, const struct queue_outcome *outcomes,
                                           size_t n)
{
    struct queue_settling *s = os_new(sizeof *s + item->target_n * sizeof *s->ones);
    size_t octets = 0;
    s->item = item;
    for (size_t i = 0; i < n; i++)
        octets +=
            outcomes[i].enhanced.len + outcomes[i].reply.len + outcomes[i].remote.len + outcomes[i].tls.len;
    sp_buf_init(&s->text, &os_heap, SIZE_MAX / 2);
    (void)sp_buf_reserve(&s->text, octets * (n == 1 ? item->target_n : 1) + 1); /* os_heap never says no */
    for (size_t i = 0; i < item->target_n; i++) {
        struct queue_outcome *o = &s->ones[i].outcome;
        *o = outcomes[n == 1 ? 0 : i];
        o->enhanced = keep(&s->text, o->enhanced);
        o->reply = keep(&s->text, o->reply);
        o->remote = keep(&s->text, o->remote);
        o->tls = keep(&s->text, o->tls);
    }
    return s;
}

static void settling_free(struct queue_settling *s)
{
    sp_buf_fini(&s->text);
    free(s);
}

/* --- decide --------------------------------------------------------------------------------- */

/* When its first attempt was due: the time that its sender had it held (RFC 4865) is no time of attempts. */
static int64_t first_due(const struct store_mail *mail)
{
    int64_t held_ms = mail->parameters.hold_until_ms;
    return held_ms > mail->received_ms ? held_ms : mail->received_ms;
}

int64_t queue_settle_end(const struct queue *q, const struct store_mail *mail)
{
    int64_t end = first_due(mail) + (int64_t)q->role->config->queue.expire_s * 1000;
    bool by = mail->parameters.by == SP_BY_RETURN && mail->parameters.by_ms < end;
    return by ? mail->parameters.by_ms : end;
}

bool queue_is_late(const struct queue *q, const struct store_mail *mail, bool warned, int64_t now)
{
    int64_t after = (int64_t)q->role->config->queue.warn_after_s * 1000;
    bool by = mail->parameters.by == SP_BY_NOTIFY && now >= mail->parameters.by_ms;
    return !warned && (by || (after > 0 && now - first_due(mail) >= after));
}

bool queue_is_over(const struct queue *q, const struct store_mail *mail, int64_t now)
{
    return now >= queue_settle_end(q, mail);
}

static void decide(const struct queue *q, const struct queue_item *item, const struct queue_target *t,
                   struct settled *one, int64_t now)
{
    const struct queue_outcome *o = &one->outcome;
    int64_t end = queue_settle_end(q, &item->mail);
    one->next_ms = STORE_NEVER;
    one->expired = one->by_expired = one->late = one->unreturned = false;
    one->silent = o->silent;
    if (o->hold) {
        one->state = STORE_HELD;
    } else if (o->kind == IPC_OUTCOME_DELIVERED) {
        one->state = STORE_DELIVERED;
    } else if (o->kind == IPC_OUTCOME_FAILED) {
        one->state = STORE_FAILED;
    } else if (now >= end) {
        one->state = STORE_FAILED;
        one->expired = true;
        one->by_expired = item->mail.parameters.by == SP_BY_RETURN && end == item->mail.parameters.by_ms;
    } else {
        one->late = queue_is_late(q, &item->mail, t->warned, now);
        one->by_expired =
            one->late && item->mail.parameters.by == SP_BY_NOTIFY && now >= item->mail.parameters.by_ms;
        one->state = o->unchanged && t->attempts == 0 ? STORE_QUEUED : STORE_DEFERRED;
        one->next_ms = o->unchanged ? o->next_ms
                       : o->at_once ? now
                                    : now + queue_pause_after(q, o, t->attempts + 1, now);
        if (one->next_ms > end)
            one->next_ms = end; /* the last attempt */
    }
}

/* --- write down ----------------------------------------------------------------------------- */

static int write_down(struct queue *q, struct queue_settling *s)
{
    const struct queue_item *item = s->item;
    int64_t now = q->wall_ms();
    struct store_settlement *list = os_new(item->target_n * sizeof *list);
    size_t i = 0;
    s->absent = s->gone = false;
    memset(s->reports, 0, sizeof s->reports);
    for (const struct queue_target *t = item->targets; t; t = t->next, i++) {
        const struct queue_outcome *o = &s->ones[i].outcome;
        decide(q, item, t, &s->ones[i], now);
        queue_settle_spare(q, s, t, &s->ones[i]);
        list[i] = (struct store_settlement){.number = t->number,
                                            .state = s->ones[i].state,
                                            .attempted = o->attempted,
                                            .warned = s->ones[i].late,
                                            .unreturned = s->ones[i].unreturned,
                                            .next_ms = s->ones[i].next_ms,
                                            .last_ms = o->unchanged ? o->last_ms : now,
                                            .code = o->code,
                                            .enhanced = o->enhanced,
                                            .reply = o->reply,
                                            .remote = o->remote,
                                            .tls = o->tls};
    }
    int status = queue_settle_report(q, s, now);
    if (!status)
        status = store_settle(q->store, item->mail.id, list, i, &s->gone);
    free(list);
    return status;
}

/* --- after the commit ----------------------------------------------------------------------- */

static void log_one(struct queue *q, const struct queue_settling *s, const struct queue_target *t,
                    const struct settled *one)
{
    static const char *const events[STORE_STATE_N] = {[STORE_DEFERRED] = "mail-deferred",
                                                      [STORE_HELD] = "mail-held",
                                                      [STORE_DELIVERED] = "mail-delivered",
                                                      [STORE_FAILED] = "mail-failed"};
    const struct queue_outcome *o = &one->outcome;
    const struct reference_action_text *action = reference_action_text(o->advice.action);
    struct queue_id id = queue_id(s->item->mail.id);
    struct sp_buf next;
    sp_buf_init(&next, &os_heap, 64);
    if (one->next_ms != STORE_NEVER)
        (void)sp_buf_add_rfc3339(&next, one->next_ms, false); /* fits */
    const char *note = one->unreturned ? "refused; its sender may be forged and is not told"
                       : o->silent     ? "kept no longer; its sender may be forged and is not told"
                       : one->expired  ? "expired"
                       : o->kind == IPC_OUTCOME_UNKNOWN ? "may be delivered twice"
                                                        : NULL;
    os_log(OS_INFO, o->silent ? "mail-dropped" : events[one->state], OS_STR("id", id.text),
           OS_VIEW("session", s->item->mail.session), OS_VIEW("recipient", queue_address(t)),
           OS_VIEW("route", queue_route(s->item)), OS_VIEW("remote", o->remote), OS_VIEW("tls", o->tls),
           OS_VIEW("reply", o->reply), OS_STR("meaning", o->advice.id),
           OS_STR("action", action ? action->name : NULL), OS_NUM("attempts", t->attempts + o->attempted),
           OS_VIEW("next", sp_buf_view(&next)), OS_STR("note", note),
           OS_STR("finished", s->gone ? "yes" : NULL));
    sp_buf_fini(&next);
    q->counters.delivered += one->state == STORE_DELIVERED;
    q->counters.deferred += one->state == STORE_DEFERRED;
    q->counters.bounced += one->state == STORE_FAILED;
}

static void put_off(struct queue *q, struct queue_settling *s)
{
    if (s->item->looked_up) { /* others may have it by then */
        queue_item_free(q, s->item, 0);
        settling_free(s);
        return;
    }
    s->next = q->unsettled;
    q->unsettled = s;
    os_timer_set(&q->again, AGAIN_MS);
}

static void settled_done(struct queue *q, struct queue_entry *entry, bool ok, enum ipc_submit_why why)
{
    struct queue_settling *s = (struct queue_settling *)entry;
    (void)why;
    if (!ok) {
        /* The reports never were; what became of the recipients is still to be written down. */
        queue_settle_drop_reports(q, s);
        put_off(q, s);
        return;
    }
    int64_t due = STORE_NEVER;
    size_t i = 0;
    for (const struct queue_target *t = s->item->targets; t; t = t->next, i++) {
        if (!s->absent && !s->ones[i].outcome.unchanged)
            log_one(q, s, t, &s->ones[i]);
        if (!s->absent && s->ones[i].next_ms < due)
            due = s->ones[i].next_ms;
    }
    queue_settle_put_reports(q, s);
    queue_item_free(q, s->item, due);
    settling_free(s);
}

/* --- settle --------------------------------------------------------------------------------- */

static void settle(struct queue *q, struct queue_settling *s)
{
    if (!queue_batch_open(q)) {
        put_off(q, s);
        return;
    }
    int status = write_down(q, s);
    s->absent = status == SP_ERR_ABSENT;
    s->entry.done = settled_done;
    queue_batch_add(q, &s->entry, s->text.len); /* may commit: s is gone */
    if (status && status != SP_ERR_ABSENT)
        queue_batch_fail(q);
}

void queue_settle(struct queue *q, struct queue_item *item, const struct queue_outcome *outcomes, size_t n)
{
    settle(q, settling_new(item, outcomes, n));
}

void queue_settle_again(struct queue *q)
{
    struct queue_settling *s = q->unsettled;
    q->unsettled = NULL;
    while (s) {
        struct queue_settling *next = s->next;
        settle(q, s);
        s = next;
    }
}

bool queue_is_unsettled(const struct queue *q, uint64_t mail, uint32_t number)
{
    for (const struct queue_settling *s = q->unsettled; s; s = s->next)
        for (const struct queue_target *t = s->item->mail.id == mail ? s->item->targets : NULL; t;
             t = t->next)
            if (t->number == number)
                return true;
    return false;
}

void queue_settle_forget(struct queue *q)
{
    while (q->unsettled) {
        struct queue_settling *s = q->unsettled;
        q->unsettled = s->next;
        queue_item_free(q, s->item, STORE_NEVER);
        settling_free(s);
    }
}
