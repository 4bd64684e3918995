/* A folder of a test's own, and what may be done to a store's files in it. */
#ifndef TESTS_STORE_FOLDER_H
#define TESTS_STORE_FOLDER_H

#include "store/store.h"
#include "tap.h"

#include "os/heap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char path[64];
    int fd;
};

static inline struct folder folder_new(void)
{
    struct folder f = {.path = "/tmp/sallyport-store-XXXXXX"};
    assert_non_null(mkdtemp(f.path));
    f.fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.fd >= 0);
    return f;
}

/* Remove what is below a folder of a test's own: two levels are all there are. */
static inline void folder_empty(int fd)
{
    DIR *d = fdopendir(dup(fd));
    assert_non_null(d);
    rewinddir(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, e->d_name, 0) == 0)
            continue;
        int below = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(below >= 0);
        folder_empty(below);
        close(below);
        assert_int_equal(unlinkat(fd, e->d_name, AT_REMOVEDIR), 0);
    }
    closedir(d);
}

static inline void folder_free(struct folder *f)
{
    folder_empty(f->fd);
    close(f->fd);
    assert_int_equal(rmdir(f->path), 0);
}

static inline struct store *folder_open(const struct folder *f)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    struct store *s = NULL;
    int status =
        store_open(&(struct store_options){.folder = f->fd, .create = true, .sweep = true}, &error, &s);
    if (status)
        fail_msg("%d %.*s", status, (int)error.len, (const char *)error.p);
    sp_buf_fini(&error);
    return s;
}

static inline bool folder_copy_file(int from, int to, const char *name, off_t most)
{
    int in = openat(from, name, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return false;
    int out = openat(to, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(out >= 0);
    static char block[65536];
    for (ssize_t n; most > 0 && (n = read(in, block, sizeof block)) > 0; most -= n)
        assert_int_equal(write(out, block, (size_t)(n > most ? most : n)), n > most ? most : n);
    close(in);
    close(out);
    return true;
}

/* As a power failure at this moment would leave it; of the WAL only its first octets. */
static inline struct folder folder_crash(const struct folder *f, off_t wal_octets)
{
    struct folder copy = folder_new();
    (void)folder_copy_file(f->fd, copy.fd, "queue.db", INT64_MAX);
    (void)folder_copy_file(f->fd, copy.fd, "queue.db-wal", wal_octets);
    static const char *const below[] = {"bodies", "incoming"};
    for (size_t i = 0; i < 2; i++) {
        int from = openat(f->fd, below[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mkdirat(copy.fd, below[i], 0700), 0);
        int to = openat(copy.fd, below[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fdopendir(dup(from));
        for (struct dirent *e; (e = readdir(d)) != NULL;)
            if (e->d_name[0] != '.')
                (void)folder_copy_file(from, to, e->d_name, INT64_MAX);
        closedir(d);
        close(from);
        close(to);
    }
    return copy;
}

#endif
