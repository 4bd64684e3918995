/*
 * The supervisor: owns configuration, listening sockets, children and signals. It starts the roles,
 * gives each what it may have, restarts those that crash, and takes all down together.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "config/config.h"

/* A user of the command line: set at the start, whatever password it had. The password is overwritten once
 * used. */
struct supervisor_user {
    const char *name;
    char *password;
};

struct supervisor_options {
    const char *path;                    /* of the configuration file; NULL: the sandbox */
    const char *data;                    /* --data: instead of the configuration's; NULL: not given */
    struct config_sandbox sandbox;       /* without a file */
    const struct supervisor_user *users; /* none in the sandbox: demo, with a password of ours */
    size_t user_n;
};

/* Serve until a signal ends it. Faults of the start are told on stderr. Returns a sysexits code. */
int supervisor_run(const struct supervisor_options *options);

#endif
