#include "cli/session/store.h"

#include "cli/options.h"
#include "cli/talk.h"
#include "cli/way_in.h"
#include "os/heap.h"
#include "roles/console/control.h"

#include <stdlib.h>
#include <sysexits.h>

struct session_store {
    struct way_in way;
    struct talk *talk;     /* NULL: no server runs, and: */
    struct traces *traces; /* NULL: no session was ever kept */
    /* of the question that is open: */
    void (*take)(void *ctx, const struct ipc_message *m);
    void *ctx;
    struct ipc_session_done done;
};

static bool take_answer(void *ctx, const struct ipc_message *m)
{
    struct session_store *s = ctx;
    if (m->type == IPC_TYPE_session_done)
        s->done = m->as.session_done;
    else if (s->take)
        s->take(s->ctx, m);
    return m->type == IPC_TYPE_session_done;
}

/* --- without a server ----------------------------------------------------------------------- */

static void send_to_self(void *ctx, const struct ipc_message *m) { (void)take_answer(ctx, m); }

static void ask_traces(struct session_store *s, const struct ipc_message *request)
{
    const struct console_control c = {.traces = s->traces, .ctx = s, .send = send_to_self};
    bool by_id = request->type == IPC_TYPE_session_show;
    if (s->traces)
        console_control_answer(&c, request);
    else /* as of an empty one */
        s->done = (struct ipc_session_done){.answer = by_id ? IPC_SESSION_UNKNOWN_ID : IPC_SESSION_DONE};
}

static int open_database(void *ctx, int part, struct sp_buf *error)
{
    struct session_store *s = ctx;
    return traces_open(part, false, error, &s->traces);
}

static int open_kept(struct session_store *s, const char *data)
{
    const struct way_in_file file = {.command = "session",
                                     .data = data,
                                     .part = "console",
                                     .file = "sessions.db",
                                     .owned = ".",
                                     .owned_name = "the folder console",
                                     .open = open_database};
    return way_in_open_file(&s->way, &file, s);
}

/* --- both ----------------------------------------------------------------------------------- */

struct session_store *session_store_open(const char *data, int *code_out)
{
    struct session_store *s = os_new(sizeof *s);
    *code_out = way_in_open("session", data, "queue", IPC_CONSOLE, &s->way);
    if (*code_out == EX_OK && s->way.socket >= 0)
        s->talk = talk_new(s->way.socket, IPC_CONSOLE, take_answer, s);
    else if (*code_out == EX_OK)
        *code_out = open_kept(s, data);
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
    way_in_become_oneself();
    talk_free(s->talk);
    way_in_close(&s->way);
    free(s);
}

int session_store_ask(struct session_store *s, const struct ipc_message *request,
                      void (*take)(void *ctx, const struct ipc_message *m), void *ctx,
                      struct ipc_session_done *done_out)
{
    const char *why = NULL;
    s->take = take;
    s->ctx = ctx;
    if (s->talk)
        why = talk_ask(s->talk, request);
    else
        ask_traces(s, request);
    if (s->traces && s->done.answer == IPC_SESSION_BROKEN)
        return cli_fault("session", EX_IOERR, "sessions.db cannot be read: %s", traces_error(s->traces));
    if (why)
        return cli_fault("session", EX_TEMPFAIL, "%s; try again", why);
    *done_out = s->done;
    return EX_OK;
}
