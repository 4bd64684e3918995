/* What a mechanism asks for on its way: a password checked, a verifier, a token judged, a challenge sent. */
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/auth/exchange.h"

#include <string.h>

enum { KEYS_WAIT_MS = 12000 }; /* longer than the fetch of the keys may take */

/* --- the steps ---------------------------------------------------------------------------- */

bool auth_look_up(struct exchange *x, struct sp_view name)
{
    return x->auth->source->ops->find(x->auth->source, name, &x->login);
}

static bool look_up(struct exchange *x) { return auth_look_up(x, sasl_server_user(x->sasl)); }

/* The hash of another server has done its work: from now on this user is like any other. */
static void keep_imported(struct exchange *x, const struct sasl_verifier *v)
{
    struct sp_view user = users_name_view(&x->login.name);
    if (users_set_verifier(x->auth->users, user, v, os_wall_ms()) == SP_OK) /* else with the next login */
        os_log(OS_INFO, "user-converted", OS_VIEW("session", auth_noted(&x->session_name)),
               OS_VIEW("user", user));
}

static void note_checked(struct auth_job *job)
{
    struct exchange *x = job->owner;
    x->job = NULL;
    if (job->status == SP_ERR_LONG) {
        auth_say_unavailable(x, "too-many-attempts");
        return;
    }
    if (job->status) {
        auth_say_unavailable(x, "no-memory");
        return;
    }
    bool right = job->which != SASL_WHICH_NONE && x->login.known && !x->login.disabled;
    x->which = job->which;
    if (right && job->remade && x->auth->source->ops->keeps)
        keep_imported(x, &job->verifier);
    else if (right)
        auth_cache_add(&x->auth->cache, x->mac, x->which, os_mono_ms());
    auth_exchange_run(x, sasl_server_password_is(x->sasl, right));
}

static void note_answer(void *ctx, enum users_answer answer, struct sp_view user)
{
    struct exchange *x = ctx;
    struct sp_view name = user.len && user.len <= SASL_USER_MAX ? user : sasl_server_user(x->sasl);
    x->question = 0;
    if (answer == USERS_AWAY) {
        auth_say_unavailable(x, "back-end-down");
        return;
    }
    x->login.known = answer != USERS_WRONG;
    x->login.disabled = answer == USERS_DISABLED;
    x->login.name.len = name.len;
    memcpy(x->login.name.octets, name.p, name.len);
    auth_exchange_run(x, sasl_server_password_is(x->sasl, answer == USERS_RIGHT));
}

static void ask_source(struct exchange *x)
{
    struct users_password_question q = {.user = sasl_server_user(x->sasl),
                                        .password = sasl_server_password(x->sasl),
                                        .client = auth_noted(&x->client),
                                        .tls = x->tls,
                                        .done = note_answer,
                                        .ctx = x};
    struct auth_source *source = x->auth->source;
    x->refusal = source->ops->refusal;
    x->question = source->ops->ask(source, &q);
}

/* Unknown and disabled users cost the same work: only who knows the right password of a living user skips it.
 */
static void check_password(struct exchange *x)
{
    struct auth *a = x->auth;
    struct sp_view password = sasl_server_password(x->sasl);
    if (a->source->ops->ask) {
        ask_source(x);
        return;
    }
    if (!look_up(x)) {
        auth_say_unavailable(x, "users-db");
        return;
    }
    if (auth_cache_hash(&a->cache, users_name_view(&x->login.name), &x->login.verifier, password, x->mac)) {
        auth_say_unavailable(x, "no-memory");
        return;
    }
    x->which = auth_cache_has(&a->cache, x->mac, os_mono_ms());
    x->cached = x->which != SASL_WHICH_NONE && x->login.known && !x->login.disabled;
    if (x->cached) {
        auth_exchange_run(x, sasl_server_password_is(x->sasl, true));
        return;
    }
    uint8_t key[AUTH_CLIENT_KEY_MAX];
    size_t key_len = auth_client_key(auth_noted(&x->client), key);
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
    bool none = !x->auth->source->ops->has_verifiers;
    x->verifier_given = true;
    if (!none && look_up(x))
        auth_exchange_run(
            x, sasl_server_give_verifier(x->sasl, &x->login.verifier, x->login.known && !x->login.disabled));
    else
        auth_say_unavailable(x, none ? "source-without-verifiers" : "users-db");
}

static void stop_awaiting_keys(struct exchange *x)
{
    if (x->awaits_keys)
        os_timer_fini(&x->late);
    x->awaits_keys = false;
}

static void give_up_keys(void *ctx) { auth_say_unavailable(ctx, "token-keys-away"); }

/* The key may be newer than what is known here. */
static void await_keys(struct exchange *x)
{
    if (!x->awaits_keys) {
        os_timer_init(&x->late, x->auth->role->base, give_up_keys, x);
        os_timer_set(&x->late, KEYS_WAIT_MS);
    }
    x->awaits_keys = true;
}

