#include "cli/session/told.h"

#include "base/view.h"

#include <stdlib.h>

static struct sp_view copy(struct session_told *t, struct sp_view v)
{
    struct sp_view c = {0};
    if (v.len && sp_arena_copy(&t->memory, v, &c) != SP_OK)
        abort(); /* os_heap never says no */
    return c;
}

static void take_facts(struct session_told *t, const struct ipc_session_facts *facts)
{
    struct sp_view *const views[] = {&t->facts.client, &t->facts.listener, &t->facts.hello,
                                     &t->facts.user,   &t->facts.tls,      &t->facts.refusal};
    t->facts = *facts;
    t->there = true;
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        *views[i] = copy(t, *views[i]);
}

static void take_attempt(struct session_told *t, const struct ipc_session_attempt *attempt)
{
    if (t->attempt_n == SESSION_ATTEMPTS_MAX)
        return;
    struct ipc_session_attempt *a = &t->attempts[t->attempt_n++];
    struct sp_view *const views[] = {&a->mechanism, &a->user,  &a->reason,        &a->defect,
                                     &a->detail,    &a->steps, &a->offered_clear, &a->offered_tls};
    *a = *attempt;
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        *views[i] = copy(t, *views[i]);
}

void session_take_told(void *ctx, const struct ipc_message *m)
{
    struct session_told *t = ctx;
    if (m->type == IPC_TYPE_session_facts)
        take_facts(t, &m->as.session_facts);
    else if (m->type == IPC_TYPE_session_lines)
        t->lines = copy(t, m->as.session_lines.lines);
    else if (m->type == IPC_TYPE_session_attempt)
        take_attempt(t, &m->as.session_attempt);
}

/* --- lines of a trace ----------------------------------------------------------------------------- */

bool session_next_line(struct sp_view *rest, struct session_line *out)
{
    struct sp_view seconds;
    uint64_t s = 0, ms = 0;
    *out = (struct session_line){0};
    if (!sp_view_word(rest, '\n', &out->whole))
        return false;
    out->kind = diagnose_trace_read(out->whole, &out->text);
    seconds = sp_view_trim(out->whole);
    size_t dot = sp_view_find(seconds, '.', 0);
    if (sp_view_u64(sp_view_sub(seconds, 0, dot), UINT32_MAX, &s) == SP_OK &&
        sp_view_u64(sp_view_sub(seconds, dot + 1, 3), 999, &ms) == SP_OK)
        out->ms = s * 1000 + ms;
    uint64_t code = 0;
    bool last = out->text.len > 3 && out->text.p[3] == ' ';
    if (out->kind == DIAGNOSE_TRACE_SERVER && last &&
        sp_view_u64(sp_view_sub(out->text, 0, 3), 599, &code) == SP_OK)
        out->code = (int)code;
    return true;
}

const char *session_meaning_of(const struct session_line *l, enum reference_lang lang)
{
    bool wanted = l->code == 334 || l->code >= 400;
    return wanted ? reference_explain(l->code, sp_view_from(l->text, 4), lang) : NULL;
}

const struct ipc_session_attempt *session_attempt_at(struct session_matching *m, const struct session_line *l)
{
    enum { LATE_MS = 500 }; /* an exchange that was given up is told a moment after its reply */
    if (l->kind == DIAGNOSE_TRACE_CLIENT && sp_view_starts(l->text, SP_LIT("AUTH")))
        m->in_auth = true;
    bool closed = l->kind == DIAGNOSE_TRACE_CLOSED;
    bool over = closed || (l->code && l->code != 334);
    if (!m->in_auth || !over || m->next == m->told->attempt_n)
        return NULL;
    m->in_auth = false;
    const struct ipc_session_attempt *a = &m->told->attempts[m->next];
    bool engine = l->code == 503 || l->code == 504 || l->code == 530 || l->code == 538;
    if (engine || a->at_ms > m->told->facts.began_ms + l->ms + LATE_MS)
        return NULL;
    m->next++;
    return a;
}
