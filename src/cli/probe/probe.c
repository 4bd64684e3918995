/* sallyport probe: the command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/view.h"
#include "cli/catalogue.h"
#include "cli/commands.h"
#include "cli/probe/probe.h"
#include "cli/secret.h"
#include "os/heap.h"

enum { TARGETS_MAX = 16, USER_MAX = 1024, TIMEOUT_S = 10, LIMIT_S = 90, WARN_DAYS = 14, NUMBER_MAX_S = 3600 };

static struct cli_option options[] = {
    {.name = "ports",
     .argument = "LIST",
     .help = "ports to look at, by commas; else 25, 465 and 587",
     .group = "Where"},
    {.name = "mx", .help = "the names are domains: look at the mail servers of their MX records"},
    {.name = "as",
     .argument = "ROLE",
     .help = "what the ports are for, where the number does not say it: smtp, submission, submissions"},
    {.name = "name-server",
     .argument = "ADDRESS:PORT",
     .help = "ask this name server instead of the system's"},
    {.name = "trust-anchor", .argument = "FILE", .help = "DNSSEC keys to trust instead of the root's"},
    {.name = "ehlo",
     .argument = "NAME",
     .help = "what to say in EHLO; else the name of this machine",
     .group = "How"},
    {.name = "sni",
     .argument = "NAME",
     .help = "the name to ask for in TLS, and to look for in the certificate"},
    {.name = "ca-file", .argument = "FILE", .help = "authorities to trust, PEM; else the system's"},
    {.name = "warn-days", .argument = "N", .help = "warn of certificates that expire in fewer days; else 14"},
    {.name = "timeout", .argument = "SECONDS", .help = "for one step; else 10"},
    {.name = "limit", .argument = "SECONDS", .help = "for one port; else 90"},
    {.name = "no-order", .help = "leave out the tests of the command sequence"},
    {.name = "auth", .argument = "USER", .help = "log in, too; the password is asked for", .group = "Login"},
    {.name = "password-file",
     .argument = "FILE",
     .help = "its first line is the password; else SALLYPORT_PASSWORD, else a prompt"},
    {.name = "token-file", .argument = "FILE", .help = "a bearer token instead of a password"},
    {.name = "mechanism", .argument = "NAME", .help = "log in with this one; else the strongest on offer"},
    {.name = "insecure", .help = "log in without TLS or with a bad certificate as well"},
    {.name = "json", .help = "print JSON", .group = "Output"},
    {.name = "brief", .help = "print one line, as for Nagios and its kin"},
    {.name = "no-settings", .help = "leave out the ready settings"},
    {.name = "strict", .help = "exit with 1 on warnings"},
    {.name = "lang",
     .argument = "en|vi",
     .help = "the language; by default that of LC_ALL, LC_MESSAGES or LANG"},
    {.name = NULL},
};

const struct cli_option *cmd_probe_options(void) { return options; }

#define X(n, word, port) {word, port},
static const struct {
    const char *word;
    uint16_t port;
} roles[PROBE_ROLE_N] = {PROBE_ROLES(X)};
#undef X

const char *probe_role_word(enum probe_role role) { return roles[role].word; }

/* --- parsing ------------------------------------------------------------------------------------ */

static int parse_port(struct probe_target *t, struct sp_view text)
{
    if (t->port_n == PROBE_PORTS_MAX)
        return cli_usage_fault("probe", "at most %d ports", PROBE_PORTS_MAX);
    int code = cli_port("probe", text, &t->ports[t->port_n]);
    t->port_n += code == EX_OK;
    return code;
}

static int parse_ports(struct probe_target *t, const char *list)
{
    struct sp_view rest = sp_view_of(list), one;
    int code = EX_OK;
    while (!code && sp_view_word(&rest, ',', &one))
        code = parse_port(t, one);
    return code;
}

