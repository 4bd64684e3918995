/*
 * Requests of `sallyport queue`, answered from the store: by the queue role through the control socket, and
 * by the tool itself while no server runs. Each call answers one request, or one page of a long answer.
 */
#ifndef ROLES_QUEUE_CONTROL_H
#define ROLES_QUEUE_CONTROL_H

#include "ipc/ipc.h"
#include "store/store.h"

struct queue_control {
    struct store *store; /* without an open transaction */
    int64_t now_ms;
    void *ctx; /* of the calls below */
    void (*send)(void *ctx, const struct ipc_message *m);
    /* Is an attempt under way for this recipient? NULL: never. */
    bool (*active)(void *ctx, uint64_t mail, uint32_t number);
    /* Add what the store does not know. NULL: nothing more is known. */
    void (*count)(void *ctx, struct ipc_queue_counters *counters);
    /* These changes were made. NULL: nobody needs to know. */
    void (*removed)(void *ctx, uint64_t mail);
    void (*retried)(void *ctx);
};

/* One of queue_list, queue_show, queue_retry, queue_remove, queue_status; the last answer is a queue_done. */
void queue_control_answer(const struct queue_control *c, const struct ipc_message *request);

#endif
