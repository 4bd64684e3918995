/* The last conversations with servers, in memory alone: they say why better than a reply does. */
#include "roles/queue/queue.h"

#include "base/view.h"
#include "os/heap.h"

#include <stdlib.h>

enum { TEXT_MAX = 8192 };

static void forget(struct queue_talks *all, struct queue_talk *t)
{
    if (!t)
        return;
    all->ring[t->slot] = NULL;
    (void)sp_table_take(&all->by_key, sp_view_make(t->octets, t->key_len)); /* it is t */
    free(t);
}

void queue_talks_init(struct queue *q, uint64_t seed)
{
    sp_table_init(&q->site_talks.by_key, &os_heap, seed);
    sp_table_init(&q->mail_talks.by_key, &os_heap, seed);
}

static void fini(struct queue_talks *all)
{
    for (size_t i = 0; i < QUEUE_TALKS_MAX; i++)
        free(all->ring[i]);
    sp_table_fini(&all->by_key);
}

void queue_talks_fini(struct queue *q)
{
    fini(&q->site_talks);
    fini(&q->mail_talks);
}

/* A key has one slot for as long as it is known, so that a busy one drives out no others. */
static size_t slot_for(struct queue_talks *all, struct sp_view key)
{
    struct queue_talk *before = sp_table_get(&all->by_key, key);
    size_t slot = before ? before->slot : all->at++ % QUEUE_TALKS_MAX;
    forget(all, all->ring[slot]);
    return slot;
}

static void keep(struct queue_talks *all, struct sp_view key, struct sp_view text, int64_t now)
{
    text = sp_view_sub(text, 0, TEXT_MAX);
    size_t slot = slot_for(all, key);
    struct queue_talk *t = os_new(sizeof *t + key.len + text.len);
    t->ended_ms = now;
    t->slot = slot;
    t->key_len = key.len;
    t->text_len = text.len;
    memcpy(t->octets, key.p, key.len);
    memcpy(t->octets + key.len, text.p, text.len);
    all->ring[slot] = t;
    int status = sp_table_put(&all->by_key, sp_view_make(t->octets, t->key_len), t);
    (void)status; /* os_heap never says no */
}

void queue_keep_talk(struct queue *q, const struct queue_site *s, uint64_t mail, struct sp_view text,
                     bool arrived)
{
    if (text.len > 0)
        keep(&q->site_talks, sp_view_make(s->key, s->key_len), text, q->wall_ms());
    if (text.len > 0 && !arrived)
        keep(&q->mail_talks, queue_key(&mail), text, q->wall_ms());
    else
        forget(&q->mail_talks, sp_table_get(&q->mail_talks.by_key, queue_key(&mail)));
}

const struct queue_talk *queue_find_talk(const struct queue *q, const struct queue_site *s, uint64_t mail,
                                         bool *own_out)
{
    const struct queue_talk *t = sp_table_get(&q->mail_talks.by_key, queue_key(&mail));
    *own_out = t != NULL;
    return t ? t : sp_table_get(&q->site_talks.by_key, sp_view_make(s->key, s->key_len));
}
