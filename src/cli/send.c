/* sallyport send: the command line. */
#include "cli/send.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/view.h"
#include "cli/catalogue.h"
#include "cli/commands.h"
#include "cli/secret.h"
#include "os/heap.h"

/* clang-format off */
static struct cli_option options[] = {
    {.name = "to", .argument = "ADDRESS", .help = "a recipient; several with commas", .repeat = true},
    {.name = "from", .argument = "ADDRESS", .help = "the sender; default you at this host; '<>' is the null sender"},
    {.name = "subject", .argument = "TEXT", .help = "of a message that has no header of its own"},
    {.name = "body", .argument = "TEXT", .help = "instead of FILE"},
    {.name = "header", .argument = "LINE", .help = "one more header field, 'Name: value'", .repeat = true},
    {.name = "auth", .argument = "USER[:PASSWORD]", .help = "log in; without PASSWORD it comes from the options below, SALLYPORT_PASSWORD, or is asked for"},
    {.name = "password-file", .argument = "FILE", .help = "the password is its first line"},
    {.name = "token-file", .argument = "FILE", .help = "log in by the bearer token in its first line: OAUTHBEARER, XOAUTH2"},
    {.name = "mechanism", .argument = "NAME", .help = "of AUTH: SCRAM-SHA-256, PLAIN, ...; default the strongest that is offered"},
    {.name = "min-mechanism", .argument = "NAME", .help = "none weaker than this when one fails and the next is tried"},
    {.name = "tls", .argument = "auto|off|starttls|implicit", .help = "auto: implicit on port 465, else STARTTLS when it is offered"},
    {.name = "verify", .help = "send nothing unless the certificate is valid; the rule with --auth, except to this machine"},
    {.name = "insecure", .help = "log in even without a valid certificate, or without TLS"},
    {.name = "ca-file", .argument = "FILE", .help = "authorities to trust (PEM) instead of the system's"},
    {.name = "cert", .argument = "FILE", .help = "a certificate to show in TLS (PEM), and to log in with by EXTERNAL"},
    {.name = "key", .argument = "FILE", .help = "its private key (PEM); default the same file"},
    {.name = "helo", .argument = "NAME", .help = "our name in EHLO; default this host's"},
    {.name = "pipeline", .help = "send commands in groups where the server allows it; default one by one"},
    {.name = "timeout", .argument = "SECONDS", .help = "for each answer; default 30"},
    {.name = "lang", .argument = "en|vi", .help = "the language of the explanations"},
    {.name = "json", .help = "print the conversation and the result as one JSON object"},
    {.name = NULL},
};
/* clang-format on */

const struct cli_option *cmd_send_options(void) { return options; }

/* --- where to ------------------------------------------------------------------------------ */

static bool is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static bool parse_port(const char *text, uint16_t *port_out)
{
    uint64_t port = 0;
    if (sp_view_u64(sp_view_of(text), 65535, &port) || port == 0)
        return false;
    *port_out = (uint16_t)port;
    return true;
}

/* HOST, HOST:PORT, [IPv6]:PORT, or a bare IPv6 address. */
static int parse_server(struct send_plan *p, const char *text)
{
    const char *host = text, *port = NULL;
    size_t len = strlen(text);
    if (text[0] == '[') {
        host = text + 1;
        len = strcspn(host, "]");
        const char *behind = host + len;
        port = *behind && behind[1] == ':' ? behind + 2 : NULL;
        if (!*behind || (behind[1] && !port))
            return cli_usage_fault("send", "'%s' is no address: [IPv6]:PORT is wanted", text);
    } else if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':')) {
        len = strcspn(text, ":");
        port = text + len + 1;
    }
    if (len == 0 || len >= sizeof p->host)
        return cli_usage_fault("send", "'%s' names no host: HOST, HOST:PORT or [IPv6]:PORT is wanted", text);
    memcpy(p->host, host, len);
    p->host[len] = '\0';
    if (port && !parse_port(port, &p->port))
        return cli_usage_fault("send", "'%s' is no port: a number from 1 to 65535 is wanted", port);
    return EX_OK;
}

static int parse_tls(struct send_plan *p)
{
    static const char *const names[] = {
        [SEND_TLS_AUTO] = "auto",
        [SEND_TLS_OFF] = "off",
        [SEND_TLS_STARTTLS] = "starttls",
        [SEND_TLS_IMPLICIT] = "implicit",
    };
    const char *given = cli_value(options, "tls");
    for (size_t i = 0; given && i < sizeof names / sizeof *names; i++) {
        if (strcmp(given, names[i]) != 0)
            continue;
        p->tls = (enum send_tls)i;
        given = NULL;
    }
    if (given)
        return cli_usage_fault("send", "--tls is auto, off, starttls or implicit, not '%s'", given);
    if (p->port == 0)
        p->port = p->tls == SEND_TLS_IMPLICIT ? 465 : p->auth ? 587 : 25;
    if (p->tls == SEND_TLS_AUTO && p->port == 465)
        p->tls = SEND_TLS_IMPLICIT;
    bool insecure = cli_option(options, "insecure")->given, verify = cli_option(options, "verify")->given;
    if (insecure && verify)
        return cli_usage_fault("send", "--verify and --insecure contradict each other");
    p->ca_file = cli_value(options, "ca-file");
    p->verify = verify || (p->auth && !insecure && !is_loopback(p->host));
    p->auth_in_clear = insecure || is_loopback(p->host);
    return EX_OK;
}

