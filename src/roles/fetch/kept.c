#include "roles/fetch/kept.h"

#include "base/view.h"
#include "os/file.h"
#include "os/heap.h"
#include "roles/fetch/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { HEAD_MAX = 4096 };

static const char name[] = "token-keys", next_name[] = "token-keys.next";

/* --- writing ------------------------------------------------------------------------------ */

int fetch_kept_write(const char *url, const struct fetch_kept *kept, struct sp_view jwks)
{
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, HEAD_MAX + FETCH_OCTETS_MAX);
    sp_buf_add_str(&text, "sallyport-keys 1\nurl ");
    sp_buf_add_str(&text, url);
    sp_buf_add_str(&text, "\nfetched ");
    sp_buf_add_dec(&text, (uint64_t)kept->fetched_s);
    sp_buf_add_str(&text, "\nfresh-until ");
    sp_buf_add_dec(&text, (uint64_t)kept->fresh_until_s);
    sp_buf_add_str(&text, "\n\n");
    sp_buf_add(&text, jwks);
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = folder < 0 ? SP_ERR_IO : sp_buf_status(&text);
    if (!status)
        status = os_file_put(folder, name, next_name, sp_buf_view(&text));
    int fault = status == SP_ERR_LONG ? EFBIG : errno;
    if (folder >= 0)
        close(folder);
    sp_buf_fini(&text);
    errno = fault;
    return status ? SP_ERR_IO : SP_OK;
}

/* --- reading ------------------------------------------------------------------------------ */

/* The rest of a line that begins with the word and a blank. */
static bool take_line(struct sp_view *text, struct sp_view word, struct sp_view *rest_out)
{
    size_t end = sp_view_find(*text, '\n', 0);
    struct sp_view line = sp_view_sub(*text, 0, end);
    if (end == text->len || !sp_view_starts(line, word) || line.len == word.len || line.p[word.len] != ' ')
        return false;
    *rest_out = sp_view_from(line, word.len + 1);
    *text = sp_view_from(*text, end + 1);
    return true;
}

static bool take_time(struct sp_view *text, struct sp_view word, int64_t *s_out)
{
    struct sp_view digits;
    uint64_t s;
    if (!take_line(text, word, &digits) || sp_view_u64(digits, INT64_MAX / 1000, &s) != SP_OK)
        return false;
    *s_out = (int64_t)s;
    return true;
}

int fetch_kept_parse(struct sp_view text, const char *url, struct fetch_kept *kept_out,
                     struct sp_view *jwks_out)
{
    struct sp_view version, of;
    struct fetch_kept kept;
    if (!take_line(&text, SP_LIT("sallyport-keys"), &version) || !sp_view_eq(version, SP_LIT("1")) ||
        !take_line(&text, SP_LIT("url"), &of) || !take_time(&text, SP_LIT("fetched"), &kept.fetched_s) ||
        !take_time(&text, SP_LIT("fresh-until"), &kept.fresh_until_s) || text.len == 0 || text.p[0] != '\n')
        return SP_ERR_SYNTAX;
    if (!sp_view_eq(of, sp_view_of(url)))
        return SP_ERR_ABSENT;
    *kept_out = kept;
    *jwks_out = sp_view_from(text, 1);
    return SP_OK;
}

int fetch_kept_read(const char *url, struct fetch_kept *kept_out, struct sp_buf *jwks_out)
{
    struct sp_buf text;
    struct sp_view jwks;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? SP_ERR_ABSENT : SP_ERR_IO;
    sp_buf_init(&text, &os_heap, HEAD_MAX + FETCH_OCTETS_MAX);
    int status = os_file_read_open(fd, &text);
    close(fd);
    if (status == SP_OK)
        status = fetch_kept_parse(sp_buf_view(&text), url, kept_out, &jwks);
    if (status == SP_OK)
        status = sp_buf_add(jwks_out, jwks);
    sp_buf_fini(&text);
    return status == SP_ERR_LONG ? SP_ERR_SYNTAX : status;
}
