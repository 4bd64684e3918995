#include "cli/queue_store.h"

#include "base/view.h"
#include "cli/options.h"
#include "os/clock.h"
#include "os/control.h"
#include "os/heap.h"
#include "os/lock.h"
#include "roles/queue/control.h"

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

struct queue_store {
    /* without a server: */
    struct store *store; /* NULL: no message was ever stored */
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
    struct ipc_queue_done done;
};

static void take_answer(struct queue_store *s, const struct ipc_message *m)
{
    if (m->type == IPC_TYPE_queue_done) {
        s->done = m->as.queue_done;
        s->answered = true;
    } else if (s->take) {
        s->take(s->ctx, m);
    }
}

/* --- through the server ------------------------------------------------------------------- */

static void take_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct queue_store *s = ctx;
    (void)edge;
    take_answer(s, m);
    if (m->type == IPC_TYPE_queue_content && m->as.queue_content.fd >= 0)
        close(m->as.queue_content.fd);
    if (s->answered)
        event_base_loopbreak(s->base);
}

static void note_closed(void *ctx, struct os_edge *edge)
{
    struct queue_store *s = ctx;
    (void)edge;
    s->lost = true;
    event_base_loopbreak(s->base);
}

static void note_deadline(void *ctx) { event_base_loopbreak(((struct queue_store *)ctx)->base); }

static const struct os_edge_handlers handlers = {.message = take_message, .closed = note_closed};

static void attach(struct queue_store *s, int fd)
{
    s->base = os_loop_new();
    os_timer_init(&s->deadline, s->base, note_deadline, s);
    s->edge = os_edge_new(s->base, fd, IPC_TOOL, IPC_QUEUE, 0, &handlers, s);
}

static int ask_server(struct queue_store *s, const struct ipc_message *request)
{
    if (!s->lost && os_edge_send(s->edge, request) == SP_OK) {
        os_timer_set(&s->deadline, ANSWER_MS);
        (void)event_base_dispatch(s->base); /* what it was good for shows in `answered` */
        os_timer_stop(&s->deadline);
    }
    if (s->answered)
        return EX_OK;
    return cli_fault("queue", EX_TEMPFAIL,
                     s->lost ? "the server stopped before it answered; try again"
                             : "the server does not answer");
}

/* --- without one --------------------------------------------------------------------------- */

static void send_to_self(void *ctx, const struct ipc_message *m) { take_answer(ctx, m); }

static void ask_store(struct queue_store *s, const struct ipc_message *request)
{
    if (!s->store) { /* as of an empty one */
        bool by_id = request->type == IPC_TYPE_queue_show || request->type == IPC_TYPE_queue_remove ||
                     (request->type == IPC_TYPE_queue_retry && request->as.queue_retry.id);
        struct ipc_message counters = {.type = IPC_TYPE_queue_counters};
        if (request->type == IPC_TYPE_queue_status)
            take_answer(s, &counters);
        s->done = (struct ipc_queue_done){.answer = by_id ? IPC_QUEUE_UNKNOWN_ID : IPC_QUEUE_DONE};
        s->answered = true;
        return;
    }
    struct queue_control c = {.store = s->store, .now_ms = os_wall_ms(), .ctx = s, .send = send_to_self};
    queue_control_answer(&c, request);
}

/* What root would make in there, the role could not open later: be the folder's owner until the store is
 * closed. */
