#include "roles/delivery/sts_kept.h"

#include "base/view.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LIMIT = 400, HEAD_MAX = 200 };

#define FOLDER "mta-sts"

/* The domain was asked for in the DNS: it holds letters, digits, '-', '_' and '.'. */
static void name_file(const char *domain, const char *ending, char path[PATH_LIMIT])
{
    (void)snprintf(path, PATH_LIMIT, FOLDER "/%.253s%s", domain, ending); /* fits */
}

static int write_all(int fd, struct sp_view octets)
{
    while (octets.len > 0) {
        ssize_t n = write(fd, octets.p, octets.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SP_ERR_IO;
        octets = sp_view_from(octets, (size_t)n);
    }
    return SP_OK;
}

int sts_kept_write(const char *domain, const struct sts_kept *kept, struct sp_view policy)
{
    char path[PATH_LIMIT], part[PATH_LIMIT], ending[40], head[HEAD_MAX];
    (void)snprintf(ending, sizeof ending, ".part-%ld", (long)getpid()); /* fits */
    name_file(domain, ".policy", path);
    name_file(domain, ending, part);
    if (mkdir(FOLDER, 0700) != 0 && errno != EEXIST)
        return SP_ERR_IO;
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return SP_ERR_IO;
    int n = snprintf(head, sizeof head, "sallyport-mta-sts 1\nid %s\nfetched %lld\n\n", kept->id,
                     (long long)kept->fetched_s);
    int status = write_all(fd, sp_view_make(head, (size_t)n));
    if (!status)
        status = write_all(fd, policy);
    if (!status && (fdatasync(fd) != 0 || rename(part, path) != 0))
        status = SP_ERR_IO;
    int why = errno;
    close(fd);
    if (status)
        (void)unlink(part); /* the first failure is the one to tell */
    errno = why;
    return status;
}

static int read_all(int fd, struct sp_buf *out)
{
    uint8_t octets[4096];
    for (;;) {
        ssize_t n = read(fd, octets, sizeof octets);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? SP_OK : SP_ERR_IO;
        if (sp_buf_add(out, sp_view_make(octets, (size_t)n)))
            return SP_ERR_SYNTAX;
    }
}

/* Behind a word and a space, up to the end of the line. */
static bool take_line(struct sp_view *rest, struct sp_view word, struct sp_view *value_out)
{
    size_t end = sp_view_find(*rest, '\n', 0);
    struct sp_view line = sp_view_sub(*rest, 0, end);
    if (!sp_view_starts(line, word))
        return false;
    *value_out = sp_view_from(line, word.len);
    *rest = sp_view_from(*rest, end + 1);
    return true;
}

static int take_apart(struct sp_view text, struct sts_kept *kept, struct sp_buf *policy_out)
{
    struct sp_view version, id, fetched, nothing;
    uint64_t seconds;
    if (!take_line(&text, SP_LIT("sallyport-mta-sts "), &version) || !sp_view_eq(version, SP_LIT("1")) ||
        !take_line(&text, SP_LIT("id "), &id) || id.len > STS_ID_MAX ||
        !take_line(&text, SP_LIT("fetched "), &fetched) || sp_view_u64(fetched, INT64_MAX, &seconds) ||
        !take_line(&text, SP_LIT(""), &nothing) || nothing.len > 0)
        return SP_ERR_SYNTAX;
    *kept = (struct sts_kept){.fetched_s = (int64_t)seconds};
    if (id.len > 0)
        memcpy(kept->id, id.p, id.len);
    return sp_buf_add(policy_out, text);
}

int sts_kept_read(const char *domain, struct sts_kept *kept_out, struct sp_buf *policy_out)
{
    char path[PATH_LIMIT];
    struct sp_buf text;
    name_file(domain, ".policy", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? SP_ERR_ABSENT : SP_ERR_IO;
    sp_buf_init(&text, &os_heap, STS_TEXT_MAX + HEAD_MAX);
    int status = read_all(fd, &text);
    if (!status)
        status = take_apart(sp_buf_view(&text), kept_out, policy_out);
    sp_buf_fini(&text);
    close(fd);
    return status;
}
