/* The verbs that change messages. Each works inside the transaction that is open. */
#include "store/sqlite.h"

#include "base/view.h"

static void bind_word(sqlite3_stmt *st, int at, enum store_state state)
{
    database_bind_text(st, at, sp_view_of(store_state_word(state)));
}

static void bind_next(sqlite3_stmt *st, int at, enum store_state state, int64_t next_ms)
{
    if (store_state_waits(state))
        (void)sqlite3_bind_int64(st, at, next_ms); /* a failed bind shows in the step */
    else
        (void)sqlite3_bind_null(st, at); /* the same */
}

static int add_mail(struct sqlite_store *s, const struct store_mail *mail, const struct sp_view *content)
{
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_ADD_MAIL_STMT);
    database_bind_number(st, 1, mail->id);
    database_bind_number(st, 2, (uint64_t)mail->received_ms);
    database_bind_text(st, 3, mail->session);
    database_bind_text(st, 4, mail->client);
    database_bind_text(st, 5, mail->user);
    database_bind_text(st, 6, mail->sender);
    database_bind_number(st, 7, mail->size);
    /* Failed binds show in the step. */
    if (!content)
        (void)sqlite3_bind_null(st, 8);
    else if (content->len)
        (void)sqlite3_bind_blob64(st, 8, content->p, content->len, SQLITE_STATIC);
    else
        (void)sqlite3_bind_zeroblob(st, 8, 0);
    sqlite_bind_mail_parameters(st, 9, &mail->parameters);
    database_bind_number(st, 20, mail->stranger);
    return sqlite_run(s, st);
}

static int add_recipient(struct sqlite_store *s, uint64_t mail, const struct store_recipient *r)
{
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_ADD_RECIPIENT_STMT);
    database_bind_number(st, 1, mail);
    database_bind_number(st, 2, r->number);
    database_bind_text(st, 3, r->address);
    database_bind_text(st, 4, r->route);
    bind_word(st, 5, r->state);
    bind_next(st, 6, r->state, r->next_ms);
    database_bind_text(st, 7, r->reply);
    sqlite_bind_rcpt_parameters(st, 8, &r->parameters);
    if (store_state_waits(r->state) && r->parked.len)
        database_bind_text(st, 10, r->parked);
    else
        (void)sqlite3_bind_null(st, 10); /* a failed bind shows in the step */
    database_bind_number(st, 11, r->forwarded);
    int status = sqlite_run(s, st);
    /* Half a message must not stay: the caller's numbers are wrong, or an orphan is in the table. */
    return status == SP_ERR_EXISTS ? sqlite_fail(s) : status;
}

int sqlite_add(struct store *base, const struct store_mail *mail, const struct store_recipient *recipients,
               size_t n, const struct sp_view *content, bool leased)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->spoiled)
        return SP_ERR_IO;
    int status = add_mail(s, mail, content);
    for (size_t i = 0; !status && i < n; i++)
        status = add_recipient(s, mail->id, &recipients[i]);
    if (!status && !content) {
        status = bodies_take(&s->bodies, mail->id, mail->size);
        if (status == SP_ERR_IO)
            (void)sqlite_fail_errno(s, "bodies");
        if (status == SP_ERR_ABSENT) {
            int undone = sqlite_remove(base, mail->id);
            return undone ? undone : SP_ERR_ABSENT;
        }
    }
    if (status)
        return status;
    s->count_change++;
    for (size_t i = 0; i < n; i++) {
        if (!store_state_waits(recipients[i].state) || recipients[i].parked.len)
            continue;
        if (leased)
            leases_add(&s->leases, mail->id, recipients[i].number);
        else
            sqlite_scan_again(s, recipients[i].next_ms);
    }
    return SP_OK;
}

/* Both the list and who asks go by the number, as a rule: the search begins behind what it found last. */
static const struct store_settlement *settlement_of(const struct store_settlement *list, size_t n,
                                                    uint32_t number, size_t *at)
{
    for (size_t i = 0; i < n; i++) {
        const struct store_settlement *one = &list[(*at + i) % n];
        if (one->number != number)
            continue;
        *at = (*at + i + 1) % n;
        return one;
    }
    return NULL;
}

/*
 * Will no recipient wait or be held when the list is written down? Looks at one more recipient than the
 * list has, so that the usual case, all at once, costs one statement and no update.
 *
 * SP_ERR_ABSENT: none is open even now.
 */
static int finishes_all(struct sqlite_store *s, uint64_t mail, const struct store_settlement *list, size_t n,
                        bool *all_out)
{
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_OPEN_STMT);
    database_bind_number(st, 1, mail);
    database_bind_number(st, 2, n + 1);
    bool all = true;
    size_t open = 0, at = 0;
    int status;
    while ((status = sqlite_step(s, st)) == SP_OK) {
        const struct store_settlement *one =
            all ? settlement_of(list, n, (uint32_t)sqlite3_column_int64(st, 0), &at) : NULL;
        all = all && one && !store_state_waits(one->state) && one->state != STORE_HELD;
        open++;
    }
    if (status != SP_ERR_ABSENT)
        return status;
    *all_out = all;
    return open ? SP_OK : SP_ERR_ABSENT;
}

