/* AUTH: the engine's questions go to an auth process, its answers come back. */
#ifndef SMTPD_EXCHANGE_H
#define SMTPD_EXCHANGE_H

#include "roles/smtpd/smtpd.h"

int exchange_begin(struct session *s, const struct sp_server_event *ev);
int exchange_answer(struct session *s, struct sp_view response);

/* Given up by the client, or the client is gone. */
/* why: the reason id of the reply that ended it, or "". */
void exchange_drop(struct session *s, const char *why);

/* From auth. */
void exchange_take_message(struct smtpd *smtpd, const struct ipc_message *m);
void exchange_note_auth_gone(struct smtpd *smtpd, uint32_t index);

#endif
