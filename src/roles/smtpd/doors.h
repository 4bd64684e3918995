/* The listening sockets of this process: the supervisor's, shared with the other smtpd processes. */
#ifndef SMTPD_DOORS_H
#define SMTPD_DOORS_H

#include "roles/smtpd/session.h"

/* A socket for the listener of that name, in the place of an older one. fd is owned from now on. */
void doors_open(struct smtpd *smtpd, struct sp_view name, int fd);

/* A new configuration: new terms for new sessions; doors that are no longer in it are closed. */
void doors_renew(struct smtpd *smtpd);

/* The timer of a rest from accepting has come. */
void doors_rest_over(void *ctx);

/*
 * Begin a session, unless so many are there that nothing is said any more; the limits decide what door->refusal
 * becomes. fd is owned from now on.
 */
void doors_admit(struct smtpd *smtpd, int fd, struct session_door *door);

void doors_close(struct smtpd *smtpd);

#endif
