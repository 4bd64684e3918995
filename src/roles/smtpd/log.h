/*
 * What an operator reads of smtpd: a line for each accepted mail, each refusal and each session's end.
 * Never what a client sent in AUTH.
 */
#ifndef SMTPD_LOG_H
#define SMTPD_LOG_H

#include "os/log.h"
#include "roles/smtpd/mail.h"

void log_accepted(const struct mail *m);

/* The queue did not take it; also when the client has left already. */
void log_not_stored(const struct mail *m, enum smtpd_refusal why);

/* A refusal of smtpd's own. about: the address or name it is about; may be empty. */
void log_refused(struct session *s, const char *at, enum smtpd_refusal why, struct sp_view about);

/* Refusals of the engine's own, found in what goes to the client. */
void log_replies(struct session *s, struct sp_view out);

/*
 * why: NULL when the client said QUIT or just left.
 * shown: its trace is kept; the line says how to see it.
 */
void log_ended(const struct session *s, const char *why, bool shown);

#endif
