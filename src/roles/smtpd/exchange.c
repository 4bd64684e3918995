#include "roles/smtpd/exchange.h"

#include "base/view.h"
#include "os/heap.h"
#include "roles/smtpd/log.h"
#include "roles/smtpd/session.h"
#include "sasl/binding.h"

#include <stdlib.h>

static struct sp_view key_of(const struct session *s) { return sp_view_make(&s->number, sizeof s->number); }

static struct os_edge *auth_of(const struct session *s)
{
    return role_peer_at(s->smtpd->role, IPC_AUTH, s->auth_index);
}

static int refuse(struct session *s, enum smtpd_refusal why)
{
    log_refused(s, "AUTH", why, (struct sp_view){0});
    return sp_server_no(s->engine, smtpd_refusal(why));
}

/* --- questions --------------------------------------------------------------------------------------- */

static void wait_for_auth(struct session *s)
{
    s->wait = WAIT_AUTH;
    if (sp_table_put(&s->smtpd->exchanges, key_of(s), s) != SP_OK)
        os_panic("exchanges", "out of memory");
}

/* What the session's TLS connection can be bound to; only those who ask for it are given it. */
struct bound {
    struct sp_buf exporter, unique, end_point;
};

static void bind_to_channel(const struct session *s, struct sp_view mechanism, struct bound *b)
{
    struct sp_buf *const kinds[] = {
        [OS_TLS_EXPORTER] = &b->exporter, [OS_TLS_UNIQUE] = &b->unique, [OS_TLS_END_POINT] = &b->end_point};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        sp_buf_init(kinds[i], &os_heap, SASL_BINDING_MAX);
        if (sp_view_ends(mechanism, SP_LIT("-PLUS")))
            os_stream_add_binding(s->stream, (enum os_tls_binding)i, kinds[i]);
    }
}

static void unbind(struct bound *b)
{
    sp_buf_fini_secret(&b->exporter);
    sp_buf_fini_secret(&b->unique);
    sp_buf_fini(&b->end_point);
}

enum { CERTIFICATE_NAMES_MAX = 8192 };

/* What the client has shown of itself, for the one mechanism that asks. */
static enum ipc_certificate read_certificate(const struct session *s, struct sp_view mechanism,
                                             struct sp_buf *names, const char **fault_out)
{
    const struct os_tls_facts *tls = os_stream_tls(s->stream);
    *fault_out = "";
    sp_buf_init(names, &os_heap, CERTIFICATE_NAMES_MAX);
    if (!sp_view_eq(mechanism, SP_LIT("EXTERNAL")) || !tls || !tls->peer_shown)
        return IPC_CERTIFICATE_NONE;
    if (!tls->peer_verified) {
        *fault_out = tls->peer_fault ? tls->peer_fault : "";
        return IPC_CERTIFICATE_UNVERIFIED;
    }
    os_stream_add_names(s->stream, s->terms->client_name, names);
    return IPC_CERTIFICATE_VERIFIED;
}

/* A client that could have bound, and says that it was not offered, was lied to by somebody in the middle. */
static bool offers_to_bind(const struct session *s)
{
    const struct sp_server_options *o = &s->terms->options;
    struct sp_view word, rest = sp_server_is_tls(s->engine) ? o->mechanisms_tls : o->mechanisms_plain;
    while (sp_view_word(&rest, ' ', &word))
        if (sp_view_ends(word, SP_LIT("-PLUS")))
            return true;
    return false;
}

int exchange_begin(struct session *s, const struct sp_server_event *ev)
{
    struct os_edge *auth = role_peer_for(s->smtpd->role, IPC_AUTH, s->number);
    if (!auth)
        return refuse(s, SMTPD_AUTH_UNAVAILABLE);
    s->auth_index = os_edge_peer_index(auth);
    s->auth_open = true;
    wait_for_auth(s);
    struct bound bound;
    bind_to_channel(s, ev->as.auth.mechanism, &bound);
    struct sp_buf names;
    const char *fault;
    enum ipc_certificate certificate = read_certificate(s, ev->as.auth.mechanism, &names, &fault);
    struct ipc_message begin = {.type = IPC_TYPE_auth_begin,
                                .as.auth_begin = {.session = s->number,
                                                  .mechanism = ev->as.auth.mechanism,
                                                  .has_initial = ev->as.auth.has_initial,
                                                  .initial = ev->as.auth.initial,
                                                  .tls = sp_server_is_tls(s->engine),
                                                  .plus_offered = offers_to_bind(s),
                                                  .binding_exporter = sp_buf_view(&bound.exporter),
                                                  .binding_unique = sp_buf_view(&bound.unique),
                                                  .binding_end_point = sp_buf_view(&bound.end_point),
                                                  .certificate = (uint8_t)certificate,
                                                  .certificate_names = sp_buf_view(&names),
                                                  .certificate_fault = sp_view_of(fault),
                                                  .client = sp_view_of(s->client),
                                                  .session_name = sp_view_of(s->name),
                                                  .offered_clear = s->terms->options.mechanisms_plain,
                                                  .offered_tls = s->terms->options.mechanisms_tls}};
    (void)os_edge_send(auth, &begin); /* an edge that is gone is told to exchange_note_auth_gone */
    unbind(&bound);
    sp_buf_fini(&names);
    return SP_OK;
}

