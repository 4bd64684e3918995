#include "os/heap.h"
#include "os/stream_state.h"

#include "base/view.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    SCRATCH_LEN = 64 << 10,
    TURN_N = 64,            /* TLS records read in one turn, however small                 */
    TURN_LEN = 256 << 10,   /* octets read in one turn: the other streams wait             */
    KEPT_MAX_LEN = 1 << 20, /* an owner that consumes nothing of that is not read any more */
    SECRET_LEN = 16 << 10,  /* larger reads are message content; commands with secrets are smaller */
    LINGER_LEN = 64 << 10
};

/* One thread, and views are void after the call: all streams read into the same octets. */
static uint8_t scratch[SCRATCH_LEN];

void stream_read_on(struct os_stream *s)
{
    if (s->phase == STREAM_OPEN && !s->paused && !s->eof)
        stream_want_read(s, s->kept.len < KEPT_MAX_LEN);
}

void os_stream_pause(struct os_stream *s) { s->paused = true; }

void os_stream_resume(struct os_stream *s)
{
    s->paused = false;
    stream_read_on(s);
    /* TLS may hold octets that the kernel has delivered already. */
    if (s->phase == STREAM_OPEN && (s->kept.len > 0 || s->pushing || s->ssl)) {
        s->push = true;
        stream_at_turn_end(s);
    }
}

/* Give octets to the owner; the number that it took, or all when the stream changed under it. */
static size_t push(struct os_stream *s, struct sp_view in)
{
    s->pushing = true;
    size_t n = s->handlers->input(s->ctx, in);
    s->pushing = false;
    return s->phase == STREAM_OPEN && n < in.len ? n : in.len;
}

void stream_push_kept(struct os_stream *s)
{
    if (s->kept.len == 0)
        return;
    /* The owner may free s while it looks at the octets. */
    struct sp_buf given = s->kept;
    sp_buf_init(&s->kept, given.alloc, given.max);
    size_t n = push(s, sp_buf_view(&given));
    if (n < given.len) {
        sp_buf_drop(&given, n);
        s->kept = given;
    } else {
        sp_buf_fini(&given);
    }
}

/* Hand over n octets that arrived behind `kept`, or in scratch when nothing is kept. */
static void push_fresh(struct os_stream *s, size_t n)
{
    if (s->kept.len > 0) {
        s->kept.len += n;
        stream_push_kept(s);
        return;
    }
    size_t taken = push(s, sp_view_make(scratch, n));
    if (taken < n)
        sp_buf_add(&s->kept, sp_view_make(scratch + taken, n - taken));
    if (n <= SECRET_LEN)
        explicit_bzero(scratch, n);
}

static enum link_status read_some(struct os_stream *s, size_t *n_out, char *why_out)
{
    if (s->kept.len == 0)
        return link_read(s, scratch, sizeof scratch, n_out, why_out);
    sp_buf_reserve(&s->kept, SCRATCH_LEN / 4);
    return link_read(s, s->kept.p + s->kept.len, s->kept.cap - s->kept.len, n_out, why_out);
}

/* Who has said all may still be reading: the owner is told of the end when all that was written has gone. */
static void end_of_input(struct os_stream *s, const char *why)
{
    char ignored[TLS_WORDS_LEN];
    s->eof = true;
    if (!why && stream_flush(s, ignored) && os_stream_backlog(s) > 0)
        stream_want_read(s, false);
    else
        stream_over(s, why);
}

/* Plain: once, the loop tells when there is more. TLS: as long as OpenSSL holds octets, which the loop cannot
 * see. */
void stream_read_input(struct os_stream *s)
{
    char why[TLS_WORDS_LEN];
    size_t total = 0, record_n = 0, n = 0;
    while (s->phase == STREAM_OPEN && !s->paused && !s->eof && s->kept.len < KEPT_MAX_LEN) {
        enum link_status status = read_some(s, &n, why);
        if (status == LINK_AGAIN) {
            if (s->read_wants_write)
                stream_want_write(s, true);
            break;
        }
        if (status != LINK_OK) {
            end_of_input(s, status == LINK_EOF ? NULL : why);
            return;
        }
        total += n;
        push_fresh(s, n);
        if (!s->ssl)
            break;
        if (total >= TURN_LEN || ++record_n >= TURN_N) {
            s->push = true;
            stream_at_turn_end(s);
            break;
        }
    }
    if (s->phase == STREAM_OPEN && !s->eof && s->kept.len >= KEPT_MAX_LEN)
        stream_want_read(s, s->write_wants_read);
}

void stream_discard_input(struct os_stream *s)
{
    ssize_t n = recv(s->fd, scratch, sizeof scratch, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    s->discarded += n > 0 ? (uint32_t)n : 0;
    if (n <= 0 || s->discarded >= LINGER_LEN)
        os_stream_free(s);
}
