/* Descriptors: as many as the connections that are allowed need. */
#ifndef SUPERVISOR_LIMITS_H
#define SUPERVISOR_LIMITS_H

#include "config/config.h"

/*
 * Take all descriptors that the machine allows; the roles inherit the limit, so that a reload may allow more
 * connections. Too few for the connections of the configuration is logged.
 */
void limits_raise(const struct config *c);

#endif
