/* What tools see of the users. */
#include "base/view.h"
#include "os/heap.h"
#include "roles/auth/kept.h"
#include "roles/auth/wish.h"

void auth_wish_list(struct auth *a, struct os_edge *tool, struct sp_view after)
{
    struct sp_buf list;
    sp_buf_init(&list, &os_heap, IPC_PAYLOAD_MAX / 2);
    int status = auth_kept_page(a->users, after, &list);
    if (status) {
        auth_wish_answer(tool, after, false, status);
    } else {
        struct ipc_message m = {.type = IPC_TYPE_user_page, .as.user_page = {.users = sp_buf_view(&list)}};
        (void)os_edge_send(tool, &m); /* a tool that has left needs no answer */
    }
    sp_buf_fini(&list);
}

void auth_wish_show(struct auth *a, struct os_edge *tool, struct sp_view name)
{
    struct auth_kept_user shown;
    auth_kept_user_init(&shown);
    int status = auth_kept_show(a->users, name, &shown);
    if (status) {
        auth_wish_answer(tool, name, false, status);
    } else {
        struct ipc_message m = {.type = IPC_TYPE_user_shown,
                                .as.user_shown = {.users = sp_buf_view(&shown.users),
                                                  .app_passwords = sp_buf_view(&shown.app_passwords),
                                                  .senders = sp_buf_view(&shown.senders)}};
        (void)os_edge_send(tool, &m); /* a tool that has left needs no answer */
    }
    auth_kept_user_fini(&shown);
}
