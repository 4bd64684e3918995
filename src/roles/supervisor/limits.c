#include "roles/supervisor/limits.h"

#include "os/log.h"

#include <sys/resource.h>

/* Edges, listeners, the loop's own, files in flight. */
enum { BESIDE_CONNECTIONS = 512 };

void limits_raise(const struct config *c)
{
    struct rlimit now;
    rlim_t wanted = (rlim_t)c->limits.connections + BESIDE_CONNECTIONS;
    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur >= wanted)
        return;
    struct rlimit more = {.rlim_cur = wanted, .rlim_max = now.rlim_max >= wanted ? now.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return;
    more = (struct rlimit){now.rlim_max, now.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &more); /* to the hard limit one may always go */
    os_log(OS_WARN, "few-descriptors", OS_NUM("have", now.rlim_max), OS_NUM("wanted", wanted),
           OS_STR("advice", "raise the hard limit (ulimit -Hn, LimitNOFILE=) or lower limits connections"));
}
