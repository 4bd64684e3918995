#include "cli/queue/store.h"

#include "cli/desk.h"
#include "os/clock.h"
#include "os/heap.h"
#include "roles/queue/control.h"

#include <stdlib.h>
#include <sysexits.h>

struct queue_store {
    struct desk desk;
    struct store *store; /* without a server; NULL: no message was ever stored */
};

/* As of an empty store. */
static void answer_nothing(struct queue_store *s, const struct ipc_message *request)
{
    const struct ipc_message counters = {.type = IPC_TYPE_queue_counters};
    struct ipc_message done = {.type = IPC_TYPE_queue_done};
    bool any = request->type == IPC_TYPE_queue_list || request->type == IPC_TYPE_queue_status ||
               request->type == IPC_TYPE_queue_destinations ||
               (request->type == IPC_TYPE_queue_retry && !request->as.queue_retry.id);
    if (request->type == IPC_TYPE_queue_status)
        desk_give(&s->desk, &counters);
    done.as.queue_done.answer = any ? IPC_QUEUE_DONE : IPC_QUEUE_UNKNOWN_ID;
    if (request->type == IPC_TYPE_queue_suspend)
        done.as.queue_done.answer = IPC_QUEUE_UNSERVED;
    desk_give(&s->desk, &done);
}

static void answer(void *ctx, const struct ipc_message *request)
{
    struct queue_store *s = ctx;
    struct queue_control c = {.store = s->store, .now_ms = os_wall_ms(), .ctx = &s->desk, .send = desk_give};
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

static const struct desk_form form = {.role = IPC_QUEUE,
                                      .last = IPC_TYPE_queue_done,
                                      .every_part = "queue",
                                      .file = {.command = "queue",
                                               .part = "queue",
                                               .file = "queue.db",
                                               .owned = "queue.db",
                                               .owned_name = "queue/queue.db",
                                               .open = open_database},
                                      .answer = answer};

struct queue_store *queue_store_open(const char *data, int *code_out)
{
    struct queue_store *s = os_new(sizeof *s);
    *code_out = desk_open(&s->desk, &form, s, data);
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
    desk_close(&s->desk);
    free(s);
}

bool queue_store_is_served(const struct queue_store *s) { return s->desk.talk != NULL; }

int queue_store_ask(struct queue_store *s, const struct ipc_message *request,
                    void (*take)(void *ctx, const struct ipc_message *m), void *ctx,
                    struct ipc_queue_done *done_out)
{
    int code = desk_ask(&s->desk, request, take, ctx);
    if (code == EX_OK)
        *done_out = s->desk.last.as.queue_done;
    return code;
}
