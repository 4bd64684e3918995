/*
 * Connections of trusted proxies (proxy-from): nothing is said, not even a handshake begun, before the PROXY header has
 * come. Then the client that it names is judged like any other.
 */
#ifndef SMTPD_PROXY_H
#define SMTPD_PROXY_H

#include "roles/smtpd/smtpd.h"

/* fd: owned from now on. Until its client is known the connection counts as the proxy's. */
void proxy_begin(struct smtpd *smtpd, struct terms *terms, int fd, const struct os_address *from);

/* Nobody is waited for any more. */
void proxy_end_all(struct smtpd *smtpd);

#endif
