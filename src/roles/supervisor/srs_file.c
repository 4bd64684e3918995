#include "roles/supervisor/srs_file.h"

#include "base/view.h"
#include "os/file.h"
#include "roles/srs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static int add_fault(struct sp_buf *error, const char *path, uint64_t line, const char *what)
{
    sp_buf_add_str(error, path);
    if (line > 0) {
        sp_buf_add_u8(error, ':');
        sp_buf_add_dec(error, line);
    }
    sp_buf_add_str(error, ": ");
    sp_buf_add_str(error, what);
    sp_buf_add_u8(error, '\n');
    return EX_CONFIG;
}

static int check_lines(const char *path, struct sp_view text, struct sp_buf *error)
{
    struct sp_view line, secret;
    uint64_t number = 0;
    size_t n = 0;
    int code = EX_OK;
    while (sp_view_word(&text, '\n', &line)) {
        number++;
        secret = srs_secret(line);
        if (secret.len == 0)
            continue;
        n++;
        if (secret.len < SRS_SECRET_LEAST)
            code = add_fault(error, path, number,
                             "the secret has fewer than 16 characters and could be guessed; `openssl rand "
                             "-hex 16` makes one");
        if (secret.len > SRS_SECRET_MOST)
            code = add_fault(error, path, number, "the secret is longer than 255 characters");
    }
    if (n == 0)
        code = add_fault(error, path, 0, "holds no secret; `openssl rand -hex 16` makes one");
    if (n > SRS_SECRETS_MAX)
        code =
            add_fault(error, path, 0,
                      "holds more than 16 secrets; take away those that no address of now was signed with");
    return code;
}

int srs_file_read(const char *path, struct sp_buf *text, struct sp_buf *error)
{
    struct stat st;
    int code = EX_OK, status = SP_ERR_IO;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0 && fstat(fd, &st) == 0)
        status = os_file_read_open(fd, text);
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    if (status != SP_OK) {
        os_file_add_fault(error, path, "secret-file cannot be read", status);
        errno = why;
        return EX_NOINPUT;
    }
    if (st.st_mode & S_IRWXO)
        code = add_fault(error, path, 0,
                         "every user of this machine may read or change it, and so make addresses that this "
                         "server believes; "
                         "`chmod o-rwx` takes that away");
    int lines = check_lines(path, sp_buf_view(text), error);
    return code != EX_OK ? code : lines;
}
