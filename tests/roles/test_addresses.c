/* What addresses of our domains stand for. */
#include "tap.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "roles/addresses.h"

#include <stdio.h>
#include <string.h>

static const char text[] =
    "hostname = \"mx.example.org\"\n"
    "data = \"/nonexistent\"\n"
    "route \"boxes\" {\nkind = maildir\npath = \"/m/%d/%l\"\n}\n"
    "route \"lmtp\" {\nkind = lmtp\nsocket = \"/run/lmtp\"\n}\n"
    "domain \"example.org\" {\nroute = boxes\naliases = \"a\"\nmailboxes = {ann, bob, info}\n"
    "catch-all = bob\n}\n"
    "domain \"example.net\" {\nroute = lmtp\naliases = \"a\"\nmailboxes = {carol}\n}\n"
    "domain \"plain.example\" {\nroute = boxes\nplus-addresses = no\nmailboxes = {\"x\"}\n}\n"
    "domain \"any.example\" {\nroute = boxes\n}\n"
    "domain \"xn--bcher-kva.example\" {\nroute = boxes\nmailboxes = {carl}\n}\n"
    "domain \"back.example\" {\nroute = boxes\nmailboxes = {\"x\"}\n}\n"
    "srs {\ndomain = \"back.example\"\nsecret-file = \"s\"\n}\n"
    "listener \"l\" {\naddress = \"127.0.0.1:25\"\n}\n";

static struct config *config;
static struct addresses *addresses;
static char got[4096];

static void note(void *ctx, struct sp_view address, const struct config_route *route)
{
    size_t at = strlen(got);
    (void)ctx;
    (void)snprintf(got + at, sizeof got - at, "%.*s>%s ", (int)address.len, (const char *)address.p,
                   route->name);
}

static enum addresses_answer ask(const char *address)
{
    struct sp_view whole = sp_view_of(address), local;
    char domain[128] = "";
    const char *at = strrchr(address, '@');
    got[0] = 0;
    local = at ? sp_view_sub(whole, 0, (size_t)(at - address)) : whole;
    for (size_t i = 0; at && at[i + 1]; i++)
        domain[i] = (char)sp_ascii_lower((uint8_t)at[i + 1]);
    return addresses_resolve(addresses, config, local, sp_view_of(domain), whole, SP_LIT("s@far.example"),
                             note, NULL);
}

static void goes(const char *address, const char *targets)
{
    assert_int_equal(ask(address), ADDRESSES_HERE);
    assert_string_equal(got, targets);
}

static void take(uint32_t generation, const char *domain, const char *aliases)
{
    struct ipc_aliases m = {generation, sp_view_of(domain), sp_view_of(aliases)};
    addresses_take(addresses, &m);
}

