#include "roles/role.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "os/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* A peer's descriptor that came before the role could serve. */
struct waiting_peer {
    struct waiting_peer *next;
    enum ipc_role kind;
    uint32_t index, edge;
    int fd;
};

/* The one role of this process, and what the skeleton keeps beside it. */
struct skeleton {
    struct role role; /* first: the handlers' ctx is the role */
    struct config *config;
    struct config *next_config;
    uint32_t next_generation;
    bool started;
    struct waiting_peer *waiting;
    struct waiting_peer **waiting_end;
    uint32_t edges[IPC_ROLE_N][ROLE_PEERS_MAX]; /* the supervisor's numbers of the edges to the peers */
    char name[32];
};

static struct skeleton self;

size_t role_peer_n(const struct role *r, enum ipc_role kind)
{
    size_t n = 0;
    for (size_t i = 0; i < ROLE_PEERS_MAX; i++)
        n += r->peers[kind][i] != NULL;
    return n;
}

struct os_edge *role_peer(const struct role *r, enum ipc_role kind, size_t nth)
{
    for (size_t i = 0; i < ROLE_PEERS_MAX; i++)
        if (r->peers[kind][i] && nth-- == 0)
            return r->peers[kind][i];
    return NULL;
}

struct os_edge *role_peer_at(const struct role *r, enum ipc_role kind, uint32_t index)
{
    return index < ROLE_PEERS_MAX ? r->peers[kind][index] : NULL;
}

/* Ids are made of a time and a count: their last bits are mostly 0. */
static uint64_t mix(uint64_t number)
{
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

struct os_edge *role_peer_for(const struct role *r, enum ipc_role kind, uint64_t number)
{
    size_t n = role_peer_n(r, kind);
    return n ? role_peer(r, kind, (size_t)(mix(number) % n)) : NULL;
}

/* --- peers ------------------------------------------------------------------------------- */

static void lose_peer(struct role *r, struct os_edge *peer)
{
    struct os_edge **slot = &r->peers[os_edge_peer(peer)][os_edge_peer_index(peer)];
    if (*slot == peer)
        *slot = NULL;
    if (r->ops->peer_gone)
        r->ops->peer_gone(r, peer);
    os_edge_free(peer);
}

static void take_peer_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct role *r = ctx;
    if (r->ops->message)
        r->ops->message(r, edge, m);
}

/* Most often the peer has died. If it has not, only the supervisor can join the two again. */
static void note_peer_closed(void *ctx, struct os_edge *edge)
{
    struct role *r = ctx;
    enum ipc_role kind = os_edge_peer(edge);
    uint32_t index = os_edge_peer_index(edge);
    struct ipc_message lost = {
        .type = IPC_TYPE_peer_lost,
        .as.peer_lost = {.role = (uint8_t)kind, .index = index, .edge = self.edges[kind][index]}};
    (void)os_edge_send(r->supervisor, &lost); /* a closed edge ends the role anyway */
    lose_peer(r, edge);
}

static void note_peer_drained(void *ctx, struct os_edge *edge)
{
    struct role *r = ctx;
    if (r->ops->peer_drained)
        r->ops->peer_drained(r, edge);
}

static const struct os_edge_handlers peer_handlers = {
    .message = take_peer_message, .closed = note_peer_closed, .drained = note_peer_drained};

static void attach_peer(struct role *r, const struct waiting_peer *p)
{
    struct os_edge **slot = &r->peers[p->kind][p->index];
    if (*slot)
        lose_peer(r, *slot); /* its successor was announced before its end was seen */
    self.edges[p->kind][p->index] = p->edge;
    *slot = os_edge_new(r->base, p->fd, r->kind, p->kind, p->index, &peer_handlers, r);
    if (!*slot)
        os_panic("edge", "cannot open the edge to %s/%u", ipc_role_name(p->kind), p->index);
    if (r->ops->peer_up)
        r->ops->peer_up(r, *slot);
}

static void take_peer(struct role *r, const struct ipc_peer *p)
{
    if (p->role >= IPC_ROLE_N || p->index >= ROLE_PEERS_MAX || p->fd < 0)
        os_panic("edge", "the supervisor announced an impossible peer %u/%u", p->role, p->index);
    struct waiting_peer now = {NULL, (enum ipc_role)p->role, p->index, p->edge, p->fd};
    if (self.started) {
        attach_peer(r, &now);
        return;
    }
    struct waiting_peer *w = os_new(sizeof *w);
    *w = now;
    *self.waiting_end = w;
    self.waiting_end = &w->next;
}

