#include "cli/probe/wire.h"

#include <stdio.h>
#include <string.h>

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"

enum { IN_MAX = 1 << 17 };

void probe_clean(struct sp_view v, char *text_out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < v.len && n + 5 < size; i++) {
        if (v.p[i] >= ' ' && v.p[i] < 127)
            text_out[n++] = (char)v.p[i];
        else
            n += (size_t)snprintf(text_out + n, size - n, "\\x%02x", v.p[i]);
    }
    text_out[n] = '\0';
}

/* --- the stream's voice -------------------------------------------------------------------- */

/* All is taken; what is more than anybody needs is not kept. */
static size_t take_input(void *ctx, struct sp_view in)
{
    struct probe_wire *w = ctx;
    w->octets += in.len;
    if (w->octets > PROBE_WIRE_OCTETS_MAX || sp_buf_add(&w->in, in)) {
        w->endless = true;
        os_stream_pause(w->stream);
    }
    return in.len;
}

static void note_drained(void *ctx) { (void)ctx; }

static void note_up(void *ctx, const struct os_tls_facts *tls)
{
    struct probe_wire *w = ctx;
    (void)tls;
    w->up = true;
}

static void note_closed(void *ctx, const char *why)
{
    struct probe_wire *w = ctx;
    w->closed = true;
    snprintf(w->why, sizeof w->why, "%s", why ? why : "closed by the server");
}

static const struct os_stream_handlers handlers = {
    .input = take_input, .drained = note_drained, .ready = note_up, .closed = note_closed};

/* The timer only wakes the loop: who waits looks at the clock. */
static void wake(void *ctx) { (void)ctx; }

/* --- life ----------------------------------------------------------------------------------- */

void probe_wire_init(struct probe_wire *w, struct event_base *base, uint32_t timeout_ms, uint64_t limit_ms)
{
    *w = (struct probe_wire){.base = base, .timeout_ms = timeout_ms, .limit_ms = limit_ms};
    smtp_client_reply_init(&w->reply, &os_heap, true);
    sp_buf_init(&w->in, &os_heap, IN_MAX);
    os_timer_init(&w->timer, base, wake, w);
}

void probe_wire_hang_up(struct probe_wire *w)
{
    if (w->stream)
        os_stream_free(w->stream);
    w->stream = NULL;
}

void probe_wire_fini(struct probe_wire *w)
{
    probe_wire_hang_up(w);
    os_timer_fini(&w->timer);
    smtp_client_reply_fini(&w->reply);
    sp_buf_fini(&w->in);
}

static void begin_anew(struct probe_wire *w)
{
    smtp_client_reply_fini(&w->reply);
    smtp_client_reply_init(&w->reply, &os_heap, true);
    sp_buf_clear(&w->in);
}

/* --- waiting -------------------------------------------------------------------------------- */

/* Until something has happened. false: until_ms has come. */
static bool turn(struct probe_wire *w, uint64_t until_ms)
{
    uint64_t now = os_mono_ms();
    if (now >= until_ms)
        return false;
    os_timer_set(&w->timer, until_ms - now);
    event_base_loop(w->base, EVLOOP_ONCE);
    os_timer_stop(&w->timer);
    return true;
}

static uint64_t until(const struct probe_wire *w, uint32_t ms)
{
    uint64_t own = os_mono_ms() + ms;
    return own < w->limit_ms ? own : w->limit_ms;
}

static enum probe_step late(const struct probe_wire *w)
{
    return os_mono_ms() >= w->limit_ms ? PROBE_SPENT : PROBE_LATE;
}

static enum probe_step wait_up(struct probe_wire *w)
{
    uint64_t until_ms = until(w, w->timeout_ms);
    while (!w->up && !w->closed)
        if (!turn(w, until_ms))
            return late(w);
    return w->up ? PROBE_DONE : PROBE_CLOSED;
}

