/* Who send logs in as. A secret comes from a prompt, a file, standard input or the environment; the command
 * line is the last resort. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/secret.h"
#include "cli/send/send.h"
#include "os/heap.h"

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

int send_obtain_password(struct send_plan *p, const char *given)
{
    const char *file = cli_value(send_options, p->token ? "token-file" : "password-file");
    char *environment = getenv("SALLYPORT_PASSWORD");
    char prompt[400];
    if (given) {
        int code = keep_password(p, given);
        blot_out(given);
        return code;
    }
    if (file)
        return cli_read_password_file("send", strcmp(file, "-") == 0 ? "/dev/stdin" : file, &p->password);
    if (p->cert_file && (!environment || wants_external(p)))
        return EX_OK; /* there is another way to log in */
    if (environment)
        return keep_password(p, environment);
    (void)snprintf(prompt, sizeof prompt,
                   "Password of %.*s at %.255s: ", (int)(p->user.len > 100 ? 100 : p->user.len),
                   (const char *)p->user.p, p->host);
    return cli_ask_password("send", prompt, &p->password);
}

int send_parse_certificate(struct send_plan *p)
{
    const char *key = cli_value(send_options, "key");
    p->cert_file = cli_value(send_options, "cert");
    p->key_file = key ? key : p->cert_file;
    if (key && !p->cert_file)
        return cli_usage_fault("send", "--key goes with --cert FILE");
    if (p->cert_file && p->tls == SEND_TLS_OFF)
        return cli_usage_fault("send", "--cert is shown in TLS, and --tls is off");
    if (wants_external(p) && !p->cert_file)
        return cli_usage_fault("send",
                               "EXTERNAL logs in by a certificate: --cert FILE, and --key FILE, are needed");
    if (wants_external(p) && (cli_option(send_options, "password-file")->given || p->token))
        return cli_usage_fault("send", "EXTERNAL takes neither a password nor a token");
    return EX_OK;
}

int send_parse_auth(struct send_plan *p)
{
    const char *auth = cli_value(send_options, "auth");
    bool password = cli_option(send_options, "password-file")->given;
    p->mechanism = cli_value(send_options, "mechanism");
    p->floor = cli_value(send_options, "min-mechanism");
    p->token = cli_option(send_options, "token-file")->given;
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
