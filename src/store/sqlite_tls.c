/* Counts of TLS sessions, and the reports about them: see store/tls.h. */
#include "store/sqlite.h"

#include "base/view.h"

#define X(n, word, meaning) [STORE_TLS_##n] = word,
static const char *const state_words[STORE_TLS_STATE_N] = {STORE_TLS_STATES(X)};
#undef X

const char *store_tls_state_word(enum store_tls_state state) { return state_words[state]; }

/* --- adding ------------------------------------------------------------------------------------ */

static void bind_session(sqlite3_stmt *st, const struct store_tls_session *t)
{
    const struct sp_view views[] = {t->domain,     t->policy, t->strings, t->patterns,     t->result,
                                    t->sending_ip, t->mx,     t->helo,    t->receiving_ip, t->reason};
    database_bind_number(st, 1, t->day);
    for (int i = 0; i < (int)(sizeof views / sizeof *views); i++)
        database_bind_text(st, i + 2, views[i]);
    database_bind_number(st, 12, t->n);
}

/* SP_ERR_ABSENT: there are none like these yet. */
static int raise_count(struct sqlite_store *s, const struct store_tls_session *t)
{
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_TLS_RAISE_STMT);
    bind_session(st, t);
    int status = sqlite_step(s, st);
    if (status == SP_OK)
        (void)sqlite3_reset(st); /* its step succeeded */
    return status;
}

static int has_report(struct sqlite_store *s, uint32_t day, struct sp_view domain)
{
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_TLS_HAS_STMT);
    database_bind_number(st, 1, day);
    database_bind_text(st, 2, domain);
    int status = sqlite_step(s, st);
    if (status == SP_OK)
        (void)sqlite3_reset(st); /* the same */
    return status;
}

/* Domains of the day; read once, then kept. */
static int count_domains(struct sqlite_store *s, uint32_t day, uint64_t *n_out)
{
    if (!s->tls.known || s->tls.day != day) {
        sqlite3_stmt *st = sqlite_statement(s, SQLITE_TLS_DOMAINS_STMT);
        database_bind_number(st, 1, day);
        int status = sqlite_step(s, st);
        if (status)
            return status == SP_ERR_ABSENT ? sqlite_fail(s) : status; /* an aggregate always has its row */
        s->tls.domains = (uint64_t)sqlite3_column_int64(st, 0);
        s->tls.day = day;
        s->tls.known = true;
        (void)sqlite3_reset(st); /* its step succeeded */
    }
    *n_out = s->tls.domains;
    return SP_OK;
}

static int open_report(struct sqlite_store *s, uint32_t day, struct sp_view domain, int64_t due_ms)
{
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_TLS_OPEN_STMT);
    bool other = domain.len == 0;
    database_bind_number(st, 1, day);
    database_bind_text(st, 2, domain);
    database_bind_text(st, 3, sp_view_of(state_words[other ? STORE_TLS_OTHER : STORE_TLS_COUNTING]));
    database_bind_number(st, 4, other ? 0 : (uint64_t)due_ms);
    int status = sqlite_run(s, st);
    if (!status && !other)
        s->tls.domains++;
    return status == SP_ERR_EXISTS ? SP_OK : status; /* the one for all others */
}

/* A domain of its own, or one of the others. */
static int find_domain(struct sqlite_store *s, struct store_tls_session *t, int64_t due_ms, bool *bounded_out)
{
    uint64_t n = 0;
    int status = has_report(s, t->day, t->domain);
    if (status != SP_ERR_ABSENT)
        return status;
    status = count_domains(s, t->day, &n);
    if (status)
        return status;
    if (n >= STORE_TLS_DOMAINS_MAX) {
        *bounded_out = true;
        *t = (struct store_tls_session){
            .day = t->day, .policy = SP_LIT("no-policy-found"), .result = t->result, .n = t->n};
    }
    return open_report(s, t->day, t->domain, due_ms);
}

/* Leave out what there is no more room for. */
static int cut_details(struct sqlite_store *s, struct store_tls_session *t)
{
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_TLS_ROOM_STMT);
    const struct sp_view views[] = {t->domain, t->policy, t->strings, t->patterns};
    database_bind_number(st, 1, t->day);
    for (int i = 0; i < 4; i++)
        database_bind_text(st, i + 2, views[i]);
    int status = sqlite_step(s, st);
    if (status)
        return status == SP_ERR_ABSENT ? sqlite_fail(s) : status; /* it always has its row */
    bool known = sqlite3_column_int(st, 1) != 0;
    if (!known && sqlite3_column_int64(st, 0) >= STORE_TLS_POLICIES_MAX)
        t->strings = t->patterns = (struct sp_view){0};
    if (!sp_view_eq(t->result, SP_LIT("success")) && sqlite3_column_int64(st, 2) >= STORE_TLS_FAILURES_MAX) {
        t->sending_ip = t->mx = t->helo = t->receiving_ip = (struct sp_view){0};
        t->reason = SP_LIT("further failures, told apart no more");
    }
    (void)sqlite3_reset(st); /* its step succeeded */
    return SP_OK;
}

