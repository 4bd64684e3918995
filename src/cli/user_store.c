#include "cli/user_store.h"

#include "base/view.h"
#include "cli/options.h"
#include "os/clock.h"
#include "os/control.h"
#include "os/heap.h"
#include "os/lock.h"
#include "sasl/cram_md5.h"
#include "users/users.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    START_MS = 10000, /* a server that has the lock has its socket by then */
    POLL_MS = 50,
    ANSWER_MS = 30000,
    PAGE = 256
};

struct user_store {
    /* without a server: */
    struct users *users;
    int lock;
    /* with one: */
    struct event_base *base;
    struct os_edge *edge;
    struct os_timer deadline;
    bool lost, answered;
    enum ipc_user_result result;
    struct sp_buf *text, *list; /* of the question that is open */
    struct user_shown *shown;
};

/* --- through the server ------------------------------------------------------------------- */

static void take_answer(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct user_store *s = ctx;
    (void)edge;
    s->result = IPC_USER_OK;
    if (m->type == IPC_TYPE_user_done) {
        s->result = (enum ipc_user_result)m->as.user_done.result;
        sp_buf_add(s->text, m->as.user_done.text);
    } else if (m->type == IPC_TYPE_user_page && s->list) {
        sp_buf_add(s->list, m->as.user_page.users);
    } else if (m->type == IPC_TYPE_user_shown && s->shown) {
        sp_buf_add(&s->shown->users, m->as.user_shown.users);
        sp_buf_add(&s->shown->app_passwords, m->as.user_shown.app_passwords);
        sp_buf_add(&s->shown->senders, m->as.user_shown.senders);
    }
    s->answered = true;
    event_base_loopbreak(s->base);
}

static void note_closed(void *ctx, struct os_edge *edge)
{
    struct user_store *s = ctx;
    (void)edge;
    s->lost = true;
    event_base_loopbreak(s->base);
}

static void note_deadline(void *ctx) { event_base_loopbreak(((struct user_store *)ctx)->base); }

static const struct os_edge_handlers handlers = {.message = take_answer, .closed = note_closed};

static enum ipc_user_result ask_server(struct user_store *s, const struct ipc_message *m, struct sp_buf *list,
                                       struct sp_buf *text)
{
    s->answered = false;
    s->list = list;
    s->text = text;
    if (!s->lost && os_edge_send(s->edge, m) == SP_OK) {
        os_timer_set(&s->deadline, ANSWER_MS);
        (void)event_base_dispatch(s->base); /* what it was good for shows in `answered` */
        os_timer_stop(&s->deadline);
    }
    if (s->answered)
        return s->result < IPC_USER_RESULT_N ? s->result : IPC_USER_UNAVAILABLE;
    sp_buf_add_str(text, s->lost ? "the server stopped before it answered; ask it again with 'user list'"
                                 : "the server does not answer");
    return IPC_USER_UNAVAILABLE;
}

static void attach(struct user_store *s, int fd)
{
    s->base = os_loop_new();
    os_timer_init(&s->deadline, s->base, note_deadline, s);
    s->edge = os_edge_new(s->base, fd, IPC_TOOL, IPC_AUTH, 0, &handlers, s);
}

/* --- without one --------------------------------------------------------------------------- */

static bool wants_cram(const struct ipc_message *m)
{
    return (m->type == IPC_TYPE_user_add && m->as.user_add.cram_md5) ||
           (m->type == IPC_TYPE_user_passwd && m->as.user_passwd.cram_md5);
}