/* What the issuer, just asked, does not know nobody knows. */
static void check_token(struct exchange *x, enum ipc_keys_answer keys)
{
    struct sp_buf user;
    sp_buf_init(&user, &os_heap, SASL_USER_MAX);
    x->token = true;
    x->token_fault =
        auth_token_judge(x->auth, sasl_server_password(x->sasl), sasl_server_user(x->sasl), &user);
    bool newest = keys == IPC_KEYS_NEWEST && auth_keys(x->auth); /* else they are too old by now */
    if (x->token_fault == SASL_TOKEN_KEY && !newest && x->auth->role->config->tokens.jwks_url) {
        sp_buf_fini(&user);
        if (keys == IPC_KEYS_KEPT && (x->awaits_keys || auth_keys_ask(x->auth)))
            await_keys(x);
        else
            auth_say_unavailable(x, "token-keys-away");
        return;
    }
    stop_awaiting_keys(x);
    struct sp_view name = x->token_fault == SASL_TOKEN_NONE ? sp_buf_view(&user) : (struct sp_view){0};
    enum sasl_server_state state =
        sasl_server_token_is(x->sasl, name, auth_token_refusal(sasl_server_mechanism(x->sasl)));
    sp_buf_fini(&user);
    auth_exchange_run(x, state);
}

void auth_exchange_note_keys(struct auth *a, enum ipc_keys_answer answer)
{
    for (struct exchange *x = a->first, *next; x; x = next) {
        next = x->next;
        if (x->awaits_keys)
            check_token(x, answer);
    }
}

/* A token names its user; who is in the database besides may be disabled there. */
static void say_yes_to_token(struct exchange *x)
{
    if (!look_up(x)) {
        auth_say_unavailable(x, "users-db");
    } else if (x->login.known && x->login.disabled) {
        struct sp_view user = sasl_server_user(x->sasl);
        auth_log_attempt(x, user, "disabled", NULL, NULL);
        auth_refuse(x, user);
    } else {
        auth_say_yes(x);
    }
}

/* Is the password still one of this user's? An imported hash may just have become a verifier. */
static bool is_still_there(const struct exchange *x, const struct users_login *now)
{
    const struct sasl_keys *was = sasl_verifier_keys(&x->login.verifier, SASL_SHA256, x->which);
    return now->known && !now->disabled &&
           ((x->login.imported && x->which == SASL_WHICH_OWN) ||
            sasl_verifier_which(&now->verifier, SASL_SHA256, was->stored) != SASL_WHICH_NONE);
}

/*
 * Who was disabled, or was given another password, or lost this one, while the client thought or the line was
 * long, does not come in by what was looked up before.
 */
static void say_yes_to_password(struct exchange *x)
{
    struct auth_source *source = x->auth->source;
    struct users_login now;
    if (source->ops->ask) { /* it has just been asked */
        auth_say_yes(x);
        return;
    }
    if (!source->ops->find(source, users_name_view(&x->login.name), &now)) {
        auth_say_unavailable(x, "users-db");
        return;
    }
    if (is_still_there(x, &now)) {
        auth_say_yes(x);
    } else {
        struct sp_view user = users_name_view(&x->login.name);
        auth_log_attempt(x, user,
                         !now.known     ? "unknown-user"
                         : now.disabled ? "disabled"
                                        : "bad-password",
                         NULL, "changed while the client logged in");
        auth_refuse(x, user);
    }
    explicit_bzero(&now, sizeof now);
}

void auth_send_challenge(struct exchange *x, struct sp_view challenge)
{
    auth_record_challenge(&x->record, challenge);
    struct ipc_message m = {.type = IPC_TYPE_auth_more,
                            .as.auth_more = {.session = x->session, .challenge = challenge}};
    (void)os_edge_send(x->smtpd, &m); /* as above */
}

void auth_exchange_run(struct exchange *x, enum sasl_server_state state)
{
    switch (state) {
    case SASL_SERVER_CHALLENGE:
        auth_send_challenge(x, sasl_server_challenge(x->sasl));
        break;
    case SASL_SERVER_ASK_PASSWORD:
        check_password(x);
        break;
    case SASL_SERVER_ASK_VERIFIER:
        give_verifier(x);
        break;
    case SASL_SERVER_ASK_TOKEN:
        check_token(x, IPC_KEYS_KEPT);
        break;
    case SASL_SERVER_ASK_EXTERNAL:
        auth_check_external(x);
        break;
    case SASL_SERVER_YES:
        if (x->verifier_given)
            x->which = sasl_server_which(x->sasl);
        if (x->token)
            say_yes_to_token(x);
        else
            say_yes_to_password(x);
        break;
    case SASL_SERVER_NO:
        auth_say_no(x);
        break;
    case SASL_SERVER_BROKEN:
        auth_say_unavailable(x, "no-memory");
        break;
    }
}
