#include "roles/supervisor/supervisor.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/slow.h"
#include "roles/supervisor/banner.h"
#include "roles/supervisor/children.h"
#include "roles/supervisor/give.h"
#include "roles/supervisor/limits.h"
#include "roles/supervisor/reload.h"
#include "roles/supervisor/users.h"
#include "roles/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    /* Together within the 5 s that a stop may take. */
    SMTPD_GRACE_MS = 3000,
    QUEUE_GRACE_MS = 1000,
    STOP_MAX_MS = 4600,
};

/* What is indented is to be copied: nothing stands in front of it. */
static void tell_fault(const struct sp_buf *error)
{
    struct sp_view rest = sp_buf_view(error), line;
    while (sp_view_word(&rest, '\n', &line))
        fprintf(stderr, "%s%.*s\n", line.p[0] == ' ' ? "" : "sallyport serve: ", (int)line.len,
                (const char *)line.p);
}

/* --- stop ------------------------------------------------------------------------------------- */

/* Those who bring work leave first; then those who keep it. */
static void stop_next(struct supervisor *sv)
{
    if (children_alive(sv, IPC_ANY) == 0) {
        (void)event_base_loopbreak(sv->base);
    } else if (!sv->queue_stopped && !children_alive(sv, IPC_SMTPD) && !children_alive(sv, IPC_DELIVERY) &&
               !children_alive(sv, IPC_PICKUP)) {
        sv->queue_stopped = true;
        children_stop(sv, IPC_QUEUE, QUEUE_GRACE_MS);
        children_stop(sv, IPC_AUTH, QUEUE_GRACE_MS);
        children_stop(sv, IPC_CONSOLE, QUEUE_GRACE_MS);
    }
}

static void stop_at_once(void *ctx)
{
    struct supervisor *sv = ctx;
    children_kill(sv);
    (void)event_base_loopbreak(sv->base);
}

static void stop(struct supervisor *sv, int exit_code)
{
    sv->phase = SUPERVISOR_STOPPING;
    sv->exit_code = exit_code;
    listeners_close(&sv->listeners);
    children_stop(sv, IPC_SMTPD, SMTPD_GRACE_MS);
    children_stop(sv, IPC_DELIVERY, SMTPD_GRACE_MS);
    children_stop(sv, IPC_FETCH, SMTPD_GRACE_MS);
    children_stop(sv, IPC_PICKUP, SMTPD_GRACE_MS);
    os_timer_set(&sv->deadline, STOP_MAX_MS);
    stop_next(sv);
}

/* --- start ------------------------------------------------------------------------------------ */

static int listen_in_order(struct supervisor *sv)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, ERROR_MAX);
    int code = listeners_listen(&sv->listeners, false, &error);
    if (code == EX_OK)
        code = listeners_listen(&sv->listeners, true, &error);
    if (code != EX_OK)
        tell_fault(&error);
    sp_buf_fini(&error);
    return code;
}

static void run_when_all_is_up(struct supervisor *sv)
{
    if (sv->phase != SUPERVISOR_STARTING || !children_ready(sv) || !users_known(sv))
        return;
    int code = listen_in_order(sv);
    if (code != EX_OK) {
        stop(sv, code);
        return;
    }
    sv->phase = SUPERVISOR_RUNNING;
    for (uint32_t i = 0; i < sv->child_n[IPC_SMTPD]; i++)
        children_give_listeners(sv, &sv->children[IPC_SMTPD][i]);
    banner_print(sv);
    users_forget_passwords(sv);
    os_log(OS_INFO, "ready", OS_NUM("pid", getpid()), OS_STR("data", sv->data),
           OS_STR("configuration", sv->generation->path));
    if (sv->reload_asked)
        reload_begin(sv);
}

static void note_in_use(struct supervisor *sv, struct child *c)
{
    if (c->kind == IPC_SMTPD)
        children_give_listeners(sv, c);
    reload_note_ready(sv);
}

void supervisor_child_ready(struct supervisor *sv, struct child *c)
{
    if (sv->phase == SUPERVISOR_STARTING)
        run_when_all_is_up(sv);
    else if (sv->phase == SUPERVISOR_RUNNING)
        note_in_use(sv, c);
}

void supervisor_user_known(struct supervisor *sv, const struct ipc_user_known *known)
{
    if (known->fault.len > 0 && sv->phase == SUPERVISOR_STARTING) {
        fprintf(stderr, "sallyport serve: user \"%.*s\": %.*s\n", (int)known->name.len,
                (const char *)known->name.p, (int)known->fault.len, (const char *)known->fault.p);
        stop(sv, EX_DATAERR);
        return;
    }
    users_note_known(sv, known->name, known->changed);
    run_when_all_is_up(sv);
}

/* --- children that die ------------------------------------------------------------------------- */

static void log_death(const struct child *c, int wait_status)
{
    char name[32];
    (void)snprintf(name, sizeof name, "%s/%u", ipc_role_name(c->kind), c->index); /* fits by far */
    if (WIFSIGNALED(wait_status))
        os_log(OS_WARN, "role-died", OS_STR("name", name),
               OS_STR("signal", sigabbrev_np(WTERMSIG(wait_status))));
    else
        os_log(OS_WARN, "role-died", OS_STR("name", name), OS_NUM("exit", WEXITSTATUS(wait_status)));
}

void supervisor_child_died(struct supervisor *sv, struct child *c, int wait_status)
{
    switch (sv->phase) {
    case SUPERVISOR_STARTING:
        log_death(c, wait_status);
        fprintf(stderr,
                "sallyport serve: the role %s ended before the server was up; its own line says why\n",
                ipc_role_name(c->kind));
        stop(sv, WIFEXITED(wait_status) && WEXITSTATUS(wait_status) ? WEXITSTATUS(wait_status) : EX_SOFTWARE);
        break;
    case SUPERVISOR_RUNNING:
        log_death(c, wait_status);
        children_start_again(sv, c);
        break;
    case SUPERVISOR_STOPPING:
        stop_next(sv);
        break;
    }
}

