/* Every key, its default, and what it comes to. */
#include "support.h"

static void least(void **state)
{
    (void)state;
    struct config *c = parse_ok(LEAST);
    assert_string_equal(c->hostname, "mail.example.org");
    assert_string_equal(c->data, "/var/lib/sallyport");
    assert_null(c->user);
    assert_null(c->tls_certificate);
    assert_null(c->tls_key);
    assert_in_range(c->smtpd_n, 1, 63); /* one per core */
    assert_int_equal(c->smtpd_n, c->delivery_n);
    assert_int_equal(c->route_n, 3); /* hold, discard, mx */
    assert_int_equal(c->default_route->kind, CONFIG_ROUTE_HOLD);
    assert_int_equal(c->listener_n, 1);
    const struct config_listener *l = c->listeners;
    assert_string_equal(l->name, "l");
    assert_int_equal(os_address_port(&l->address), 2525);
    assert_int_equal(l->tls, CONFIG_TLS_STARTTLS);
    assert_int_equal(l->auth, CONFIG_AUTH_OFF);
    assert_false(l->tls_required || l->auth_in_clear || l->last);
    assert_int_equal(l->relay_from_n, 0);
    config_free(c);
}

static void limits_have_defaults(void **state)
{
    (void)state;
    struct config *c = parse_ok(LEAST);
    const struct config_limits *l = &c->limits;
    assert_int_equal(l->message_octets, 52428800);
    assert_int_equal(l->recipients, 1000);
    assert_int_equal(l->errors, 20);
    assert_int_equal(l->auth_failures, 5);
    assert_int_equal(l->idle_commands, 100);
    assert_int_equal(l->connections, 10000);
    assert_int_equal(l->connections_per_address, 50);
    assert_int_equal(l->memory_octets, 256 << 20);
    assert_int_equal(l->free_octets, 128 << 20);
    assert_int_equal(l->command_timeout_s, 300);
    assert_int_equal(l->data_timeout_s, 180);
    assert_int_equal(l->message_timeout_s, 3600);
    assert_int_equal(l->tls_timeout_s, 60);
    assert_int_equal(l->proxy_timeout_s, 5);
    assert_true(l->auth_slow_down);
    assert_int_equal(c->queue.retry_first_s, 300);
    assert_int_equal(c->queue.retry_most_s, 4 * 3600);
    assert_int_equal(c->queue.expire_s, 5 * 86400);
    assert_int_equal(c->queue.attempts, 1000);
    config_free(c);
}

static void limits_as_given(void **state)
{
    (void)state;
    struct config *c =
        parse_ok(LEAST "limits {\n"
                       " message-size = 10M\n recipients = 100\n errors = 3\n auth-failures = 4\n"
                       " idle-commands = 11\n connections = 12\n connections-per-address = 0\n"
                       " free-space = 3G\n command-timeout = 30s\n data-timeout = 2m\n tls-timeout = 5s\n"
                       " auth-slow-down = no\n}\n"
                       "queue { retry-first = 1s\n retry-most = 1h\n expire = 2d\n attempts = 7 }\n"
                       "smtpd-processes = 1\nauth-processes = 2\ndelivery-processes = 63\n");
    const struct config_limits *l = &c->limits;
    assert_int_equal(l->message_octets, 10 << 20);
    assert_int_equal(l->recipients, 100);
    assert_int_equal(l->errors, 3);
    assert_int_equal(l->auth_failures, 4);
    assert_int_equal(l->idle_commands, 11);
    assert_int_equal(l->connections, 12);
    assert_int_equal(l->connections_per_address, 0);
    assert_true(l->free_octets == UINT64_C(3) << 30);
    assert_int_equal(l->command_timeout_s, 30);
    assert_int_equal(l->data_timeout_s, 120);
    assert_int_equal(l->tls_timeout_s, 5);
    assert_false(l->auth_slow_down);
    assert_int_equal(c->queue.retry_first_s, 1);
    assert_int_equal(c->queue.retry_most_s, 3600);
    assert_int_equal(c->queue.expire_s, 2 * 86400);
    assert_int_equal(c->queue.attempts, 7);
    assert_int_equal(c->smtpd_n, 1);
    assert_int_equal(c->auth_n, 2);
    assert_int_equal(c->delivery_n, 63);
    config_free(c);
}

