#include "roles/auth/kept.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"

enum { USERS_PER_PAGE = 256 };

static struct ipc_user facts_of(const struct users_entry *e)
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

int auth_kept_page(struct users *u, struct sp_view after, struct sp_buf *list_out)
{
    struct users_entry e = {0};
    int status = SP_OK;
    for (unsigned n = 0; n < USERS_PER_PAGE && !status; n++) {
        status = users_next(u, n ? users_name_view(&e.name) : after, &e);
        if (status)
            break;
        struct ipc_user user = facts_of(&e);
        status = ipc_add_user(list_out, &user);
    }
    return status == SP_ERR_ABSENT ? SP_OK : status;
}

void auth_kept_user_init(struct auth_kept_user *shown)
{
    enum { LIST_MAX = IPC_PAYLOAD_MAX / 8 }; /* all of them fit in one message */
    sp_buf_init(&shown->users, &os_heap, LIST_MAX);
    sp_buf_init(&shown->app_passwords, &os_heap, LIST_MAX);
    sp_buf_init(&shown->senders, &os_heap, LIST_MAX);
}

void auth_kept_user_fini(struct auth_kept_user *shown)
{
    sp_buf_fini(&shown->users);
    sp_buf_fini(&shown->app_passwords);
    sp_buf_fini(&shown->senders);
}

int auth_kept_show(struct users *u, struct sp_view name, struct auth_kept_user *out)
{
    struct users_entry e;
    struct users_app app = {.id = 0};
    int status = users_show(u, name, &e);
    if (status)
        return status;
    struct ipc_user user = facts_of(&e);
    status = ipc_add_user(&out->users, &user);
    while (!status && (status = users_app_next(u, name, app.id, &app)) == SP_OK) {
        struct ipc_app_password p = {.label = sp_view_make(app.label, app.label_len),
                                     .created_ms = (uint64_t)app.created_ms,
                                     .used_ms = (uint64_t)app.used_ms};
        status = ipc_add_app_password(&out->app_passwords, &p);
    }
    return status == SP_ERR_ABSENT ? users_senders(u, name, &out->senders) : status;
}

static int import(struct users *u, const struct ipc_user_import *m)
{
    char hash[USERS_CRYPT_MAX] = "";
    if (m->crypt.len >= sizeof hash || sp_view_find(m->crypt, 0, 0) < m->crypt.len)
        return SP_ERR_SYNTAX;
    memcpy(hash, m->crypt.p, m->crypt.len);
    int status = users_import(u, m->name, hash, os_wall_ms());
    explicit_bzero(hash, sizeof hash);
    return status;
}

int auth_kept_change(struct users *u, const struct ipc_message *m)
{
    switch (m->type) {
    case IPC_TYPE_user_enable:
        return users_set_disabled(u, m->as.user_enable.name, !m->as.user_enable.enabled);
    case IPC_TYPE_user_remove:
        return users_remove(u, m->as.user_remove.name);
    case IPC_TYPE_user_app_remove:
        return users_app_remove(u, m->as.user_app_remove.name, m->as.user_app_remove.label);
    case IPC_TYPE_user_may_send:
        return users_set_senders(u, m->as.user_may_send.name, m->as.user_may_send.senders);
    case IPC_TYPE_user_import:
        return import(u, &m->as.user_import);
    default:
        return SP_ERR_MISUSE;
    }
}
