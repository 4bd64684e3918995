/* How an exchange ends: what the client is told, what the operator, and when. */
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/auth/exchange.h"

#include <string.h>

/* --- the verdict -------------------------------------------------------------------------- */

void auth_send_no(struct os_edge *smtpd, uint64_t session, enum ipc_auth_verdict verdict)
{
    struct ipc_message m = {.type = IPC_TYPE_auth_no,
                            .as.auth_no = {.session = session, .verdict = (uint8_t)verdict}};
    (void)os_edge_send(smtpd, &m); /* a closed edge has no session that waits */
}

void auth_log_attempt(const struct exchange *x, struct sp_view user, const char *reason, const char *defect,
                      const char *detail)
{
    os_log(OS_INFO, reason ? "auth-failed" : "auth-ok", OS_VIEW("session", auth_noted(&x->session_name)),
           OS_VIEW("user", user), OS_STR("mechanism", auth_mechanism_of(x)),
           OS_VIEW("client", auth_noted(&x->client)), OS_STR("tls", x->tls ? "yes" : "no"),
           OS_STR("cached", x->cached ? "yes" : NULL),
           OS_STR("password", !reason && x->which > SASL_WHICH_OWN ? "application" : NULL),
           OS_STR("reason", reason), OS_STR("defect", defect), OS_STR("detail", detail),
           OS_STR("steps", x->record.text), OS_STR("offered-clear", reason ? x->offered_clear : NULL),
           OS_STR("offered-tls", reason ? x->offered_tls : NULL));
    auth_trace_attempt(x, user, reason, defect, detail);
}

void auth_say_unavailable(struct exchange *x, const char *reason)
{
    auth_send_no(x->smtpd, x->session, IPC_AUTH_UNAVAILABLE);
    auth_log_attempt(x, auth_user_of(x), reason, NULL, NULL);
    auth_exchange_end(x);
}

static void send_yes(struct exchange *x, struct sp_view user, struct sp_view senders)
{
    struct ipc_message m = {.type = IPC_TYPE_auth_yes,
                            .as.auth_yes = {.session = x->session, .user = user, .senders = senders}};
    (void)os_edge_send(x->smtpd, &m); /* as above */
    if (x->which > SASL_WHICH_OWN)
        users_app_note_used(x->auth->users, user, x->login.more_id[x->which - 1], os_wall_ms());
    auth_log_attempt(x, user, NULL, NULL, NULL);
    auth_exchange_end(x);
}

void auth_say_yes(struct exchange *x)
{
    struct sp_view user = x->login.known ? users_name_view(&x->login.name) : auth_user_of(x);
    struct sp_buf senders;
    sp_buf_init(&senders, &os_heap, (size_t)USERS_SENDERS_MAX * (USERS_SENDER_MAX + 1));
    if (users_senders(x->auth->users, user, &senders) == SP_OK)
        send_yes(x, user, sp_buf_view(&senders));
    else
        auth_say_unavailable(x, "users-db");
    sp_buf_fini(&senders);
}

/* --- refusals, held back where somebody guesses -------------------------------------------- */

/* One user is one, whoever exists, in whatever case a guesser writes the name. */
static struct sp_view spelled(struct sp_view user, struct sp_buf *folded)
{
    enum sasl_fault fault;
    sp_buf_init(folded, &os_heap, SASL_USER_MAX);
    return sasl_prep_name(user, SASL_PREP_QUERY, folded, &fault) == SP_OK ? sp_buf_view(folded) : user;
}

static uint32_t count_failure(struct exchange *x, struct sp_view user)
{
    struct auth *a = x->auth;
    if (!a->role->config || !a->role->config->limits.auth_slow_down)
        return 0;
    uint8_t key[AUTH_CLIENT_KEY_MAX];
    struct sp_buf folded;
    struct sp_view client = sp_view_make(key, auth_client_key(auth_noted(&x->client), key));
    uint64_t now_ms = os_mono_ms();
    uint32_t of_client = slow_failed(&a->slow, 'c', client, now_ms);
    uint32_t of_user = slow_failed(&a->slow, 'u', spelled(user, &folded), now_ms);
    sp_buf_fini(&folded);
    return of_client > of_user ? of_client : of_user;
}

static void send_refusal(void *ctx)
{
    struct exchange *x = ctx;
    auth_send_no(x->smtpd, x->session, IPC_AUTH_BAD_CREDENTIALS);
    auth_exchange_end(x);
}

void auth_refuse(struct exchange *x, struct sp_view user)
{
    uint32_t delay_ms = count_failure(x, user);
    if (delay_ms == 0) {
        send_refusal(x);
        return;
    }
    os_log(OS_INFO, "auth-slowed", OS_VIEW("session", auth_noted(&x->session_name)), OS_VIEW("user", user),
           OS_VIEW("client", auth_noted(&x->client)), OS_NUM("ms", delay_ms));
    x->refused = true;
    os_timer_init(&x->late, x->auth->role->base, send_refusal, x);
    os_timer_set(&x->late, delay_ms);
}

/* What may explain it, though nothing is malformed. */
static const char *hint_of(const struct exchange *x)
{
    const char *hint = sasl_server_hint(x->sasl);
    return hint ? hint : auth_record_wrapped(&x->record);
}

static bool lacks_secret(const struct exchange *x)
{
    return x->verifier_given && !x->login.disabled && !x->login.verifier.has_cram &&
           strcmp(sasl_server_mechanism(x->sasl), "CRAM-MD5") == 0;
}

/* The client learns one of two things; the operator learns which it was. */
void auth_say_no(struct exchange *x)
{
    enum sasl_fault fault = sasl_server_fault(x->sasl);
    struct sp_view user = sasl_server_user(x->sasl), names = sp_view_of(x->certificate_names);
    if (user.len == 0 && x->why)
        (void)sp_view_word(&names, '\n', &user); /* who it may have been */
    if (x->why)
        auth_log_attempt(x, user, x->why, NULL, x->detail);
    else if (fault != SASL_FAULT_REFUSED)
        auth_log_attempt(x, user, "malformed", sasl_fault_id(fault), sasl_fault_text(fault));
    else if (x->token)
        auth_log_attempt(x, user, sasl_token_fault_id(x->token_fault), NULL,
                         sasl_token_fault_text(x->token_fault));
    else if (x->refusal && !x->login.known)
        auth_log_attempt(x, user, x->refusal, NULL, hint_of(x));
    else if (!x->login.known)
        auth_log_attempt(x, user, "unknown-user", NULL, hint_of(x));
    else if (lacks_secret(x))
        auth_log_attempt(
            x, user, "no-cram-md5-secret", NULL,
            "no secret for CRAM-MD5 is kept of this user: sallyport user passwd --cram-md5 makes one");
    else
        auth_log_attempt(x, user, x->login.disabled ? "disabled" : "bad-password", NULL, hint_of(x));
    if (sasl_fault_class(fault) != SASL_CREDENTIALS) {
        bool early = sasl_fault_class(fault) == SASL_INITIAL;
        auth_send_no(x->smtpd, x->session, early ? IPC_AUTH_NO_INITIAL : IPC_AUTH_MALFORMED);
        auth_exchange_end(x);
    } else {
        auth_refuse(x, user);
    }
}
