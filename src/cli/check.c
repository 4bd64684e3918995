/* `sallyport check -c FILE`: is this configuration in order, and what would it do? Nothing is changed by
 * asking. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/commands.h"
#include "config/config.h"
#include "os/file.h"
#include "os/heap.h"
#include "os/tls.h"
#include "roles/supervisor/alias_file.h"
#include "roles/supervisor/srs_file.h"

enum { PEM_MAX = 1 << 20, ERROR_MAX = 1 << 20 };

/* --- what the configuration would do ------------------------------------------------------------- */

/* Of Dovecot only the running server knows what it has. */
static void print_mechanisms(const struct config *c, const char *when, uint32_t set)
{
    struct sp_buf names;
    sp_buf_init(&names, &os_heap, 4096);
    config_mechanisms_text(set, &names);
    if (names.len > 0)
        printf("    AUTH %s: %.*s%s\n", when, (int)names.len, (const char *)names.p,
               c->users.source == CONFIG_SOURCE_DOVECOT ? " (of these what Dovecot has)" : "");
    sp_buf_fini(&names);
}

static void print_listener(const struct config *c, const struct config_listener *l)
{
    static const char *const tls[] = {"no TLS", "STARTTLS", "TLS from the first octet"};
    static const char *const auth[] = {"no AUTH", "AUTH offered", "AUTH required"};
    char address[OS_ADDRESS_TEXT];
    os_address_text(&l->address, address);
    printf("  listener %s: %s, %s%s, %s%s", l->name, address, tls[l->tls],
           l->tls_required && l->tls == CONFIG_TLS_STARTTLS ? " required" : "", auth[l->auth],
           l->auth_in_clear ? " (in clear too)" : "");
    if (l->relay_from_n)
        printf(", %zu network%s may relay", l->relay_from_n, l->relay_from_n == 1 ? "" : "s");
    if (l->proxy_from_n)
        printf(", behind proxies of %zu network%s", l->proxy_from_n, l->proxy_from_n == 1 ? "" : "s");
    puts("");
    print_mechanisms(c, "with TLS", l->offered_tls);
    print_mechanisms(c, "without TLS", l->offered_clear);
}

static void print_route(const struct config_route *r)
{
    static const char *const tls[] = {"without TLS", "with TLS when offered", "with TLS",
                                      "with verified TLS"};
    printf("route %s", r->name);
    if (r->kind == CONFIG_ROUTE_RELAY)
        printf(" (to %s port %u, %s%s%s)", r->host, (unsigned)r->port, tls[r->tls], r->user ? ", as " : "",
               r->user ? r->user : "");
    else if (r->kind == CONFIG_ROUTE_MX)
        printf(" (to the servers of each domain, %s%s%s)", tls[r->tls], r->dane ? ", DANE" : "",
               r->mta_sts ? ", MTA-STS" : "");
    else if (r->kind == CONFIG_ROUTE_LMTP && r->socket)
        printf(" (LMTP to %s)", r->socket);
    else if (r->kind == CONFIG_ROUTE_LMTP)
        printf(" (LMTP to %s port %u, %s)", r->host, (unsigned)r->port, tls[r->tls]);
    else if (r->kind == CONFIG_ROUTE_MAILDIR)
        printf(" (into %s)", r->path);
    puts("");
}

static void print_srs(const struct config *c)
{
    enum { DAY_S = 86400 };
    bool forwards = false;
    for (size_t i = 0; i < c->domain_n; i++)
        forwards |= c->domains[i].aliases != NULL;
    if (c->srs.domain)
        printf("  senders of forwarded mail: SRS0=...@%s, bounces taken for %u days, signatures of %u "
               "characters\n",
               c->srs.domain, c->srs.max_age_s / DAY_S, c->srs.hash_len);
    else if (forwards)
        puts("  senders of forwarded mail: as they are (no section srs)");
}

