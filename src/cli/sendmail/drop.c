#include "base/view.h"
#include "cli/options.h"
#include "cli/sendmail/sendmail.h"
#include "os/file.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

enum { NAME_OCTETS = 16 };

/* --- the folder ----------------------------------------------------------------------------- */

static int fault_closed(const struct sendmail *o, const struct sendmail_place *place, int why)
{
    if (why == ENOENT || why == ENOTDIR)
        return cli_fault(
            o->command, EX_UNAVAILABLE,
            "there is no %s/maildrop: 'sallyport serve' makes it at its first start, unless maildrop = off; "
            "--data, SALLYPORT_DATA or the configuration names another data folder",
            place->data);
    if (why == EACCES)
        return cli_fault(
            o->command, EX_NOPERM,
            "%s/maildrop is not for this user: the server's configuration lets everybody in with maildrop = "
            "all, and each folder on the way to it must let them through (mode 0711)",
            place->data);
    if (why == ENOSPC || why == EDQUOT)
        return cli_fault(o->command, EX_TEMPFAIL, "%s/maildrop: no room is left on the disk", place->data);
    return cli_fault(o->command, EX_TEMPFAIL, "%s/maildrop: %s", place->data, strerror(why));
}

/* Others may not list it, so it is opened as a place alone. */
static int open_maildrop(const struct sendmail *o, const struct sendmail_place *place, int *fd_out)
{
    struct sp_buf path;
    sp_buf_init(&path, &os_heap, SIZE_MAX / 2);
    sp_buf_add_str(&path, place->data);
    sp_buf_add(&path, SP_LIT("/maildrop\0"));
    *fd_out = open((const char *)path.p, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int why = errno;
    sp_buf_fini(&path);
    return *fd_out >= 0 ? EX_OK : fault_closed(o, place, why);
}

static int check_room(const struct sendmail *o, const struct sendmail_place *place, int folder)
{
    struct statvfs fs;
    if (fstatvfs(folder, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < place->free_octets)
        return cli_fault(o->command, EX_TEMPFAIL, "%s: less than %llu MiB are free on the disk (free-space)",
                         place->data, (unsigned long long)(place->free_octets >> 20));
    return EX_OK;
}

/* --- the file: a session as a client would say it -------------------------------------------- */

static void add_parameter(struct sp_buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    sp_buf_add_u8(out, ' ');
    sp_buf_add_str(out, name);
    sp_buf_add_u8(out, '=');
    sp_buf_add_str(out, value);
}

/* xtext, RFC 3461 4 */
static void add_envid(struct sp_buf *out, const char *envid)
{
    sp_buf_add_str(out, envid ? " ENVID=" : "");
    for (; envid && *envid; envid++) {
        uint8_t c = (uint8_t)*envid;
        if (c > ' ' && c < 127 && c != '+' && c != '=') {
            sp_buf_add_u8(out, c);
        } else {
            static const char digits[] = "0123456789ABCDEF";
            sp_buf_add_u8(out, '+');
            sp_buf_add_u8(out, (uint8_t)digits[c >> 4]);
            sp_buf_add_u8(out, (uint8_t)digits[c & 15]);
        }
    }
}

static void add_envelope(struct sp_buf *out, const struct sendmail *o, const struct sendmail_mail *m)
{
    struct sp_view rest = sp_buf_view(&m->recipients), to;
    sp_buf_add_str(out, "EHLO localhost\r\nMAIL FROM:<");
    sp_buf_add(out, sp_buf_view(&m->sender));
    sp_buf_add_str(out, ">");
    add_parameter(out, "BODY", o->body ? o->body : m->eight_bit ? "8BITMIME" : NULL);
    add_parameter(out, "RET", o->ret);
    add_envid(out, o->envid);
    sp_buf_add_str(out, m->utf8 ? " SMTPUTF8\r\n" : "\r\n");
    while (sp_view_word(&rest, '\n', &to)) {
        sp_buf_add_str(out, "RCPT TO:<");
        sp_buf_add(out, to);
        sp_buf_add_str(out, ">");
        add_parameter(out, "NOTIFY", o->notify);
        sp_buf_add_str(out, "\r\n");
    }
    sp_buf_add_str(out, "DATA\r\n");
}

static void add_stuffed(struct sp_buf *out, struct sp_view text)
{
    while (text.len > 0) {
        size_t len = sp_view_find(text, '\n', 0) + 1;
        if (text.p[0] == '.')
            sp_buf_add_u8(out, '.');
        sp_buf_add(out, sp_view_sub(text, 0, len));
        text = sp_view_from(text, len);
    }
}

/* --- into the folder ------------------------------------------------------------------------- */

/*
 * The name of a file is on disk with the file, once both are synced after the renaming: a folder that others
 * may not read cannot be opened to be synced itself.
 */
static int write_file(int folder, const char *name, struct sp_view octets)
{
    char unfinished[NAME_OCTETS * 2 + sizeof ".tmp"];
    (void)snprintf(unfinished, sizeof unfinished, "%s.tmp", name); /* fits */
    int fd = openat(folder, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0)
        return errno;
    int why = 0;
    if (fchmod(fd, 0640) || os_file_write_open(fd, octets) || fsync(fd) ||
        renameat(folder, unfinished, folder, name))
        why = errno;
    if (why)
        (void)unlinkat(folder, unfinished, 0); /* else it is swept */
    else if (fsync(fd))
        why = errno;
    if (close(fd) && !why)
        why = errno;
    return why;
}

int sendmail_put(const struct sendmail *o, const struct sendmail_place *place, struct sp_view session)
{
    uint8_t random[NAME_OCTETS];
    struct sp_buf name;
    int folder = -1, code = open_maildrop(o, place, &folder);
    if (code == EX_OK)
        code = check_room(o, place, folder);
    sp_buf_init(&name, &os_heap, sizeof random * 2 + 1);
    os_random(random, sizeof random);
    sp_buf_add_hex(&name, sp_view_make(random, sizeof random));
    sp_buf_add_u8(&name, '\0');
    int why = code == EX_OK ? write_file(folder, (const char *)name.p, session) : 0;
    if (why)
        code = fault_closed(o, place, why);
    if (folder >= 0)
        close(folder);
    sp_buf_fini(&name);
    return code;
}

void sendmail_add_message(struct sp_buf *out, struct sp_view header, struct sp_view body)
{
    add_stuffed(out, header);
    add_stuffed(out, body);
    sp_buf_add_str(out, ".\r\nQUIT\r\n");
}

int sendmail_drop(const struct sendmail *o, const struct sendmail_place *place, const struct sendmail_mail *m)
{
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, SIZE_MAX / 2);
    add_envelope(&text, o, m);
    sendmail_add_message(&text, sp_buf_view(&m->header), sp_buf_view(&m->body));
    int code = sendmail_put(o, place, sp_buf_view(&text));
    sp_buf_fini(&text);
    return code;
}
