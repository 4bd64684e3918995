/* The mail server of a recipient's domain, as the DNS says (RFC 5321 5.1): the most preferred one. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/send/send.h"
#include "dns/idna.h"
#include "os/heap.h"

enum { LOOKUP_MS = 30000 };

struct search {
    struct dns *dns;
    enum dns_verdict verdict;
    char host[DNS_NAME_MAX + 1];
    unsigned preference;
    bool null, found;
};

struct dns *send_open_dns(const struct send_plan *p, struct event_base *base, struct sp_buf *error)
{
    if (!p->has_name_server)
        return dns_new(base, error);
    return dns_open(base, &(struct dns_options){.servers = &p->name_server, .server_n = 1}, error);
}

static void take_answer(void *ctx, const struct dns_answer *found)
{
    struct search *s = ctx;
    struct dns_packet packet = found->packet;
    struct dns_record r;
    char name[DNS_NAME_MAX + 1];
    unsigned preference;
    s->verdict = found->verdict;
    while (found->verdict == DNS_FOUND && dns_packet_next_of(&packet, DNS_TYPE_MX, &r) == SP_OK) {
        if (dns_record_mx(&packet, &r, &preference, name))
            continue;
        s->null = s->null || name[0] == '\0';
        if (name[0] == '\0' || (s->found && preference >= s->preference))
            continue;
        s->found = true;
        s->preference = preference;
        snprintf(s->host, sizeof s->host, "%s", name);
    }
    dns_free(s->dns); /* nothing is left to wait for: the loop ends */
    s->dns = NULL;
}

static struct sp_view domain_of(struct sp_view address)
{
    size_t at = address.len;
    while (at > 0 && address.p[at - 1] != '@')
        at--;
    return at > 0 ? sp_view_from(address, at) : (struct sp_view){0};
}

/* What the answer means for the plan; a domain without MX stands for itself. */
static int use(struct send_plan *p, const struct search *s, const char *domain)
{
    if (s->null && !s->found)
        return cli_fault("send", EX_NOHOST, "%s takes no mail: its MX is null (RFC 7505)", domain);
    if (s->verdict != DNS_FOUND && s->verdict != DNS_NO_DATA)
        return cli_fault("send", dns_is_final(s->verdict) ? EX_NOHOST : EX_TEMPFAIL, "MX of %s: %s", domain,
                         dns_verdict_text(s->verdict));
    (void)snprintf(p->host, sizeof p->host, "%s", s->found ? s->host : domain);
    if (!p->json && !p->quiet)
        printf("-- MX %s: %s\n", domain, p->host);
    return EX_OK;
}

/* [192.0.2.1] and [IPv6:2001:db8::1] need no question (RFC 5321 4.1.3). */
static int use_literal(struct send_plan *p, struct sp_view literal)
{
    struct sp_view address = sp_view_sub(literal, 1, literal.len - 2);
    if (sp_view_starts_nocase(address, SP_LIT("IPv6:")))
        address = sp_view_from(address, 5);
    (void)snprintf(p->host, sizeof p->host, "%.*s", (int)(address.len < 200 ? address.len : 200),
                   (const char *)address.p);
    return EX_OK;
}

int send_find_mx(struct send_plan *p)
{
    char domain[DNS_IDNA_MAX + 1] = "";
    size_t len = 0;
    struct sp_view wanted = domain_of(p->recipients[0]);
    struct sp_buf error;
    if (wanted.len > 2 && wanted.p[0] == '[' && wanted.p[wanted.len - 1] == ']')
        return use_literal(p, wanted);
    if (wanted.len == 0 || dns_idna(wanted, domain, &len) || len == 0)
        return cli_usage_fault("send", "--mx asks for the domain of the first recipient, and it has none");
    domain[len] = '\0';
    struct event_base *base = os_loop_new();
    sp_buf_init(&error, &os_heap, 4096);
    struct search s = {.dns = send_open_dns(p, base, &error)};
    int code = EX_OK;
    if (!s.dns)
        code = cli_fault("send", EX_OSERR, "%.*s", (int)error.len, (const char *)error.p);
    else if (!dns_ask(s.dns, sp_view_of(domain), DNS_TYPE_MX, LOOKUP_MS, take_answer, &s))
        code = cli_fault("send", EX_NOHOST, "%s cannot be asked for", domain);
    else
        (void)event_base_dispatch(base);
    dns_free(s.dns);
    if (!code)
        code = use(p, &s, domain);
    sp_buf_fini(&error);
    event_base_free(base);
    return code;
}
