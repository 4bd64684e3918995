/* The verbs, handed on to the backend. */
#include "store/backend.h"

#define X(n, word, meaning) [STORE_##n] = word,
static const char *const words[STORE_STATE_N] = {STORE_STATES(X)};
#undef X

const char *store_state_word(enum store_state state) { return words[state]; }

int store_open(const struct store_options *options, struct sp_buf *error, struct store **store_out)
{
    return store_sqlite.open(options, error, store_out);
}

void store_close(struct store *s)
{
    if (s)
        s->backend->close(s);
}

int store_begin(struct store *s) { return s->backend->begin(s); }

int store_commit(struct store *s) { return s->backend->commit(s); }

void store_rollback(struct store *s) { s->backend->rollback(s); }

int store_add(struct store *s, const struct store_mail *mail, const struct store_recipient *recipients,
              size_t n, const struct sp_view *content, bool leased)
{
    return s->backend->add(s, mail, recipients, n, content, leased);
}

int store_lease(struct store *s, int64_t now_ms, size_t most, store_visit *visit, void *ctx,
                int64_t *next_out)
{
    return s->backend->lease(s, now_ms, most, visit, ctx, next_out);
}

void store_release(struct store *s, uint64_t mail, uint32_t number, int64_t due_ms)
{
    s->backend->release(s, mail, number, due_ms);
}

int store_settle(struct store *s, uint64_t mail, const struct store_settlement *list, size_t n,
                 bool *gone_out)
{
    return s->backend->settle(s, mail, list, n, gone_out);
}

int store_retry(struct store *s, uint64_t mail, int64_t now_ms, int64_t since_ms, size_t most, size_t *n_out)
{
    return s->backend->retry(s, mail, now_ms, since_ms, most, n_out);
}

int store_recall(struct store *s, int64_t now_ms, int64_t limit_ms, size_t most, size_t *n_out)
{
    return s->backend->recall(s, now_ms, limit_ms, most, n_out);
}

int store_hasten(struct store *s, uint64_t mail, uint32_t number, int64_t now_ms)
{
    return s->backend->hasten(s, mail, number, now_ms);
}

int store_park(struct store *s, uint64_t mail, uint32_t number, struct sp_view name)
{
    return s->backend->park(s, mail, number, name);
}

int store_lease_parked(struct store *s, struct sp_view name, struct store_place *place, size_t most,
                       store_visit *visit, void *ctx)
{
    return s->backend->lease_parked(s, name, place, most, visit, ctx);
}

int store_parked_after(struct store *s, struct sp_view name, struct sp_buf *name_out)
{
    return s->backend->parked_after(s, name, name_out);
}

int store_count_parked(struct store *s, struct sp_view name, size_t most, size_t *n_out)
{
    return s->backend->count_parked(s, name, most, n_out);
}

int store_suspend(struct store *s, struct sp_view name, int64_t since_ms)
{
    return s->backend->suspend(s, name, since_ms);
}

int store_resume(struct store *s, struct sp_view name) { return s->backend->resume(s, name); }

int store_suspensions(struct store *s, store_visit_suspension *visit, void *ctx)
{
    return s->backend->suspensions(s, visit, ctx);
}

int store_late(struct store *s, int64_t now_ms, size_t most, store_visit *visit, void *ctx)
{
    return s->backend->late(s, now_ms, most, visit, ctx);
}

int store_redirect(struct store *s, uint64_t mail, uint32_t number, struct sp_view address,
                   struct sp_view route)
{
    return s->backend->redirect(s, mail, number, address, route);
}

int store_remove(struct store *s, uint64_t mail) { return s->backend->remove(s, mail); }

int store_list(struct store *s, struct store_cursor *cursor, size_t most, store_visit *visit, void *ctx)
{
    return s->backend->list(s, cursor, most, visit, ctx);
}

int store_body(struct store *s, uint64_t mail, struct store_body *body_out)
{
    return s->backend->body(s, mail, body_out);
}

int store_spool(struct store *s, uint64_t id, int *fd_out) { return s->backend->spool(s, id, fd_out); }

void store_unspool(struct store *s, uint64_t id) { s->backend->unspool(s, id); }

bool store_tidy(struct store *s, enum store_tidiness how) { return s->backend->tidy(s, how); }

int store_space(struct store *s, struct store_space *space_out) { return s->backend->space(s, space_out); }

int store_count(struct store *s, uint64_t *n_out) { return s->backend->count(s, n_out); }

int store_tls_add(struct store *s, const struct store_tls_session *session, int64_t due_ms, bool *bounded_out)
{
    return s->backend->tls_add(s, session, due_ms, bounded_out);
}

int store_tls_read(struct store *s, uint32_t day, struct sp_view domain, store_tls_visit_session *visit,
                   void *ctx)
{
    return s->backend->tls_read(s, day, domain, visit, ctx);
}

int store_tls_list(struct store *s, uint32_t day, struct sp_view domain, size_t most,
                   store_tls_visit_report *visit, void *ctx)
{
    return s->backend->tls_list(s, day, domain, most, visit, ctx);
}

int store_tls_due(struct store *s, int64_t now_ms, uint32_t day, size_t most, store_tls_visit_report *visit,
                  void *ctx)
{
    return s->backend->tls_due(s, now_ms, day, most, visit, ctx);
}

int store_tls_mark(struct store *s, const struct store_tls_report *r) { return s->backend->tls_mark(s, r); }

int store_tls_forget(struct store *s, uint32_t day) { return s->backend->tls_forget(s, day); }

const char *store_error(const struct store *s) { return s->error; }

bool store_disk_full(const struct store *s) { return s->disk_full; }
