#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/auth/auth.h"
#include "sasl/server.h"

#include <stdlib.h>
#include <string.h>

/* Text of another process, kept for the log. */
struct note {
    uint8_t octets[64];
    size_t len;
};

enum { KEY_LEN = 12 };

struct exchange {
    struct exchange *next, *previous; /* in no order, for the end of an edge */
    struct auth *auth;
    struct os_edge *smtpd;
    uint64_t session;
    struct sasl_server *sasl;
    struct auth_job *job; /* NULL unless a password is being checked */
    uint32_t question;    /* of Dovecot; 0: none is open */
    bool by_dovecot;
    struct os_timer late; /* holds back a refusal */
    bool refused;         /* and waits for it     */
    struct users_login login;
    int which; /* password of the login that was right */
    uint8_t mac[AUTH_CACHE_MAC_LEN];
    bool cached, tls, verifier_given;
    bool token; /* instead of a password */
    enum sasl_token_fault token_fault;
    struct note client, session_name;
    struct auth_record record;
    char *offered_clear, *offered_tls;
};

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

static void end(struct exchange *x)
{
    uint8_t key[KEY_LEN];
    (void)sp_table_take(&x->auth->exchanges, key_of(x->smtpd, x->session, key));
    *(x->previous ? &x->previous->next : &x->auth->first) = x->next;
    if (x->next)
        x->next->previous = x->previous;
    if (x->job)
        auth_worker_forget(x->auth->worker, x->job);
    if (x->question)
        users_dovecot_forget(x->auth->dovecot, x->question);
    if (x->refused)
        os_timer_fini(&x->late);
    sasl_server_free(x->sasl);
    free(x->offered_clear);
    free(x->offered_tls);
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

static struct sp_view noted(const struct note *n) { return sp_view_make(n->octets, n->len); }

/* --- the verdict -------------------------------------------------------------------------- */

static void send_no(struct os_edge *smtpd, uint64_t session, enum ipc_auth_verdict verdict)
{
    struct ipc_message m = {.type = IPC_TYPE_auth_no,
                            .as.auth_no = {.session = session, .verdict = (uint8_t)verdict}};
    (void)os_edge_send(smtpd, &m); /* a closed edge has no session that waits */
}

/* The one line of an attempt. reason NULL: it succeeded. */
static void log_attempt(const struct exchange *x, struct sp_view user, const char *reason, const char *defect,
                        const char *detail)
{
    os_log(OS_INFO, reason ? "auth-failed" : "auth-ok", OS_VIEW("session", noted(&x->session_name)),
           OS_VIEW("user", user), OS_STR("mechanism", sasl_server_mechanism(x->sasl)),
           OS_VIEW("client", noted(&x->client)), OS_STR("tls", x->tls ? "yes" : "no"),
           OS_STR("cached", x->cached ? "yes" : NULL),
           OS_STR("password", !reason && x->which > SASL_WHICH_OWN ? "application" : NULL),
           OS_STR("reason", reason), OS_STR("defect", defect), OS_STR("detail", detail),
           OS_STR("steps", x->record.text), OS_STR("offered-clear", reason ? x->offered_clear : NULL),
           OS_STR("offered-tls", reason ? x->offered_tls : NULL));
}

static void say_unavailable(struct exchange *x, const char *reason)
{
    send_no(x->smtpd, x->session, IPC_AUTH_UNAVAILABLE);
    log_attempt(x, sasl_server_user(x->sasl), reason, NULL, NULL);
    end(x);
}

static void send_yes(struct exchange *x, struct sp_view user, struct sp_view senders)
{
    struct ipc_message m = {.type = IPC_TYPE_auth_yes,
                            .as.auth_yes = {.session = x->session, .user = user, .senders = senders}};
    (void)os_edge_send(x->smtpd, &m); /* as above */
    if (x->which > SASL_WHICH_OWN)
        users_app_note_used(x->auth->users, user, x->login.more_id[x->which - 1], os_wall_ms());
    log_attempt(x, user, NULL, NULL, NULL);
    end(x);
}

static void say_yes(struct exchange *x)
{
    struct sp_view user = x->login.known ? users_name_view(&x->login.name) : sasl_server_user(x->sasl);
    struct sp_buf senders;
    sp_buf_init(&senders, &os_heap, (size_t)USERS_SENDERS_MAX * (USERS_SENDER_MAX + 1));
    if (users_senders(x->auth->users, user, &senders) == SP_OK)
        send_yes(x, user, sp_buf_view(&senders));
    else
        say_unavailable(x, "users-db");
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
    struct sp_view client = sp_view_make(key, auth_client_key(noted(&x->client), key));
    uint64_t now_ms = os_mono_ms();
    uint32_t of_client = auth_slow_failed(&a->slow, 'c', client, now_ms);
    uint32_t of_user = auth_slow_failed(&a->slow, 'u', spelled(user, &folded), now_ms);
    sp_buf_fini(&folded);
    return of_client > of_user ? of_client : of_user;
}

static void send_refusal(void *ctx)
{
    struct exchange *x = ctx;
    send_no(x->smtpd, x->session, IPC_AUTH_BAD_CREDENTIALS);
    end(x);
}

static void refuse(struct exchange *x, struct sp_view user)
{
    uint32_t delay_ms = count_failure(x, user);
    if (delay_ms == 0) {
        send_refusal(x);
        return;
    }
    os_log(OS_INFO, "auth-slowed", OS_VIEW("session", noted(&x->session_name)), OS_VIEW("user", user),
           OS_VIEW("client", noted(&x->client)), OS_NUM("ms", delay_ms));
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

/* The client learns one of two things; the operator learns which it was. */
static void say_no(struct exchange *x)
{
    enum sasl_fault fault = sasl_server_fault(x->sasl);
    struct sp_view user = sasl_server_user(x->sasl);
    if (fault != SASL_FAULT_REFUSED)
        log_attempt(x, user, "malformed", sasl_fault_id(fault), sasl_fault_text(fault));
    else if (x->token)
        log_attempt(x, user, sasl_token_fault_id(x->token_fault), NULL,
                    sasl_token_fault_text(x->token_fault));
    else if (x->by_dovecot && !x->login.known)
        log_attempt(x, user, "refused-by-dovecot", NULL, hint_of(x));
    else if (!x->login.known)
        log_attempt(x, user, "unknown-user", NULL, hint_of(x));
    else
        log_attempt(x, user, x->login.disabled ? "disabled" : "bad-password", NULL, hint_of(x));
    if (sasl_fault_class(fault) == SASL_GRAMMAR) {
        send_no(x->smtpd, x->session, IPC_AUTH_MALFORMED);
        end(x);
    } else {
        refuse(x, user);
    }
}

/* --- the steps ---------------------------------------------------------------------------- */

static bool look_up(struct exchange *x)
{
    if (x->auth->passwords) {
        users_passwords_find(x->auth->passwords, sasl_server_user(x->sasl), &x->login);
        return true;
    }
    return users_find(x->auth->users, sasl_server_user(x->sasl), &x->login) == SP_OK;
}

static void run(struct exchange *x, enum sasl_server_state state);

/* The hash of another server has done its work: from now on this user is like any other. */
static void keep_imported(struct exchange *x, const struct sasl_verifier *v)
{
    struct sp_view user = users_name_view(&x->login.name);
    if (users_set_verifier(x->auth->users, user, v, os_wall_ms()) == SP_OK) /* else with the next login */
        os_log(OS_INFO, "user-converted", OS_VIEW("session", noted(&x->session_name)), OS_VIEW("user", user));
}

static void note_checked(struct auth_job *job)
{
    struct exchange *x = job->owner;
    x->job = NULL;
    if (job->status == SP_ERR_LONG) {
        say_unavailable(x, "too-many-attempts");
        return;
    }
    if (job->status) {
        say_unavailable(x, "no-memory");
        return;
    }
    bool right = job->which != SASL_WHICH_NONE && x->login.known && !x->login.disabled;
    x->which = job->which;
    if (right && job->remade && !x->auth->passwords)
        keep_imported(x, &job->verifier);
    else if (right)
        auth_cache_add(&x->auth->cache, x->mac, x->which, os_mono_ms());
    run(x, sasl_server_password_is(x->sasl, right));
}

static void note_dovecot(void *ctx, enum users_answer answer, struct sp_view user)
{
    struct exchange *x = ctx;
    struct sp_view name = user.len && user.len <= SASL_USER_MAX ? user : sasl_server_user(x->sasl);
    x->question = 0;
    if (answer == USERS_AWAY) {
        say_unavailable(x, "back-end-down");
        return;
    }
    x->login.known = answer != USERS_WRONG;
    x->login.disabled = answer == USERS_DISABLED;
    x->login.name.len = name.len;
    memcpy(x->login.name.octets, name.p, name.len);
    run(x, sasl_server_password_is(x->sasl, answer == USERS_RIGHT));
}

static void ask_dovecot(struct exchange *x)
{
    struct users_question q = {.user = sasl_server_user(x->sasl),
                               .password = sasl_server_password(x->sasl),
                               .client = noted(&x->client),
                               .tls = x->tls,
                               .done = note_dovecot,
                               .ctx = x};
    x->by_dovecot = true;
    x->question = users_dovecot_ask(x->auth->dovecot, &q);
}

/* Unknown and disabled users cost the same work: only who knows the right password of a living user skips it.
 */
static void check_password(struct exchange *x)
{
    struct auth *a = x->auth;
    struct sp_view password = sasl_server_password(x->sasl);
    if (a->dovecot) {
        ask_dovecot(x);
        return;
    }
    if (!look_up(x)) {
        say_unavailable(x, "users-db");
        return;
    }
    if (auth_cache_hash(&a->cache, users_name_view(&x->login.name), &x->login.verifier, password, x->mac)) {
        say_unavailable(x, "no-memory");
        return;
    }
    x->which = auth_cache_has(&a->cache, x->mac, os_mono_ms());
    x->cached = x->which != SASL_WHICH_NONE && x->login.known && !x->login.disabled;
    if (x->cached) {
        run(x, sasl_server_password_is(x->sasl, true));
        return;
    }
    uint8_t key[AUTH_CLIENT_KEY_MAX];
    size_t key_len = auth_client_key(noted(&x->client), key);
    struct auth_job *job = auth_job_new(AUTH_JOB_CHECK, password);
    job->verifier = x->login.verifier;
    job->imported = x->login.imported;
    memcpy(job->crypt, x->login.crypt, sizeof job->crypt);
    job->done = note_checked;
    job->owner = x;
    x->job = job;
    auth_worker_give(a->worker, sp_view_make(key, key_len), job);
}

static void give_verifier(struct exchange *x)
{
    /* Sessions that began before a reload may still have been offered SCRAM. */
    bool none = x->auth->dovecot || x->auth->passwords;
    x->verifier_given = true;
    if (!none && look_up(x))
        run(x, sasl_server_give_verifier(x->sasl, &x->login.verifier, x->login.known && !x->login.disabled));
    else
        say_unavailable(x, none ? "source-without-verifiers" : "users-db");
}

static void check_token(struct exchange *x)
{
    struct sp_buf user;
    sp_buf_init(&user, &os_heap, SASL_USER_MAX);
    x->token = true;
    x->token_fault =
        auth_token_judge(x->auth, sasl_server_password(x->sasl), sasl_server_user(x->sasl), &user);
    struct sp_view name = x->token_fault == SASL_TOKEN_NONE ? sp_buf_view(&user) : (struct sp_view){0};
    enum sasl_server_state state =
        sasl_server_token_is(x->sasl, name, auth_token_refusal(sasl_server_mechanism(x->sasl)));
    sp_buf_fini(&user);
    run(x, state);
}

/* A token names its user; who is in the database besides may be disabled there. */
static void say_yes_to_token(struct exchange *x)
{
    if (!look_up(x)) {
        say_unavailable(x, "users-db");
    } else if (x->login.known && x->login.disabled) {
        struct sp_view user = sasl_server_user(x->sasl);
        log_attempt(x, user, "disabled", NULL, NULL);
        refuse(x, user);
    } else {
        say_yes(x);
    }
}

static void send_challenge(struct exchange *x)
{
    auth_record_challenge(&x->record, sasl_server_challenge(x->sasl));
    struct ipc_message m = {
        .type = IPC_TYPE_auth_more,
        .as.auth_more = {.session = x->session, .challenge = sasl_server_challenge(x->sasl)}};
    (void)os_edge_send(x->smtpd, &m); /* as above */
}

/* What comes next; x may be gone afterwards. */
static void run(struct exchange *x, enum sasl_server_state state)
{
    switch (state) {
    case SASL_SERVER_CHALLENGE:
        send_challenge(x);
        break;
    case SASL_SERVER_ASK_PASSWORD:
        check_password(x);
        break;
    case SASL_SERVER_ASK_VERIFIER:
        give_verifier(x);
        break;
    case SASL_SERVER_ASK_TOKEN:
        check_token(x);
        break;
    case SASL_SERVER_YES:
        if (x->verifier_given)
            x->which = sasl_server_which(x->sasl);
        if (x->token)
            say_yes_to_token(x);
        else
            say_yes(x);
        break;
    case SASL_SERVER_NO:
        say_no(x);
        break;
    case SASL_SERVER_BROKEN:
        say_unavailable(x, "no-memory");
        break;
    }
}

/* --- messages of smtpd -------------------------------------------------------------------- */

static void refuse_begin(struct os_edge *smtpd, const struct ipc_auth_begin *m, enum ipc_auth_verdict verdict,
                         const char *reason)
{
    send_no(smtpd, m->session, verdict);
    os_log(OS_INFO, "auth-failed", OS_VIEW("session", m->session_name), OS_VIEW("mechanism", m->mechanism),
           OS_VIEW("client", m->client), OS_STR("tls", m->tls ? "yes" : "no"), OS_STR("reason", reason));
}

void auth_exchange_begin(struct auth *a, struct os_edge *smtpd, const struct ipc_auth_begin *m)
{
    struct sasl_server *sasl = NULL;
    struct exchange *before = find(a, smtpd, m->session);
    uint8_t key[KEY_LEN];
    if (before) {
        os_log(OS_WARN, "auth-begun-twice", OS_VIEW("session", m->session_name));
        end(before);
    }
    if (a->exchanges.n >= AUTH_EXCHANGES_MAX) {
        refuse_begin(smtpd, m, IPC_AUTH_UNAVAILABLE, "too-many-exchanges");
        return;
    }
    const struct sasl_binding binding = {{[SASL_BINDING_EXPORTER] = m->binding_exporter,
                                          [SASL_BINDING_UNIQUE] = m->binding_unique,
                                          [SASL_BINDING_END_POINT] = m->binding_end_point}};
    int status = sasl_server_new(m->mechanism, &os_heap, &sasl);
    if (status == SP_OK && (status = sasl_server_bind(sasl, &binding, m->plus_offered != 0)) != SP_OK)
        sasl_server_free(sasl);
    if (status) {
        bool unknown = status == SP_ERR_ABSENT;
        refuse_begin(smtpd, m, unknown ? IPC_AUTH_UNKNOWN_MECHANISM : IPC_AUTH_UNAVAILABLE,
                     unknown ? "unknown-mechanism" : "no-memory");
        return;
    }
    struct exchange *x = os_new(sizeof *x);
    *x = (struct exchange){.next = a->first,
                           .auth = a,
                           .smtpd = smtpd,
                           .session = m->session,
                           .sasl = sasl,
                           .tls = m->tls != 0,
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
    run(x, sasl_server_start(sasl, m->has_initial != 0, m->initial));
}

void auth_exchange_answer(struct auth *a, struct os_edge *smtpd, const struct ipc_auth_answer *m)
{
    struct exchange *x = find(a, smtpd, m->session);
    if (!x) {
        /* Begun with a process of this role that is gone: the session must not wait for ever. */
        send_no(smtpd, m->session, IPC_AUTH_UNAVAILABLE);
        return;
    }
    if (x->job || x->question || x->refused) {
        os_log(OS_WARN, "auth-answered-twice", OS_VIEW("session", noted(&x->session_name)));
        return;
    }
    auth_record_response(&x->record, m->response);
    run(x, sasl_server_step(x->sasl, m->response));
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
    os_log(OS_INFO, "auth-given-up", OS_VIEW("session", noted(&x->session_name)),
           OS_VIEW("user", sasl_server_user(x->sasl)), OS_STR("mechanism", sasl_server_mechanism(x->sasl)),
           OS_VIEW("client", noted(&x->client)), OS_STR("tls", x->tls ? "yes" : "no"),
           OS_STR("reason", given_up_as(why)), OS_STR("steps", x->record.text),
           OS_STR("offered-clear", x->offered_clear), OS_STR("offered-tls", x->offered_tls));
    end(x);
}

void auth_exchange_drop(struct auth *a, struct os_edge *smtpd, const struct ipc_auth_drop *m)
{
    struct exchange *x = find(a, smtpd, m->session);
    if (x)
        give_up(x, m->why);
}

void auth_exchange_leave_dovecot(struct auth *a)
{
    for (struct exchange *x = a->first, *next; x; x = next) {
        next = x->next;
        if (x->question)
            say_unavailable(x, "back-end-down");
    }
}

void auth_exchange_drop_edge(struct auth *a, struct os_edge *smtpd)
{
    for (struct exchange *x = a->first, *next; x; x = next) {
        next = x->next;
        if (x->smtpd == smtpd)
            end(x);
    }
}
