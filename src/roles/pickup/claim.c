#include "roles/pickup/pickup.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STALE_S = 24 * 3600, /* of a file that its writer has not finished                            */
    LOOK_MS = 60000,     /* without being told of a change: it may have been lost                 */
    LOOK_AT_ONCE = 1000, /* entries in one turn                                                   */
    PASSED_PER_MS = 100  /* of those that stay: so long the next pass waits, some ten times a look */
};

/* --- whose ---------------------------------------------------------------------------------- */

/* A name goes into a header and the log: one that is no plain word is told as a number. */
static bool is_plain(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (!sp_ascii_alpha((uint8_t)name[i]) && !sp_ascii_digit((uint8_t)name[i]) &&
            !strchr("._-$", name[i]))
            return false;
    return n > 0 && n < PICKUP_USER_MAX;
}

static void name_user(struct parcel *parcel, uid_t uid)
{
    const struct passwd *pw = getpwuid(uid);
    if (pw && is_plain(pw->pw_name))
        (void)snprintf(parcel->user, sizeof parcel->user, "%s", pw->pw_name); /* fits */
    else
        (void)snprintf(parcel->user, sizeof parcel->user, "uid %u", (unsigned)uid); /* fits */
}

/* --- opening -------------------------------------------------------------------------------- */

/* A folder with the setgid bit gives its group to what is made in it. What was made elsewhere and moved here
 * may be a file that somebody else has written, and would be mail of that user. */
static bool was_made_here(const struct pickup *p, const struct stat *file)
{
    struct stat folder;
    return fstat(p->maildrop, &folder) != 0 || !(folder.st_mode & S_ISGID) || file->st_gid == folder.st_gid;
}

static struct parcel *open_claimed(struct pickup *p, uint64_t id, bool fresh)
{
    struct parcel *parcel = os_new(sizeof *parcel);
    struct stat st;
    parcel_init(parcel);
    parcel->id = id;
    parcel->fresh = fresh;
    message_id_text(id, parcel->name);
    parcel->file = openat(p->role->folder, parcel->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (parcel->file < 0 || fstat(parcel->file, &st) != 0) {
        parcel->fault =
            errno == EACCES ? "the roles' group may not read the file" : "the file cannot be opened";
        return parcel;
    }
    /* It was looked at before, but its owner may have been quick. */
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        parcel->fault = "the file is no file, or has a second name";
    else if (!was_made_here(p, &st))
        parcel->fault =
            "the file was made elsewhere and moved into the maildrop: whose mail it is cannot be told";
    parcel->octets = (uint64_t)st.st_size;
    parcel->received_ms = (uint64_t)os_wall_ms();
    name_user(parcel, st.st_uid);
    return parcel;
}

/* --- the folders ---------------------------------------------------------------------------- */

static DIR *read_folder(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d && copy >= 0)
        close(copy);
    return d;
}

static bool is_dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

static struct parcel *claim_left(struct pickup *p)
{
    DIR *d = read_folder(p->role->folder);
    struct dirent *e;
    struct parcel *found = NULL;
    while (!found && d && (e = readdir(d))) {
        uint64_t id;
        if (message_id_parse(sp_view_of(e->d_name), &id) == SP_OK)
            found = open_claimed(p, id, false);
    }
    if (d)
        closedir(d);
    return found;
}

static void throw_away(struct pickup *p, const char *name, const struct stat *st, const char *why)
{
    if (S_ISDIR(st->st_mode)) {
        (void)unlinkat(p->maildrop, name, AT_REMOVEDIR); /* one that is not empty is in nobody's way */
        return;
    }
    if (unlinkat(p->maildrop, name, 0) == 0)
        os_log(OS_WARN, "maildrop-removed", OS_STR("name", name), OS_NUM("uid", st->st_uid),
               OS_STR("why", why));
}

static bool is_unfinished(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".tmp") == 0;
}

/* Move it where nobody else can: to a name that says which id its message has. */
static struct parcel *claim(struct pickup *p, const char *name)
{
    char to[MESSAGE_ID_TEXT + 1];
    uint64_t id = message_id_next(&p->ids, os_wall_ms());
    message_id_text(id, to);
    if (renameat2(p->maildrop, name, p->role->folder, to, RENAME_NOREPLACE) != 0 ||
        fsync(p->role->folder) != 0) {
        if (errno != ENOENT) /* its owner took it back */
            os_log(OS_WARN, "maildrop-failed", OS_STR("name", name), OS_STR("why", strerror(errno)));
        return NULL;
    }
    return open_claimed(p, id, true);
}

