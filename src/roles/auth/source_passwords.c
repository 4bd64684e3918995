#include "os/heap.h"
#include "roles/auth/source.h"

#include <stdlib.h>

struct passwords {
    struct auth_source source;
    struct users_passwords *users;
};

static bool find(struct auth_source *s, struct sp_view name, struct users_login *login_out)
{
    users_passwords_find(((struct passwords *)s)->users, name, login_out);
    return true;
}

static void end(struct auth_source *s)
{
    users_passwords_free(((struct passwords *)s)->users);
    free(s);
}

static const struct auth_source_ops ops = {.find = find, .free = end};

struct auth_source *auth_source_passwords(struct users_passwords *users)
{
    struct passwords *p = os_new(sizeof *p);
    *p = (struct passwords){{&ops}, users};
    return &p->source;
}
