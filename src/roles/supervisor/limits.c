#include "roles/supervisor/limits.h"

#include "os/log.h"

#include <sys/resource.h>

/* Edges, listeners, the loop's own, and files for some large messages on their way. */
enum { BESIDE_CONNECTIONS = 512 };

void limits_raise(const struct config *c)
{
    struct rlimit now;
    rlim_t needed = (rlim_t)c->limits.connections + BESIDE_CONNECTIONS;
    if (getrlimit(RLIMIT_NOFILE, &now) != 0)
        return;
    now.rlim_cur = now.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &now); /* to the hard limit one may always go */
    if (now.rlim_max >= needed)
        return;
    struct rlimit more = {needed, needed};
    if (setrlimit(RLIMIT_NOFILE, &more) != 0)
        os_log(
            OS_WARN, "few-descriptors", OS_NUM("have", now.rlim_max), OS_NUM("needed", needed),
            OS_STR("advice", "raise the hard limit (ulimit -Hn, LimitNOFILE=) or lower limits connections"));
}
