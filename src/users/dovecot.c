#include "users/dovecot.h"

#include "base/base64.h"
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "users/dovecot_line.h"

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
    VERSION_MAJOR = 1,
    MECHANISMS_MAX = 512,
    RECONNECT_FIRST_MS = 1000,
    RECONNECT_MOST_MS = 30000
};

struct open_question {
    struct open_question *next;
    uint32_t number;
    void (*done)(void *ctx, enum users_answer answer, struct sp_view user);
    void (*challenge)(void *ctx, struct sp_view challenge); /* NULL: it is a password, asked as PLAIN */
    void *ctx;
    bool waits;  /* for Dovecot, not for the client */
    bool failed; /* the answer is known: it could not be asked */
};

struct users_dovecot {
    struct event_base *base;
    char *path;
    int fd; /* -1: not connected */
    struct event *readable, *writable;
    struct os_timer late;
    struct os_later fail;  /* tell those that could not be asked */
    struct os_timer again; /* connect, so that what it offers is known */
    uint32_t pause_ms;
    struct sp_buf in, out;
    struct sp_buf mechanisms, next_mechanisms; /* "SCRAM-SHA-256 PLAIN" */
    void (*news)(void *ctx);
    void *news_ctx;
    bool greeted;    /* its VERSION was right */
    bool complained; /* of its absence, once until it is back */
    uint32_t last_number;
    size_t open_n;
    struct open_question *open, **open_end; /* the oldest first */
};

/* --- questions ---------------------------------------------------------------------------- */

static struct open_question *find(const struct users_dovecot *d, uint32_t number)
{
    struct open_question *q = d->open;
    while (q && q->number != number)
        q = q->next;
    return q;
}

/* A client may think for long; Dovecot may not. */
static void watch_time(struct users_dovecot *d)
{
    for (const struct open_question *q = d->open; q; q = q->next)
        if (q->waits) {
            os_timer_set(&d->late, USERS_DOVECOT_MS);
            return;
        }
    os_timer_stop(&d->late);
}

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
    watch_time(d);
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
    sp_buf_clear(&d->next_mechanisms);
    if (why) {
        os_timer_set(&d->again, d->pause_ms);
        d->pause_ms = d->pause_ms * 2 > RECONNECT_MOST_MS ? RECONNECT_MOST_MS : d->pause_ms * 2;
    }
    sp_buf_fini_secret(&d->in);
    sp_buf_fini_secret(&d->out);
    sp_buf_init(&d->in, &os_heap, LINE_MAX_OCTETS);
    sp_buf_init(&d->out, &os_heap, OUT_MAX);
    fail_all(d);
}

static void note_late(void *ctx) { disconnect(ctx, "it does not answer"); }

static void flush(struct users_dovecot *d);

/* Dovecot need not go on with it. */
static void cancel(struct users_dovecot *d, uint32_t number)
{
    if (d->fd < 0)
        return;
    sp_buf_add_str(&d->out, "CANCEL\t");
    sp_buf_add_dec(&d->out, number);
    sp_buf_add_u8(&d->out, '\n');
    flush(d);
}

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

static void take_challenge(struct users_dovecot *d, const struct users_dovecot_line *l)
{
    struct open_question *q = find(d, l->number);
    uint8_t challenge[LINE_MAX_OCTETS];
    size_t len = 0;
    if (!q)
        return; /* forgotten */
    if (!q->done || !q->challenge || !q->waits || sp_base64_decode(l->value, challenge, &len) != SP_OK) {
        cancel(d, q->number); /* PLAIN with an initial response has nothing more to say */
        answer(d, q->number, USERS_AWAY, (struct sp_view){0});
        return;
    }
    q->waits = false;
    watch_time(d);
    q->challenge(q->ctx, sp_view_make(challenge, len));
}

static void take_mechanism(struct users_dovecot *d, struct sp_view name)
{
    if (d->next_mechanisms.len)
        sp_buf_add_u8(&d->next_mechanisms, ' ');
    sp_buf_add(&d->next_mechanisms, name);
}

static void use_mechanisms(struct users_dovecot *d)
{
    struct sp_view now = sp_buf_view(&d->mechanisms), next = sp_buf_view(&d->next_mechanisms);
    d->pause_ms = RECONNECT_FIRST_MS;
    if (d->complained)
        os_log(OS_INFO, "dovecot-back", OS_STR("socket", d->path));
    d->complained = false;
    if (sp_buf_status(&d->next_mechanisms) || sp_view_eq(now, next))
        return;
    sp_buf_clear(&d->mechanisms);
    sp_buf_add(&d->mechanisms, next);
    if (d->news)
        d->news(d->news_ctx);
}

