/* A session's recorder, and what becomes of it when the session is over. */
#ifndef SMTPD_TRACE_H
#define SMTPD_TRACE_H

#include "roles/smtpd/recorder.h"
#include "roles/smtpd/smtpd.h"

void trace_begin(struct session *s);

/* What was said, and what happened; nothing when nothing is recorded. */
void trace_client(struct session *s, struct sp_view octets, enum sp_server_reads reads);
void trace_server(struct session *s, struct sp_view replies);
void trace_tls(struct session *s, const struct os_tls_facts *tls);

/*
 * The session ends: hand the trace to the console if it is to be kept. Never waits: what the console does
 * not take is counted and reported.
 *   why  as in log_ended
 * true: `sallyport session show` will have it.
 */
bool trace_end(struct session *s, const char *why);

/* The console is there, or takes more again: report what it has missed. */
void trace_report(struct smtpd *smtpd);

#endif
