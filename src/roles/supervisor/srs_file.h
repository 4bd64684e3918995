/* The file of secrets that senders of forwarded mail are signed with: see roles/srs.h. */
#ifndef SUPERVISOR_SRS_FILE_H
#define SUPERVISOR_SRS_FILE_H

#include "base/buf.h"

enum { SRS_FILE_MAX = 8192 };

/* Read and try it. Returns EX_OK, EX_NOINPUT or EX_CONFIG; faults are added to error, errno is that of the
 * first. */
int srs_file_read(const char *path, struct sp_buf *text, struct sp_buf *error);

#endif
