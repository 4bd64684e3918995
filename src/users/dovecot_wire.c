#include "users/dovecot_wire.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { OUT_MAX = 8 << 20, RECONNECT_FIRST_MS = 1000, RECONNECT_MOST_MS = 30000 };

static void init_buffers(struct users_wire *w)
{
    sp_buf_init(&w->in, &os_heap, USERS_WIRE_LINE_MAX);
    sp_buf_init(&w->out, &os_heap, OUT_MAX);
}

static void fini_buffers(struct users_wire *w)
{
    sp_buf_fini_secret(&w->in);
    sp_buf_fini_secret(&w->out);
}

static void hang_up(struct users_wire *w)
{
    if (w->readable)
        event_free(w->readable);
    if (w->writable)
        event_free(w->writable);
    w->readable = w->writable = NULL;
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

void users_wire_lose(struct users_wire *w, const char *why)
{
    if (!w->complained)
        os_log(OS_WARN, "dovecot-away", OS_STR("socket", w->path), OS_STR("error", why));
    w->complained = true;
    hang_up(w);
    os_timer_set(&w->again, w->pause_ms);
    w->pause_ms = w->pause_ms * 2 > RECONNECT_MOST_MS ? RECONNECT_MOST_MS : w->pause_ms * 2;
    fini_buffers(w);
    init_buffers(w);
    w->lost(w->ctx);
}

void users_wire_note_ready(struct users_wire *w)
{
    w->pause_ms = RECONNECT_FIRST_MS;
    if (w->complained)
        os_log(OS_INFO, "dovecot-back", OS_STR("socket", w->path));
    w->complained = false;
}

/* --- out ---------------------------------------------------------------------------------- */

static void flush(struct users_wire *w)
{
    while (w->fd >= 0 && w->out.len > 0) {
        ssize_t n = send(w->fd, w->out.p, w->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            event_add(w->writable, NULL);
            return;
        }
        if (n < 0 && errno != EINTR) {
            users_wire_lose(w, strerror(errno));
            return;
        }
        if (n > 0) {
            memmove(w->out.p, w->out.p + n, w->out.len - (size_t)n);
            w->out.len -= (size_t)n;
            explicit_bzero(w->out.p + w->out.len, (size_t)n); /* passwords */
        }
    }
}

void users_wire_send(struct users_wire *w)
{
    if (sp_buf_status(&w->out))
        users_wire_lose(w, "it does not read");
    flush(w);
}

static void note_writable(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    flush(ctx);
}

/* --- in ----------------------------------------------------------------------------------- */

/* Each line is taken out before it is told: whoever is told may lose this connection, and open another. */
static void take_lines(struct users_wire *w)
{
    uint8_t line[USERS_WIRE_LINE_MAX];
    size_t len;
    while ((len = sp_view_find(sp_buf_view(&w->in), '\n', 0)) < w->in.len) {
        memcpy(line, w->in.p, len);
        sp_buf_drop(&w->in, len + 1);
        w->line(w->ctx, sp_view_make(line, len));
    }
    explicit_bzero(line, sizeof line);
    if (w->in.len == w->in.max)
        users_wire_lose(w, "it sends a line without end");
}

static void note_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct users_wire *w = ctx;
    (void)what;
    (void)sp_buf_reserve(&w->in, w->in.max - w->in.len); /* os_heap never says no */
    ssize_t n = recv(fd, w->in.p + w->in.len, w->in.max - w->in.len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        users_wire_lose(w, n == 0 ? "it closed the connection" : strerror(errno));
        return;
    }
    w->in.len += (size_t)n;
    take_lines(w);
}

/* --- connecting --------------------------------------------------------------------------- */

static const char *connect_now(struct users_wire *w)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(w->path) >= sizeof to.sun_path)
        return "the path is too long for a socket";
    memcpy(to.sun_path, w->path, strlen(w->path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        const char *why = strerror(errno);
        if (fd >= 0)
            close(fd);
        return why;
    }
    w->fd = fd;
    w->readable = event_new(w->base, fd, EV_READ | EV_PERSIST, note_readable, w);
    w->writable = event_new(w->base, fd, EV_WRITE, note_writable, w);
    if (!w->readable || !w->writable || event_add(w->readable, NULL) != 0)
        os_panic("dovecot", "cannot watch its socket");
    sp_buf_add_str(&w->out, "VERSION\t1\t2\nCPID\t");
    sp_buf_add_dec(&w->out, (uint64_t)getpid());
    sp_buf_add_str(&w->out, "\n");
    return NULL;
}

bool users_wire_open(struct users_wire *w)
{
    const char *why = w->fd < 0 ? connect_now(w) : NULL;
    if (why)
        users_wire_lose(w, why);
    return !why;
}

static void connect_again(void *ctx)
{
    struct users_wire *w = ctx;
    if (users_wire_open(w))
        flush(w);
}

void users_wire_keep(struct users_wire *w) { os_timer_set(&w->again, 0); }

/* --- life --------------------------------------------------------------------------------- */

void users_wire_init(struct users_wire *w, struct event_base *base, const char *path)
{
    w->base = base;
    w->path = os_text(sp_view_of(path));
    w->fd = -1;
    w->pause_ms = RECONNECT_FIRST_MS;
    init_buffers(w);
    os_timer_init(&w->again, base, connect_again, w);
}

void users_wire_fini(struct users_wire *w)
{
    hang_up(w);
    fini_buffers(w);
    os_timer_fini(&w->again);
    free(w->path);
}
