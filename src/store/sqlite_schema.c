/* The schema of queue.db, which docs/store.md explains, and the way from each version to the next. */
#include "store/sqlite.h"

/* Digit n of an id, from the left, as message/id.h writes it. */
#define DIGIT(shift) "substr('0123456789abcdefghjkmnpqrstvwxyz', (m.id >> " #shift " & 31) + 1, 1)"
#define ID_TEXT                                                                                              \
    DIGIT(60)                                                                                                \
    "||" DIGIT(55) "||" DIGIT(50) "||" DIGIT(45) "||" DIGIT(40) "||" DIGIT(35) "||" DIGIT(30) "||" DIGIT(    \
        25) "||" DIGIT(20) "||" DIGIT(15) "||" DIGIT(10) "||" DIGIT(5) "||" DIGIT(0)
#define UTC(column) "strftime('%Y-%m-%dT%H:%M:%SZ', " #column " / 1000, 'unixepoch')"

#define QUEUE_VIEW                                                                                           \
    "CREATE VIEW queue AS SELECT " ID_TEXT                                                                   \
    " AS id, " UTC(m.received_ms) " AS received, m.sender, m.size,\n"                                        \
                                  "  r.address, r.route, r.state, r.attempts, " UTC(                         \
                                      r.next_ms) " AS next_attempt, r.last_reply, m.id AS "                  \
                                                 "mail\n  FROM mail m JOIN recipient r ON r.mail = m.id;\n"

