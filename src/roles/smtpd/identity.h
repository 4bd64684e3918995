/* What this server shows of itself in TLS, and of whom it asks the same: contexts, by listener. */
#ifndef SMTPD_IDENTITY_H
#define SMTPD_IDENTITY_H

#include "roles/smtpd/smtpd.h"

/* From the supervisor, for the generation to come. */
void identity_take(struct smtpd *smtpd, const struct ipc_tls_identity *m);
void identity_take_authorities(struct smtpd *smtpd, const struct ipc_client_authorities *m);

/* For this one and those to come. */
void identity_take_tickets(struct smtpd *smtpd, struct sp_view keys);

/* The generation has come: use what was given for it. */
void identity_use(struct smtpd *smtpd);

/* The context of a listener; borrowed. */
struct os_tls_context *identity_of(const struct smtpd *smtpd, const char *listener);

#endif
