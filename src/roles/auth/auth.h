/* What the files of the role auth share. */
#ifndef ROLES_AUTH_AUTH_H
#define ROLES_AUTH_AUTH_H

#include "os/control.h"
#include "roles/auth/cache.h"
#include "roles/auth/record.h"
#include "roles/auth/source.h"
#include "roles/auth/worker.h"
#include "roles/role.h"
#include "roles/slow.h"
#include "sasl/token.h"

enum { AUTH_EXCHANGES_MAX = 16384 }; /* at once, in this process; more: 454 */

struct exchange;
struct wish;

/* What the role fetch has told of the issuer's keys. */
struct auth_fetched {
    char             *url;  /* whose they are; NULL: nothing was told yet */
    struct sasl_jwks *keys; /* NULL: there are none                       */
    int64_t           fetched_ms; /* wall time */
};

struct auth {
    struct role        *role;
    struct users       *users;
    struct auth_source *source;
    struct users_passwords *next_passwords; /* a source's, of the generation to come */
    struct auth_worker *worker;
    struct auth_cache   cache;
    struct slow         slow; /* shared with the other auth processes */
    struct sp_table     exchanges; /* key: edge and session */
    struct exchange    *first;     /* the same, as a list   */
    struct wish        *wishes;    /* those that wait for the worker */
    struct sasl_jwks   *keys;      /* of jwks-file, that sign tokens; NULL: there is none */
    struct sasl_jwks   *next_keys; /* of the generation to come */
    struct auth_fetched fetched;   /* keys of jwks-url */
    struct os_control  *control;   /* of the first process only; NULL elsewhere */
};

/* --- exchange.c: clients who say who they are -------------------------------------------- */

void auth_exchange_begin(struct auth *a, struct os_edge *smtpd, const struct ipc_auth_begin *m);
void auth_exchange_answer(struct auth *a, struct os_edge *smtpd, const struct ipc_auth_answer *m);
void auth_exchange_drop(struct auth *a, struct os_edge *smtpd, const struct ipc_auth_drop *m);

/* The source will not be asked any more: whoever waits for its answer is told 454. */
void auth_exchange_leave_source(struct auth *a);

/* The issuer's keys have come, or cannot come: judge the tokens that wait for them. */
void auth_exchange_note_keys(struct auth *a, enum ipc_keys_answer answer);

/* The edge is gone, and all of its sessions with it. */
void auth_exchange_drop_edge(struct auth *a, struct os_edge *smtpd);

/* --- relay.c: mechanisms that the source speaks itself -------------------------------------- */

/* They have changed: tell every smtpd. ctx: the role's struct auth. */
void auth_relay_tell_all(void *ctx);
void auth_relay_tell(struct auth *a, struct os_edge *smtpd);

/* --- keys.c: the keys of a token issuer ------------------------------------------------------ */

/* Those that are in use now; NULL: there are none. */
const struct sasl_jwks *auth_keys(const struct auth *a);

/* Ask the issuer for newer ones; auth_exchange_note_keys follows. false: it cannot be asked. */
bool auth_keys_ask(struct auth *a);

void auth_keys_take(struct auth *a, const struct ipc_keys_here *m);

/* --- token.c: bearer tokens ----------------------------------------------------------------- */

/*
 * Judge a token. Whom the client says it is (claimed, may be empty) must be whom the token speaks for.
 *   user_out  appended to when SASL_TOKEN_NONE
 */
enum sasl_token_fault auth_token_judge(const struct auth *a, struct sp_view token, struct sp_view claimed,
                                       struct sp_buf *user_out);

/*
 * What a client is told before the refusal: RFC 7628 3.2.2, and for XOAUTH2 what its inventor sends. Clients look
 * for "status" in both. Static text.
 */
struct sp_view auth_token_refusal(const char *mechanism);

/* --- wish.c: changes of users that tools and the supervisor want ------------------------- */

void auth_wish_take(struct auth *a, struct os_edge *from, const struct ipc_message *m);

/* The asker is gone: what it waits for is not done. */
void auth_wish_drop_edge(struct auth *a, struct os_edge *from);

/* Listen for tools. */
void auth_wish_open(struct auth *a);

#endif
