/* The users of a server that runs: its role auth is asked through the control socket. */
#include "base/view.h"
#include "cli/user_store_parts.h"
#include "os/edge.h"
#include "os/heap.h"

#include <stdlib.h>

enum { ANSWER_MS = 30000 };

struct user_server {
    struct event_base *base;
    struct os_edge *edge;
    struct os_timer deadline;
    bool lost, answered;
    enum ipc_user_result result;
    struct sp_buf *text, *list; /* of the question that is open */
    struct user_shown *shown;
};

static void take_answer(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct user_server *s = ctx;
    (void)edge;
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
    s->answered = true;
    event_base_loopbreak(s->base);
}

static void note_closed(void *ctx, struct os_edge *edge)
{
    struct user_server *s = ctx;
    (void)edge;
    s->lost = true;
    event_base_loopbreak(s->base);
}

static void note_deadline(void *ctx) { event_base_loopbreak(((struct user_server *)ctx)->base); }

static const struct os_edge_handlers handlers = {.message = take_answer, .closed = note_closed};

enum ipc_user_result user_server_ask(struct user_server *s, const struct ipc_message *m, struct sp_buf *list,
                                     struct user_shown *shown, struct sp_buf *text)
{
    s->answered = false;
    s->list = list;
    s->shown = shown;
    s->text = text;
    if (!s->lost && os_edge_send(s->edge, m) == SP_OK) {
        os_timer_set(&s->deadline, ANSWER_MS);
        (void)event_base_dispatch(s->base); /* what it was good for shows in `answered` */
        os_timer_stop(&s->deadline);
    }
    if (s->answered)
        return s->result < IPC_USER_RESULT_N ? s->result : IPC_USER_UNAVAILABLE;
    sp_buf_add_str(text, s->lost ? "the server stopped before it answered; ask it again with 'user list'"
                                 : "the server does not answer");
    return IPC_USER_UNAVAILABLE;
}

struct user_server *user_server_new(int fd)
{
    struct user_server *s = os_new(sizeof *s);
    s->base = os_loop_new();
    os_timer_init(&s->deadline, s->base, note_deadline, s);
    s->edge = os_edge_new(s->base, fd, IPC_TOOL, IPC_AUTH, 0, &handlers, s);
    return s;
}

void user_server_free(struct user_server *s)
{
    if (!s)
        return;
    os_edge_free(s->edge);
    os_timer_fini(&s->deadline);
    event_base_free(s->base);
    free(s);
}