static int become_owner(int folder, const char *data)
{
    struct stat st;
    if (geteuid() != 0 || fstatat(folder, "queue.db", &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_uid == 0)
        return EX_OK;
    if (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0)
        return cli_fault("queue", EX_OSERR, "cannot work as the owner of %s/queue/queue.db: %s", data,
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

static int open_store(struct queue_store *s, const char *data, int folder)
{
    struct sp_buf error;
    int queue = openat(folder, "queue", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (queue < 0)
        return cli_fault("queue", errno == EACCES ? EX_NOPERM : EX_IOERR, "cannot open %s/queue: %s", data,
                         strerror(errno));
    sp_buf_init(&error, &os_heap, 4096);
    int code = become_owner(queue, data);
    int status = code ? SP_OK : store_open(&(struct store_options){.folder = queue}, &error, &s->store);
    if (status && status != SP_ERR_ABSENT)
        code = cli_fault("queue", status == SP_ERR_RANGE ? EX_CONFIG : EX_IOERR, "%s/queue/queue.db: %.*s",
                         data, (int)error.len, error.p ? (const char *)error.p : "");
    sp_buf_fini(&error);
    close(queue);
    return code;
}

/* --- opening ------------------------------------------------------------------------------- */

static int open_folder(const char *data, int *folder_out)
{
    struct stat there;
    int folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT)
        return cli_fault("queue", EX_NOINPUT,
                         "there is no data folder %s; 'sallyport serve' makes one, --data DIR names another",
                         data);
    if (folder < 0)
        return cli_fault("queue", errno == EACCES ? EX_NOPERM : EX_NOINPUT,
                         "cannot open the data folder %s: %s", data, strerror(errno));
    if (fstatat(folder, "queue", &there, 0) == 0) {
        *folder_out = folder;
        return EX_OK;
    }
    int why = errno;
    close(folder);
    if (why == ENOENT)
        return cli_fault(
            "queue", EX_NOINPUT,
            "%s is not a data folder: it has no folder queue, which 'sallyport serve' makes at its first "
            "start",
            data);
    return cli_fault("queue", why == EACCES ? EX_NOPERM : EX_NOINPUT,
                     "cannot look into the data folder %s: %s", data, strerror(why));
}

/* The server that runs there, else the store. Neither, while a server starts or another tool is at work:
 * wait. */
static int open_either(struct queue_store *s, const char *data, int folder)
{
    uint64_t end = os_mono_ms() + START_MS;
    int64_t pid = 0;
    for (;;) {
        int fd = os_control_connect(data, IPC_QUEUE);
        if (fd >= 0) {
            attach(s, fd);
            return EX_OK;
        }
        if (errno != ENOENT && errno != ECONNREFUSED)
            return cli_fault("queue", errno == EACCES || errno == EPERM ? EX_NOPERM : EX_UNAVAILABLE,
                             "cannot speak to the server of %s: %s", data, strerror(errno));
        int status = os_lock_take(folder, 0, &s->lock, &pid);
        if (status == SP_OK)
            return open_store(s, data, folder);
        if (status == SP_ERR_IO)
            return cli_fault("queue", errno == EACCES || errno == EPERM ? EX_NOPERM : EX_OSERR,
                             "cannot lock %s: %s", data, strerror(errno));
        if (os_mono_ms() >= end)
            break;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
    char who[32] = "another process";
    if (pid > 0)
        (void)snprintf(who, sizeof who, "process %lld", (long long)pid); /* fits */
    return cli_fault("queue", EX_TEMPFAIL, "%s is in use by %s, which does not answer", data, who);
}

struct queue_store *queue_store_open(const char *data, int *code_out)
{
    int folder = -1;
    *code_out = open_folder(data, &folder);
    if (*code_out != EX_OK)
        return NULL;
    struct queue_store *s = os_new(sizeof *s);
    s->lock = -1;
    *code_out = open_either(s, data, folder);
    close(folder);
    if (*code_out == EX_OK)
        return s;
    queue_store_close(s);
    return NULL;
}

void queue_store_close(struct queue_store *s)
{
    if (!s)
        return;
    store_close(s->store);
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

bool queue_store_is_served(const struct queue_store *s) { return s->edge != NULL; }

int queue_store_ask(struct queue_store *s, const struct ipc_message *request,
                    void (*take)(void *ctx, const struct ipc_message *m), void *ctx,
                    struct ipc_queue_done *done_out)
{
    s->answered = false;
    s->take = take;
    s->ctx = ctx;
    int code = EX_OK;
    if (s->edge)
        code = ask_server(s, request);
    else
        ask_store(s, request);
    if (code == EX_OK)
        *done_out = s->done;
    return code;
}