static void print_summary(const struct config *c)
{
    printf("  hostname: %s\n  data: %s\n", c->hostname, c->data);
    for (size_t i = 0; i < c->listener_n; i++)
        print_listener(c, &c->listeners[i]);
    for (size_t i = 0; i < c->domain_n; i++) {
        printf("  domain %s: ", c->domains[i].name);
        if (c->domains[i].mailbox_n)
            printf("%zu mailbox%s, ", c->domains[i].mailbox_n, c->domains[i].mailbox_n == 1 ? "" : "es");
        print_route(c->domains[i].route);
    }
    for (size_t i = 0; i < c->rule_n; i++) {
        printf("  rule %s: ", c->rules[i].name);
        print_route(c->rules[i].route);
    }
    printf("  other domains: ");
    if (c->default_route)
        print_route(c->default_route);
    else
        puts("refused");
    print_srs(c);
}

/* --- the files it names -------------------------------------------------------------------------- */

/*
 * Read a file that the configuration names. EX_OK also when only its owner may read it: that is as it should
 * be, and said. unread_out: nothing was read.
 */
static int read_named(const char *path, const char *what, struct sp_buf *out, bool *unread_out)
{
    int status = os_file_read(AT_FDCWD, path, out);
    *unread_out = status != SP_OK;
    if (status == SP_OK)
        return EX_OK;
    if (status == SP_ERR_IO && errno == EACCES) {
        printf("  %s: not looked at, since this user may not read it (%s)\n", path, what);
        return EX_OK;
    }
    fprintf(stderr, "%s: %s cannot be read: %s\n", path, what,
            status == SP_ERR_LONG ? "it is too long" : strerror(errno));
    return EX_CONFIG;
}

/* Certificate and key are there and belong together. */
static int check_identity(const char *certificate_path, const char *key_path, const char *const names[2])
{
    struct sp_buf certificate, key, error;
    bool no_certificate, no_key;
    sp_buf_init(&certificate, &os_heap, PEM_MAX);
    sp_buf_init(&key, &os_heap, PEM_MAX);
    sp_buf_init(&error, &os_heap, ERROR_MAX);
    int code = read_named(certificate_path, names[0], &certificate, &no_certificate);
    int key_code = read_named(key_path, names[1], &key, &no_key);
    if (code == EX_OK)
        code = key_code;
    if (!no_certificate && !no_key) {
        struct os_tls_context *tls = os_tls_server_new(sp_buf_view(&certificate), sp_buf_view(&key), &error);
        if (!tls) {
            fprintf(stderr, "%s: %.*s\n", certificate_path, (int)error.len, (const char *)error.p);
            code = EX_CONFIG;
        }
        os_tls_unref(tls);
    }
    sp_buf_fini(&error);
    sp_buf_fini_secret(&key);
    sp_buf_fini(&certificate);
    return code;
}

static int check_route_files(const struct config_route *r)
{
    struct sp_buf b;
    bool unread;
    int code = EX_OK;
    sp_buf_init(&b, &os_heap, PEM_MAX);
    if (r->password_file)
        code = read_named(r->password_file, "password-file", &b, &unread);
    sp_buf_fini_secret(&b);
    if (r->ca_file) {
        int ca_code = read_named(r->ca_file, "ca-file", &b, &unread);
        code = code != EX_OK ? code : ca_code;
    }
    sp_buf_fini(&b);
    if (r->certificate_file) {
        int own_code = check_identity(r->certificate_file, r->key_file,
                                      (const char *const[]){"certificate-file", "key-file"});
        code = code != EX_OK ? code : own_code;
    }
    return code;
}

/* What the server shows, or what it trusts: read, and tried as far as this user may. */
static int check_client_ca(const struct config_listener *l)
{
    struct sp_buf pem, error;
    bool unread;
    sp_buf_init(&pem, &os_heap, PEM_MAX);
    sp_buf_init(&error, &os_heap, ERROR_MAX);
    int code = read_named(l->client_ca, "client-ca", &pem, &unread);
    if (!unread) {
        struct os_tls_context *tls = os_tls_client_trusting(OS_TLS_ANY, sp_buf_view(&pem), &error);
        if (!tls) {
            fprintf(stderr, "%s: %.*s\n", l->client_ca, (int)error.len, (const char *)error.p);
            code = EX_CONFIG;
        }
        os_tls_unref(tls);
    }
    sp_buf_fini(&pem);
    sp_buf_fini(&error);
    return code;
}

