/* Which report is to be sent: those of days that are over, when their time has come, and those that a tool
 * asks for. */
#include "roles/queue/tls.h"

#include "base/time.h"
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

/* --- jobs -------------------------------------------------------------------------------------- */

void queue_tls_free(struct queue_tls_job *job)
{
    struct sp_buf *bufs[] = {&job->text, &job->record, &job->octets, &job->sent_to, &job->said};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        sp_buf_fini(bufs[i]);
    os_timer_fini(&job->timer);
    free(job);
}

static bool is_report(const struct queue_tls_job *j, const struct store_tls_report *r)
{
    return j->report.day == r->day && sp_view_eq(j->report.domain, r->domain);
}

/* Under way, or in the line before that place. */
static bool is_known(const struct queue *q, struct queue_tls_job *const *end,
                     const struct store_tls_report *r)
{
    for (const struct queue_tls_job *j = q->tls.jobs; j; j = j->next)
        if (is_report(j, r))
            return true;
    for (struct queue_tls_job *const *at = &q->tls.line; at != end; at = &(*at)->next)
        if (is_report(*at, r))
            return true;
    return false;
}

static void give_up(void *ctx);

static struct queue_tls_job *job_new(struct queue *q, const struct store_tls_report *r, bool asked)
{
    enum { TEXT_MAX = 1 << 20, RECORD_MAX = 64 << 10 };
    struct queue_tls_job *job = os_new(sizeof *job);
    *job = (struct queue_tls_job){.q = q, .report = *r, .asked = asked};
    sp_buf_init(&job->text, &os_heap, TEXT_MAX);
    sp_buf_init(&job->record, &os_heap, RECORD_MAX);
    sp_buf_init(&job->octets, &os_heap, TEXT_MAX * 4);
    sp_buf_init(&job->sent_to, &os_heap, TEXT_MAX);
    sp_buf_init(&job->said, &os_heap, TEXT_MAX);
    (void)sp_buf_reserve(&job->text, r->domain.len + r->sent_to.len + 1); /* os_heap never says no */
    sp_buf_add(&job->text, r->domain);
    sp_buf_add(&job->text, r->sent_to);
    struct sp_view all = sp_buf_view(&job->text);
    job->report.domain = sp_view_sub(all, 0, r->domain.len);
    job->report.sent_to = sp_view_from(all, r->domain.len);
    job->report.said = (struct sp_view){0};
    os_timer_init(&job->timer, q->role->base, give_up, job);
    return job;
}

static void give_up(void *ctx)
{
    struct queue_tls_job *job = ctx;
    (void)sp_buf_add_str(&job->said, "no delivery process answers"); /* os_heap never says no */
    queue_tls_end(job, STORE_TLS_WAITING);
}

static void start(struct queue *q, struct queue_tls_job *job)
{
    job->next = q->tls.jobs;
    q->tls.jobs = job;
    q->tls.job_n++;
    queue_tls_begin(job);
}

static void start_next(struct queue *q)
{
    if (q->tls.starting)
        return;
    q->tls.starting = true;
    while (q->tls.line && q->tls.job_n < QUEUE_TLS_AT_ONCE) {
        struct queue_tls_job *job = q->tls.line;
        q->tls.line = job->next;
        if (!q->tls.line)
            q->tls.line_end = &q->tls.line;
        start(q, job);
    }
    q->tls.starting = false;
}

static void stand_in_line(struct queue *q, struct queue_tls_job *job)
{
    *q->tls.line_end = job;
    q->tls.line_end = &job->next;
}

/* --- the end of one ------------------------------------------------------------------------------ */

static int64_t next_try(const struct store_tls_report *r, int64_t now)
{
    int64_t pause = QUEUE_TLS_RETRY_FIRST_MS;
    for (uint32_t i = 1; i < r->attempts && pause < QUEUE_TLS_RETRY_FOR_MS; i++)
        pause *= 2;
    return now + pause;
}

bool queue_tls_promise(struct queue_tls_job *job)
{
    struct queue *q = job->q;
    struct store_tls_report r = job->report;
    if (job->asked || r.day >= queue_tls_today(q))
        return true;
    r.state = STORE_TLS_WAITING;
    r.first_ms = r.first_ms ? r.first_ms : q->wall_ms();
    r.next_ms = q->wall_ms() + QUEUE_TLS_RETRY_FIRST_MS;
    if (!queue_batch_open(q))
        return false;
    if (store_tls_mark(q->store, &r) == SP_ERR_IO)
        queue_batch_fail(q);
    else
        queue_batch_commit(q);
    return !q->failing;
}

/* A report of a day that goes on is one more: the day's own comes when it is over. */
static void judge(struct queue_tls_job *job, enum store_tls_state state, int64_t now)
{
    struct store_tls_report *r = &job->report;
    bool over = r->day < queue_tls_today(job->q);
    r->said = sp_buf_view(&job->said);
    if (state == STORE_TLS_SENT) {
        r->sent_ms = now;
        r->sent_to = sp_buf_view(&job->sent_to);
    }
    if (!over || (job->asked && state != STORE_TLS_SENT))
        return;
    r->attempts++;
    r->first_ms = r->first_ms ? r->first_ms : now;
    r->state = state;
    r->next_ms = 0;
    if (state != STORE_TLS_WAITING)
        return;
    if (now - r->first_ms < QUEUE_TLS_RETRY_FOR_MS)
        r->next_ms = next_try(r, now);
    else
        r->state = STORE_TLS_FAILED;
}

