/*
 * Policies on disk, so that they hold across restarts: mta-sts/DOMAIN.policy in the role's folder,
 *
 *     sallyport-mta-sts 1
 *     id 20160831085700Z
 *     fetched 1766665842            seconds since 1970
 *     (an empty line, then the policy as it came)
 *
 * Several processes share the folder: a file is written beside and renamed.
 */
#ifndef ROLES_DELIVERY_STS_KEPT_H
#define ROLES_DELIVERY_STS_KEPT_H

#include "roles/delivery/sts_policy.h"

#include "base/buf.h"

struct sts_kept {
    char id[STS_ID_MAX + 1];
    int64_t fetched_s; /* wall time */
};

/* SP_ERR_IO: see errno. */
SP_MUST_USE int sts_kept_write(const char *domain, const struct sts_kept *kept, struct sp_view policy);

/* SP_ERR_ABSENT: there is none. SP_ERR_SYNTAX: not a file of ours. SP_ERR_IO: see errno. */
SP_MUST_USE int sts_kept_read(const char *domain, struct sts_kept *kept_out, struct sp_buf *policy_out);

#endif
