/* Who may send to whom. */
#include "tap.h"

#include "base/view.h"
#include "roles/smtpd/policy.h"

static const struct config_route hold = {.name = "hold"}, boxes = {.name = "boxes"}, out = {.name = "out"};
static const char *mailboxes[] = {"alice", "bob smith"};
static struct config_domain domains[] = {
    {.name = "example.net", .route = &hold},
    {.name = "example.org", .route = &boxes, .mailboxes = mailboxes, .mailbox_n = 2},
};
static struct config with_route = {
    .hostname = "example.org", .domains = domains, .domain_n = 2, .default_route = &out};
static struct config without_route = {.hostname = "mx.example.net", .domains = domains, .domain_n = 2};
static struct config without_domains = {.hostname = "mx.example.net", .default_route = &out};

static struct sp_path path(const char *text)
{
    struct sp_path p = {.text = sp_view_of(text)};
    size_t at = p.text.len;
    while (at > 0 && text[at - 1] != '@')
        at--;
    p.local = at ? sp_view_sub(p.text, 0, at - 1) : p.text;
    p.domain = at ? sp_view_from(p.text, at) : (struct sp_view){0};
    return p;
}

static void take(void *ctx, struct sp_view address, const struct config_route *route)
{
    (void)address;
    *(const char **)ctx = route->name;
}

static void goes(const struct config *c, bool may_relay, const char *to, const char *route)
{
    const char *got = NULL;
    struct sp_path p = path(to);
    assert_int_equal(policy_recipient(NULL, c, may_relay, SP_LIT("a@b.example"), &p, take, &got), SMTPD_FINE);
    assert_string_equal(got, route);
}

static void refused(const struct config *c, bool may_relay, const char *to, enum smtpd_refusal why)
{
    const char *got = NULL;
    struct sp_path p = path(to);
    assert_int_equal(policy_recipient(NULL, c, may_relay, SP_LIT("a@b.example"), &p, take, &got), why);
    assert_null(got);
}

static void domains_of_ours_take_mail_from_anyone(void **state)
{
    (void)state;
    goes(&with_route, false, "alice@example.org", "boxes");
    goes(&with_route, false, "ALICE@Example.ORG", "boxes");
    goes(&with_route, false, "\"alice\"@example.org", "boxes");
    goes(&with_route, false, "\"Bob\\ Smith\"@example.org", "boxes");
    goes(&with_route, false, "anybody@example.net", "hold");
}

static void unknown_mailboxes_are_refused_whoever_sends(void **state)
{
    (void)state;
    refused(&with_route, false, "carol@example.org", SMTPD_UNKNOWN_RECIPIENT);
    refused(&with_route, true, "alicex@example.org", SMTPD_UNKNOWN_RECIPIENT);
    refused(&with_route, true, "\"alice \"@example.org", SMTPD_UNKNOWN_RECIPIENT);
}

static void other_domains_are_for_those_who_may_relay(void **state)
{
    (void)state;
    refused(&with_route, false, "x@example.com", SMTPD_RELAY_DENIED);
    refused(&with_route, false, "x@sub.example.org", SMTPD_RELAY_DENIED);
    refused(&with_route, false, "x@[127.0.0.1]", SMTPD_RELAY_DENIED);
    goes(&with_route, true, "x@example.com", "out");
    goes(&with_route, true, "x@[127.0.0.1]", "out");
    refused(&without_route, true, "x@example.com", SMTPD_NO_ROUTE);
    refused(&without_route, false, "x@example.com", SMTPD_RELAY_DENIED);
}

static void postmaster_is_always_there(void **state)
{
    (void)state;
    goes(&with_route, false, "postmaster@example.org", "boxes");
    goes(&with_route, false, "PostMaster", "boxes");   /* the domain of the hostname */
    goes(&without_route, false, "postmaster", "hold"); /* the first domain           */
    goes(&without_domains, true, "postmaster", "out");
    refused(&without_domains, false, "postmaster", SMTPD_RELAY_DENIED);
}

static bool sends(const char *senders, const char *as)
{
    struct sp_path p = path(as);
    p.null = *as == '\0';
    return policy_may_send(sp_view_of(senders), &p);
}

static void a_list_says_who_may_be_the_sender(void **state)
{
    (void)state;
    assert_true(sends("a@example.org", "A@EXAMPLE.ORG"));
    assert_true(sends("x@y\na@example.org", "\"a\"@example.org"));
    assert_true(sends("*@example.org", "\"a@b\"@example.org"));
    assert_true(sends("a*b*c@*.org", "aXbbc@example.org"));
    assert_true(sends("a*@example.org", "a@example.org"));
    assert_true(sends("a@example.org", ""));
    assert_false(sends("a@example.org", "ab@example.org"));
    assert_false(sends("*@example.org", "a@sub.example.org"));
    assert_false(sends("*@example.org", "\"a@example.org\"@example.net"));
    assert_false(sends("a*b*c@example.org", "aXcb@example.org"));
    assert_false(sends("a@example.org", "postmaster"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_list_says_who_may_be_the_sender),
    cmocka_unit_test(domains_of_ours_take_mail_from_anyone),
    cmocka_unit_test(unknown_mailboxes_are_refused_whoever_sends),
    cmocka_unit_test(other_domains_are_for_those_who_may_relay),
    cmocka_unit_test(postmaster_is_always_there),
};

TAP_MAIN(tests)