/* --- signals ------------------------------------------------------------------------------------ */

static void take_signal(evutil_socket_t number, short what, void *ctx)
{
    struct supervisor *sv = ctx;
    (void)what;
    if (number == SIGCHLD) {
        children_reap(sv);
    } else if (number == SIGHUP) {
        if (sv->phase == SUPERVISOR_RUNNING)
            reload_begin(sv);
        else
            sv->reload_asked = true;
    } else if (sv->phase == SUPERVISOR_STOPPING) {
        stop_at_once(sv);
    } else {
        os_log(OS_INFO, "stopping", OS_STR("signal", sigabbrev_np((int)number)));
        stop(sv, EX_OK);
    }
}

static void catch_signals(struct supervisor *sv)
{
    static const int caught[SUPERVISOR_SIGNAL_N] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for this one */
    for (size_t i = 0; i < SUPERVISOR_SIGNAL_N; i++) {
        sv->signals[i] = evsignal_new(sv->base, caught[i], take_signal, sv);
        if (!sv->signals[i] || event_add(sv->signals[i], NULL) != 0)
            os_panic("signal", "cannot watch signal %d", caught[i]);
    }
}

/* --- life ---------------------------------------------------------------------------------------- */

static void give_new_tickets(void *ctx)
{
    struct supervisor *sv = ctx;
    for (uint32_t i = 0; i < sv->child_n[IPC_SMTPD]; i++)
        give_tickets(sv, &sv->children[IPC_SMTPD][i]);
}

static int open_folder(struct supervisor *sv, struct sp_buf *error)
{
    const struct config *c = sv->generation->config;
    sv->data = os_text(sp_view_of(sv->options->data ? sv->options->data : c->data));
    int code = role_user_find(c->user, error, &sv->user);
    if (code == EX_OK)
        code = data_folder_open(sv->data, error, &sv->folder);
    if (code == EX_OK)
        code = data_folder_lock(sv->folder, sv->data, error, &sv->lock);
    static const enum ipc_role keepers[] = {IPC_QUEUE, IPC_AUTH,   IPC_DELIVERY,
                                            IPC_FETCH, IPC_PICKUP, IPC_CONSOLE};
    for (size_t i = 0; i < sizeof keepers / sizeof *keepers && code == EX_OK; i++)
        code = data_folder_part(sv->folder, keepers[i], &sv->user, error, &sv->parts[keepers[i]]);
    if (code == EX_OK)
        code = data_folder_maildrop(sv->folder, c->maildrop, &sv->user, error, &sv->maildrop);
    return code;
}

/* Everything that can fail for the operator's reasons, before the first process is started. */
static int prepare(struct supervisor *sv, struct sp_buf *error)
{
    int code = generation_read(sv->options, 1, error, &sv->generation);
    if (code == EX_OK)
        code = open_folder(sv, error);
    if (code == EX_OK)
        code = generation_read_secrets(sv->generation, sv->folder, error);
    if (code == EX_OK)
        code = listeners_bind(sv->generation->config, NULL, error, &sv->listeners);
    if (code != EX_OK)
        return code;
    limits_raise(sv->generation->config);
    children_count(sv);
    sv->tally = tally_make(sv->child_n[IPC_SMTPD]);
    sv->slow = slow_make();
    if (sv->tally >= 0 && sv->slow >= 0)
        return EX_OK;
    sp_buf_add_str(error, "memory to share cannot be made: ");
    sp_buf_add_str(error, strerror(errno));
    sp_buf_add_str(error, "\n");
    return EX_OSERR;
}

static int run(struct supervisor *sv, struct sp_buf *error)
{
    sv->base = os_loop_new();
    if (!sv->base)
        os_panic("loop", "cannot start the event loop");
    catch_signals(sv);
    os_timer_init(&sv->deadline, sv->base, stop_at_once, sv);
    tickets_init(&sv->tickets, sv->base, give_new_tickets, sv);
    users_init(sv);
    children_init(sv);
    sv->exit_code = children_start(sv, error);
    if (sv->exit_code == EX_OK)
        (void)event_base_dispatch(sv->base);
    children_kill(sv);
    children_fini(sv);
    users_fini(sv);
    tickets_fini(&sv->tickets);
    os_timer_fini(&sv->deadline);
    for (size_t i = 0; i < SUPERVISOR_SIGNAL_N; i++)
        event_free(sv->signals[i]);
    event_base_free(sv->base);
    return sv->exit_code;
}

/* A descriptor of ours must not become anybody's standard output. */
static void fill_standard_descriptors(void)
{
    int fd = 0;
    while (fd >= 0 && fd <= 2)
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd > 2)
        close(fd);
}

int supervisor_run(const struct supervisor_options *options)
{
    struct supervisor sv = {.options = options, .folder = -1, .lock = -1, .tally = -1, .slow = -1};
    struct sp_buf error;
    for (size_t i = 0; i < IPC_ROLE_N; i++)
        sv.parts[i] = -1;
    fill_standard_descriptors();
    os_log_role(ipc_role_name(IPC_SUPERVISOR));
    sp_buf_init(&error, &os_heap, ERROR_MAX);
    int code = prepare(&sv, &error);
    if (code == EX_OK) {
        os_log_open();
        code = run(&sv, &error);
    }
    tell_fault(&error);
    sp_buf_fini(&error);
    listeners_close(&sv.listeners);
    generation_free(sv.generation);
    free((char *)sv.data);
    return code;
}
