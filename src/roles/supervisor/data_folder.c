#include "roles/supervisor/data_folder.h"

#include "base/view.h"
#include "os/file.h"
#include "os/heap.h"
#include "os/lock.h"
#include "os/tls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { LOCK_WAIT_MS = 10000, FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

/* --- whom the roles run as ------------------------------------------------------------------ */

int role_user_find(const char *wanted, struct sp_buf *error, struct role_user *user_out)
{
    if (geteuid() != 0) {
        *user_out = (struct role_user){.uid = geteuid(), .gid = getegid()};
        return EX_OK;
    }
    const struct passwd *pw = getpwnam(wanted ? wanted : "sallyport");
    if (!pw && !wanted)
        pw = getpwnam("nobody");
    if (pw && pw->pw_uid != 0) {
        *user_out =
            (struct role_user){.change = true, .uid = pw->pw_uid, .gid = pw->pw_gid, .name = pw->pw_name};
        return EX_OK;
    }
    sp_buf_add_str(error, "user: started as root, the roles cannot run as \"");
    sp_buf_add_str(error, wanted ? wanted : "nobody");
    sp_buf_add_str(error, pw ? "\", which is root as well; name a user without privileges\n"
                             : "\": there is no such user on this machine\n");
    return EX_NOUSER;
}

/* --- the folder ----------------------------------------------------------------------------- */

static int tell(struct sp_buf *error, const char *path, const char *what)
{
    int code = errno == EACCES || errno == EPERM ? EX_NOPERM : EX_CANTCREAT;
    os_file_add_fault(error, path, what, SP_ERR_IO);
    return code;
}

int data_folder_open(const char *path, struct sp_buf *error, int *folder_out)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return tell(error, path, "the data folder cannot be made (--data names another)");
    int fd = open(path, FOLDER_FLAGS);
    if (fd < 0)
        return tell(error, path, "the data folder cannot be opened (--data names another)");
    if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        int code = tell(error, path, "the data folder cannot be written to (--data names another)");
        close(fd);
        return code;
    }
    *folder_out = fd;
    return EX_OK;
}

int data_folder_lock(int folder, const char *path, struct sp_buf *error, int *lock_out)
{
    int64_t pid = 0;
    int status = os_lock_take(folder, LOCK_WAIT_MS, lock_out, &pid);
    if (status == SP_OK)
        return EX_OK;
    if (status != SP_ERR_EXISTS)
        return tell(error, path, "the lock in the data folder cannot be taken");
    sp_buf_add_str(error, path);
    sp_buf_add_str(error, ": the data folder is in use by the sallyport with pid ");
    sp_buf_add_dec(error, (uint64_t)pid);
    sp_buf_add_str(error, "; stop it first, or name another folder with --data\n");
    return EX_TEMPFAIL;
}

/* --- parts ------------------------------------------------------------------------------------ */

