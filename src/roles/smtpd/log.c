#include "roles/smtpd/log.h"

#include "base/view.h"
#include "message/trace.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>

static struct sp_view path_text(struct sp_view address) { return address.len ? address : SP_LIT("<>"); }

/* AUTH=<> names nobody. */
static struct sp_view submitter_of(const struct mail *m)
{
    struct sp_view auth = m->parameters.auth;
    return sp_view_eq(auth, SP_LIT("<>")) ? (struct sp_view){0} : auth;
}

void log_accepted(const struct mail *m)
{
    const struct session *s = m->session;
    const char *protocol =
        s ? message_protocol(s->terms->options.lmtp, m->parameters.utf8, sp_server_is_esmtp(s->engine),
                             sp_server_is_tls(s->engine), sp_server_is_authenticated(s->engine))
          : NULL;
    os_log(OS_INFO, "mail-accepted", OS_STR("id", m->id_text), OS_STR("session", m->session_name),
           OS_STR("client", s ? s->client : NULL), OS_STR("protocol", protocol),
           OS_STR("user", s ? s->user : NULL), OS_VIEW("submitter", submitter_of(m)),
           OS_VIEW("from", path_text(sp_buf_view(&m->sender))),
           OS_VIEW("to", sp_buf_view(&m->first_recipient)), OS_NUM("rcpts", m->recipients.n),
           OS_NUM("size", m->size), OS_STR("note", s ? NULL : "the client left before it was told"));
}

void log_not_stored(const struct mail *m, enum smtpd_refusal why)
{
    const struct sp_refusal *r = smtpd_refusal(why);
    if (m->session)
        m->session->refusals++;
    os_log(OS_WARN, "mail-not-stored", OS_STR("id", m->id_text), OS_STR("session", m->session_name),
           OS_NUM("code", r->code), OS_STR("reason", r->reason),
           OS_VIEW("from", path_text(sp_buf_view(&m->sender))), OS_NUM("rcpts", m->recipients.n),
           OS_NUM("size", m->size));
}

void log_refused(struct session *s, const char *at, enum smtpd_refusal why, struct sp_view about)
{
    const struct sp_refusal *r = smtpd_refusal(why);
    s->refusals++;
    os_log(OS_INFO, "refused", OS_STR("session", s->name), OS_STR("client", s->client), OS_STR("at", at),
           OS_NUM("code", r->code), OS_STR("reason", r->reason), OS_VIEW("about", about));
}

/* "503 5.5.1 ... [data-before-rcpt]": the reason id, or an empty view. */
static struct sp_view reason_of(struct sp_view line)
{
    if (line.len < 6 || line.p[line.len - 1] != ']' || (line.p[0] != '4' && line.p[0] != '5') ||
        line.p[3] != ' ')
        return (struct sp_view){0};
    size_t at = line.len - 1;
    while (at > 4 && line.p[at - 1] != '[')
        at--;
    return sp_view_sub(line, at, line.len - 1 - at);
}

void log_replies(struct session *s, struct sp_view out)
{
    struct sp_view line;
    while (sp_view_word(&out, '\n', &line)) {
        line = sp_view_trim(sp_view_sub(line, 0, line.len > 0 ? line.len - 1 : 0));
        struct sp_view reason = reason_of(line);
        if (reason.len == 0 || smtpd_is_own_reason(reason) || sp_view_starts(line, SP_LIT("421")))
            continue; /* the session's end says why */
        s->refusals++;
        os_log(OS_INFO, "refused", OS_STR("session", s->name), OS_STR("client", s->client),
               OS_STR("at", sp_server_phase(s->engine)), OS_VIEW("code", sp_view_sub(line, 0, 3)),
               OS_VIEW("reason", reason));
    }
}

void log_ended(const struct session *s, const char *why, bool shown)
{
    char show[sizeof "sallyport session show " + SESSION_NAME];
    (void)snprintf(show, sizeof show, "sallyport session show %s", s->name); /* fits */
    const struct os_tls_facts *tls = os_stream_tls(s->stream);
    if (!why && sp_server_last_code(s->engine) == 421)
        why = sp_server_last_reason(s->engine);
    os_log(OS_INFO, "session-ended", OS_STR("session", s->name), OS_STR("client", s->client),
           OS_STR("proxy", s->proxied ? os_stream_peer_address(s->stream) : NULL),
           OS_STR("listener", s->terms->name), OS_STR("hello", s->hello),
           OS_STR("tls", tls ? tls->version : NULL), OS_STR("user", s->user), OS_NUM("mails", s->mails),
           OS_NUM("refusals", s->refusals), OS_NUM("ms", os_mono_ms() - s->born_ms), OS_STR("why", why),
           OS_STR("show", shown ? show : NULL));
}
