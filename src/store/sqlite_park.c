/* Recipients that wait for their destination, and destinations that are suspended. */
#include "store/sqlite.h"

#include "base/view.h"

int sqlite_park(struct store *base, uint64_t mail, uint32_t number, struct sp_view name)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->spoiled)
        return SP_ERR_IO;
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_PARK_STMT);
    database_bind_number(st, 1, mail);
    database_bind_number(st, 2, number);
    database_bind_text(st, 3, name);
    int status = sqlite_run(s, st);
    return status == SP_ERR_EXISTS ? sqlite_fail(s) : status;
}

int sqlite_lease_parked(struct store *base, struct sp_view name, struct store_place *place, size_t most,
                        store_visit *visit, void *ctx)
{
    struct sqlite_store *s = sqlite_of(base);
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_PARKED_STMT);
    database_bind_text(st, 1, name);
    (void)sqlite3_bind_int64(st, 2, place->next_ms); /* failed binds show in the step */
    database_bind_number(st, 3, place->mail);
    database_bind_number(st, 4, place->number);
    /* As for what is due: those that are leased already cost time too. */
    size_t looks = most * 4 + 64, found = 0;
    int status = SP_OK;
    place->end = false;
    while (found < most && looks-- > 0 && (status = sqlite_step(s, st)) == SP_OK) {
        struct store_mail mail;
        struct store_recipient r;
        sqlite_row(st, &mail, &r);
        place->next_ms = r.next_ms;
        place->mail = mail.id;
        place->number = r.number;
        if (leases_has(&s->leases, mail.id, r.number))
            continue;
        leases_add(&s->leases, mail.id, r.number);
        found++;
        visit(ctx, &mail, &r);
    }
    if (status == SP_OK)
        (void)sqlite3_reset(st); /* its last step succeeded */
    if (status == SP_ERR_ABSENT)
        *place = (struct store_place){.end = true};
    return status == SP_ERR_ABSENT ? SP_OK : status;
}

int sqlite_parked_after(struct store *base, struct sp_view name, struct sp_buf *name_out)
{
    struct sqlite_store *s = sqlite_of(base);
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_PARKED_AFTER_STMT);
    database_bind_text(st, 1, name);
    int status = sqlite_step(s, st);
    if (status)
        return status;
    sp_buf_clear(name_out);
    status = sp_buf_add(name_out, database_text(st, 0));
    (void)sqlite3_reset(st); /* its step succeeded */
    return status;
}

int sqlite_count_parked(struct store *base, struct sp_view name, size_t most, size_t *n_out)
{
    struct sqlite_store *s = sqlite_of(base);
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_COUNT_PARKED_STMT);
    database_bind_text(st, 1, name);
    database_bind_number(st, 2, most);
    int status = sqlite_step(s, st);
    if (status)
        return status == SP_ERR_ABSENT ? sqlite_fail(s) : status; /* an aggregate always has its row */
    *n_out = (size_t)sqlite3_column_int64(st, 0);
    (void)sqlite3_reset(st); /* its step succeeded */
    return SP_OK;
}

int sqlite_suspend(struct store *base, struct sp_view name, int64_t since_ms)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->spoiled)
        return SP_ERR_IO;
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_SUSPEND_STMT);
    database_bind_text(st, 1, name);
    database_bind_number(st, 2, (uint64_t)since_ms);
    return sqlite_run(s, st);
}

int sqlite_resume(struct store *base, struct sp_view name)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->spoiled)
        return SP_ERR_IO;
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_RESUME_STMT);
    database_bind_text(st, 1, name);
    int status = sqlite_step(s, st);
    if (status == SP_OK)
        (void)sqlite3_reset(st); /* its step succeeded */
    return status;
}

int sqlite_suspensions(struct store *base, store_visit_suspension *visit, void *ctx)
{
    struct sqlite_store *s = sqlite_of(base);
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_SUSPENSIONS_STMT);
    int status;
    while ((status = sqlite_step(s, st)) == SP_OK)
        visit(ctx, database_text(st, 0), sqlite3_column_int64(st, 1));
    return status == SP_ERR_ABSENT ? SP_OK : status;
}
