/* The events of streams, and what they do together at the end of a turn of the loop. */
#include "os/heap.h"
#include "os/log.h"
#include "os/stream_state.h"

#include <stdlib.h>

/* --- events --------------------------------------------------------------------------------- */

static struct event *make_event(struct os_stream *s, int fd, short what, event_callback_fn cb)
{
    struct event *e = event_new(s->turn->base, fd, what, cb, s);
    if (!e)
        os_panic("stream", "event_new failed");
    event_priority_set(e, OS_PRIORITY_IO);
    return e;
}

void stream_want_read(struct os_stream *s, bool want)
{
    if (s->reading == want)
        return;
    if (!s->readable)
        s->readable = make_event(s, s->fd, EV_READ | EV_PERSIST, stream_on_readable);
    if (want)
        event_add(s->readable, NULL);
    else
        event_del(s->readable);
    s->reading = want;
}

void stream_want_write(struct os_stream *s, bool want)
{
    if (s->writing == want)
        return;
    if (!s->writable)
        s->writable = make_event(s, s->fd, EV_WRITE | EV_PERSIST, stream_on_writable);
    if (want)
        event_add(s->writable, NULL);
    else
        event_del(s->writable);
    s->writing = want;
}

void stream_set_timer(struct os_stream *s, uint32_t in_ms)
{
    if (!s->timer)
        s->timer = make_event(s, -1, 0, stream_on_timer);
    event_add(s->timer,
              &(struct timeval){.tv_sec = in_ms / 1000, .tv_usec = (suseconds_t)(in_ms % 1000) * 1000});
}

void stream_stop_timer(struct os_stream *s)
{
    if (s->timer)
        event_free(s->timer);
    s->timer = NULL;
}

/* --- the end of a turn ---------------------------------------------------------------------- */

static struct stream_turn *turns;

static void run_turn(void *ctx);

struct stream_turn *stream_find_turn(struct event_base *base)
{
    for (struct stream_turn *t = turns; t; t = t->next)
        if (t->base == base)
            return t;
    struct stream_turn *t = os_new(sizeof *t);
    *t = (struct stream_turn){.next = turns, .base = base};
    t->last = &t->first;
    os_later_init(&t->later, base, run_turn, t);
    return turns = t;
}

void stream_leave_turn(struct stream_turn *t)
{
    if (--t->stream_n > 0)
        return;
    struct stream_turn **link = &turns;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    os_later_fini(&t->later);
    free(t);
}

void stream_at_turn_end(struct os_stream *s)
{
    if (s->in_turn)
        return;
    s->in_turn = true;
    s->next_in_turn = NULL;
    *s->turn->last = s;
    s->turn->last = &s->next_in_turn;
    os_later_ask(&s->turn->later);
}

static void end_turn(struct os_stream *s)
{
    s->busy++;
    bool wanted = s->push;
    s->push = false;
    if (wanted && s->phase == STREAM_OPEN && !s->paused) {
        stream_push_kept(s);
        if (s->ssl)
            stream_read_input(s);
        stream_read_on(s);
    }
    /* What was written until here goes out now; what is asked for from here on waits for the next turn. */
    s->in_turn = false;
    if (s->push)
        stream_at_turn_end(s);
    if (s->phase == STREAM_FLUSHING)
        stream_flush_last(s);
    else if ((s->phase == STREAM_OPEN || s->phase == STREAM_TLS_NEXT) && !s->writing)
        stream_flush_and_tell(s);
    s->busy--;
}

static void run_turn(void *ctx)
{
    struct stream_turn *t = ctx;
    t->stream_n++; /* as if one more stream held it */
    struct os_stream *s = t->first;
    t->first = NULL;
    t->last = &t->first;
    while (s) {
        struct os_stream *next = s->next_in_turn;
        end_turn(s);
        stream_release(s);
        s = next;
    }
    stream_leave_turn(t);
}

size_t os_stream_n(struct event_base *base)
{
    for (struct stream_turn *t = turns; t; t = t->next)
        if (t->base == base)
            return t->stream_n;
    return 0;
}
