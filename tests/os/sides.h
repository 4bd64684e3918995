/* Two ends of a connection on one loop, for the tests of streams: what they heard, and what they do then. */
#ifndef TESTS_OS_SIDES_H
#define TESTS_OS_SIDES_H

#include "harness.h"

#include "base/view.h"
#include "os/address.h"
#include "os/heap.h"
#include "os/stream.h"
#include "os/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* One end: what it has heard, and what it does when it hears. */
struct side {
    struct os_stream *stream;
    struct sp_buf heard;
    size_t consume; /* at most so many octets per call; 0: all            */
    unsigned input_n, drained_n, ready_n, closed_n;
    bool pause_in_input, resume_in_input, free_in_input, finish_in_closed, resume_in_ready;
    bool tls;
    char why[400], version[16], peer_name[80];
    bool verified;
    const char *answer;              /* written for each input, in two halves               */
    struct os_tls_context *starttls; /* start after an input                          */
};

static inline size_t on_input(void *ctx, struct sp_view in)
{
    struct side *s = ctx;
    size_t n = s->consume && s->consume < in.len ? s->consume : in.len;
    s->input_n++;
    sp_buf_add(&s->heard, sp_view_sub(in, 0, n));
    if (s->answer) {
        os_stream_write(s->stream, sp_view_sub(sp_view_of(s->answer), 0, 3));
        os_stream_write(s->stream, sp_view_from(sp_view_of(s->answer), 3));
    }
    if (s->starttls)
        os_stream_start_tls(s->stream, s->starttls, NULL, 5000);
    s->starttls = NULL;
    if (s->pause_in_input)
        os_stream_pause(s->stream);
    if (s->resume_in_input)
        os_stream_resume(s->stream);
    if (s->free_in_input) {
        os_stream_free(s->stream);
        s->stream = NULL;
    }
    return n;
}

static inline void on_drained(void *ctx)
{
    struct side *s = ctx;
    s->drained_n++;
}

static inline void on_ready(void *ctx, const struct os_tls_facts *tls)
{
    struct side *s = ctx;
    s->ready_n++;
    s->tls = tls != NULL;
    if (tls) {
        snprintf(s->version, sizeof s->version, "%s", tls->version);
        snprintf(s->peer_name, sizeof s->peer_name, "%s", tls->peer_name ? tls->peer_name : "");
        s->verified = tls->peer_verified;
        assert_true(tls->bits >= 128);
        assert_ptr_equal(os_stream_tls(s->stream), tls);
    }
    if (s->resume_in_ready)
        os_stream_resume(s->stream);
}

static inline void on_closed(void *ctx, const char *why)
{
    struct side *s = ctx;
    s->closed_n++;
    snprintf(s->why, sizeof s->why, "%s", why ? why : "");
    if (s->finish_in_closed)
        os_stream_finish(s->stream);
    else
        os_stream_free(s->stream);
    s->stream = NULL;
}

static const struct os_stream_handlers handlers = {on_input, on_drained, on_ready, on_closed};

struct world {
    struct event_base *base;
    int fds_before, listener, raw;
    struct os_address address;
    struct side client, server;
};

static inline void open_world(struct world *w, const char *address)
{
    *w = (struct world){.fds_before = count_fds(), .raw = -1};
    w->base = os_loop_new();
    sp_buf_init(&w->client.heard, &os_heap, SIZE_MAX);
    sp_buf_init(&w->server.heard, &os_heap, SIZE_MAX);
    assert_int_equal(os_address_parse(sp_view_of(address), &w->address), SP_OK);
    w->listener = os_address_bind(&w->address);
    assert_true(w->listener >= 0);
    assert_int_equal(listen(w->listener, 8), 0);
    w->address.len = sizeof w->address.as;
    assert_int_equal(getsockname(w->listener, &w->address.as.any, &w->address.len), 0);
}

static inline void close_world(struct world *w)
{
    os_stream_free(w->client.stream);
    os_stream_free(w->server.stream);
    RUN_UNTIL(w->base, os_stream_n(w->base) == 0);
    sp_buf_fini(&w->client.heard);
    sp_buf_fini(&w->server.heard);
    close(w->listener);
    if (w->raw >= 0)
        close(w->raw);
    event_base_free(w->base);
    assert_int_equal(count_fds(), w->fds_before);
}

static inline void accept_server(struct world *w)
{
    int fd = -1;
    RUN_UNTIL(w->base, (fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0);
    w->server.stream = os_stream_accepted(w->base, fd, &handlers, &w->server);
}

static inline void connect_client(struct world *w)
{
    w->client.stream =
        os_stream_connect(w->base, &w->address.as, w->address.len, 5000, &handlers, &w->client);
}

/* Both ends are streams, and read. */
static inline void join(struct world *w)
{
    connect_client(w);
    accept_server(w);
    RUN_UNTIL(w->base, w->client.ready_n == 1);
    assert_false(w->client.tls);
    os_stream_resume(w->client.stream);
    os_stream_resume(w->server.stream);
}

/* The server's end is a stream; the test speaks for the client in octets. */
static inline void join_raw(struct world *w)
{
    w->raw = socket(w->address.as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(w->raw, &w->address.as.any, w->address.len), 0);
    accept_server(w);
    os_stream_resume(w->server.stream);
}

static inline void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static inline void write_text(struct side *s, const char *text)
{
    os_stream_write(s->stream, sp_view_of(text));
}

static inline bool heard(const struct side *s, const char *text)
{
    return sp_view_eq(sp_buf_view(&s->heard), sp_view_of(text));
}

#endif
