/* What `sallyport serve` is without a file: a configuration like any other. */
#include "support.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct config *sandbox(const struct config_sandbox *options)
{
    struct sp_buf text, error;
    sp_buf_init(&text, &os_heap, 1 << 20);
    sp_buf_init(&error, &os_heap, 1 << 20);
    int status = config_sandbox_text(options, &text, &error);
    sp_buf_add_u8(&error, 0);
    assert_string_equal((const char *)error.p, "");
    assert_int_equal(status, SP_OK);
    sp_buf_add_u8(&text, 0);
    struct config *c = parse_ok((const char *)text.p);
    sp_buf_fini(&text);
    sp_buf_fini(&error);
    return c;
}

static void assert_fault(const struct config_sandbox *options, const char *expected)
{
    struct sp_buf text, error;
    sp_buf_init(&text, &os_heap, 1 << 20);
    sp_buf_init(&error, &os_heap, 1 << 20);
    sp_buf_add_str(&text, "before");
    assert_int_equal(config_sandbox_text(options, &text, &error), SP_ERR_SYNTAX);
    assert_int_equal(text.len, 6);
    sp_buf_add_u8(&error, 0);
    if (!strstr((const char *)error.p, expected))
        assert_string_equal((const char *)error.p, expected);
    sp_buf_fini(&text);
    sp_buf_fini(&error);
}

/* The fields that both must agree on, by their text. */
static void assert_same(const struct config *a, const struct config *b)
{
    assert_string_equal(a->hostname, b->hostname);
    assert_string_equal(a->default_route->name, b->default_route->name);
    assert_int_equal(a->listener_n, b->listener_n);
    for (size_t i = 0; i < a->listener_n; i++) {
        const struct config_listener *x = &a->listeners[i], *y = &b->listeners[i];
        assert_string_equal(x->name, y->name);
        assert_memory_equal(&x->address.as, &y->address.as, sizeof(struct sockaddr_in));
        assert_int_equal(x->tls, y->tls);
        assert_int_equal(x->tls_required, y->tls_required);
        assert_int_equal(x->auth, y->auth);
        assert_int_equal(x->auth_in_clear, y->auth_in_clear);
        assert_int_equal(x->relay_from_n, y->relay_from_n);
        assert_int_equal(x->last, y->last);
    }
    assert_memory_equal(&a->limits, &b->limits, sizeof a->limits);
    assert_memory_equal(&a->queue, &b->queue, sizeof a->queue);
    assert_int_equal(a->sessions.keep, b->sessions.keep);
    assert_int_equal(a->route_n, b->route_n);
    assert_int_equal(a->domain_n, b->domain_n);
}

