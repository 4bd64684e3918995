#include "cli/way_in.h"

#include "cli/options.h"
#include "os/clock.h"
#include "os/control.h"
#include "os/heap.h"
#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    START_MS = 10000, /* a server that has the lock has its socket by then */
    POLL_MS = 50
};

static bool is_denied(void) { return errno == EACCES || errno == EPERM; }

static int open_folder(const char *command, const char *data, const char *part, int *folder_out)
{
    struct stat there;
    int folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT)
        return cli_fault(command, EX_NOINPUT,
                         "there is no data folder %s; 'sallyport serve' makes one, --data DIR names another",
                         data);
    if (folder < 0)
        return cli_fault(command, is_denied() ? EX_NOPERM : EX_NOINPUT, "cannot open the data folder %s: %s",
                         data, strerror(errno));
    if (fstatat(folder, part, &there, 0) == 0) {
        *folder_out = folder;
        return EX_OK;
    }
    int why = errno;
    close(folder);
    if (why == ENOENT)
        return cli_fault(
            command, EX_NOINPUT,
            "%s is not a data folder: it has no folder %s, which 'sallyport serve' makes at its first start",
            data, part);
    errno = why;
    return cli_fault(command, is_denied() ? EX_NOPERM : EX_NOINPUT, "cannot look into the data folder %s: %s",
                     data, strerror(why));
}

/* The role that runs there, else the lock. Neither, while a server starts or another tool is at work: wait.
 */
static int find_way(const char *command, const char *data, enum ipc_role role, struct way_in *d)
{
    uint64_t end = os_mono_ms() + START_MS;
    int64_t pid = 0;
    for (;;) {
        d->socket = os_control_connect(data, role);
        if (d->socket >= 0)
            return EX_OK;
        if (errno != ENOENT && errno != ECONNREFUSED)
            return cli_fault(command, is_denied() ? EX_NOPERM : EX_UNAVAILABLE,
                             "cannot speak to the server of %s: %s", data, strerror(errno));
        int status = os_lock_take(d->folder, 0, &d->lock, &pid);
        if (status == SP_OK)
            return EX_OK;
        if (status == SP_ERR_IO)
            return cli_fault(command, is_denied() ? EX_NOPERM : EX_OSERR, "cannot lock %s: %s", data,
                             strerror(errno));
        if (os_mono_ms() >= end)
            break;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
    char who[32] = "another process";
    if (pid > 0)
        (void)snprintf(who, sizeof who, "process %lld", (long long)pid); /* fits */
    return cli_fault(command, EX_TEMPFAIL, "%s is in use by %s, which does not answer", data, who);
}

int way_in_open(const char *command, const char *data, const char *part, enum ipc_role role,
                struct way_in *out)
{
    *out = (struct way_in){.socket = -1, .folder = -1, .lock = -1};
    int code = open_folder(command, data, part, &out->folder);
    if (code == EX_OK)
        code = find_way(command, data, role, out);
    if (code != EX_OK)
        way_in_close(out);
    return code;
}

void way_in_close(struct way_in *d)
{
    if (d->folder >= 0)
        close(d->folder);
    if (d->lock >= 0)
        close(d->lock);
    d->folder = d->lock = -1;
}

int way_in_become_owner(const char *command, int folder, const char *file, const char *what)
{
    struct stat st;
    if (geteuid() != 0 || fstatat(folder, file, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_uid == 0)
        return EX_OK;
    if (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0)
        return cli_fault(command, EX_OSERR, "cannot work as the owner of %s: %s", what, strerror(errno));
    return EX_OK;
}

void way_in_become_oneself(void)
{
    if (geteuid() == getuid())
        return;
    /* Going back to the real user's rights is always allowed. */
    (void)!seteuid(getuid());
    (void)!setegid(getgid());
    (void)prctl(PR_SET_DUMPABLE, 1); /* as before: the kernel had taken it away with the first change */
}

/* --- a file in it ------------------------------------------------------------------------------- */

static int open_part(const struct way_in_file *f, int part, void *ctx)
{
    int code = way_in_become_owner(f->command, part, f->owned, f->owned_name);
    if (code)
        return code;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    int status = f->open(ctx, part, &error);
    if (status && status != SP_ERR_ABSENT)
        code = cli_fault(f->command, status == SP_ERR_RANGE ? EX_CONFIG : EX_IOERR, "%s/%s/%s: %.*s", f->data,
                         f->part, f->file, (int)error.len, error.p ? (const char *)error.p : "");
    sp_buf_fini(&error);
    return code;
}

int way_in_open_file(const struct way_in *d, const struct way_in_file *f, void *ctx)
{
    int part = openat(d->folder, f->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (part < 0 && errno == ENOENT)
        return EX_OK; /* of a version that had none */
    if (part < 0)
        return cli_fault(f->command, errno == EACCES ? EX_NOPERM : EX_IOERR, "cannot open %s/%s: %s", f->data,
                         f->part, strerror(errno));
    int code = open_part(f, part, ctx);
    close(part);
    return code;
}
