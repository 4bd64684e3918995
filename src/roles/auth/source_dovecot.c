#include "os/heap.h"
#include "roles/auth/source.h"

#include <stdlib.h>

struct dovecot {
    struct auth_source source;
    struct users_dovecot *dovecot;
    struct users *users;
};

static struct users_dovecot *of(const struct auth_source *s) { return ((const struct dovecot *)s)->dovecot; }

/* Dovecot says nothing of users without their passwords. */
static bool find(struct auth_source *s, struct sp_view name, struct users_login *login_out)
{
    return users_find(((struct dovecot *)s)->users, name, login_out) == SP_OK;
}

static uint32_t ask(struct auth_source *s, const struct users_password_question *q)
{
    return users_dovecot_ask(of(s), q);
}

static struct sp_view name_mechanisms(const struct auth_source *s) { return users_dovecot_mechanisms(of(s)); }

static uint32_t begin(struct auth_source *s, const struct users_question *q)
{
    return users_dovecot_begin(of(s), q);
}

static void go_on(struct auth_source *s, uint32_t question, struct sp_view response)
{
    users_dovecot_continue(of(s), question, response);
}

static void forget(struct auth_source *s, uint32_t question) { users_dovecot_forget(of(s), question); }

static void end(struct auth_source *s)
{
    users_dovecot_free(of(s));
    free(s);
}

static const struct auth_source_ops ops = {.refusal = "refused-by-dovecot",
                                           .find = find,
                                           .ask = ask,
                                           .mechanisms = name_mechanisms,
                                           .begin = begin,
                                           .go_on = go_on,
                                           .forget = forget,
                                           .free = end};

struct auth_source *auth_source_dovecot(struct event_base *base, const char *path, struct users *users,
                                        void (*news)(void *ctx), void *ctx)
{
    struct dovecot *d = os_new(sizeof *d);
    *d = (struct dovecot){{&ops}, users_dovecot_new(base, path), users};
    users_dovecot_watch(d->dovecot, news, ctx);
    return &d->source;
}
