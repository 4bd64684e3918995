/* A session as a server told it, and its trace line by line; for show.c and told_json.c. */
#ifndef CLI_SESSION_TOLD_H
#define CLI_SESSION_TOLD_H

#include "cli/session/parts.h"
#include "diagnose/diagnose.h"
#include "diagnose/trace.h"

/* A session as it was told. */
struct session_told {
    struct sp_arena memory; /* of all views */
    bool there;
    struct ipc_session_facts facts;
    struct sp_view lines;
    struct ipc_session_attempt attempts[SESSION_ATTEMPTS_MAX];
    size_t attempt_n;
};

/* One answer of the store, of which ctx, a session_told, keeps a copy. */
void session_take_told(void *ctx, const struct ipc_message *m);

struct session_line {
    struct sp_view whole, text;
    enum diagnose_trace_kind kind;
    uint64_t ms; /* since the beginning */
    int code;    /* of a reply's last line, else 0 */
};

bool session_next_line(struct sp_view *rest, struct session_line *out);

/* What is said of a reply: refusals and challenges need it. NULL: nothing. */
const char *session_meaning_of(const struct session_line *l, enum reference_lang lang);

/* Which attempt a reply ends: that of the AUTH before it, unless the engine refused it by itself. */
struct session_matching {
    const struct session_told *told;
    size_t next;
    bool in_auth;
};

const struct ipc_session_attempt *session_attempt_at(struct session_matching *m, const struct session_line *l);

/* told_json.c */
void session_print_json(const struct session_told *told, const struct diagnose_report *report,
                        enum reference_lang lang);

#endif
