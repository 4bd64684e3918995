/* Reading: lists and single sessions. */
#include "roles/console/traces_inside.h"

#include "base/view.h"

static struct sp_view text_at(sqlite3_stmt *st, int column)
{
    const void *p = sqlite3_column_blob(st, column);
    int n = sqlite3_column_bytes(st, column);
    return n > 0 ? sp_view_make(p, (size_t)n) : (struct sp_view){0};
}

static uint64_t number_at(sqlite3_stmt *st, int column) { return (uint64_t)sqlite3_column_int64(st, column); }

static struct ipc_session_facts facts_of(sqlite3_stmt *st)
{
    return (struct ipc_session_facts){.session = number_at(st, 0),
                                      .began_ms = number_at(st, 1),
                                      .lasted_ms = number_at(st, 2),
                                      .client = text_at(st, 3),
                                      .port = (uint32_t)number_at(st, 4),
                                      .listener = text_at(st, 5),
                                      .hello = text_at(st, 6),
                                      .user = text_at(st, 7),
                                      .tls = text_at(st, 8),
                                      .mails = (uint32_t)number_at(st, 9),
                                      .refusals = (uint32_t)number_at(st, 10),
                                      .failed = (uint8_t)number_at(st, 11),
                                      .refusal = text_at(st, 12)};
}

int traces_list(struct traces *t, const struct ipc_session_list *wanted, const struct traces_reader *reader,
                uint64_t *last_out, bool *more_out)
{
    sqlite3_stmt *st = t->statements[TRACES_LIST];
    uint32_t n = 0;
    uint64_t last = wanted->before;
    traces_bind_number(st, 1, wanted->before ? wanted->before : INT64_MAX);
    traces_bind_number(st, 2, wanted->since_ms);
    traces_bind_number(st, 3, wanted->failed != 0);
    traces_bind_text(st, 4, wanted->client);
    traces_bind_text(st, 5, wanted->user);
    traces_bind_number(st, 6, wanted->most);
    int status;
    while ((status = traces_step(t, st)) == SP_OK) {
        struct ipc_session_facts facts = facts_of(st);
        last = facts.session;
        n++;
        reader->facts(reader->ctx, &facts);
    }
    (void)sqlite3_clear_bindings(st); /* the texts are the caller's */
    if (status != SP_ERR_ABSENT)
        return status;
    *last_out = last;
    *more_out = n > 0 && n == wanted->most;
    return SP_OK;
}

static int show_attempts(struct traces *t, uint64_t session, const struct traces_reader *reader)
{
    sqlite3_stmt *st = t->statements[TRACES_ATTEMPTS];
    traces_bind_number(st, 1, session);
    int status;
    while ((status = traces_step(t, st)) == SP_OK) {
        struct ipc_session_attempt a = {.at_ms = number_at(st, 0),
                                        .mechanism = text_at(st, 1),
                                        .user = text_at(st, 2),
                                        .tls = (uint8_t)number_at(st, 3),
                                        .reason = text_at(st, 4),
                                        .defect = text_at(st, 5),
                                        .detail = text_at(st, 6),
                                        .steps = text_at(st, 7),
                                        .offered_clear = text_at(st, 8),
                                        .offered_tls = text_at(st, 9)};
        reader->attempt(reader->ctx, &a);
    }
    return status == SP_ERR_ABSENT ? SP_OK : status;
}

int traces_show(struct traces *t, uint64_t session, const struct traces_reader *reader)
{
    sqlite3_stmt *st = t->statements[TRACES_SHOW];
    traces_bind_number(st, 1, session);
    int status = traces_step(t, st);
    if (status)
        return status;
    struct ipc_session_facts facts = facts_of(st);
    reader->facts(reader->ctx, &facts);
    reader->lines(reader->ctx, text_at(st, 13));
    (void)sqlite3_reset(st); /* its step succeeded */
    return show_attempts(t, session, reader);
}
