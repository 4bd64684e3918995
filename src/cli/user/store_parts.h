/* The two ways to the users of a data folder: store.c chooses, each has a file of its own. */
#ifndef CLI_USER_STORE_PARTS_H
#define CLI_USER_STORE_PARTS_H

#include "cli/user/store.h"

/* --- store_server.c: a server runs, its role auth is asked ------------------------------ */

struct user_server;

/* fd: of its control socket; owned from now on. */
struct user_server *user_server_new(int fd);
void user_server_free(struct user_server *s); /* NULL is fine */

/* list, shown: where the answer goes; NULL: it has none. text_out as in store.h. */
enum ipc_user_result user_server_ask(struct user_server *s, const struct ipc_message *m, struct sp_buf *list,
                                     struct auth_kept_user *shown, struct sp_buf *text_out);

/* --- store_file.c: none runs, users.db is changed here ----------------------------------- */

enum ipc_user_result user_file_change(struct users *u, const struct ipc_message *wish,
                                      struct sp_buf *text_out);
enum ipc_user_result user_file_page(struct users *u, struct sp_view after, struct sp_buf *list_out,
                                    struct sp_buf *text_out);
enum ipc_user_result user_file_show(struct users *u, struct sp_view name, struct auth_kept_user *shown_out,
                                    struct sp_buf *text_out);

#endif
