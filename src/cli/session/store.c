#include "cli/session/store.h"

#include "cli/options.h"
#include "cli/talk.h"
#include "cli/way_in.h"
#include "os/heap.h"
#include "roles/console/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

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

static int open_traces(struct session_store *s, const char *data)
{
    struct sp_buf error;
    int console = openat(s->way.folder, "console", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (console < 0 && errno == ENOENT)
        return EX_OK; /* of a version that kept none */
    if (console < 0)
        return cli_fault("session", errno == EACCES ? EX_NOPERM : EX_IOERR, "cannot open %s/console: %s",
                         data, strerror(errno));
    sp_buf_init(&error, &os_heap, 4096);
    int code = way_in_become_owner("session", console, ".", "the folder console");
    int status = code ? SP_OK : traces_open(console, false, &error, &s->traces);
    if (status && status != SP_ERR_ABSENT)
        code = cli_fault("session", status == SP_ERR_RANGE ? EX_CONFIG : EX_IOERR,
                         "%s/console/sessions.db: %.*s", data, (int)error.len,
                         error.p ? (const char *)error.p : "");
    sp_buf_fini(&error);
    close(console);
    return code;
}

/* --- both ----------------------------------------------------------------------------------- */

struct session_store *session_store_open(const char *data, int *code_out)
{
    struct session_store *s = os_new(sizeof *s);
    *code_out = way_in_open("session", data, "queue", IPC_CONSOLE, &s->way);
    if (*code_out == EX_OK && s->way.socket >= 0)
        s->talk = talk_new(s->way.socket, IPC_CONSOLE, take_answer, s);
    else if (*code_out == EX_OK)
        *code_out = open_traces(s, data);
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
