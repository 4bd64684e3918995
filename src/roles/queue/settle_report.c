/* Whom the outcomes of an item have to be told, and what of them. */
#include "roles/queue/settle_own.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "reference/reference.h"

#include <stdlib.h>

enum message_dsn_action queue_settle_action(const struct queue_item *item, const struct queue_target *t,
                                            const struct settled *one)
{
    uint8_t notify = t->parameters.notify;
    bool final = one->outcome.end == IPC_END_FINAL;
    if (one->silent)
        return MESSAGE_DSN_ACTION_N;
    /* That nobody can be told of a report is for the log. */
    if (one->state == STORE_FAILED &&
        (notify == 0 || notify & SP_NOTIFY_FAILURE || item->mail.sender.len == 0))
        return MESSAGE_DSN_FAILED;
    if (one->late && (notify == 0 || notify & SP_NOTIFY_DELAY))
        return MESSAGE_DSN_DELAYED;
    if (one->state != STORE_DELIVERED)
        return MESSAGE_DSN_ACTION_N;
    if (notify & SP_NOTIFY_SUCCESS && one->outcome.end != IPC_END_PASSED)
        return final ? MESSAGE_DSN_DELIVERED : MESSAGE_DSN_RELAYED;
    /* Traced on its way (RFC 2852 4.1.4). */
    return item->mail.parameters.by_trace && !final ? MESSAGE_DSN_RELAYED : MESSAGE_DSN_ACTION_N;
}

/* What a server's reply means, in a sentence. Empty: it was not a server that said it. */
static struct sp_view meaning_of(const struct queue_outcome *o)
{
    if (o->code < 400 || o->reply.len < 4)
        return (struct sp_view){0};
    return sp_view_of(reference_explain((int)o->code, sp_view_from(o->reply, 4), REFERENCE_EN));
}

static struct message_dsn_recipient told(const struct queue *q, const struct queue_item *item,
                                         const struct queue_target *t, const struct settled *one,
                                         enum message_dsn_action action, int64_t now)
{
    const struct queue_outcome *o = &one->outcome;
    return (struct message_dsn_recipient){
        .address = queue_address(t),
        .orcpt = t->parameters.orcpt,
        .action = action,
        .code = o->code,
        .enhanced = o->enhanced,
        .reply = o->reply,
        .remote = o->remote,
        .meaning = meaning_of(o),
        .last_ms = o->unchanged ? o->last_ms : now,
        .until_ms = action == MESSAGE_DSN_DELAYED ? queue_settle_end(q, &item->mail) : 0,
        .expired = one->expired,
        .by_expired = one->by_expired};
}

int queue_settle_report(struct queue *q, struct queue_settling *s, int64_t now)
{
    const struct queue_item *item = s->item;
    struct message_dsn_recipient *list = os_new(item->target_n * sizeof *list);
    int status = SP_OK;
    for (unsigned a = 0; a < MESSAGE_DSN_ACTION_N && !status; a++) {
        size_t n = 0, i = 0;
        for (const struct queue_target *t = item->targets; t; t = t->next, i++)
            if (queue_settle_action(item, t, &s->ones[i]) == (enum message_dsn_action)a)
                list[n++] = told(q, item, t, &s->ones[i], (enum message_dsn_action)a, now);
        s->reports[a].n = n;
        if (n)
            status = queue_report(q, &item->mail, list, n, &s->reports[a].item, &s->reports[a].id);
    }
    free(list);
    return status;
}

/* --- after the commit ----------------------------------------------------------------------- */

static void log_report(const struct queue_settling *s, enum message_dsn_action action)
{
    static const char *const events[MESSAGE_DSN_ACTION_N] = {[MESSAGE_DSN_FAILED] = "mail-bounced",
                                                             [MESSAGE_DSN_DELAYED] = "mail-late",
                                                             [MESSAGE_DSN_DELIVERED] = "mail-reported",
                                                             [MESSAGE_DSN_RELAYED] = "mail-reported"};
    struct queue_id id = queue_id(s->item->mail.id), report = queue_id(s->reports[action].id);
    if (s->reports[action].id)
        os_log(OS_INFO, events[action], OS_STR("id", id.text), OS_VIEW("session", s->item->mail.session),
               OS_VIEW("to", s->item->mail.sender), OS_STR("bounce", report.text),
               OS_NUM("recipients", s->reports[action].n));
    else if (action == MESSAGE_DSN_FAILED)
        os_log(OS_WARN, "mail-undeliverable", OS_STR("id", id.text),
               OS_VIEW("session", s->item->mail.session),
               OS_STR("note", s->item->mail.sender.len ? "the sender is no mailbox here: nobody was told"
                                                       : "it was a report itself: nobody was told"));
}

void queue_settle_put_reports(struct queue *q, struct queue_settling *s)
{
    for (unsigned a = 0; a < MESSAGE_DSN_ACTION_N; a++) {
        if (s->reports[a].n && !s->absent)
            log_report(s, (enum message_dsn_action)a);
        if (s->reports[a].item)
            queue_window_put(q, s->reports[a].item);
        else if (s->reports[a].id)
            q->window.next_ms = 0;
    }
}

void queue_settle_drop_reports(struct queue *q, struct queue_settling *s)
{
    for (unsigned a = 0; a < MESSAGE_DSN_ACTION_N; a++)
        if (s->reports[a].item)
            queue_item_free(q, s->reports[a].item, STORE_NEVER);
}