/* --- who ----------------------------------------------------------------------------------- */

/* Without spaces around it and without <>. */
static struct sp_view bare_address(struct sp_view v)
{
    v = sp_view_trim(v);
    if (v.len >= 2 && v.p[0] == '<' && v.p[v.len - 1] == '>')
        v = sp_view_sub(v, 1, v.len - 2);
    return v;
}

/* The end of an address in a list: a comma outside quotes. */
static size_t find_comma(struct sp_view v)
{
    bool quoted = false;
    for (size_t i = 0; i < v.len; i++) {
        if (quoted && v.p[i] == '\\')
            i++;
        else if (v.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && v.p[i] == ',')
            return i;
    }
    return v.len;
}

static int parse_recipients(struct send_plan *p)
{
    const struct cli_option *to = cli_option(options, "to");
    for (size_t i = 0; i < to->n; i++) {
        struct sp_view rest = sp_view_of(to->values[i]);
        while (rest.len > 0) {
            size_t end = find_comma(rest);
            struct sp_view one = bare_address(sp_view_sub(rest, 0, end));
            rest = sp_view_from(rest, end + 1);
            if (one.len == 0)
                continue;
            if (p->recipient_n == SEND_RECIPIENTS_MAX)
                return cli_usage_fault("send", "more than %d recipients", SEND_RECIPIENTS_MAX);
            p->recipients[p->recipient_n++] = one;
        }
    }
    return p->recipient_n > 0 ? EX_OK : cli_usage_fault("send", "who is it for? --to ADDRESS is needed");
}

static void parse_sender(struct send_plan *p)
{
    const char *from = cli_value(options, "from");
    if (from) {
        p->sender = bare_address(sp_view_of(from));
        return;
    }
    const struct passwd *me = getpwuid(geteuid());
    (void)snprintf(p->default_sender, sizeof p->default_sender, "%.63s@%.250s", me ? me->pw_name : "nobody",
                   p->hello);
    p->sender = sp_view_of(p->default_sender);
}

static int parse_hello(struct send_plan *p)
{
    const char *given = cli_value(options, "helo");
    if (given && (strlen(given) >= sizeof p->hello || given[0] == '\0' || given[strcspn(given, " \t\r\n")]))
        return cli_usage_fault("send", "'%s' cannot stand in EHLO: one word is wanted", given);
    if (given)
        (void)snprintf(p->hello, sizeof p->hello, "%s", given);
    else if (gethostname(p->hello, sizeof p->hello - 1) != 0 || p->hello[0] == '\0')
        (void)snprintf(p->hello, sizeof p->hello, "localhost");
    return EX_OK;
}

/* --- the password ---------------------------------------------------------------------------- */

/* What stands on a command line is seen by all who list processes; at least not for long. */
static void blot_out(const char *argument)
{
    volatile char *p = (char *)(uintptr_t)argument;
    while (*p)
        *p++ = 'x';
}

static int keep_password(struct send_plan *p, const char *text)
{
    sp_buf_init(&p->password, &os_heap, CLI_SECRET_MAX);
    (void)sp_buf_reserve(&p->password, strlen(text)); /* failure sticks */
    if (sp_buf_add_str(&p->password, text))
        return cli_fault("send", EX_DATAERR, "the password is longer than %d octets", CLI_SECRET_MAX);
    return EX_OK;
}

/* The certificate says who it is: a user's name may be left out. */
static bool wants_external(const struct send_plan *p)
{
    return p->mechanism && strcasecmp(p->mechanism, "EXTERNAL") == 0;
}

static int obtain_password(struct send_plan *p, const char *given)
{
    const char *file = cli_value(options, p->token ? "token-file" : "password-file");
    char *environment = getenv("SALLYPORT_PASSWORD");
    char prompt[400];
    if (given) {
        int code = keep_password(p, given);
        blot_out(given);
        return code;
    }
    if (file)
        return cli_read_password_file("send", file, &p->password);
    if (p->cert_file && (!environment || wants_external(p)))
        return EX_OK; /* there is another way to log in */
    if (environment)
        return keep_password(p, environment);
    (void)snprintf(prompt, sizeof prompt,
                   "Password of %.*s at %.255s: ", (int)(p->user.len > 100 ? 100 : p->user.len),
                   (const char *)p->user.p, p->host);
    return cli_ask_password("send", prompt, &p->password);
}

