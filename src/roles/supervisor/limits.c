#include "roles/supervisor/limits.h"

#include "os/log.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

/* A connection may have a large message on its way to a file. Beside that: edges, listeners, the loop's own.
 */
enum { FOR_A_CONNECTION = 2, BESIDE_CONNECTIONS = 512 };

bool limits_raise(const struct config *c)
{
    struct rlimit now;
    rlim_t needed = (rlim_t)c->limits.connections + BESIDE_CONNECTIONS;
    rlim_t wanted = needed + c->limits.connections; /* every one with a large message */
    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur >= wanted)
        return false;
    struct rlimit more = {.rlim_cur = wanted, .rlim_max = now.rlim_max >= wanted ? now.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return true;
    more = (struct rlimit){now.rlim_max, now.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &more); /* to the hard limit one may always go */
    if (now.rlim_max >= needed)
        return true;
    os_log(OS_WARN, "few-descriptors", OS_NUM("have", now.rlim_max), OS_NUM("needed", needed),
           OS_STR("advice", "raise the hard limit (ulimit -Hn, LimitNOFILE=) or lower limits connections"));
    return true;
}

void limits_hand_on(pid_t pid)
{
    struct rlimit mine;
    if (pid <= 0 || getrlimit(RLIMIT_NOFILE, &mine) != 0)
        return;
    if (prlimit(pid, RLIMIT_NOFILE, &mine, NULL) != 0)
        os_log(OS_WARN, "few-descriptors", OS_NUM("pid", pid), OS_STR("why", strerror(errno)),
               OS_STR("advice", "a new limit of connections is whole at the next start"));
}
