#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/auth/auth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { USERS_PER_PAGE = 256 };

enum wish_kind { WISH_ADD, WISH_PASSWD, WISH_WANTED, WISH_APP_ADD };

/* A new password whose verifier is being made. */
struct wish {
    struct wish *next, *previous;
    struct auth *auth;
    struct os_edge *from;
    struct auth_job *job;
    enum wish_kind kind;
    struct users_name name; /* as written */
    uint8_t label[USERS_LABEL_MAX];
    size_t label_len;
};

/* --- answers ------------------------------------------------------------------------------ */

static void answer_tool(struct os_edge *tool, enum ipc_user_result result, const char *text)
{
    struct ipc_message m = {.type = IPC_TYPE_user_done,
                            .as.user_done = {.result = (uint8_t)result, .text = sp_view_of(text)}};
    (void)os_edge_send(tool, &m); /* a tool that has left needs no answer */
}

static void answer_supervisor(struct os_edge *supervisor, struct sp_view name, bool changed,
                              const char *fault)
{
    struct ipc_message m = {
        .type = IPC_TYPE_user_known,
        .as.user_known = {.name = name, .changed = changed ? 1 : 0, .fault = sp_view_of(fault)}};
    (void)os_edge_send(supervisor, &m); /* its end is ours */
}

static enum ipc_user_result result_of(int status)
{
    switch (status) {
    case SP_OK:
        return IPC_USER_OK;
    case SP_ERR_EXISTS:
        return IPC_USER_EXISTS;
    case SP_ERR_ABSENT:
        return IPC_USER_ABSENT;
    case SP_ERR_SYNTAX:
        return IPC_USER_INVALID;
    default:
        return IPC_USER_UNAVAILABLE;
    }
}

static const char *text_of(int status)
{
    switch (status) {
    case SP_ERR_SYNTAX:
        return "the name or another value cannot be used";
    case SP_ERR_LONG:
        return "too many logins wait to be checked; try again";
    case SP_ERR_NOMEM:
        return "out of memory";
    case SP_ERR_IO:
        return "users.db cannot be read or written; the log of the role auth says why";
    default:
        return "";
    }
}

static void answer(struct os_edge *from, struct sp_view name, bool changed, int status)
{
    if (os_edge_peer(from) == IPC_TOOL)
        answer_tool(from, result_of(status), text_of(status));
    else
        answer_supervisor(from, name, changed && !status, text_of(status));
}

/* All that changes a user ends here: nothing cached outlives it. */
static void finish_change(struct auth *a, struct os_edge *from, const char *event, struct sp_view name,
                          int status)
{
    if (!status) {
        auth_cache_clear(&a->cache);
        os_log(OS_INFO, event, OS_VIEW("user", name), OS_STR("by", ipc_role_name(os_edge_peer(from))));
    }
    answer(from, name, true, status);
}

/* --- passwords: through the worker --------------------------------------------------------- */

static void end(struct wish *w)
{
    *(w->previous ? &w->previous->next : &w->auth->wishes) = w->next;
    if (w->next)
        w->next->previous = w->previous;
    if (w->job)
        auth_worker_forget(w->auth->worker, w->job);
    free(w);
}

/* --user makes a login that works: it exists, has this password and is not disabled. */
static int fulfil_wanted(struct users *u, struct sp_view name, const struct sasl_verifier *v)
{
    int status = users_set_verifier(u, name, v, os_wall_ms());
    if (status == SP_ERR_ABSENT)
        return users_add(u, name, v, os_wall_ms());
    return status ? status : users_set_disabled(u, name, false);
}

static const char *event_of(enum wish_kind kind)
{
    return kind == WISH_ADD       ? "user-added"
           : kind == WISH_APP_ADD ? "user-app-password-added"
                                  : "user-password-set";
}

