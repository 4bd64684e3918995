/* From what was asked for to what the client is told. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/send/send.h"
#include "os/file.h"
#include "os/heap.h"

enum { PEM_MAX = 1 << 20 };

/* What a reply, or its absence, means to a script. */
int send_code_of(const struct client_verdict *v)
{
    switch (v->code) {
    case 530:
    case 534:
    case 535:
    case 538:
        return EX_NOPERM;
    case 0:
        break;
    default:
        if (v->code / 100 == 4)
            return EX_TEMPFAIL;
        if (v->code / 100 == 5 && strcmp(v->phase, "RCPT") == 0 && v->enhanced.len >= 4 &&
            memcmp(v->enhanced.p, "5.1.", 4) == 0)
            return EX_NOUSER;
        return v->code / 100 == 5 ? EX_UNAVAILABLE : EX_PROTOCOL;
    }
    if (v->fate == SP_CLIENT_NONE)
        return EX_OK;
    if (v->fate == SP_CLIENT_BOUNCE)
        return strcmp(v->phase, "CONNECT") == 0 ? EX_NOHOST : EX_DATAERR;
    if (strcmp(v->phase, "AUTH") == 0 || strcmp(v->phase, "HANDSHAKE") == 0 || strcmp(v->phase, "EHLO") == 0)
        return EX_NOPERM;
    return EX_TEMPFAIL;
}

static struct sp_client_timeouts timeouts_of(uint32_t ms)
{
    return (struct sp_client_timeouts){.greeting_ms = ms,
                                       .command_ms = ms,
                                       .data_ms = ms,
                                       .block_ms = ms,
                                       .end_ms = ms * 4,
                                       .tls_ms = ms,
                                       .quit_ms = ms < 5000 ? ms : 5000};
}

/*
 * A password, or a wish to verify, is no matter for luck: TLS or nothing, where clear is not allowed. A stage
 * says whether TLS is wanted at all.
 */
static enum sp_client_tls policy_of(const struct send_plan *p)
{
    if (p->tls == SEND_TLS_OFF || p->tls == SEND_TLS_IMPLICIT || p->until == SEND_STAGE_EHLO)
        return SP_CLIENT_TLS_OFF;
    if (p->tls == SEND_TLS_STARTTLS || p->verify || p->until == SEND_STAGE_TLS)
        return SP_CLIENT_TLS_REQUIRED;
    return SP_CLIENT_TLS_OPPORTUNISTIC;
}

static bool logs_in(const struct send_plan *p)
{
    return p->auth && (p->until == SEND_STAGE_NONE || p->until >= SEND_STAGE_AUTH);
}

static void plan_client(const struct send_plan *p, struct send_setup *s)
{
    s->credentials = (struct sasl_credentials){.user = sp_buf_view(&p->user),
                                               .password = sp_buf_view(&p->password),
                                               .token = p->token,
                                               .certificate = p->cert_file != NULL};
    s->options = (struct client_options){
        .host = p->host,
        .port = p->port,
        .path = p->path,
        .family = p->family,
        .from = p->has_from ? &p->from : NULL,
        .server_name = p->server_name,
        .preamble = sp_buf_view(&p->preamble),
        .xclient = p->xclient,
        .implicit_tls = p->tls == SEND_TLS_IMPLICIT,
        .credentials = logs_in(p) ? &s->credentials : NULL,
        .mechanism = sp_view_of(p->mechanism),
        .floor = sp_view_of(p->floor),
        .connect_ms = p->timeout_ms,
        .convert = true,
        .session =
            {
                .hello = sp_view_of(p->hello),
                .tls = policy_of(p),
                .protocol = p->protocol,
                .timeouts = timeouts_of(p->timeout_ms),
                .auth_in_clear = p->auth_in_clear,
                .transcript = true,
                .lock_step = !p->pipeline,
                .lf_replies = true,
                .greeting_only = p->until == SEND_STAGE_BANNER && !p->drop,
                .no_hello = p->until == SEND_STAGE_BANNER && p->drop,
            },
    };
}

static int read_pem(const char *path, struct sp_buf *out)
{
    int status = os_file_read(AT_FDCWD, path, out);
    return status == SP_OK ? EX_OK
                           : cli_fault("send", EX_NOINPUT, "%s cannot be read: %s", path,
                                       status == SP_ERR_LONG ? "it is too long" : strerror(errno));
}

static int show_certificate(const struct send_plan *p, struct send_setup *s)
{
    struct sp_buf certificates, key, error;
    sp_buf_init(&certificates, &os_heap, PEM_MAX);
    sp_buf_init(&key, &os_heap_secret, PEM_MAX);
    sp_buf_init(&error, &os_heap, 4096);
    int code = read_pem(p->cert_file, &certificates);
    if (!code)
        code = read_pem(p->key_file, &key);
    if (!code && os_tls_client_present(s->options.tls, sp_buf_view(&certificates), sp_buf_view(&key), &error))
        code = cli_fault("send", EX_DATAERR, "%s cannot be shown: %.*s", p->cert_file, (int)error.len,
                         (const char *)error.p);
    sp_buf_fini(&certificates);
    sp_buf_fini_secret(&key);
    sp_buf_fini(&error);
    return code;
}

int send_setup(const struct send_plan *p, struct send_setup *s)
{
    struct sp_buf error;
    int code = EX_OK;
    *s = (struct send_setup){0};
    plan_client(p, s);
    sp_buf_init(&error, &os_heap, 4096);
    s->base = os_loop_new();
    s->dns = send_open_dns(p, s->base, &error);
    if (!s->dns)
        code = cli_fault("send", EX_OSERR, "%.*s", (int)error.len, (const char *)error.p);
    bool tls = p->tls != SEND_TLS_OFF;
    if (!code && tls)
        s->options.tls = os_tls_client_new(p->verify ? OS_TLS_VERIFIED : OS_TLS_ANY, p->ca_file, &error);
    if (!code && tls && (!s->options.tls || os_tls_set(s->options.tls, &p->tls_settings, &error)))
        code = cli_fault("send", EX_NOINPUT, "%.*s", (int)error.len, (const char *)error.p);
    sp_buf_fini(&error);
    if (!code && tls && p->cert_file)
        code = show_certificate(p, s);
    return code;
}

void send_setdown(struct send_setup *s)
{
    dns_free(s->dns);
    if (s->options.tls)
        os_tls_unref(s->options.tls);
    event_base_free(s->base);
}
