/* A server's identity and contexts made of it; streams that use them. */
#ifndef TESTS_OS_IDENTITY_H
#define TESTS_OS_IDENTITY_H

#include "sides.h"

struct identity {
    struct sp_buf certificate, key;
    char file[64]; /* the certificate, for ca_file */
    int fd;
};

static inline void make_identity(struct identity *id, const char *hostname)
{
    sp_buf_init(&id->certificate, &os_heap, 1 << 16);
    sp_buf_init(&id->key, &os_heap_secret, 1 << 16);
    assert_int_equal(os_tls_make_identity(hostname, &id->certificate, &id->key), SP_OK);
    id->fd = memfd_create("certificate", MFD_CLOEXEC);
    assert_int_equal(write(id->fd, id->certificate.p, id->certificate.len), id->certificate.len);
    snprintf(id->file, sizeof id->file, "/proc/self/fd/%d", id->fd);
}

static inline void free_identity(struct identity *id)
{
    sp_buf_fini(&id->certificate);
    sp_buf_fini(&id->key);
    close(id->fd);
}

static inline struct os_tls_context *make_server(const struct identity *id)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1000);
    struct os_tls_context *t =
        os_tls_server_new(sp_buf_view(&id->certificate), sp_buf_view(&id->key), &error);
    assert_non_null(t);
    assert_int_equal(error.len, 0);
    return t;
}

static inline struct os_tls_context *make_client(enum os_tls_verify verify, const char *ca_file)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1000);
    struct os_tls_context *t = os_tls_client_new(verify, ca_file, &error);
    assert_non_null(t);
    return t;
}

struct tls_world {
    struct world w;
    struct identity id;
    struct os_tls_context *server;
};

static inline void open_tls(struct tls_world *t)
{
    /* OpenSSL opens what it needs for itself before descriptors are counted. */
    os_tls_unref(make_client(OS_TLS_ANY, NULL));
    make_identity(&t->id, "mail.example.org");
    t->server = make_server(&t->id);
    open_world(&t->w, "127.0.0.1:0");
    t->w.client.resume_in_ready = t->w.server.resume_in_ready = true;
}

static inline void close_tls(struct tls_world *t)
{
    close_world(&t->w);
    os_tls_unref(t->server);
    free_identity(&t->id);
}

static inline void shake_hands(struct tls_world *t, struct os_tls_context *client, const char *name)
{
    join(&t->w);
    os_stream_start_tls(t->w.server.stream, t->server, NULL, 5000);
    os_stream_start_tls(t->w.client.stream, client, name, 5000);
    os_tls_unref(client);
    RUN_UNTIL(t->w.base, (t->w.client.ready_n == 2 || t->w.client.closed_n) &&
                             (t->w.server.ready_n == 1 || t->w.server.closed_n));
}

#endif
