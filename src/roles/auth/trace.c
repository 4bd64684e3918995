/*
 * What this role alone knows of an attempt, for the trace of its session. It goes to the console and not to
 * smtpd, which speaks with strangers and is not to know whether a user exists. Never waits: what the console
 * does not take is missing there, and stands in the log.
 */
#include "base/view.h"
#include "os/clock.h"
#include "roles/auth/exchange.h"

static bool is_wanted(const struct auth *a, bool failed)
{
    enum config_keep keep = a->role->config ? a->role->config->sessions.keep : CONFIG_KEEP_NONE;
    return keep == CONFIG_KEEP_ALL || (keep == CONFIG_KEEP_FAILED && failed);
}

void auth_trace_attempt(const struct exchange *x, struct sp_view user, const char *reason, const char *defect,
                        const char *detail)
{
    struct os_edge *console = role_peer(x->auth->role, IPC_CONSOLE, 0);
    if (!console || os_edge_full(console) || !is_wanted(x->auth, reason != NULL))
        return;
    struct ipc_trace_attempt m = {.session = x->session,
                                  .at_ms = (uint64_t)os_wall_ms(),
                                  .mechanism = sp_view_of(auth_mechanism_of(x)),
                                  .user = user,
                                  .tls = x->tls,
                                  .reason = sp_view_of(reason),
                                  .defect = sp_view_of(defect),
                                  .detail = sp_view_of(detail),
                                  .steps = sp_view_of(x->record.text),
                                  .offered_clear = sp_view_of(x->offered_clear),
                                  .offered_tls = sp_view_of(x->offered_tls)};
    /* An edge that is gone has lost its console: the log has the attempt. */
    (void)os_edge_send(console, &(struct ipc_message){.type = IPC_TYPE_trace_attempt, .as.trace_attempt = m});
}