int exchange_answer(struct session *s, struct sp_view response)
{
    struct os_edge *auth = s->auth_open ? auth_of(s) : NULL;
    if (!auth)
        return refuse(s, SMTPD_AUTH_UNAVAILABLE);
    wait_for_auth(s);
    struct ipc_message answer = {.type = IPC_TYPE_auth_answer,
                                 .as.auth_answer = {.session = s->number, .response = response}};
    (void)os_edge_send(auth, &answer);
    return SP_OK;
}

void exchange_drop(struct session *s, const char *why)
{
    struct os_edge *auth = s->auth_open ? auth_of(s) : NULL;
    s->auth_open = false;
    (void)sp_table_take(&s->smtpd->exchanges, key_of(s));
    if (auth)
        (void)os_edge_send(auth, &(struct ipc_message){.type = IPC_TYPE_auth_drop,
                                                       .as.auth_drop = {s->number, sp_view_of(why)}});
}

/* --- answers ------------------------------------------------------------------------------------------- */

static void go_on(struct session *s, int status)
{
    if (status != SP_OK && status != SP_ERR_CLOSED)
        os_panic("engine", "session %s: the engine answered %d to AUTH's end", s->name, status);
    session_go_on(s);
}

static struct session *take_waiting(struct smtpd *smtpd, uint64_t number)
{
    return sp_table_take(&smtpd->exchanges, sp_view_make(&number, sizeof number));
}

static void note_yes(struct session *s, const struct ipc_auth_yes *m)
{
    s->auth_open = false;
    session_forget_user(s);
    s->user = os_text(m->user);
    s->senders = m->senders.len ? os_text(m->senders) : NULL;
    go_on(s, sp_server_yes(s->engine, (struct sp_view){0}));
}

static enum smtpd_refusal refusal_of(uint8_t verdict)
{
    switch (verdict) {
    case IPC_AUTH_BAD_CREDENTIALS:
        return SMTPD_AUTH_FAILED;
    case IPC_AUTH_MALFORMED:
        return SMTPD_AUTH_MALFORMED;
    case IPC_AUTH_NO_INITIAL:
        return SMTPD_AUTH_NO_INITIAL;
    default: /* a mechanism that we offer and auth does not know is our fault, not the client's */
        return SMTPD_AUTH_UNAVAILABLE;
    }
}

void exchange_take_message(struct smtpd *smtpd, const struct ipc_message *m)
{
    struct session *s;
    switch (m->type) {
    case IPC_TYPE_auth_more:
        if ((s = take_waiting(smtpd, m->as.auth_more.session)))
            go_on(s, sp_server_more(s->engine, m->as.auth_more.challenge));
        break;
    case IPC_TYPE_auth_yes:
        if ((s = take_waiting(smtpd, m->as.auth_yes.session)))
            note_yes(s, &m->as.auth_yes);
        break;
    case IPC_TYPE_auth_no:
        if ((s = take_waiting(smtpd, m->as.auth_no.session))) {
            s->auth_open = false;
            go_on(s, refuse(s, refusal_of(m->as.auth_no.verdict)));
        }
        break;
    default:
        break;
    }
}

/* A session whose exchange is lost between two answers is told with the next one. */
void exchange_note_auth_gone(struct smtpd *smtpd, uint32_t index)
{
    struct session *next;
    for (struct session *s = smtpd->sessions; s; s = next) {
        next = s->next;
        if (!s->auth_open || s->auth_index != index)
            continue;
        s->auth_open = false;
        if (take_waiting(smtpd, s->number))
            go_on(s, refuse(s, SMTPD_AUTH_UNAVAILABLE));
    }
}
