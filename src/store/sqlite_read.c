/* The verbs that look: lists, bodies, and what is due. */
#include "store/sqlite.h"

#include "base/view.h"
#include "message/id.h"

#include <string.h>

static enum store_state state_of(struct sp_view word)
{
    for (unsigned i = 0; i < STORE_STATE_N; i++)
        if (sp_view_eq(word, sp_view_of(store_state_word((enum store_state)i))))
            return (enum store_state)i;
    return STORE_HELD; /* the schema's CHECK allows no other word */
}

void sqlite_row(sqlite3_stmt *st, struct store_mail *mail_out, struct store_recipient *recipient_out)
{
    *mail_out = (struct store_mail){
        .id = (uint64_t)sqlite3_column_int64(st, 0),
        .received_ms = sqlite3_column_int64(st, 1),
        .session = database_text(st, 2),
        .client = database_text(st, 3),
        .user = database_text(st, 4),
        .sender = database_text(st, 5),
        .size = (uint64_t)sqlite3_column_int64(st, 6),
        .parameters = sqlite_mail_parameters(st, 18),
        .stranger = sqlite3_column_int(st, 34),
    };
    *recipient_out = (struct store_recipient){
        .number = (uint32_t)sqlite3_column_int64(st, 7),
        .address = database_text(st, 8),
        .route = database_text(st, 9),
        .state = state_of(database_text(st, 10)),
        .attempts = (uint32_t)sqlite3_column_int64(st, 11),
        .next_ms = sqlite3_column_type(st, 12) == SQLITE_NULL ? STORE_NEVER : sqlite3_column_int64(st, 12),
        .last_ms = sqlite3_column_int64(st, 13),
        .code = (uint32_t)sqlite3_column_int64(st, 14),
        .enhanced = database_text(st, 15),
        .reply = database_text(st, 16),
        .remote = database_text(st, 17),
        .parameters = sqlite_rcpt_parameters(st, 29),
        .warned = sqlite3_column_int(st, 31),
        .parked = database_text(st, 32),
        .tls = database_text(st, 33),
        .unreturned = sqlite3_column_int(st, 35),
        .forwarded = sqlite3_column_int(st, 36),
    };
}

/* --- what is due --------------------------------------------------------------------------- */

void sqlite_scan_again(struct sqlite_store *s, int64_t due_ms)
{
    if (due_ms > s->scanned.next_ms)
        return;
    /* The scan goes on behind the place that is kept here. */
    s->scanned.next_ms = due_ms - 1;
    s->scanned.mail = INT64_MAX;
    s->scanned.number = UINT32_MAX;
}

static int next_due(struct sqlite_store *s, int64_t now_ms, int64_t *next_out)
{
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_NEXT_DUE_STMT);
    (void)sqlite3_bind_int64(st, 1, now_ms); /* a failed bind shows in the step */
    int status = sqlite_step(s, st);
    if (status)
        return status == SP_ERR_ABSENT ? sqlite_fail(s) : status; /* an aggregate always has its row */
    *next_out = sqlite3_column_type(st, 0) == SQLITE_NULL ? STORE_NEVER : sqlite3_column_int64(st, 0);
    (void)sqlite3_reset(st); /* its step succeeded */
    return SP_OK;
}

int sqlite_lease(struct store *base, int64_t now_ms, size_t most, store_visit *visit, void *ctx,
                 int64_t *next_out)
{
    struct sqlite_store *s = sqlite_of(base);
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_DUE_STMT);
    (void)sqlite3_bind_int64(st, 1, now_ms); /* failed binds show in the step */
    (void)sqlite3_bind_int64(st, 2, s->scanned.next_ms);
    database_bind_number(st, 3, s->scanned.mail);
    database_bind_number(st, 4, s->scanned.number);
    /* Rows that are leased already cost time too: a bounded number of looks, then the caller asks again. */
    size_t looks = most * 4 + 64, found = 0;
    int status = SP_OK;
    while (found < most && looks-- > 0 && (status = sqlite_step(s, st)) == SP_OK) {
        struct store_mail mail;
        struct store_recipient r;
        sqlite_row(st, &mail, &r);
        s->scanned.next_ms = r.next_ms;
        s->scanned.mail = mail.id;
        s->scanned.number = r.number;
        if (leases_has(&s->leases, mail.id, r.number))
            continue;
        leases_add(&s->leases, mail.id, r.number);
        found++;
        visit(ctx, &mail, &r);
    }
    if (status == SP_OK) {
        (void)sqlite3_reset(st); /* its last step succeeded */
        *next_out = now_ms;
        return SP_OK;
    }
    return status == SP_ERR_ABSENT ? next_due(s, now_ms, next_out) : status;
}

