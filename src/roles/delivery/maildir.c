#include "roles/delivery/maildir.h"

#include "base/view.h"
#include "os/heap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 65536, SENDER_MAX = 1024 };

static int fail(struct sp_buf *error, const char *what, const char *name)
{
    int number = errno;
    const char *why = strerror(number);
    sp_buf_add_str(error, what);
    sp_buf_add_u8(error, ' ');
    sp_buf_add_str(error, name);
    sp_buf_add_str(error, ": ");
    sp_buf_add_str(error, why);
    errno = number;
    return SP_ERR_IO;
}

/* --- folders ----------------------------------------------------------------------------- */

static int sync_folder_of(const char *path)
{
    char parent[4096];
    char *slash;
    snprintf(parent, sizeof parent, "%s", path);
    slash = strrchr(parent, '/');
    if (!slash)
        snprintf(parent, sizeof parent, ".");
    else
        slash[slash == parent ? 1 : 0] = '\0';
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int status = fsync(fd);
    close(fd);
    return status;
}

/* A folder and those above it that are missing; each is in its parent, on disk, when this returns. */
static int make_folder(char *path)
{
    if (mkdir(path, 0700) == 0)
        return sync_folder_of(path);
    if (errno == EEXIST)
        return 0;
    char *slash = errno == ENOENT ? strrchr(path, '/') : NULL;
    if (!slash || slash == path)
        return -1;
    *slash = '\0';
    int status = make_folder(path);
    *slash = '/';
    if (status != 0 || (mkdir(path, 0700) != 0 && errno != EEXIST))
        return -1;
    return sync_folder_of(path);
}

static int make_maildir(const char *path, struct sp_buf *error)
{
    static const char *const parts[] = {"tmp", "new", "cur"};
    char name[4096];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (snprintf(name, sizeof name, "%s/%s", path, parts[i]) >= (int)sizeof name) {
            errno = ENAMETOOLONG;
            return fail(error, "cannot make the folder", path);
        }
        if (make_folder(name) != 0)
            return fail(error, "cannot make the folder", name);
    }
    return SP_OK;
}

