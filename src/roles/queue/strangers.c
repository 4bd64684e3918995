/*
 * Whom not to tell. A client that has neither logged in nor may relay writes what it likes into MAIL FROM: a
 * report to that sender, of a message that the next server called spam, goes to somebody who never sent it.
 * RFC 5321 6.2 lets such mail go without a notice; here it is kept for the operator until its time is over.
 */
#include "roles/queue/settle_own.h"

#include "base/view.h"
#include "os/heap.h"
#include "reference/reference.h"

enum {
    HOUR_MS = 3600000,
    DOMAINS_MOST = 10000, /* that are counted by themselves; the others together */
    DOMAIN_MAX = 256
};

bool queue_stranger_is_spared(const struct queue *q, const struct store_mail *mail,
                              const struct queue_outcome *o)
{
    enum config_strangers told = q->role->config->queue.return_to_strangers;
    if (!mail->stranger || mail->sender.len == 0 || o->returned || told == CONFIG_STRANGERS_ALL)
        return false;
    /* What this server says of itself, without a code, judges nobody. */
    return told == CONFIG_STRANGERS_NONE ||
           (o->reply.len >= 4 && reference_advise((int)o->code, sp_view_from(o->reply, 4), o->stage).judges);
}

/* Domains in any case are one; one that is none, or is one too many, is counted with others of its kind. */
static struct sp_view key_of(const struct queue_strangers *s, struct sp_view sender, uint8_t text[DOMAIN_MAX])
{
    size_t at = sender.len;
    while (at > 0 && sender.p[at - 1] != '@')
        at--;
    struct sp_view domain = sp_view_from(sender, at);
    size_t n = at > 0 && domain.len <= DOMAIN_MAX ? domain.len : 0;
    for (size_t i = 0; i < n; i++)
        text[i] = sp_ascii_lower(domain.p[i]);
    struct sp_view key = sp_view_make(text, n);
    return s->told.n < DOMAINS_MOST || sp_table_get(&s->told, key) ? key : SP_LIT("*");
}

bool queue_stranger_count(struct queue *q, const struct store_mail *mail)
{
    struct queue_strangers *s = &q->strangers;
    uint8_t text[DOMAIN_MAX];
    uintptr_t most = q->role->config->queue.stranger_reports;
    int64_t now = q->wall_ms();
    if (!mail->stranger || most == 0)
        return true;
    if (now < s->since_ms || now - s->since_ms >= HOUR_MS) {
        uint64_t seed = s->told.seed;
        sp_table_fini(&s->told);
        sp_table_init(&s->told, &os_heap, seed);
        s->since_ms = now;
    }
    struct sp_view key = key_of(s, mail->sender, text);
    uintptr_t n = (uintptr_t)sp_table_get(&s->told, key);
    if (n >= most)
        return false;
    int status = sp_table_put(&s->told, key, (void *)(n + 1));
    (void)status; /* os_heap never says no */
    return true;
}

/* One settling makes one report of each kind: it is counted once, however many recipients it is about. */
static bool has_room(struct queue *q, struct queue_settling *s)
{
    if (s->strangers == SETTLE_UNCOUNTED)
        s->strangers = queue_stranger_count(q, &s->item->mail) ? SETTLE_TOLD : SETTLE_ENOUGH;
    return s->strangers == SETTLE_TOLD;
}

void queue_settle_spare(struct queue *q, struct queue_settling *s, const struct queue_target *t,
                        struct settled *one)
{
    const struct store_mail *mail = &s->item->mail;
    if (!mail->stranger || mail->sender.len == 0 || one->outcome.returned ||
        queue_settle_action(s->item, t, one) == MESSAGE_DSN_ACTION_N)
        return;
    if (!queue_stranger_is_spared(q, mail, &one->outcome) && has_room(q, s))
        return;
    one->silent = true;
    if (one->state == STORE_FAILED) {
        one->state = STORE_HELD;
        one->unreturned = true;
        one->next_ms = STORE_NEVER;
    }
}
