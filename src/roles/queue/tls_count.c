/*
 * Sessions, added up in memory and written with the next commit, whoever causes that: the mail that a session
 * was made for settles right behind it. What is lost when the process is killed is what came since the last
 * commit.
 */
#include "roles/queue/tls.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

/* Keyed by the day and the message as it came. */
struct pending {
    uint64_t n;
    size_t len;
    uint8_t octets[]; /* of the message, packed */
};

uint32_t queue_tls_today(const struct queue *q) { return (uint32_t)(q->wall_ms() / QUEUE_TLS_DAY_MS); }

static struct sp_view key_of(uint32_t day, const struct ipc_message *m, struct sp_buf *key)
{
    int fd;
    sp_buf_add(key, sp_view_make(&day, sizeof day));
    if (ipc_pack(m, key, &fd))
        os_panic("tls-report", "a session cannot be packed that came so");
    return sp_buf_view(key);
}

void queue_take_tls_session(struct queue *q, const struct ipc_message *m)
{
    const struct ipc_tls_session *t = &m->as.tls_session;
    struct sp_buf b;
    if (!q->role->config->tls_reports.contact || t->domain.len == 0 || !ipc_tls_policy_word(t->policy) ||
        !ipc_tls_result_word(t->result))
        return;
    sp_buf_init(&b, &os_heap, IPC_PAYLOAD_MAX * 2);
    struct sp_view key = key_of(queue_tls_today(q), m, &b);
    struct pending *p = sp_table_get(&q->tls.pending, key);
    if (!p) {
        p = os_new(sizeof *p + key.len);
        p->len = key.len;
        memcpy(p->octets, key.p, key.len);
        int status = sp_table_put(&q->tls.pending, key, p);
        (void)status; /* os_heap never says no */
    }
    p->n++;
    sp_buf_fini(&b);
    if (q->tls.pending.n >= QUEUE_TLS_PENDING_MAX)
        queue_tls_flush(q);
}

/* --- writing ----------------------------------------------------------------------------------- */

/* Some time after the end of the day, not that of all others. */
static int64_t due_of(uint32_t day)
{
    uint32_t random;
    os_random(&random, sizeof random);
    return ((int64_t)day + 1) * QUEUE_TLS_DAY_MS + QUEUE_TLS_DELAY_LEAST_MS +
           random % (QUEUE_TLS_DELAY_MOST_MS - QUEUE_TLS_DELAY_LEAST_MS);
}

static void note_bounded(struct queue *q, uint32_t day)
{
    if (q->tls.bounded == day)
        return;
    q->tls.bounded = day;
    os_log(
        OS_WARN, "tls-report-bounded", OS_NUM("domains", STORE_TLS_DOMAINS_MAX),
        OS_STR("effect", "sessions with further domains are counted together today, and are not reported"));
}

static int write_one(struct queue *q, const struct pending *p)
{
    struct ipc_message m;
    uint32_t day;
    bool bounded = false;
    memcpy(&day, p->octets, sizeof day);
    struct sp_view payload =
        sp_view_make(p->octets + sizeof day + IPC_HEADER_LEN, p->len - sizeof day - IPC_HEADER_LEN);
    if (ipc_unpack(IPC_TYPE_tls_session, payload, -1, &m))
        os_panic("tls-report", "a session cannot be read that was packed here");
    const struct ipc_tls_session *t = &m.as.tls_session;
    struct store_tls_session session = {.day = day,
                                        .domain = t->domain,
                                        .policy = sp_view_of(ipc_tls_policy_word(t->policy)),
                                        .strings = t->strings,
                                        .patterns = t->patterns,
                                        .result = sp_view_of(ipc_tls_result_word(t->result)),
                                        .sending_ip = t->sending_ip,
                                        .mx = t->mx,
                                        .helo = t->helo,
                                        .receiving_ip = t->receiving_ip,
                                        .reason = t->reason,
                                        .n = p->n};
    int status = store_tls_add(q->store, &session, due_of(day), &bounded);
    if (bounded)
        note_bounded(q, day);
    return status;
}

int queue_tls_write(struct queue *q)
{
    size_t cursor = 0;
    struct sp_view key;
    int status = SP_OK;
    for (void *value; !status && sp_table_next(&q->tls.pending, &cursor, &key, &value);)
        status = write_one(q, value);
    return status;
}

void queue_tls_written(struct queue *q)
{
    uint64_t seed = q->tls.pending.seed;
    size_t cursor = 0;
    struct sp_view key;
    if (q->tls.pending.n == 0)
        return;
    for (void *value; sp_table_next(&q->tls.pending, &cursor, &key, &value);)
        free(value);
    sp_table_fini(&q->tls.pending);
    sp_table_init(&q->tls.pending, &os_heap, seed);
}

void queue_tls_flush(struct queue *q)
{
    if (q->tls.pending.n == 0 || !queue_batch_open(q))
        return;
    queue_batch_commit(q);
    /* The store fails, and says so in the log: what would grow without end is not kept. */
    if (q->tls.pending.n >= QUEUE_TLS_PENDING_MAX)
        queue_tls_written(q);
}
