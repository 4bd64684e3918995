/* Streams that turn to TLS: verification, injection, tickets, and every failure in words. */
#include "identity.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

static void test_handshake(void **state)
{
    (void)state;
    static const struct {
        enum os_tls_verify verify;
        bool with_ca;
        const char *name;
        bool verified;
    } cases[] = {
        {OS_TLS_ANY, false, NULL, false},
        {OS_TLS_ANY, false, "mail.example.org", false},
        {OS_TLS_ANY, true, "mail.example.org", true},
        {OS_TLS_ANY, true, "other.example.org", false},
        {OS_TLS_VERIFIED, true, "mail.example.org", true},
        {OS_TLS_VERIFIED, true, "localhost", true},
        {OS_TLS_VERIFIED, true, "127.0.0.1", true},
        {OS_TLS_VERIFIED, true, "::1", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_world t;
        open_tls(&t);
        shake_hands(&t, make_client(cases[i].verify, cases[i].with_ca ? t.id.file : NULL), cases[i].name);
        assert_string_equal(t.w.client.why, "");
        assert_string_equal(t.w.client.version, "TLSv1.3");
        assert_string_equal(t.w.server.version, "TLSv1.3");
        assert_string_equal(t.w.client.peer_name, "mail.example.org");
        assert_int_equal(t.w.client.verified, cases[i].verified);
        assert_string_equal(t.w.server.peer_name, "");
        write_text(&t.w.client, "EHLO x\r\n");
        RUN_UNTIL(t.w.base, heard(&t.w.server, "EHLO x\r\n"));
        write_text(&t.w.server, "250 x\r\n");
        RUN_UNTIL(t.w.base, heard(&t.w.client, "250 x\r\n"));
        close_tls(&t);
    }
}

static void test_unverified(void **state)
{
    (void)state;
    static const struct {
        bool with_ca;
        const char *name, *words;
    } cases[] = {
        {true, "other.example.org",
         "TLS: the server's certificate is not for other.example.org but for mail.example.org"},
        {true, "192.0.2.1", "TLS: the server's certificate is not for 192.0.2.1 but for mail.example.org"},
        {false, "mail.example.org",
         "TLS: the server's certificate cannot be verified: self-signed certificate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_world t;
        open_tls(&t);
        t.w.client.finish_in_closed = true;
        shake_hands(&t, make_client(OS_TLS_VERIFIED, cases[i].with_ca ? t.id.file : NULL), cases[i].name);
        assert_string_equal(t.w.client.why, cases[i].words);
        RUN_UNTIL(t.w.base, t.w.server.closed_n == 1);
        assert_non_null(strstr(t.w.server.why, "TLS: the client"));
        close_tls(&t);
    }
}

/* STARTTLS as a server does it: the reply goes in clear, what the client sent behind its command is dropped.
 */
static void test_starttls(void **state)
{
    (void)state;
    struct tls_world t;
    open_tls(&t);
    join(&t.w);
    struct os_tls_context *client = make_client(OS_TLS_ANY, NULL);
    t.w.server.consume = 10;
    t.w.server.answer = "220 go\r\n";
    t.w.server.starttls = t.server;
    t.w.client.starttls = client;
    write_text(&t.w.client, "STARTTLS\r\nMAIL FROM:<injected@example.org>\r\n");
    RUN_UNTIL(t.w.base, t.w.client.ready_n == 2 && t.w.server.ready_n == 1);
    assert_true(heard(&t.w.client, "220 go\r\n"));
    assert_true(heard(&t.w.server, "STARTTLS\r\n"));
    t.w.server.answer = NULL;
    t.w.server.consume = 0;
    write_text(&t.w.client, "NOOP\r\n");
    RUN_UNTIL(t.w.base, heard(&t.w.server, "STARTTLS\r\nNOOP\r\n"));
    os_tls_unref(client);
    close_tls(&t);
}

/* What the client says together with its Finished is there as soon as the server is ready. */
static void test_early_data_behind_finished(void **state)
{
    (void)state;
    struct tls_world t;
    open_tls(&t);
    t.w.server.resume_in_ready = false;
    join(&t.w);
    os_stream_pause(t.w.server.stream);
    struct os_tls_context *client = make_client(OS_TLS_ANY, NULL);
    os_stream_start_tls(t.w.client.stream, client, NULL, 5000);
    write_text(&t.w.client, "EHLO x\r\n");
    os_stream_start_tls(t.w.server.stream, t.server, NULL, 5000);
    RUN_UNTIL(t.w.base, t.w.server.ready_n == 1);
    run_ready(t.w.base);
    assert_int_equal(t.w.server.input_n, 0);
    os_stream_resume(t.w.server.stream);
    RUN_UNTIL(t.w.base, heard(&t.w.server, "EHLO x\r\n"));
    os_tls_unref(client);
    close_tls(&t);
}

static void test_large_tls(void **state)
{
    (void)state;
    enum { N = 12 << 20 };
    struct tls_world t;
    uint8_t *octets = malloc(N);
    for (size_t i = 0; i < N; i++)
        octets[i] = (uint8_t)(i * 7 + i / 256);
    open_tls(&t);
    shake_hands(&t, make_client(OS_TLS_ANY, NULL), NULL);
    os_stream_pause(t.w.server.stream);
    for (size_t at = 0; at < N; at += N / 8)
        os_stream_write(t.w.client.stream, sp_view_make(octets + at, N / 8));
    os_stream_write(t.w.client.stream, SP_LIT("."));
    run_ready(t.w.base);
    assert_true(os_stream_backlog(t.w.client.stream) > 0);
    t.w.server.consume = 50000;
    os_stream_resume(t.w.server.stream);
    RUN_UNTIL(t.w.base, os_stream_backlog(t.w.client.stream) == 0);
    t.w.server.consume = 0;
    RUN_UNTIL(t.w.base, (os_stream_resume(t.w.server.stream), t.w.server.heard.len == N + 1));
    assert_memory_equal(t.w.server.heard.p, octets, N);
    assert_int_equal(t.w.client.drained_n, 1);
    close_tls(&t);
    free(octets);
}

/* Many small records do not hold the loop: all arrive, over several turns. */
static void test_small_records(void **state)
{
    (void)state;
    enum { N = 1000 };
    struct tls_world t;
    open_tls(&t);
    join_raw(&t.w);
    os_stream_start_tls(t.w.server.stream, t.server, NULL, 5000);
    fcntl(t.w.raw, F_SETFL, O_NONBLOCK);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, t.w.raw);
    RUN_UNTIL(t.w.base, SSL_connect(ssl) == 1 && t.w.server.ready_n == 1);
    for (int i = 0; i < N; i++)
        assert_int_equal(SSL_write(ssl, "x", 1), 1);
    event_base_loop(t.w.base, EVLOOP_ONCE);
    assert_true(t.w.server.heard.len > 0 && t.w.server.heard.len < N);
    RUN_UNTIL(t.w.base, t.w.server.heard.len == N);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close_tls(&t);
}

static void test_finish_tls(void **state)
{
    (void)state;
    struct tls_world t;
    open_tls(&t);
    shake_hands(&t, make_client(OS_TLS_ANY, NULL), NULL);
    write_text(&t.w.server, "221 bye\r\n");
    os_stream_finish(t.w.server.stream);
    t.w.server.stream = NULL;
    RUN_UNTIL(t.w.base, t.w.client.closed_n == 1);
    assert_true(heard(&t.w.client, "221 bye\r\n"));
    assert_string_equal(t.w.client.why, "");
    close_tls(&t);
}

/* --- failures in words ----------------------------------------------------------------------- */

static void serve_raw(struct tls_world *t, const char *text, const char *words)
{
    open_tls(t);
    join_raw(&t->w);
    t->w.server.finish_in_closed = true;
    os_stream_start_tls(t->w.server.stream, t->server, NULL, 5000);
    say(t->w.raw, text);
    if (!*text)
        shutdown(t->w.raw, SHUT_WR);
    RUN_UNTIL(t->w.base, t->w.server.closed_n == 1);
    assert_string_equal(t->w.server.why, words);
    close(t->w.raw);
    t->w.raw = -1;
    close_tls(t);
}

static void test_not_tls(void **state)
{
    (void)state;
    struct tls_world t;
    serve_raw(&t, "EHLO client.example.org\r\n", "TLS: the client speaks plain text, not TLS, on this port");
    serve_raw(&t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "TLS: the client speaks HTTP, not TLS");
    serve_raw(&t, "", "TLS: the client hung up in the handshake");
}

static void test_server_not_tls(void **state)
{
    (void)state;
    struct tls_world t;
    open_tls(&t);
    join(&t.w);
    struct os_tls_context *client = make_client(OS_TLS_ANY, NULL);
    os_stream_start_tls(t.w.client.stream, client, NULL, 5000);
    os_tls_unref(client);
    write_text(&t.w.server, "220 mail.example.org ESMTP\r\n");
    RUN_UNTIL(t.w.base, t.w.client.closed_n == 1);
    assert_string_equal(t.w.client.why,
                        "TLS: the server speaks plain text, not TLS, on this port (it may want STARTTLS)");
    close_tls(&t);
}

static void test_old_version(void **state)
{
    (void)state;
    struct tls_world t;
    open_tls(&t);
    join_raw(&t.w);
    os_stream_start_tls(t.w.server.stream, t.server, NULL, 5000);
    fcntl(t.w.raw, F_SETFL, O_NONBLOCK);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, t.w.raw);
    RUN_UNTIL(t.w.base, (SSL_connect(ssl), t.w.server.closed_n == 1));
    assert_string_equal(t.w.server.why, "TLS: the client offers only versions older than TLS 1.2");
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    close_tls(&t);
}

