#include "roles/auth/wish.h"

#include "base/view.h"
#include "os/log.h"
#include "roles/auth/kept.h"

#include <errno.h>
#include <string.h>

/* --- answers ------------------------------------------------------------------------------ */

static void answer_tool(struct os_edge *tool, enum ipc_user_result result, const char *text)
{
    struct ipc_message m = {.type = IPC_TYPE_user_done,
                            .as.user_done = {.result = (uint8_t)result, .text = sp_view_of(text)}};
    (void)os_edge_send(tool, &m); /* a tool that has left needs no answer */
}

static void answer_supervisor(struct os_edge *supervisor, struct sp_view name, bool changed,
                              const char *fault)
{
    struct ipc_message m = {
        .type = IPC_TYPE_user_known,
        .as.user_known = {.name = name, .changed = changed ? 1 : 0, .fault = sp_view_of(fault)}};
    (void)os_edge_send(supervisor, &m); /* its end is ours */
}

static enum ipc_user_result result_of(int status)
{
    switch (status) {
    case SP_OK:
        return IPC_USER_OK;
    case SP_ERR_EXISTS:
        return IPC_USER_EXISTS;
    case SP_ERR_ABSENT:
        return IPC_USER_ABSENT;
    case SP_ERR_SYNTAX:
        return IPC_USER_INVALID;
    default:
        return IPC_USER_UNAVAILABLE;
    }
}

static const char *text_of(int status)
{
    switch (status) {
    case SP_ERR_SYNTAX:
        return "the name or another value cannot be used";
    case SP_ERR_LONG:
        return "too many logins wait to be checked; try again";
    case SP_ERR_NOMEM:
        return "out of memory";
    case SP_ERR_IO:
        return "users.db cannot be read or written; the log of the role auth says why";
    default:
        return "";
    }
}

void auth_wish_answer(struct os_edge *from, struct sp_view name, bool changed, int status)
{
    if (os_edge_peer(from) == IPC_TOOL)
        answer_tool(from, result_of(status), text_of(status));
    else
        answer_supervisor(from, name, changed && !status, text_of(status));
}

void auth_wish_finish(struct auth *a, struct os_edge *from, const char *event, struct sp_view name,
                      int status)
{
    if (!status) {
        auth_cache_clear(&a->cache);
        os_log(OS_INFO, event, OS_VIEW("user", name), OS_STR("by", ipc_role_name(os_edge_peer(from))));
    }
    auth_wish_answer(from, name, true, status);
}

void auth_wish_refuse(struct os_edge *from, struct sp_view name, const char *text)
{
    if (os_edge_peer(from) == IPC_TOOL)
        answer_tool(from, IPC_USER_INVALID, text);
    else
        answer_supervisor(from, name, false, text);
}

/* --- what is done at once ------------------------------------------------------------------- */

/* event: for the log */
static void change(struct auth *a, struct os_edge *from, const char *event, struct sp_view name,
                   const struct ipc_message *m)
{
    auth_wish_finish(a, from, event, name, auth_kept_change(a->users, m));
}

/* --- edges --------------------------------------------------------------------------------- */

void auth_wish_take(struct auth *a, struct os_edge *from, const struct ipc_message *m)
{
    switch (m->type) {
    case IPC_TYPE_user_wanted:
        auth_wish_wanted(a, from, &m->as.user_wanted);
        break;
    case IPC_TYPE_user_add:
        auth_wish_add(a, from, &m->as.user_add);
        break;
    case IPC_TYPE_user_passwd:
        auth_wish_passwd(a, from, &m->as.user_passwd);
        break;
    case IPC_TYPE_user_enable:
        change(a, from, m->as.user_enable.enabled ? "user-enabled" : "user-disabled", m->as.user_enable.name,
               m);
        break;
    case IPC_TYPE_user_remove:
        change(a, from, "user-removed", m->as.user_remove.name, m);
        break;
    case IPC_TYPE_user_app_add:
        auth_wish_app_add(a, from, &m->as.user_app_add);
        break;
    case IPC_TYPE_user_app_remove:
        change(a, from, "user-app-password-revoked", m->as.user_app_remove.name, m);
        break;
    case IPC_TYPE_user_may_send:
        change(a, from, "user-may-send", m->as.user_may_send.name, m);
        break;
    case IPC_TYPE_user_import:
        change(a, from, "user-imported", m->as.user_import.name, m);
        break;
    case IPC_TYPE_user_show:
        auth_wish_show(a, from, m->as.user_show.name);
        break;
    case IPC_TYPE_user_list:
        auth_wish_list(a, from, m->as.user_list.after);
        break;
    default:
        break; /* no other type is allowed on these edges */
    }
}

void auth_wish_drop_edge(struct auth *a, struct os_edge *from) { auth_wish_forget(a, from); }

static void take_tool_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    auth_wish_take(ctx, edge, m);
}

static void note_tool_closed(void *ctx, struct os_edge *edge)
{
    auth_wish_drop_edge(ctx, edge);
    os_edge_free(edge);
}

static const struct os_edge_handlers tool_handlers = {.message = take_tool_message,
                                                      .closed = note_tool_closed};

/* Its edge frees itself when it closes, and nobody speaks to it unasked. */
static void note_tool(void *ctx, struct os_edge *tool) { (void)ctx, (void)tool; }

void auth_wish_open(struct auth *a)
{
    struct role *r = a->role;
    a->control = os_control_new(r->base, r->folder, IPC_AUTH, &tool_handlers, note_tool, a);
    if (!a->control)
        os_log(OS_WARN, "control-failed", OS_STR("error", strerror(errno)),
               OS_STR("effect", "`sallyport user` cannot reach this server"));
}
