#include "roles/supervisor/children.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/supervisor/give.h"
#include "roles/supervisor/links.h"
#include "roles/supervisor/spawn.h"
#include "roles/tally.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { PAUSE_FIRST_MS = 100, PAUSE_MOST_MS = 6400, LIVED_LONG_MS = 30000 };

/* --- edges ------------------------------------------------------------------------------------ */

static void take_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct child *c = ctx;
    (void)edge;
    if (m->type == IPC_TYPE_ready) {
        c->ready_generation = m->as.ready.generation;
        supervisor_child_ready(c->supervisor, c);
    } else if (m->type == IPC_TYPE_user_known) {
        supervisor_user_known(c->supervisor, &m->as.user_known);
    } else if (m->type == IPC_TYPE_peer_lost) {
        links_note_lost(c->supervisor, c, &m->as.peer_lost);
    }
}

/* A child without its edge is of no use, whether it is dying or has broken the rules. */
static void note_closed(void *ctx, struct os_edge *edge)
{
    struct child *c = ctx;
    os_edge_free(edge);
    c->edge = NULL;
    if (c->pid > 0)
        (void)kill(c->pid, SIGKILL); /* not reaped yet: the pid is still its own */
}

static const struct os_edge_handlers handlers = {.message = take_message, .closed = note_closed};

static bool make_pair(int ends_out[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_out) == 0;
}

/* --- birth ------------------------------------------------------------------------------------ */

/* 0 or errno. */
static int start(struct supervisor *sv, struct child *c)
{
    int ends[2];
    os_timer_stop(&c->again);
    if (!make_pair(ends))
        return errno;
    struct birth birth = {
        .kind = c->kind, .index = c->index, .edge = ends[1], .lock = sv->lock, .user = &sv->user};
    pid_t pid = spawn(&birth);
    int why = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return why;
    }
    c->pid = pid;
    c->born_ms = os_mono_ms();
    c->ready_generation = 0;
    c->edge = os_edge_new(sv->base, ends[0], IPC_SUPERVISOR, c->kind, c->index, &handlers, c);
    if (!c->edge)
        os_panic("edge", "cannot open the edge to %s/%u", ipc_role_name(c->kind), c->index);
    if (!give_birthright(sv, c))
        (void)kill(pid, SIGKILL); /* it could do nothing; another one is started after a pause */
    give_generation(sv, c);
    links_join_all(sv, c);
    give_start(sv, c);
    return 0;
}

static void start_after_pause(void *ctx)
{
    struct child *c = ctx;
    int why = start(c->supervisor, c);
    if (!why)
        return;
    os_log(OS_WARN, "role-not-started", OS_STR("name", ipc_role_name(c->kind)), OS_NUM("index", c->index),
           OS_STR("why", strerror(why)));
    children_start_again(c->supervisor, c);
}

void children_start_again(struct supervisor *sv, struct child *c)
{
    (void)sv;
    bool lived_long = c->born_ms && os_mono_ms() - c->born_ms >= LIVED_LONG_MS;
    c->pause_ms = lived_long || !c->pause_ms ? PAUSE_FIRST_MS : c->pause_ms * 2;
    if (c->pause_ms > PAUSE_MOST_MS)
        c->pause_ms = PAUSE_MOST_MS;
    os_timer_set(&c->again, c->pause_ms);
}

static void give_listeners_again(void *ctx)
{
    struct child *c = ctx;
    if (c->supervisor->phase == SUPERVISOR_RUNNING)
        children_give_listeners(c->supervisor, c);
}

void children_give_listeners(struct supervisor *sv, struct child *c)
{
    if (!give_listeners(sv, c))
        os_timer_set(&c->listeners_again, PAUSE_FIRST_MS);
}