/* A new password of a user, or the first of a new one, or, with a label, a further one. */
static int set_password(struct users *u, const struct ipc_message *m, struct sp_view name,
                        struct sp_view prepared)
{
    struct users_login login;
    struct sasl_verifier v;
    bool add = m->type == IPC_TYPE_user_add, app = m->type == IPC_TYPE_user_app_add;
    int status = users_find(u, name, &login);
    if (!status && !add && !login.known)
        status = SP_ERR_ABSENT;
    if (!status && app && login.verifier.more_n == SASL_MORE_MAX)
        status = SP_ERR_RANGE;
    if (!status && !add && (app || login.verifier.more_n > 0)) {
        v = login.verifier; /* one salt for all passwords of a user */
        status = sasl_verifier_remake(prepared, &v);
    } else if (!status) {
        status = sasl_verifier_make(prepared, &v);
    }
    if (status)
        return status;
    if (wants_cram(m)) {
        sasl_cram_derive(prepared, v.cram);
        v.has_cram = true;
    }
    return add   ? users_add(u, name, &v, os_wall_ms())
           : app ? users_app_add(u, name, m->as.user_app_add.label, &v, os_wall_ms())
                 : users_set_verifier(u, name, &v, os_wall_ms());
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

static int import(struct users *u, const struct ipc_user_import *m)
{
    char hash[USERS_CRYPT_MAX] = "";
    if (m->crypt.len >= sizeof hash)
        return SP_ERR_LONG;
    memcpy(hash, m->crypt.p, m->crypt.len);
    return users_import(u, m->name, hash, os_wall_ms());
}

static enum ipc_user_result change_file(struct users *u, const struct ipc_message *m, struct sp_buf *text)
{
    int status;
    switch (m->type) {
    case IPC_TYPE_user_add:
        status = prepare_password(u, m, m->as.user_add.name, m->as.user_add.password);
        break;
    case IPC_TYPE_user_passwd:
        status = prepare_password(u, m, m->as.user_passwd.name, m->as.user_passwd.password);
        break;
    case IPC_TYPE_user_enable:
        status = users_set_disabled(u, m->as.user_enable.name, !m->as.user_enable.enabled);
        break;
    case IPC_TYPE_user_app_add:
        status = prepare_password(u, m, m->as.user_app_add.name, m->as.user_app_add.password);
        break;
    case IPC_TYPE_user_app_remove:
        status = users_app_remove(u, m->as.user_app_remove.name, m->as.user_app_remove.label);
        break;
    case IPC_TYPE_user_may_send:
        status = users_set_senders(u, m->as.user_may_send.name, m->as.user_may_send.senders);
        break;
    case IPC_TYPE_user_import:
        status = import(u, &m->as.user_import);
        break;
    default:
        status = users_remove(u, m->as.user_remove.name);
        break;
    }
    return result_of(status, text);
}

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

static enum ipc_user_result page_of_file(struct users *u, struct sp_view after, struct sp_buf *list,
                                         struct sp_buf *text)
{
    struct users_entry e = {0};
    int status = SP_OK;
    for (unsigned n = 0; n < PAGE && !status; n++) {
        status = users_next(u, n ? users_name_view(&e.name) : after, &e);
        if (status)
            break;
        struct ipc_user user = shown(&e);
        status = ipc_add_user(list, &user);
    }
    return status == SP_ERR_ABSENT ? IPC_USER_OK : result_of(status, text);
}

static enum ipc_user_result show_of_file(struct users *u, struct sp_view name, struct user_shown *out,
                                         struct sp_buf *text)
{
    struct users_entry e;
    struct users_app app = {.id = 0};
    int status = users_show(u, name, &e);
    if (!status) {
        struct ipc_user user = shown(&e);
        status = ipc_add_user(&out->users, &user);
    }
    while (!status && (status = users_app_next(u, name, app.id, &app)) == SP_OK) {
        struct ipc_app_password p = {.label = sp_view_make(app.label, app.label_len),
                                     .created_ms = (uint64_t)app.created_ms,
                                     .used_ms = (uint64_t)app.used_ms};
        status = ipc_add_app_password(&out->app_passwords, &p);
    }
    if (status == SP_ERR_ABSENT && out->users.len)
        status = users_senders(u, name, &out->senders);
    return result_of(status, text);
}

/* --- opening ------------------------------------------------------------------------------- */

static int open_folder(const char *data, int *folder_out)
{
    struct stat there;
    int folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT)
        return cli_fault("user", EX_NOINPUT,
                         "there is no data folder %s; 'sallyport serve' makes one, --data DIR names another",
                         data);
    if (folder < 0)
        return cli_fault("user", errno == EACCES ? EX_NOPERM : EX_NOINPUT,
                         "cannot open the data folder %s: %s", data, strerror(errno));
    if (fstatat(folder, "auth", &there, 0) == 0) {
        *folder_out = folder;
        return EX_OK;
    }
    int why = errno;
    close(folder);
    if (why == ENOENT)
        return cli_fault(
            "user", EX_NOINPUT,
            "%s is not a data folder: it has no folder auth, which 'sallyport serve' makes at its "
            "first start",
            data);
    return cli_fault("user", why == EACCES ? EX_NOPERM : EX_NOINPUT,
                     "cannot look into the data folder %s: %s", data, strerror(why));
}

