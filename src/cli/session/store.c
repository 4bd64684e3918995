#include "cli/session/store.h"

#include "cli/desk.h"
#include "cli/options.h"
#include "os/heap.h"
#include "roles/console/control.h"

#include <stdlib.h>
#include <sysexits.h>

struct session_store {
    struct desk desk;
    struct traces *traces; /* without a server; NULL: no session was ever kept */
};

static void answer(void *ctx, const struct ipc_message *request)
{
    struct session_store *s = ctx;
    const struct console_control c = {.traces = s->traces, .ctx = &s->desk, .send = desk_give};
    struct ipc_message done = {.type = IPC_TYPE_session_done};
    if (s->traces) {
        console_control_answer(&c, request);
        return;
    }
    /* As of an empty one. */
    bool by_id = request->type == IPC_TYPE_session_show;
    done.as.session_done.answer = by_id ? IPC_SESSION_UNKNOWN_ID : IPC_SESSION_DONE;
    desk_give(&s->desk, &done);
}

static int open_database(void *ctx, int part, struct sp_buf *error)
{
    struct session_store *s = ctx;
    return traces_open(part, false, error, &s->traces);
}

static const struct desk_form form = {.role = IPC_CONSOLE,
                                      .last = IPC_TYPE_session_done,
                                      .every_part = "queue",
                                      .file = {.command = "session",
                                               .part = "console",
                                               .file = "sessions.db",
                                               .owned = ".",
                                               .owned_name = "the folder console",
                                               .open = open_database},
                                      .answer = answer};

struct session_store *session_store_open(const char *data, int *code_out)
{
    struct session_store *s = os_new(sizeof *s);
    *code_out = desk_open(&s->desk, &form, s, data);
    if (*code_out == EX_OK)
        return s;
    session_store_close(s);
    return NULL;
}

void session_store_close(struct session_store *s)
{
    if (!s)
        return;
    traces_close(s->traces);
    desk_close(&s->desk);
    free(s);
}

int session_store_ask(struct session_store *s, const struct ipc_message *request,
                      void (*take)(void *ctx, const struct ipc_message *m), void *ctx,
                      struct ipc_session_done *done_out)
{
    int code = desk_ask(&s->desk, request, take, ctx);
    if (code != EX_OK)
        return code;
    *done_out = s->desk.last.as.session_done;
    if (s->traces && done_out->answer == IPC_SESSION_BROKEN)
        return cli_fault("session", EX_IOERR, "sessions.db cannot be read: %s", traces_error(s->traces));
    return EX_OK;
}
