/* For the tests of os: turn the loop until something has happened, and catch what is logged. */
#ifndef TESTS_OS_HARNESS_H
#define TESTS_OS_HARNESS_H

#include "tap.h"

#include "os/clock.h"
#include "os/log.h"
#include "os/loop.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_MS = 20000 }; /* only a broken program waits so long */

/* Turn the loop until the condition holds. */
#define RUN_UNTIL(base, condition)                                                                           \
    do {                                                                                                     \
        for (uint64_t end_ = os_mono_ms() + DEADLINE_MS; !(condition);) {                                    \
            assert_true(os_mono_ms() < end_);                                                                \
            struct event *wake_ = evtimer_new(base, wake_up, NULL);                                          \
            evtimer_add(wake_, &(struct timeval){.tv_usec = 20000});                                         \
            event_base_loop(base, EVLOOP_ONCE);                                                              \
            event_free(wake_);                                                                               \
        }                                                                                                    \
    } while (0)

static inline void wake_up(evutil_socket_t fd, short what, void *arg) { (void)fd, (void)what, (void)arg; }

/* Turn the loop as long as something is ready. */
static inline void run_ready(struct event_base *base)
{
    for (int i = 0; i < 50; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
}

/* What is written to stderr between start and end. */
struct caught {
    int saved, file;
    char text[64 << 10];
};

static inline void catch_start(struct caught *c)
{
    c->saved = dup(STDERR_FILENO);
    c->file = memfd_create("stderr", MFD_CLOEXEC);
    assert_true(c->saved >= 0 && c->file >= 0);
    assert_true(dup2(c->file, STDERR_FILENO) >= 0);
    os_log_open();
}

/* The text so far, NUL-terminated. */
static inline const char *catch_text(struct caught *c)
{
    ssize_t n = pread(c->file, c->text, sizeof c->text - 1, 0);
    c->text[n > 0 ? n : 0] = 0;
    return c->text;
}

static inline const char *catch_end(struct caught *c)
{
    catch_text(c);
    dup2(c->saved, STDERR_FILENO);
    close(c->saved);
    close(c->file);
    os_log_open();
    return c->text;
}

static inline void make_pair(int pair_out[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair_out), 0);
}

/* Open descriptors of this process: what a test took it must give back. */
static inline int count_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

#endif
