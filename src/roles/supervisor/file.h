/* Small files of the operator's and of ours: read whole, written so that they are there whole or not at all.
 */
#ifndef SUPERVISOR_FILE_H
#define SUPERVISOR_FILE_H

#include "base/buf.h"

/*
 * Append a file's octets.
 *   folder  descriptor that a relative path begins at, or AT_FDCWD
 * SP_ERR_IO: see errno. SP_ERR_LONG: more than the buffer may hold. out is a secret until the caller knows
 * better: nothing is left behind in other memory.
 */
SP_MUST_USE int file_read(int folder, const char *path, struct sp_buf *out);

/* Make a file (0600) that was not there before, synced. SP_ERR_IO: see errno; no part of it is left. */
SP_MUST_USE int file_make(int folder, const char *name, struct sp_view octets);

/* Append "PATH: WHAT: why\n" to a text for the operator; status and errno are those of the call that failed.
 */
void file_add_fault(struct sp_buf *error, const char *path, const char *what, int status);

#endif
