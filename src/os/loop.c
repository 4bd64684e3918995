#include "os/loop.h"

#include "os/log.h"

#include <signal.h>

static struct event *make_event(struct event_base *base, event_callback_fn cb, void *arg)
{
    struct event *e = event_new(base, -1, 0, cb, arg);
    if (!e)
        os_panic("loop", "event_new failed");
    return e;
}

struct event_base *os_loop_new(void)
{
    /* A peer that has gone is an errno of the write, everywhere. */
    signal(SIGPIPE, SIG_IGN);
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    if (!base || event_base_priority_init(base, OS_PRIORITY_N))
        os_panic("loop", "libevent cannot make an event base");
    return base;
}

/* The one whose run() is on the stack; cleared when it is destroyed in there. */
static struct os_later *running;

static void run_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct os_later *l = arg, *outer = running;
    l->asked = false;
    running = l;
    l->run(l->ctx);
    running = outer;
}

void os_later_init(struct os_later *l, struct event_base *base, void (*run)(void *ctx), void *ctx)
{
    *l = (struct os_later){.run = run, .ctx = ctx};
    l->event = make_event(base, run_later, l);
    event_priority_set(l->event, OS_PRIORITY_IO);
}

void os_later_ask(struct os_later *l)
{
    if (l->asked)
        return;
    l->asked = true;
    /*
     * Activated, an event stands behind all that are ready now and runs without another poll. One that
     * asks for itself would so never let the loop poll again: it waits for the next turn.
     */
    if (l == running)
        event_add(l->event, &(struct timeval){0});
    else
        event_active(l->event, EV_TIMEOUT, 0);
}

void os_later_fini(struct os_later *l)
{
    if (running == l)
        running = NULL;
    if (l->event)
        event_free(l->event);
    l->event = NULL;
}

static void run_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct os_timer *t = arg;
    t->run(t->ctx);
}

void os_timer_init(struct os_timer *t, struct event_base *base, void (*run)(void *ctx), void *ctx)
{
    *t = (struct os_timer){.run = run, .ctx = ctx};
    t->event = make_event(base, run_timer, t);
    event_priority_set(t->event, OS_PRIORITY_IO);
}

void os_timer_set(struct os_timer *t, uint64_t in_ms)
{
    struct timeval in = {.tv_sec = (time_t)(in_ms / 1000), .tv_usec = (suseconds_t)(in_ms % 1000 * 1000)};
    event_add(t->event, &in);
}

void os_timer_stop(struct os_timer *t) { event_del(t->event); }

void os_timer_fini(struct os_timer *t)
{
    if (t->event)
        event_free(t->event);
    t->event = NULL;
}
