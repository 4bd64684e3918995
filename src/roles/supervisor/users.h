/* Users who are to be known before anything listens: those of --user, or the sandbox's demo. */
#ifndef SUPERVISOR_USERS_H
#define SUPERVISOR_USERS_H

#include "roles/supervisor/state.h"

void users_init(struct supervisor *sv);
void users_fini(struct supervisor *sv);

/* auth has this user now; changed: with the password it was given. */
void users_note_known(struct supervisor *sv, struct sp_view name, bool changed);

bool users_known(const struct supervisor *sv);
void users_forget_passwords(struct supervisor *sv);

#endif
