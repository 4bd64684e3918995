#include "cli/user_store.h"

#include "base/view.h"
#include "cli/options.h"
#include "os/clock.h"
#include "os/control.h"
#include "os/heap.h"
#include "os/lock.h"
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

static int set_password(struct users *u, bool add, struct sp_view name, struct sp_view password)
{
    struct sp_buf prepared;
    struct sasl_verifier v;
    enum sasl_fault fault;
    sp_buf_init(&prepared, &os_heap, SASL_PASSWORD_MAX);
    (void)sp_buf_reserve(&prepared, SASL_PASSWORD_MAX); /* failure sticks */
    int status = sasl_prep(password, SASL_PREP_STORED, &prepared, &fault);
    if (!status)
        status = sasl_verifier_make(sp_buf_view(&prepared), &v);
    sp_buf_fini_secret(&prepared);
    if (!status)
        status = add ? users_add(u, name, &v, os_wall_ms()) : users_set_verifier(u, name, &v, os_wall_ms());
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
        sp_buf_add_str(text, "the name or the password cannot be used");
        return IPC_USER_INVALID;
    default:
        sp_buf_add_str(text, "users.db cannot be read or written");
        return IPC_USER_UNAVAILABLE;
    }
}

static enum ipc_user_result change_file(struct users *u, const struct ipc_message *m, struct sp_buf *text)
{
    int status;
    switch (m->type) {
    case IPC_TYPE_user_add:
        status = set_password(u, true, m->as.user_add.name, m->as.user_add.password);
        break;
    case IPC_TYPE_user_passwd:
        status = set_password(u, false, m->as.user_passwd.name, m->as.user_passwd.password);
        break;
    case IPC_TYPE_user_enable:
        status = users_set_disabled(u, m->as.user_enable.name, !m->as.user_enable.enabled);
        break;
    default:
        status = users_remove(u, m->as.user_remove.name);
        break;
    }
    return result_of(status, text);
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
        struct ipc_user user = {.name = users_name_view(&e.name),
                                .disabled = e.disabled,
                                .created_ms = (uint64_t)e.created_ms,
                                .changed_ms = (uint64_t)e.changed_ms};
        status = ipc_add_user(list, &user);
    }
    return status == SP_ERR_ABSENT ? IPC_USER_OK : result_of(status, text);
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
