/* Traces into the store: a transaction for each turn of the loop. What cannot be kept is counted and
 * reported. */
#include "roles/console/console.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <sys/vfs.h>

enum {
    AGAIN_MS = 10000, /* until a store that failed is opened anew */
    SWEEP_MS = 60000,
    SWEEP_ON_MS = 20, /* between the steps of a long sweep        */
    REPORT_MS = 30000 /* between two reports of losses            */
};

/* --- losses ---------------------------------------------------------------------------------------- */

void console_keep_report(void *ctx)
{
    struct console *c = ctx;
    if (!c->lost)
        return;
    os_log(OS_WARN, "sessions-not-kept", OS_NUM("n", c->lost),
           OS_STR("why", c->full ? "less free space than limits/free-space" : "sessions.db cannot be used"));
    c->lost = 0;
    os_timer_set(&c->report, REPORT_MS);
}

static void lose(struct console *c, uint64_t n)
{
    bool first = c->lost == 0;
    c->lost += n;
    if (first && n && !evtimer_pending(c->report.event, NULL))
        os_timer_set(&c->report, 1);
}

/* --- the store ------------------------------------------------------------------------------------- */

void console_keep_open(struct console *c)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    if (traces_open(c->role->folder, true, &error, &c->traces) == SP_OK) {
        os_timer_set(&c->sweep, SWEEP_ON_MS);
    } else {
        os_log(OS_WARN, "sessions-db", OS_VIEW("why", sp_buf_view(&error)),
               OS_STR("effect", "no session is kept until console/sessions.db can be used, or is removed"));
        os_timer_set(&c->again, AGAIN_MS);
    }
    sp_buf_fini(&error);
}

void console_keep_open_again(void *ctx)
{
    struct console *c = ctx;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    if (!c->traces && traces_open(c->role->folder, true, &error, &c->traces) == SP_OK) {
        os_log(OS_INFO, "sessions-db", OS_STR("effect", "sessions are kept again"));
        os_timer_set(&c->sweep, SWEEP_ON_MS);
    } else if (!c->traces) {
        os_timer_set(&c->again, AGAIN_MS); /* why was logged with the first failure */
    }
    sp_buf_fini(&error);
}

void console_keep_close(struct console *c)
{
    traces_close(c->traces);
    c->traces = NULL;
    c->batch = false;
}

static void fail(struct console *c)
{
    os_log(OS_WARN, "sessions-db", OS_STR("why", traces_error(c->traces)),
           OS_STR("effect", "sessions of this moment are not kept"));
    lose(c, c->waiting);
    c->waiting = 0;
    console_keep_close(c);
    os_timer_set(&c->again, AGAIN_MS);
}

/* Mail goes first: queue needs what is below the floor, and is to find it. */
static bool has_room(struct console *c)
{
    enum { MARGIN = 1 << 20 };
    struct statfs disk;
    uint64_t floor = c->role->config->limits.free_octets;
    bool full = fstatfs(c->role->folder, &disk) == 0 &&
                (uint64_t)disk.f_bavail * (uint64_t)disk.f_bsize < floor + MARGIN;
    if (full != c->full && c->lost)
        console_keep_report(c);
    c->full = full;
    return !full;
}

static bool begin(struct console *c)
{
    if (c->batch)
        return true;
    if (!c->traces || !has_room(c))
        return false;
    if (traces_begin(c->traces) != SP_OK) {
        fail(c);
        return false;
    }
    c->batch = true;
    os_later_ask(&c->turn);
    return true;
}

/* --- what comes ------------------------------------------------------------------------------------ */

void console_keep_trace(struct console *c, const struct ipc_trace *m)
{
    if (!begin(c)) {
        lose(c, 1);
        return;
    }
    c->waiting++;
    if (traces_add(c->traces, m) != SP_OK)
        fail(c);
}

void console_keep_attempt(struct console *c, const struct ipc_trace_attempt *m)
{
    if (begin(c) && traces_add_attempt(c->traces, m) != SP_OK)
        fail(c);
}

static struct traces_limits limits_of(const struct console *c)
{
    const struct config_sessions *s = &c->role->config->sessions;
    return (struct traces_limits){s->most, s->octets, (uint64_t)s->age_s * 1000};
}

void console_keep_commit(void *ctx)
{
    struct console *c = ctx;
    if (!c->batch)
        return;
    c->batch = false;
    if (traces_commit(c->traces) != SP_OK)
        fail(c);
    c->waiting = 0;
    struct traces_limits limits = limits_of(c);
    if (c->traces && traces_over(c->traces, &limits))
        os_timer_set(&c->sweep, SWEEP_ON_MS);
}

void console_keep_sweep(void *ctx)
{
    struct console *c = ctx;
    struct traces_limits limits = limits_of(c);
    bool more = false;
    console_keep_commit(c);
    if (!c->traces)
        return;
    if (traces_sweep(c->traces, &limits, (uint64_t)os_wall_ms(), &more) != SP_OK) {
        fail(c);
        return;
    }
    os_timer_set(&c->sweep, more ? SWEEP_ON_MS : SWEEP_MS);
}
