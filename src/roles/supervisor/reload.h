/* A new generation in the place of the one in use: whole, or not at all. */
#ifndef SUPERVISOR_RELOAD_H
#define SUPERVISOR_RELOAD_H

#include "roles/supervisor/state.h"

/* Read everything anew and hand it out; faults are logged and change nothing. */
void reload_begin(struct supervisor *sv);

/* A child uses the generation it was given: when all do, the reload is done. */
void reload_note_ready(struct supervisor *sv);

#endif
