/* The users of a server that runs: its role auth is asked through the control socket. */
#include "base/view.h"
#include "cli/talk.h"
#include "cli/user/store_parts.h"
#include "os/heap.h"

#include <stdlib.h>

struct user_server {
    struct talk *talk;
    enum ipc_user_result result;
    struct sp_buf *text, *list; /* of the question that is open */
    struct auth_kept_user *shown;
};

static bool take_answer(void *ctx, const struct ipc_message *m)
{
    struct user_server *s = ctx;
    s->result = IPC_USER_OK;
    if (m->type == IPC_TYPE_user_done) {
        s->result = (enum ipc_user_result)m->as.user_done.result;
        sp_buf_add(s->text, m->as.user_done.text);
    } else if (m->type == IPC_TYPE_user_page && s->list) {
        sp_buf_add(s->list, m->as.user_page.users);
    } else if (m->type == IPC_TYPE_user_shown && s->shown) {
        sp_buf_add(&s->shown->users, m->as.user_shown.users);
        sp_buf_add(&s->shown->app_passwords, m->as.user_shown.app_passwords);
        sp_buf_add(&s->shown->senders, m->as.user_shown.senders);
    }
    return true;
}

enum ipc_user_result user_server_ask(struct user_server *s, const struct ipc_message *m, struct sp_buf *list,
                                     struct auth_kept_user *shown, struct sp_buf *text)
{
    s->list = list;
    s->shown = shown;
    s->text = text;
    const char *why = talk_ask(s->talk, m);
    if (!why)
        return s->result < IPC_USER_RESULT_N ? s->result : IPC_USER_UNAVAILABLE;
    sp_buf_add_str(text, why);
    sp_buf_add_str(text, "; ask it again with 'user list'");
    return IPC_USER_UNAVAILABLE;
}

struct user_server *user_server_new(int fd)
{
    struct user_server *s = os_new(sizeof *s);
    s->talk = talk_new(fd, IPC_AUTH, take_answer, s);
    return s;
}

void user_server_free(struct user_server *s)
{
    if (!s)
        return;
    talk_free(s->talk);
    free(s);
}