static int parse_target(struct probe_target *t, const char *text)
{
    const char *port, *ports = cli_value(options, "ports");
    int code = cli_host_port("probe", text, t->host, &port);
    if (code)
        return code;
    for (const char *c = t->host; *c; c++)
        if (*c <= ' ' || *c > '~')
            return cli_usage_fault("probe", "this is no host name: write it in ASCII (xn--...)");
    t->domain = cli_option(options, "mx")->given;
    if (port)
        return parse_port(t, sp_view_of(port));
    return ports ? parse_ports(t, ports) : EX_OK;
}

static int parse_number(const char *name, uint64_t max, uint64_t *n)
{
    const char *given = cli_value(options, name);
    if (given && (sp_view_u64(sp_view_of(given), max, n) || *n == 0))
        return cli_usage_fault("probe", "--%s is a number from 1 to %llu, not '%s'", name,
                               (unsigned long long)max, given);
    return EX_OK;
}

static int parse_bounds(struct probe_plan *p)
{
    uint64_t timeout = TIMEOUT_S, limit = LIMIT_S, days = WARN_DAYS;
    int code = parse_number("timeout", NUMBER_MAX_S, &timeout);
    if (!code)
        code = parse_number("limit", NUMBER_MAX_S, &limit);
    if (!code)
        code = parse_number("warn-days", NUMBER_MAX_S, &days);
    p->timeout_ms = (uint32_t)timeout * 1000;
    p->limit_ms = (uint32_t)limit * 1000;
    p->warn_days = (unsigned)days;
    return code;
}

static int parse_role(struct probe_plan *p)
{
    const char *given = cli_value(options, "as");
    for (size_t i = 1; given && i < PROBE_ROLE_N; i++)
        if (strcmp(roles[i].word, given) == 0)
            p->role = (enum probe_role)i;
    return !given || p->role
               ? EX_OK
               : cli_usage_fault("probe", "--as is smtp, submission or submissions, not '%s'", given);
}

static int parse_names(struct probe_plan *p)
{
    const char *server = cli_value(options, "name-server");
    p->hello = cli_value(options, "ehlo");
    p->server_name = cli_value(options, "sni");
    p->ca_file = cli_value(options, "ca-file");
    p->anchor_file = cli_value(options, "trust-anchor");
    if (!p->hello) {
        if (gethostname(p->own_name, sizeof p->own_name - 1) != 0 || p->own_name[0] == '\0')
            snprintf(p->own_name, sizeof p->own_name, "localhost");
        p->hello = p->own_name;
    }
    if (strlen(p->hello) >= PROBE_HOST_MAX || p->hello[0] == '\0')
        return cli_usage_fault("probe", "'%s' cannot stand in EHLO: one word is wanted", p->hello);
    for (const char *c = p->hello; *c; c++)
        if (*c <= ' ' || *c > '~')
            return cli_usage_fault("probe", "the name in EHLO is one word of printable ASCII");
    p->has_name_server = server != NULL;
    if (server && os_address_parse(sp_view_of(server), &p->name_server))
        return cli_usage_fault("probe", "--name-server is ADDRESS:PORT, not '%s'", server);
    return EX_OK;
}

static int keep_password(struct probe_plan *p, const char *text)
{
    sp_buf_init(&p->password, &os_heap_secret, CLI_SECRET_MAX);
    return sp_buf_add_str(&p->password, text)
               ? cli_fault("probe", EX_DATAERR, "the password is longer than %d octets", CLI_SECRET_MAX)
               : EX_OK;
}

static int parse_login(struct probe_plan *p)
{
    const char *user = cli_value(options, "auth"), *file = cli_value(options, "password-file"),
               *token = cli_value(options, "token-file"), *environment = getenv("SALLYPORT_PASSWORD");
    p->mechanism = cli_value(options, "mechanism");
    p->insecure = cli_option(options, "insecure")->given;
    if (!user && (file || token || p->mechanism || p->insecure))
        return cli_usage_fault(
            "probe", "--password-file, --token-file, --mechanism and --insecure go with --auth USER");
    if (file && token)
        return cli_usage_fault("probe", "--password-file and --token-file exclude each other");
    if (p->mechanism && !sasl_client_knows(sp_view_of(p->mechanism)))
        return cli_usage_fault("probe", "--mechanism: '%s' is not a mechanism of this client", p->mechanism);
    if (!user)
        return EX_OK;
    sp_buf_init(&p->user, &os_heap, USER_MAX);
    if (!*user || sp_buf_add_str(&p->user, user))
        return cli_usage_fault("probe", "--auth needs a user name of at most %d octets", USER_MAX);
    p->login = true;
    p->token = token != NULL;
    if (file || token)
        return cli_read_password_file("probe", file ? file : token, &p->password);
    return environment ? keep_password(p, environment)
                       : cli_ask_password("probe", "Password: ", &p->password);
}