static void top_keys(void **state)
{
    (void)state;
    struct config *c = parse_ok("hostname = MX.Example.ORG\ndata = queue\nuser = mailer\n"
                                "tls-certificate = \"/etc/ssl/a b.pem\"\ntls-key = key.pem\n"
                                "default-route = discard\nlistener l { address = \"[::1]:0\" }\n");
    assert_string_equal(c->hostname, "mx.example.org");
    assert_string_equal(c->data, "/etc/queue");
    assert_string_equal(c->user, "mailer");
    assert_string_equal(c->tls_certificate, "/etc/ssl/a b.pem");
    assert_string_equal(c->tls_key, "/etc/key.pem");
    assert_int_equal(c->default_route->kind, CONFIG_ROUTE_DISCARD);
    assert_true(os_address_is_loopback(&c->listeners[0].address));
    config_free(c);
}

static void a_host_name_is_found_when_none_is_given(void **state)
{
    (void)state;
    struct config *c = parse_ok("default-route = hold\nlistener l { address = \"127.0.0.1:0\" }");
    assert_true(strlen(c->hostname) > 0);
    config_free(c);
}

static void listeners(void **state)
{
    (void)state;
    struct config *c =
        parse_ok(LEAST "listener a { address = \"0.0.0.0:25\"\n tls = off\n"
                       "  relay-from = { \"10.0.0.0/8\", # the office\n \"fc00::/7\",\n 192.0.2.1 } }\n"
                       "listener b { address = \"[::]:587\"\n auth = required }\n"
                       "listener c { address = \"[::]:465\"\n tls = implicit\n auth = offered }\n"
                       "listener d { address = \"[::1]:1\"\n tls = off\n auth = required\n"
                       "  auth-in-clear = yes\n listen-last = yes }\n"
                       "listener e { address = \"[::1]:2\"\n require-tls = yes\n relay-from = \"::1\" }\n"
                       "listener g { address = \"[::1]:24\"\n protocol = lmtp\n xclient-from = \"::1\"\n"
                       "  verify = yes\n etrn = yes\n fix-line-ends = yes\n mend-headers = no\n "
                       "undeclared-8bit = refuse }\n");
    const struct config_listener *a = config_find_listener(c, SP_LIT("a")), *b = a + 1, *d = a + 3,
                                 *e = a + 4;
    assert_int_equal(a->tls, CONFIG_TLS_OFF);
    assert_int_equal(a->relay_from_n, 3);
    assert_int_equal(a->relay_from[1].prefix, 7);
    assert_int_equal(b->auth, CONFIG_AUTH_REQUIRED);
    assert_true(b->tls_required); /* implied */
    assert_int_equal((a + 2)->tls, CONFIG_TLS_IMPLICIT);
    assert_int_equal((a + 2)->auth, CONFIG_AUTH_OFFERED);
    assert_true(d->auth_in_clear && d->last && !d->tls_required);
    assert_true(e->tls_required);
    assert_int_equal(e->relay_from_n, 1);
    assert_int_equal(a->protocol, CONFIG_PROTOCOL_SMTP);
    assert_int_equal(a->undeclared_8bit, CONFIG_UNDECLARED_ACCEPT);
    assert_true(a->mend_headers && !a->fix_line_ends && !a->verify && !a->etrn && a->xclient_from_n == 0);
    const struct config_listener *g = a + 5;
    assert_int_equal(g->protocol, CONFIG_PROTOCOL_LMTP);
    assert_int_equal(g->undeclared_8bit, CONFIG_UNDECLARED_REFUSE);
    assert_true(!g->mend_headers && g->fix_line_ends && g->verify && g->etrn && g->xclient_from_n == 1);
    assert_null(config_find_listener(c, SP_LIT("f")));
    config_free(c);
}

