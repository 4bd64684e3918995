/*
 * Requests of `sallyport session`, answered from the store of traces: by the role console through its control
 * socket, and by the tool itself while no server runs. A call answers one request, or one page of a list.
 */
#ifndef CONSOLE_CONTROL_H
#define CONSOLE_CONTROL_H

#include "roles/console/traces.h"

struct console_control {
    struct traces *traces; /* NULL: it cannot be read */
    void *ctx;
    void (*send)(void *ctx, const struct ipc_message *m);
};

/* One of session_list, session_show; the last answer is a session_done. */
void console_control_answer(const struct console_control *c, const struct ipc_message *request);

#endif
