/*
 * The newest key set on disk, so that a start while the issuer is away knows its keys. One file in the role's folder:
 *
 *     sallyport-keys 1
 *     url https://issuer.example/jwks
 *     fetched 1766665842            seconds since 1970
 *     fresh-until 1766669442
 *     (an empty line, then the set as it came)
 */
#ifndef FETCH_KEPT_H
#define FETCH_KEPT_H

#include "base/buf.h"

struct fetch_kept {
    int64_t fetched_s, fresh_until_s; /* wall time */
};

/*
 * Write the file; it is there whole or as it was before. Paths are relative to the working folder, the role's.
 * SP_ERR_IO: see errno.
 */
SP_MUST_USE int fetch_kept_write(const char *url, const struct fetch_kept *kept, struct sp_view jwks);

/*
 * Read what was kept of this URL.
 *   jwks_out  appended to
 * SP_ERR_ABSENT: nothing, or of another URL. SP_ERR_SYNTAX: not a file of ours. SP_ERR_IO: see errno.
 */
SP_MUST_USE int fetch_kept_read(const char *url, struct fetch_kept *kept_out, struct sp_buf *jwks_out);

/* The file's text, taken apart. */
SP_MUST_USE int fetch_kept_parse(struct sp_view text, const char *url, struct fetch_kept *kept_out,
                                 struct sp_view *jwks_out);

#endif
