/* New passwords: their verifiers are made by the worker, and then kept. */
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/auth/wish.h"

#include <stdlib.h>
#include <string.h>

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
    auth_wish_finish(w->auth, w->from, event_of(w->kind), name, status);
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
        auth_wish_answer(from, k->name, false, status);
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
        auth_wish_refuse(tool, k->name, fault);
        return;
    }
    int status = users_find(a->users, k->name, &login);
    if (!status && k->kind == WISH_ADD && login.known)
        status = SP_ERR_EXISTS;
    if (!status && k->kind != WISH_ADD && !login.known)
        status = SP_ERR_ABSENT;
    if (status)
        auth_wish_answer(tool, k->name, false, status);
    else
        make_verifier(a, tool, k, &login, password);
    explicit_bzero(&login, sizeof login);
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

void auth_wish_app_add(struct auth *a, struct os_edge *tool, const struct ipc_user_app_add *m)
{
    struct users_entry e;
    const char *fault = users_label_fault(m->label);
    int status = users_show(a->users, m->name, &e);
    if (!status && !fault && e.app_password_n >= SASL_MORE_MAX)
        fault = "the user has 16 application passwords, and that is as many as there can be; revoke one";
    if (!status && !fault)
        status = seek_label(a->users, m->name, m->label);
    if (!status && fault)
        auth_wish_refuse(tool, m->name, fault);
    else if (status)
        auth_wish_answer(tool, m->name, false, status);
    else
        take_password(a, tool, &(struct ask){.kind = WISH_APP_ADD, .name = m->name, .label = m->label},
                      m->password);
}

void auth_wish_wanted(struct auth *a, struct os_edge *from, const struct ipc_user_wanted *m)
{
    const char *fault = fault_of(m->name, m->password);
    struct users_login login;
    if (fault) {
        auth_wish_refuse(from, m->name, fault);
        return;
    }
    int status = users_find(a->users, m->name, &login);
    if (status || (login.known && !m->replace))
        auth_wish_answer(from, m->name, false, status);
    else
        make_verifier(a, from, &(struct ask){.kind = WISH_WANTED, .name = m->name}, &login, m->password);
    explicit_bzero(&login, sizeof login);
}

void auth_wish_add(struct auth *a, struct os_edge *tool, const struct ipc_user_add *m)
{
    take_password(a, tool, &(struct ask){.kind = WISH_ADD, .name = m->name, .cram = m->cram_md5},
                  m->password);
}

void auth_wish_passwd(struct auth *a, struct os_edge *tool, const struct ipc_user_passwd *m)
{
    take_password(a, tool, &(struct ask){.kind = WISH_PASSWD, .name = m->name, .cram = m->cram_md5},
                  m->password);
}

void auth_wish_forget(struct auth *a, const struct os_edge *from)
{
    for (struct wish *w = a->wishes, *next; w; w = next) {
        next = w->next;
        if (w->from == from)
            end(w);
    }
}
