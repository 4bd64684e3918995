/* The end: a last reply must not be lost to the reset that unread input provokes. */
#include "os/stream_state.h"

#include <sys/socket.h>

enum { FLUSH_MS = 5000, LINGER_MS = 2000 };

static void say_goodbye(struct os_stream *s)
{
    if (s->ssl && s->handshake_done && !s->broken)
        (void)SSL_shutdown(s->ssl); /* the peer's answer is not waited for */
    if (s->eof || shutdown(s->fd, SHUT_WR)) {
        os_stream_free(s);
        return;
    }
    s->phase = STREAM_LINGERING;
    sp_buf_fini(&s->out);
    s->sent = 0;
    stream_want_write(s, false);
    stream_want_read(s, true);
    stream_set_timer(s, LINGER_MS);
}

void stream_flush_last(struct os_stream *s)
{
    char why[TLS_WORDS_LEN];
    if (s->broken || !stream_flush(s, why) || os_stream_backlog(s) == 0)
        say_goodbye(s);
    else if (!s->timer)
        stream_set_timer(s, FLUSH_MS);
}

void os_stream_finish(struct os_stream *s)
{
    if (!s)
        return;
    bool connected = s->fd >= 0 && s->phase != STREAM_CONNECTING;
    /* In the middle of a handshake nothing can be said any more. */
    if (s->phase == STREAM_TLS || s->phase == STREAM_TLS_NEXT)
        s->broken = true;
    s->handlers = NULL;
    s->push = false;
    sp_buf_fini(&s->kept);
    if (!connected) {
        os_stream_free(s);
        return;
    }
    s->phase = STREAM_FLUSHING;
    stream_stop_timer(s);
    stream_flush_last(s);
}
