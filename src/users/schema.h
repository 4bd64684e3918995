/* Opening users.db: the file, its schema and the server's secret. Only for src/users. */
#ifndef USERS_SCHEMA_H
#define USERS_SCHEMA_H

#include "database/database.h"

enum { USERS_SECRET_LEN = 32 };

/* See users_open. secret_out: USERS_SECRET_LEN octets. */
SP_MUST_USE int users_schema_open(const char *folder, struct sp_buf *error, struct database *database_out,
                                  uint8_t *secret_out);

#endif
