#include "roles/supervisor/users.h"

#include "base/view.h"
#include "os/heap.h"

#include <stdlib.h>

enum { PASSWORD_MAX = 4096, PASSWORD_LETTERS = 20 };

static struct wanted_user *add(struct supervisor *sv, const char *name, bool replace)
{
    struct wanted_user *u = &sv->users[sv->user_n++];
    u->name = os_text(sp_view_of(name));
    u->replace = replace;
    sp_buf_init(&u->password, &os_heap, PASSWORD_MAX);
    return u;
}

/* 100 random bits in letters that survive shells, JSON and being read aloud. */
static void add_password(struct sp_buf *out)
{
    static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint8_t           random[PASSWORD_LETTERS];
    os_random(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        sp_buf_add_u8(out, (uint8_t)letters[random[i] & 31]);
    explicit_bzero(random, sizeof random);
}

void users_init(struct supervisor *sv)
{
    const struct supervisor_options *o = sv->options;
    sv->users = os_new((o->user_n + 1) * sizeof *sv->users);
    for (size_t i = 0; i < o->user_n; i++) {
        struct wanted_user *u = add(sv, o->users[i].name, true);
        sp_buf_add_str(&u->password, o->users[i].password);
    }
    if (o->user_n == 0 && !o->path)
        add_password(&add(sv, "demo", false)->password);
}

void users_forget_passwords(struct supervisor *sv)
{
    for (size_t i = 0; i < sv->user_n; i++)
        sp_buf_fini_secret(&sv->users[i].password);
}

void users_fini(struct supervisor *sv)
{
    users_forget_passwords(sv);
    for (size_t i = 0; i < sv->user_n; i++)
        free(sv->users[i].name);
    free(sv->users);
    sv->users = NULL;
    sv->user_n = 0;
}

void users_note_known(struct supervisor *sv, struct sp_view name, bool changed)
{
    for (size_t i = 0; i < sv->user_n; i++)
        if (sp_view_eq(sp_view_of(sv->users[i].name), name)) {
            sv->users[i].known = true;
            sv->users[i].changed = changed;
        }
}

bool users_known(const struct supervisor *sv)
{
    for (size_t i = 0; i < sv->user_n; i++)
        if (!sv->users[i].known)
            return false;
    return true;
}
