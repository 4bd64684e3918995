/*
 * The role delivery: takes attempts from queue, carries them out, and says what became of each
 * recipient. One pool per route; a pool has the attempts that wait and the links that carry them.
 */
#ifndef ROLES_DELIVERY_DELIVERY_H
#define ROLES_DELIVERY_DELIVERY_H

#include "client/client.h"
#include "message/id.h"
#include "roles/role.h"

/* --- an attempt: one message for recipients of one route ------------------------------------- */

struct delivery_target {
    uint64_t recipient; /* number in the store */
    struct sp_view address;
    struct sp_rcpt_parameters parameters;
    bool settled;
};

struct delivery_attempt {
    struct delivery_attempt *next;
    struct delivery *delivery;
    uint64_t lease, id;
    uint64_t number; /* in the order in which its pool took attempts */
    char id_text[MESSAGE_ID_TEXT + 1];
    struct os_edge *queue; /* whose it is; NULL once that queue is gone: nobody wants the result */
    struct sp_view sender, content, route;
    struct sp_mail_parameters parameters; /* what its sender asked: sallyport/envelope.h */
    int fd;                               /* the content, or -1 */
    uint64_t size;
    bool eight_bit, declared_eight_bit;
    struct sp_buf outcomes;
    uint32_t connections;    /* that the queue allows to the destination at the moment */
    enum ipc_health health;  /* of the destination, as this attempt met it */
    size_t target_n, open_n; /* open: without an outcome */
    struct delivery_target targets[];
};

/* Copy an attempt out of its message; takes the descriptor. NULL: it names no target. */
struct delivery_attempt *delivery_attempt_new(struct delivery *d, struct os_edge *queue,
                                              const struct ipc_attempt *m);

/* What became of a target: remembered for the result, and logged. */
struct delivery_outcome {
    enum ipc_outcome_kind kind;
    int code;
    struct sp_view enhanced, reply;
    const char *remote;
};
void delivery_attempt_settle(struct delivery_attempt *a, size_t target, const struct delivery_outcome *o);
void delivery_attempt_settle_open(struct delivery_attempt *a, const struct delivery_outcome *o);

/* All targets are settled: tell queue, and free. */
void delivery_attempt_finish(struct delivery_attempt *a);

/* Forget it without a result: queue leases it anew. */
void delivery_attempt_drop(struct delivery_attempt *a);

/* --- recipients done whose result queue may have lost ------------------------------------------ */

enum { DELIVERY_DONE_N = 8192 };

/*
 * The last deliveries. A queue that dies before it has stored a result asks again when it is back;
 * those are answered from here instead of being sent twice. A ring; the oldest are overwritten.
 */
struct delivery_done {
    struct {
        uint64_t id, recipient;
    } ring[DELIVERY_DONE_N];
    uint16_t heads[DELIVERY_DONE_N], nexts[DELIVERY_DONE_N]; /* chains by hash; 0: the end; n + 1 else */
    size_t at;
};
void delivery_done_add(struct delivery_done *d, uint64_t id, uint64_t recipient);
bool delivery_done_has(const struct delivery_done *d, uint64_t id, uint64_t recipient);

/* --- a pool: the way of one route --------------------------------------------------------------- */

struct delivery_pool {
    struct delivery_pool *next;
    struct delivery *delivery;
    char *name;
    enum config_route_kind kind;
    char *path; /* maildir */
    char *host, *hello;
    struct client_options options;
    struct sasl_credentials credentials;
    struct sp_buf secret; /* what credentials point to */
    uint32_t connections; /* as the queue last allowed */
    struct delivery_attempt *waiting, **waiting_end;
    size_t waiting_n;
    struct delivery_link *links;
    size_t link_n, dialling_n;
    uint64_t taken_n;        /* attempts so far                                                   */
    uint64_t enough_till_ms; /* monotonic: the server has just refused one more connection         */
    bool retired;            /* of an earlier configuration: goes when its links are gone */
};

/* settings.c */
struct delivery_pool *delivery_pool_new(struct delivery *d, const struct config_route *route);
void delivery_pool_free(struct delivery_pool *p);

/* pool.c */
void delivery_pool_take(struct delivery_pool *p, struct delivery_attempt *a);
void delivery_pool_give_back(struct delivery_pool *p, struct delivery_attempt *a); /* to the front */
void delivery_pool_feed(struct delivery_pool *p);
void delivery_pool_retire(struct delivery_pool *p);
void delivery_pool_forget_queue(struct delivery_pool *p, const struct os_edge *queue);

/* Settle what waits, of the first `number` attempts that the pool took; all with UINT64_MAX. */
void delivery_pool_settle_waiting(struct delivery_pool *p, uint64_t number, const struct delivery_outcome *o,
                                  enum ipc_health health);
struct delivery_attempt *delivery_pool_next(struct delivery_pool *p);

/* --- a link: one connection of a pool ------------------------------------------------------------ */

enum { DELIVERY_RECIPIENTS = 100 }; /* in one transaction; RFC 5321 4.5.3.1.8 */

struct delivery_link {
    struct delivery_link *next;
    struct delivery_pool *pool;
    struct client *client;
    struct delivery_attempt *attempt;
    struct sp_client_mail mail;
    struct sp_view recipients[DELIVERY_RECIPIENTS];
    struct sp_rcpt_parameters asked[DELIVERY_RECIPIENTS];
    size_t targets[DELIVERY_RECIPIENTS]; /* their places in the attempt        */
    bool crowded[DELIVERY_RECIPIENTS];   /* too many for this transaction      */
    size_t crowded_n, taken_n;
    bool lost;       /* before anything of this mail was answered             */
    bool was_ready;  /* it has come as far as to take mail                    */
    uint64_t born;   /* attempts that the pool had taken when it was dialled  */
    uint64_t mail_n; /* mails done over it                                    */
    struct os_timer idle;
    uint8_t *block;                /* of content read from a file                               */
    struct delivery_outcome crowd; /* what those recipients were told                           */
    struct sp_buf crowd_text;
};

void delivery_link_open(struct delivery_pool *p);
bool delivery_link_is_idle(const struct delivery_link *l);
void delivery_link_begin(struct delivery_link *l, struct delivery_attempt *a);
void delivery_link_leave(struct delivery_link *l); /* QUIT, when idle */

/* --- the role -------------------------------------------------------------------------------------- */

struct delivery_credential {
    struct delivery_credential *next;
    uint32_t generation;
    struct sp_buf route, user, password, authorities_pem, certificates_pem, key_pem;
};

struct delivery {
    struct role *role;
    struct dns *dns;
    struct delivery_pool *pools;
    struct delivery_credential *credentials;
    struct delivery_done done;
    int64_t paired_ms; /* wall time since when this process and queue have known each other */
    bool stopping;
    struct os_timer grace;
};

/* A link has gone: its pool may go too, and when stopping so may the process. */
void delivery_link_ended(struct delivery *d);

/* mailboxes.c: deliver to each open target. */
void delivery_maildir(struct delivery_pool *p, struct delivery_attempt *a);

#endif
