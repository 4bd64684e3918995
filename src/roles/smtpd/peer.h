/* What a trusted peer says of its client: XCLIENT and XFORWARD. */
#ifndef SMTPD_PEER_H
#define SMTPD_PEER_H

#include "roles/smtpd/smtpd.h"

/* The session is that of another client from now on. */
void peer_is_client(struct session *s, const struct sp_server_peer *peer);

/* For the log alone. */
void peer_forwards(struct session *s, const struct sp_server_peer *peer);

#endif
