/* Room on the disk, and files for messages that are too large for one submit: who brings them writes them. */
#include "roles/queue/queue.h"

#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>
#include <unistd.h>

/* A file in incoming that a smtpd process or pickup writes. */
struct queue_spool {
    struct queue_spool *next;
    uint64_t id;
    uint32_t bringer; /* see queue_bringer_of */
};

/* --- free space ----------------------------------------------------------------------------- */

bool queue_is_low(struct queue *q, uint64_t octets)
{
    uint64_t floor = q->role->config->limits.free_octets;
    bool low = octets < floor;
    if (low != q->disk_low)
        os_log(low ? OS_WARN : OS_INFO, low ? "disk-low" : "disk-enough", OS_NUM("free", octets),
               OS_NUM("floor", floor),
               OS_STR("note", low ? "new mail is refused for now (452 4.3.1)" : NULL));
    q->disk_low = low;
    return low;
}

bool queue_is_disk_low(struct queue *q)
{
    struct store_space space;
    return store_space(q->store, &space) == SP_OK &&
           space.free_octets + space.reusable_octets < q->role->config->limits.free_octets;
}

/* --- spool ---------------------------------------------------------------------------------- */

uint32_t queue_bringer_of(const struct os_edge *from)
{
    return (uint32_t)os_edge_peer(from) * ROLE_PEERS_MAX + os_edge_peer_index(from);
}

static struct queue_spool **find_spool(struct queue *q, uint64_t id, uint32_t bringer)
{
    struct queue_spool **at = &q->spools;
    while (*at && ((*at)->id != id || (*at)->bringer != bringer))
        at = &(*at)->next;
    return at;
}

bool queue_forget_spool(struct queue *q, uint64_t id, uint32_t bringer)
{
    struct queue_spool **at = find_spool(q, id, bringer), *spool = *at;
    if (!spool)
        return false;
    *at = spool->next;
    free(spool);
    return true;
}

static void refuse_spool(struct os_edge *to, uint64_t tag, enum ipc_submit_why why)
{
    struct ipc_message no = {.type = IPC_TYPE_spool_no, .as.spool_no = {.tag = tag, .why = (uint8_t)why}};
    (void)os_edge_send(to, &no); /* a peer that is gone needs no answer */
}

void queue_take_spool_want(struct queue *q, struct os_edge *from, const struct ipc_spool_want *m)
{
    struct store_space space;
    int fd = -1;
    int status = store_space(q->store, &space);
    if (!status && queue_is_low(q, space.free_octets)) {
        refuse_spool(from, m->tag, IPC_SUBMIT_DISK_FULL);
        return;
    }
    if (!status)
        status = store_spool(q->store, m->id, &fd);
    if (status) {
        if (status != SP_ERR_EXISTS)
            os_log(OS_WARN, "store-failed", OS_STR("what", "spool"), OS_STR("error", store_error(q->store)));
        refuse_spool(from, m->tag, status == SP_ERR_EXISTS ? IPC_SUBMIT_EXISTS : queue_batch_why(q));
        return;
    }
    struct queue_spool *spool = os_new(sizeof *spool);
    *spool = (struct queue_spool){q->spools, m->id, queue_bringer_of(from)};
    q->spools = spool;
    struct ipc_message here = {.type = IPC_TYPE_spool_here, .as.spool_here = {.tag = m->tag, .fd = fd}};
    (void)os_edge_send(from, &here); /* when the peer is gone, so is the file, in queue_drop_spools */
    close(fd);
}

void queue_take_spool_drop(struct queue *q, struct os_edge *from, const struct ipc_spool_drop *m)
{
    if (queue_forget_spool(q, m->id, queue_bringer_of(from)))
        store_unspool(q->store, m->id);
}

void queue_drop_spools(struct queue *q, uint32_t bringer)
{
    for (struct queue_spool **at = &q->spools; *at;) {
        struct queue_spool *spool = *at;
        if (spool->bringer != bringer) {
            at = &spool->next;
            continue;
        }
        store_unspool(q->store, spool->id);
        *at = spool->next;
        free(spool);
    }
}
