#include "cli/session_store.h"

#include "base/view.h"
#include "cli/options.h"
#include "os/clock.h"
#include "os/control.h"
#include "os/heap.h"
#include "os/lock.h"
#include "roles/console/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    START_MS = 10000, /* a server that has the lock has its socket by then */
    POLL_MS = 50,
    ANSWER_MS = 60000
};

struct session_store {
    /* without a server: */
    struct traces *traces; /* NULL: no session was ever kept */
    int lock;
    /* with one: */
    struct event_base *base;
    struct os_edge *edge;
    struct os_timer deadline;
    bool lost;
    /* of the question that is open: */
    bool answered;
    void (*take)(void *ctx, const struct ipc_message *m);
    void *ctx;
    struct ipc_session_done done;
};

static void take_answer(void *ctx, const struct ipc_message *m)
{
    struct session_store *s = ctx;
    if (m->type == IPC_TYPE_session_done) {
        s->done = m->as.session_done;
        s->answered = true;
    } else if (s->take) {
        s->take(s->ctx, m);
    }
}

/* --- through the server ------------------------------------------------------------------- */

static void take_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct session_store *s = ctx;
    (void)edge;
    take_answer(s, m);
    if (s->answered)
        event_base_loopbreak(s->base);
}

static void note_closed(void *ctx, struct os_edge *edge)
{
    struct session_store *s = ctx;
    (void)edge;
    s->lost = true;
    event_base_loopbreak(s->base);
}

static void note_deadline(void *ctx) { event_base_loopbreak(((struct session_store *)ctx)->base); }

static const struct os_edge_handlers handlers = {.message = take_message, .closed = note_closed};

static void attach(struct session_store *s, int fd)
{
    s->base = os_loop_new();
    os_timer_init(&s->deadline, s->base, note_deadline, s);
    s->edge = os_edge_new(s->base, fd, IPC_TOOL, IPC_CONSOLE, 0, &handlers, s);
}

static int ask_server(struct session_store *s, const struct ipc_message *request)
{
    if (!s->lost && os_edge_send(s->edge, request) == SP_OK) {
        os_timer_set(&s->deadline, ANSWER_MS);
        (void)event_base_dispatch(s->base); /* what it was good for shows in `answered` */
        os_timer_stop(&s->deadline);
    }
    if (s->answered)
        return EX_OK;
    return cli_fault("session", EX_TEMPFAIL,
                     s->lost ? "the server stopped before it answered; try again"
                             : "the server does not answer");
}

/* --- without one --------------------------------------------------------------------------- */

static void ask_traces(struct session_store *s, const struct ipc_message *request)
{
    if (!s->traces) { /* as of an empty one */
        bool by_id = request->type == IPC_TYPE_session_show;
        s->done = (struct ipc_session_done){.answer = by_id ? IPC_SESSION_UNKNOWN_ID : IPC_SESSION_DONE};
        s->answered = true;
        return;
    }
    const struct console_control c = {.traces = s->traces, .ctx = s, .send = take_answer};
    console_control_answer(&c, request);
}

/* What root would make in there, the role could not open later: be the folder's owner until it is closed. */
static int become_owner(int folder, const char *data)
{
    struct stat st;
    if (geteuid() != 0 || fstat(folder, &st) != 0 || st.st_uid == 0)
        return EX_OK;
    if (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0)
        return cli_fault("session", EX_OSERR, "cannot work as the owner of %s/console: %s", data,
                         strerror(errno));
    return EX_OK;
}

static void become_oneself(void)
{
    if (geteuid() == getuid())
        return;
    /* Going back to the real user's rights is always allowed. */
    (void)!seteuid(getuid());
    (void)!setegid(getgid());
    (void)prctl(PR_SET_DUMPABLE, 1); /* as before: the kernel had taken it away with the first change */
}

