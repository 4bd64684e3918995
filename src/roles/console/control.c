#include "roles/console/control.h"

enum { PAGE_MOST = 200 }; /* sessions of a list in one answer */

static void send_facts(void *ctx, const struct ipc_session_facts *facts)
{
    const struct console_control *c = ctx;
    c->send(c->ctx, &(struct ipc_message){.type = IPC_TYPE_session_facts, .as.session_facts = *facts});
}

static void send_lines(void *ctx, struct sp_view lines)
{
    const struct console_control *c = ctx;
    c->send(c->ctx, &(struct ipc_message){.type = IPC_TYPE_session_lines, .as.session_lines = {lines}});
}

static void send_attempt(void *ctx, const struct ipc_session_attempt *attempt)
{
    const struct console_control *c = ctx;
    c->send(c->ctx, &(struct ipc_message){.type = IPC_TYPE_session_attempt, .as.session_attempt = *attempt});
}

static uint8_t answer_of(int status)
{
    return status == SP_OK           ? IPC_SESSION_DONE
           : status == SP_ERR_ABSENT ? IPC_SESSION_UNKNOWN_ID
                                     : IPC_SESSION_BROKEN;
}

void console_control_answer(const struct console_control *c, const struct ipc_message *request)
{
    struct console_control copy = *c;
    const struct traces_reader reader = {
        .ctx = &copy, .facts = send_facts, .lines = send_lines, .attempt = send_attempt};
    struct ipc_session_done done = {.answer = IPC_SESSION_BROKEN};
    bool more = false;
    if (request->type == IPC_TYPE_session_list && c->traces) {
        struct ipc_session_list wanted = request->as.session_list;
        if (wanted.most == 0 || wanted.most > PAGE_MOST)
            wanted.most = PAGE_MOST;
        done.answer = answer_of(traces_list(c->traces, &wanted, &reader, &done.before, &more));
        done.more = more;
    } else if (request->type == IPC_TYPE_session_show && c->traces) {
        done.answer = answer_of(traces_show(c->traces, request->as.session_show.session, &reader));
    }
    c->send(c->ctx, &(struct ipc_message){.type = IPC_TYPE_session_done, .as.session_done = done});
}