/* The resolver reads it when it is asked for the first time: too late for a slip. */
static int check_anchor(const struct config *c)
{
    struct sp_buf b;
    bool unread;
    sp_buf_init(&b, &os_heap, PEM_MAX);
    int code = c->dns.anchor ? read_named(c->dns.anchor, "trust-anchor", &b, &unread) : EX_OK;
    sp_buf_fini(&b);
    return code;
}

static int check_aliases(const char *path)
{
    struct sp_buf text, error;
    sp_buf_init(&text, &os_heap, ALIASES_MAX);
    sp_buf_init(&error, &os_heap, ERROR_MAX);
    int code = alias_file_read(path, &text, &error);
    (void)fwrite(error.p, 1, error.len, stderr); /* there is no other place to say that it failed */
    sp_buf_fini(&text);
    sp_buf_fini(&error);
    return code;
}

static int check_srs_file(const char *path)
{
    struct sp_buf text, error;
    sp_buf_init(&text, &os_heap, SRS_FILE_MAX);
    sp_buf_init(&error, &os_heap, ERROR_MAX);
    int code = srs_file_read(path, &text, &error);
    if (code == EX_NOINPUT && errno == EACCES) {
        printf("  %s: not looked at, since this user may not read it (secret-file)\n", path);
        code = EX_OK;
    } else {
        (void)fwrite(error.p, 1, error.len, stderr); /* there is no other place to say that it failed */
    }
    sp_buf_fini_secret(&text);
    sp_buf_fini(&error);
    return code;
}

static int check_files(const struct config *c)
{
    int code = c->tls_certificate ? check_identity(c->tls_certificate, c->tls_key,
                                                   (const char *const[]){"tls-certificate", "tls-key"})
                                  : EX_OK;
    int anchor_code = check_anchor(c);
    code = code != EX_OK ? code : anchor_code;
    for (size_t i = 0; i < c->listener_n; i++) {
        int listener_code = c->listeners[i].client_ca ? check_client_ca(&c->listeners[i]) : EX_OK;
        code = code != EX_OK ? code : listener_code;
    }
    for (size_t i = 0; i < c->domain_n; i++) {
        int domain_code = c->domains[i].aliases ? check_aliases(c->domains[i].aliases) : EX_OK;
        code = code != EX_OK ? code : domain_code;
    }
    int srs_code = c->srs.domain ? check_srs_file(c->srs.secret_file) : EX_OK;
    code = code != EX_OK ? code : srs_code;
    for (size_t i = 0; i < c->route_n; i++) {
        int route_code = check_route_files(&c->routes[i]);
        code = code != EX_OK ? code : route_code;
    }
    return code;
}

/* --- the command --------------------------------------------------------------------------------- */

static int check_text(const char *path, struct sp_view text)
{
    struct config *c = NULL;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, ERROR_MAX);
    int code = EX_CONFIG;
    if (config_parse(path, text, &error, &c) != SP_OK) {
        fwrite(error.p, 1, error.len, stderr);
    } else {
        code = check_files(c);
        if (code == EX_OK) {
            printf("%s: ok\n", path);
            print_summary(c);
        }
    }
    config_free(c);
    sp_buf_fini(&error);
    return code;
}

static struct cli_option options[] = {
    {.name = "c", .argument = "FILE", .help = "the configuration to look at"},
    {.name = NULL},
};

const struct cli_option *cmd_check_options(void) { return options; }

int cmd_check(int argc, char **argv)
{
    struct cli_operands operands;
    if (!cli_parse("check", argc, argv, options, &operands))
        return EX_USAGE;
    const char *path = cli_value(options, "c");
    if (operands.n > 0 || !path)
        return cli_usage_fault("check", "write the configuration as: sallyport check -c FILE");
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, CONFIG_TEXT_MAX);
    int status = os_file_read(AT_FDCWD, path, &text);
    int code;
    if (status != SP_OK) {
        fprintf(stderr, "%s: cannot be read: %s\n", path,
                status == SP_ERR_LONG ? "it is too long" : strerror(errno));
        code = EX_NOINPUT;
    } else {
        code = check_text(path, sp_buf_view(&text));
    }
    sp_buf_fini(&text);
    return code;
}