static void attach_waiting(struct role *r)
{
    while (self.waiting) {
        struct waiting_peer *w = self.waiting;
        self.waiting = w->next;
        attach_peer(r, w);
        free(w);
    }
    self.waiting_end = &self.waiting;
}

/* --- the supervisor's messages ------------------------------------------------------------- */

static void take_configuration(const struct ipc_configure *c)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 65536);
    char *path = os_text(c->path);
    struct config *config = NULL;
    if (config_parse(path, c->text, &error, &config) != SP_OK)
        os_panic("configuration", "the supervisor passed on a configuration that does not parse: %.*s",
                 (int)error.len, (const char *)error.p);
    free(path);
    sp_buf_fini(&error);
    config_free(self.next_config);
    self.next_config = config;
    self.next_generation = c->generation;
}

static void take_folder(struct role *r, int fd)
{
    if (fchdir(fd) != 0)
        os_fatal(EX_NOPERM, "folder", "cannot enter the role's folder in the data folder: %s",
                 strerror(errno));
    if (r->folder >= 0)
        close(r->folder);
    r->folder = fd;
}

static void take_start(struct role *r, uint32_t generation)
{
    struct config *old = self.config;
    if (!self.next_config || generation != self.next_generation)
        os_panic("start", "generation %u was started without its configuration", generation);
    self.config = self.next_config;
    self.next_config = NULL;
    r->config = self.config;
    r->generation = generation;
    addresses_use(r->addresses, generation);
    if (!self.started) {
        if (r->ops->start)
            r->ops->start(r);
        os_sandbox_enter(r->kind);
        self.started = true;
        attach_waiting(r);
    } else if (r->ops->reload) {
        r->ops->reload(r);
    }
    config_free(old);
    struct ipc_message ready = {.type = IPC_TYPE_ready, .as.ready = {.generation = generation}};
    (void)os_edge_send(r->supervisor, &ready); /* a closed edge ends the role anyway */
}

static void take_supervisor_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct role *r = ctx;
    switch (m->type) {
    case IPC_TYPE_configure:
        take_configuration(&m->as.configure);
        break;
    case IPC_TYPE_folder:
        take_folder(r, m->as.folder.fd);
        break;
    case IPC_TYPE_aliases:
        addresses_take(r->addresses, &m->as.aliases);
        break;
    case IPC_TYPE_srs_secrets:
        addresses_take_srs(r->addresses, &m->as.srs_secrets);
        break;
    case IPC_TYPE_peer:
        take_peer(r, &m->as.peer);
        break;
    case IPC_TYPE_start:
        take_start(r, m->as.start.generation);
        break;
    case IPC_TYPE_stop:
        if (r->ops->stop && self.started)
            r->ops->stop(r, m->as.stop.grace_ms);
        else
            role_exit(r);
        break;
    default:
        if (r->ops->message)
            r->ops->message(r, edge, m);
    }
}

/* The supervisor is gone, whatever killed it: nobody may be left behind. */
static void note_supervisor_closed(void *ctx, struct os_edge *edge)
{
    (void)ctx, (void)edge;
    exit(EX_OK);
}

static const struct os_edge_handlers supervisor_handlers = {.message = take_supervisor_message,
                                                            .closed = note_supervisor_closed};

/* --- life ----------------------------------------------------------------------------------- */

/* Signals are for the supervisor, also when a terminal or an init sends them to every process. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        (void)signal(ignored[i], SIG_IGN); /* cannot fail for these */
}

void role_run(enum ipc_role kind, uint32_t index, const struct role_ops *ops, void *state)
{
    struct role *r = &self.role;
    ignore_signals();
    (void)snprintf(self.name, sizeof self.name, "%s/%u", ipc_role_name(kind), index); /* fits by far */
    os_log_role(self.name);
    os_sandbox_renounce();
    self.waiting_end = &self.waiting;
    *r = (struct role){.kind = kind, .index = index, .folder = -1, .ops = ops, .state = state};
    r->addresses = addresses_new();
    r->base = os_loop_new();
    r->supervisor =
        r->base ? os_edge_new(r->base, ROLE_SUPERVISOR_FD, kind, IPC_SUPERVISOR, 0, &supervisor_handlers, r)
                : NULL;
    if (!r->supervisor)
        os_panic("loop", "cannot start the event loop");
    (void)event_base_dispatch(r->base);
    os_panic("loop", "the event loop ended by itself");
}

void role_exit(struct role *r)
{
    for (size_t kind = 0; kind < IPC_ROLE_N; kind++)
        for (size_t i = 0; i < ROLE_PEERS_MAX; i++)
            if (r->peers[kind][i])
                os_edge_flush(r->peers[kind][i]);
    os_edge_flush(r->supervisor);
    exit(EX_OK);
}
