/*
 * Mechanisms that the source, Dovecot, speaks with the client, while we carry the octets: what needs secrets
 * that are there and not here (SCRAM, CRAM-MD5, DIGEST-MD5, ...). PLAIN and LOGIN are ours, so that a
 * malformed one can be named.
 */
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/auth/exchange.h"

#include <string.h>

/* --- what is offered ---------------------------------------------------------------------- */

/* Our own names, and tokens where we know whose are good. */
static bool is_ours(const struct auth *a, struct sp_view name)
{
    const struct config_tokens *t = &a->role->config->tokens;
    bool bearer = sp_view_eq(name, SP_LIT("OAUTHBEARER")) || sp_view_eq(name, SP_LIT("XOAUTH2"));
    return sp_view_eq(name, SP_LIT("PLAIN")) || sp_view_eq(name, SP_LIT("LOGIN")) ||
           (bearer && (t->jwks_file || t->jwks_url));
}

static struct sp_view mechanisms_of(const struct auth *a)
{
    const struct auth_source *s = a->source;
    return s->ops->mechanisms ? s->ops->mechanisms(s) : (struct sp_view){0};
}

/* The name as Dovecot writes it; an empty view: not to be passed on. */
static struct sp_view relayed_name(const struct auth *a, struct sp_view mechanism)
{
    struct sp_view name, rest = mechanisms_of(a);
    while (sp_view_word(&rest, ' ', &name))
        if (sp_view_eq_nocase(name, mechanism) && !is_ours(a, name))
            return name;
    return (struct sp_view){0};
}

void auth_relay_tell(struct auth *a, struct os_edge *smtpd)
{
    struct ipc_message m = {.type = IPC_TYPE_source_mechanisms};
    m.as.source_mechanisms.names = mechanisms_of(a);
    if (m.as.source_mechanisms.names.len)
        (void)os_edge_send(smtpd, &m); /* who comes later is told then */
}

void auth_relay_tell_all(void *ctx)
{
    struct auth *a = ctx;
    os_log(OS_INFO, "dovecot-mechanisms", OS_VIEW("names", mechanisms_of(a)));
    for (size_t i = 0; i < role_peer_n(a->role, IPC_SMTPD); i++)
        auth_relay_tell(a, role_peer(a->role, IPC_SMTPD, i));
}

/* --- an exchange -------------------------------------------------------------------------- */

static void pass_challenge(void *ctx, struct sp_view challenge)
{
    struct exchange *x = ctx;
    x->challenged = true;
    auth_send_challenge(x, challenge);
}

static void take_answer(void *ctx, enum users_answer answer, struct sp_view user)
{
    struct exchange *x = ctx;
    x->question = 0;
    x->login.name.len = user.len <= SASL_USER_MAX ? user.len : 0;
    if (x->login.name.len)
        memcpy(x->login.name.octets, user.p, user.len);
    user = users_name_view(&x->login.name);
    if (answer == USERS_RIGHT && user.len) {
        x->login.known = true;
        auth_say_yes(x);
    } else if (answer == USERS_RIGHT || answer == USERS_AWAY) {
        auth_say_unavailable(x, "back-end-down");
    } else {
        auth_log_attempt(x, user, answer == USERS_DISABLED ? "disabled" : x->auth->source->ops->refusal, NULL,
                         NULL);
        auth_refuse(x, user);
    }
}

bool auth_relay_is(const struct auth *a, struct sp_view mechanism)
{
    return relayed_name(a, mechanism).len > 0;
}

void auth_relay_begin(struct exchange *x, const struct ipc_auth_begin *m)
{
    struct sp_view name = relayed_name(x->auth, m->mechanism);
    const struct users_question q = {.mechanism = name,
                                     .has_response = m->has_initial != 0,
                                     .response = m->initial,
                                     .client = auth_noted(&x->client),
                                     .tls = x->tls,
                                     .challenge = pass_challenge,
                                     .done = take_answer,
                                     .ctx = x};
    if (name.len < sizeof x->relayed) /* RFC 4422 allows 20 */
        memcpy(x->relayed, name.p, name.len);
    x->question = x->auth->source->ops->begin(x->auth->source, &q);
}

void auth_relay_answer(struct exchange *x, struct sp_view response)
{
    x->challenged = false;
    x->auth->source->ops->go_on(x->auth->source, x->question, response);
}
