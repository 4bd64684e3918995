/* Group commit: what waits for the next commit, and what happens after it. */
#ifndef ROLES_QUEUE_BATCH_H
#define ROLES_QUEUE_BATCH_H

#include "ipc/ipc.h"
#include "store/store.h"

struct queue;

/* Something that waits for the commit. Its owner embeds it and frees itself in the call. */
struct queue_entry {
    struct queue_entry *next;
    /* ok: it is on disk. Else the transaction was rolled back, for this reason. */
    void (*done)(struct queue *q, struct queue_entry *entry, bool ok, enum ipc_submit_why why);
};

struct queue_batch {
    bool open;
    struct queue_entry *first, **end;
    size_t n, octets;
    struct store_space space; /* at its begin */
};

void queue_batch_init(struct queue *q);
/* Begin unless begun. false: the store refuses; queue_batch_why tells. */
bool queue_batch_open(struct queue *q);
/* The entry's changes are made; octets: how much they write. */
void queue_batch_add(struct queue *q, struct queue_entry *entry, size_t octets);
/* A verb failed: roll back, and say no to all. */
void queue_batch_fail(struct queue *q);
void queue_batch_commit(struct queue *q);
enum ipc_submit_why queue_batch_why(const struct queue *q);

#endif