static void test_handshake_timeout(void **state)
{
    (void)state;
    struct tls_world t;
    open_tls(&t);
    join_raw(&t.w);
    os_stream_start_tls(t.w.server.stream, t.server, NULL, 50);
    RUN_UNTIL(t.w.base, t.w.server.closed_n == 1);
    assert_string_equal(t.w.server.why, "TLS: the handshake timed out");
    close_tls(&t);
}

/* --- tickets --------------------------------------------------------------------------------- */

/* A client of OpenSSL's own against a stream; the session it was given, or NULL. */
static SSL_SESSION *visit(struct tls_world *t, SSL_CTX *ctx, SSL_SESSION *old, bool *resumed_out)
{
    join_raw(&t->w);
    os_stream_start_tls(t->w.server.stream, t->server, NULL, 5000);
    fcntl(t->w.raw, F_SETFL, O_NONBLOCK);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, t->w.raw);
    if (old)
        SSL_set_session(ssl, old);
    RUN_UNTIL(t->w.base, SSL_connect(ssl) == 1);
    *resumed_out = SSL_session_reused(ssl);
    SSL_write(ssl, "x", 1);
    t->w.server.heard.len = 0;
    RUN_UNTIL(t->w.base, heard(&t->w.server, "x"));
    write_text(&t->w.server, "y");
    char y;
    RUN_UNTIL(t->w.base, SSL_read(ssl, &y, 1) == 1);
    SSL_SESSION *session = SSL_get1_session(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(t->w.raw);
    t->w.raw = -1;
    RUN_UNTIL(t->w.base, !t->w.server.stream);
    return session;
}