static int parse(struct probe_plan *p, const struct cli_operands *operands, struct probe_target *targets)
{
    p->order = !cli_option(options, "no-order")->given;
    p->strict = cli_option(options, "strict")->given;
    p->json = cli_option(options, "json")->given;
    p->brief = cli_option(options, "brief")->given;
    p->settings = !cli_option(options, "no-settings")->given;
    if (operands->n == 0)
        return cli_usage_fault("probe", "which server? HOST, HOST:PORT or a domain is needed");
    if (operands->n > TARGETS_MAX)
        return cli_usage_fault("probe", "at most %d servers at once", TARGETS_MAX);
    if (p->json && p->brief)
        return cli_usage_fault("probe", "--json and --brief exclude each other");
    if (!cli_lang("probe", options, &p->lang))
        return EX_USAGE;
    int code = parse_bounds(p);
    if (!code)
        code = parse_role(p);
    if (!code)
        code = parse_names(p);
    for (size_t i = 0; i < operands->n && !code; i++)
        code = parse_target(&targets[i], operands->words[i]);
    return code ? code : parse_login(p);
}

/* --- looking --------------------------------------------------------------------------------------- */

static int set_up(const struct probe_plan *plan, struct probe *p)
{
    struct sp_buf error;
    int code = EX_OK;
    sp_buf_init(&error, &os_heap, 4096);
    *p = (struct probe){.plan = plan, .base = os_loop_new()};
    const struct dns_options o = {.servers = plan->has_name_server ? &plan->name_server : NULL,
                                  .server_n = plan->has_name_server,
                                  .trust = DNS_TRUST_TOLERANT,
                                  .anchor_file = plan->anchor_file,
                                  .hosts = true};
    p->dns = dns_open(p->base, &o, &error);
    p->tls = p->dns ? os_tls_client_new(OS_TLS_ANY, plan->ca_file, &error) : NULL;
    if (!p->dns || !p->tls)
        code = cli_fault("probe", EX_NOINPUT, "%.*s", (int)error.len, (const char *)error.p);
    sp_buf_clear(&error);
    p->old_tls = code ? NULL : os_tls_client_new(OS_TLS_ANY, plan->ca_file, &error);
    const struct os_tls_settings old = {.min_version = "1.0", .ciphers = "ALL:@SECLEVEL=0"};
    if (p->old_tls && os_tls_set(p->old_tls, &old, &error)) {
        os_tls_unref(p->old_tls); /* this OpenSSL cannot: then it is not told apart */
        p->old_tls = NULL;
    }
    sp_buf_fini(&error);
    return code;
}

static void set_down(struct probe *p)
{
    dns_free(p->dns);
    os_tls_unref(p->tls);
    os_tls_unref(p->old_tls);
    event_base_free(p->base);
}

static enum probe_role role_of(const struct probe_plan *plan, uint16_t port)
{
    for (size_t i = 1; i < PROBE_ROLE_N && !plan->role; i++)
        if (roles[i].port == port)
            return (enum probe_role)i;
    return plan->role;
}