static int open_file(struct user_store *s, const char *data)
{
    char path[PATH_MAX];
    struct sp_buf error;
    if (snprintf(path, sizeof path, "%s/auth", data) >= (int)sizeof path)
        return cli_fault("user", EX_NOINPUT, "the name of the data folder is too long: %s", data);
    sp_buf_init(&error, &os_heap, PATH_MAX + 1024);
    int status = users_open(path, &error, &s->users);
    int code = EX_OK;
    if (status)
        code = cli_fault("user", status == SP_ERR_RANGE ? EX_CONFIG : EX_IOERR, "%.*s", (int)error.len,
                         (const char *)error.p);
    sp_buf_fini(&error);
    return code;
}

/* The server that runs there, else the file. Neither, while a server starts or another tool is at work: wait.
 */
static int open_either(struct user_store *s, const char *data, int folder)
{
    uint64_t end = os_mono_ms() + START_MS;
    int64_t pid = 0;
    for (;;) {
        int fd = os_control_connect(data, IPC_AUTH);
        if (fd >= 0) {
            attach(s, fd);
            return EX_OK;
        }
        if (errno != ENOENT && errno != ECONNREFUSED)
            return cli_fault("user", errno == EACCES || errno == EPERM ? EX_NOPERM : EX_UNAVAILABLE,
                             "cannot speak to the server of %s: %s", data, strerror(errno));
        int status = os_lock_take(folder, 0, &s->lock, &pid);
        if (status == SP_OK)
            return open_file(s, data);
        if (status == SP_ERR_IO)
            return cli_fault("user", errno == EACCES || errno == EPERM ? EX_NOPERM : EX_OSERR,
                             "cannot lock %s: %s", data, strerror(errno));
        if (os_mono_ms() >= end)
            break;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
    char who[32] = "another process";
    if (pid > 0)
        (void)snprintf(who, sizeof who, "process %lld", (long long)pid); /* fits */
    return cli_fault("user", EX_TEMPFAIL, "%s is in use by %s, which does not answer", data, who);
}

struct user_store *user_store_open(const char *data, int *code_out)
{
    int folder = -1;
    *code_out = open_folder(data, &folder);
    if (*code_out != EX_OK)
        return NULL;
    struct user_store *s = os_new(sizeof *s);
    s->lock = -1;
    *code_out = open_either(s, data, folder);
    close(folder);
    if (*code_out == EX_OK)
        return s;
    user_store_close(s);
    return NULL;
}

void user_store_close(struct user_store *s)
{
    if (!s)
        return;
    users_close(s->users);
    os_edge_free(s->edge);
    if (s->base) {
        os_timer_fini(&s->deadline);
        event_base_free(s->base);
    }
    if (s->lock >= 0)
        close(s->lock);
    free(s);
}

enum ipc_user_result user_store_change(struct user_store *s, const struct ipc_message *wish,
                                       struct sp_buf *text_out)
{
    return s->edge ? ask_server(s, wish, NULL, text_out) : change_file(s->users, wish, text_out);
}

enum ipc_user_result user_store_page(struct user_store *s, struct sp_view after, struct sp_buf *list_out,
                                     struct sp_buf *text_out)
{
    struct ipc_message m = {.type = IPC_TYPE_user_list, .as.user_list = {.after = after}};
    sp_buf_clear(list_out);
    return s->edge ? ask_server(s, &m, list_out, text_out)
                   : page_of_file(s->users, after, list_out, text_out);
}

void user_shown_init(struct user_shown *shown)
{
    sp_buf_init(&shown->users, &os_heap, IPC_PAYLOAD_MAX);
    sp_buf_init(&shown->app_passwords, &os_heap, IPC_PAYLOAD_MAX);
    sp_buf_init(&shown->senders, &os_heap, IPC_PAYLOAD_MAX);
}

void user_shown_fini(struct user_shown *shown)
{
    sp_buf_fini(&shown->users);
    sp_buf_fini(&shown->app_passwords);
    sp_buf_fini(&shown->senders);
}

enum ipc_user_result user_store_show(struct user_store *s, struct sp_view name, struct user_shown *shown_out,
                                     struct sp_buf *text_out)
{
    struct ipc_message m = {.type = IPC_TYPE_user_show, .as.user_show = {.name = name}};
    s->shown = shown_out;
    enum ipc_user_result result =
        s->edge ? ask_server(s, &m, NULL, text_out) : show_of_file(s->users, name, shown_out, text_out);
    s->shown = NULL;
    return result;
}
