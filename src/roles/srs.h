/*
 * Senders of forwarded mail (message/srs.h), with the secrets and the rules of a configuration: the address
 * that stands for one, and the sender that such an address stands for.
 */
#ifndef ROLES_SRS_H
#define ROLES_SRS_H

#include "config/config.h"
#include "ipc/ipc.h"

enum {
    SRS_SECRETS_MAX = 16,
    SRS_SECRET_LEAST = 16, /* octets of a secret */
    SRS_SECRET_MOST = 255
};

struct srs;

struct srs *srs_new(void);
void srs_free(struct srs *s);

/* The secret in a line of the file: without spaces around it; empty: none, nor in a remark, which begins with
 * #. */
struct sp_view srs_secret(struct sp_view line);

/* Secrets for a generation of the configuration; in use from srs_use on, when those before are wiped. */
void srs_take(struct srs *s, const struct ipc_srs_secrets *m);
void srs_use(struct srs *s, uint32_t generation);

/* Does this address lead to another server: is its domain not ours? */
bool srs_is_outside(const struct config *c, struct sp_view address);

/*
 * The sender that a message names when it is forwarded to the outside. Where none stands for it, that is as
 * it was: without a section srs; for the null sender; for one of our domains; for one that would be too long.
 *
 *   s          NULL: nothing is signed
 *   sender     of the message; "" is the null sender
 *   signed_ms  wall time; its day is signed
 *   made       the result may be a view of it
 */
struct sp_view srs_sender(const struct srs *s, const struct config *c, struct sp_view sender,
                          int64_t signed_ms, struct sp_buf *made);

/* Append what a local part in srs/domain stands for. Returns what message_srs_decode does. */
SP_MUST_USE int srs_read(const struct srs *s, const struct config *c, struct sp_view local, int64_t now_ms,
                         struct sp_buf *address_out);

#endif
