#include "roles/supervisor/spawn.h"

#include "roles/role.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

static void become_role(char *const *argv, int edge)
{
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        (void)dup2(null, 0);
        (void)dup2(null, 1);
    }
    if (dup2(edge, ROLE_SUPERVISOR_FD) == ROLE_SUPERVISOR_FD)
        (void)execv("/proc/self/exe", argv);
}

pid_t spawn_role(enum ipc_role kind, uint32_t index, int edge, int lock)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%u", index); /* fits */
    char *argv[] = {"sallyport", "role", (char *)ipc_role_name(kind), number, NULL};
    (void)lock; /* has no close-on-exec */
    pid_t pid = fork();
    if (pid == 0) {
        become_role(argv, edge);
        _exit(EX_OSERR);
    }
    return pid;
}
