/*
 * An SMTP server that follows a script, on the test's own loop. One script per connection; steps are
 * separated by '\n':
 *
 *   S TEXT   say TEXT and CRLF          C WORD   wait for a line that begins with WORD
 *   P TEXT   say TEXT, no CRLF          D        wait for a message, up to its dot
 *   T        begin TLS, wait for it     X        close
 *   R        repeat from the last L     L        a place to repeat from
 *
 * What comes out of order is kept in `fault`.
 */
#ifndef TESTS_CLIENT_FAKE_H
#define TESTS_CLIENT_FAKE_H

#include "tap.h"

#include "base/view.h"
#include "os/address.h"
#include "os/heap.h"
#include "os/stream.h"
#include "os/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAKE_CONNECTIONS = 64 };

struct fake;

struct fake_connection {
    struct fake *fake;
    struct os_stream *stream;
    const char *at, *repeat; /* in the script */
};

struct fake {
    struct event_base *base;
    int listener;
    struct event *accepting;
    struct os_address address;
    uint16_t port;
    struct os_tls_context *tls;
    const char *const *scripts; /* the last one serves all that follow */
    size_t script_n;
    struct fake_connection connections[FAKE_CONNECTIONS];
    size_t connection_n, open_n;
    struct sp_buf messages; /* all of them, one behind the other, dots as on the wire */
    size_t message_n;
    char fault[300];
};

static inline bool fake_step(struct fake_connection *c, struct sp_view *in);

static inline const char *fake_next_step(const char *at)
{
    const char *end = strchr(at, '\n');
    return end ? end + 1 : at + strlen(at);
}

static inline size_t fake_input(void *ctx, struct sp_view in)
{
    struct fake_connection *c = ctx;
    struct sp_view rest = in;
    while (c->stream && fake_step(c, &rest))
        ;
    return in.len - rest.len;
}

static inline void fake_closed(void *ctx, const char *why)
{
    struct fake_connection *c = ctx;
    (void)why;
    os_stream_free(c->stream);
    c->stream = NULL;
    c->fake->open_n--;
}

static inline void fake_ready(void *ctx, const struct os_tls_facts *tls)
{
    struct fake_connection *c = ctx;
    struct sp_view none = {0};
    (void)tls;
    while (c->stream && fake_step(c, &none))
        ;
}

static inline void fake_drained(void *ctx) { (void)ctx; }

static const struct os_stream_handlers fake_handlers = {fake_input, fake_drained, fake_ready, fake_closed};

/* Wait for a line that begins with the step's word. */
static inline bool fake_expect(struct fake_connection *c, struct sp_view word, struct sp_view *in)
{
    size_t end = sp_view_find(*in, '\n', 0);
    if (end == in->len)
        return false;
    struct sp_view line = sp_view_sub(*in, 0, end);
    *in = sp_view_from(*in, end + 1);
    if (!sp_view_starts(line, word) && !c->fake->fault[0]) {
        char *got = os_text(line), *wanted = os_text(word);
        snprintf(c->fake->fault, sizeof c->fake->fault, "wanted %s, got %s", wanted, got);
        free(got);
        free(wanted);
    }
    c->at = fake_next_step(c->at);
    return true;
}

static inline bool fake_message(struct fake_connection *c, struct sp_view *in)
{
    for (;;) {
        size_t end = sp_view_find(*in, '\n', 0);
        if (end == in->len)
            return false;
        struct sp_view line = sp_view_sub(*in, 0, end + 1);
        *in = sp_view_from(*in, end + 1);
        if (sp_view_eq(line, SP_LIT(".\r\n")))
            break;
        sp_buf_add(&c->fake->messages, line);
    }
    c->fake->message_n++;
    c->at = fake_next_step(c->at);
    return true;
}

