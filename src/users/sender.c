#include "base/view.h"
#include "users/inside.h"

const char *users_sender_fault(struct sp_view pattern)
{
    size_t at = 0, at_n = 0;
    if (pattern.len > USERS_SENDER_MAX)
        return "it is longer than 320 octets";
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.p[i] <= ' ' || pattern.p[i] == 0x7f || pattern.p[i] == '<' || pattern.p[i] == '>')
            return "it has a space, an angle bracket or a control character";
        if (pattern.p[i] == '@') {
            at = i;
            at_n++;
        }
    }
    if (at_n != 1 || at == 0 || at + 1 == pattern.len)
        return "it is not LOCAL@DOMAIN; allowed: bob@example.org, *@example.org, bob+*@example.org";
    return NULL;
}

static int check_senders(struct sp_view senders)
{
    struct sp_view line;
    unsigned n = 0;
    while (sp_view_word(&senders, '\n', &line))
        if (++n > USERS_SENDERS_MAX || users_sender_fault(line))
            return SP_ERR_SYNTAX;
    return SP_OK;
}

static int add_senders(struct users *u, const struct users_key *key, struct sp_view senders)
{
    struct sp_view line;
    int status = SP_OK;
    while (!status && sp_view_word(&senders, '\n', &line)) {
        sqlite3_stmt *s = users_use(u, USERS_SENDER_ADD, key);
        database_bind_text(s, 2, line);
        status = users_change(u, s);
        if (status == SP_ERR_ABSENT) /* twice in the list: the user was there when it was cleared */
            status = SP_OK;
    }
    return status;
}

static int run(struct users *u, const char *sql)
{
    return sqlite3_exec(u->database.db, sql, NULL, NULL, NULL) == SQLITE_OK ? SP_OK : users_log_failure(u);
}

int users_set_senders(struct users *u, struct sp_view name, struct sp_view senders)
{
    struct users_key key;
    struct users_entry entry = {0};
    if (check_senders(senders) != SP_OK)
        return SP_ERR_SYNTAX;
    if (users_fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_ABSENT;
    int status = run(u, "BEGIN IMMEDIATE");
    if (status)
        return status;
    status = users_show(u, name, &entry);
    if (!status)
        status = users_change(u, users_use(u, USERS_SENDERS_CLEAR, &key));
    if (status == SP_ERR_ABSENT && entry.name.len)
        status = SP_OK; /* there was no list */
    if (!status)
        status = add_senders(u, &key, senders);
    int ended = run(u, status ? "ROLLBACK" : "COMMIT");
    return status ? status : ended;
}

int users_senders(struct users *u, struct sp_view name, struct sp_buf *senders_out)
{
    struct users_key key;
    int code;
    if (users_fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_OK; /* nobody's: no list */
    sqlite3_stmt *s = users_use(u, USERS_SENDERS, &key);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        if (senders_out->len)
            sp_buf_add_u8(senders_out, '\n');
        sp_buf_add(senders_out, sp_view_make(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)));
    }
    int status = code == SQLITE_DONE ? sp_buf_status(senders_out) : users_log_failure(u);
    users_let_go(s);
    return status;
}
