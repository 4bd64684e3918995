/*
 * What has waited too long without an attempt that would have shown it: a walk over the messages, oldest
 * first, up to those that are young. What has failed and is kept unreturned goes when its time is over, or
 * when there is no room for new mail: else refused spam could fill the disk. A message that is met is taken
 * out of the window first, so that it is judged by what the store knows and by nobody else meanwhile.
 */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum {
    PAGE = 200,        /* recipients in one step                                    */
    STEP_MS = 5,       /* between the pages of a walk                               */
    PAUSE_MS = 5000,   /* between walks, and more after a long one:                 */
    PAGE_PAUSE_MS = 50 /* for each of its pages                                     */
};

/* Recipients of one message that have waited too long. */
struct found {
    struct found *next;
    struct queue_item *item;
    struct queue_outcome *outcomes;
    size_t room;
    struct sp_buf text;
};

struct walk {
    struct queue *q;
    int64_t now;
    bool met;             /* the store has a message at all           */
    bool full;            /* there is no room for new mail            */
    bool young;           /* a message came that is too young for all */
    uint64_t mails[PAGE]; /* that were noted */
    size_t n;
    struct found *found;
};

/* The buffer moves while it grows: find_texts finds the text again by its length. */
static struct sp_view keep(struct sp_buf *text, struct sp_view v)
{
    (void)sp_buf_add(text, v); /* os_heap never says no */
    return (struct sp_view){NULL, v.len};
}

static void find_texts(struct found *f)
{
    size_t at = 0;
    for (size_t i = 0; i < f->item->target_n; i++) {
        struct sp_view *views[] = {&f->outcomes[i].enhanced, &f->outcomes[i].reply, &f->outcomes[i].remote,
                                   &f->outcomes[i].tls};
        for (size_t k = 0; k < 4; k++) {
            views[k]->p = f->text.p + at;
            at += views[k]->len;
        }
    }
}

static struct found *found_of(struct walk *w, const struct store_mail *mail, const struct store_recipient *r)
{
    if (w->found && w->found->item->mail.id == mail->id)
        return w->found;
    struct found *f = os_new(sizeof *f);
    f->item = queue_item_new(mail, false);
    f->item->looked_up = true;
    queue_item_aim(f->item, queue_destination_of(w->q, r->route, r->address));
    sp_buf_init(&f->text, &os_heap, SIZE_MAX / 2);
    f->next = w->found;
    w->found = f;
    return f;
}

static void add(struct walk *w, const struct store_mail *mail, const struct store_recipient *r)
{
    struct found *f = found_of(w, mail, r);
    size_t n = f->item->target_n, each = sizeof *f->outcomes;
    if (n == f->room) {
        size_t room = f->room ? f->room * 2 : 8;
        f->outcomes = os_heap.resize(os_heap.ctx, f->outcomes, f->room * each, room * each);
        f->room = room;
    }
    struct queue_destination *d = queue_destination_of(w->q, r->route, r->address);
    queue_window_forget_at(w->q, d, mail->id);
    queue_destination_drop(w->q, d);
    queue_item_add(f->item, r);
    struct queue_outcome *o = &f->outcomes[n];
    *o = (struct queue_outcome){.kind = IPC_OUTCOME_DEFERRED,
                                .unchanged = true,
                                .next_ms = r->next_ms,
                                .last_ms = r->last_ms,
                                .code = r->code};
    if (r->unreturned)
        *o = (struct queue_outcome){.kind = IPC_OUTCOME_FAILED, .silent = true, .code = r->code};
    o->enhanced = keep(&f->text, r->enhanced);
    o->reply = keep(&f->text, r->reply.len ? r->reply : SP_LIT("no attempt could be made yet"));
    o->remote = keep(&f->text, r->remote);
    o->tls = keep(&f->text, r->tls);
}

/* What it is about this recipient: nothing, or a reason to look at the message. */
static bool is_found(const struct walk *w, const struct store_mail *mail, const struct store_recipient *r)
{
    struct queue *q = w->q;
    bool over = queue_is_over(q, mail, w->now);
    if (r->state == STORE_HELD)
        return r->unreturned && (over || w->full);
    if (!store_state_waits(r->state))
        return false;
    /* What is due at its end anyway is judged by that attempt. */
    over = over && (r->parked.len || r->next_ms + PAUSE_MS < w->now);
    return (over || queue_is_late(q, mail, r->warned, w->now)) && !queue_is_under_way(q, mail->id, r->number);
}

