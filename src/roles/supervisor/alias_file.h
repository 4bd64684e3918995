/* Alias files: text as config/aliases.h has it, or an SQLite database that is turned into such text. */
#ifndef SUPERVISOR_ALIAS_FILE_H
#define SUPERVISOR_ALIAS_FILE_H

#include "base/buf.h"

enum { ALIASES_MAX = 3 << 20 }; /* octets of one domain's file: it travels in one message (IPC_PAYLOAD_MAX) */

/* Read and try it. Returns EX_OK, EX_NOINPUT or EX_CONFIG; faults are added to error. */
int alias_file_read(const char *path, struct sp_buf *text, struct sp_buf *error);

#endif
