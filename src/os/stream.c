#include "os/stream.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/stream_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An idle connection is this, one event and what the kernel holds. */
_Static_assert(sizeof(struct os_stream) <= 400, "thousands of these are idle at once");

enum { DIRECT_LEN = 16 << 10 }; /* output from here on gains nothing by waiting for more */

/* --- life ----------------------------------------------------------------------------------- */

struct os_stream *stream_new(struct event_base *base, int fd, const struct os_stream_handlers *h, void *ctx)
{
    struct os_stream *s = os_new(sizeof *s);
    *s = (struct os_stream){
        .turn = stream_find_turn(base), .handlers = h, .ctx = ctx, .fd = fd, .paused = true};
    s->turn->stream_n++;
    sp_buf_init(&s->kept, &os_heap_secret, SIZE_MAX);
    sp_buf_init(&s->out, &os_heap_secret, SIZE_MAX);
    return s;
}

struct os_stream *os_stream_accepted(struct event_base *base, int fd, const struct os_stream_handlers *h,
                                     void *ctx)
{
    struct os_stream *s = stream_new(base, fd, h, ctx);
    s->phase = STREAM_OPEN;
    return s;
}

/* All but the memory of s itself, which callers on the stack may still look at. */
static void hang_up(struct os_stream *s)
{
    if (s->readable)
        event_free(s->readable);
    if (s->writable)
        event_free(s->writable);
    s->readable = s->writable = NULL;
    s->reading = s->writing = false;
    stream_stop_timer(s);
    SSL_free(s->ssl);
    s->ssl = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    sp_buf_fini(&s->kept);
    sp_buf_fini(&s->out);
    s->sent = 0;
}

void stream_release(struct os_stream *s)
{
    if (!s->freed || s->busy > 0 || s->in_turn)
        return;
    os_tls_unref(s->tls);
    tls_facts_free(s->facts);
    free(s->server_name);
    free(s->dane);
    free(s->names);
    stream_leave_turn(s->turn);
    free(s);
}

void os_stream_free(struct os_stream *s)
{
    if (!s)
        return;
    hang_up(s);
    s->phase = STREAM_OVER;
    s->freed = true;
    s->handlers = NULL;
    stream_release(s);
}

void stream_over(struct os_stream *s, const char *why)
{
    if (s->phase == STREAM_OVER)
        return;
    if (!s->handlers) {
        os_stream_free(s);
        return;
    }
    s->phase = STREAM_OVER;
    s->push = false;
    sp_buf_fini(&s->kept);
    stream_stop_timer(s);
    stream_want_read(s, false);
    stream_want_write(s, false);
    s->handlers->closed(s->ctx, why);
}

/* --- output --------------------------------------------------------------------------------- */

size_t os_stream_backlog(const struct os_stream *s) { return s->out.len - s->sent; }

/* As much of v as the kernel takes. */
static enum link_status write_view(struct os_stream *s, struct sp_view v, size_t *n_out, char *why_out)
{
    enum link_status status = LINK_OK;
    size_t total = 0, n = 0;
    while (total < v.len && status == LINK_OK) {
        status = link_write(s, sp_view_from(v, total), &n, why_out);
        if (status == LINK_OK)
            total += n;
    }
    *n_out = total;
    return status;
}

static void drop_sent(struct os_stream *s, size_t n)
{
    s->sent += n;
    if (s->sent == s->out.len) {
        sp_buf_fini(&s->out);
        s->sent = 0;
    } else if (s->sent >= s->out.len / 2) {
        sp_buf_drop(&s->out, s->sent);
        s->sent = 0;
    }
}

/* Write what waits. false: it could not be written and will never be. */
bool stream_flush(struct os_stream *s, char *why_out)
{
    size_t n = 0;
    struct sp_view rest = sp_view_from(sp_buf_view(&s->out), s->sent);
    if (s->phase == STREAM_TLS_NEXT)
        rest = sp_view_sub(rest, 0, s->plain);
    if (rest.len == 0) {
        stream_want_write(s, s->read_wants_write);
        return true;
    }
    enum link_status status = write_view(s, rest, &n, why_out);
    if (s->phase == STREAM_TLS_NEXT)
        s->plain -= n;
    drop_sent(s, n);
    stream_want_write(s, (status == LINK_AGAIN && !s->write_wants_read) || s->read_wants_write);
    if (s->write_wants_read)
        stream_want_read(s, true);
    return status == LINK_OK || status == LINK_AGAIN;
}

