/* What the supervisor knows: shared by its files, nobody else's. */
#ifndef SUPERVISOR_STATE_H
#define SUPERVISOR_STATE_H

#include "os/edge.h"
#include "os/loop.h"
#include "roles/role.h"
#include "roles/supervisor/data_folder.h"
#include "roles/supervisor/generation.h"
#include "roles/supervisor/listeners.h"
#include "roles/supervisor/tickets.h"

enum { SUPERVISOR_SIGNAL_N = 4, ERROR_MAX = 65536 };

enum supervisor_phase {
    SUPERVISOR_STARTING, /* until every role is ready and every user known: a role that dies ends the start */
    SUPERVISOR_RUNNING,  /* a role that dies is started anew                                               */
    SUPERVISOR_STOPPING  /* a role that dies is one less to wait for                                       */
};

/* A process of a role. */
struct child {
    struct supervisor *supervisor;
    enum ipc_role kind;
    uint32_t index;
    pid_t pid;            /* 0 while there is none                        */
    struct os_edge *edge; /* NULL while there is none                     */
    uint32_t ready_generation;
    uint64_t born_ms;
    uint32_t pause_ms; /* before it is started again; 0: it lived long enough */
    struct os_timer again, listeners_again;
};

/* The place of an edge between two children. */
struct link {
    uint32_t number; /* of the edge that is there now, or was */
    bool lost;       /* it broke, or could not be given       */
};

/* A user who is to be known before anything listens. */
struct wanted_user {
    char *name;
    struct sp_buf password;
    bool replace; /* set the password though the user exists */
    bool known;
    bool changed; /* the password is the one above           */
};

struct supervisor {
    const struct supervisor_options *options;
    struct event_base *base;
    enum supervisor_phase phase;
    struct generation *generation;
    const char *data; /* folder, as given */
    int folder, lock;
    int parts[IPC_ROLE_N]; /* -1: that role keeps nothing */
    int maildrop;          /* -1: there is none           */
    struct role_user user;
    struct listeners listeners;
    struct tickets tickets;
    int tally; /* shared by smtpd processes, see roles/tally.h */
    int slow;  /* shared by auth processes, see roles/slow.h   */
    struct child *children[IPC_ROLE_N];
    uint32_t child_n[IPC_ROLE_N];
    struct link **links;       /* by edge rule, then by child of its a and child of its b */
    struct os_timer join_again; /* those that are lost                                     */
    struct wanted_user *users;
    size_t user_n;
    struct event *signals[SUPERVISOR_SIGNAL_N];
    struct os_timer deadline; /* of a stop */
    bool queue_stopped;
    bool reload_asked; /* SIGHUP came before there was anything to reload      */
    bool reloading;    /* a generation was given that not every role uses yet */
    int exit_code;
};

/* Every child, whatever its role. */
#define EACH_CHILD(sv, c)                                                                                    \
    for (size_t kind_ = 0; kind_ < IPC_ROLE_N; kind_++)                                                      \
        for (struct child *c = (sv)->children[kind_]; c < (sv)->children[kind_] + (sv)->child_n[kind_]; c++)

#endif
