/*
 * Who may log in: one interface, and behind it the built-in users.db, a password file, or Dovecot. What a source cannot
 * do is NULL or false in its row; nobody else asks which source it is.
 */
#ifndef ROLES_AUTH_SOURCE_H
#define ROLES_AUTH_SOURCE_H

#include "users/dovecot.h"
#include "users/passwords.h"
#include "users/users.h"

struct auth_source;

struct auth_source_ops {
    const char *refusal; /* reason when `ask` said no without saying why; NULL: find has said it */
    bool has_verifiers;  /* find gives SCRAM's                                                   */
    bool keeps;          /* a verifier made of a password that was right can be kept             */

    /* A user by name; the same work whether it is there or not. false: users.db cannot be read, which is logged. */
    bool (*find)(struct auth_source *s, struct sp_view name, struct users_login *login_out);

    /* Is this the password? Answered by the loop. NULL: it is checked here, against what find gives. */
    uint32_t (*ask)(struct auth_source *s, const struct users_password_question *q);

    /* Mechanisms that the source itself speaks with the client, names with blanks between; NULL: none. */
    struct sp_view (*mechanisms)(const struct auth_source *s);
    uint32_t (*begin)(struct auth_source *s, const struct users_question *q);
    void (*go_on)(struct auth_source *s, uint32_t question, struct sp_view response);

    /* Nobody waits for the answer to ask or begin any more. */
    void (*forget)(struct auth_source *s, uint32_t question);

    void (*free)(struct auth_source *s); /* questions that are open are forgotten */
};

/* Stands first in each source's own struct. */
struct auth_source {
    const struct auth_source_ops *ops;
};

/* users: borrowed for the source's life. */
struct auth_source *auth_source_built_in(struct users *users);

/* passwords: owned from now on. */
struct auth_source *auth_source_passwords(struct users_passwords *passwords);

/*
 *   users  borrowed; of those who come by token it knows who is disabled
 *   news   called when what `mechanisms` gives has changed
 */
struct auth_source *auth_source_dovecot(struct event_base *base, const char *path, struct users *users,
                                        void (*news)(void *ctx), void *ctx);

#endif