/* migrations[n] leads from version n to n + 1. What was released is never changed: a new one is added. */
static const char *const migrations[] = {
    "CREATE TABLE mail (\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  received_ms INTEGER NOT NULL,\n"
    "  session TEXT NOT NULL,\n"
    "  client TEXT NOT NULL,\n"
    "  user TEXT NOT NULL,\n"
    "  sender TEXT NOT NULL,\n"
    "  body TEXT NOT NULL CHECK (body IN ('7bit', '8bitmime')),\n"
    "  size INTEGER NOT NULL,\n"
    "  content BLOB\n"
    ");\n"
    "CREATE TABLE recipient (\n"
    "  mail INTEGER NOT NULL REFERENCES mail (id),\n"
    "  number INTEGER NOT NULL,\n"
    "  address TEXT NOT NULL,\n"
    "  route TEXT NOT NULL,\n"
    "  state TEXT NOT NULL CHECK (state IN ('queued', 'deferred', 'held', 'delivered', 'failed')),\n"
    "  attempts INTEGER NOT NULL DEFAULT 0,\n"
    "  next_ms INTEGER CHECK ((next_ms IS NULL) = (state IN ('held', 'delivered', 'failed'))),\n"
    "  last_ms INTEGER NOT NULL DEFAULT 0,\n"
    "  last_code INTEGER NOT NULL DEFAULT 0,\n"
    "  last_enhanced TEXT NOT NULL DEFAULT '',\n"
    "  last_reply TEXT NOT NULL DEFAULT '',\n"
    "  last_remote TEXT NOT NULL DEFAULT '',\n"
    "  PRIMARY KEY (mail, number)\n"
    ") WITHOUT ROWID;\n"
    "CREATE INDEX recipient_due ON recipient (next_ms, mail, number) WHERE next_ms IS NOT NULL;\n" QUEUE_VIEW,

    /* What MAIL and RCPT asked. The table is made anew, for a CHECK cannot be changed. */
    "DROP VIEW queue;\n"
    "CREATE TABLE mail_2 (\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  received_ms INTEGER NOT NULL,\n"
    "  session TEXT NOT NULL,\n"
    "  client TEXT NOT NULL,\n"
    "  user TEXT NOT NULL,\n"
    "  sender TEXT NOT NULL,\n"
    "  body TEXT NOT NULL CHECK (body IN ('7bit', '8bitmime', 'binarymime')),\n"
    "  smtputf8 INTEGER NOT NULL DEFAULT 0 CHECK (smtputf8 IN (0, 1)),\n"
    "  requiretls INTEGER NOT NULL DEFAULT 0 CHECK (requiretls IN (0, 1)),\n"
    "  ret TEXT NOT NULL DEFAULT '' CHECK (ret IN ('', 'full', 'hdrs')),\n"
    "  envid TEXT NOT NULL DEFAULT '',\n"
    "  auth TEXT NOT NULL DEFAULT '',\n"
    "  by_mode TEXT NOT NULL DEFAULT '' CHECK (by_mode IN ('', 'return', 'notify')),\n"
    "  by_trace INTEGER NOT NULL DEFAULT 0 CHECK (by_trace IN (0, 1)),\n"
    "  by_ms INTEGER NOT NULL DEFAULT 0,\n"
    "  hold_until_ms INTEGER NOT NULL DEFAULT 0,\n"
    "  priority INTEGER NOT NULL DEFAULT 0 CHECK (priority BETWEEN -9 AND 9),\n"
    "  size INTEGER NOT NULL,\n"
    "  content BLOB\n"
    ");\n"
    "INSERT INTO mail_2 (id, received_ms, session, client, user, sender, body, size, content)\n"
    "  SELECT id, received_ms, session, client, user, sender, body, size, content FROM mail;\n"
    "DROP TABLE mail;\n"
    "ALTER TABLE mail_2 RENAME TO mail;\n"
    "ALTER TABLE recipient ADD COLUMN notify TEXT NOT NULL DEFAULT '';\n"
    "ALTER TABLE recipient ADD COLUMN orcpt TEXT NOT NULL DEFAULT '';\n" QUEUE_VIEW,

    /* Recipients that wait for their destination, not for a time; who was warned; what is suspended. */
    "DROP INDEX recipient_due;\n"
    "ALTER TABLE recipient ADD COLUMN parked TEXT CHECK (parked IS NULL OR next_ms IS NOT NULL);\n"
    "ALTER TABLE recipient ADD COLUMN warned INTEGER NOT NULL DEFAULT 0 CHECK (warned IN (0, 1));\n"
    "CREATE INDEX recipient_due ON recipient (next_ms, mail, number)\n"
    "  WHERE next_ms IS NOT NULL AND parked IS NULL;\n"
    "CREATE INDEX recipient_parked ON recipient (parked, next_ms, mail, number) WHERE parked IS NOT NULL;\n"
    "CREATE TABLE suspension (\n"
    "  name TEXT PRIMARY KEY,\n"
    "  since_ms INTEGER NOT NULL\n"
    ") WITHOUT ROWID;\n",
    "ALTER TABLE recipient ADD COLUMN last_tls TEXT NOT NULL DEFAULT '';\n",

    /* What must be there in time. */
    "CREATE INDEX mail_by ON mail (by_ms) WHERE by_ms > 0;\n",

    /* Whose sender may be forged, and who is not told of what. */
    "ALTER TABLE mail ADD COLUMN stranger INTEGER NOT NULL DEFAULT 0 CHECK (stranger IN (0, 1));\n"
    "ALTER TABLE recipient ADD COLUMN unreturned INTEGER NOT NULL DEFAULT 0 CHECK (unreturned IN (0, 1));\n",

    /* Whose sender is another's. */
    "ALTER TABLE recipient ADD COLUMN forwarded INTEGER NOT NULL DEFAULT 0 CHECK (forwarded IN (0, 1));\n",

    /* How TLS went on connections, by day and domain, and the reports about it. */
    "CREATE TABLE tls_result (\n"
    "  day INTEGER NOT NULL,\n"
    "  domain TEXT NOT NULL,\n"
    "  policy TEXT NOT NULL,\n"
    "  strings TEXT NOT NULL,\n"
    "  patterns TEXT NOT NULL,\n"
    "  result TEXT NOT NULL,\n"
    "  sending_ip TEXT NOT NULL,\n"
    "  mx TEXT NOT NULL,\n"
    "  helo TEXT NOT NULL,\n"
    "  receiving_ip TEXT NOT NULL,\n"
    "  reason TEXT NOT NULL,\n"
    "  sessions INTEGER NOT NULL,\n"
    "  PRIMARY KEY (day, domain, policy, strings, patterns, result, sending_ip, mx, helo, receiving_ip, "
    "reason)\n"
    ") WITHOUT ROWID;\n"
    "CREATE TABLE tls_report (\n"
    "  day INTEGER NOT NULL,\n"
    "  domain TEXT NOT NULL,\n"
    "  state TEXT NOT NULL\n"
    "    CHECK (state IN ('counting', 'waiting', 'sent', 'unwanted', 'failed', 'other')),\n"
    "  next_ms INTEGER NOT NULL,\n"
    "  first_ms INTEGER NOT NULL DEFAULT 0,\n"
    "  attempts INTEGER NOT NULL DEFAULT 0,\n"
    "  sent_ms INTEGER NOT NULL DEFAULT 0,\n"
    "  sent_to TEXT NOT NULL DEFAULT '',\n"
    "  said TEXT NOT NULL DEFAULT '',\n"
    "  PRIMARY KEY (day, domain)\n"
    ") WITHOUT ROWID;\n"
    "CREATE INDEX tls_report_due ON tls_report (next_ms) WHERE next_ms > 0;\n",
};

#define X(n, sql) [SQLITE_##n##_STMT] = sql,
static const char *const statements[SQLITE_STMT_N] = {SQLITE_STORE_STATEMENTS(X)};
#undef X

const struct database_form sqlite_form = {
    .file = "queue.db",
    .application_id = 0x53616c6c, /* "Sall" */
    .steps = migrations,
    .version = (int)(sizeof migrations / sizeof *migrations),
    /* Deleted messages leave no zeros behind: they would cost as much to write as the messages themselves. */
    .settings = "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = FULL;"
                "PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = OFF; PRAGMA cache_size = -16384;"
                "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
    .busy_ms = SQLITE_BUSY_WAIT_MS,
    .way_out = "start with another data folder",
    .statements = statements,
    .statement_n = SQLITE_STMT_N,
};
