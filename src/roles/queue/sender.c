/* The sender of attempts: the message's own, but for what was led to another server. */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"

enum { SENDER_MAX = 2048 };

bool queue_is_away(const struct queue *q, const struct store_recipient *r)
{
    return r->forwarded && srs_is_outside(q->role->config, r->address);
}

bool queue_item_fits(const struct queue *q, const struct queue_item *item, const struct queue_destination *d,
                     const struct store_recipient *r)
{
    return item->destination == d && item->target_n < QUEUE_TARGETS_MAX && item->away == queue_is_away(q, r);
}

/* The time whose day is signed: that of its acceptance in each attempt, for who greylists. What was held for
 * longer than attempts go on would leave with an address that is too old already: it is made anew. */
static int64_t signing_time(const struct queue *q, const struct store_mail *mail)
{
    int64_t age = q->wall_ms() - mail->received_ms, span = (int64_t)q->role->config->queue.expire_s * 1000;
    return age > span ? mail->received_ms + age / span * span : mail->received_ms;
}

struct sp_view queue_sender(const struct queue *q, const struct store_mail *mail, bool away,
                            struct sp_buf *made)
{
    sp_buf_init(made, &os_heap, SENDER_MAX);
    return away ? srs_sender(addresses_srs(q->role->addresses), q->role->config, mail->sender,
                             signing_time(q, mail), made)
                : mail->sender;
}
