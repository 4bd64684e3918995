/* The engine's questions and facts, one by one. */
#ifndef SMTPD_DECIDE_H
#define SMTPD_DECIDE_H

#include "roles/smtpd/smtpd.h"

/* Answer, or ask another role and say so in s->wait. Returns what the engine said to the answer. */
int decide(struct session *s, const struct sp_server_event *ev);

/* The silence before the greeting is over: the client kept it, or it talked. */
int decide_silence(struct session *s, bool kept);

#endif