static int open_traces(struct session_store *s, const char *data, int folder)
{
    struct sp_buf error;
    int console = openat(folder, "console", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (console < 0 && errno == ENOENT)
        return EX_OK; /* of a version that kept none */
    if (console < 0)
        return cli_fault("session", errno == EACCES ? EX_NOPERM : EX_IOERR, "cannot open %s/console: %s",
                         data, strerror(errno));
    sp_buf_init(&error, &os_heap, 4096);
    int code = become_owner(console, data);
    int status = code ? SP_OK : traces_open(console, false, &error, &s->traces);
    if (status && status != SP_ERR_ABSENT)
        code = cli_fault("session", status == SP_ERR_RANGE ? EX_CONFIG : EX_IOERR,
                         "%s/console/sessions.db: %.*s", data, (int)error.len,
                         error.p ? (const char *)error.p : "");
    sp_buf_fini(&error);
    close(console);
    return code;
}

/* --- opening ------------------------------------------------------------------------------- */

static int open_folder(const char *data, int *folder_out)
{
    struct stat there;
    int folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT)
        return cli_fault("session", EX_NOINPUT,
                         "there is no data folder %s; 'sallyport serve' makes one, --data DIR names another",
                         data);
    if (folder < 0)
        return cli_fault("session", errno == EACCES ? EX_NOPERM : EX_NOINPUT,
                         "cannot open the data folder %s: %s", data, strerror(errno));
    if (fstatat(folder, "queue", &there, 0) == 0) { /* every version has made it */
        *folder_out = folder;
        return EX_OK;
    }
    int why = errno;
    close(folder);
    if (why == ENOENT)
        return cli_fault("session", EX_NOINPUT,
                         "%s is not a data folder; 'sallyport serve' makes one at its first start", data);
    return cli_fault("session", why == EACCES ? EX_NOPERM : EX_NOINPUT,
                     "cannot look into the data folder %s: %s", data, strerror(why));
}

/* The server that runs there, else the store. Neither, while a server starts or another tool is at work:
 * wait. */
static int open_either(struct session_store *s, const char *data, int folder)
{
    uint64_t end = os_mono_ms() + START_MS;
    int64_t pid = 0;
    for (;;) {
        int fd = os_control_connect(data, IPC_CONSOLE);
        if (fd >= 0) {
            attach(s, fd);
            return EX_OK;
        }
        if (errno != ENOENT && errno != ECONNREFUSED)
            return cli_fault("session", errno == EACCES || errno == EPERM ? EX_NOPERM : EX_UNAVAILABLE,
                             "cannot speak to the server of %s: %s", data, strerror(errno));
        int status = os_lock_take(folder, 0, &s->lock, &pid);
        if (status == SP_OK)
            return open_traces(s, data, folder);
        if (status == SP_ERR_IO)
            return cli_fault("session", errno == EACCES || errno == EPERM ? EX_NOPERM : EX_OSERR,
                             "cannot lock %s: %s", data, strerror(errno));
        if (os_mono_ms() >= end)
            break;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
    char who[32] = "another process";
    if (pid > 0)
        (void)snprintf(who, sizeof who, "process %lld", (long long)pid); /* fits */
    return cli_fault("session", EX_TEMPFAIL, "%s is in use by %s, which does not answer", data, who);
}

struct session_store *session_store_open(const char *data, int *code_out)
{
    int folder = -1;
    *code_out = open_folder(data, &folder);
    if (*code_out != EX_OK)
        return NULL;
    struct session_store *s = os_new(sizeof *s);
    s->lock = -1;
    *code_out = open_either(s, data, folder);
    close(folder);
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
    become_oneself();
    if (s->edge) {
        os_edge_free(s->edge);
        os_timer_fini(&s->deadline);
        event_base_free(s->base);
    }
    if (s->lock >= 0)
        close(s->lock);
    free(s);
}

int session_store_ask(struct session_store *s, const struct ipc_message *request,
                      void (*take)(void *ctx, const struct ipc_message *m), void *ctx,
                      struct ipc_session_done *done_out)
{
    s->answered = false;
    s->take = take;
    s->ctx = ctx;
    int code = EX_OK;
    if (s->edge)
        code = ask_server(s, request);
    else
        ask_traces(s, request);
    if (code == EX_OK)
        *done_out = s->done;
    return code;
}