static void note_made(struct auth_job *job)
{
    struct wish *w = job->owner;
    struct users *u = w->auth->users;
    struct sp_view name = users_name_view(&w->name);
    int status = job->status;
    w->job = NULL;
    if (!status && w->kind == WISH_ADD)
        status = users_add(u, name, &job->verifier, os_wall_ms());
    else if (!status && w->kind == WISH_APP_ADD)
        status = users_app_add(u, name, sp_view_make(w->label, w->label_len), &job->verifier, os_wall_ms());
    else if (!status && w->kind == WISH_PASSWD)
        status = users_set_verifier(u, name, &job->verifier, os_wall_ms());
    else if (!status)
        status = fulfil_wanted(u, name, &job->verifier);
    finish_change(w->auth, w->from, event_of(w->kind), name, status);
    end(w);
}

/* What is asked for, with all but the password. */
struct ask {
    enum wish_kind kind;
    struct sp_view name, label;
    bool cram; /* with a secret for CRAM-MD5 */
};

static void start_job(struct auth *a, struct os_edge *from, const struct ask *k,
                      const struct users_login *login, struct sp_view prepared)
{
    struct wish *w = os_new(sizeof *w);
    *w = (struct wish){.next = a->wishes, .auth = a, .from = from, .kind = k->kind, .name.len = k->name.len};
    memcpy(w->name.octets, k->name.p, k->name.len);
    if (k->label.len)
        memcpy(w->label, k->label.p, k->label.len);
    w->label_len = k->label.len;
    w->job = auth_job_new(AUTH_JOB_MAKE, prepared);
    if (k->kind == WISH_APP_ADD || login->verifier.more_n > 0) {
        w->job->verifier = login->verifier; /* one salt for all passwords of a user */
        w->job->verifier.more_n = 0;
    }
    w->job->cram = k->cram;
    w->job->done = note_made;
    w->job->owner = w;
    if (a->wishes)
        a->wishes->previous = w;
    a->wishes = w;
    auth_worker_give(a->worker, sp_view_of(ipc_role_name(os_edge_peer(from))), w->job);
}

static void make_verifier(struct auth *a, struct os_edge *from, const struct ask *k,
                          const struct users_login *login, struct sp_view password)
{
    struct sp_buf prepared;
    enum sasl_fault fault;
    sp_buf_init(&prepared, &os_heap, SASL_PASSWORD_MAX);
    sp_buf_reserve(&prepared, SASL_PASSWORD_MAX);
    int status = sasl_prep(password, SASL_PREP_STORED, &prepared, &fault);
    if (status)
        answer(from, k->name, false, status);
    else
        start_job(a, from, k, login, sp_buf_view(&prepared));
    sp_buf_fini_secret(&prepared);
}

/* What is wrong with this wish before any work is done; NULL: nothing. */
static const char *fault_of(struct sp_view name, struct sp_view password)
{
    enum sasl_fault fault = sasl_user_fault(name, SASL_PREP_STORED);
    if (!fault)
        fault = sasl_password_fault(password, SASL_PREP_STORED);
    return fault ? sasl_fault_text(fault) : NULL;
}

static void take_password(struct auth *a, struct os_edge *tool, const struct ask *k, struct sp_view password)
{
    const char *fault = fault_of(k->name, password);
    struct users_login login;
    if (fault) {
        answer_tool(tool, IPC_USER_INVALID, fault);
        return;
    }
    int status = users_find(a->users, k->name, &login);
    if (!status && k->kind == WISH_ADD && login.known)
        status = SP_ERR_EXISTS;
    if (!status && k->kind != WISH_ADD && !login.known)
        status = SP_ERR_ABSENT;
    if (status)
        answer(tool, k->name, false, status);
    else
        make_verifier(a, tool, k, &login, password);
}

/* SP_ERR_EXISTS when the user has a password of this label. */
static int seek_label(struct users *u, struct sp_view name, struct sp_view label)
{
    struct users_app app = {.id = 0};
    int status;
    while ((status = users_app_next(u, name, app.id, &app)) == SP_OK)
        if (sp_view_eq(sp_view_make(app.label, app.label_len), label))
            return SP_ERR_EXISTS;
    return status == SP_ERR_ABSENT ? SP_OK : status;
}

