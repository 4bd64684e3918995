/*
 * The role console: keeps the traces of sessions, and shows them to `sallyport session`. Nobody waits for it:
 * whatever happens here, mail goes on.
 */
#include "roles/console/console.h"

#include "os/heap.h"

#include <stdlib.h>

static struct console *console_of(struct role *r) { return r->state; }

static void leave(void *ctx)
{
    struct console *c = ctx;
    struct role *r = c->role;
    console_keep_commit(c);
    console_keep_report(c);
    console_tools_close(c);
    console_keep_close(c);
    os_later_fini(&c->turn);
    struct os_timer *timers[] = {&c->again, &c->sweep, &c->report, &c->grace};
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++)
        os_timer_fini(timers[i]);
    free(c);
    r->state = NULL;
    role_exit(r);
}

/* Who tells of sessions leaves first; their last words are read then. */
static void leave_when_done(struct console *c)
{
    if (c->stopping && role_peer_n(c->role, IPC_SMTPD) == 0 && role_peer_n(c->role, IPC_AUTH) == 0)
        leave(c);
}

static void start(struct role *r)
{
    struct console *c = os_new(sizeof *c);
    r->state = c;
    c->role = r;
    os_later_init(&c->turn, r->base, console_keep_commit, c);
    os_timer_init(&c->again, r->base, console_keep_open_again, c);
    os_timer_init(&c->sweep, r->base, console_keep_sweep, c);
    os_timer_init(&c->report, r->base, console_keep_report, c);
    os_timer_init(&c->grace, r->base, leave, c);
    console_keep_open(c);
    console_tools_open(c);
}

/* Smaller limits are to be seen at once. */
static void reload(struct role *r) { console_keep_sweep(console_of(r)); }

static void message(struct role *r, struct os_edge *from, const struct ipc_message *m)
{
    (void)from;
    if (m->type == IPC_TYPE_trace)
        console_keep_trace(console_of(r), &m->as.trace);
    else if (m->type == IPC_TYPE_trace_attempt)
        console_keep_attempt(console_of(r), &m->as.trace_attempt);
}

static void peer_gone(struct role *r, struct os_edge *peer)
{
    (void)peer;
    leave_when_done(console_of(r));
}

static void stop(struct role *r, uint32_t grace_ms)
{
    struct console *c = console_of(r);
    c->stopping = true;
    os_timer_set(&c->grace, grace_ms);
    leave_when_done(c);
}

const struct role_ops console_ops = {
    .start = start, .reload = reload, .message = message, .peer_gone = peer_gone, .stop = stop};