static int open_part(int folder, const char *name)
{
    if (mkdirat(folder, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(folder, name, FOLDER_FLAGS | O_NOFOLLOW);
}

/*
 * Hand what a server under another user has left to the one of today. Names are those that the old
 * user chose: no link is followed, and no file is given that has a second name elsewhere.
 */
static int give_away(int part, const struct role_user *user, unsigned depth)
{
    int copy = openat(part, ".", FOLDER_FLAGS);
    DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    int failed = entries ? 0 : -1;
    struct dirent *entry;
    while (!failed && (entry = readdir(entries))) {
        struct stat st;
        bool dots = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
        if (dots || fstatat(part, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(st.st_mode) && st.st_nlink == 1) {
            failed = fchownat(part, entry->d_name, user->uid, user->gid, AT_SYMLINK_NOFOLLOW);
        } else if (S_ISDIR(st.st_mode) && depth > 0) {
            int below = openat(part, entry->d_name, FOLDER_FLAGS | O_NOFOLLOW);
            failed = below < 0 ? -1 : give_away(below, user, depth - 1);
            if (below >= 0)
                close(below);
        }
    }
    if (entries)
        closedir(entries);
    else if (copy >= 0)
        close(copy);
    return failed ? failed : fchown(part, user->uid, user->gid);
}

int data_folder_part(int folder, enum ipc_role role, const struct role_user *user, struct sp_buf *error,
                     int *part_out)
{
    enum { DEPTH = 3 };
    const char *name = ipc_role_name(role);
    struct stat st;
    int part = open_part(folder, name);
    if (part < 0 || fstat(part, &st) != 0) {
        int code = tell(error, name, "this folder in the data folder cannot be opened");
        if (part >= 0)
            close(part);
        return code;
    }
    int failed = 0;
    if (user->change && st.st_uid != user->uid)
        failed = give_away(part, user, DEPTH);
    if (!failed && (st.st_mode & 07777) != 0700)
        failed = fchmod(part, 0700);
    if (failed) {
        int code = tell(error, name, "this folder in the data folder cannot be given to the role's user");
        close(part);
        return code;
    }
    *part_out = part;
    return EX_OK;
}

/* --- maildrop --------------------------------------------------------------------------------- */

/* Only between the two modes that are ours: another one is an operator's. */
static int let_through(int folder, bool all)
{
    struct stat st;
    mode_t ours = all ? 0700 : 0711, wanted = all ? 0711 : 0700;
    if (fstat(folder, &st) != 0)
        return -1;
    return (st.st_mode & 07777) == ours && st.st_uid == geteuid() ? fchmod(folder, wanted) : 0;
}

int data_folder_maildrop(int folder, enum config_maildrop who, const struct role_user *user,
                         struct sp_buf *error, int *maildrop_out)
{
    *maildrop_out = -1;
    if (let_through(folder, who == CONFIG_MAILDROP_ALL) != 0)
        return tell(error, "data", "the mode of the data folder cannot be changed");
    if (who == CONFIG_MAILDROP_OFF)
        return EX_OK;
    int drop = open_part(folder, "maildrop");
    if (drop >= 0 && fchown(drop, user->uid, user->gid) == 0 &&
        fchmod(drop, who == CONFIG_MAILDROP_ALL ? 03733 : 02700) == 0) {
        *maildrop_out = drop;
        return EX_OK;
    }
    int code = tell(error, "maildrop", "this folder in the data folder cannot be given to the role's user");
    if (drop >= 0)
        close(drop);
    return code;
}

/* --- certificate and key ------------------------------------------------------------------------ */

static int make_identity(int tls, const char *hostname, struct sp_buf *error)
{
    struct sp_buf certificate, key;
    sp_buf_init(&certificate, &os_heap, 65536);
    sp_buf_init(&key, &os_heap, 65536);
    int code = EX_OK;
    if (os_tls_make_identity(hostname, &certificate, &key) != SP_OK) {
        sp_buf_add_str(error, "tls: OpenSSL could not make a certificate\n");
        code = EX_SOFTWARE;
    } else if (os_file_put(tls, "key.pem", "key.pem.part", sp_buf_view(&key)) != SP_OK ||
               os_file_put(tls, "cert.pem", "cert.pem.part", sp_buf_view(&certificate)) != SP_OK) {
        code = tell(error, "tls", "certificate and key cannot be written to the data folder");
    }
    sp_buf_fini(&certificate);
    sp_buf_fini_secret(&key);
    return code;
}

static int read_both(int tls, struct sp_buf *certificate, struct sp_buf *key, struct sp_buf *error)
{
    int status = os_file_read(tls, "cert.pem", certificate);
    if (status != SP_OK) {
        os_file_add_fault(error, "tls/cert.pem", "cannot be read", status);
        return EX_NOINPUT;
    }
    status = os_file_read(tls, "key.pem", key);
    if (status != SP_OK) {
        os_file_add_fault(error, "tls/key.pem", "cannot be read (without cert.pem both are made anew)",
                          status);
        return EX_NOINPUT;
    }
    return EX_OK;
}

int data_folder_identity(int folder, const char *hostname, struct sp_buf *certificate_pem_out,
                         struct sp_buf *key_pem_out, struct sp_buf *error)
{
    int tls = open_part(folder, "tls");
    if (tls < 0)
        return tell(error, "tls", "this folder in the data folder cannot be opened");
    int code = EX_OK;
    if (faccessat(tls, "cert.pem", F_OK, 0) != 0) /* the last of the two to be made */
        code = make_identity(tls, hostname, error);
    if (code == EX_OK)
        code = read_both(tls, certificate_pem_out, key_pem_out, error);
    close(tls);
    return code;
}
