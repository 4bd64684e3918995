/* One client, one mail, one exit code. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/options.h"
#include "cli/send.h"
#include "os/heap.h"
#include "roles/supervisor/file.h"

enum { PEM_MAX = 1 << 20 };

struct run {
    const struct send_plan *plan;
    struct sp_view message;
    struct send_show *show;
    struct event_base *base;
    struct dns *dns;
    struct client *client;
    struct client_options options;
    struct sasl_credentials credentials;
    struct sp_client_mail mail;
    bool given, shown; /* the mail; its content */
    int code;
};

/* --- exit codes ---------------------------------------------------------------------------- */

/* What a reply, or its absence, means to a script. */
static int code_of(const struct client_verdict *v)
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
    if (v->fate == SP_CLIENT_BOUNCE)
        return strcmp(v->phase, "CONNECT") == 0 ? EX_NOHOST : EX_DATAERR;
    if (strcmp(v->phase, "AUTH") == 0 || strcmp(v->phase, "HANDSHAKE") == 0 || strcmp(v->phase, "EHLO") == 0)
        return EX_NOPERM;
    return EX_TEMPFAIL;
}

/* A refusal for good outweighs one for now; either outweighs success. */
static void note_code(struct run *r, int code)
{
    if (code != EX_OK && (r->code == EX_OK || r->code == EX_TEMPFAIL))
        r->code = code;
}

/* --- the client's voice ---------------------------------------------------------------------- */

static void on_ready(void *ctx)
{
    struct run *r = ctx;
    if (r->given)
        client_quit(r->client);
    else
        client_mail(r->client, &r->mail);
    r->given = true;
}

static int on_content(void *ctx, uint64_t offset, struct sp_view *piece_out)
{
    struct run *r = ctx;
    if (!r->shown)
        send_show_content(r->show, r->message);
    r->shown = true;
    *piece_out = sp_view_from(r->message, (size_t)offset);
    return SP_OK;
}

static void on_outcome(void *ctx, size_t recipient, const struct client_verdict *v)
{
    struct run *r = ctx;
    note_code(r, v->fate == SP_CLIENT_DELIVERED ? EX_OK : code_of(v));
    send_show_outcome(r->show, r->plan->recipients[recipient], v);
}

static void on_done(void *ctx) { (void)ctx; }

static void on_ended(void *ctx, const struct client_verdict *v)
{
    struct run *r = ctx;
    if (!r->given)
        r->code = code_of(v);
    send_show_end(r->show, r->given ? NULL : v, r->code);
    client_free(r->client);
    r->client = NULL;
    dns_free(r->dns);
    r->dns = NULL;
}

static void on_note(void *ctx, const struct client_note *n)
{
    struct run *r = ctx;
    send_show_note(r->show, n);
}

static const struct client_handlers handlers = {on_ready, on_content, on_outcome, on_done, on_ended, on_note};

/* --- making it ----------------------------------------------------------------------------- */

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

static enum sp_client_tls policy_of(enum send_tls tls)
{
    return tls == SEND_TLS_STARTTLS ? SP_CLIENT_TLS_REQUIRED
           : tls == SEND_TLS_AUTO   ? SP_CLIENT_TLS_OPPORTUNISTIC
                                    : SP_CLIENT_TLS_OFF;
}

static bool has_eight_bit(struct sp_view v)
{
    uint8_t any = 0;
    for (size_t i = 0; i < v.len; i++)
        any |= v.p[i];
    return any & 0x80;
}

