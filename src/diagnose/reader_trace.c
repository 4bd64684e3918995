/* Traces of our own: every line is said with its side, and what is not a line of it explains it. */
#include "diagnose/reader.h"

#include "base/table.h"
#include "base/view.h"
#include "diagnose/mask.h"
#include "diagnose/trace.h"

static void take_closed(struct diagnose *d, struct sp_view text, const struct place *place)
{
    struct note n;
    diagnose_note_read(text, &n);
    struct session *s = d->now;
    bool waits = s->auth.waiting || s->in_data || s->transaction || s->pending_n > 0 || !s->hello;
    if (n.kind != NOTE_CAUSE && sp_view_eq(text, SP_LIT("closed by the client")) && !waits)
        s->quit = true; /* without the word, and without harm */
    else if (n.kind != NOTE_CAUSE)
        n = (struct note){.kind = NOTE_CLOSED};
    diagnose_reader_take_note(d, s, &n, place);
}

static void take_trace_line(struct diagnose *d, struct sp_view line)
{
    static const struct sp_view none = {NULL, 0}, dot = SP_LIT_INIT(".");
    struct diagnose_line l = {.kind = DIAGNOSE_LINE_CLIENT, .marked = true};
    struct place place;
    enum diagnose_trace_kind kind = diagnose_trace_read(line, &l.text);
    diagnose_mask_quote(line, none, d->lines, &place);
    switch (kind) {
    case DIAGNOSE_TRACE_SERVER:
        l.kind = DIAGNOSE_LINE_SERVER;
        diagnose_reader_say(d, line, &l);
        break;
    case DIAGNOSE_TRACE_CLIENT:
        diagnose_reader_say(d, line, &l);
        break;
    case DIAGNOSE_TRACE_MESSAGE:
        if (d->now->in_data) /* else a chunk, which has no dot */
            diagnose_session_client(d->now, dot, true, &place);
        break;
    case DIAGNOSE_TRACE_TLS:
        diagnose_reader_take_note(d, d->now, &(struct note){.kind = NOTE_TLS}, &place);
        break;
    case DIAGNOSE_TRACE_CLOSED:
        take_closed(d, l.text, &place);
        break;
    case DIAGNOSE_TRACE_EVENT:
    case DIAGNOSE_TRACE_NOT:
        break;
    }
}

bool diagnose_reader_take_trace(struct diagnose *d, struct sp_view line)
{
    struct sp_view key;
    if (diagnose_trace_begins(line, &key)) {
        d->trace = true;
        (void)diagnose_reader_begin(d, sp_hash(key, 0) | 1);
    } else if (d->trace) {
        take_trace_line(d, line);
    }
    return d->trace;
}
