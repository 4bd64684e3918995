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
    (void)sp_buf_reserve(&u->password, PASSWORD_MAX); /* so that growing leaves no copy behind */
    return u;
}

/* The buffer is all zeros behind the text: it is a C string for the banner too. */
static void set_password(struct wanted_user *u, const char *password)
{
    memset(u->password.p, 0, PASSWORD_MAX);
    sp_buf_add(&u->password, sp_view_sub(sp_view_of(password), 0, PASSWORD_MAX - 1));
}

/* 100 random bits in letters that survive shells, JSON and being read aloud. */
static void make_password(struct wanted_user *u)
{
    static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
    char password[PASSWORD_LETTERS + 1] = {0};
    os_random(password, PASSWORD_LETTERS);
    for (size_t i = 0; i < PASSWORD_LETTERS; i++)
        password[i] = letters[password[i] & 31];
    set_password(u, password);
    explicit_bzero(password, sizeof password);
}

void users_init(struct supervisor *sv)
{
    const struct supervisor_options *o = sv->options;
    sv->users = os_new((o->user_n + 1) * sizeof *sv->users);
    for (size_t i = 0; i < o->user_n; i++) {
        set_password(add(sv, o->users[i].name, true), o->users[i].password);
    }
    if (o->user_n == 0 && !o->path)
        make_password(add(sv, "demo", false));
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