static void look_at_host(struct probe *p, struct probe_result *r)
{
    static const uint16_t usual[] = {25, 465, 587};
    const struct probe_target *t = r->target;
    size_t n = t->port_n ? t->port_n : sizeof usual / sizeof *usual;
    r->hosts = os_new(sizeof *r->hosts);
    r->host_n = 1;
    struct probe_host *h = &r->hosts[0];
    snprintf(h->name, sizeof h->name, "%s", t->host);
    probe_addresses(p, h->name, &h->addresses);
    if (h->addresses.verdict != DNS_FOUND) {
        probe_tell(&h->findings, PROBE_HOST_UNKNOWN, h->name, dns_verdict_text(h->addresses.verdict), NULL);
        return;
    }
    h->ports = os_new(n * sizeof *h->ports);
    h->port_n = n;
    for (size_t i = 0; i < n; i++) {
        h->ports[i].number = t->port_n ? t->ports[i] : usual[i];
        h->ports[i].role = role_of(p->plan, h->ports[i].number);
        h->ports[i].asked_for = t->port_n > 0;
    }
}

static void judge_by_sts(struct probe_result *r, const struct probe_host *h)
{
    if (r->sts_enforced && h->port_n > 0 && h->ports[0].reached && !h->ports[0].safe)
        probe_tell(&r->findings, PROBE_STS_CERTIFICATE, h->name, NULL, NULL);
}

static void look(struct probe *p, struct probe_result *r)
{
    bool maybe_domain = r->target->domain || (r->target->port_n == 0 && !p->plan->role);
    if (!maybe_domain || !probe_domain(p, r))
        look_at_host(p, r);
    for (size_t i = 0; i < r->host_n; i++) {
        for (size_t k = 0; k < r->hosts[i].port_n; k++)
            probe_port_look(p, &r->hosts[i], &r->hosts[i].ports[k]);
        judge_by_sts(r, &r->hosts[i]);
    }
}

static void free_result(struct probe_result *r)
{
    for (size_t i = 0; i < r->host_n; i++) {
        for (size_t k = 0; k < r->hosts[i].port_n; k++)
            probe_findings_fini(&r->hosts[i].ports[k].findings);
        probe_findings_fini(&r->hosts[i].findings);
        free(r->hosts[i].ports);
    }
    free(r->hosts);
    probe_findings_fini(&r->findings);
}

/* The worst of all: a fault outweighs what could not be reached at all, which outweighs a warning. */
static int exit_of(const struct probe_plan *plan, const struct probe_result *results, size_t n)
{
    static const int weight[] = {
        [PROBE_FINE] = 0, [PROBE_WARNED] = 1, [PROBE_FAULTY] = 3, [PROBE_UNREACHABLE] = 2};
    enum probe_exit worst = PROBE_FINE;
    for (size_t i = 0; i < n; i++) {
        struct probe_count count = probe_count(&results[i]);
        enum probe_exit one = probe_exit_of(plan, &count);
        worst = weight[one] > weight[worst] ? one : worst;
    }
    return (int)worst;
}

static int run(const struct probe_plan *plan, const struct probe_target *targets, size_t n)
{
    struct probe p;
    int code = set_up(plan, &p);
    struct probe_result *results = os_new(n * sizeof *results);
    for (size_t i = 0; i < n && !code; i++) {
        results[i].target = &targets[i];
        look(&p, &results[i]);
    }
    if (!code) {
        void (*show)(const struct probe_plan *, const struct probe_result *, size_t) =
            plan->json    ? probe_show_json
            : plan->brief ? probe_show_brief
                          : probe_show;
        show(plan, results, n);
        code = exit_of(plan, results, n);
    }
    for (size_t i = 0; i < n; i++)
        free_result(&results[i]);
    free(results);
    set_down(&p);
    return code;
}

int cmd_probe(int argc, char **argv)
{
    struct cli_operands operands;
    struct probe_plan *plan = os_new(sizeof *plan);
    struct probe_target *targets = os_new(TARGETS_MAX * sizeof *targets);
    int code = EX_USAGE;
    if (cli_parse("probe", argc, argv, options, &operands) &&
        (code = parse(plan, &operands, targets)) == EX_OK)
        code = run(plan, targets, operands.n);
    if (plan->password.alloc)
        sp_buf_fini_secret(&plan->password);
    if (plan->user.alloc)
        sp_buf_fini(&plan->user);
    free(plan);
    free(targets);
    return code;
}
