#include "roles/queue/tls.h"

#include "os/log.h"

void queue_batch_init(struct queue *q) { q->batch = (struct queue_batch){.end = &q->batch.first}; }

enum ipc_submit_why queue_batch_why(const struct queue *q)
{
    return store_disk_full(q->store) ? IPC_SUBMIT_DISK_FULL : IPC_SUBMIT_BROKEN;
}

enum { SAY_AGAIN_MS = 60000 };

/* Once, and each minute while it lasts: clients that try again and again are not to fill the log. */
static void log_failure(struct queue *q, const char *what)
{
    int64_t now = q->wall_ms();
    bool said = q->failing && now - q->failed_ms < SAY_AGAIN_MS && now >= q->failed_ms;
    q->failing = true;
    if (said)
        return;
    q->failed_ms = now;
    os_log(OS_WARN, "store-failed", OS_STR("what", what), OS_STR("error", store_error(q->store)),
           OS_NUM("entries", q->batch.n));
}

bool queue_batch_open(struct queue *q)
{
    struct queue_batch *b = &q->batch;
    if (b->open)
        return true;
    if (store_begin(q->store) != SP_OK) {
        log_failure(q, "begin");
        return false;
    }
    if (store_space(q->store, &b->space) != SP_OK) {
        log_failure(q, "space");
        store_rollback(q->store);
        return false;
    }
    b->open = true;
    os_later_ask(&q->turn);
    return true;
}

void queue_batch_add(struct queue *q, struct queue_entry *entry, size_t octets)
{
    struct queue_batch *b = &q->batch;
    entry->next = NULL;
    *b->end = entry;
    b->end = &entry->next;
    b->n++;
    b->octets += octets;
    if (b->n >= QUEUE_BATCH_MAX || b->octets >= QUEUE_BATCH_OCTETS)
        queue_batch_commit(q);
}

/* Entries may open the next batch while they are told of this one. */
static void finish(struct queue *q, bool ok, enum ipc_submit_why why)
{
    struct queue_entry *entry = q->batch.first;
    queue_batch_init(q);
    while (entry) {
        struct queue_entry *next = entry->next;
        entry->done(q, entry, ok, why);
        entry = next;
    }
}

void queue_batch_fail(struct queue *q)
{
    if (!q->batch.open)
        return; /* the batch was full, and its commit has met the failure */
    enum ipc_submit_why why = queue_batch_why(q);
    log_failure(q, "change");
    store_rollback(q->store);
    finish(q, false, why);
}

void queue_batch_commit(struct queue *q)
{
    if (!q->batch.open)
        return;
    if (queue_tls_write(q)) {
        queue_batch_fail(q);
        return;
    }
    if (store_commit(q->store) == SP_OK) {
        q->counters.commits++;
        queue_tls_written(q);
        if (q->failing)
            os_log(OS_INFO, "store-works-again");
        q->failing = false;
        finish(q, true, IPC_SUBMIT_BROKEN);
        return;
    }
    enum ipc_submit_why why = queue_batch_why(q);
    log_failure(q, "commit");
    finish(q, false, why);
}
