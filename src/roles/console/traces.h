/*
 * The traces of sessions that are kept: one SQLite database, written by the role console, and read by
 * `sallyport session` while no server runs. It holds history, not mail: when it cannot be written, nothing
 * else stands still. Its tables are explained in docs/sessions.md.
 */
#ifndef CONSOLE_TRACES_H
#define CONSOLE_TRACES_H

#include "base/buf.h"
#include "ipc/ipc.h"

struct traces;

/* What is kept at most; the oldest give way. */
struct traces_limits {
    uint64_t most, octets, age_ms;
};

/*
 * Open sessions.db in a folder.
 *   folder   borrowed for the call
 *   create   make it when it is not there; else SP_ERR_ABSENT
 *   error    a sentence for the operator
 * SP_ERR_RANGE: it was written by a newer version. SP_ERR_IO: the rest.
 */
SP_MUST_USE int traces_open(int folder, bool create, struct sp_buf *error, struct traces **traces_out);

/* NULL is fine. What was not committed is lost. */
void traces_close(struct traces *t);

/* Why the last call failed; "" when none has. */
const char *traces_error(const struct traces *t);

/* Write. All between begin and commit is kept whole or not at all; a failure of any of them rolls back. */
SP_MUST_USE int traces_begin(struct traces *t);
SP_MUST_USE int traces_add(struct traces *t, const struct ipc_trace *trace);
SP_MUST_USE int traces_add_attempt(struct traces *t, const struct ipc_trace_attempt *attempt);
SP_MUST_USE int traces_commit(struct traces *t);

/* Is more kept than that? */
bool traces_over(const struct traces *t, const struct traces_limits *limits);

/* Forget what is over the limits, a bounded number at once. more_out: there is more to do. */
SP_MUST_USE int traces_sweep(struct traces *t, const struct traces_limits *limits, uint64_t now_ms,
                             bool *more_out);

/* Whoever is told what is read; views are void after the call. */
struct traces_reader {
    void *ctx;
    void (*facts)(void *ctx, const struct ipc_session_facts *facts);
    void (*lines)(void *ctx, struct sp_view lines);
    void (*attempt)(void *ctx, const struct ipc_session_attempt *attempt);
};

/*
 * A page of sessions, newest first: their facts.
 *   last_out  the last session's number: the cursor of the next page
 *   more_out  there may be one
 */
SP_MUST_USE int traces_list(struct traces *t, const struct ipc_session_list *wanted,
                            const struct traces_reader *reader, uint64_t *last_out, bool *more_out);

/* All that is known of a session. SP_ERR_ABSENT. */
SP_MUST_USE int traces_show(struct traces *t, uint64_t session, const struct traces_reader *reader);

#endif
