#include "roles/auth/exchange.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_LEN = 12 };

/* --- the table --------------------------------------------------------------------------- */

static struct sp_view key_of(struct os_edge *smtpd, uint64_t session, uint8_t key[KEY_LEN])
{
    uint32_t index = os_edge_peer_index(smtpd);
    memcpy(key, &index, sizeof index);
    memcpy(key + sizeof index, &session, sizeof session);
    return sp_view_make(key, KEY_LEN);
}

static struct exchange *find(struct auth *a, struct os_edge *smtpd, uint64_t session)
{
    uint8_t key[KEY_LEN];
    return sp_table_get(&a->exchanges, key_of(smtpd, session, key));
}

void auth_exchange_end(struct exchange *x)
{
    uint8_t key[KEY_LEN];
    (void)sp_table_take(&x->auth->exchanges, key_of(x->smtpd, x->session, key));
    *(x->previous ? &x->previous->next : &x->auth->first) = x->next;
    if (x->next)
        x->next->previous = x->previous;
    if (x->job)
        auth_worker_forget(x->auth->worker, x->job);
    if (x->question)
        x->auth->source->ops->forget(x->auth->source, x->question);
    if (x->refused || x->awaits_keys)
        os_timer_fini(&x->late);
    sasl_server_free(x->sasl);
    free(x->offered_clear);
    free(x->offered_tls);
    free(x->certificate_names);
    free(x->certificate_fault);
    free(x->detail);
    explicit_bzero(x, sizeof *x);
    free(x);
}

static struct note note_of(struct sp_view v)
{
    struct note n = {.len = v.len < sizeof n.octets ? v.len : sizeof n.octets};
    if (n.len)
        memcpy(n.octets, v.p, n.len);
    return n;
}

/* --- messages of smtpd -------------------------------------------------------------------- */

static void refuse_begin(struct os_edge *smtpd, const struct ipc_auth_begin *m, enum ipc_auth_verdict verdict,
                         const char *reason)
{
    auth_send_no(smtpd, m->session, verdict);
    os_log(OS_INFO, "auth-failed", OS_VIEW("session", m->session_name), OS_VIEW("mechanism", m->mechanism),
           OS_VIEW("client", m->client), OS_STR("tls", m->tls ? "yes" : "no"), OS_STR("reason", reason));
}

/* sasl: owned from now on; NULL: Dovecot speaks the mechanism. */
static struct exchange *open_exchange(struct auth *a, struct os_edge *smtpd, const struct ipc_auth_begin *m,
                                      struct sasl_server *sasl)
{
    uint8_t key[KEY_LEN];
    struct exchange *x = os_new(sizeof *x);
    *x = (struct exchange){.next = a->first,
                           .auth = a,
                           .smtpd = smtpd,
                           .session = m->session,
                           .sasl = sasl,
                           .tls = m->tls != 0,
                           .certificate = (enum ipc_certificate)m->certificate,
                           .certificate_names = os_text(m->certificate_names),
                           .certificate_fault = os_text(m->certificate_fault),
                           .client = note_of(m->client),
                           .session_name = note_of(m->session_name),
                           .offered_clear = os_text(m->offered_clear),
                           .offered_tls = os_text(m->offered_tls)};
    if (m->has_initial)
        auth_record_initial(&x->record, m->initial);
    if (a->first)
        a->first->previous = x;
    a->first = x;
    if (sp_table_put(&a->exchanges, key_of(smtpd, m->session, key), x))
        os_panic("auth-exchange", "os_heap said no");
    return x;
}