/* Two processes with the same keys resume each other's sessions; after rotation a known key still does. */
static void test_tickets(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_world t;
        uint8_t keys[4][OS_TLS_TICKET_KEY_LEN];
        bool resumed;
        os_random(keys, sizeof keys);
        open_tls(&t);
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(ctx, version);
        SSL_CTX_set_max_proto_version(ctx, version);
        os_tls_set_ticket_keys(t.server, sp_view_make(keys[1], 2 * OS_TLS_TICKET_KEY_LEN));
        SSL_SESSION *first = visit(&t, ctx, NULL, &resumed);
        assert_false(resumed);

        os_tls_unref(t.server);
        t.server = make_server(&t.id); /* another process */
        os_tls_set_ticket_keys(t.server, sp_view_make(keys[0], 3 * OS_TLS_TICKET_KEY_LEN));
        SSL_SESSION *second = visit(&t, ctx, first, &resumed);
        assert_true(resumed);

        os_tls_set_ticket_keys(t.server, sp_view_make(keys[3], OS_TLS_TICKET_KEY_LEN));
        SSL_SESSION *third = visit(&t, ctx, second, &resumed);
        assert_false(resumed);
        SSL_SESSION_free(first);
        SSL_SESSION_free(second);
        SSL_SESSION_free(third);
        SSL_CTX_free(ctx);
        close_tls(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),         cmocka_unit_test(test_unverified),
        cmocka_unit_test(test_starttls),          cmocka_unit_test(test_early_data_behind_finished),
        cmocka_unit_test(test_large_tls),         cmocka_unit_test(test_small_records),
        cmocka_unit_test(test_finish_tls),        cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_server_not_tls),    cmocka_unit_test(test_old_version),
        cmocka_unit_test(test_handshake_timeout), cmocka_unit_test(test_tickets),
    };
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
