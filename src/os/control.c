#include "os/control.h"

#include "os/heap.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 32, PAUSE_MS = 200 };

struct os_control {
    struct event_base *base;
    int fd, folder;
    enum ipc_role me;
    const struct os_edge_handlers *handlers;
    void (*accepted)(void *ctx, struct os_edge *tool);
    void *ctx;
    struct event *event;
    struct os_timer pause; /* out of descriptors: listen again later */
    uint32_t tool_n;
};

/* sun_path holds 108 octets, a folder's path may be longer: go by its descriptor. */
static void name_socket(int folder, struct sockaddr_un *name_out)
{
    *name_out = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(name_out->sun_path, sizeof name_out->sun_path, "/proc/self/fd/%d/control", folder);
}

static int listen_in(int folder)
{
    struct sockaddr_un name;
    name_socket(folder, &name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    /* Nobody can connect before listen(), so the mode is right in time. */
    if ((unlinkat(folder, "control", 0) && errno != ENOENT) ||
        bind(fd, (struct sockaddr *)&name, sizeof name) || fchmodat(folder, "control", 0600, 0) ||
        listen(fd, BACKLOG)) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static bool may_speak(const struct os_control *c, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    struct stat folder;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || fstat(c->folder, &folder))
        return false;
    if (peer.uid == 0 || peer.uid == geteuid() || peer.uid == folder.st_uid)
        return true;
    os_log(OS_WARN, "control-refused", OS_NUM("uid", peer.uid), OS_NUM("pid", peer.pid));
    return false;
}

static void on_connection(evutil_socket_t listener, short what, void *arg)
{
    (void)what;
    struct os_control *c = arg;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
        os_log(OS_WARN, "control-accept", OS_STR("error", strerror(errno)));
        event_del(c->event);
        os_timer_set(&c->pause, PAUSE_MS);
    }
    if (fd < 0)
        return;
    if (may_speak(c, fd))
        c->accepted(c->ctx, os_edge_new(c->base, fd, c->me, IPC_TOOL, c->tool_n++, c->handlers, c->ctx));
    else
        close(fd);
}

static void listen_again(void *ctx)
{
    struct os_control *c = ctx;
    event_add(c->event, NULL);
}

struct os_control *os_control_new(struct event_base *base, int folder, enum ipc_role me,
                                  const struct os_edge_handlers *handlers,
                                  void (*accepted)(void *ctx, struct os_edge *tool), void *ctx)
{
    int own = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    int fd = own < 0 ? -1 : listen_in(own);
    if (fd < 0) {
        int why = errno;
        if (own >= 0)
            close(own);
        errno = why;
        return NULL;
    }
    struct os_control *c = os_new(sizeof *c);
    *c = (struct os_control){.base = base,
                             .fd = fd,
                             .folder = own,
                             .me = me,
                             .handlers = handlers,
                             .accepted = accepted,
                             .ctx = ctx};
    c->event = event_new(base, fd, EV_READ | EV_PERSIST, on_connection, c);
    if (!c->event)
        os_panic("control", "event_new failed");
    event_priority_set(c->event, OS_PRIORITY_IO);
    os_timer_init(&c->pause, base, listen_again, c);
    event_add(c->event, NULL);
    return c;
}

void os_control_free(struct os_control *c)
{
    if (!c)
        return;
    event_free(c->event);
    os_timer_fini(&c->pause);
    /* A tool that finds no socket says that no server is running; the folder may be gone already. */
    (void)unlinkat(c->folder, "control", 0);
    close(c->fd);
    close(c->folder);
    free(c);
}

int os_control_connect(const char *data_folder, enum ipc_role role)
{
    struct sockaddr_un name;
    int data = open(data_folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int folder = data < 0 ? -1 : openat(data, ipc_role_name(role), O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = folder < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        name_socket(folder, &name);
        if (connect(fd, (struct sockaddr *)&name, sizeof name)) {
            int why = errno;
            close(fd);
            errno = why;
            fd = -1;
        }
    }
    int why = errno;
    if (folder >= 0)
        close(folder);
    if (data >= 0)
        close(data);
    errno = why;
    return fd;
}
