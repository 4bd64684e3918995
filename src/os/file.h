/* Small files of the operator's and of ours: read whole, written so that they are there whole or not at all. */
#ifndef OS_FILE_H
#define OS_FILE_H

#include "base/buf.h"

/*
 * Append a file's octets.
 *   folder  descriptor that a relative path begins at, or AT_FDCWD
 * SP_ERR_IO: see errno. SP_ERR_LONG: more than the buffer may hold; errno is EFBIG. out is a secret until the caller
 * knows better: nothing is left behind in other memory.
 */
SP_MUST_USE int os_file_read(int folder, const char *path, struct sp_buf *out);

/* The same of what is open, from where it is to its end. A pipe will do. */
SP_MUST_USE int os_file_read_open(int fd, struct sp_buf *out);

/*
 * Put a file (0600) in the place of the one there was, if any; on disk, with its name, when this returns.
 *   folder  descriptor
 *   part    its name until it is whole; of the processes that may write it at once, each needs another
 * SP_ERR_IO: see errno; no part of it is left.
 */
SP_MUST_USE int os_file_put(int folder, const char *name, const char *part, struct sp_view octets);

/* Write all of it. SP_ERR_IO: see errno. */
SP_MUST_USE int os_file_write_open(int fd, struct sp_view octets);

/* Append "PATH: WHAT: why\n" to a text for the operator; status and errno are those of the call that failed. */
void os_file_add_fault(struct sp_buf *error, const char *path, const char *what, int status);

#endif
