/*
 * An exchange: one client that says who it is, from AUTH to the verdict. This header is the inside of four files:
 * exchange.c has the exchanges and what smtpd says of them, steps.c what the mechanism asks for, verdict.c the end;
 * trace.c tells the console.
 */
#ifndef ROLES_AUTH_EXCHANGE_H
#define ROLES_AUTH_EXCHANGE_H

#include "roles/auth/auth.h"
#include "sasl/server.h"

/* Text of another process, kept for the log. */
struct note {
    uint8_t octets[64];
    size_t len;
};

struct exchange {
    struct exchange *next, *previous; /* in no order, for the end of an edge */
    struct auth *auth;
    struct os_edge *smtpd;
    uint64_t session;
    struct sasl_server *sasl;
    struct auth_job *job; /* NULL unless a password is being checked */
    uint32_t question; /* that the source is asked; 0: none is open */
    const char *refusal; /* reason, where the source said no without saying why; NULL: the login says it */
    char relayed[24]; /* the mechanism that the source speaks with the client; empty: one of ours, in sasl */
    bool challenged;  /* relayed: it is the client's turn */
    struct os_timer late; /* holds back a refusal */
    bool refused;         /* and waits for it     */
    struct users_login login;
    int which; /* password of the login that was right */
    uint8_t mac[AUTH_CACHE_MAC_LEN];
    bool cached, tls, verifier_given;
    bool token; /* instead of a password */
    bool awaits_keys; /* of the issuer, for its token */
    enum sasl_token_fault token_fault;
    enum ipc_certificate certificate; /* that the client has shown */
    char *certificate_names, *certificate_fault;
    const char *why; /* it is refused, where no fault and no login says so; NULL: they do */
    char *detail;
    struct note client, session_name;
    struct auth_record record;
    char *offered_clear, *offered_tls;
};

static inline struct sp_view auth_noted(const struct note *n) { return sp_view_make(n->octets, n->len); }

/* Who it is, as far as is known, and by which mechanism. */
static inline struct sp_view auth_user_of(const struct exchange *x)
{
    return x->relayed[0] ? sp_view_make(x->login.name.octets, x->login.name.len) : sasl_server_user(x->sasl);
}
static inline const char *auth_mechanism_of(const struct exchange *x)
{
    return x->relayed[0] ? x->relayed : sasl_server_mechanism(x->sasl);
}

/* --- relay.c: mechanisms that the source speaks with the client -------------------------------- */

bool auth_relay_is(const struct auth *a, struct sp_view mechanism);
void auth_relay_begin(struct exchange *x, const struct ipc_auth_begin *m);
void auth_relay_answer(struct exchange *x, struct sp_view response);

/* --- exchange.c, steps.c ---------------------------------------------------------------------- */

/* Forget it; what it waits for is given up. */
void auth_exchange_end(struct exchange *x);

/* Do what comes next in this state; x may be gone afterwards. */
void auth_exchange_run(struct exchange *x, enum sasl_server_state state);

/* steps.c: find a user by name into x->login. false: the source cannot be read; it is logged. */
bool auth_look_up(struct exchange *x, struct sp_view name);

/* external.c: judge the certificate, and go on. */
void auth_check_external(struct exchange *x);

void auth_send_challenge(struct exchange *x, struct sp_view challenge);

/* --- verdict.c: each of the first four ends the exchange ------------------------------------ */

void auth_say_yes(struct exchange *x);
void auth_say_no(struct exchange *x);
void auth_say_unavailable(struct exchange *x, const char *reason);

/* Refuse the credentials, now or after a while where somebody guesses. */
void auth_refuse(struct exchange *x, struct sp_view user);

/* Tell smtpd of a session that has no exchange, or no longer. */
void auth_send_no(struct os_edge *smtpd, uint64_t session, enum ipc_auth_verdict verdict);

/* trace.c: tell the console of an attempt, for the trace of its session. reason NULL: it succeeded. */
void auth_trace_attempt(const struct exchange *x, struct sp_view user, const char *reason, const char *defect,
                        const char *detail);

/* The one line of an attempt. reason NULL: it succeeded. */
void auth_log_attempt(const struct exchange *x, struct sp_view user, const char *reason, const char *defect,
                      const char *detail);

#endif
