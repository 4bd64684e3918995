/*
 * users.db as tools see and change it: through the role while a server runs, and where none does a tool does the same
 * by itself.
 */
#ifndef ROLES_AUTH_KEPT_H
#define ROLES_AUTH_KEPT_H

#include "ipc/ipc.h"
#include "users/users.h"

/* What is shown of one user; lists as in user_shown of ipc/messages.def. */
struct auth_kept_user {
    struct sp_buf users, app_passwords, senders;
};

void auth_kept_user_init(struct auth_kept_user *shown);
void auth_kept_user_fini(struct auth_kept_user *shown);

/* Append a page of users, in order, to the list of a user_page. after: of the page before; empty for the first. */
SP_MUST_USE int auth_kept_page(struct users *u, struct sp_view after, struct sp_buf *list_out);

/* SP_ERR_ABSENT: there is no such user. */
SP_MUST_USE int auth_kept_show(struct users *u, struct sp_view name, struct auth_kept_user *out);

/*
 * A change that needs no password: user_enable, user_remove, user_app_remove, user_may_send, user_import. The status
 * is that of its call of users.h.
 */
SP_MUST_USE int auth_kept_change(struct users *u, const struct ipc_message *m);

#endif