void children_count(struct supervisor *sv)
{
    const struct config *c = sv->generation->config;
    sv->child_n[IPC_QUEUE] = 1;
    sv->child_n[IPC_CONSOLE] = 1;
    sv->child_n[IPC_AUTH] = c->auth_n;
    sv->child_n[IPC_DELIVERY] = c->delivery_n;
    sv->child_n[IPC_SMTPD] = c->smtpd_n;
    sv->child_n[IPC_FETCH] = 1;
    sv->child_n[IPC_PICKUP] = sv->maildrop >= 0;
}

void children_init(struct supervisor *sv)
{
    for (size_t kind = 0; kind < IPC_ROLE_N; kind++) {
        sv->children[kind] = os_new((sv->child_n[kind] + 1) * sizeof(struct child));
        for (uint32_t i = 0; i < sv->child_n[kind]; i++) {
            struct child *c = &sv->children[kind][i];
            *c = (struct child){.supervisor = sv, .kind = (enum ipc_role)kind, .index = i};
            os_timer_init(&c->again, sv->base, start_after_pause, c);
            os_timer_init(&c->listeners_again, sv->base, give_listeners_again, c);
        }
    }
    links_init(sv);
}

bool children_wanted(const struct supervisor *sv, const struct child *c)
{
    return c->kind != IPC_FETCH || c->pid > 0 || config_fetches(sv->generation->config);
}

int children_start(struct supervisor *sv, struct sp_buf *error)
{
    EACH_CHILD(sv, c)
    {
        int why = c->pid > 0 || !children_wanted(sv, c) ? 0 : start(sv, c);
        if (!why)
            continue;
        sp_buf_add_str(error, ipc_role_name(c->kind));
        sp_buf_add_str(error, ": the process cannot be started: ");
        sp_buf_add_str(error, strerror(why));
        sp_buf_add_str(error, "\n");
        return EX_OSERR;
    }
    return EX_OK;
}

/* --- death ------------------------------------------------------------------------------------ */

void children_stop(struct supervisor *sv, enum ipc_role kind, uint32_t grace_ms)
{
    for (uint32_t i = 0; i < sv->child_n[kind]; i++) {
        os_timer_stop(&sv->children[kind][i].again);
        give_stop(&sv->children[kind][i], grace_ms);
    }
}

void children_kill(struct supervisor *sv)
{
    EACH_CHILD(sv, c)
    {
        if (c->pid > 0)
            (void)kill(c->pid, SIGKILL);
    }
}

static struct child *find_pid(struct supervisor *sv, pid_t pid)
{
    EACH_CHILD(sv, c)
    {
        if (c->pid == pid)
            return c;
    }
    return NULL;
}

static void bury(struct supervisor *sv, struct child *c, int wait_status)
{
    c->pid = 0;
    c->ready_generation = 0;
    if (c->edge)
        os_edge_free(c->edge);
    c->edge = NULL;
    if (c->kind == IPC_SMTPD)
        tally_clear(sv->tally, c->index);
    supervisor_child_died(sv, c, wait_status);
}

void children_reap(struct supervisor *sv)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *c = find_pid(sv, pid);
        if (c)
            bury(sv, c, status);
    }
}

uint32_t children_alive(const struct supervisor *sv, enum ipc_role kind)
{
    uint32_t n = 0;
    EACH_CHILD(sv, c) { n += c->pid > 0 && (kind == IPC_ANY || c->kind == kind); }
    return n;
}

bool children_ready(const struct supervisor *sv)
{
    EACH_CHILD(sv, c)
    {
        if (children_wanted(sv, c) && c->ready_generation != sv->generation->number)
            return false;
    }
    return true;
}

void children_fini(struct supervisor *sv)
{
    EACH_CHILD(sv, c)
    {
        os_timer_fini(&c->again);
        os_timer_fini(&c->listeners_again);
        if (c->edge)
            os_edge_free(c->edge);
        if (c->pid > 0)
            (void)waitpid(c->pid, NULL, 0); /* killed before: it does not keep us */
    }
    links_fini(sv);
    for (size_t kind = 0; kind < IPC_ROLE_N; kind++)
        free(sv->children[kind]);
}
