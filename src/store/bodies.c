#include "store/bodies.h"

#include "base/view.h"
#include "message/id.h"
#include "os/heap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct name {
    char text[MESSAGE_ID_TEXT + 1];
};

static struct name name_of(uint64_t id)
{
    struct name n;
    message_id_text(id, n.text);
    return n;
}

static int open_folder(int folder, const char *name)
{
    if (mkdirat(folder, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int bodies_open(struct bodies *b, int folder)
{
    *b = (struct bodies){.incoming = open_folder(folder, "incoming"), .bodies = -1};
    sp_buf_init(&b->taken, &os_heap, SIZE_MAX / 2);
    sp_buf_init(&b->dropped, &os_heap, SIZE_MAX / 2);
    if (b->incoming >= 0)
        b->bodies = open_folder(folder, "bodies");
    if (b->bodies < 0) {
        int why = errno;
        bodies_close(b);
        errno = why;
        return SP_ERR_IO;
    }
    return SP_OK;
}

void bodies_close(struct bodies *b)
{
    if (b->incoming >= 0)
        close(b->incoming);
    if (b->bodies >= 0)
        close(b->bodies);
    b->incoming = b->bodies = -1;
    sp_buf_fini(&b->taken);
    sp_buf_fini(&b->dropped);
}

int bodies_spool(struct bodies *b, uint64_t id, int *fd_out)
{
    struct name n = name_of(id);
    int fd = openat(b->incoming, n.text, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? SP_ERR_EXISTS : SP_ERR_IO;
    *fd_out = fd;
    return SP_OK;
}

void bodies_unspool(struct bodies *b, uint64_t id)
{
    struct name n = name_of(id);
    (void)unlinkat(b->incoming, n.text, 0); /* what stays is swept at the next start */
}

int bodies_take(struct bodies *b, uint64_t id, uint64_t size)
{
    struct name n = name_of(id);
    struct stat st;
    if (fstatat(b->incoming, n.text, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? SP_ERR_ABSENT : SP_ERR_IO;
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
        return SP_ERR_ABSENT;
    if (renameat(b->incoming, n.text, b->bodies, n.text) != 0)
        return SP_ERR_IO;
    return sp_buf_add(&b->taken, sp_view_make(&id, sizeof id));
}

void bodies_drop(struct bodies *b, uint64_t id)
{
    (void)sp_buf_add(&b->dropped, sp_view_make(&id, sizeof id));
}

int bodies_sync(struct bodies *b) { return b->taken.len > 0 && fsync(b->bodies) != 0 ? SP_ERR_IO : SP_OK; }

static void unlink_all(struct bodies *b, const struct sp_buf *ids)
{
    for (size_t at = 0; at < ids->len; at += sizeof(uint64_t)) {
        uint64_t id;
        memcpy(&id, ids->p + at, sizeof id);
        struct name n = name_of(id);
        (void)unlinkat(b->bodies, n.text, 0); /* what stays is swept at the next start */
    }
}

void bodies_committed(struct bodies *b)
{
    unlink_all(b, &b->dropped);
    sp_buf_clear(&b->taken);
    sp_buf_clear(&b->dropped);
}

void bodies_rolled_back(struct bodies *b)
{
    unlink_all(b, &b->taken);
    sp_buf_clear(&b->taken);
    sp_buf_clear(&b->dropped);
}

int bodies_read(struct bodies *b, uint64_t id, int *fd_out)
{
    struct name n = name_of(id);
    int fd = openat(b->bodies, n.text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return SP_ERR_IO;
    *fd_out = fd;
    return SP_OK;
}

static bool own_nothing(void *ctx, uint64_t id)
{
    (void)ctx, (void)id;
    return false;
}

static int sweep_folder(int folder, bool (*owned)(void *ctx, uint64_t id), void *ctx)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return SP_ERR_IO;
    }
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        uint64_t id;
        /* What has no name of ours was put there by somebody else: not ours to remove. */
        if (message_id_parse(sp_view_of(entry->d_name), &id) == SP_OK && !owned(ctx, id))
            (void)unlinkat(folder, entry->d_name, 0); /* it does no harm but to take space */
    }
    closedir(d);
    return SP_OK;
}

int bodies_sweep(struct bodies *b, bool (*owned)(void *ctx, uint64_t id), void *ctx)
{
    int status = sweep_folder(b->incoming, own_nothing, NULL);
    return status ? status : sweep_folder(b->bodies, owned, ctx);
}
