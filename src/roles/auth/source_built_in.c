#include "os/heap.h"
#include "roles/auth/source.h"

#include <stdlib.h>

struct built_in {
    struct auth_source source;
    struct users *users;
};

static bool find(struct auth_source *s, struct sp_view name, struct users_login *login_out)
{
    return users_find(((struct built_in *)s)->users, name, login_out) == SP_OK;
}

static void end(struct auth_source *s) { free(s); }

static const struct auth_source_ops ops = {.has_verifiers = true, .keeps = true, .find = find, .free = end};

struct auth_source *auth_source_built_in(struct users *users)
{
    struct built_in *b = os_new(sizeof *b);
    *b = (struct built_in){{&ops}, users};
    return &b->source;
}
