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
    void (*retried)(void *ctx, uint64_t mail); /* 0: all */
    void (*changed)(void *ctx, uint64_t mail, size_t recipients, enum ipc_queue_change_kind change);
    void (*suspended)(void *ctx, struct sp_view name, bool resumed);
    /* Take what waits in memory of this message out of it. NULL: there is no such memory. */
    void (*forget)(void *ctx, uint64_t mail);
    /* What only a running role can tell or do; NULL without one. The route for a new recipient, and the one that it
     * stands for: DONE, NO_ROUTE or SEVERAL. Return to the sender what is not under way. Complete the reason. Add the page of
     * destinations behind that name: true: there are more. */
    enum ipc_queue_answer (*route)(void *ctx, struct sp_view address, struct sp_buf *address_out,
                                   struct sp_view *route_out);
    int (*bounce)(void *ctx, uint64_t mail);
    /* The sender that attempts name; made is initialised there and the caller's to end. */
    struct sp_view (*sender)(void *ctx, const struct store_mail *mail, const struct store_recipient *r,
                             struct sp_buf *made);
    void (*why)(void *ctx, const struct store_mail *mail, const struct store_recipient *r,
                struct ipc_queue_reason *reason);
    bool (*places)(void *ctx, struct sp_view after, struct sp_buf *places);
    /* Let the store know all sessions of TLS. Send the reports about them: see queue_tls_ask. */
    void (*tls_settle)(void *ctx);
    int (*tls_send)(void *ctx, uint32_t day, struct sp_view domain, size_t *n_out);
};

/* One of the messages that messages.def lets a tool say to queue; the last answer is a queue_done. */
void queue_control_answer(const struct queue_control *c, const struct ipc_message *request);

#endif
