/* Items: recipients of one message with one destination, in memory. */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"

#include <stdlib.h>

static struct sp_view keep(uint8_t **at, struct sp_view v)
{
    struct sp_view kept = {*at, v.len};
    if (v.len)
        memcpy(*at, v.p, v.len);
    *at += v.len;
    return kept;
}

struct queue_item *queue_item_new(const struct store_mail *mail, bool fresh)
{
    const struct sp_mail_parameters *p = &mail->parameters;
    struct queue_item *item =
        os_new(sizeof *item + mail->session.len + mail->sender.len + p->envid.len + p->auth.len);
    uint8_t *at = item->text;
    item->mail = *mail;
    item->mail.session = keep(&at, mail->session);
    item->mail.sender = keep(&at, mail->sender);
    item->mail.parameters.envid = keep(&at, p->envid);
    item->mail.parameters.auth = keep(&at, p->auth);
    item->mail.client = item->mail.user = (struct sp_view){0};
    item->fresh = item->counted_fresh = fresh;
    item->targets_end = &item->targets;
    return item;
}

void queue_item_add(struct queue_item *item, const struct store_recipient *r)
{
    struct queue_target *t = os_new(sizeof *t + r->address.len + r->parameters.orcpt.len);
    uint8_t *at = t->address;
    t->number = r->number;
    t->attempts = r->attempts;
    t->warned = r->warned;
    t->address_len = keep(&at, r->address).len;
    t->parameters = r->parameters;
    t->parameters.orcpt = keep(&at, r->parameters.orcpt);
    *item->targets_end = t;
    item->targets_end = &t->next;
    item->target_n++;
}

void queue_item_free(struct queue *q, struct queue_item *item, int64_t due_ms)
{
    struct queue_window *w = &q->window;
    struct queue_destination *d = item->destination;
    if (item->counted)
        *(item->counted_fresh ? &w->fresh : &w->stored) -= item->target_n;
    while (item->targets) {
        struct queue_target *t = item->targets;
        item->targets = t->next;
        store_release(q->store, item->mail.id, t->number, due_ms);
        free(t);
    }
    if (due_ms < w->next_ms)
        w->next_ms = due_ms;
    free(item);
    d->item_n--;
    queue_destination_drop(q, d);
}

void queue_item_aim(struct queue_item *item, struct queue_destination *d)
{
    item->destination = d;
    d->item_n++;
}
