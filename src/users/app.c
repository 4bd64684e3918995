#include "base/utf8.h"
#include "base/view.h"
#include "users/inside.h"

const char *users_label_fault(struct sp_view label)
{
    if (label.len == 0)
        return "it is empty";
    if (label.len > USERS_LABEL_MAX)
        return "it is longer than 64 octets";
    if (!sp_utf8_is(label))
        return "it is not UTF-8";
    for (size_t i = 0; i < label.len; i++)
        if (label.p[i] < 0x20 || label.p[i] == 0x7f)
            return "it has a control character";
    return NULL;
}

int users_app_add(struct users *u, struct sp_view name, struct sp_view label, const struct sasl_verifier *v,
                  int64_t now_ms)
{
    struct users_key key;
    if (users_label_fault(label))
        return SP_ERR_SYNTAX;
    if (users_fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_ABSENT;
    sqlite3_stmt *s = users_use(u, USERS_APP_ADD, &key);
    database_bind_text(s, 2, label);
    users_bind_verifier(s, v, now_ms);
    return users_change(u, s);
}

int users_app_remove(struct users *u, struct sp_view name, struct sp_view label)
{
    struct users_key key;
    if (users_fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_ABSENT;
    sqlite3_stmt *s = users_use(u, USERS_APP_REMOVE, &key);
    database_bind_text(s, 2, label);
    return users_change(u, s);
}

int users_app_next(struct users *u, struct sp_view name, int64_t after, struct users_app *app_out)
{
    struct users_key key;
    struct users_app app = {0};
    if (users_fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return SP_ERR_ABSENT;
    sqlite3_stmt *s = users_use(u, USERS_APP_NEXT, &key);
    sqlite3_bind_int64(s, 2, after);
    int code = sqlite3_step(s), status = SP_OK;
    if (code == SQLITE_DONE)
        status = SP_ERR_ABSENT;
    else if (code != SQLITE_ROW || !users_take_column(s, 1, app.label, USERS_LABEL_MAX, &app.label_len))
        status = users_log_failure(u);
    if (!status) {
        app.id = sqlite3_column_int64(s, 0);
        app.created_ms = sqlite3_column_int64(s, 2);
        app.used_ms = sqlite3_column_int64(s, 3);
        *app_out = app;
    }
    users_let_go(s);
    return status;
}

void users_app_note_used(struct users *u, struct sp_view name, int64_t id, int64_t now_ms)
{
    struct users_key key;
    if (users_fold(name, SASL_PREP_QUERY, &key) != SP_OK)
        return;
    sqlite3_stmt *s = users_use(u, USERS_APP_USED, &key);
    sqlite3_bind_int64(s, 2, now_ms);
    sqlite3_bind_int64(s, 3, id);
    sqlite3_bind_int64(s, 4, now_ms - USERS_USED_MS);
    int status = users_change(u, s);
    (void)status; /* absent: written not long ago; a failure is logged and costs no login */
}
