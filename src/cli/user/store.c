#include "cli/user/store.h"

#include "base/view.h"
#include "cli/options.h"
#include "cli/user/store_parts.h"
#include "cli/way_in.h"
#include "os/heap.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

/* One of the two. */
struct user_store {
    struct user_server *server;
    struct users *users;
    struct way_in way;
};

/* --- opening ------------------------------------------------------------------------------- */

static int open_file(struct user_store *s, const char *data)
{
    char path[PATH_MAX];
    struct sp_buf error;
    if (snprintf(path, sizeof path, "%s/auth", data) >= (int)sizeof path)
        return cli_fault("user", EX_NOINPUT, "the name of the data folder is too long: %s", data);
    sp_buf_init(&error, &os_heap, PATH_MAX + 1024);
    int status = users_open(path, &error, &s->users);
    int code = EX_OK;
    if (status)
        code = cli_fault("user", status == SP_ERR_RANGE ? EX_CONFIG : EX_IOERR, "%.*s", (int)error.len,
                         (const char *)error.p);
    sp_buf_fini(&error);
    return code;
}

struct user_store *user_store_open(const char *data, int *code_out)
{
    struct user_store *s = os_new(sizeof *s);
    *code_out = way_in_open("user", data, "auth", IPC_AUTH, &s->way);
    if (*code_out == EX_OK && s->way.socket >= 0)
        s->server = user_server_new(s->way.socket);
    else if (*code_out == EX_OK)
        *code_out = open_file(s, data);
    if (*code_out == EX_OK)
        return s;
    user_store_close(s);
    return NULL;
}

void user_store_close(struct user_store *s)
{
    if (!s)
        return;
    users_close(s->users);
    user_server_free(s->server);
    way_in_close(&s->way);
    free(s);
}

enum ipc_user_result user_store_change(struct user_store *s, const struct ipc_message *wish,
                                       struct sp_buf *text_out)
{
    return s->server ? user_server_ask(s->server, wish, NULL, NULL, text_out)
                     : user_file_change(s->users, wish, text_out);
}

enum ipc_user_result user_store_page(struct user_store *s, struct sp_view after, struct sp_buf *list_out,
                                     struct sp_buf *text_out)
{
    struct ipc_message m = {.type = IPC_TYPE_user_list, .as.user_list = {.after = after}};
    sp_buf_clear(list_out);
    return s->server ? user_server_ask(s->server, &m, list_out, NULL, text_out)
                     : user_file_page(s->users, after, list_out, text_out);
}

enum ipc_user_result user_store_show(struct user_store *s, struct sp_view name,
                                     struct auth_kept_user *shown_out, struct sp_buf *text_out)
{
    struct ipc_message m = {.type = IPC_TYPE_user_show, .as.user_show = {.name = name}};
    return s->server ? user_server_ask(s->server, &m, NULL, shown_out, text_out)
                     : user_file_show(s->users, name, shown_out, text_out);
}
