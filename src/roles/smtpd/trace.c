#include "roles/smtpd/trace.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdio.h>

static enum config_keep kept(const struct smtpd *smtpd) { return smtpd->role->config->sessions.keep; }

void trace_begin(struct session *s)
{
    if (kept(s->smtpd) != CONFIG_KEEP_NONE)
        s->recorder = recorder_new(s->born_ms);
}

void trace_client(struct session *s, struct sp_view octets, enum sp_server_reads reads)
{
    if (s->recorder && octets.len > 0)
        recorder_client(s->recorder, octets, reads, os_mono_ms());
}

void trace_server(struct session *s, struct sp_view replies)
{
    if (s->recorder)
        recorder_server(s->recorder, replies, os_mono_ms());
}

static const char *tls_text(const struct os_tls_facts *tls, char *text, size_t size)
{
    if (!tls)
        return NULL;
    (void)snprintf(text, size, "%s %s", tls->version, tls->cipher); /* what does not fit is of no use */
    return text;
}

void trace_tls(struct session *s, const struct os_tls_facts *tls)
{
    char text[128];
    if (s->recorder)
        recorder_event(s->recorder, "TLS", tls_text(tls, text, sizeof text), os_mono_ms());
}

/* --- the end ----------------------------------------------------------------------------------------- */

static const char *ended_by(const struct session *s, const char *why)
{
    return why ? "closed" : s->over ? "closed by the server" : "closed by the client";
}

static void lose(struct smtpd *smtpd)
{
    if (smtpd->traces_lost++ == 0)
        os_log(OS_WARN, "traces-lost", OS_NUM("n", 1),
               OS_STR("why", "the console is away or does not keep up; more are counted"));
}

void trace_report(struct smtpd *smtpd)
{
    if (smtpd->traces_lost > 1)
        os_log(OS_WARN, "traces-lost", OS_NUM("n", smtpd->traces_lost));
    smtpd->traces_lost = 0;
}

/* why: it broke off, or NULL */
static bool send_trace(const struct session *s, const char *why, const struct recorder_sum *sum, bool failed)
{
    struct os_edge *console = role_peer(s->smtpd->role, IPC_CONSOLE, 0);
    const struct os_tls_facts *tls = os_stream_tls(s->stream);
    char text[128];
    struct sp_buf lines;
    if (!console || os_edge_full(console)) {
        lose(s->smtpd);
        return false;
    }
    sp_buf_init(&lines, &os_heap, RECORDER_HEAD_OCTETS + RECORDER_TAIL_OCTETS + 256);
    recorder_lines(s->recorder, &lines);
    struct ipc_trace t = {.session = s->number,
                          .began_ms = s->born_wall_ms,
                          .lasted_ms = os_mono_ms() - s->born_ms,
                          .client = sp_view_of(s->client),
                          .port = os_stream_peer_port(s->stream),
                          .listener = sp_view_of(s->terms->name),
                          .hello = sp_view_of(s->hello),
                          .user = sp_view_of(s->user),
                          .tls = sp_view_of(tls_text(tls, text, sizeof text)),
                          .mails = s->mails,
                          .refusals = sum->refusals,
                          .failed = failed,
                          .refusal = sum->refusal.len ? sum->refusal : sp_view_of(why),
                          .lines = sp_buf_view(&lines)};
    int status = os_edge_send(console, &(struct ipc_message){.type = IPC_TYPE_trace, .as.trace = t});
    sp_buf_fini(&lines);
    if (status != SP_OK)
        lose(s->smtpd);
    return status == SP_OK;
}

/* In what the client has left us, if it was in anything; else NULL. */
static const char *left_in(const struct session *s, const struct recorder_sum *sum)
{
    return s->handshaking                    ? "the client left in the TLS handshake"
           : s->auth_open || sum->challenged ? "the client left in AUTH"
           : s->mail                         ? "the client left in a transaction"
                                             : NULL;
}

bool trace_end(struct session *s, const char *why)
{
    if (!s->recorder)
        return false;
    recorder_event(s->recorder, ended_by(s, why), why, os_mono_ms());
    struct recorder_sum sum = recorder_sum(s->recorder);
    const char *broke_off = why ? why : left_in(s, &sum);
    bool failed = sum.refusals > 0 || broke_off;
    enum config_keep keep = kept(s->smtpd);
    bool sent = (keep == CONFIG_KEEP_ALL || (keep == CONFIG_KEEP_FAILED && failed)) &&
                send_trace(s, broke_off, &sum, failed);
    recorder_free(s->recorder);
    s->recorder = NULL;
    return sent;
}