static void routes(void **state)
{
    (void)state;
    struct config *c =
        parse_ok(LEAST "route plain { kind = relay\n host = \"[2001:db8::1]\" }\n"
                       "route smart { kind = relay\n host = smtp.example.net\n tls = verified\n"
                       "  user = \"me@example.net\"\n password-file = pw\n ca-file = \"/ca.pem\"\n"
                       "  connections = 3 }\n"
                       "route wrapped { kind = relay\n host = 192.0.2.1\n implicit-tls = yes }\n"
                       "route odd { kind = relay\n host = \"127.0.0.1\"\n port = 1025\n tls = off\n"
                       "  user = me\n password-file = pw }\n"
                       "route local { kind = maildir\n path = \"mail/%d/%l/100%%\" }\n"
                       "route nothing { kind = discard }\n");
    const struct config_route *r = config_find_route(c, SP_LIT("plain"));
    assert_string_equal(r->host, "2001:db8::1");
    assert_int_equal(r->port, 25);
    assert_int_equal(r->tls, CONFIG_ROUTE_TLS_OPPORTUNISTIC);
    assert_int_equal(r->connections, 10);
    r = config_find_route(c, SP_LIT("smart"));
    assert_int_equal(r->port, 587);
    assert_int_equal(r->tls, CONFIG_ROUTE_TLS_VERIFIED);
    assert_string_equal(r->user, "me@example.net");
    assert_string_equal(r->password_file, "/etc/pw");
    assert_string_equal(r->ca_file, "/ca.pem");
    assert_int_equal(r->connections, 3);
    r = config_find_route(c, SP_LIT("wrapped"));
    assert_int_equal(r->port, 465);
    assert_true(r->implicit_tls);
    r = config_find_route(c, SP_LIT("odd"));
    assert_int_equal(r->port, 1025);
    assert_int_equal(r->tls, CONFIG_ROUTE_TLS_OFF);
    r = config_find_route(c, SP_LIT("local"));
    assert_int_equal(r->kind, CONFIG_ROUTE_MAILDIR);
    assert_string_equal(r->path, "/etc/mail/%d/%l/100%%");
    assert_int_equal(config_find_route(c, SP_LIT("nothing"))->kind, CONFIG_ROUTE_DISCARD);
    assert_int_equal(config_find_route(c, SP_LIT("hold"))->kind, CONFIG_ROUTE_HOLD);
    assert_null(config_find_route(c, SP_LIT("other")));
    config_free(c);
}

static void domains(void **state)
{
    (void)state;
    struct config *c =
        parse_ok(LEAST "domain Example.org { route = later\n mailboxes = { Alice, \"first.last\" } }\n"
                       "domain \"a.example\" { route = hold }\n"
                       "domain example.com { route = discard }\n"
                       "route later { kind = hold }\n");
    assert_int_equal(c->domain_n, 3);
    const struct config_domain *d = config_find_domain(c, SP_LIT("EXAMPLE.org"));
    assert_string_equal(d->name, "example.org");
    assert_string_equal(d->route->name, "later");
    assert_int_equal(d->mailbox_n, 2);
    assert_string_equal(d->mailboxes[0], "alice");
    assert_string_equal(d->mailboxes[1], "first.last");
    assert_int_equal(config_find_domain(c, SP_LIT("a.example"))->mailbox_n, 0);
    assert_non_null(config_find_domain(c, SP_LIT("example.com")));
    assert_null(config_find_domain(c, SP_LIT("example.co")));
    assert_null(config_find_domain(c, SP_LIT("example.comm")));
    assert_null(config_find_domain(c, SP_LIT("")));
    config_free(c);
}

static void a_domain_alone_needs_no_default_route(void **state)
{
    (void)state;
    struct config *c =
        parse_ok("listener l { address = \"127.0.0.1:1\" }\ndomain example.org { route = hold }\n");
    assert_string_equal(c->default_route->name, "mx");
    assert_int_equal(c->default_route->kind, CONFIG_ROUTE_MX);
    assert_int_equal(c->default_route->port, 25);
    assert_int_equal(c->default_route->connections, 10);
    assert_true(c->default_route->dane && c->default_route->mta_sts);
    config_free(c);
    c = parse_ok("default-route = none\nlistener l { address = \"127.0.0.1:1\" }\n"
                 "domain example.org { route = hold }\n");
    assert_null(c->default_route);
    config_free(c);
}

static void the_route_mx_can_be_changed(void **state)
{
    (void)state;
    struct config *c = parse_ok("listener l { address = \"127.0.0.1:1\" }\n"
                                "route mx { kind = mx\n tls = verified\n dane = no\n}\n");
    assert_int_equal(c->default_route->tls, CONFIG_ROUTE_TLS_VERIFIED);
    assert_false(c->default_route->dane);
    assert_int_equal(c->default_route->port, 25);
    assert_int_equal(c->route_n, 3);
    config_free(c);
}

static const char *route_for(const struct config *c, const char *from, const char *to)
{
    const struct config_route *r = config_route_for(c, sp_view_of(from), sp_view_of(to));
    return r ? r->name : "none";
}

