/* Descriptors: as many as the connections that are allowed need. */
#ifndef SUPERVISOR_LIMITS_H
#define SUPERVISOR_LIMITS_H

#include "config/config.h"

/* Raise the limit of descriptors, which the roles inherit; a limit that cannot be raised enough is logged. */
void limits_raise(const struct config *c);

#endif
