#include "os/file.h"

#include "base/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(int why)
{
    errno = why;
    return why == EFBIG ? SP_ERR_LONG : SP_ERR_IO;
}

int os_file_read_open(int fd, struct sp_buf *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return SP_ERR_IO;
    if (S_ISDIR(st.st_mode))
        return fail(EISDIR);
    /* Room at once and one octet more, so that growing does not leave copies of a secret behind. */
    size_t room = (st.st_size > 0 ? (size_t)st.st_size : 4096) + 1;
    for (;;) {
        uint8_t beyond;
        size_t left = out->max - out->len;
        if (left > 0 && sp_buf_reserve(out, room < left ? room : left) != SP_OK)
            return fail(EFBIG);
        ssize_t n = read(fd, left > 0 ? out->p + out->len : &beyond, left > 0 ? out->cap - out->len : 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? SP_OK : SP_ERR_IO;
        if (left == 0)
            return fail(EFBIG);
        out->len += (size_t)n;
    }
}

int os_file_read(int folder, const char *path, struct sp_buf *out)
{
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return SP_ERR_IO;
    int status = os_file_read_open(fd, out);
    int why = errno;
    close(fd);
    errno = why;
    return status;
}

int os_file_write_open(int fd, struct sp_view octets)
{
    while (octets.len > 0) {
        ssize_t n = write(fd, octets.p, octets.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SP_ERR_IO;
        octets = sp_view_from(octets, (size_t)n);
    }
    return SP_OK;
}

int os_file_put(int folder, const char *name, const char *part, struct sp_view octets)
{
    int fd = openat(folder, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return SP_ERR_IO;
    int status = os_file_write_open(fd, octets);
    if (status == SP_OK &&
        (fsync(fd) != 0 || renameat(folder, part, folder, name) != 0 || fsync(folder) != 0))
        status = SP_ERR_IO;
    int why = errno;
    if (status != SP_OK)
        (void)unlinkat(folder, part, 0); /* the first failure is the one to tell */
    close(fd);
    errno = why;
    return status;
}

void os_file_add_fault(struct sp_buf *error, const char *path, const char *what, int status)
{
    const char *why = status == SP_ERR_LONG ? "it is longer than such a file may be" : strerror(errno);
    sp_buf_add_str(error, path);
    sp_buf_add_str(error, ": ");
    sp_buf_add_str(error, what);
    sp_buf_add_str(error, ": ");
    sp_buf_add_str(error, why);
    sp_buf_add_str(error, "\n");
}