int sqlite_tls_add(struct store *base, const struct store_tls_session *session, int64_t due_ms,
                   bool *bounded_out)
{
    struct sqlite_store *s = sqlite_of(base);
    struct store_tls_session t = *session;
    if (s->spoiled)
        return SP_ERR_IO;
    int status = raise_count(s, &t);
    if (status != SP_ERR_ABSENT)
        return status;
    status = find_domain(s, &t, due_ms, bounded_out);
    if (!status)
        status = cut_details(s, &t);
    if (status)
        return status;
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_TLS_ADD_STMT);
    bind_session(st, &t);
    status = sqlite_run(s, st);
    return status == SP_ERR_EXISTS ? sqlite_fail(s) : status;
}

/* --- reading ----------------------------------------------------------------------------------- */

int sqlite_tls_read(struct store *base, uint32_t day, struct sp_view domain, store_tls_visit_session *visit,
                    void *ctx)
{
    struct sqlite_store *s = sqlite_of(base);
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_TLS_READ_STMT);
    database_bind_number(st, 1, day);
    database_bind_text(st, 2, domain);
    int status;
    while ((status = sqlite_step(s, st)) == SP_OK) {
        struct store_tls_session t = {.day = day,
                                      .domain = domain,
                                      .policy = database_text(st, 0),
                                      .strings = database_text(st, 1),
                                      .patterns = database_text(st, 2),
                                      .result = database_text(st, 3),
                                      .sending_ip = database_text(st, 4),
                                      .mx = database_text(st, 5),
                                      .helo = database_text(st, 6),
                                      .receiving_ip = database_text(st, 7),
                                      .reason = database_text(st, 8),
                                      .n = (uint64_t)sqlite3_column_int64(st, 9)};
        visit(ctx, &t);
    }
    return status == SP_ERR_ABSENT ? SP_OK : status;
}

static enum store_tls_state state_of(struct sp_view word)
{
    unsigned state = 0;
    while (state + 1 < STORE_TLS_STATE_N && !sp_view_eq(word, sp_view_of(state_words[state])))
        state++;
    return state;
}

static int visit_reports(struct sqlite_store *s, sqlite3_stmt *st, store_tls_visit_report *visit, void *ctx)
{
    int status;
    while ((status = sqlite_step(s, st)) == SP_OK) {
        struct store_tls_report r = {.day = (uint32_t)sqlite3_column_int64(st, 0),
                                     .domain = database_text(st, 1),
                                     .state = state_of(database_text(st, 2)),
                                     .next_ms = sqlite3_column_int64(st, 3),
                                     .first_ms = sqlite3_column_int64(st, 4),
                                     .attempts = (uint32_t)sqlite3_column_int64(st, 5),
                                     .sent_ms = sqlite3_column_int64(st, 6),
                                     .sent_to = database_text(st, 7),
                                     .said = database_text(st, 8),
                                     .good = (uint64_t)sqlite3_column_int64(st, 9),
                                     .bad = (uint64_t)sqlite3_column_int64(st, 10)};
        visit(ctx, &r);
    }
    return status == SP_ERR_ABSENT ? SP_OK : status;
}

int sqlite_tls_list(struct store *base, uint32_t day, struct sp_view domain, size_t most,
                    store_tls_visit_report *visit, void *ctx)
{
    struct sqlite_store *s = sqlite_of(base);
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_TLS_LIST_STMT);
    database_bind_number(st, 1, day);
    database_bind_text(st, 2, domain);
    database_bind_number(st, 3, most);
    return visit_reports(s, st, visit, ctx);
}

int sqlite_tls_due(struct store *base, int64_t now_ms, uint32_t day, size_t most,
                   store_tls_visit_report *visit, void *ctx)
{
    struct sqlite_store *s = sqlite_of(base);
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_TLS_DUE_STMT);
    database_bind_number(st, 1, (uint64_t)now_ms);
    database_bind_number(st, 2, day);
    database_bind_number(st, 3, most);
    return visit_reports(s, st, visit, ctx);
}

/* --- reports ------------------------------------------------------------------------------------ */

int sqlite_tls_mark(struct store *base, const struct store_tls_report *r)
{
    struct sqlite_store *s = sqlite_of(base);
    if (s->spoiled)
        return SP_ERR_IO;
    sqlite3_stmt *st = sqlite_statement(s, SQLITE_TLS_MARK_STMT);
    database_bind_number(st, 1, r->day);
    database_bind_text(st, 2, r->domain);
    database_bind_text(st, 3, sp_view_of(state_words[r->state]));
    database_bind_number(st, 4, (uint64_t)r->next_ms);
    database_bind_number(st, 5, (uint64_t)r->first_ms);
    database_bind_number(st, 6, r->attempts);
    database_bind_number(st, 7, (uint64_t)r->sent_ms);
    database_bind_text(st, 8, r->sent_to);
    database_bind_text(st, 9, r->said);
    int status = sqlite_step(s, st);
    if (status == SP_OK)
        (void)sqlite3_reset(st); /* its step succeeded */
    return status;
}

int sqlite_tls_forget(struct store *base, uint32_t day)
{
    struct sqlite_store *s = sqlite_of(base);
    static const enum sqlite_store_statement which[] = {SQLITE_TLS_FORGET_RESULTS_STMT,
                                                        SQLITE_TLS_FORGET_REPORTS_STMT};
    int status = s->spoiled ? SP_ERR_IO : SP_OK;
    for (size_t i = 0; i < 2 && !status; i++) {
        sqlite3_stmt *st = sqlite_statement(s, which[i]);
        database_bind_number(st, 1, day);
        status = sqlite_run(s, st);
    }
    return status == SP_ERR_EXISTS ? sqlite_fail(s) : status;
}