static void take_app_add(struct auth *a, struct os_edge *tool, const struct ipc_user_app_add *m)
{
    struct users_entry e;
    const char *fault = users_label_fault(m->label);
    int status = users_show(a->users, m->name, &e);
    if (!status && !fault && e.app_password_n >= SASL_MORE_MAX)
        fault = "the user has 16 application passwords, and that is as many as there can be; revoke one";
    if (!status && !fault)
        status = seek_label(a->users, m->name, m->label);
    if (!status && fault)
        answer_tool(tool, IPC_USER_INVALID, fault);
    else if (status)
        answer(tool, m->name, false, status);
    else
        take_password(a, tool, &(struct ask){.kind = WISH_APP_ADD, .name = m->name, .label = m->label},
                      m->password);
}

static void take_wanted(struct auth *a, struct os_edge *from, const struct ipc_user_wanted *m)
{
    const char *fault = fault_of(m->name, m->password);
    struct users_login login;
    if (fault) {
        answer_supervisor(from, m->name, false, fault);
        return;
    }
    int status = users_find(a->users, m->name, &login);
    if (status || (login.known && !m->replace))
        answer(from, m->name, false, status);
    else
        make_verifier(a, from, &(struct ask){.kind = WISH_WANTED, .name = m->name}, &login, m->password);
}

static int import(struct users *u, const struct ipc_user_import *m)
{
    char hash[USERS_CRYPT_MAX] = "";
    if (m->crypt.len >= sizeof hash || sp_view_find(m->crypt, 0, 0) < m->crypt.len)
        return SP_ERR_SYNTAX;
    memcpy(hash, m->crypt.p, m->crypt.len);
    int status = users_import(u, m->name, hash, os_wall_ms());
    explicit_bzero(hash, sizeof hash);
    return status;
}

/* --- lists --------------------------------------------------------------------------------- */

static struct ipc_user shown(const struct users_entry *e)
{
    return (struct ipc_user){.name = users_name_view(&e->name),
                             .disabled = e->disabled,
                             .created_ms = (uint64_t)e->created_ms,
                             .changed_ms = (uint64_t)e->changed_ms,
                             .imported = e->imported,
                             .app_passwords = e->app_password_n,
                             .senders = e->sender_n,
                             .cram_md5 = e->has_cram};
}

static void send_page(struct auth *a, struct os_edge *tool, struct sp_view after)
{
    struct users_entry e = {0};
    struct sp_buf list;
    int status = SP_OK;
    sp_buf_init(&list, &os_heap, IPC_PAYLOAD_MAX / 2);
    for (unsigned n = 0; n < USERS_PER_PAGE && !status; n++) {
        status = users_next(a->users, n ? users_name_view(&e.name) : after, &e);
        if (status)
            break;
        struct ipc_user user = shown(&e);
        status = ipc_add_user(&list, &user);
    }
    if (status && status != SP_ERR_ABSENT) {
        answer_tool(tool, IPC_USER_UNAVAILABLE, text_of(status));
    } else {
        struct ipc_message m = {.type = IPC_TYPE_user_page, .as.user_page = {.users = sp_buf_view(&list)}};
        (void)os_edge_send(tool, &m); /* a tool that has left needs no answer */
    }
    sp_buf_fini(&list);
}

static int gather(struct users *u, struct sp_view name, struct sp_buf lists[3])
{
    struct users_entry e;
    struct users_app app = {.id = 0};
    int status = users_show(u, name, &e);
    if (status)
        return status;
    struct ipc_user user = shown(&e);
    status = ipc_add_user(&lists[0], &user);
    while (!status && (status = users_app_next(u, name, app.id, &app)) == SP_OK) {
        struct ipc_app_password p = {.label = sp_view_make(app.label, app.label_len),
                                     .created_ms = (uint64_t)app.created_ms,
                                     .used_ms = (uint64_t)app.used_ms};
        status = ipc_add_app_password(&lists[1], &p);
    }
    return status == SP_ERR_ABSENT ? users_senders(u, name, &lists[2]) : status;
}

