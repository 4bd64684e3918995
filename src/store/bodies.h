/*
 * The contents of large messages: files named by the message's id. `incoming` holds what smtpd is
 * writing, `bodies` what a message in the database owns. A file moves from one to the other inside a
 * transaction, and the folder is synced before the transaction commits; a file is removed only after the
 * transaction that removes its message has committed. So a message never lacks its file, and a crash
 * leaves at most files without a message, which the sweep removes.
 */
#ifndef STORE_BODIES_H
#define STORE_BODIES_H

#include "base/buf.h"

struct bodies {
    int incoming, bodies;         /* descriptors of the folders      */
    struct sp_buf taken, dropped; /* ids of the open transaction     */
};

/* Make what is missing. SP_ERR_IO: errno says why. */
SP_MUST_USE int bodies_open(struct bodies *b, int folder);
void bodies_close(struct bodies *b);

/* SP_ERR_EXISTS, SP_ERR_IO (errno). */
SP_MUST_USE int bodies_spool(struct bodies *b, uint64_t id, int *fd_out);
void bodies_unspool(struct bodies *b, uint64_t id);

/* Move a file from incoming in. SP_ERR_ABSENT: not there, or not of that size; SP_ERR_IO (errno). */
SP_MUST_USE int bodies_take(struct bodies *b, uint64_t id, uint64_t size);

/* Remove a file once the transaction has committed. */
void bodies_drop(struct bodies *b, uint64_t id);

/* Before the commit: what was taken is durable. SP_ERR_IO (errno). */
SP_MUST_USE int bodies_sync(struct bodies *b);
void bodies_committed(struct bodies *b);
void bodies_rolled_back(struct bodies *b);

/* A read-only descriptor. SP_ERR_IO (errno). */
SP_MUST_USE int bodies_read(struct bodies *b, uint64_t id, int *fd_out);

/* Remove all of incoming, and of bodies what `owned` denies. SP_ERR_IO (errno). */
SP_MUST_USE int bodies_sweep(struct bodies *b, bool (*owned)(void *ctx, uint64_t id), void *ctx);

#endif
