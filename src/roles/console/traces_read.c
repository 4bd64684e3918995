/* Reading: lists and single sessions. */
#include "roles/console/traces_inside.h"

#include "base/view.h"

static struct ipc_session_facts facts_of(sqlite3_stmt *st)
{
    return (struct ipc_session_facts){.session = database_number(st, 0),
                                      .began_ms = database_number(st, 1),
                                      .lasted_ms = database_number(st, 2),
                                      .client = database_text(st, 3),
                                      .port = (uint32_t)database_number(st, 4),
                                      .listener = database_text(st, 5),
                                      .hello = database_text(st, 6),
                                      .user = database_text(st, 7),
                                      .tls = database_text(st, 8),
                                      .mails = (uint32_t)database_number(st, 9),
                                      .refusals = (uint32_t)database_number(st, 10),
                                      .failed = (uint8_t)database_number(st, 11),
                                      .refusal = database_text(st, 12)};
}

int traces_list(struct traces *t, const struct ipc_session_list *wanted, const struct traces_reader *reader,
                uint64_t *last_out, bool *more_out)
{
    sqlite3_stmt *st = t->database.statements[TRACES_LIST];
    uint32_t n = 0;
    uint64_t last = wanted->before;
    database_bind_number(st, 1, wanted->before ? wanted->before : INT64_MAX);
    database_bind_number(st, 2, wanted->since_ms);
    database_bind_number(st, 3, wanted->failed != 0);
    database_bind_text(st, 4, wanted->client);
    database_bind_text(st, 5, wanted->user);
    database_bind_number(st, 6, wanted->most);
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
    sqlite3_stmt *st = t->database.statements[TRACES_ATTEMPTS];
    database_bind_number(st, 1, session);
    int status;
    while ((status = traces_step(t, st)) == SP_OK) {
        struct ipc_session_attempt a = {.at_ms = database_number(st, 0),
                                        .mechanism = database_text(st, 1),
                                        .user = database_text(st, 2),
                                        .tls = (uint8_t)database_number(st, 3),
                                        .reason = database_text(st, 4),
                                        .defect = database_text(st, 5),
                                        .detail = database_text(st, 6),
                                        .steps = database_text(st, 7),
                                        .offered_clear = database_text(st, 8),
                                        .offered_tls = database_text(st, 9)};
        reader->attempt(reader->ctx, &a);
    }
    return status == SP_ERR_ABSENT ? SP_OK : status;
}

int traces_show(struct traces *t, uint64_t session, const struct traces_reader *reader)
{
    sqlite3_stmt *st = t->database.statements[TRACES_SHOW];
    database_bind_number(st, 1, session);
    int status = traces_step(t, st);
    if (status)
        return status;
    struct ipc_session_facts facts = facts_of(st);
    reader->facts(reader->ctx, &facts);
    reader->lines(reader->ctx, database_text(st, 13));
    (void)sqlite3_reset(st); /* its step succeeded */
    return show_attempts(t, session, reader);
}
