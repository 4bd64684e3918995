/* Tools on the control socket: each request is answered at once. */
#include "roles/console/console.h"

#include "os/heap.h"
#include "os/log.h"
#include "roles/console/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct console_tool {
    struct console_tool *next;
    struct os_edge *edge;
};

static void forget(struct console *c, struct os_edge *edge)
{
    struct console_tool **at = &c->tools;
    while (*at && (*at)->edge != edge)
        at = &(*at)->next;
    struct console_tool *t = *at;
    if (t) {
        *at = t->next;
        free(t);
    }
    os_edge_free(edge);
}

static void send_answer(void *ctx, const struct ipc_message *m)
{
    (void)os_edge_send(ctx, m); /* a tool that is gone needs no answer */
}

static void take_request(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct console *c = ctx;
    if (os_edge_full(edge)) { /* it asks, and does not read */
        os_log(OS_WARN, "tool-dropped", OS_STR("reason", "too many answers wait"));
        forget(c, edge);
        return;
    }
    console_keep_commit(c); /* what has arrived is to be seen */
    const struct console_control control = {.traces = c->traces, .ctx = edge, .send = send_answer};
    console_control_answer(&control, m);
}

static void note_closed(void *ctx, struct os_edge *edge) { forget(ctx, edge); }

static const struct os_edge_handlers handlers = {.message = take_request, .closed = note_closed};

static void take_tool(void *ctx, struct os_edge *edge)
{
    struct console *c = ctx;
    struct console_tool *t = os_new(sizeof *t);
    t->edge = edge;
    t->next = c->tools;
    c->tools = t;
}

void console_tools_open(struct console *c)
{
    c->control = os_control_new(c->role->base, c->role->folder, IPC_CONSOLE, &handlers, take_tool, c);
    if (!c->control)
        os_log(OS_WARN, "no-control", OS_STR("error", strerror(errno)),
               OS_STR("note", "'sallyport session' cannot reach this server"));
}

void console_tools_close(struct console *c)
{
    while (c->tools) {
        os_edge_flush(c->tools->edge);
        forget(c, c->tools->edge);
    }
    os_control_free(c->control);
}
