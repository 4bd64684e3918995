/* What the files of the role console share. */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include "os/control.h"
#include "roles/console/traces.h"
#include "roles/role.h"

struct console_tool;

struct console {
    struct role *role;
    struct traces *traces; /* NULL: it cannot be used just now */
    bool batch;            /* a transaction is open            */
    uint64_t waiting;      /* sessions in it                   */
    bool full;             /* the disk is: nothing is written  */
    uint64_t lost;         /* not kept, and not yet reported   */
    bool stopping;
    struct os_later turn;
    struct os_timer again, sweep, report, grace;
    struct os_control *control;
    struct console_tool *tools;
};

/* --- keep.c: what comes is written down --------------------------------------------------------- */

/* Open the store, or try again later; what fails is logged. */
void console_keep_open(struct console *c);
void console_keep_close(struct console *c);

void console_keep_trace(struct console *c, const struct ipc_trace *m);
void console_keep_attempt(struct console *c, const struct ipc_trace_attempt *m);

/* The turn is over: commit. */
void console_keep_commit(void *ctx);

void console_keep_open_again(void *ctx);
void console_keep_sweep(void *ctx);
void console_keep_report(void *ctx);

/* --- tools.c ------------------------------------------------------------------------------------ */

void console_tools_open(struct console *c);
void console_tools_close(struct console *c);

#endif