static void log_end(const struct queue_tls_job *job, enum store_tls_state state)
{
    struct sp_buf moment;
    sp_buf_init(&moment, &os_heap, 64);
    (void)sp_buf_add_rfc3339(&moment, (int64_t)job->report.day * QUEUE_TLS_DAY_MS, false); /* fits */
    struct sp_view day = sp_view_sub(sp_buf_view(&moment), 0, sizeof "2026-11-24" - 1);
    if (state == STORE_TLS_SENT)
        os_log(OS_INFO, "tls-report-sent", OS_VIEW("domain", job->report.domain), OS_VIEW("day", day),
               OS_VIEW("to", sp_buf_view(&job->sent_to)), OS_NUM("good", job->good), OS_NUM("bad", job->bad));
    else if (state == STORE_TLS_UNWANTED)
        os_log(OS_INFO, "tls-report-unwanted", OS_VIEW("domain", job->report.domain), OS_VIEW("day", day));
    else
        os_log(OS_INFO, "tls-report-failed", OS_VIEW("domain", job->report.domain), OS_VIEW("day", day),
               OS_VIEW("why", sp_buf_view(&job->said)),
               OS_STR("effect", job->report.next_ms ? "it is tried again" : "it is not tried again"));
    sp_buf_fini(&moment);
}

/* Into the open transaction, or one of its own. */
static void write_down(struct queue *q, const struct store_tls_report *r)
{
    if (!queue_batch_open(q))
        return; /* the log says so; it is due again */
    int status = store_tls_mark(q->store, r);
    if (status && status != SP_ERR_ABSENT)
        queue_batch_fail(q);
}

void queue_tls_end(struct queue_tls_job *job, enum store_tls_state state)
{
    struct queue *q = job->q;
    struct queue_tls_job **at = &q->tls.jobs;
    judge(job, state, q->wall_ms());
    write_down(q, &job->report);
    log_end(job, state);
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    q->tls.job_n--;
    queue_tls_free(job);
    start_next(q);
    if (q->tls.job_n == 0 && !q->failing)
        os_timer_set(&q->tls.tick, 0); /* more may be due */
}

/* --- looking for them ---------------------------------------------------------------------------- */

static void take_due(void *ctx, const struct store_tls_report *r)
{
    struct queue *q = ctx;
    if (!is_known(q, q->tls.line_end, r))
        stand_in_line(q, job_new(q, r, false));
}

static void forget_old(struct queue *q, uint32_t today)
{
    if (q->tls.tidied == today || today < STORE_TLS_DAYS_KEPT || !queue_batch_open(q))
        return;
    if (store_tls_forget(q->store, today - STORE_TLS_DAYS_KEPT)) {
        queue_batch_fail(q);
        return;
    }
    q->tls.tidied = today;
}

void queue_tls_look(struct queue *q)
{
    uint32_t today = queue_tls_today(q);
    os_timer_set(&q->tls.tick, QUEUE_TLS_TICK_MS);
    if (q->stopping)
        return;
    forget_old(q, today);
    queue_tls_flush(q);
    if (!q->role->config->tls_reports.contact || q->tls.line || q->tls.job_n > 0)
        return;
    if (store_tls_due(q->store, q->wall_ms(), today, QUEUE_TLS_AT_ONCE, take_due, q))
        os_log(OS_WARN, "store-failed", OS_STR("what", "tls-report"), OS_STR("error", store_error(q->store)));
    start_next(q);
}

struct asking {
    struct queue *q;
    uint32_t day;
    struct sp_view domain;
    struct queue_tls_job *const *line_end; /* before all that is asked for: of those, none comes twice */
    size_t n;
};

static void take_asked(void *ctx, const struct store_tls_report *r)
{
    struct asking *a = ctx;
    bool wanted = a->domain.len == 0 ? r->domain.len > 0 : sp_view_eq_nocase(a->domain, r->domain);
    if (r->day != a->day || !wanted)
        return;
    a->n++;
    if (!is_known(a->q, a->line_end, r))
        stand_in_line(a->q, job_new(a->q, r, true));
}

int queue_tls_ask(struct queue *q, uint32_t day, struct sp_view domain, size_t *n_out)
{
    struct asking a = {.q = q, .day = day, .domain = domain, .line_end = q->tls.line_end};
    int status = store_tls_list(q->store, day, (struct sp_view){0}, STORE_TLS_DOMAINS_MAX, take_asked, &a);
    start_next(q);
    *n_out = a.n;
    return status;
}

/* --- life ------------------------------------------------------------------------------------------ */

static void look(void *ctx) { queue_tls_look(ctx); }

void queue_tls_start(struct queue *q)
{
    uint64_t seed;
    os_random(&seed, sizeof seed);
    sp_table_init(&q->tls.pending, &os_heap, seed);
    os_random(&q->tls.last_tag, sizeof q->tls.last_tag);
    q->tls.line_end = &q->tls.line;
    os_timer_init(&q->tls.tick, q->role->base, look, q);
    os_timer_set(&q->tls.tick, QUEUE_TLS_TICK_MS);
}

void queue_tls_stop(struct queue *q)
{
    struct queue_tls_job *job;
    for (; (job = q->tls.jobs); queue_tls_free(job))
        q->tls.jobs = job->next;
    for (; (job = q->tls.line); queue_tls_free(job))
        q->tls.line = job->next;
    queue_tls_written(q);
    sp_table_fini(&q->tls.pending);
    os_timer_fini(&q->tls.tick);
}

void queue_tls_lose_peer(struct queue *q, uint32_t peer)
{
    for (struct queue_tls_job *j = q->tls.jobs; j; j = j->next)
        if (j->peer == peer && j->tag)
            os_timer_set(&j->timer, 0);
}
