#include "os/lock.h"

#include "base/view.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 20 };

static int64_t read_pid(int fd)
{
    char text[24];
    ssize_t n = pread(fd, text, sizeof text, 0);
    uint64_t pid;
    if (n <= 0)
        return 0;
    struct sp_view v = sp_view_make(text, (size_t)n);
    return sp_view_u64(sp_view_sub(v, 0, sp_view_find(v, '\n', 0)), INT32_MAX, &pid) ? 0 : (int64_t)pid;
}

/* A zombie has its pid but runs no more: whoever started it has not asked for its end yet. */
static bool is_zombie(int64_t pid)
{
    char path[64], stat[512];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, stat, sizeof stat);
    if (fd >= 0)
        close(fd);
    /* "7 (any name) Z ..." */
    const char *paren = n > 0 ? memrchr(stat, ')', (size_t)n) : NULL;
    return paren && paren + 2 < stat + n && (paren[2] == 'Z' || paren[2] == 'X');
}

static bool is_alive(int64_t pid)
{
    return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM) && !is_zombie(pid);
}

static int write_pid(int fd)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    return ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n ? SP_ERR_IO : SP_OK;
}

/* SP_ERR_EXISTS: not now. */
static int try_lock(int fd, int64_t *pid_out)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return write_pid(fd);
    if (errno != EWOULDBLOCK && errno != EINTR)
        return SP_ERR_IO;
    *pid_out = read_pid(fd);
    return SP_ERR_EXISTS;
}

int os_lock_take(int data_folder, uint32_t wait_ms, int *fd_out, int64_t *pid_out)
{
    uint64_t end = os_mono_ms() + wait_ms;
    int64_t pid = 0;
    int fd = openat(data_folder, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (fd < 0)
        return SP_ERR_IO;
    int status = try_lock(fd, &pid);
    while (status == SP_ERR_EXISTS && !is_alive(pid) && os_mono_ms() < end) {
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
        status = try_lock(fd, &pid);
    }
    if (status == SP_OK) {
        *fd_out = fd;
        return SP_OK;
    }
    int why = errno;
    close(fd);
    errno = why;
    if (status == SP_ERR_EXISTS)
        *pid_out = is_alive(pid) ? pid : 0;
    return status;
}
