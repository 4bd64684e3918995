#include "users/dovecot.h"

#include "base/base64.h"
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    LINE_MAX_OCTETS = 8192, /* of Dovecot: AUTH_CLIENT_MAX_LINE_LENGTH */
    OUT_MAX = 8 << 20,
    RESPONSE_MAX = 2048,
    VERSION_MAJOR = 1
};

struct open_question {
    struct open_question *next;
    uint32_t number;
    void (*done)(void *ctx, enum users_answer answer, struct sp_view user);
    void *ctx;
    bool failed; /* the answer is known: it could not be asked */
};

struct users_dovecot {
    struct event_base *base;
    char *path;
    int fd; /* -1: not connected */
    struct event *readable, *writable;
    struct os_timer late;
    struct os_later fail; /* tell those that could not be asked */
    struct sp_buf in, out;
    bool greeted;    /* its VERSION was right */
    bool complained; /* of its absence, once until it is back */
    uint32_t last_number;
    size_t open_n;
    struct open_question *open, **open_end; /* the oldest first */
};

/* --- questions ---------------------------------------------------------------------------- */

/* Take a question out and answer it. */
static void answer(struct users_dovecot *d, uint32_t number, enum users_answer what, struct sp_view user)
{
    struct open_question **at = &d->open, *q;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    if (!(q = *at))
        return; /* forgotten */
    *at = q->next;
    if (d->open_end == &q->next)
        d->open_end = at;
    d->open_n--;
    if (d->open)
        os_timer_set(&d->late, USERS_DOVECOT_MS);
    else
        os_timer_stop(&d->late);
    if (q->done)
        q->done(q->ctx, what, user);
    free(q);
}

static void answer_failed(void *ctx)
{
    struct users_dovecot *d = ctx;
    for (struct open_question *q = d->open; q;) {
        uint32_t number = q->number;
        bool failed = q->failed;
        q = q->next;
        if (failed) {
            answer(d, number, USERS_AWAY, (struct sp_view){0});
            q = d->open; /* `done` may have changed the list */
        }
    }
}

static void fail_all(struct users_dovecot *d)
{
    for (struct open_question *q = d->open; q; q = q->next)
        q->failed = true;
    if (d->open)
        os_later_ask(&d->fail);
}

/* --- the connection ----------------------------------------------------------------------- */

static void disconnect(struct users_dovecot *d, const char *why)
{
    if (why && !d->complained)
        os_log(OS_WARN, "dovecot-away", OS_STR("socket", d->path), OS_STR("error", why));
    d->complained = d->complained || why;
    if (d->readable)
        event_free(d->readable);
    if (d->writable)
        event_free(d->writable);
    d->readable = d->writable = NULL;
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
    d->greeted = false;
    sp_buf_fini_secret(&d->in);
    sp_buf_fini_secret(&d->out);
    sp_buf_init(&d->in, &os_heap, LINE_MAX_OCTETS);
    sp_buf_init(&d->out, &os_heap, OUT_MAX);
    fail_all(d);
}

static void note_late(void *ctx) { disconnect(ctx, "it does not answer"); }

static void flush(struct users_dovecot *d)
{
    while (d->fd >= 0 && d->out.len > 0) {
        ssize_t n = send(d->fd, d->out.p, d->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            event_add(d->writable, NULL);
            return;
        }
        if (n < 0 && errno != EINTR) {
            disconnect(d, strerror(errno));
            return;
        }
        if (n > 0) {
            memmove(d->out.p, d->out.p + n, d->out.len - (size_t)n);
            d->out.len -= (size_t)n;
            explicit_bzero(d->out.p + d->out.len, (size_t)n); /* passwords */
        }
    }
}

static void note_writable(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    flush(ctx);
}

/* --- what Dovecot says -------------------------------------------------------------------- */

/* The value of "name=value" among fields with tabs between; an empty view when it is not there. */
static struct sp_view value_of(struct sp_view fields, struct sp_view name)
{
    struct sp_view field;
    while (sp_view_word(&fields, '\t', &field))
        if (field.len > name.len && sp_view_starts(field, name) && field.p[name.len] == '=')
            return sp_view_from(field, name.len + 1);
    return (struct sp_view){0};
}

