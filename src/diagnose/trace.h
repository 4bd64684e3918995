/* What `sallyport session show` prints: the trace of a session, as docs/sessions.md explains it. */
#ifndef DIAGNOSE_TRACE_H
#define DIAGNOSE_TRACE_H

#include "sallyport/base.h"

enum diagnose_trace_kind {
    DIAGNOSE_TRACE_NOT,     /* an explanation, or another text */
    DIAGNOSE_TRACE_CLIENT,
    DIAGNOSE_TRACE_SERVER,
    DIAGNOSE_TRACE_MESSAGE, /* a message went by               */
    DIAGNOSE_TRACE_TLS,     /* a handshake was done            */
    DIAGNOSE_TRACE_CLOSED,  /* the connection is gone          */
    DIAGNOSE_TRACE_EVENT    /* anything else that happened     */
};

/* Is it the first line of a trace? key_out: the session's id, borrowed. */
bool diagnose_trace_begins(struct sp_view line, struct sp_view *key_out);

/* A line of a trace; text_out: what was said, or happened. */
enum diagnose_trace_kind diagnose_trace_read(struct sp_view line, struct sp_view *text_out);

#endif