static void plan_client(struct run *r)
{
    const struct send_plan *p = r->plan;
    r->credentials = (struct sasl_credentials){.user = sp_buf_view(&p->user),
                                               .password = sp_buf_view(&p->password),
                                               .token = p->token,
                                               .certificate = p->cert_file != NULL};
    r->options.host = p->host;
    r->options.port = p->port;
    r->options.implicit_tls = p->tls == SEND_TLS_IMPLICIT;
    r->options.credentials = p->auth ? &r->credentials : NULL;
    r->options.mechanism = sp_view_of(p->mechanism);
    r->options.floor = sp_view_of(p->floor);
    r->options.connect_ms = p->timeout_ms;
    r->options.session = (struct sp_client_options){
        .hello = sp_view_of(p->hello),
        /* A password, or a wish to verify, is no matter for luck: TLS or nothing, where clear is not allowed.
         */
        .tls = p->tls == SEND_TLS_AUTO && p->verify ? SP_CLIENT_TLS_REQUIRED : policy_of(p->tls),
        .timeouts = timeouts_of(p->timeout_ms),
        .auth_in_clear = p->auth_in_clear,
        .transcript = true,
        .lock_step = !p->pipeline,
        .lf_replies = true,
    };
    r->mail = (struct sp_client_mail){.sender = p->sender,
                                      .recipients = p->recipients,
                                      .recipient_n = p->recipient_n,
                                      .size = r->message.len,
                                      .eight_bit = has_eight_bit(r->message),
                                      .send_eight_bit = true};
}

static int read_pem(const char *path, struct sp_buf *out)
{
    int status = file_read(AT_FDCWD, path, out);
    return status == SP_OK ? EX_OK
                           : cli_fault("send", EX_NOINPUT, "%s cannot be read: %s", path,
                                       status == SP_ERR_LONG ? "it is too long" : strerror(errno));
}

static int show_certificate(struct run *r)
{
    const struct send_plan *p = r->plan;
    struct sp_buf certificates, key, error;
    sp_buf_init(&certificates, &os_heap, PEM_MAX);
    sp_buf_init(&key, &os_heap, PEM_MAX);
    sp_buf_init(&error, &os_heap, 4096);
    int code = read_pem(p->cert_file, &certificates);
    if (!code)
        code = read_pem(p->key_file, &key);
    if (!code && os_tls_client_present(r->options.tls, sp_buf_view(&certificates), sp_buf_view(&key), &error))
        code = cli_fault("send", EX_DATAERR, "%s cannot be shown: %.*s", p->cert_file, (int)error.len,
                         (const char *)error.p);
    sp_buf_fini(&certificates);
    sp_buf_fini_secret(&key);
    sp_buf_fini(&error);
    return code;
}

static int open_all(struct run *r)
{
    struct sp_buf error;
    int code = EX_OK;
    sp_buf_init(&error, &os_heap, 4096);
    r->base = os_loop_new();
    r->dns = dns_new(r->base, &error);
    if (r->dns && r->plan->tls != SEND_TLS_OFF)
        r->options.tls =
            os_tls_client_new(r->plan->verify ? OS_TLS_VERIFIED : OS_TLS_ANY, r->plan->ca_file, &error);
    if (r->options.tls && r->plan->cert_file)
        code = show_certificate(r);
    if (!r->dns || (r->plan->tls != SEND_TLS_OFF && !r->options.tls))
        code =
            cli_fault("send", r->dns ? EX_NOINPUT : EX_OSERR, "%.*s", (int)error.len, (const char *)error.p);
    sp_buf_fini(&error);
    return code;
}

int send_run(const struct send_plan *plan, struct sp_view message)
{
    struct run r = {.plan = plan, .message = message};
    plan_client(&r);
    int code = open_all(&r);
    if (!code) {
        r.show = send_show_new(plan);
        r.client = client_new(r.base, r.dns, &r.options, &handlers, &r);
        if (!r.client)
            code = cli_usage_fault("send", "'%s' cannot stand in EHLO", plan->hello);
        else
            (void)event_base_dispatch(r.base); /* ends when nothing is left to wait for */
        send_show_free(r.show);
    }
    dns_free(r.dns);
    if (r.options.tls)
        os_tls_unref(r.options.tls);
    event_base_free(r.base);
    return code ? code : r.code;
}