void auth_exchange_begin(struct auth *a, struct os_edge *smtpd, const struct ipc_auth_begin *m)
{
    struct sasl_server *sasl = NULL;
    struct exchange *before = find(a, smtpd, m->session);
    if (before) {
        os_log(OS_WARN, "auth-begun-twice", OS_VIEW("session", m->session_name));
        auth_exchange_end(before);
    }
    if (a->exchanges.n >= AUTH_EXCHANGES_MAX) {
        refuse_begin(smtpd, m, IPC_AUTH_UNAVAILABLE, "too-many-exchanges");
        return;
    }
    if (auth_relay_is(a, m->mechanism)) {
        auth_relay_begin(open_exchange(a, smtpd, m, NULL), m);
        return;
    }
    const struct sasl_binding binding = {{[SASL_BINDING_EXPORTER] = m->binding_exporter,
                                          [SASL_BINDING_UNIQUE] = m->binding_unique,
                                          [SASL_BINDING_END_POINT] = m->binding_end_point}};
    int status = sasl_server_new(m->mechanism, &os_heap, &sasl);
    if (status == SP_OK && (status = sasl_server_bind(sasl, &binding, m->plus_offered != 0)) == SP_OK)
        status = sasl_server_call(sasl, sp_view_of(a->role->config->hostname));
    if (status && sasl)
        sasl_server_free(sasl);
    if (status) {
        bool unknown = status == SP_ERR_ABSENT;
        refuse_begin(smtpd, m, unknown ? IPC_AUTH_UNKNOWN_MECHANISM : IPC_AUTH_UNAVAILABLE,
                     unknown ? "unknown-mechanism" : "no-memory");
        return;
    }
    struct exchange *x = open_exchange(a, smtpd, m, sasl);
    auth_exchange_run(x, sasl_server_start(sasl, m->has_initial != 0, m->initial));
}

void auth_exchange_answer(struct auth *a, struct os_edge *smtpd, const struct ipc_auth_answer *m)
{
    struct exchange *x = find(a, smtpd, m->session);
    if (!x) {
        /* Begun with a process of this role that is gone: the session must not wait for ever. */
        auth_send_no(smtpd, m->session, IPC_AUTH_UNAVAILABLE);
        return;
    }
    if (x->job || (x->question && !x->challenged) || x->refused || x->awaits_keys) {
        os_log(OS_WARN, "auth-answered-twice", OS_VIEW("session", auth_noted(&x->session_name)));
        return;
    }
    auth_record_response(&x->record, m->response);
    if (x->relayed[0])
        auth_relay_answer(x, m->response);
    else
        auth_exchange_run(x, sasl_server_step(x->sasl, m->response));
}

/* How an exchange ends without a verdict, by the reply that smtpd gave. */
static const char *given_up_as(struct sp_view why)
{
    static const struct {
        struct sp_view why;
        const char *reason;
    } reasons[] = {{SP_LIT_INIT("auth-cancelled"), "cancelled"},
                   {SP_LIT_INIT("auth-bad-base64"), "not-base64"},
                   {SP_LIT_INIT("auth-line-too-long"), "line-too-long"},
                   {SP_LIT_INIT("idle-timeout"), "no-answer"},
                   {SP_LIT_INIT("shutting-down"), "server-stops"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (sp_view_eq(why, reasons[i].why))
            return reasons[i].reason;
    return "client-left";
}

static void give_up(struct exchange *x, struct sp_view why)
{
    os_log(OS_INFO, "auth-given-up", OS_VIEW("session", auth_noted(&x->session_name)),
           OS_VIEW("user", auth_user_of(x)), OS_STR("mechanism", auth_mechanism_of(x)),
           OS_VIEW("client", auth_noted(&x->client)), OS_STR("tls", x->tls ? "yes" : "no"),
           OS_STR("reason", given_up_as(why)), OS_STR("steps", x->record.text),
           OS_STR("offered-clear", x->offered_clear), OS_STR("offered-tls", x->offered_tls));
    auth_trace_attempt(x, auth_user_of(x), given_up_as(why), NULL, NULL);
    auth_exchange_end(x);
}

void auth_exchange_drop(struct auth *a, struct os_edge *smtpd, const struct ipc_auth_drop *m)
{
    struct exchange *x = find(a, smtpd, m->session);
    if (x)
        give_up(x, m->why);
}

void auth_exchange_leave_source(struct auth *a)
{
    for (struct exchange *x = a->first, *next; x; x = next) {
        next = x->next;
        if (x->question)
            auth_say_unavailable(x, "back-end-down");
    }
}

void auth_exchange_drop_edge(struct auth *a, struct os_edge *smtpd)
{
    for (struct exchange *x = a->first, *next; x; x = next) {
        next = x->next;
        if (x->smtpd == smtpd)
            auth_exchange_end(x);
    }
}