enum probe_step probe_wire_dial(struct probe_wire *w, const struct os_address *to)
{
    probe_wire_hang_up(w);
    begin_anew(w);
    w->up = w->closed = w->endless = false;
    w->octets = 0;
    w->why[0] = '\0';
    if (os_mono_ms() >= w->limit_ms)
        return PROBE_SPENT;
    w->stream = os_stream_connect(w->base, &to->as.any, to->len, w->timeout_ms, &handlers, w);
    if (!w->stream) {
        snprintf(w->why, sizeof w->why, "no socket can be made");
        return PROBE_CLOSED;
    }
    enum probe_step step = wait_up(w);
    if (step == PROBE_DONE)
        os_stream_resume(w->stream);
    return step;
}

enum probe_step probe_wire_secure(struct probe_wire *w, struct os_tls_context *tls,
                                  const struct os_tls_expected *expected)
{
    begin_anew(w);
    if (!w->stream || w->closed)
        return PROBE_CLOSED;
    w->up = false;
    os_stream_start_tls_expecting(w->stream, tls, expected, w->timeout_ms);
    enum probe_step step = wait_up(w);
    if (step == PROBE_DONE)
        os_stream_resume(w->stream);
    return step;
}

void probe_wire_say(struct probe_wire *w, const char *text)
{
    if (w->stream && !w->closed)
        os_stream_write(w->stream, sp_view_of(text));
}

/* --- hearing -------------------------------------------------------------------------------- */

static void note_lines(struct probe_wire *w)
{
    struct sp_view lines = probe_wire_lines(w), rest = lines, line, last = lines;
    while (sp_client_reply_line(&rest, &line))
        last = line;
    probe_clean(last, w->text, sizeof w->text);
    for (size_t i = 0; i < lines.len; i++)
        if (lines.p[i] == '\n' && (i == 0 || lines.p[i - 1] != '\r'))
            w->bare_lf = true;
}

static enum probe_step garbage(struct probe_wire *w)
{
    struct sp_view line = sp_view_from(sp_buf_view(&w->reply.octets), w->reply.line_start);
    size_t end = sp_view_find(line, '\n', 0);
    if (end > 0 && end < line.len && line.p[end - 1] == '\r')
        end--;
    probe_clean(sp_view_sub(line, 0, end), w->text, sizeof w->text);
    bool lengthy = w->heard > SP_CLIENT_LINE_MAX || w->reply.line_n > SP_CLIENT_LINES_MAX;
    return lengthy ? PROBE_ENDLESS : PROBE_GARBAGE;
}

/* What has arrived, up to the end of a reply. PROBE_LATE: it is not whole yet. */
static enum probe_step read_on(struct probe_wire *w)
{
    bool whole = false;
    while (w->in.len > 0 && !whole) {
        size_t used = 0;
        int status = smtp_client_reply_feed(&w->reply, sp_buf_view(&w->in), &used);
        w->heard += used;
        sp_buf_drop(&w->in, used);
        if (status)
            return garbage(w);
        whole = w->reply.whole;
    }
    if (!whole)
        return PROBE_LATE;
    w->code = smtp_client_reply_view(&w->reply).code;
    note_lines(w);
    return PROBE_DONE;
}

enum probe_step probe_wire_hear(struct probe_wire *w, uint32_t ms)
{
    uint64_t began_ms = os_mono_ms(), until_ms = until(w, ms);
    enum probe_step step;
    w->code = 0;
    w->heard = 0;
    w->text[0] = '\0';
    if (!w->stream)
        return PROBE_CLOSED;
    while ((step = read_on(w)) == PROBE_LATE) {
        if (w->endless)
            return PROBE_ENDLESS;
        if (w->closed)
            return PROBE_CLOSED;
        if (!turn(w, until_ms))
            return late(w);
    }
    w->took_ms = os_mono_ms() - began_ms;
    return step;
}

enum probe_step probe_wire_ask(struct probe_wire *w, const char *line)
{
    probe_wire_say(w, line);
    probe_wire_say(w, "\r\n");
    return probe_wire_hear(w, w->timeout_ms);
}

struct sp_view probe_wire_lines(const struct probe_wire *w)
{
    return smtp_client_reply_view(&w->reply).lines;
}
