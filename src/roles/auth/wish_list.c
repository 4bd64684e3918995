/* What tools see of the users. */
#include "base/view.h"
#include "os/heap.h"
#include "roles/auth/wish.h"

enum { USERS_PER_PAGE = 256 };

static struct ipc_user shown(const struct users_entry *e)
{
    return (struct ipc_user){.name = users_name_view(&e->name),
                             .disabled = e->disabled,
                             .created_ms = (uint64_t)e->created_ms,
                             .changed_ms = (uint64_t)e->changed_ms,
                             .imported = e->imported,
                             .app_passwords = e->app_password_n,
                             .senders = e->sender_n,
                             .cram_md5 = e->has_cram};
}

void auth_wish_list(struct auth *a, struct os_edge *tool, struct sp_view after)
{
    struct users_entry e = {0};
    struct sp_buf list;
    int status = SP_OK;
    sp_buf_init(&list, &os_heap, IPC_PAYLOAD_MAX / 2);
    for (unsigned n = 0; n < USERS_PER_PAGE && !status; n++) {
        status = users_next(a->users, n ? users_name_view(&e.name) : after, &e);
        if (status)
            break;
        struct ipc_user user = shown(&e);
        status = ipc_add_user(&list, &user);
    }
    if (status && status != SP_ERR_ABSENT) {
        auth_wish_answer(tool, after, false, status);
    } else {
        struct ipc_message m = {.type = IPC_TYPE_user_page, .as.user_page = {.users = sp_buf_view(&list)}};
        (void)os_edge_send(tool, &m); /* a tool that has left needs no answer */
    }
    sp_buf_fini(&list);
}

static int gather(struct users *u, struct sp_view name, struct sp_buf lists[3])
{
    struct users_entry e;
    struct users_app app = {.id = 0};
    int status = users_show(u, name, &e);
    if (status)
        return status;
    struct ipc_user user = shown(&e);
    status = ipc_add_user(&lists[0], &user);
    while (!status && (status = users_app_next(u, name, app.id, &app)) == SP_OK) {
        struct ipc_app_password p = {.label = sp_view_make(app.label, app.label_len),
                                     .created_ms = (uint64_t)app.created_ms,
                                     .used_ms = (uint64_t)app.used_ms};
        status = ipc_add_app_password(&lists[1], &p);
    }
    return status == SP_ERR_ABSENT ? users_senders(u, name, &lists[2]) : status;
}

void auth_wish_show(struct auth *a, struct os_edge *tool, struct sp_view name)
{
    struct sp_buf lists[3];
    for (int i = 0; i < 3; i++)
        sp_buf_init(&lists[i], &os_heap, IPC_PAYLOAD_MAX / 8);
    int status = gather(a->users, name, lists);
    if (status) {
        auth_wish_answer(tool, name, false, status);
    } else {
        struct ipc_message m = {.type = IPC_TYPE_user_shown,
                                .as.user_shown = {.users = sp_buf_view(&lists[0]),
                                                  .app_passwords = sp_buf_view(&lists[1]),
                                                  .senders = sp_buf_view(&lists[2])}};
        (void)os_edge_send(tool, &m); /* a tool that has left needs no answer */
    }
    for (int i = 0; i < 3; i++)
        sp_buf_fini(&lists[i]);
}