static bool has_word(struct sp_view fields, struct sp_view word)
{
    struct sp_view field;
    while (sp_view_word(&fields, '\t', &field))
        if (sp_view_eq(field, word))
            return true;
    return false;
}

static enum users_answer failure_of(struct sp_view fields)
{
    if (has_word(fields, SP_LIT("temp")))
        return USERS_AWAY;
    if (has_word(fields, SP_LIT("user_disabled")) ||
        sp_view_eq(value_of(fields, SP_LIT("code")), SP_LIT("user_disabled")))
        return USERS_DISABLED;
    if (sp_view_eq(value_of(fields, SP_LIT("code")), SP_LIT("temp_fail")))
        return USERS_AWAY;
    return USERS_WRONG;
}

static void take_verdict(struct users_dovecot *d, struct sp_view word, struct sp_view fields)
{
    struct sp_view id = {0};
    uint64_t number = 0;
    if (!sp_view_word(&fields, '\t', &id) || sp_view_u64(id, UINT32_MAX, &number) != SP_OK) {
        disconnect(d, "it speaks another protocol");
        return;
    }
    if (sp_view_eq(word, SP_LIT("OK")))
        answer(d, (uint32_t)number, USERS_RIGHT, value_of(fields, SP_LIT("user")));
    else if (sp_view_eq(word, SP_LIT("FAIL")))
        answer(d, (uint32_t)number, failure_of(fields), (struct sp_view){0});
    else /* PLAIN with an initial response has nothing more to say */
        answer(d, (uint32_t)number, USERS_AWAY, (struct sp_view){0});
}

static void take_line(struct users_dovecot *d, struct sp_view line)
{
    struct sp_view rest = line, word = {0}, major = {0};
    uint64_t number = 0;
    (void)sp_view_word(&rest, '\t', &word); /* an empty line is no word that is known */
    if (sp_view_eq(word, SP_LIT("VERSION"))) {
        if (!sp_view_word(&rest, '\t', &major) || sp_view_u64(major, 1000, &number) != SP_OK ||
            number != VERSION_MAJOR)
            disconnect(d, "it speaks another version of the protocol than 1.x");
        else
            d->greeted = true;
    } else if (sp_view_eq(word, SP_LIT("OK")) || sp_view_eq(word, SP_LIT("FAIL")) ||
               sp_view_eq(word, SP_LIT("CONT"))) {
        d->complained = false;
        if (d->greeted)
            take_verdict(d, word, rest);
        else
            disconnect(d, "it speaks before its VERSION");
    } /* MECH, SPID, CUID, COOKIE, DONE and what later versions add: not needed */
}

static void take_lines(struct users_dovecot *d)
{
    size_t end, from = 0;
    while (d->fd >= 0 && (end = sp_view_find(sp_buf_view(&d->in), '\n', from)) < d->in.len) {
        take_line(d, sp_view_sub(sp_buf_view(&d->in), from, end - from));
        from = end + 1;
    }
    if (d->fd < 0)
        return;
    if (from)
        memmove(d->in.p, d->in.p + from, d->in.len - from);
    d->in.len -= from;
    if (d->in.len == d->in.max)
        disconnect(d, "it sends a line without end");
}

static void note_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct users_dovecot *d = ctx;
    (void)what;
    (void)sp_buf_reserve(&d->in, d->in.max - d->in.len); /* os_heap never says no */
    ssize_t n = recv(fd, d->in.p + d->in.len, d->in.max - d->in.len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        disconnect(d, n == 0 ? "it closed the connection" : strerror(errno));
        return;
    }
    d->in.len += (size_t)n;
    take_lines(d);
}

/* --- asking ------------------------------------------------------------------------------- */

