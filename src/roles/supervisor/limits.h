/* Descriptors: as many as the connections that are allowed need. */
#ifndef SUPERVISOR_LIMITS_H
#define SUPERVISOR_LIMITS_H

#include "config/config.h"

#include <sys/types.h>

/*
 * Raise this process's limit of descriptors, which roles that are started later inherit. A limit that
 * cannot be raised enough is logged. true: it is another one now.
 */
bool limits_raise(const struct config *c);

/* Give a process that lives already the limit of this one. 0: no process. */
void limits_hand_on(pid_t pid);

#endif