void os_stream_write(struct os_stream *s, struct sp_view out)
{
    char why[TLS_WORDS_LEN];
    size_t n = 0;
    if (s->phase == STREAM_OVER || s->phase == STREAM_FLUSHING || s->phase == STREAM_LINGERING ||
        out.len == 0)
        return;
    if (out.len >= DIRECT_LEN && s->phase == STREAM_OPEN && !s->writing) {
        /* An error is met again at the end of the turn, and told from there. */
        if (stream_flush(s, why) && os_stream_backlog(s) == 0)
            (void)write_view(s, out, &n, why);
    }
    sp_buf_add(&s->out, sp_view_from(out, n));
    if (os_stream_backlog(s) > 0)
        stream_at_turn_end(s);
}

/* --- events' handlers ----------------------------------------------------------------------- */

static void connected(struct os_stream *s)
{
    int error = s->connect_errno;
    socklen_t len = sizeof error;
    if (!error && getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len))
        error = errno;
    stream_stop_timer(s);
    if (error) {
        s->broken = true;
        stream_over(s, strerror(error));
        return;
    }
    stream_want_write(s, false);
    s->phase = STREAM_OPEN;
    stream_read_on(s);
    if (os_stream_backlog(s) > 0)
        stream_at_turn_end(s);
    if (s->handlers->ready)
        s->handlers->ready(s->ctx, NULL);
}

/* A peer that hangs up while we write may have said why: hear it first. */
static void write_failed(struct os_stream *s, const char *why)
{
    if (!s->ssl)
        stream_read_input(s);
    s->broken = true;
    if (!s->freed)
        stream_over(s, why);
}

/* Flush, and say what follows from it. */
void stream_flush_and_tell(struct os_stream *s)
{
    char why[TLS_WORDS_LEN];
    bool had = os_stream_backlog(s) > 0;
    if (!stream_flush(s, why)) {
        write_failed(s, why);
    } else if (s->phase == STREAM_TLS_NEXT && s->plain == 0) {
        stream_tls_begin(s);
    } else if (s->phase == STREAM_OPEN && s->eof && os_stream_backlog(s) == 0) {
        stream_over(s, NULL);
    } else if (s->phase == STREAM_OPEN && had && os_stream_backlog(s) == 0 && s->handlers->drained) {
        s->handlers->drained(s->ctx);
    }
}

void stream_on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct os_stream *s = arg;
    s->busy++;
    if (s->phase == STREAM_TLS)
        stream_tls_step(s);
    else if (s->phase == STREAM_LINGERING)
        stream_discard_input(s);
    else if (s->write_wants_read)
        stream_at_turn_end(s);
    /* A pause costs a system call only when something comes while it lasts. */
    if (s->phase == STREAM_FLUSHING || (s->phase == STREAM_OPEN && s->paused))
        stream_want_read(s, s->write_wants_read);
    else if (s->phase == STREAM_OPEN)
        stream_read_input(s);
    s->busy--;
    stream_release(s);
}

void stream_on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct os_stream *s = arg;
    s->busy++;
    if (s->phase == STREAM_CONNECTING)
        connected(s);
    else if (s->phase == STREAM_TLS)
        stream_tls_step(s);
    else if (s->phase == STREAM_FLUSHING)
        stream_flush_last(s);
    else
        stream_flush_and_tell(s);
    if (s->phase == STREAM_OPEN && s->read_wants_write)
        stream_read_input(s);
    s->busy--;
    stream_release(s);
}

void stream_on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct os_stream *s = arg;
    s->busy++;
    if (s->phase == STREAM_CONNECTING && s->connect_errno) {
        connected(s);
    } else if (s->phase == STREAM_FLUSHING || s->phase == STREAM_LINGERING) {
        os_stream_free(s);
    } else {
        const char *why =
            s->phase == STREAM_CONNECTING ? "connection timed out" : "TLS: the handshake timed out";
        s->broken = true;
        stream_over(s, why);
    }
    s->busy--;
    stream_release(s);
}