static void rules_choose_routes(void **state)
{
    (void)state;
    struct config *c = parse_ok(
        LEAST "rule bounces { from = { \"<>\" }\n route = discard\n}\n"
              "rule partner { to = { partner.example, \"*.partner.example\" }\n route = mx\n}\n"
              "rule sales { from = { \"sales-*@ours.example\" }\n to = { \"*.example\" }\n route = smart\n}\n"
              "route smart { kind = relay\n host = smtp.example.net\n}\n");
    assert_string_equal(route_for(c, "", "a@b.example"), "discard");
    assert_string_equal(route_for(c, "a@b", "a@Partner.Example"), "mx");
    assert_string_equal(route_for(c, "a@b", "a@x.y.partner.example"), "mx");
    assert_string_equal(route_for(c, "a@b", "partner.example@other.example"), "hold");
    assert_string_equal(route_for(c, "a@b", "a@xpartner.example"), "hold");
    assert_string_equal(route_for(c, "Sales-Eu@Ours.Example", "a@b.example"), "smart");
    assert_string_equal(route_for(c, "sales@ours.example", "a@b.example"), "hold");
    assert_string_equal(route_for(c, "sales-eu@ours.example", "a@b.test"), "hold");
    config_free(c);
}

static void name_servers(void **state)
{
    (void)state;
    struct config *c = parse_ok(LEAST);
    assert_int_equal(c->dns.server_n, 0);
    assert_int_equal(c->dns.dnssec, CONFIG_DNSSEC_TOLERANT);
    assert_true(c->dns.hosts);
    assert_null(c->dns.anchor);
    config_free(c);
    c = parse_ok(LEAST "dns { servers = { \"127.0.0.1:53\", \"[::1]:5353\" }\n dnssec = strict\n"
                       " trust-anchor = root.key\n hosts = no\n}\n");
    assert_int_equal(c->dns.server_n, 2);
    assert_int_equal(os_address_port(&c->dns.servers[1]), 5353);
    assert_int_equal(c->dns.dnssec, CONFIG_DNSSEC_STRICT);
    assert_string_equal(c->dns.anchor, "/etc/root.key");
    assert_false(c->dns.hosts);
    config_free(c);
}

static void the_form_is_free(void **state)
{
    (void)state;
    struct config *c = parse_ok(
        "# a comment\r\n\t hostname=mail.example.org # and one behind\n"
        "user = \"a # \\\" \\\\ b\"\n"
        "default-route=hold\nlistener l{address=\"127.0.0.1:25\"\ntls=off}"
        "listener m { address = \"127.0.0.1:26\"\nrelay-from = {\n\n\"192.0.2.0/24\"\n,\n\"::1\",\n} }");
    assert_string_equal(c->user, "a # \" \\ b");
    assert_int_equal(c->listeners[0].tls, CONFIG_TLS_OFF);
    assert_int_equal(c->listeners[1].relay_from_n, 2);
    config_free(c);
}

static void many_domains(void **state)
{
    (void)state;
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, 1 << 20);
    sp_buf_add_str(&b, LEAST);
    for (unsigned i = 0; i < 2000; i++) {
        sp_buf_add_str(&b, "domain d");
        sp_buf_add_dec(&b, i * 7919 % 2000);
        sp_buf_add_str(&b, ".example { route = hold }\n");
    }
    struct config *c = NULL;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1 << 20);
    assert_int_equal(config_parse("f", sp_buf_view(&b), &error, &c), SP_OK);
    assert_int_equal(c->domain_n, 2000);
    assert_string_equal(config_find_domain(c, SP_LIT("d1999.example"))->name, "d1999.example");
    config_free(c);
    sp_buf_fini(&b);
    sp_buf_fini(&error);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(least),
    cmocka_unit_test(limits_have_defaults),
    cmocka_unit_test(limits_as_given),
    cmocka_unit_test(top_keys),
    cmocka_unit_test(a_host_name_is_found_when_none_is_given),
    cmocka_unit_test(listeners),
    cmocka_unit_test(routes),
    cmocka_unit_test(domains),
    cmocka_unit_test(a_domain_alone_needs_no_default_route),
    cmocka_unit_test(the_route_mx_can_be_changed),
    cmocka_unit_test(rules_choose_routes),
    cmocka_unit_test(name_servers),
    cmocka_unit_test(the_form_is_free),
    cmocka_unit_test(many_domains),
};

TAP_MAIN(tests)
