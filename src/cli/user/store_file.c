/* The users of a data folder that no server uses: users.db itself, under the folder's lock. */
#include "base/view.h"
#include "cli/user/store_parts.h"
#include "os/clock.h"
#include "os/heap.h"
#include "sasl/cram_md5.h"

#include <string.h>

static bool wants_cram(const struct ipc_message *m)
{
    return (m->type == IPC_TYPE_user_add && m->as.user_add.cram_md5) ||
           (m->type == IPC_TYPE_user_passwd && m->as.user_passwd.cram_md5);
}

/* Under the salt of those that the user has: one for all passwords of a user. */
static int make_verifier(const struct ipc_message *m, const struct users_login *login,
                         struct sp_view prepared, struct sasl_verifier *verifier_out)
{
    bool app = m->type == IPC_TYPE_user_app_add;
    int status;
    if (m->type != IPC_TYPE_user_add && (app || login->verifier.more_n > 0)) {
        *verifier_out = login->verifier;
        status = sasl_verifier_remake(prepared, verifier_out);
    } else {
        status = sasl_verifier_make(prepared, verifier_out);
    }
    if (!status && wants_cram(m)) {
        sasl_cram_derive(prepared, verifier_out->cram);
        verifier_out->has_cram = true;
    }
    return status;
}

/* A new password of a user, or the first of a new one, or, with a label, a further one. */
static int set_password(struct users *u, const struct ipc_message *m, struct sp_view name,
                        struct sp_view prepared)
{
    struct users_login login = {0};
    struct sasl_verifier v = {0};
    bool add = m->type == IPC_TYPE_user_add, app = m->type == IPC_TYPE_user_app_add;
    int status = users_find(u, name, &login);
    if (!status && !add && !login.known)
        status = SP_ERR_ABSENT;
    if (!status && app && login.verifier.more_n == SASL_MORE_MAX)
        status = SP_ERR_RANGE;
    if (!status)
        status = make_verifier(m, &login, prepared, &v);
    if (!status && add)
        status = users_add(u, name, &v, os_wall_ms());
    else if (!status && app)
        status = users_app_add(u, name, m->as.user_app_add.label, &v, os_wall_ms());
    else if (!status)
        status = users_set_verifier(u, name, &v, os_wall_ms());
    explicit_bzero(&login, sizeof login);
    explicit_bzero(&v, sizeof v);
    return status;
}

static int prepare_password(struct users *u, const struct ipc_message *m, struct sp_view name,
                            struct sp_view password)
{
    struct sp_buf prepared;
    enum sasl_fault fault;
    sp_buf_init(&prepared, &os_heap, SASL_PASSWORD_MAX);
    (void)sp_buf_reserve(&prepared, SASL_PASSWORD_MAX); /* failure sticks */
    int status = sasl_prep(password, SASL_PREP_STORED, &prepared, &fault);
    if (!status)
        status = set_password(u, m, name, sp_buf_view(&prepared));
    sp_buf_fini_secret(&prepared);
    return status;
}

static enum ipc_user_result result_of(int status, struct sp_buf *text)
{
    switch (status) {
    case SP_OK:
        return IPC_USER_OK;
    case SP_ERR_EXISTS:
        return IPC_USER_EXISTS;
    case SP_ERR_ABSENT:
        return IPC_USER_ABSENT;
    case SP_ERR_SYNTAX:
    case SP_ERR_LONG:
        sp_buf_add_str(text, "the name, the password or another value cannot be used");
        return IPC_USER_INVALID;
    case SP_ERR_RANGE:
        sp_buf_add_str(
            text, "the user has 16 application passwords, and that is as many as there can be; revoke one");
        return IPC_USER_INVALID;
    default:
        sp_buf_add_str(text, "users.db cannot be read or written");
        return IPC_USER_UNAVAILABLE;
    }
}

enum ipc_user_result user_file_change(struct users *u, const struct ipc_message *m, struct sp_buf *text)
{
    int status;
    switch (m->type) {
    case IPC_TYPE_user_add:
        status = prepare_password(u, m, m->as.user_add.name, m->as.user_add.password);
        break;
    case IPC_TYPE_user_passwd:
        status = prepare_password(u, m, m->as.user_passwd.name, m->as.user_passwd.password);
        break;
    case IPC_TYPE_user_app_add:
        status = prepare_password(u, m, m->as.user_app_add.name, m->as.user_app_add.password);
        break;
    default:
        status = auth_kept_change(u, m);
        break;
    }
    return result_of(status, text);
}

enum ipc_user_result user_file_page(struct users *u, struct sp_view after, struct sp_buf *list,
                                    struct sp_buf *text)
{
    return result_of(auth_kept_page(u, after, list), text);
}

enum ipc_user_result user_file_show(struct users *u, struct sp_view name, struct auth_kept_user *out,
                                    struct sp_buf *text)
{
    return result_of(auth_kept_show(u, name, out), text);
}
