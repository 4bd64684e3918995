/* A folder for one test, removed with what is in it. */
#ifndef TESTS_OS_FOLDER_H
#define TESTS_OS_FOLDER_H

#include "harness.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

struct folder {
    char path[200];
    int fd;
};

static inline void folder_make(struct folder *f)
{
    const char *under = getenv("TMPDIR");
    snprintf(f->path, sizeof f->path, "%.150s/sallyport-test-XXXXXX", under ? under : "/tmp");
    assert_non_null(mkdtemp(f->path));
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->fd >= 0);
}

static inline int folder_remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(path);
}

static inline void folder_remove(struct folder *f)
{
    close(f->fd);
    assert_int_equal(nftw(f->path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
