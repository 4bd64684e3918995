#include "diagnose/trace.h"

#include "base/view.h"

bool diagnose_trace_begins(struct sp_view line, struct sp_view *key_out)
{
    static const struct sp_view front = SP_LIT_INIT("Sallyport trace 1: session ");
    if (!sp_view_starts(line, front))
        return false;
    *key_out = sp_view_trim(sp_view_from(line, front.len));
    return true;
}

/* "   12.034 ": seconds since the beginning. Its length, or 0. */
static size_t time_of(struct sp_view line)
{
    size_t i = 0, digits = 0;
    while (i < line.len && line.p[i] == ' ')
        i++;
    for (; i < line.len && sp_ascii_digit(line.p[i]); i++)
        digits++;
    if (digits == 0 || i + 5 > line.len || line.p[i] != '.' || line.p[i + 4] != ' ')
        return 0;
    for (size_t k = 1; k <= 3; k++)
        if (!sp_ascii_digit(line.p[i + k]))
            return 0;
    return i + 5;
}

static enum diagnose_trace_kind event_of(struct sp_view text)
{
    if (sp_view_starts(text, SP_LIT("message, ")))
        return DIAGNOSE_TRACE_MESSAGE;
    if (sp_view_starts(text, SP_LIT("TLS: ")))
        return DIAGNOSE_TRACE_TLS;
    if (sp_view_starts(text, SP_LIT("closed")))
        return DIAGNOSE_TRACE_CLOSED;
    return DIAGNOSE_TRACE_EVENT;
}

enum diagnose_trace_kind diagnose_trace_read(struct sp_view line, struct sp_view *text_out)
{
    static const struct {
        struct sp_view mark;
        enum diagnose_trace_kind kind;
    } marks[] = {{SP_LIT_INIT("C:"), DIAGNOSE_TRACE_CLIENT},
                 {SP_LIT_INIT("S:"), DIAGNOSE_TRACE_SERVER},
                 {SP_LIT_INIT("--:"), DIAGNOSE_TRACE_EVENT}};
    size_t n = time_of(line);
    struct sp_view rest = sp_view_from(line, n);
    for (size_t i = 0; n > 0 && i < sizeof marks / sizeof *marks; i++) {
        if (!sp_view_starts(rest, marks[i].mark))
            continue;
        *text_out = sp_view_from(rest, marks[i].mark.len + 1);
        return marks[i].kind == DIAGNOSE_TRACE_EVENT ? event_of(*text_out) : marks[i].kind;
    }
    return DIAGNOSE_TRACE_NOT;
}
