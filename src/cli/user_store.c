#include "cli/user_store.h"

#include "base/view.h"
#include "cli/options.h"
#include "cli/user_store_parts.h"
#include "os/clock.h"
#include "os/control.h"
#include "os/heap.h"
#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    START_MS = 10000, /* a server that has the lock has its socket by then */
    POLL_MS = 50
};

/* One of the two. */
struct user_store {
    struct user_server *server;
    struct users *users;
    int lock; /* with users; -1: not held */
};

/* --- opening ------------------------------------------------------------------------------- */

static int open_folder(const char *data, int *folder_out)
{
    struct stat there;
    int folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT)
        return cli_fault("user", EX_NOINPUT,
                         "there is no data folder %s; 'sallyport serve' makes one, --data DIR names another",
                         data);
    if (folder < 0)
        return cli_fault("user", errno == EACCES ? EX_NOPERM : EX_NOINPUT,
                         "cannot open the data folder %s: %s", data, strerror(errno));
    if (fstatat(folder, "auth", &there, 0) == 0) {
        *folder_out = folder;
        return EX_OK;
    }
    int why = errno;
    close(folder);
    if (why == ENOENT)
        return cli_fault(
            "user", EX_NOINPUT,
            "%s is not a data folder: it has no folder auth, which 'sallyport serve' makes at its "
            "first start",
            data);
    return cli_fault("user", why == EACCES ? EX_NOPERM : EX_NOINPUT,
                     "cannot look into the data folder %s: %s", data, strerror(why));
}

static int open_file(struct user_store *s, const char *data)
{
    char path[PATH_MAX];
    struct sp_buf error;
    if (snprintf(path, sizeof path, "%s/auth", data) >= (int)sizeof path)
        return cli_fault("user", EX_NOINPUT, "the name of the data folder is too long: %s", data);
    sp_buf_init(&error, &os_heap, PATH_MAX + 1024);
    int status = users_open(path, &error, &s->users);
    int code = EX_OK;
    if (status)
        code = cli_fault("user", status == SP_ERR_RANGE ? EX_CONFIG : EX_IOERR, "%.*s", (int)error.len,
                         (const char *)error.p);
    sp_buf_fini(&error);
    return code;
}

/* The server that runs there, else the file. Neither, while a server starts or another tool is at work: wait.
 */
static int open_either(struct user_store *s, const char *data, int folder)
{
    uint64_t end = os_mono_ms() + START_MS;
    int64_t pid = 0;
    for (;;) {
        int fd = os_control_connect(data, IPC_AUTH);
        if (fd >= 0) {
            s->server = user_server_new(fd);
            return EX_OK;
        }
        if (errno != ENOENT && errno != ECONNREFUSED)
            return cli_fault("user", errno == EACCES || errno == EPERM ? EX_NOPERM : EX_UNAVAILABLE,
                             "cannot speak to the server of %s: %s", data, strerror(errno));
        int status = os_lock_take(folder, 0, &s->lock, &pid);
        if (status == SP_OK)
            return open_file(s, data);
        if (status == SP_ERR_IO)
            return cli_fault("user", errno == EACCES || errno == EPERM ? EX_NOPERM : EX_OSERR,
                             "cannot lock %s: %s", data, strerror(errno));
        if (os_mono_ms() >= end)
            break;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
    char who[32] = "another process";
    if (pid > 0)
        (void)snprintf(who, sizeof who, "process %lld", (long long)pid); /* fits */
    return cli_fault("user", EX_TEMPFAIL, "%s is in use by %s, which does not answer", data, who);
}

struct user_store *user_store_open(const char *data, int *code_out)
{
    int folder = -1;
    *code_out = open_folder(data, &folder);
    if (*code_out != EX_OK)
        return NULL;
    struct user_store *s = os_new(sizeof *s);
    s->lock = -1;
    *code_out = open_either(s, data, folder);
    close(folder);
    if (*code_out == EX_OK)
        return s;
    user_store_close(s);
    return NULL;
}

void user_store_close(struct user_store *s)
{
    if (!s)
        return;
    users_close(s->users);
    user_server_free(s->server);
    if (s->lock >= 0)
        close(s->lock);
    free(s);
}

enum ipc_user_result user_store_change(struct user_store *s, const struct ipc_message *wish,
                                       struct sp_buf *text_out)
{
    return s->server ? user_server_ask(s->server, wish, NULL, NULL, text_out)
                     : user_file_change(s->users, wish, text_out);
}

enum ipc_user_result user_store_page(struct user_store *s, struct sp_view after, struct sp_buf *list_out,
                                     struct sp_buf *text_out)
{
    struct ipc_message m = {.type = IPC_TYPE_user_list, .as.user_list = {.after = after}};
    sp_buf_clear(list_out);
    return s->server ? user_server_ask(s->server, &m, list_out, NULL, text_out)
                     : user_file_page(s->users, after, list_out, text_out);
}

void user_shown_init(struct user_shown *shown)
{
    sp_buf_init(&shown->users, &os_heap, IPC_PAYLOAD_MAX);
    sp_buf_init(&shown->app_passwords, &os_heap, IPC_PAYLOAD_MAX);
    sp_buf_init(&shown->senders, &os_heap, IPC_PAYLOAD_MAX);
}

void user_shown_fini(struct user_shown *shown)
{
    sp_buf_fini(&shown->users);
    sp_buf_fini(&shown->app_passwords);
    sp_buf_fini(&shown->senders);
}

enum ipc_user_result user_store_show(struct user_store *s, struct sp_view name, struct user_shown *shown_out,
                                     struct sp_buf *text_out)
{
    struct ipc_message m = {.type = IPC_TYPE_user_show, .as.user_show = {.name = name}};
    return s->server ? user_server_ask(s->server, &m, NULL, shown_out, text_out)
                     : user_file_show(s->users, name, shown_out, text_out);
}
