/* What the owner hears: notes, outcomes, the end. */
#include "base/view.h"
#include "client/state.h"

void client_note(struct client *c, enum client_note_type type, const char *text)
{
    if (c->on->note)
        c->on->note(c->ctx, &(struct client_note){.type = type, .text = text});
}

void client_note_event(struct client *c, enum client_note_type type, const struct sp_client_event *e)
{
    if (c->on->note)
        c->on->note(c->ctx, &(struct client_note){.type = type, .event = e, .secret_name = c->secret_name});
}

void client_fail(struct client *c, enum sp_client_fate fate, const char *phase,
                 const struct sp_client_reply *by)
{
    if (c->failed)
        return;
    c->failed = true;
    client_text_of_reply(by, &c->why);
    struct sp_view enhanced = sp_view_sub(by->enhanced, 0, sizeof c->enhanced);
    if (enhanced.len > 0)
        memcpy(c->enhanced, enhanced.p, enhanced.len);
    memcpy(c->failed_at, c->remote, sizeof c->failed_at); /* others may be dialled */
    c->failure = (struct client_verdict){
        .fate = fate,
        .code = by->code,
        .enhanced = sp_view_make(c->enhanced, enhanced.len),
        .text = sp_buf_view(&c->why),
        .phase = phase,
        .remote = c->failed_at,
    };
}

void client_unfail(struct client *c)
{
    c->failed = false;
    sp_buf_clear(&c->why);
}

void client_fail_here(struct client *c, enum sp_client_fate fate, const char *phase, const char *enhanced,
                      struct sp_view text)
{
    struct sp_client_reply by = {.enhanced = sp_view_of(enhanced), .text = text};
    client_fail(c, fate, phase, &by);
}

/* The end is told once; the connection goes first, so that an owner who frees has nothing left to wait for.
 */
void client_tell_end(struct client *c)
{
    if (c->stage == CLIENT_OVER)
        return;
    c->stage = CLIENT_OVER;
    c->ready = false;
    os_timer_stop(&c->timer);
    if (c->stream)
        os_stream_finish(c->stream);
    c->stream = NULL;
    if (!c->failed)
        c->failure = (struct client_verdict){.phase = "QUIT", .remote = c->remote};
    c->on->ended(c->ctx, &c->failure);
}

void client_tell_outcome(struct client *c, const struct sp_client_event *e)
{
    client_text_of_reply(&e->as.outcome.reply, &c->text);
    struct client_verdict v = {
        .fate = e->as.outcome.fate,
        .code = e->as.outcome.reply.code,
        .enhanced = e->as.outcome.reply.enhanced,
        .text = sp_buf_view(&c->text),
        .phase = e->as.outcome.phase,
        .dsn = sp_client_capabilities(c->session)->dsn,
        .remote = c->remote,
    };
    c->on->outcome(c->ctx, e->as.outcome.recipient, &v);
}
