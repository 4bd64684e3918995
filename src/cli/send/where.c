/* Where send goes to, and how it gets there: server, protocol, TLS, PROXY. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/view.h"
#include "cli/send/send.h"

static bool is_loopback(const struct send_plan *p)
{
    return p->path || strcasecmp(p->host, "localhost") == 0 || strncmp(p->host, "127.", 4) == 0 ||
           strcmp(p->host, "::1") == 0;
}

static int parse_server(struct send_plan *p, const char *text)
{
    const char *port;
    int code = cli_host_port("send", text, p->host, &port);
    return !code && port ? cli_port("send", sp_view_of(port), &p->port) : code;
}

static int parse_place(struct send_plan *p, const struct cli_operands *operands)
{
    const char *server = cli_value(send_options, "server"), *port = cli_value(send_options, "port");
    p->path = cli_value(send_options, "socket");
    p->mx = cli_option(send_options, "mx")->given;
    if (p->mx && (server || p->path))
        return cli_usage_fault("send", "--mx, --server and --socket exclude each other");
    if (p->path && server)
        return cli_usage_fault("send", "--socket and --server exclude each other");
    if (p->path && strlen(p->path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return cli_usage_fault("send", "the path of a socket has at most %zu octets",
                               sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
    int code = EX_OK;
    if (p->path || p->mx || (operands->n == 0 && !server)) /* the latter with --dump alone */
        (void)snprintf(p->host, sizeof p->host, "localhost");
    else
        code = parse_server(p, server ? server : operands->words[0]);
    return !code && port ? cli_port("send", sp_view_of(port), &p->port) : code;
}

/* An address, with a port or without. */
static bool parse_address(const char *given, unsigned port, struct os_address *address_out)
{
    char text[80];
    if (os_address_parse(sp_view_of(given), address_out) == SP_OK)
        return true;
    (void)snprintf(text, sizeof text, strchr(given, ':') ? "[%.60s]:%u" : "%.60s:%u", given, port);
    return os_address_parse(sp_view_of(text), address_out) == SP_OK;
}

static int parse_name_server(struct send_plan *p)
{
    const char *given = cli_value(send_options, "name-server");
    p->has_name_server = given && parse_address(given, 53, &p->name_server);
    return !given || p->has_name_server
               ? EX_OK
               : cli_usage_fault("send", "--name-server is ADDRESS or ADDRESS:PORT, not '%s'", given);
}

static int parse_from(struct send_plan *p)
{
    const char *given = cli_value(send_options, "local-interface");
    bool four = cli_option(send_options, "4")->given, six = cli_option(send_options, "6")->given;
    if (four && six)
        return cli_usage_fault("send", "-4 and -6 exclude each other");
    p->family = four ? AF_INET : six ? AF_INET6 : AF_UNSPEC;
    if (!given)
        return EX_OK;
    p->has_from = parse_address(given, 0, &p->from);
    if (p->has_from && !p->family)
        p->family = p->from.as.any.sa_family;
    return p->has_from
               ? EX_OK
               : cli_usage_fault("send", "--local-interface is an address of this machine, not '%s'", given);
}

/* "esmtp", and as RFC 3848 names them: s for TLS, a for AUTH; "ssmtp" is TLS from the first octet. */
static int parse_protocol(struct send_plan *p)
{
    static const struct {
        const char *name;
        enum sp_client_protocol protocol;
    } names[] = {{"esmtp", SP_CLIENT_ESMTP}, {"smtp", SP_CLIENT_SMTP}, {"lmtp", SP_CLIENT_LMTP}};
    const char *given = cli_value(send_options, "protocol"), *behind = NULL;
    bool implicit = given && strncasecmp(given, "ssmtp", 5) == 0;
    for (size_t i = 0; given && i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i].name);
        if (strncasecmp(given, names[i].name, n) != 0)
            continue;
        p->protocol = names[i].protocol;
        behind = given + n;
    }
    if (implicit)
        behind = given + 5;
    bool tls = behind && strncasecmp(behind, "s", 1) == 0 && !implicit;
    bool auth = behind && strcasecmp(behind + tls, "a") == 0;
    if (given && (!behind || behind[tls + auth] || (p->protocol == SP_CLIENT_SMTP && !implicit && *behind)))
        return cli_usage_fault("send", "--protocol is esmtp, smtp or lmtp, esmtps, esmtpsa, ..., not '%s'",
                               given);
    if (auth && !p->auth)
        return cli_usage_fault("send", "--protocol %s goes with --auth USER", given);
    p->tls = implicit ? SEND_TLS_IMPLICIT : tls ? SEND_TLS_STARTTLS : SEND_TLS_AUTO;
    return EX_OK;
}

