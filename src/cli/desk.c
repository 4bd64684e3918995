#include "cli/desk.h"

#include "cli/options.h"

#include <sysexits.h>
#include <unistd.h>

static bool take_answer(void *ctx, const struct ipc_message *m)
{
    struct desk *d = ctx;
    bool is_last = m->type == d->form->last;
    if (is_last)
        d->last = *m;
    else if (d->take)
        d->take(d->take_ctx, m);
    if (d->talk && m->type == IPC_TYPE_queue_content && m->as.queue_content.fd >= 0)
        close(m->as.queue_content.fd);
    return is_last;
}

void desk_give(void *ctx, const struct ipc_message *m) { (void)take_answer(ctx, m); }

int desk_open(struct desk *d, const struct desk_form *form, void *ctx, const char *data)
{
    *d = (struct desk){.form = form, .ctx = ctx};
    int code = way_in_open(form->file.command, data, form->every_part, form->role, &d->way);
    if (code)
        return code;
    if (d->way.socket >= 0) {
        d->talk = talk_new(d->way.socket, form->role, take_answer, d);
        return EX_OK;
    }
    struct way_in_file file = form->file;
    file.data = data;
    return way_in_open_file(&d->way, &file, ctx);
}

void desk_close(struct desk *d)
{
    way_in_become_oneself();
    talk_free(d->talk);
    way_in_close(&d->way);
}

int desk_ask(struct desk *d, const struct ipc_message *request,
             void (*take)(void *ctx, const struct ipc_message *m), void *ctx)
{
    d->take = take;
    d->take_ctx = ctx;
    if (!d->talk) {
        d->form->answer(d->ctx, request);
        return EX_OK;
    }
    const char *why = talk_ask(d->talk, request);
    return why ? cli_fault(d->form->file.command, EX_TEMPFAIL, "%s; try again", why) : EX_OK;
}
