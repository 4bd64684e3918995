#include "roles/delivery/sts_kept.h"

#include "base/view.h"
#include "os/file.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_LIMIT = 320, HEAD_MAX = 200 };

/* The domain was asked for in the DNS: it holds letters, digits, '-', '_' and '.'. */
static void name_file(const char *domain, const char *ending, char name[NAME_LIMIT])
{
    (void)snprintf(name, NAME_LIMIT, "%.253s%s", domain, ending); /* fits */
}

static int open_folder(void) { return open("mta-sts", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW); }

int sts_kept_write(const char *domain, const struct sts_kept *kept, struct sp_view policy)
{
    char name[NAME_LIMIT], part[NAME_LIMIT], ending[40], head[HEAD_MAX];
    struct sp_buf text;
    (void)snprintf(ending, sizeof ending, ".part-%ld", (long)getpid()); /* fits */
    name_file(domain, ".policy", name);
    name_file(domain, ending, part);
    int folder = mkdir("mta-sts", 0700) == 0 || errno == EEXIST ? open_folder() : -1;
    if (folder < 0)
        return SP_ERR_IO;
    (void)snprintf(head, sizeof head, "sallyport-mta-sts 1\nid %s\nfetched %lld\n\n", kept->id,
                   (long long)kept->fetched_s); /* fits */
    sp_buf_init(&text, &os_heap, STS_TEXT_MAX + HEAD_MAX);
    sp_buf_add_str(&text, head);
    sp_buf_add(&text, policy);
    errno = EFBIG;
    int status = sp_buf_status(&text);
    if (!status)
        status = os_file_put(folder, name, part, sp_buf_view(&text));
    int why = errno;
    sp_buf_fini(&text);
    close(folder);
    errno = why;
    return status ? SP_ERR_IO : SP_OK;
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
    char name[NAME_LIMIT];
    struct sp_buf text;
    int folder = open_folder();
    if (folder < 0)
        return errno == ENOENT ? SP_ERR_ABSENT : SP_ERR_IO;
    name_file(domain, ".policy", name);
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int why = errno;
    close(folder);
    if (fd < 0) {
        errno = why;
        return why == ENOENT ? SP_ERR_ABSENT : SP_ERR_IO;
    }
    sp_buf_init(&text, &os_heap, STS_TEXT_MAX + HEAD_MAX);
    int status = os_file_read_open(fd, &text);
    if (!status)
        status = take_apart(sp_buf_view(&text), kept_out, policy_out);
    sp_buf_fini(&text);
    close(fd);
    return status == SP_ERR_LONG ? SP_ERR_SYNTAX : status;
}