static void take_line(struct users_dovecot *d, struct sp_view line)
{
    struct users_dovecot_line l = users_dovecot_parse(line);
    if (l.word == USERS_DOVECOT_BAD) {
        disconnect(d, "it speaks another protocol");
    } else if (l.word == USERS_DOVECOT_VERSION) {
        d->greeted = l.number == VERSION_MAJOR;
        if (!d->greeted)
            disconnect(d, "it speaks another version of the protocol than 1.x");
    } else if (l.word != USERS_DOVECOT_OTHER && !d->greeted) {
        disconnect(d, "it speaks before its VERSION");
    } else if (l.word == USERS_DOVECOT_MECH && l.usable) {
        take_mechanism(d, l.value);
    } else if (l.word == USERS_DOVECOT_DONE) {
        use_mechanisms(d);
    } else if (l.word == USERS_DOVECOT_OK || l.word == USERS_DOVECOT_FAIL) {
        d->complained = false;
        answer(d, l.number, l.answer, l.value);
    } else if (l.word == USERS_DOVECOT_CONT) {
        d->complained = false;
        take_challenge(d, &l);
    }
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

static void connect_again(void *ctx)
{
    struct users_dovecot *d = ctx;
    const char *why = d->fd < 0 ? connect_now(d) : NULL;
    if (why)
        disconnect(d, why);
    else
        flush(d);
}

/* Addresses have no octet that would need an escape. */
static void write_question(struct users_dovecot *d, uint32_t number, const struct users_question *q)
{
    sp_buf_reserve(&d->out, sp_base64_encoded_len(q->response.len) + 256);
    sp_buf_add_str(&d->out, "AUTH\t");
    sp_buf_add_dec(&d->out, number);
    sp_buf_add_u8(&d->out, '\t');
    sp_buf_add(&d->out, q->mechanism);
    sp_buf_add_str(&d->out, "\tservice=smtp");
    if (q->client.len) {
        sp_buf_add_str(&d->out, "\trip=");
        sp_buf_add(&d->out, q->client);
    }
    sp_buf_add_str(&d->out, q->tls ? "\tsecured=tls" : "\tsecured"); /* the listener lets PLAIN be */
    if (q->has_response) {
        sp_buf_add_str(&d->out, "\tresp="); /* the last one: what follows it is taken as its own */
        sp_buf_add_base64(&d->out, q->response);
    }
    sp_buf_add_u8(&d->out, '\n');
}

uint32_t users_dovecot_begin(struct users_dovecot *d, const struct users_question *q)
{
    struct open_question *o = os_new(sizeof *o);
    const char *why = NULL;
    if (++d->last_number == 0)
        d->last_number = 1;
    uint32_t number = d->last_number;
    *o = (struct open_question){
        .number = number, .done = q->done, .challenge = q->challenge, .ctx = q->ctx, .waits = true};
    *d->open_end = o;
    d->open_end = &o->next;
    d->open_n++;
    watch_time(d);
    if (d->open_n > USERS_DOVECOT_WAITING_MAX || q->response.len > USERS_DOVECOT_RESPONSE_MAX ||
        (d->fd < 0 && (why = connect_now(d)))) {
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

uint32_t users_dovecot_ask(struct users_dovecot *d, const struct users_password_question *q)
{
    struct sp_buf response;
    sp_buf_init(&response, &os_heap, RESPONSE_MAX);
    sp_buf_reserve(&response, 2 + q->user.len + q->password.len);
    sp_buf_add_u8(&response, 0);
    sp_buf_add(&response, q->user);
    sp_buf_add_u8(&response, 0);
    sp_buf_add(&response, q->password);
    const struct users_question whole = {.mechanism = SP_LIT("PLAIN"),
                                         .has_response = true,
                                         .response = sp_buf_view(&response),
                                         .client = q->client,
                                         .tls = q->tls,
                                         .done = q->done,
                                         .ctx = q->ctx};
    uint32_t number = users_dovecot_begin(d, &whole);
    sp_buf_fini_secret(&response);
    return number;
}

void users_dovecot_continue(struct users_dovecot *d, uint32_t number, struct sp_view response)
{
    struct open_question *q = find(d, number);
    if (!q || q->waits || q->failed)
        return; /* its failure is on the way */
    q->waits = true;
    watch_time(d);
    if (response.len > USERS_DOVECOT_RESPONSE_MAX) {
        cancel(d, number);
        q->failed = true;
        os_later_ask(&d->fail);
        return;
    }
    sp_buf_reserve(&d->out, sp_base64_encoded_len(response.len) + 32);
    sp_buf_add_str(&d->out, "CONT\t");
    sp_buf_add_dec(&d->out, number);
    sp_buf_add_u8(&d->out, '\t');
    sp_buf_add_base64(&d->out, response);
    sp_buf_add_u8(&d->out, '\n');
    if (sp_buf_status(&d->out))
        disconnect(d, "it does not read");
    flush(d);
}

void users_dovecot_forget(struct users_dovecot *d, uint32_t number)
{
    struct open_question *q = find(d, number);
    if (!q)
        return;
    q->done = NULL;
    if (q->waits)
        return; /* its answer is waited for, so that the number means nothing else before */
    cancel(d, number);
    answer(d, number, USERS_AWAY, (struct sp_view){0});
}

void users_dovecot_watch(struct users_dovecot *d, void (*news)(void *ctx), void *ctx)
{
    d->news = news;
    d->news_ctx = ctx;
    os_timer_set(&d->again, 0);
}

struct sp_view users_dovecot_mechanisms(const struct users_dovecot *d) { return sp_buf_view(&d->mechanisms); }

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
    sp_buf_init(&d->mechanisms, &os_heap, MECHANISMS_MAX);
    sp_buf_init(&d->next_mechanisms, &os_heap, MECHANISMS_MAX);
    d->pause_ms = RECONNECT_FIRST_MS;
    os_timer_init(&d->late, base, note_late, d);
    os_timer_init(&d->again, base, connect_again, d);
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
    sp_buf_fini(&d->mechanisms);
    sp_buf_fini(&d->next_mechanisms);
    os_timer_fini(&d->late);
    os_timer_fini(&d->again);
    os_later_fini(&d->fail);
    free(d->path);
    free(d);
}
