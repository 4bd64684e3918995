#include "database/database.h"

#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int keep_name(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    size_t len = strlen(name);
    if (len >= (size_t)n)
        return SQLITE_CANTOPEN;
    memcpy(out, name, len + 1);
    return SQLITE_OK;
}

static const char *verbatim_vfs(void)
{
    static sqlite3_vfs vfs;
    if (!vfs.zName) {
        vfs = *sqlite3_vfs_find(NULL);
        vfs.zName = "sallyport-verbatim";
        vfs.xFullPathname = keep_name;
        vfs.pNext = NULL;
        (void)sqlite3_vfs_register(&vfs, 0); /* cannot fail for a new name; open would say so */
    }
    return vfs.zName;
}

static int say_errno(struct sp_buf *error)
{
    sp_buf_add_str(error, strerror(errno));
    return SP_ERR_IO;
}

/* SQLite's further files take over the mode and the owner that the file is given here. */
static int touch_file(const struct database *d, bool create, struct sp_buf *error)
{
    struct stat folder;
    int fd = openat(d->folder, d->form->file, (create ? O_RDWR | O_CREAT : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    if (fd < 0)
        return !create && errno == ENOENT ? SP_ERR_ABSENT : say_errno(error);
    int status = SP_OK;
    if (create && geteuid() == 0 &&
        (fstat(d->folder, &folder) != 0 || fchown(fd, folder.st_uid, folder.st_gid) != 0))
        status = say_errno(error);
    close(fd); /* nothing was written */
    return status;
}

/* Of two processes that make the file at once one is told "busy" here, whatever the timeout. */
static int use_wal(const struct database *d)
{
    enum { STEP_MS = 5 };
    int result = SQLITE_BUSY;
    for (int waited_ms = 0; result == SQLITE_BUSY && waited_ms < d->form->busy_ms; waited_ms += STEP_MS) {
        result = sqlite3_exec(d->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (result == SQLITE_BUSY)
            sqlite3_sleep(STEP_MS);
    }
    return result;
}

static int prepare(struct database *d)
{
    d->statements = os_new(d->form->statement_n * sizeof *d->statements);
    int rc = SQLITE_OK;
    for (size_t i = 0; i < d->form->statement_n && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(d->db, d->form->statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                                &d->statements[i], NULL);
    return rc;
}

static int open_file(struct database *d, struct sp_buf *error)
{
    char path[64];
    int version = 0;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d/%s", d->folder, d->form->file); /* fits */
    int rc = sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, verbatim_vfs());
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(d->db, d->form->busy_ms);
    int status = rc == SQLITE_OK ? database_schema_check(d->db, d->form, error, &version) : SP_OK;
    if (status)
        return status;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(d->db, d->form->settings, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = use_wal(d);
    if (rc == SQLITE_OK && version < d->form->version)
        status = database_schema_renew(d->db, d->form, error);
    if (rc == SQLITE_OK && !status)
        rc = prepare(d);
    if (rc != SQLITE_OK) {
        database_add_failure(error, d->db);
        return SP_ERR_IO;
    }
    return status;
}

int database_open(int folder, const struct database_form *form, bool create, struct sp_buf *error,
                  struct database *database_out)
{
    struct database d = {.form = form, .folder = fcntl(folder, F_DUPFD_CLOEXEC, 3)};
    int status = d.folder < 0 ? say_errno(error) : touch_file(&d, create, error);
    if (!status)
        status = open_file(&d, error);
    if (status)
        database_close(&d);
    *database_out = d;
    return status;
}

void database_close(struct database *d)
{
    if (!d->form)
        return;
    for (size_t i = 0; d->statements && i < d->form->statement_n; i++)
        (void)sqlite3_finalize(d->statements[i]); /* repeats an error that was told */
    (void)sqlite3_close(d->db); /* checkpoints; what it cannot write stays in the WAL for the next opening */
    free(d->statements);
    if (d->folder >= 0)
        close(d->folder);
    *d = (struct database){0};
}
