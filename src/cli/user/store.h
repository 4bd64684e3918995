/*
 * The users of a data folder, whether a server is running in it or not: through the control socket of
 * the role auth, or, under the folder's lock, in users.db itself.
 */
#ifndef CLI_USER_STORE_H
#define CLI_USER_STORE_H

#include "roles/auth/kept.h"

struct user_store;

/*
 * Open the users of a data folder. NULL after the fault was printed; *code_out is then the sysexits code.
 */
struct user_store *user_store_open(const char *data, int *code_out);
void user_store_close(struct user_store *s);

/*
 * Do what this message of a tool asks for (user_add, user_passwd, user_enable, user_remove,
 * user_app_add, user_app_remove, user_may_send, user_import).
 *   text_out  for INVALID and UNAVAILABLE: what is wrong; appended
 */
enum ipc_user_result user_store_change(struct user_store *s, const struct ipc_message *wish,
                                       struct sp_buf *text_out);

/*
 * The next users behind this name, in the order of names.
 *   list_out  ipc_next_user takes it apart; replaced; empty at the end
 */
enum ipc_user_result user_store_page(struct user_store *s, struct sp_view after, struct sp_buf *list_out,
                                     struct sp_buf *text_out);

/* One user with all that belongs to it. shown_out: appended to. */
enum ipc_user_result user_store_show(struct user_store *s, struct sp_view name, struct auth_kept_user *shown_out,
                                     struct sp_buf *text_out);

#endif
