#include "cli/queue/store.h"

#include "cli/options.h"
#include "cli/talk.h"
#include "cli/way_in.h"
#include "os/clock.h"
#include "os/heap.h"
#include "roles/queue/control.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

struct queue_store {
    struct way_in way;
    struct talk *talk;   /* NULL: no server runs, and: */
    struct store *store; /* NULL: no message was ever stored */
    /* of the question that is open: */
    void (*take)(void *ctx, const struct ipc_message *m);
    void *ctx;
    struct ipc_queue_done done;
};

static bool take_answer(void *ctx, const struct ipc_message *m)
{
    struct queue_store *s = ctx;
    if (m->type == IPC_TYPE_queue_done)
        s->done = m->as.queue_done;
    else if (s->take)
        s->take(s->ctx, m);
    if (s->talk && m->type == IPC_TYPE_queue_content && m->as.queue_content.fd >= 0)
        close(m->as.queue_content.fd);
    return m->type == IPC_TYPE_queue_done;
}

/* --- without a server ----------------------------------------------------------------------- */

static void send_to_self(void *ctx, const struct ipc_message *m) { (void)take_answer(ctx, m); }

/* As of an empty store. */
static void answer_nothing(struct queue_store *s, const struct ipc_message *request)
{
    const struct ipc_message counters = {.type = IPC_TYPE_queue_counters};
    bool any = request->type == IPC_TYPE_queue_list || request->type == IPC_TYPE_queue_status ||
               request->type == IPC_TYPE_queue_destinations ||
               (request->type == IPC_TYPE_queue_retry && !request->as.queue_retry.id);
    if (request->type == IPC_TYPE_queue_status)
        (void)take_answer(s, &counters);
    s->done = (struct ipc_queue_done){.answer = any ? IPC_QUEUE_DONE : IPC_QUEUE_UNKNOWN_ID};
    if (request->type == IPC_TYPE_queue_suspend)
        s->done.answer = IPC_QUEUE_UNSERVED;
}

static void ask_store(struct queue_store *s, const struct ipc_message *request)
{
    struct queue_control c = {.store = s->store, .now_ms = os_wall_ms(), .ctx = s, .send = send_to_self};
    if (s->store)
        queue_control_answer(&c, request);
    else
        answer_nothing(s, request);
}

static int open_database(void *ctx, int part, struct sp_buf *error)
{
    struct queue_store *s = ctx;
    return store_open(&(struct store_options){.folder = part}, error, &s->store);
}

static int open_store(struct queue_store *s, const char *data)
{
    const struct way_in_file file = {.command = "queue",
                                     .data = data,
                                     .part = "queue",
                                     .file = "queue.db",
                                     .owned = "queue.db",
                                     .owned_name = "queue/queue.db",
                                     .open = open_database};
    return way_in_open_file(&s->way, &file, s);
}

/* --- both ----------------------------------------------------------------------------------- */

struct queue_store *queue_store_open(const char *data, int *code_out)
{
    struct queue_store *s = os_new(sizeof *s);
    *code_out = way_in_open("queue", data, "queue", IPC_QUEUE, &s->way);
    if (*code_out == EX_OK && s->way.socket >= 0)
        s->talk = talk_new(s->way.socket, IPC_QUEUE, take_answer, s);
    else if (*code_out == EX_OK)
        *code_out = open_store(s, data);
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
    way_in_become_oneself();
    talk_free(s->talk);
    way_in_close(&s->way);
    free(s);
}

bool queue_store_is_served(const struct queue_store *s) { return s->talk != NULL; }

int queue_store_ask(struct queue_store *s, const struct ipc_message *request,
                    void (*take)(void *ctx, const struct ipc_message *m), void *ctx,
                    struct ipc_queue_done *done_out)
{
    const char *why = NULL;
    s->take = take;
    s->ctx = ctx;
    if (s->talk)
        why = talk_ask(s->talk, request);
    else
        ask_store(s, request);
    if (why)
        return cli_fault("queue", EX_TEMPFAIL, "%s; try again", why);
    *done_out = s->done;
    return EX_OK;
}
