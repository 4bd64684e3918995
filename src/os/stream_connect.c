#include "os/heap.h"
#include "os/stream_state.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_socket(const struct os_stream_dial *d, int *fd_out)
{
    const int on = 1;
    const struct sockaddr *address = d->address;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    *fd_out = fd;
    /* Replies and commands leave whole; waiting for more to fill a packet only delays them. */
    if (address->sa_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (d->from && bind(fd, d->from, (socklen_t)d->from_len))
        return errno;
    return connect(fd, address, (socklen_t)d->address_len) && errno != EINPROGRESS ? errno : 0;
}

struct os_stream *os_stream_connect_from(struct event_base *base, const struct os_stream_dial *dial,
                                         const struct os_stream_handlers *h, void *ctx)
{
    int fd = -1, error = open_socket(dial, &fd);
    struct os_stream *s = stream_new(base, fd, h, ctx);
    s->phase = STREAM_CONNECTING;
    s->connect_errno = error;
    s->dialled_family = ((const struct sockaddr *)dial->address)->sa_family;
    /* A failure at once is told from the loop like any other. */
    stream_set_timer(s, error ? 0 : dial->timeout_ms);
    if (!error)
        stream_want_write(s, true);
    return s;
}

bool os_stream_is_starved(const struct os_stream *s)
{
    switch (s->connect_errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return true;
    case EADDRNOTAVAIL: /* no port is left; of IPv6 it may also be that there is no address to dial from */
        return s->dialled_family == AF_INET;
    default:
        return false;
    }
}

struct os_stream *os_stream_connect(struct event_base *base, const void *address, size_t len,
                                    uint32_t timeout_ms, const struct os_stream_handlers *h, void *ctx)
{
    const struct os_stream_dial dial = {.address = address, .address_len = len, .timeout_ms = timeout_ms};
    return os_stream_connect_from(base, &dial, h, ctx);
}

/* --- names ---------------------------------------------------------------------------------- */

static const struct stream_names *find_names(const struct os_stream *s)
{
    struct os_stream *mine =
        (struct os_stream *)(uintptr_t)s; /* a cache: nothing that the owner can see changes */
    if (s->names)
        return s->names;
    struct os_address peer = {.len = sizeof peer.as}, local = {.len = sizeof local.as};
    if (getpeername(s->fd, &peer.as.any, &peer.len))
        peer = (struct os_address){0};
    if (getsockname(s->fd, &local.as.any, &local.len))
        local = (struct os_address){0};
    struct stream_names *names = os_new(sizeof *names);
    os_address_host(&peer, names->peer);
    os_address_host(&local, names->local);
    names->peer_port = os_address_port(&peer);
    names->local_port = os_address_port(&local);
    return mine->names = names;
}

const char *os_stream_peer_address(const struct os_stream *s) { return find_names(s)->peer; }

uint16_t os_stream_peer_port(const struct os_stream *s) { return find_names(s)->peer_port; }

const char *os_stream_local_address(const struct os_stream *s) { return find_names(s)->local; }

uint16_t os_stream_local_port(const struct os_stream *s) { return find_names(s)->local_port; }
