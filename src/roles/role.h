/*
 * The shape that every role shares: a process that is given its configuration, folder and
 * edges by the supervisor, runs one loop, and exits when the supervisor's edge closes.
 *
 * A role includes this header, never another role.
 */
#ifndef ROLES_ROLE_H
#define ROLES_ROLE_H

#include "config/config.h"
#include "os/edge.h"
#include "roles/addresses.h"

enum {
    ROLE_SUPERVISOR_FD = 3, /* the descriptor that a role is born with */
    ROLE_PEERS_MAX = 64     /* processes of one role */
};

struct role;

/*
 * What a role does. Any may be NULL.
 *
 * What the supervisor gives for a generation (tls_identity, listener, credential, user_wanted, ...) comes
 * through `message` before that generation's start or reload: keep it until then. Nothing is read from a
 * peer before start has returned; peer_up of the peers that are already there follows it.
 */
struct role_ops {
    /* Everything of the first generation is here; become able to serve. Then ready is said. */
    void (*start)(struct role *r);
    /* A later generation is complete: r->config is the new one. The old one is freed after the call. */
    void (*reload)(struct role *r);
    /* A message from a peer, or one from the supervisor that the skeleton does not take itself. */
    void (*message)(struct role *r, struct os_edge *from, const struct ipc_message *m);
    /*
     * A peer can be written to; a peer is gone (no longer in r->peers; its edge is freed after the call).
     * A process that was started anew comes up as a new edge with the same index, never before its
     * forerunner's peer_gone. So does a living process whose edge broke: the supervisor joins the two anew.
     */
    void (*peer_up)(struct role *r, struct os_edge *peer);
    void (*peer_gone)(struct role *r, struct os_edge *peer);
    void (*peer_drained)(struct role *r, struct os_edge *peer);
    /* Finish within grace_ms and call role_exit. Without it the role exits at once. */
    void (*stop)(struct role *r, uint32_t grace_ms);
};

struct role {
    enum ipc_role kind;
    uint32_t index; /* 0.. among its kind                          */
    struct event_base *base;
    struct os_edge *supervisor;
    const struct config *config; /* current generation                          */
    uint32_t generation;
    struct addresses *addresses; /* of the domains that are ours, in current generation; where roles need them */
    int folder; /* descriptor of the role's own folder, also its working folder; -1 for none */
    struct os_edge *peers[IPC_ROLE_N][ROLE_PEERS_MAX]; /* NULL while away       */
    const struct role_ops *ops;
    void *state; /* the role's own                               */
};

/*
 * Run a role until it exits: never returns. Called by `sallyport role NAME INDEX`. The role is shut in
 * (os/sandbox.h) when start has returned: what it needs of the system beyond its row it takes in start.
 */
_Noreturn void role_run(enum ipc_role kind, uint32_t index, const struct role_ops *ops, void *state);

/* Leave now, in order. */
_Noreturn void role_exit(struct role *r);

/* The number of living peers of a role, and the nth of them. */
size_t role_peer_n(const struct role *r, enum ipc_role kind);
struct os_edge *role_peer(const struct role *r, enum ipc_role kind, size_t nth);

/* The living peer with that index, or NULL. */
struct os_edge *role_peer_at(const struct role *r, enum ipc_role kind, uint32_t index);

/*
 * The living peer that a number falls to, however the numbers are made (of a session, a destination): about as many
 * to each. NULL when none lives.
 */
struct os_edge *role_peer_for(const struct role *r, enum ipc_role kind, uint64_t number);

/* The entry points of the roles, for src/cli/role.c. */
extern const struct role_ops smtpd_ops, auth_ops, queue_ops, delivery_ops, fetch_ops, pickup_ops, console_ops;

#endif
