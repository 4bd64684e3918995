/*
 * `user import`: a password file, one user a line, NAME:HASH and whatever further fields: what htpasswd,
 * Dovecot's passwd-file and /etc/shadow have in common. What cannot be taken is said with its line; the
 * others are.
 */
#include "base/view.h"
#include "cli/user/parts.h"
#include "cli/user/store.h"
#include "os/heap.h"
#include "users/passwords.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { FILE_MAX = 16 << 20, TEXT_MAX = 4096 };

struct tally {
    size_t line, taken, refused;
};

static int read_file(const char *path, struct sp_buf *out)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && sp_buf_reserve(out, 1) == SP_OK) {
        n = read(fd, out->p + out->len, out->cap - out->len);
        if (n > 0)
            out->len += (size_t)n;
    }
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (sp_buf_status(out))
        return cli_fault("user", EX_DATAERR, "%s is larger than 16 MiB", path);
    return n == 0 ? EX_OK : cli_fault("user", EX_NOINPUT, "cannot read %s: %s", path, strerror(why));
}

static void refuse(const char *path, struct tally *t, struct sp_view name, const char *why)
{
    t->refused++;
    fprintf(stderr, "sallyport user: %s:%zu: %.*s: %s\n", path, t->line, (int)name.len, (const char *)name.p,
            why);
}

static bool take_line(struct user_store *store, const char *path, struct sp_view line, struct tally *t)
{
    char hash[USERS_CRYPT_MAX] = "";
    struct sp_buf text;
    struct sp_view name;
    const char *wrong = users_password_line(line, &name, hash);
    if (wrong) {
        refuse(path, t, name, wrong);
        return true;
    }
    struct ipc_message m = {.type = IPC_TYPE_user_import,
                            .as.user_import = {.name = name, .crypt = sp_view_of(hash)}};
    sp_buf_init(&text, &os_heap, TEXT_MAX);
    enum ipc_user_result result = user_store_change(store, &m, &text);
    if (result == IPC_USER_OK)
        t->taken++;
    else if (result == IPC_USER_EXISTS)
        refuse(path, t, name, "there is such a user already; it was left as it is");
    else
        cli_fault("user", EX_TEMPFAIL, "%s:%zu: %.*s", path, t->line, (int)text.len, (const char *)text.p);
    sp_buf_fini(&text);
    return result == IPC_USER_OK || result == IPC_USER_EXISTS;
}

static int take_all(struct user_store *store, const char *path, struct sp_view rest)
{
    struct tally t = {0};
    bool going = true;
    while (going && rest.len > 0) {
        size_t end = sp_view_find(rest, '\n', 0);
        struct sp_view line = sp_view_trim(sp_view_sub(rest, 0, end));
        rest = sp_view_from(rest, end < rest.len ? end + 1 : end);
        t.line++;
        if (line.len > 0 && line.p[0] != '#')
            going = take_line(store, path, line, &t);
    }
    printf("%zu imported, %zu not\n", t.taken, t.refused);
    int code = user_end_output();
    if (code != EX_OK)
        return code;
    return !going ? EX_TEMPFAIL : t.refused ? EX_DATAERR : EX_OK;
}

int user_import(const char *data, const struct cli_operands *o)
{
    struct sp_buf file;
    struct user_store *store = NULL;
    if (o->n != 2)
        return o->n < 2 ? cli_usage_fault("user", "import needs a FILE with lines NAME:HASH, or -")
                        : cli_usage_fault("user", "'%s' is not expected here", o->words[2]);
    sp_buf_init(&file, &os_heap, FILE_MAX);
    int code = read_file(o->words[1], &file);
    if (code == EX_OK)
        store = user_store_open(data, &code);
    if (store)
        code = take_all(store, o->words[1], sp_buf_view(&file));
    user_store_close(store);
    sp_buf_fini_secret(&file);
    return code;
}