static int set_up(void **state)
{
    struct sp_buf error;
    (void)state;
    sp_buf_init(&error, &os_heap, 4096);
    if (config_parse("f", sp_view_of(text), &error, &config) != SP_OK)
        fail_msg("%.*s", (int)error.len, (const char *)error.p);
    sp_buf_fini(&error);
    addresses = addresses_new();
    take(1, "example.org",
         "sales: ann, carol@example.net, out@far.example\n"
         "all: sales, bob, ann\n"
         "info: info, ann\n"
         "circle: round\nround: circle\n"
         "team+x: bob\n"
         "books: carl@b\u00fccher.example\n");
    take(1, "example.net", "desk: sales@example.org, carol\nback: all@example.org, desk\n");
    addresses_use(addresses, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    addresses_free(addresses);
    config_free(config);
    return 0;
}

static void test_mailboxes_stand_for_themselves(void **state)
{
    (void)state;
    goes("ann@example.org", "ann@example.org>boxes ");
    goes("Ann@Example.ORG", "Ann@Example.ORG>boxes "); /* as it was said */
    goes("\"ann\"@example.org", "\"ann\"@example.org>boxes ");
    goes("postmaster@example.net", "postmaster@example.net>lmtp ");
    goes("postmaster", "postmaster>boxes ");
    goes("whoever@any.example", "whoever@any.example>boxes ");
    assert_int_equal(ask("nobody@example.net"), ADDRESSES_UNKNOWN);
    assert_int_equal(ask("x@elsewhere.example"), ADDRESSES_FOREIGN);
    assert_string_equal(got, "");
}

static void test_aliases_are_opened_through_all_domains(void **state)
{
    (void)state;
    goes("SALES@example.org", "ann@example.org>boxes carol@example.net>lmtp out@far.example>mx ");
    goes("all@example.org",
         "ann@example.org>boxes carol@example.net>lmtp out@far.example>mx bob@example.org>boxes ");
    goes("info@example.org", "info@example.org>boxes ann@example.org>boxes ");
    goes("back@example.net",
         "ann@example.org>boxes carol@example.net>lmtp out@far.example>mx bob@example.org>boxes ");
}

static void test_a_domain_in_unicode_is_the_same(void **state)
{
    (void)state;
    goes("carl@b\u00fccher.example", "carl@b\u00fccher.example>boxes ");
    assert_int_equal(ask("nobody@b\u00fccher.example"), ADDRESSES_UNKNOWN);
    goes("books@example.org", "carl@b\u00fccher.example>boxes ");
}

static void test_circles_end(void **state)
{
    (void)state;
    assert_int_equal(ask("circle@example.org"), ADDRESSES_TANGLED);
    char chain[4096] = "";
    for (int i = 0; i < 40; i++)
        (void)snprintf(chain + strlen(chain), sizeof chain - strlen(chain), "n%d: n%d\n", i, i + 1);
    take(2, "example.org", chain);
    addresses_use(addresses, 2);
    assert_int_equal(ask("n0@example.org"), ADDRESSES_TANGLED);
    goes("n39@example.org", "bob@example.org>boxes "); /* n40 is nobody: the catch-all */
    goes("carol@example.net", "carol@example.net>lmtp ");
    assert_int_equal(ask("desk@example.net"), ADDRESSES_UNKNOWN); /* the older generation is gone */
}

/* What all targets of an alias lack is known when the recipient is named: no report has to say it. */
static void test_who_stands_for_nobody_is_nobody(void **state)
{
    (void)state;
    take(2, "example.net",
         "ghost: gone\nghosts: ghost, lost@plain.example\nsome: gone, carol\nfar: gone, x@far.example\n");
    addresses_use(addresses, 2);
    assert_int_equal(ask("ghost@example.net"), ADDRESSES_UNKNOWN);
    assert_int_equal(ask("ghosts@example.net"), ADDRESSES_UNKNOWN);
    goes("some@example.net", "gone@example.net>lmtp carol@example.net>lmtp "); /* the others still get it */
    goes("far@example.net", "gone@example.net>lmtp x@far.example>mx ");
}

static void take_secrets(uint32_t generation, const char *lines)
{
    struct ipc_srs_secrets m = {generation, sp_view_of(lines)};
    addresses_take_srs(addresses, &m);
}

/* What stands for a sender, of a message of so many days ago. */
static const char *made_for(const char *sender, int64_t days, char out[512])
{
    struct sp_buf made;
    sp_buf_init(&made, &os_heap, 512);
    struct sp_view v = srs_sender(addresses_srs(addresses), config, sp_view_of(sender),
                                  os_wall_ms() - days * 86400000, &made);
    (void)snprintf(out, 512, "%.*s", (int)v.len, (const char *)v.p);
    sp_buf_fini(&made);
    return out;
}

static void test_senders_of_forwarded_mail(void **state)
{
    char a[512], b[512], aliases[2048];
    (void)state;
    take(2, "example.org", "x: ann\n");
    addresses_use(addresses, 2); /* without secrets nothing is signed, and nothing believed */
    assert_string_equal(made_for("w@far.example", 0, a), "w@far.example");
    assert_int_equal(ask("SRS0=AAAA=AA=far.example=w@back.example"), ADDRESSES_FORGED);
    take_secrets(3, "0123456789abcdef\r\n\n  another secret of some length \n");
    addresses_use(addresses, 3);
    goes(made_for("w@far.example", 0, a), "w@far.example>mx ");
    goes("x@back.example", "x@back.example>boxes "); /* names like any other stay what they are */
    goes("x+a@back.example", "x@back.example>boxes ");
    goes("Postmaster@back.example", "Postmaster@back.example>boxes ");
    assert_int_equal(ask("nobody@back.example"), ADDRESSES_UNKNOWN);
    goes(made_for("ann@plain.example.example", 21, a), "ann@plain.example.example>mx ");
    assert_int_equal(ask(made_for("w@far.example", 22, a)), ADDRESSES_EXPIRED);
    assert_int_equal(ask("SRS0=AAAA=AA=far.example=w@example.org"), ADDRESSES_HERE); /* its catch-all */
    /* In a circle of forwarders one of ours may stand in one of theirs, and that in one of ours. */
    made_for("w@far.example", 0, a);
    (void)snprintf(b, sizeof b, "SRS1=abcd=back.example=%.*s@two.example", (int)(strchr(a, '@') - a - 4),
                   a + 4);
    goes(made_for(b, 0, a), "w@far.example>mx ");
    /* A damaged one among an alias' targets harms none but itself. */
    (void)snprintf(aliases, sizeof aliases,
                   "x: SRS0=AAAA=AA=far.example=w@back.example, carol@example.net, %s\n",
                   made_for("w@far.example", 0, a));
    take(4, "example.org", aliases);
    take_secrets(4, "another secret of some length\n0123456789abcdef\n");
    addresses_use(addresses, 4);
    goes("x@example.org",
         "SRS0=AAAA=AA=far.example=w@back.example>boxes carol@example.net>lmtp w@far.example>mx ");
    take_secrets(5, "another secret of some length\n");
    addresses_use(addresses, 5);
    assert_int_equal(ask(a), ADDRESSES_FORGED);
    assert_string_equal(made_for("w@example.org", 0, a), "w@example.org");
    assert_string_equal(made_for("", 0, a), "");
}

/* Forms that a hostile, or a careless, file may give its names. */
static void test_quoted_and_long_names(void **state)
{
    (void)state;
    char many[32768] = "many:";
    for (int i = 0; i < 1500; i++)
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), " t%d@far.example,", i);
    take(2, "example.net", "\"a b\": carol\n\"x@y\": carol\nth\xc6\xb0: carol\nback: \"a b\", \"x@y\"\n");
    take(2, "example.org", strcat(many, " t0@far.example\n"));
    addresses_use(addresses, 2);
    goes("\"a b\"@example.net", "carol@example.net>lmtp ");
    goes("\"A\\ B\"@example.net", "carol@example.net>lmtp ");
    goes("\"x@y\"@example.net", "carol@example.net>lmtp ");
    goes("th\xc6\xb0@example.net", "carol@example.net>lmtp ");
    goes("back@example.net", "carol@example.net>lmtp ");
    char name[400];
    memset(name, 'a', 300);
    (void)snprintf(name + 300, 100, "@example.net");
    assert_int_equal(ask(name), ADDRESSES_UNKNOWN);
    assert_int_equal(ask("\"@example.net"), ADDRESSES_UNKNOWN);
    assert_int_equal(ask("\"\"@example.net"), ADDRESSES_UNKNOWN);
    assert_int_equal(ask("+@example.net"), ADDRESSES_UNKNOWN);
    assert_int_equal(addresses_resolve(addresses, config, SP_LIT("many"), SP_LIT("example.org"),
                                       SP_LIT("many@example.org"), SP_LIT(""), NULL, NULL),
                     ADDRESSES_HERE);
}

static void test_details_and_catch_alls(void **state)
{
    (void)state;
    goes("ann+news@example.org", "ann@example.org>boxes ");         /* a folder knows no detail */
    goes("carol+news@example.net", "carol+news@example.net>lmtp "); /* a server of mailboxes may */
    goes("sales+1@example.org", "ann@example.org>boxes carol@example.net>lmtp out@far.example>mx ");
    goes("team+x@example.org", "bob@example.org>boxes "); /* a name itself */
    goes("nobody@example.org", "bob@example.org>boxes "); /* the catch-all */
    assert_int_equal(ask("x+1@plain.example"), ADDRESSES_UNKNOWN);
    assert_int_equal(ask("nobody+x@example.net"), ADDRESSES_UNKNOWN);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_mailboxes_stand_for_themselves, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_aliases_are_opened_through_all_domains, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_circles_end, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_a_domain_in_unicode_is_the_same, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_who_stands_for_nobody_is_nobody, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_senders_of_forwarded_mail, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_quoted_and_long_names, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_details_and_catch_alls, set_up, tear_down),
};

TAP_MAIN(tests)