static int open_folder(int maildir, const char *part)
{
    return openat(maildir, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* --- was it delivered before? ------------------------------------------------------------------ */

/* A reader moves NAME from new to cur and adds flags behind a colon. */
static bool is_in_cur(int maildir, const char *name)
{
    int fd = open_folder(maildir, "cur");
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    size_t n = strlen(name);
    bool found = false;
    if (!d && fd >= 0)
        close(fd);
    for (struct dirent *e; d && !found && (e = readdir(d));)
        found = strncmp(e->d_name, name, n) == 0 && (e->d_name[n] == ':' || e->d_name[n] == '\0');
    if (d)
        closedir(d);
    return found;
}

static bool is_delivered(int maildir, const struct maildir_mail *mail)
{
    char name[300];
    snprintf(name, sizeof name, "new/%s", mail->name);
    return faccessat(maildir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
           (mail->again && is_in_cur(maildir, mail->name));
}

/* --- the file ---------------------------------------------------------------------------- */

struct writer {
    int fd;
    uint8_t *block;
    size_t len;
    bool after_cr;
    bool failed; /* errno says why */
};

static void flush_block(struct writer *w)
{
    for (size_t at = 0; at < w->len && !w->failed;) {
        ssize_t n = write(w->fd, w->block + at, w->len - at);
        if (n < 0 && errno != EINTR)
            w->failed = true;
        at += n > 0 ? (size_t)n : 0;
    }
    w->len = 0;
}

static void put(struct writer *w, struct sp_view v)
{
    while (v.len > 0 && !w->failed) {
        size_t n = BLOCK - w->len < v.len ? BLOCK - w->len : v.len;
        memcpy(w->block + w->len, v.p, n);
        w->len += n;
        v = sp_view_from(v, n);
        if (w->len == BLOCK)
            flush_block(w);
    }
}

/* CRLF becomes LF; a CR before anything else stays. */
static void put_lines(struct writer *w, struct sp_view v)
{
    if (w->after_cr && v.len > 0 && v.p[0] != '\n')
        put(w, SP_LIT("\r"));
    if (v.len > 0)
        w->after_cr = false;
    while (v.len > 0 && !w->failed) {
        size_t cr = sp_view_find(v, '\r', 0);
        put(w, sp_view_sub(v, 0, cr));
        if (cr == v.len)
            return;
        if (cr + 1 == v.len)
            w->after_cr = true;
        else if (v.p[cr + 1] != '\n')
            put(w, SP_LIT("\r"));
        v = sp_view_from(v, cr + 1);
    }
}

static void put_file(struct writer *w, const struct maildir_mail *mail)
{
    uint8_t *block = os_new(BLOCK);
    for (uint64_t at = 0; at < mail->size && !w->failed;) {
        ssize_t n = pread(mail->fd, block, BLOCK, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno; /* shorter than the message: never deliver half of it */
            w->failed = true;
            break;
        }
        put_lines(w, sp_view_make(block, (size_t)n));
        at += (uint64_t)n;
    }
    free(block);
}

/* RFC 5321 4.4: the final delivery names the reverse-path. */
static void put_mail(struct writer *w, const struct maildir_mail *mail)
{
    put(w, SP_LIT("Return-Path: <"));
    put(w, sp_view_sub(mail->sender, 0, SENDER_MAX));
    put(w, SP_LIT(">\n"));
    if (mail->fd >= 0)
        put_file(w, mail);
    else
        put_lines(w, mail->content);
    if (w->after_cr)
        put(w, SP_LIT("\r"));
    flush_block(w);
}

static int write_file(int tmp, const struct maildir_mail *mail, struct sp_buf *error)
{
    int fd = openat(tmp, mail->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST && unlinkat(tmp, mail->name, 0) == 0) /* a crash left it */
        fd = openat(tmp, mail->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(error, "cannot make tmp in", mail->path);
    struct writer w = {.fd = fd, .block = os_new(BLOCK)};
    put_mail(&w, mail);
    bool failed = w.failed || fsync(fd) != 0;
    int why = errno;
    free(w.block);
    if (close(fd) != 0 && !failed) {
        failed = true;
        why = errno;
    }
    if (!failed)
        return SP_OK;
    (void)unlinkat(tmp, mail->name, 0); /* what stays is swept by the next attempt */
    errno = why;
    return fail(error, "cannot write into", mail->path);
}

static int store_in(int maildir, const struct maildir_mail *mail, struct sp_buf *error)
{
    int tmp = open_folder(maildir, "tmp"), new = open_folder(maildir, "new");
    int status = tmp >= 0 && new >= 0 ? SP_OK : fail(error, "cannot open tmp and new of", mail->path);
    if (!status)
        status = write_file(tmp, mail, error);
    if (!status && renameat(tmp, mail->name, new, mail->name) != 0)
        status = fail(error, "cannot move from tmp to new of", mail->path);
    if (!status && fsync(new) != 0)
        status = fail(error, "cannot sync new of", mail->path);
    if (tmp >= 0)
        close(tmp);
    if (new >= 0)
        close(new);
    return status;
}

int maildir_store(const struct maildir_mail *mail, struct sp_buf *error)
{
    int maildir = open(mail->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (maildir < 0 || faccessat(maildir, "new", F_OK, 0) != 0 || faccessat(maildir, "tmp", F_OK, 0) != 0) {
        if (maildir >= 0)
            close(maildir);
        if (make_maildir(mail->path, error))
            return SP_ERR_IO;
        maildir = open(mail->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (maildir < 0)
        return fail(error, "cannot open", mail->path);
    int status = is_delivered(maildir, mail) ? SP_ERR_EXISTS : store_in(maildir, mail, error);
    int number = errno;
    close(maildir);
    errno = number;
    return status;
}
