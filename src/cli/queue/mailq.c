#include "base/view.h"
#include "cli/options.h"
#include "cli/queue/look.h"
#include "cli/queue/store.h"
#include "cli/sendmail/sendmail.h"
#include "message/id.h"
#include "os/heap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

/* --- mailq ------------------------------------------------------------------------------------ */

static int open_below(const char *data, const char *name, int flags)
{
    int folder = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = folder >= 0 ? openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC) : -1;
    int why = errno;
    if (folder >= 0)
        close(folder);
    errno = why;
    return fd;
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

/* In the maildrop: it is whole. */
static bool is_waiting(const char *name) { return name[0] != '.' && !ends_in(name, ".tmp"); }

/* In the folder pickup: it was no mail. */
static bool is_refused(const char *name) { return ends_in(name, ".refused"); }

/* Files of a folder. Who may not look sees none. */
static size_t count_files(const char *data, const char *folder, bool (*counts)(const char *name))
{
    int fd = open_below(data, folder, O_RDONLY | O_DIRECTORY);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    size_t n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += counts(e->d_name);
    if (d)
        closedir(d);
    else if (fd >= 0)
        close(fd);
    return n;
}

int sendmail_list(const struct sendmail *o, const struct sendmail_place *place)
{
    struct sp_buf ids;
    int code = EX_OK;
    /* First: who looks into a store is its owner until it is closed. */
    size_t dropped = count_files(place->data, "maildrop", is_waiting),
           refused = count_files(place->data, "pickup", is_refused);
    struct queue_store *s = queue_store_open(place->data, &code);
    (void)o;
    if (!s)
        return code;
    sp_buf_init(&ids, &os_heap, SIZE_MAX / 2);
    code = queue_look_ids(s, &ids);
    if (code == EX_OK && ids.len > 0)
        code = queue_look_list(s, NULL, false);
    else if (code == EX_OK && dropped == 0)
        puts("Mail queue is empty"); /* in these words: programs look for them */
    if (code == EX_OK && dropped > 0)
        printf("%zu in the maildrop, not yet picked up\n", dropped);
    if (code == EX_OK && refused > 0)
        printf("%zu refused file%s of the maildrop in %s/pickup; the log says why (maildrop-refused)\n",
               refused, refused == 1 ? "" : "s", place->data);
    sp_buf_fini(&ids);
    queue_store_close(s);
    return queue_finish_output(code);
}

/* --- newaliases -------------------------------------------------------------------------------- */

/* Who holds the folder's lock; 0: nobody does. */
static pid_t find_server(int lock)
{
    char text[24] = "";
    if (flock(lock, LOCK_SH | LOCK_NB) == 0) {
        (void)flock(lock, LOCK_UN);
        return 0;
    }
    ssize_t n = pread(lock, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    return pid > 1 ? (pid_t)pid : 0;
}

/* There is no database to build: the server reads the files. */
int sendmail_aliases(const struct sendmail *o, const struct sendmail_place *place)
{
    int lock = open_below(place->data, "lock", O_RDONLY);
    if (lock < 0 && errno != ENOENT)
        return cli_fault(o->command, errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE, "%s/lock: %s", place->data,
                         strerror(errno));
    pid_t server = lock >= 0 ? find_server(lock) : 0;
    if (lock >= 0)
        close(lock);
    if (server == 0) {
        printf("no server is running in %s; it reads the aliases when it starts\n", place->data);
        return EX_OK;
    }
    if (kill(server, SIGHUP) != 0)
        return cli_fault(o->command, EX_NOPERM,
                         "the server with pid %ld cannot be told to read its aliases: %s", (long)server,
                         strerror(errno));
    printf("the server with pid %ld reads its configuration and aliases anew; its log says what it found\n",
           (long)server);
    return EX_OK;
}
