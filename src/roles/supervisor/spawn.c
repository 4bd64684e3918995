#include "roles/supervisor/spawn.h"

#include "os/sandbox.h"
#include "roles/role.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { ARGUMENT_N = 7, NUMBER_LEN = 16 };

struct arguments {
    char index[NUMBER_LEN], uid[NUMBER_LEN], gid[NUMBER_LEN];
    const char *words[ARGUMENT_N];
};

static void fill(struct arguments *a, const struct birth *b)
{
    const char *const words[ARGUMENT_N] = {"sallyport", "role", ipc_role_name(b->kind),
                                           a->index,    a->uid, a->gid};
    (void)snprintf(a->index, sizeof a->index, "%u", b->index); /* all three fit */
    (void)snprintf(a->uid, sizeof a->uid, "%u", (unsigned)b->user->uid);
    (void)snprintf(a->gid, sizeof a->gid, "%u", (unsigned)b->user->gid);
    for (size_t i = 0; i < ARGUMENT_N; i++)
        a->words[i] = words[i];
    if (!b->user->change)
        a->words[4] = NULL;
}

/* Nothing else of the supervisor's goes along: no listening socket, no other role's edge, no terminal. */
static bool arrange_descriptors(const struct birth *b)
{
    int null = open("/dev/null", O_RDWR);
    int lock = fcntl(b->lock, F_DUPFD, ROLE_SUPERVISOR_FD + 1);
    int edge = fcntl(b->edge, F_DUPFD, ROLE_SUPERVISOR_FD + 1);
    if (null < 0 || lock < 0 || edge < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(edge, ROLE_SUPERVISOR_FD) < 0)
        return false;
    os_sandbox_close_others((const int[]){ROLE_SUPERVISOR_FD, lock}, 2);
    return true;
}

static void become_role(const struct arguments *a, const struct birth *b)
{
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail */
    /* A library's first call of a function leaves on the stack what the vector registers held: of a secret
     * that was copied just before. Let all be found at once. */
    (void)setenv("LD_BIND_NOW", "1", 1); /* without it, as before */
    if (arrange_descriptors(b))
        (void)execv("/proc/self/exe", (char *const *)a->words);
    perror("sallyport serve: this program cannot be started as a role");
}

pid_t spawn(const struct birth *b)
{
    struct arguments a;
    fill(&a, b);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    become_role(&a, b);
    _exit(EX_OSERR);
}
