/* Log in, with the credentials that were given, through the client that delivery and send use. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/view.h"
#include "cli/probe/probe.h"
#include "client/client.h"
#include "os/clock.h"

struct attempt {
    struct probe_look *look;
    struct client *client;
    char mechanism[48];
    bool ended, in;
    int code;
    char text[PROBE_ARGUMENT_MAX]; /* of the end */
};

static void on_ready(void *ctx)
{
    struct attempt *a = ctx;
    a->in = true;
    client_quit(a->client);
}

static void on_ended(void *ctx, const struct client_verdict *v)
{
    struct attempt *a = ctx;
    a->ended = true;
    a->code = v->code;
    probe_clean(v->text, a->text, sizeof a->text);
}

/* "AUTH PLAIN": its second word. */
static void on_note(void *ctx, const struct client_note *n)
{
    struct attempt *a = ctx;
    if (n->type != CLIENT_NOTE_SENT || !sp_view_starts(n->event->as.sent.line, SP_LIT("AUTH ")))
        return;
    struct sp_view rest = sp_view_from(n->event->as.sent.line, 5), word;
    if (sp_view_word(&rest, ' ', &word))
        probe_clean(word, a->mechanism, sizeof a->mechanism);
}

static void never_outcome(void *ctx, size_t recipient, const struct client_verdict *v)
{
    (void)ctx, (void)recipient, (void)v;
}

static void never_done(void *ctx) { (void)ctx; }

static int never_content(void *ctx, uint64_t offset, struct sp_view *piece_out)
{
    (void)ctx, (void)offset, (void)piece_out;
    return SP_ERR_MISUSE;
}

static const struct client_handlers handlers = {.ready = on_ready,
                                                .content = never_content,
                                                .outcome = never_outcome,
                                                .mail_done = never_done,
                                                .ended = on_ended,
                                                .note = on_note};

static void tell(struct probe_look *l, const struct attempt *a)
{
    struct probe_findings *f = &l->port->findings;
    if (a->in) {
        snprintf(l->port->login, sizeof l->port->login, "%s", a->mechanism);
        probe_tell(f, PROBE_LOGIN, a->mechanism, NULL, NULL);
    } else if (a->code > 0) {
        struct sp_view text = sp_view_from(sp_view_of(a->text), 4);
        probe_tell(f, PROBE_LOGIN_REFUSED, a->text, reference_explain(a->code, text, l->probe->plan->lang),
                   NULL);
    } else {
        probe_tell(f, PROBE_LOGIN_FAILED, a->text[0] ? a->text : "no answer in time", NULL, NULL);
    }
}

static void run(struct probe_look *l, const struct client_options *options)
{
    struct attempt a = {.look = l};
    struct probe_wire *w = &l->wire; /* its timer bounds the whole */
    a.client = client_new(l->probe->base, l->probe->dns, options, &handlers, &a);
    uint64_t until_ms = os_mono_ms() + (uint64_t)l->probe->plan->timeout_ms * 4;
    while (a.client && !a.ended && os_mono_ms() < until_ms && os_mono_ms() < w->limit_ms) {
        os_timer_set(&w->timer, l->probe->plan->timeout_ms);
        event_base_loop(l->probe->base, EVLOOP_ONCE);
    }
    client_free(a.client);
    while (os_stream_n(l->probe->base) > 0) { /* what says goodbye keeps to a bound of its own */
        os_timer_set(&w->timer, l->probe->plan->timeout_ms);
        event_base_loop(l->probe->base, EVLOOP_ONCE);
    }
    os_timer_stop(&w->timer);
    tell(l, &a);
}

static bool is_loopback(const struct probe_look *l) { return os_address_is_loopback(&l->address); }

void probe_login(struct probe_look *l)
{
    const struct probe_plan *plan = l->probe->plan;
    struct probe_port *p = l->port;
    if (!plan->login || !probe_keyword(probe_offer(p), "AUTH"))
        return;
    if (!p->safe && !plan->insecure && !is_loopback(l)) {
        probe_tell(&p->findings, PROBE_LOGIN_NOT_TRIED, p->tls == PROBE_TLS_NONE ? "no TLS" : "certificate",
                   NULL, NULL);
        return;
    }
    const struct sasl_credentials credentials = {
        .user = sp_buf_view(&plan->user), .password = sp_buf_view(&plan->password), .token = plan->token};
    const struct dns_addresses one = {.verdict = DNS_FOUND, .why = "", .addresses = {l->address}, .n = 1};
    const uint32_t ms = plan->timeout_ms;
    const struct client_options options = {
        .host = l->expected.name,
        .port = p->number,
        .addresses = &one,
        .tls = l->probe->tls,
        .implicit_tls = p->tls == PROBE_TLS_IMPLICIT,
        .credentials = &credentials,
        .mechanism = sp_view_of(plan->mechanism),
        .connect_ms = ms,
        .session = {.hello = sp_view_of(plan->hello),
                    .tls = p->tls == PROBE_TLS_STARTTLS ? SP_CLIENT_TLS_REQUIRED : SP_CLIENT_TLS_OFF,
                    .timeouts = {.greeting_ms = ms, .command_ms = ms, .tls_ms = ms, .quit_ms = ms / 4},
                    .auth_in_clear = p->tls == PROBE_TLS_NONE,
                    .transcript = true,
                    .lf_replies = true},
    };
    run(l, &options);
}