static int parse_certificate(struct send_plan *p)
{
    const char *key = cli_value(options, "key");
    p->cert_file = cli_value(options, "cert");
    p->key_file = key ? key : p->cert_file;
    if (key && !p->cert_file)
        return cli_usage_fault("send", "--key goes with --cert FILE");
    if (p->cert_file && p->tls == SEND_TLS_OFF)
        return cli_usage_fault("send", "--cert is shown in TLS, and --tls is off");
    if (wants_external(p) && !p->cert_file)
        return cli_usage_fault("send",
                               "EXTERNAL logs in by a certificate: --cert FILE, and --key FILE, are needed");
    if (wants_external(p) && (cli_option(options, "password-file")->given || p->token))
        return cli_usage_fault("send", "EXTERNAL takes neither a password nor a token");
    return EX_OK;
}

static int parse_auth(struct send_plan *p)
{
    const char *auth = cli_value(options, "auth");
    bool password = cli_option(options, "password-file")->given;
    p->mechanism = cli_value(options, "mechanism");
    p->floor = cli_value(options, "min-mechanism");
    p->token = cli_option(options, "token-file")->given;
    if (p->floor && !sasl_client_knows(sp_view_of(p->floor)))
        return cli_usage_fault("send", "--min-mechanism: '%s' is not a mechanism of this client", p->floor);
    if (!auth && ((p->mechanism && !wants_external(p)) || password || p->token))
        return cli_usage_fault("send", "--mechanism, --password-file and --token-file go with --auth USER");
    p->auth = auth || wants_external(p);
    if (!auth)
        return EX_OK;
    if (p->token && (password || strchr(auth, ':')))
        return cli_usage_fault("send", "--token-file and a password exclude each other");
    size_t len = strcspn(auth, ":");
    if (sp_buf_add(&p->user, sp_view_make(auth, len)) || len == 0)
        return cli_usage_fault("send", "--auth needs a user name of at most 1,024 octets");
    return EX_OK;
}

/* --- the rest ------------------------------------------------------------------------------ */

static int parse_message(struct send_plan *p, const struct cli_operands *operands)
{
    const struct cli_option *header = cli_option(options, "header");
    p->file = operands->n > 1 ? operands->words[1] : NULL;
    p->subject = cli_value(options, "subject");
    p->body = cli_value(options, "body");
    if (p->file && p->body)
        return cli_usage_fault("send", "the message is either --body or FILE, not both");
    for (size_t i = 0; i < header->n; i++) {
        const char *h = header->values[i];
        size_t name = strcspn(h, ": \t\r\n");
        if (name == 0 || h[name] != ':' || strchr(h, '\n') || strchr(h, '\r'))
            return cli_usage_fault("send", "--header is one line 'Name: value', not '%s'", h);
        p->headers[p->header_n++] = h;
    }
    return EX_OK;
}

static int parse_timeout(struct send_plan *p)
{
    const char *given = cli_value(options, "timeout");
    uint64_t seconds = 30;
    if (given && (sp_view_u64(sp_view_of(given), 86400, &seconds) || seconds == 0))
        return cli_usage_fault("send", "--timeout is a number of seconds from 1 to 86400, not '%s'", given);
    p->timeout_ms = (uint32_t)seconds * 1000;
    return EX_OK;
}

static int parse(struct send_plan *p, const struct cli_operands *operands)
{
    if (operands->n == 0)
        return cli_usage_fault("send", "which server? HOST[:PORT] is needed");
    if (operands->n > 2)
        return cli_usage_fault("send", "one server and one FILE at most, not '%s' as well",
                               operands->words[2]);
    int code = parse_server(p, operands->words[0]);
    if (!code)
        code = parse_hello(p);
    if (!code)
        code = parse_recipients(p);
    if (!code)
        code = parse_auth(p);
    if (!code)
        code = parse_tls(p);
    if (!code)
        code = parse_certificate(p);
    if (!code)
        code = parse_message(p, operands);
    if (!code)
        code = parse_timeout(p);
    if (!code)
        parse_sender(p);
    return code;
}

static int send_planned(struct send_plan *p)
{
    struct sp_buf message;
    const char *auth = cli_value(options, "auth"), *password = auth ? strchr(auth, ':') : NULL;
    sp_buf_init(&message, &os_heap, SIZE_MAX / 4);
    int code = p->auth ? obtain_password(p, password ? password + 1 : NULL) : EX_OK;
    if (!code)
        code = send_message_make(p, &message);
    if (!code)
        code = send_run(p, sp_buf_view(&message));
    sp_buf_fini(&message);
    return code;
}

int cmd_send(int argc, char **argv)
{
    struct cli_operands operands;
    struct send_plan *p = os_new(sizeof *p);
    sp_buf_init(&p->user, &os_heap, 1024);
    sp_buf_init(&p->password, &os_heap, CLI_SECRET_MAX);
    int code = EX_USAGE;
    if (cli_parse("send", argc, argv, options, &operands) && cli_lang("send", options, &p->lang)) {
        p->json = cli_option(options, "json")->given;
        p->pipeline = cli_option(options, "pipeline")->given;
        code = parse(p, &operands);
        if (!code)
            code = send_planned(p);
    }
    sp_buf_fini(&p->user);
    sp_buf_fini_secret(&p->password);
    free(p);
    return code;
}