static int parse_hello(struct send_plan *p)
{
    const char *given = cli_value(send_options, "helo");
    if (!given)
        given = cli_value(send_options, "ehlo");
    if (given && (strlen(given) >= sizeof p->hello || given[0] == '\0' || given[strcspn(given, " \t\r\n")]))
        return cli_usage_fault("send", "'%s' cannot stand in EHLO: one word is wanted", given);
    if (given)
        (void)snprintf(p->hello, sizeof p->hello, "%s", given);
    else if (gethostname(p->hello, sizeof p->hello - 1) != 0 || p->hello[0] == '\0')
        (void)snprintf(p->hello, sizeof p->hello, "localhost");
    return EX_OK;
}

/* --- TLS -------------------------------------------------------------------------------------- */

static int parse_tls_mode(struct send_plan *p)
{
    static const char *const names[] = {
        [SEND_TLS_AUTO] = "auto",
        [SEND_TLS_OFF] = "off",
        [SEND_TLS_STARTTLS] = "starttls",
        [SEND_TLS_IMPLICIT] = "implicit",
    };
    const char *given = cli_value(send_options, "tls");
    bool optional = cli_option(send_options, "tls-optional")->given;
    bool on_connect = cli_option(send_options, "tls-on-connect")->given;
    if ((given || optional || on_connect) && p->tls != SEND_TLS_AUTO)
        return cli_usage_fault("send", "--protocol says how TLS is used already: no --tls beside it");
    if ((given != NULL) + optional + on_connect > 1)
        return cli_usage_fault("send", "--tls, --tls-optional and --tls-on-connect exclude each other");
    if (on_connect)
        p->tls = SEND_TLS_IMPLICIT;
    for (size_t i = 0; given && i < sizeof names / sizeof *names; i++) {
        if (strcmp(given, names[i]) != 0)
            continue;
        p->tls = (enum send_tls)i;
        given = NULL;
    }
    if (given)
        return cli_usage_fault("send", "--tls is auto, off, starttls or implicit, not '%s'", given);
    if (p->protocol == SP_CLIENT_SMTP && p->tls == SEND_TLS_STARTTLS)
        return cli_usage_fault("send", "STARTTLS is an extension: not with --protocol smtp");
    return EX_OK;
}

static int parse_tls(struct send_plan *p)
{
    bool insecure = cli_option(send_options, "insecure")->given,
         verify = cli_option(send_options, "verify")->given;
    int code = parse_tls_mode(p);
    if (code)
        return code;
    if (p->port == 0)
        p->port = p->protocol == SP_CLIENT_LMTP ? 24 : p->tls == SEND_TLS_IMPLICIT ? 465 : p->auth ? 587 : 25;
    if (p->tls == SEND_TLS_AUTO && p->port == 465)
        p->tls = SEND_TLS_IMPLICIT;
    if (insecure && verify)
        return cli_usage_fault("send", "--verify and --insecure contradict each other");
    p->ca_file = cli_value(send_options, "ca-file");
    p->server_name = cli_value(send_options, "sni");
    p->tls_settings = (struct os_tls_settings){
        .min_version = cli_value(send_options, "tls-min"),
        .max_version = cli_value(send_options, "tls-max"),
        .ciphers = cli_value(send_options, "ciphers"),
    };
    p->verify = verify || (p->auth && !insecure && !is_loopback(p));
    p->auth_in_clear = insecure || is_loopback(p);
    return EX_OK;
}

/* --- PROXY ------------------------------------------------------------------------------------- */

static void add_port(struct sp_buf *b, const struct os_address *a)
{
    uint16_t port = os_address_port(a);
    sp_buf_add_u8(b, (uint8_t)(port >> 8));
    sp_buf_add_u8(b, (uint8_t)port);
}

static struct sp_view octets_of(const struct os_address *a)
{
    bool v4 = a->as.any.sa_family == AF_INET;
    return v4 ? sp_view_make(&a->as.v4.sin_addr, 4) : sp_view_make(&a->as.v6.sin6_addr, 16);
}

