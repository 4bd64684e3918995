/*
 * How much smtpd may still take: descriptors, of which some are kept for large messages and for edges that are
 * joined anew, and memory for what clients have sent. Who finds no room is told to come back; nobody who is
 * there already is harmed.
 */
#ifndef SMTPD_ROOM_H
#define SMTPD_ROOM_H

#include "roles/smtpd/smtpd.h"

/* What sessions and mails allocate with; it counts what they hold. */
extern const struct sp_allocator room_heap;

/* Before the role is shut in: how many descriptors there are. */
void room_init(struct smtpd *smtpd);

/* May another connection be accepted? Another large message be written? */
bool room_for_session(const struct smtpd *smtpd);
bool room_for_spool(const struct smtpd *smtpd);

/* May a client bring more of a mail? */
bool room_for_mail(const struct smtpd *smtpd);

#endif
