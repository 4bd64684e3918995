/* Opening users.db: the file, its schema and the server's secret. Only for src/users. */
#ifndef USERS_SCHEMA_H
#define USERS_SCHEMA_H

#include "base/buf.h"

#include <sqlite3.h>

enum { USERS_SECRET_LEN = 32 };

/* The schema's version; a file of a newer one is refused. */
enum { USERS_SCHEMA_VERSION = 3 };

/* See users_open. secret_out: USERS_SECRET_LEN octets. */
SP_MUST_USE int users_schema_open(const char *folder, struct sp_buf *error, sqlite3 **db_out, uint8_t *secret_out);

#endif