/* The text form: "PROXY TCP4 192.0.2.1 127.0.0.1 4711 25". */
static void add_v1(struct sp_buf *b, const struct os_address *from, const struct os_address *to)
{
    char text[OS_ADDRESS_TEXT];
    if (!from) {
        sp_buf_add_str(b, "PROXY UNKNOWN\r\n");
        return;
    }
    sp_buf_add_str(b, from->as.any.sa_family == AF_INET ? "PROXY TCP4 " : "PROXY TCP6 ");
    os_address_host(from, text);
    sp_buf_add_str(b, text);
    sp_buf_add_u8(b, ' ');
    os_address_host(to, text);
    sp_buf_add_str(b, text);
    sp_buf_add_u8(b, ' ');
    sp_buf_add_dec(b, os_address_port(from));
    sp_buf_add_u8(b, ' ');
    sp_buf_add_dec(b, os_address_port(to));
    sp_buf_add_str(b, "\r\n");
}

/* The binary form: a signature, version and command, family and transport, length, addresses and ports. */
static void add_v2(struct sp_buf *b, const struct os_address *from, const struct os_address *to)
{
    bool v4 = from && from->as.any.sa_family == AF_INET;
    sp_buf_add(b, SP_LIT("\r\n\r\n\0\r\nQUIT\n"));
    sp_buf_add_u8(b, from ? 0x21 : 0x20);
    sp_buf_add_u8(b, !from ? 0 : v4 ? 0x11 : 0x21);
    sp_buf_add_u8(b, 0);
    sp_buf_add_u8(b, !from ? 0 : v4 ? 12 : 36);
    if (!from)
        return;
    sp_buf_add(b, octets_of(from));
    sp_buf_add(b, octets_of(to));
    add_port(b, from);
    add_port(b, to);
}

static int parse_proxy(struct send_plan *p)
{
    const char *version = cli_value(send_options, "proxy"),
               *from_text = cli_value(send_options, "proxy-from"),
               *to_text = cli_value(send_options, "proxy-to");
    struct os_address from, to;
    char loopback[40];
    if (!version)
        return from_text || to_text
                   ? cli_usage_fault("send", "--proxy-from and --proxy-to go with --proxy v1 or v2")
                   : EX_OK;
    if (strcmp(version, "v1") != 0 && strcmp(version, "v2") != 0)
        return cli_usage_fault("send", "--proxy is v1 or v2, not '%s'", version);
    if (from_text && os_address_parse(sp_view_of(from_text), &from))
        return cli_usage_fault("send", "--proxy-from is ADDRESS:PORT or [IPv6]:PORT, not '%s'", from_text);
    if (from_text && !to_text) {
        (void)snprintf(loopback, sizeof loopback, "%s:%u",
                       from.as.any.sa_family == AF_INET ? "127.0.0.1" : "[::1]", p->port);
        to_text = loopback;
    }
    if (to_text && os_address_parse(sp_view_of(to_text), &to))
        return cli_usage_fault("send", "--proxy-to is ADDRESS:PORT or [IPv6]:PORT, not '%s'", to_text);
    if (from_text && from.as.any.sa_family != to.as.any.sa_family)
        return cli_usage_fault("send", "--proxy-from and --proxy-to are of one family, IPv4 or IPv6");
    if (strcmp(version, "v1") == 0)
        add_v1(&p->preamble, from_text ? &from : NULL, &to);
    else
        add_v2(&p->preamble, from_text ? &from : NULL, &to);
    return EX_OK;
}

int send_parse_where(struct send_plan *p, const struct cli_operands *operands)
{
    uint64_t seconds = 30;
    int code = parse_place(p, operands);
    if (!code)
        code = parse_name_server(p);
    if (!code)
        code = parse_from(p);
    if (!code)
        code = parse_protocol(p);
    if (!code)
        code = parse_hello(p);
    if (!code)
        code = parse_tls(p);
    if (!code)
        code = parse_proxy(p);
    if (!code)
        code = send_number("timeout", "seconds", 86400, &seconds);
    p->timeout_ms = (uint32_t)seconds * 1000;
    p->xclient = sp_view_of(cli_value(send_options, "xclient"));
    for (size_t i = 0; !code && i < p->xclient.len; i++)
        if (p->xclient.p[i] < ' ' || p->xclient.p[i] > '~')
            code =
                cli_usage_fault("send", "--xclient is printable ASCII: 'ADDR=192.0.2.1 NAME=client.example'");
    return code;
}