static int settle_one(struct sqlite_store *s, uint64_t mail, const struct store_settlement *one)
{
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_SETTLE_STMT);
    database_bind_number(st, 1, mail);
    database_bind_number(st, 2, one->number);
    bind_word(st, 3, one->state);
    database_bind_number(st, 4, one->attempted);
    bind_next(st, 5, one->state, one->next_ms);
    database_bind_number(st, 6, (uint64_t)one->last_ms);
    database_bind_number(st, 7, one->code);
    database_bind_text(st, 8, one->enhanced);
    database_bind_text(st, 9, one->reply);
    database_bind_text(st, 10, one->remote);
    database_bind_number(st, 11, one->warned);
    database_bind_text(st, 12, one->tls);
    database_bind_number(st, 13, one->unreturned);
    int status = sqlite_run(s, st);
    return status == SP_ERR_EXISTS ? sqlite_fail(s) : status;
}

int sqlite_settle(struct store *base, uint64_t mail, const struct store_settlement *list, size_t n,
                  bool *gone_out)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->spoiled)
        return SP_ERR_IO;
    bool all = false;
    int status = finishes_all(s, mail, list, n, &all);
    if (!status && all)
        status = sqlite_remove(base, mail);
    for (size_t i = 0; !status && !all && i < n; i++) {
        status = settle_one(s, mail, &list[i]);
        if (store_state_waits(list[i].state)) /* nobody may have leased it */
            sqlite_scan_again(s, list[i].next_ms);
    }
    if (!status)
        *gone_out = all;
    return status;
}

int sqlite_retry(struct store *base, uint64_t mail, int64_t now_ms, int64_t since_ms, size_t most,
                 size_t *n_out)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->spoiled)
        return SP_ERR_IO;
    sqlite3_stmt *st = sqlite_statement(s, mail ? SQLITE_RETRY_ONE_STMT : SQLITE_RETRY_ALL_STMT);
    if (mail) {
        database_bind_number(st, 1, mail);
        database_bind_number(st, 2, (uint64_t)now_ms);
    } else {
        database_bind_number(st, 1, (uint64_t)now_ms);
        database_bind_number(st, 2, (uint64_t)since_ms);
        database_bind_number(st, 3, most);
    }
    int status = sqlite_run(s, st);
    if (status)
        return status;
    *n_out = (size_t)sqlite3_changes64(s->database.db);
    if (*n_out)
        sqlite_scan_again(s, now_ms);
    return SP_OK;
}

int sqlite_recall(struct store *base, int64_t now_ms, int64_t limit_ms, size_t most, size_t *n_out)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->spoiled)
        return SP_ERR_IO;
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_RECALL_STMT);
    database_bind_number(st, 1, (uint64_t)now_ms);
    database_bind_number(st, 2, (uint64_t)limit_ms);
    database_bind_number(st, 3, most);
    int status = sqlite_run(s, st);
    if (status)
        return status;
    *n_out = (size_t)sqlite3_changes64(s->database.db);
    if (*n_out)
        sqlite_scan_again(s, now_ms);
    return SP_OK;
}

int sqlite_hasten(struct store *base, uint64_t mail, uint32_t number, int64_t now_ms)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->spoiled)
        return SP_ERR_IO;
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_HASTEN_STMT);
    database_bind_number(st, 1, mail);
    database_bind_number(st, 2, number);
    database_bind_number(st, 3, (uint64_t)now_ms);
    int status = sqlite_run(s, st);
    if (status == SP_OK)
        sqlite_scan_again(s, 0); /* one that was parked may have a time that the scan has passed */
    return status;
}

int sqlite_redirect(struct store *base, uint64_t mail, uint32_t number, struct sp_view address,
                    struct sp_view route)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->spoiled)
        return SP_ERR_IO;
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_REDIRECT_STMT);
    database_bind_number(st, 1, mail);
    database_bind_number(st, 2, number);
    database_bind_text(st, 3, address);
    database_bind_text(st, 4, route);
    int status = sqlite_step(s, st);
    if (status == SP_OK)
        (void)sqlite3_reset(st); /* its step succeeded */
    return status;
}

/* The content's place tells, before the row goes, whether a file goes with it. */
int sqlite_remove(struct store *base, uint64_t mail)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->spoiled)
        return SP_ERR_IO;
    sqlite3_stmt *is_spooled = sqlite_statement(s, SQLITE_IS_SPOOLED_STMT);
    database_bind_number(is_spooled, 1, mail);
    int status = sqlite_step(s, is_spooled);
    if (status)
        return status;
    bool spooled = sqlite3_column_int(is_spooled, 0);
    (void)sqlite3_reset(is_spooled); /* its step succeeded */
    sqlite3_stmt *recipients = sqlite_statement(s, SQLITE_REMOVE_RECIPIENTS_STMT);
    sqlite3_stmt *row = sqlite_statement(s, SQLITE_REMOVE_MAIL_STMT);
    database_bind_number(recipients, 1, mail);
    database_bind_number(row, 1, mail);
    status = sqlite_run(s, recipients);
    if (!status)
        status = sqlite_run(s, row);
    if (status)
        return status == SP_ERR_EXISTS ? sqlite_fail(s) : status;
    if (spooled)
        bodies_drop(&s->bodies, mail);
    s->count_change--;
    return SP_OK;
}