static void judge(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct walk *w = ctx;
    if (is_found(w, mail, r))
        add(w, mail, r);
}

/* Note the message of a recipient that has waited too long: recipients of one come one after another. */
static void note(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct walk *w = ctx;
    if ((w->n == 0 || w->mails[w->n - 1] != mail->id) && is_found(w, mail, r))
        w->mails[w->n++] = mail->id; /* a page has no more */
}

static void note_by_age(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct walk *w = ctx;
    const struct config_queue *c = &w->q->role->config->queue;
    uint32_t least_s = c->warn_after_s && c->warn_after_s < c->expire_s ? c->warn_after_s : c->expire_s;
    w->met = true;
    bool young = w->now - mail->received_ms < (int64_t)least_s * 1000;
    w->young = w->young || (young && !w->full);
    if (!young || w->full)
        note(ctx, mail, r);
}

/* All that a message has, however many pages hold it: its sender gets one report. */
static int judge_noted(struct walk *w)
{
    int status = SP_OK;
    for (size_t i = 0; i < w->n && (!status || status == SP_ERR_ABSENT); i++) {
        struct store_cursor cursor = {.mail = w->mails[i], .only = true};
        do
            status = store_list(w->q->store, &cursor, PAGE, judge, w);
        while (!status && !cursor.end);
    }
    w->n = 0;
    return status == SP_ERR_ABSENT ? SP_OK : status; /* removed meanwhile */
}

static void free_found(struct found *f)
{
    sp_buf_fini(&f->text);
    free(f->outcomes);
    free(f);
}

static void settle_found(struct walk *w)
{
    struct queue *q = w->q;
    while (w->found) {
        struct found *f = w->found;
        w->found = f->next;
        find_texts(f);
        queue_settle(q, f->item, f->outcomes, f->item->target_n);
        free_found(f);
    }
    queue_batch_commit(q);
}

/* --- the walk ------------------------------------------------------------------------------- */

/* An empty store is looked at again when it is not empty any more. */
static void end_walk(struct queue *q)
{
    if (!q->watch.asleep)
        os_timer_set(&q->watch.timer, PAUSE_MS + q->watch.pages * PAGE_PAUSE_MS);
    q->watch.cursor = (struct store_cursor){0};
    q->watch.pages = 0;
}

void queue_watch_step(struct queue *q)
{
    struct walk w = {.q = q, .now = q->wall_ms()};
    struct queue_watch *watch = &q->watch;
    if (q->stopping)
        return;
    if (q->unsettled) { /* the store does not know yet what became of these */
        end_walk(q);
        return;
    }
    queue_batch_commit(q); /* what is being settled is not to be met as waiting */
    w.full = queue_is_disk_low(q);
    int status = SP_OK;
    if (watch->pages == 0)
        status = store_late(q->store, w.now, PAGE, note, &w);
    status = status ? status : judge_noted(&w);
    settle_found(&w);
    if (!status)
        status = store_list(q->store, &watch->cursor, PAGE, note_by_age, &w);
    status = status ? status : judge_noted(&w);
    settle_found(&w);
    watch->pages++;
    watch->asleep = !status && watch->pages == 1 && !w.met;
    if (status)
        os_log(OS_WARN, "store-failed", OS_STR("what", "watch"), OS_STR("error", store_error(q->store)));
    if (status || watch->cursor.end || w.young)
        end_walk(q);
    else
        os_timer_set(&watch->timer, STEP_MS);
}

static void step(void *ctx) { queue_watch_step(ctx); }

void queue_watch_start(struct queue *q)
{
    os_timer_init(&q->watch.timer, q->role->base, step, q);
    end_walk(q);
}

void queue_watch_wake(struct queue *q)
{
    if (!q->watch.asleep)
        return;
    q->watch.asleep = false;
    os_timer_set(&q->watch.timer, PAUSE_MS);
}

void queue_watch_stop(struct queue *q) { os_timer_fini(&q->watch.timer); }