static const char *connect_now(struct users_dovecot *d)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(d->path) >= sizeof to.sun_path)
        return "the path is too long for a socket";
    memcpy(to.sun_path, d->path, strlen(d->path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        const char *why = strerror(errno);
        if (fd >= 0)
            close(fd);
        return why;
    }
    d->fd = fd;
    d->readable = event_new(d->base, fd, EV_READ | EV_PERSIST, note_readable, d);
    d->writable = event_new(d->base, fd, EV_WRITE, note_writable, d);
    if (!d->readable || !d->writable || event_add(d->readable, NULL) != 0)
        os_panic("dovecot", "cannot watch its socket");
    sp_buf_add_str(&d->out, "VERSION\t1\t2\nCPID\t");
    sp_buf_add_dec(&d->out, (uint64_t)getpid());
    sp_buf_add_str(&d->out, "\n");
    return NULL;
}

/* Addresses have no octet that would need an escape. */
static void write_question(struct users_dovecot *d, uint32_t number, const struct users_question *q)
{
    struct sp_buf response;
    sp_buf_init(&response, &os_heap, RESPONSE_MAX);
    sp_buf_reserve(&response, 2 + q->user.len + q->password.len);
    sp_buf_add_u8(&response, 0);
    sp_buf_add(&response, q->user);
    sp_buf_add_u8(&response, 0);
    sp_buf_add(&response, q->password);
    sp_buf_reserve(&d->out, sp_base64_encoded_len(response.len) + 256);
    sp_buf_add_str(&d->out, "AUTH\t");
    sp_buf_add_dec(&d->out, number);
    sp_buf_add_str(&d->out, "\tPLAIN\tservice=smtp");
    if (q->client.len) {
        sp_buf_add_str(&d->out, "\trip=");
        sp_buf_add(&d->out, q->client);
    }
    sp_buf_add_str(&d->out, q->tls ? "\tsecured=tls" : "\tsecured"); /* the listener lets PLAIN be */
    sp_buf_add_str(&d->out, "\tresp=");
    sp_buf_add_base64(&d->out, sp_buf_view(&response));
    sp_buf_add_u8(&d->out, '\n');
    sp_buf_fini_secret(&response);
}

uint32_t users_dovecot_ask(struct users_dovecot *d, const struct users_question *q)
{
    struct open_question *o = os_new(sizeof *o);
    const char *why = NULL;
    if (++d->last_number == 0)
        d->last_number = 1;
    uint32_t number = d->last_number;
    *o = (struct open_question){.number = number, .done = q->done, .ctx = q->ctx};
    *d->open_end = o;
    d->open_end = &o->next;
    if (d->open_n++ == 0)
        os_timer_set(&d->late, USERS_DOVECOT_MS);
    if (d->open_n > USERS_DOVECOT_WAITING_MAX || (d->fd < 0 && (why = connect_now(d)))) {
        if (why)
            disconnect(d, why);
        o->failed = true;
        os_later_ask(&d->fail);
        return number;
    }
    write_question(d, number, q);
    if (sp_buf_status(&d->out))
        disconnect(d, "it does not read");
    flush(d);
    return number;
}

void users_dovecot_forget(struct users_dovecot *d, uint32_t number)
{
    for (struct open_question *q = d->open; q; q = q->next)
        if (q->number == number)
            q->done = NULL;
}

/* --- life --------------------------------------------------------------------------------- */

struct users_dovecot *users_dovecot_new(struct event_base *base, const char *path)
{
    struct users_dovecot *d = os_new(sizeof *d);
    d->base = base;
    d->path = os_text(sp_view_of(path));
    d->fd = -1;
    d->open_end = &d->open;
    sp_buf_init(&d->in, &os_heap, LINE_MAX_OCTETS);
    sp_buf_init(&d->out, &os_heap, OUT_MAX);
    os_timer_init(&d->late, base, note_late, d);
    os_later_init(&d->fail, base, answer_failed, d);
    return d;
}

void users_dovecot_free(struct users_dovecot *d)
{
    if (!d)
        return;
    for (struct open_question *q; (q = d->open);) {
        d->open = q->next;
        free(q);
    }
    d->open_end = &d->open;
    disconnect(d, NULL);
    sp_buf_fini_secret(&d->in);
    sp_buf_fini_secret(&d->out);
    os_timer_fini(&d->late);
    os_later_fini(&d->fail);
    free(d->path);
    free(d);
}
