/*
 * Changes of users that tools and the supervisor want. This header is the inside of three files: wish.c has the edges,
 * the answers and what is done at once (kept.h), wish_password.c new passwords, which go through the worker, wish_list.c what is
 * shown.
 */
#ifndef ROLES_AUTH_WISH_H
#define ROLES_AUTH_WISH_H

#include "roles/auth/auth.h"

/* --- wish.c: answers ------------------------------------------------------------------------ */

/* Whoever asked, by the status of a call of users.h. */
void auth_wish_answer(struct os_edge *from, struct sp_view name, bool changed, int status);

/* The wish cannot be fulfilled: text says why, to whoever asked. */
void auth_wish_refuse(struct os_edge *from, struct sp_view name, const char *text);

/* All that changes a user ends here: nothing cached outlives it. */
void auth_wish_finish(struct auth *a, struct os_edge *from, const char *event, struct sp_view name, int status);

/* --- wish_password.c ------------------------------------------------------------------------ */

void auth_wish_add(struct auth *a, struct os_edge *tool, const struct ipc_user_add *m);
void auth_wish_passwd(struct auth *a, struct os_edge *tool, const struct ipc_user_passwd *m);
void auth_wish_app_add(struct auth *a, struct os_edge *tool, const struct ipc_user_app_add *m);
void auth_wish_wanted(struct auth *a, struct os_edge *supervisor, const struct ipc_user_wanted *m);

/* Those of an asker that is gone are not done. */
void auth_wish_forget(struct auth *a, const struct os_edge *from);

/* --- wish_list.c ----------------------------------------------------------------------------- */

void auth_wish_show(struct auth *a, struct os_edge *tool, struct sp_view name);
void auth_wish_list(struct auth *a, struct os_edge *tool, struct sp_view after);

#endif