static struct parcel *look_at(struct pickup *p, const char *name)
{
    struct stat st;
    if (fstatat(p->maildrop, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return NULL;
    if (!S_ISREG(st.st_mode)) {
        throw_away(p, name, &st, "it is no file");
        return NULL;
    }
    if (st.st_nlink != 1) { /* whoever gave it a second name may read or have what is not theirs */
        throw_away(p, name, &st, "it has a second name");
        return NULL;
    }
    if (!is_unfinished(name))
        return pickup_count(p, st.st_uid) ? claim(p, name) : NULL;
    if (st.st_mtime + STALE_S < os_wall_ms() / 1000)
        throw_away(p, name, &st, "its writer did not finish it within a day");
    return NULL;
}

static void end_pass(struct pickup *p)
{
    closedir(p->entries);
    p->entries = NULL;
    p->pass_ms = os_mono_ms() + p->passed / PASSED_PER_MS;
    p->passed = 0;
}

/* The folder is gone through once, however much of it stays, and a page at a time; what came behind the
 * reader is found in the next pass. The more of it waits, the longer that is put off: else each new file
 * would cost a look at all that a user has too much. */
static struct parcel *claim_next(struct pickup *p)
{
    struct dirent *e = NULL;
    struct parcel *found = NULL;
    size_t n = 0;
    if (!p->entries && os_mono_ms() >= p->pass_ms) {
        p->found = false;
        p->entries = read_folder(p->maildrop);
    }
    while (!found && p->entries && n < LOOK_AT_ONCE && (e = readdir(p->entries)))
        if (!is_dots(e->d_name)) {
            found = look_at(p, e->d_name);
            n += !found;
        }
    p->passed += n;
    p->found = p->found || found;
    if (!found && p->entries && !e)
        end_pass(p);
    return found;
}

struct parcel *pickup_claim(struct pickup *p)
{
    struct parcel *found = p->left ? claim_left(p) : NULL;
    p->left = found != NULL;
    return found ? found : claim_next(p);
}

uint64_t pickup_pause_ms(const struct pickup *p)
{
    uint64_t now = os_mono_ms();
    if (p->entries)
        return 0; /* the next page */
    if (!p->found)
        return LOOK_MS;
    return now < p->pass_ms ? p->pass_ms - now : 0;
}

/* --- the end -------------------------------------------------------------------------------- */

void parcel_finish(struct pickup *p, struct parcel *parcel)
{
    if (unlinkat(p->role->folder, parcel->name, 0) != 0 && errno != ENOENT)
        os_log(OS_WARN, "maildrop-failed", OS_STR("id", parcel->name), OS_STR("why", strerror(errno)));
    parcel_free(parcel);
}

void parcel_rename(struct pickup *p, struct parcel *parcel)
{
    /* Under a name of the maildrop, since an id in the folder pickup is one that was given to its message. */
    char to[MESSAGE_ID_TEXT + sizeof ".again"];
    (void)snprintf(to, sizeof to, "%s.again", parcel->name); /* fits */
    if (renameat2(p->role->folder, parcel->name, p->maildrop, to, RENAME_NOREPLACE) != 0)
        os_log(OS_WARN, "maildrop-failed", OS_STR("id", parcel->name), OS_STR("why", strerror(errno)));
    p->found = true;
    parcel_free(parcel);
}

static bool is_room_for_refused(const struct pickup *p)
{
    DIR *d = read_folder(p->role->folder);
    size_t n = 0;
    for (struct dirent *e; d && n < PICKUP_REFUSED_MOST && (e = readdir(d));)
        n += strstr(e->d_name, ".refused") != NULL;
    if (d)
        closedir(d);
    return n < PICKUP_REFUSED_MOST;
}

void parcel_refuse(struct pickup *p, struct parcel *parcel)
{
    char to[MESSAGE_ID_TEXT + sizeof ".refused"];
    bool kept = is_room_for_refused(p);
    (void)snprintf(to, sizeof to, "%s.refused", parcel->name); /* fits */
    kept = kept && renameat(p->role->folder, parcel->name, p->role->folder, to) == 0;
    if (!kept)
        (void)unlinkat(p->role->folder, parcel->name, 0); /* else it would be tried for ever */
    os_log(OS_WARN, "maildrop-refused", OS_STR("file", to), OS_STR("user", parcel->user),
           OS_STR("why", parcel->fault),
           OS_STR("note", kept ? "it is kept in the folder pickup of the data folder"
                               : "it is removed: 1000 such files are kept in the folder pickup already"));
    parcel_free(parcel);
}