static void the_example_file_is_the_sandbox(void **state)
{
    (void)state;
    struct config *a = sandbox(&(struct config_sandbox){0}), *b = NULL;
    struct sp_buf error;
    static char text[1 << 16];
    FILE *file = fopen(EXAMPLES "/sandbox.conf", "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    sp_buf_init(&error, &os_heap, 1 << 20);
    assert_int_equal(config_parse(EXAMPLES "/sandbox.conf", sp_view_make(text, len), &error, &b), SP_OK);
    assert_same(a, b);
    assert_string_equal(b->data, EXAMPLES "/sallyport-data");
    config_free(a);
    config_free(b);
    sp_buf_fini(&error);
}

static void the_promises_of_the_sandbox(void **state)
{
    (void)state;
    struct config *c = sandbox(&(struct config_sandbox){0});
    char here[PATH_MAX], data[PATH_MAX + 20];
    assert_non_null(getcwd(here, sizeof here));
    snprintf(data, sizeof data, "%s/sallyport-data", here);
    assert_string_equal(c->data, data);
    const struct config_listener *l = config_find_listener(c, SP_LIT("smtp"));
    assert_int_equal(os_address_port(&l->address), 2525);
    assert_true(l->auth_in_clear && l->last && !l->tls_required);
    assert_int_equal(l->auth, CONFIG_AUTH_OFFERED);
    struct os_address somebody;
    assert_int_equal(os_address_parse(SP_LIT("127.9.9.9:1"), &somebody), SP_OK);
    assert_true(os_network_has(&l->relay_from[0], &somebody));
    l = config_find_listener(c, SP_LIT("submission"));
    assert_int_equal(os_address_port(&l->address), 2587);
    assert_true(l->tls_required && !l->auth_in_clear && !l->last);
    assert_int_equal(l->auth, CONFIG_AUTH_REQUIRED);
    l = config_find_listener(c, SP_LIT("submissions"));
    assert_int_equal(os_address_port(&l->address), 2465);
    assert_int_equal(l->tls, CONFIG_TLS_IMPLICIT);
    assert_int_equal(c->limits.connections_per_address, 0);
    assert_false(c->limits.auth_slow_down);
    assert_true(c->limits.connections >= 1000);
    assert_int_equal(c->default_route->kind, CONFIG_ROUTE_HOLD);
    config_free(c);
}

static void options(void **state)
{
    (void)state;
    struct config *c = sandbox(&(struct config_sandbox){.data = "/tmp/a \"b\\c",
                                                        .smtp = "[::1]:0",
                                                        .submission = "127.0.0.2:0",
                                                        .submissions = "127.0.0.1:0"});
    assert_string_equal(c->data, "/tmp/a \"b\\c");
    assert_int_equal(os_address_port(&c->listeners[0].address), 0);
    assert_int_equal(c->listeners[0].address.as.any.sa_family, AF_INET6);
    config_free(c);
}

static void relay(void **state)
{
    (void)state;
    struct config *c = sandbox(&(struct config_sandbox){.relay = "[::1]:1025"});
    assert_string_equal(c->default_route->name, "relay");
    assert_string_equal(c->default_route->host, "::1");
    assert_int_equal(c->default_route->port, 1025);
    assert_int_equal(c->default_route->tls, CONFIG_ROUTE_TLS_OPPORTUNISTIC);
    assert_int_equal(c->queue.retry_first_s, 1);
    assert_int_equal(c->queue.retry_most_s, 10);
    config_free(c);
    c = sandbox(&(struct config_sandbox){.relay = "smtp.example.org:25"});
    assert_string_equal(c->default_route->host, "smtp.example.org");
    config_free(c);
}

static void faulty_options(void **state)
{
    (void)state;
    assert_fault(&(struct config_sandbox){.smtp = "2525"},
                 "--smtp 2525: is not a numeric address with a port; allowed: 127.0.0.1:2525, [::1]:0");
    assert_fault(&(struct config_sandbox){.submissions = "127.0.0.1:65536"},
                 "--submissions 127.0.0.1:65536: is not");
    assert_fault(&(struct config_sandbox){.submission = "127.0.0.1:2525"},
                 "listener \"smtp\" has this address already");
    assert_fault(&(struct config_sandbox){.data = ""}, "--data: ");
    assert_fault(&(struct config_sandbox){.data = "a\nb"}, "--data: ");
    static const char *const relays[] = {"smtp.example.org", "127.0.0.1:0", "::1:25", ":25", "a:b",
                                         "a:70000",          "a\n:1",       ""};
    for (size_t i = 0; i < sizeof relays / sizeof *relays; i++)
        assert_fault(&(struct config_sandbox){.relay = relays[i]}, "is not a server and its port; allowed: ");
    assert_fault(&(struct config_sandbox){.relay = "a_b:25"},
                 "--relay: 'a_b' is neither a host name nor an address");
}

static void another_address_is_refused_with_a_configuration_that_works(void **state)
{
    (void)state;
    static const char *const names[] = {"smtp", "submission", "submissions"};
    for (size_t i = 0; i < 3; i++) {
        struct config_sandbox o = {0};
        *(i == 0 ? &o.smtp : i == 1 ? &o.submission : &o.submissions) = "0.0.0.0:2525";
        struct sp_buf text, error;
        sp_buf_init(&text, &os_heap, 1 << 20);
        sp_buf_init(&error, &os_heap, 1 << 20);
        assert_int_equal(config_sandbox_text(&o, &text, &error), SP_ERR_SYNTAX);
        sp_buf_add_u8(&error, 0);
        char *from = strstr((char *)error.p, "\n\n"), *to = strstr((char *)error.p, "\n\n(");
        assert_non_null(from);
        assert_non_null(to);
        *to = '\0';
        struct config *c = parse_ok(from);
        const struct config_listener *l = config_find_listener(c, sp_view_of(names[i]));
        assert_non_null(l);
        assert_int_equal(os_address_port(&l->address), 2525);
        assert_int_equal(l->auth, CONFIG_AUTH_REQUIRED);
        assert_true(l->tls_required);
        config_free(c);
        sp_buf_fini(&text);
        sp_buf_fini(&error);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_example_file_is_the_sandbox),
    cmocka_unit_test(the_promises_of_the_sandbox),
    cmocka_unit_test(options),
    cmocka_unit_test(relay),
    cmocka_unit_test(faulty_options),
    cmocka_unit_test(another_address_is_refused_with_a_configuration_that_works),
};

TAP_MAIN(tests)
