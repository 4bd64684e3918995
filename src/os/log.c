#include "os/log.h"

#include "base/time.h"
#include "base/utf8.h"
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Below PIPE_BUF, so that lines of several processes in one pipe never mix. */
enum { LINE_MAX_LEN = 4000, TAIL_LEN = 48 };

static const char *role_name = "sallyport";
static uint64_t lost;

/* --- a line of fixed size ----------------------------------------------------------------- */

struct line {
    char text[LINE_MAX_LEN];
    size_t len;
    bool cut;
};

/* Room is kept for a closing quote, "cut=1", "lost=N" and the line end. */
static void put(struct line *l, const void *p, size_t n)
{
    if (l->cut || n > LINE_MAX_LEN - TAIL_LEN - l->len) {
        l->cut = true;
        return;
    }
    memcpy(l->text + l->len, p, n);
    l->len += n;
}

static void put_text(struct line *l, const char *s) { put(l, s, strlen(s)); }

static void put_tail(struct line *l, const char *s)
{
    size_t n = strlen(s);
    memcpy(l->text + l->len, s, n);
    l->len += n;
}

/* --- escaping ----------------------------------------------------------------------------- */

/* Characters that steer a terminal or turn a line's reading order. */
static bool steers(uint32_t c)
{
    return (c >= 0x80 && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* Octets of the harmless UTF-8 character beyond ASCII that begins v, or 0: there is none. */
static size_t harmless_len(struct sp_view v)
{
    uint32_t c;
    size_t n = sp_utf8_get(v, &c);
    return n > 1 && !steers(c) ? n : 0;
}

static bool plain(uint8_t c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '='; }

static bool needs_quotes(struct sp_view v)
{
    for (size_t i = 0; i < v.len;) {
        size_t n = plain(v.p[i]) ? 1 : harmless_len(sp_view_from(v, i));
        if (n == 0)
            return true;
        i += n;
    }
    return v.len == 0;
}

static void put_value(struct line *l, struct sp_view v)
{
    bool quoted = needs_quotes(v);
    if (quoted)
        put_text(l, "\"");
    bool opened = quoted && !l->cut;
    for (size_t i = 0; i < v.len && !l->cut;) {
        uint8_t c = v.p[i];
        size_t n = c >= 0x80 ? harmless_len(sp_view_from(v, i)) : c >= ' ' && c < 0x7f ? 1 : 0;
        char escaped[8];
        if (n == 0)
            put(l, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\x%02x", c));
        else if (c == '"' || c == '\\')
            put(l, (const char[]){'\\', (char)c}, 2);
        else
            put(l, v.p + i, n);
        i += n ? n : 1;
    }
    if (opened)
        put_tail(l, "\"");
}

/* --- writing ------------------------------------------------------------------------------ */

/* How a line is written without ever blocking. */
static enum { UNKNOWN, PLAIN, SOCKET, ASK_FIRST } way;

static void find_way(void)
{
    struct stat st;
    if (fstat(STDERR_FILENO, &st))
        way = UNKNOWN; /* closed: every line is lost, until somebody opens it */
    else if (S_ISSOCK(st.st_mode))
        way = SOCKET;
    else if (S_ISREG(st.st_mode) || (fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK))
        way = PLAIN;
    else
        way = ASK_FIRST; /* poll promises PIPE_BUF octets, and a line is shorter */
}

static ssize_t write_once(const struct line *l)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (way == SOCKET)
        return send(STDERR_FILENO, l->text, l->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (way == ASK_FIRST && !(poll(&p, 1, 0) == 1 && (p.revents & POLLOUT))) {
        errno = EAGAIN;
        return -1;
    }
    return write(STDERR_FILENO, l->text, l->len);
}

static bool write_line(const struct line *l)
{
    if (way == UNKNOWN)
        find_way();
    ssize_t n;
    do
        n = write_once(l);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

static void put_head(struct line *l, enum os_log_level level, const char *event)
{
    static const char *const names[] = {"info", "warn", "fatal", "panic"};
    uint8_t raw[32];
    struct sp_buf time = {.alloc = &os_heap, .p = raw, .cap = sizeof raw, .max = sizeof raw};
    sp_buf_add_rfc3339(&time, os_wall_ms(), true);
    put_text(l, "time=");
    put(l, raw, time.len);
    put_text(l, " level=");
    put_text(l, names[level]);
    put_text(l, " role=");
    put_text(l, role_name);
    put_text(l, " event=");
    put_text(l, event);
}

static bool left_out(const struct os_log_field *f)
{
    return (f->kind == OS_LOG_TEXT_ && !f->text) || (f->kind == OS_LOG_VIEW_ && f->view.len == 0);
}

void os_log_fields(enum os_log_level level, const char *event, const struct os_log_field *fields)
{
    struct line l;
    l.len = 0;
    l.cut = false;
    put_head(&l, level, event);
    for (const struct os_log_field *f = fields; f->key && !l.cut; f++) {
        if (left_out(f))
            continue;
        char number[24];
        size_t start = l.len;
        put_text(&l, " ");
        put_text(&l, f->key);
        put_text(&l, "=");
        if (l.cut)
            l.len = start;
        else if (f->kind == OS_LOG_INT_)
            put(&l, number, (size_t)snprintf(number, sizeof number, "%lld", (long long)f->number));
        else
            put_value(&l, f->kind == OS_LOG_TEXT_ ? sp_view_of(f->text) : f->view);
    }
    if (l.cut)
        put_tail(&l, " cut=1");
    if (lost > 0) {
        char text[32];
        snprintf(text, sizeof text, " lost=%llu", (unsigned long long)lost);
        put_tail(&l, text);
    }
    put_tail(&l, "\n");
    if (write_line(&l))
        lost = 0;
    else
        lost++;
}

void os_log_role(const char *role) { role_name = role; }

void os_log_open(void)
{
    struct stat st;
    /* A file never blocks, and a second description of it would write over the first one's lines. */
    bool blocks = fstat(STDERR_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode));
    /* A description of our own: O_NONBLOCK must not reach the shell that shares the terminal. */
    int fd = blocks ? open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        /* When either fails, lines are written after asking; that is no worse than for another user's pipe.
         */
        (void)dup2(fd, STDERR_FILENO);
        close(fd);
    }
    find_way();
}

/* --- the end ------------------------------------------------------------------------------ */

static void log_last(enum os_log_level level, const char *event, const char *format, va_list args)
{
    char text[2000];
    vsnprintf(text, sizeof text, format, args);
    os_log(level, event, OS_STR("reason", text));
}

void os_fatal(int exit_code, const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_last(OS_FATAL, event, format, args);
    va_end(args);
    exit(exit_code);
}

void os_panic(const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_last(OS_PANIC, event, format, args);
    va_end(args);
    abort();
}
