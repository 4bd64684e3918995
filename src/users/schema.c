/* The schema of users.db and the server's secret. */
#include "users/inside.h"

#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/*
 * key is the name prepared and folded. A password's five columns change together. stored and server
 * keys: RFC 5802 section 3.
 */
static const char version_1[] = "CREATE TABLE users ("
                                "  key TEXT PRIMARY KEY NOT NULL,"
                                "  name TEXT NOT NULL,"
                                "  disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),"
                                "  created_ms INTEGER NOT NULL,"
                                "  changed_ms INTEGER NOT NULL,"
                                "  salt BLOB NOT NULL,"
                                "  iterations INTEGER NOT NULL CHECK (iterations > 0),"
                                "  stored_sha256 BLOB NOT NULL CHECK (length(stored_sha256) = 32),"
                                "  server_sha256 BLOB NOT NULL CHECK (length(server_sha256) = 32),"
                                "  stored_sha1 BLOB NOT NULL CHECK (length(stored_sha1) = 20),"
                                "  server_sha1 BLOB NOT NULL CHECK (length(server_sha1) = 20)"
                                ") WITHOUT ROWID, STRICT;"
                                "CREATE TABLE server ("
                                "  one INTEGER PRIMARY KEY CHECK (one = 1),"
                                "  secret BLOB NOT NULL CHECK (length(secret) = 32)"
                                ") STRICT;";

/*
 * Application passwords are made under the salt and the iterations of their user. may_send: no row, any
 * sender. crypt: the password as another server kept it; the first login with it makes the verifier, and it
 * goes.
 */
static const char version_2[] = "ALTER TABLE users ADD COLUMN crypt TEXT;"
                                "CREATE INDEX users_crypt ON users (key) WHERE crypt IS NOT NULL;"
                                "CREATE TABLE app_passwords ("
                                "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
                                "  key TEXT NOT NULL REFERENCES users ON DELETE CASCADE,"
                                "  label TEXT NOT NULL,"
                                "  created_ms INTEGER NOT NULL,"
                                "  used_ms INTEGER NOT NULL DEFAULT 0,"
                                "  stored_sha256 BLOB NOT NULL CHECK (length(stored_sha256) = 32),"
                                "  server_sha256 BLOB NOT NULL CHECK (length(server_sha256) = 32),"
                                "  stored_sha1 BLOB NOT NULL CHECK (length(stored_sha1) = 20),"
                                "  server_sha1 BLOB NOT NULL CHECK (length(server_sha1) = 20),"
                                "  UNIQUE (key, label)"
                                ") STRICT;"
                                "CREATE TABLE may_send ("
                                "  key TEXT NOT NULL REFERENCES users ON DELETE CASCADE,"
                                "  pattern TEXT NOT NULL,"
                                "  PRIMARY KEY (key, pattern)"
                                ") WITHOUT ROWID, STRICT;";

/* For CRAM-MD5, by wish: sasl/cram_md5.h. */
static const char version_3[] =
    "ALTER TABLE users ADD COLUMN cram_md5 BLOB CHECK (cram_md5 IS NULL OR length(cram_md5) = 32);";

static const char *const steps[] = {version_1, version_2, version_3};

#define X(n, sql) [USERS_##n] = sql,
static const char *const statements[USERS_STATEMENT_N] = {USERS_STATEMENTS(X)};
#undef X

/* --- the server's secret ------------------------------------------------------------------ */

static int make_secret(sqlite3 *db)
{
    uint8_t secret[USERS_SECRET_LEN];
    sqlite3_stmt *st = NULL;
    os_random(secret, sizeof secret);
    int rc = sqlite3_prepare_v2(db, "INSERT INTO server VALUES (1, ?)", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_blob(st, 1, secret, sizeof secret, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    (void)sqlite3_finalize(st); /* repeats the step's error */
    explicit_bzero(secret, sizeof secret);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int read_secret(sqlite3 *db, uint8_t *secret_out)
{
    sqlite3_stmt *st = NULL;
    int status = SP_ERR_IO;
    if (sqlite3_prepare_v2(db, "SELECT secret FROM server", -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW && sqlite3_column_bytes(st, 0) == USERS_SECRET_LEN) {
        memcpy(secret_out, sqlite3_column_blob(st, 0), USERS_SECRET_LEN);
        status = SP_OK;
    }
    (void)sqlite3_finalize(st); /* repeats the step's error */
    return status;
}

/* secure_delete: the verifier of an old password is overwritten, not only unlinked. */
static const struct database_form form = {
    .file = "users.db",
    .steps = steps,
    .version = (int)(sizeof steps / sizeof *steps),
    .fill = make_secret,
    .settings = "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;"
                "PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON;",
    .busy_ms = 2000,
    .way_out = "restore a backup of the folder",
    .statements = statements,
    .statement_n = USERS_STATEMENT_N,
};

/* --- opening -------------------------------------------------------------------------------- */

static int open_there(const char *folder, struct sp_buf *why, struct database *out, uint8_t *secret_out)
{
    int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) {
        sp_buf_add_str(why, strerror(errno));
        return SP_ERR_IO;
    }
    int status = database_open(at, &form, true, why, out);
    close(at);
    if (!status && (status = read_secret(out->db, secret_out)) != SP_OK) {
        sp_buf_add_str(why, "the server's secret cannot be read: ");
        database_add_failure(why, out->db);
        database_close(out);
    }
    return status;
}

int users_schema_open(const char *folder, struct sp_buf *error, struct database *database_out,
                      uint8_t *secret_out)
{
    struct sp_buf why;
    sp_buf_init(&why, &os_heap, 1024);
    int status = open_there(folder, &why, database_out, secret_out);
    if (status) {
        sp_buf_add_str(error, "cannot use ");
        sp_buf_add_str(error, folder);
        sp_buf_add_str(error, "/users.db: ");
        sp_buf_add(error, sp_buf_view(&why));
    }
    sp_buf_fini(&why);
    return status;
}