/* One step; false: it waits. */
static inline bool fake_step(struct fake_connection *c, struct sp_view *in)
{
    const char *end = fake_next_step(c->at);
    struct sp_view text = sp_view_from(sp_view_make(c->at, (size_t)(end - c->at)), 2);
    if (*c->at == '\0')
        return false;
    if (text.len > 0 && text.p[text.len - 1] == '\n')
        text.len--;
    switch (*c->at) {
    case 'S':
    case 'P':
        os_stream_write(c->stream, text);
        if (*c->at == 'S')
            os_stream_write(c->stream, SP_LIT("\r\n"));
        break;
    case 'C':
        return fake_expect(c, text, in);
    case 'D':
        return fake_message(c, in);
    case 'T':
        c->at = end;
        os_stream_start_tls(c->stream, c->fake->tls, NULL, 5000);
        return false;
    case 'X':
        os_stream_finish(c->stream);
        c->stream = NULL;
        c->fake->open_n--;
        break;
    case 'L':
        c->repeat = end;
        break;
    case 'R':
        end = c->repeat;
        break;
    default:
        fail_msg("bad script: %s", c->at);
    }
    c->at = end;
    return true;
}

static inline void fake_accept(evutil_socket_t fd, short what, void *ctx)
{
    struct fake *f = ctx;
    (void)what;
    int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (got < 0)
        return;
    assert_true(f->connection_n < FAKE_CONNECTIONS);
    struct fake_connection *c = &f->connections[f->connection_n];
    size_t script = f->connection_n < f->script_n ? f->connection_n : f->script_n - 1;
    *c = (struct fake_connection){.fake = f, .at = f->scripts[script]};
    f->connection_n++;
    f->open_n++;
    c->stream = os_stream_accepted(f->base, got, &fake_handlers, c);
    os_stream_resume(c->stream);
    fake_ready(c, NULL);
}

static inline void fake_open(struct fake *f, struct event_base *base, const char *const *scripts,
                             size_t script_n)
{
    *f = (struct fake){.base = base, .scripts = scripts, .script_n = script_n};
    sp_buf_init(&f->messages, &os_heap, 64 << 20);
    assert_int_equal(os_address_parse(SP_LIT("127.0.0.1:0"), &f->address), SP_OK);
    f->listener = os_address_bind(&f->address);
    assert_true(f->listener >= 0);
    assert_int_equal(listen(f->listener, 64), 0);
    f->address.len = sizeof f->address.as;
    assert_int_equal(getsockname(f->listener, &f->address.as.any, &f->address.len), 0);
    f->port = os_address_port(&f->address);
    f->accepting = event_new(base, f->listener, EV_READ | EV_PERSIST, fake_accept, f);
    event_add(f->accepting, NULL);
}

/* An identity of its own; the certificate's file for clients that verify it. */
static inline void fake_make_tls(struct fake *f, const char *ca_path)
{
    struct sp_buf certificate, key, error;
    sp_buf_init(&certificate, &os_heap, 1 << 16);
    sp_buf_init(&key, &os_heap, 1 << 16);
    sp_buf_init(&error, &os_heap, 1 << 12);
    assert_int_equal(os_tls_make_identity("mx.example", &certificate, &key), SP_OK);
    f->tls = os_tls_server_new(sp_buf_view(&certificate), sp_buf_view(&key), &error);
    assert_non_null(f->tls);
    FILE *out = ca_path ? fopen(ca_path, "w") : NULL;
    if (ca_path) {
        assert_non_null(out);
        fwrite(certificate.p, 1, certificate.len, out);
        fclose(out);
    }
    sp_buf_fini(&certificate);
    sp_buf_fini_secret(&key);
    sp_buf_fini(&error);
}

static inline void fake_close(struct fake *f)
{
    for (size_t i = 0; i < f->connection_n; i++)
        if (f->connections[i].stream)
            os_stream_free(f->connections[i].stream);
    if (f->accepting)
        event_free(f->accepting);
    if (f->listener >= 0)
        close(f->listener);
    if (f->tls)
        os_tls_unref(f->tls);
    sp_buf_fini(&f->messages);
}

#endif