static void show(struct auth *a, struct os_edge *tool, struct sp_view name)
{
    struct sp_buf lists[3];
    for (int i = 0; i < 3; i++)
        sp_buf_init(&lists[i], &os_heap, IPC_PAYLOAD_MAX / 8);
    int status = gather(a->users, name, lists);
    if (status) {
        answer_tool(tool, result_of(status), text_of(status));
    } else {
        struct ipc_message m = {.type = IPC_TYPE_user_shown,
                                .as.user_shown = {.users = sp_buf_view(&lists[0]),
                                                  .app_passwords = sp_buf_view(&lists[1]),
                                                  .senders = sp_buf_view(&lists[2])}};
        (void)os_edge_send(tool, &m); /* a tool that has left needs no answer */
    }
    for (int i = 0; i < 3; i++)
        sp_buf_fini(&lists[i]);
}

/* --- edges --------------------------------------------------------------------------------- */

void auth_wish_take(struct auth *a, struct os_edge *from, const struct ipc_message *m)
{
    switch (m->type) {
    case IPC_TYPE_user_wanted:
        take_wanted(a, from, &m->as.user_wanted);
        break;
    case IPC_TYPE_user_add:
        take_password(
            a, from,
            &(struct ask){.kind = WISH_ADD, .name = m->as.user_add.name, .cram = m->as.user_add.cram_md5},
            m->as.user_add.password);
        break;
    case IPC_TYPE_user_passwd:
        take_password(a, from,
                      &(struct ask){.kind = WISH_PASSWD,
                                    .name = m->as.user_passwd.name,
                                    .cram = m->as.user_passwd.cram_md5},
                      m->as.user_passwd.password);
        break;
    case IPC_TYPE_user_enable:
        finish_change(a, from, m->as.user_enable.enabled ? "user-enabled" : "user-disabled",
                      m->as.user_enable.name,
                      users_set_disabled(a->users, m->as.user_enable.name, !m->as.user_enable.enabled));
        break;
    case IPC_TYPE_user_remove:
        finish_change(a, from, "user-removed", m->as.user_remove.name,
                      users_remove(a->users, m->as.user_remove.name));
        break;
    case IPC_TYPE_user_app_add:
        take_app_add(a, from, &m->as.user_app_add);
        break;
    case IPC_TYPE_user_app_remove:
        finish_change(a, from, "user-app-password-revoked", m->as.user_app_remove.name,
                      users_app_remove(a->users, m->as.user_app_remove.name, m->as.user_app_remove.label));
        break;
    case IPC_TYPE_user_may_send:
        finish_change(a, from, "user-may-send", m->as.user_may_send.name,
                      users_set_senders(a->users, m->as.user_may_send.name, m->as.user_may_send.senders));
        break;
    case IPC_TYPE_user_import:
        finish_change(a, from, "user-imported", m->as.user_import.name, import(a->users, &m->as.user_import));
        break;
    case IPC_TYPE_user_show:
        show(a, from, m->as.user_show.name);
        break;
    case IPC_TYPE_user_list:
        send_page(a, from, m->as.user_list.after);
        break;
    default:
        break; /* no other type is allowed on these edges */
    }
}

void auth_wish_drop_edge(struct auth *a, struct os_edge *from)
{
    for (struct wish *w = a->wishes, *next; w; w = next) {
        next = w->next;
        if (w->from == from)
            end(w);
    }
}

static void take_tool_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    auth_wish_take(ctx, edge, m);
}

static void note_tool_closed(void *ctx, struct os_edge *edge)
{
    auth_wish_drop_edge(ctx, edge);
    os_edge_free(edge);
}

static const struct os_edge_handlers tool_handlers = {.message = take_tool_message,
                                                      .closed = note_tool_closed};

/* Its edge frees itself when it closes, and nobody speaks to it unasked. */
static void note_tool(void *ctx, struct os_edge *tool) { (void)ctx, (void)tool; }

void auth_wish_open(struct auth *a)
{
    struct role *r = a->role;
    a->control = os_control_new(r->base, r->folder, IPC_AUTH, &tool_handlers, note_tool, a);
    if (!a->control)
        os_log(OS_WARN, "control-failed", OS_STR("error", strerror(errno)),
               OS_STR("effect", "`sallyport user` cannot reach this server"));
}