void sqlite_release(struct store *base, uint64_t mail, uint32_t number, int64_t due_ms)
{
    struct sqlite_store *s = sqlite_of(base);
    leases_end(&s->leases, mail, number);
    if (due_ms != STORE_NEVER)
        sqlite_scan_again(s, due_ms);
}

/* --- lists --------------------------------------------------------------------------------- */

static int has_mail(struct sqlite_store *s, uint64_t mail)
{
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_HAS_MAIL_STMT);
    database_bind_number(st, 1, mail);
    int status = sqlite_step(s, st);
    if (status == SP_OK)
        (void)sqlite3_reset(st); /* its step succeeded */
    return status;
}

int sqlite_list(struct store *base, struct store_cursor *cursor, size_t most, store_visit *visit, void *ctx)
{
    struct sqlite_store *s = sqlite_of(base);
    if (cursor->only) {
        int there = has_mail(s, cursor->mail);
        if (there)
            return there;
    }
    sqlite3_stmt *st = sqlite_statement(s, cursor->only ? SQLITE_LIST_ONLY_STMT : SQLITE_LIST_STMT);
    database_bind_number(st, 1, cursor->mail);
    database_bind_number(st, 2, cursor->number);
    database_bind_number(st, 3, most);
    size_t n = 0;
    int status;
    while ((status = sqlite_step(s, st)) == SP_OK) {
        struct store_mail mail;
        struct store_recipient r;
        sqlite_row(st, &mail, &r);
        visit(ctx, &mail, &r);
        cursor->mail = mail.id;
        cursor->number = r.number + 1;
        n++;
    }
    if (status != SP_ERR_ABSENT)
        return status;
    cursor->end = n < most;
    return SP_OK;
}

int sqlite_body(struct store *base, uint64_t mail, struct store_body *body_out)
{
    struct sqlite_store *s = sqlite_of(base);
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_BODY_STMT);
    database_bind_number(st, 1, mail);
    int status = sqlite_step(s, st);
    if (status)
        return status;
    bool spooled = sqlite3_column_type(st, 0) == SQLITE_NULL;
    sp_buf_clear(&s->content);
    if (!spooled) {
        /* Copied, because a statement left open would keep the WAL from being reused. */
        const void *p = sqlite3_column_blob(st, 0);
        (void)sp_buf_add(&s->content, sp_view_make(p, (size_t)sqlite3_column_bytes(st, 0)));
    }
    (void)sqlite3_reset(st); /* its step succeeded */
    struct store_body body = {.content = sp_buf_view(&s->content), .fd = -1};
    if (spooled && bodies_read(&s->bodies, mail, &body.fd) != SP_OK) {
        char name[MESSAGE_ID_TEXT + 8] = "bodies/";
        message_id_text(mail, name + 7);
        bool spoiled = s->spoiled; /* nothing was changed: the transaction can go on */
        int failed = sqlite_fail_errno(s, name);
        s->spoiled = spoiled;
        return failed;
    }
    *body_out = body;
    return SP_OK;
}

int sqlite_count(struct store *base, uint64_t *n_out)
{
    struct sqlite_store *s = sqlite_of(base);
    if (!s->counted) {
        sqlite3_stmt *st = sqlite_statement(s, SQLITE_COUNT_STMT);
        int status = sqlite_step(s, st);
        if (status)
            return status == SP_ERR_ABSENT ? sqlite_fail(s) : status; /* an aggregate always has its row */
        uint64_t n = (uint64_t)sqlite3_column_int64(st, 0);
        (void)sqlite3_reset(st); /* its step succeeded */
        /* The open transaction's own changes are seen, and are added at its commit. */
        s->count = n - (s->in_transaction ? (uint64_t)s->count_change : 0);
        s->counted = true;
    }
    *n_out = s->count;
    return SP_OK;
}

int sqlite_late(struct store *base, int64_t now_ms, size_t most, store_visit *visit, void *ctx)
{
    struct sqlite_store *s = sqlite_of(base);
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_LATE_STMT);
    (void)sqlite3_bind_int64(st, 1, now_ms); /* failed binds show in the step */
    database_bind_number(st, 2, most);
    int status;
    while ((status = sqlite_step(s, st)) == SP_OK) {
        struct store_mail mail;
        struct store_recipient r;
        sqlite_row(st, &mail, &r);
        visit(ctx, &mail, &r);
    }
    return status == SP_ERR_ABSENT ? SP_OK : status;
}
