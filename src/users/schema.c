#include "users/schema.h"

#include "base/view.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 2000 };

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

/* What each version adds to the one before it. */
static const char *const steps[USERS_SCHEMA_VERSION] = {version_1, version_2, version_3};

/* --- the file ---------------------------------------------------------------------------- */

static int keep_name(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)n, "%s", name) < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

/*
 * SQLite's own VFS but for one thing: names stay relative. The folders above the role's own may be
 * closed to its user, so an absolute path would not open.
 */
static const char *relative_vfs(void)
{
    static sqlite3_vfs vfs;
    if (!vfs.zName) {
        vfs = *sqlite3_vfs_find(NULL);
        vfs.zName = "sallyport-users";
        vfs.xFullPathname = keep_name;
        vfs.pNext = NULL;
        if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
            return NULL;
    }
    return vfs.zName;
}

static int say_errno(struct sp_buf *error, const char *what, const char *path)
{
    int no = errno;
    sp_buf_add_str(error, what);
    sp_buf_add_str(error, " ");
    sp_buf_add_str(error, path);
    sp_buf_add_str(error, ": ");
    sp_buf_add_str(error, strerror(no));
    return SP_ERR_IO;
}

/* A tool of root must leave a file that the role can use; SQLite gives its -wal the owner of the file. */
static int touch_file(const char *folder, const char *path, struct sp_buf *error)
{
    struct stat there;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return say_errno(error, "cannot open", path);
    int status = SP_OK;
    if (geteuid() == 0 && (stat(folder, &there) != 0 || fchown(fd, there.st_uid, there.st_gid) != 0))
        status = say_errno(error, "cannot give to the folder's owner", path);
    close(fd);
    return status;
}

/* --- the schema -------------------------------------------------------------------------- */

static int say_sqlite(sqlite3 *db, struct sp_buf *error, const char *path)
{
    sp_buf_add_str(error, "cannot use ");
    sp_buf_add_str(error, path);
    sp_buf_add_str(error, ": ");
    sp_buf_add_str(error, db ? sqlite3_errmsg(db) : "out of memory");
    return SP_ERR_IO;
}

/* One number or blob of one row. */
static int read_one(sqlite3 *db, const char *sql, sqlite3_stmt **stmt_out)
{
    if (sqlite3_prepare_v2(db, sql, -1, stmt_out, NULL) != SQLITE_OK)
        return SP_ERR_IO;
    if (sqlite3_step(*stmt_out) == SQLITE_ROW)
        return SP_OK;
    sqlite3_finalize(*stmt_out);
    return SP_ERR_IO;
}

static int read_version(sqlite3 *db, int *version_out)
{
    sqlite3_stmt *stmt = NULL;
    if (read_one(db, "PRAGMA user_version", &stmt) != SP_OK)
        return SP_ERR_IO;
    *version_out = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return SP_OK;
}

static int read_secret(sqlite3 *db, uint8_t *secret_out)
{
    sqlite3_stmt *stmt = NULL;
    if (read_one(db, "SELECT secret FROM server", &stmt) != SP_OK)
        return SP_ERR_IO;
    int status = SP_ERR_IO;
    if (sqlite3_column_bytes(stmt, 0) == USERS_SECRET_LEN) {
        memcpy(secret_out, sqlite3_column_blob(stmt, 0), USERS_SECRET_LEN);
        status = SP_OK;
    }
    sqlite3_finalize(stmt);
    return status;
}

static int make_secret(sqlite3 *db)
{
    uint8_t secret[USERS_SECRET_LEN];
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, "INSERT INTO server VALUES (1, ?)", -1, &stmt, NULL) != SQLITE_OK)
        return SP_ERR_IO;
    os_random(secret, sizeof secret);
    sqlite3_bind_blob(stmt, 1, secret, sizeof secret, SQLITE_TRANSIENT);
    int status = sqlite3_step(stmt) == SQLITE_DONE ? SP_OK : SP_ERR_IO;
    sqlite3_finalize(stmt);
    explicit_bzero(secret, sizeof secret);
    return status;
}

static bool take_steps(sqlite3 *db, int version)
{
    bool fresh = version == 0, done = true;
    for (; version < USERS_SCHEMA_VERSION && done; version++)
        done = sqlite3_exec(db, steps[version], NULL, NULL, NULL) == SQLITE_OK;
    return done && (!fresh || make_secret(db) == SP_OK);
}

/* Bring the file from any older version to this one, unless another process was faster. */
static int make_schema(sqlite3 *db)
{
    int version = 0;
    char pragma[64];
    (void)snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", USERS_SCHEMA_VERSION); /* fits */
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return SP_ERR_IO;
    if (read_version(db, &version) == SP_OK && version <= USERS_SCHEMA_VERSION && take_steps(db, version) &&
        sqlite3_exec(db, pragma, NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return SP_OK;
    return SP_ERR_IO;
}

/* Of two processes that make the file at once one is told "locked" here, whatever the busy timeout. */
static int use_wal(sqlite3 *db)
{
    enum { STEP_MS = 5 };
    int result = SQLITE_BUSY;
    for (int waited_ms = 0; result == SQLITE_BUSY && waited_ms < BUSY_MS; waited_ms += STEP_MS) {
        result = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (result == SQLITE_BUSY)
            sqlite3_sleep(STEP_MS);
    }
    return result;
}

static int prepare_file(sqlite3 *db, const char *path, struct sp_buf *error, uint8_t *secret_out)
{
    int version = 0;
    sqlite3_busy_timeout(db, BUSY_MS);
    /* secure_delete: the verifier of an old password is overwritten, not only unlinked. */
    if (use_wal(db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
                     "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON",
                     NULL, NULL, NULL) != SQLITE_OK ||
        read_version(db, &version) != SP_OK)
        return say_sqlite(db, error, path);
    if (version > USERS_SCHEMA_VERSION) {
        sp_buf_add_str(error, path);
        sp_buf_add_str(error, " was made by a newer sallyport (schema ");
        sp_buf_add_dec(error, (uint64_t)version);
        sp_buf_add_str(error, ", this one knows ");
        sp_buf_add_dec(error, USERS_SCHEMA_VERSION);
        sp_buf_add_str(error, "): use that version, or restore a backup of the folder");
        return SP_ERR_RANGE;
    }
    if (version < USERS_SCHEMA_VERSION && make_schema(db) != SP_OK)
        return say_sqlite(db, error, path);
    return read_secret(db, secret_out) == SP_OK ? SP_OK : say_sqlite(db, error, path);
}

int users_schema_open(const char *folder, struct sp_buf *error, sqlite3 **db_out, uint8_t *secret_out)
{
    char path[PATH_MAX];
    sqlite3 *db = NULL;
    if (snprintf(path, sizeof path, "%s/users.db", folder) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return say_errno(error, "cannot open", folder);
    }
    int status = touch_file(folder, path, error);
    if (status)
        return status;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, relative_vfs()) != SQLITE_OK)
        status = say_sqlite(db, error, path);
    else
        status = prepare_file(db, path, error, secret_out);
    if (status)
        sqlite3_close(db);
    else
        *db_out = db;
    return status;
}
