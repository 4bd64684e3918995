/* Given up by the operator: what is left of a message goes back to its sender, a stranger too. */
#include "roles/queue/queue.h"

#include "base/arena.h"
#include "base/view.h"
#include "os/heap.h"

#include <stdlib.h>

struct giving_up {
    struct queue *q;
    struct queue_item *item;
    struct sp_view why;
    struct queue_outcome *outcomes; /* of the item's targets, texts in memory */
    size_t room;
    struct sp_arena memory;
};

static struct sp_view keep(struct giving_up *g, struct sp_view v)
{
    struct sp_view kept = {0};
    int status = sp_arena_copy(&g->memory, v, &kept);
    (void)status; /* os_heap never says no */
    return kept;
}

/* Of what a server has refused, and nobody was told, its words say why; of all others the operator's do. */
static struct queue_outcome outcome_of(struct giving_up *g, const struct store_recipient *r)
{
    if (!r->unreturned)
        return (struct queue_outcome){
            .kind = IPC_OUTCOME_FAILED, .returned = true, .enhanced = SP_LIT("5.3.0"), .reply = g->why};
    return (struct queue_outcome){.kind = IPC_OUTCOME_FAILED,
                                  .returned = true,
                                  .code = r->code,
                                  .enhanced = keep(g, r->enhanced),
                                  .reply = keep(g, r->reply),
                                  .remote = keep(g, r->remote),
                                  .tls = keep(g, r->tls)};
}

static void give_up_one(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct giving_up *g = ctx;
    if ((!store_state_waits(r->state) && r->state != STORE_HELD) ||
        queue_is_under_way(g->q, mail->id, r->number))
        return;
    if (!g->item) {
        g->item = queue_item_new(mail, false);
        g->item->looked_up = true;
        queue_item_aim(g->item, queue_destination_of(g->q, r->route, r->address));
    }
    size_t n = g->item->target_n, each = sizeof *g->outcomes;
    if (n == g->room) {
        size_t room = g->room ? g->room * 2 : 8;
        g->outcomes = os_heap.resize(os_heap.ctx, g->outcomes, g->room * each, room * each);
        g->room = room;
    }
    g->outcomes[n] = outcome_of(g, r);
    queue_item_add(g->item, r);
}

int queue_give_up(struct queue *q, uint64_t mail, struct sp_view why)
{
    enum { PAGE = 1000 };
    struct giving_up g = {.q = q, .why = why};
    struct store_cursor cursor = {.mail = mail, .only = true};
    int status = SP_OK;
    sp_arena_init(&g.memory, &os_heap, SIZE_MAX / 2);
    while (!status && !cursor.end)
        status = store_list(q->store, &cursor, PAGE, give_up_one, &g);
    if (g.item) {
        queue_settle(q, g.item, g.outcomes, g.item->target_n);
        queue_batch_commit(q);
        status = q->failing ? SP_ERR_IO : status;
    }
    free(g.outcomes);
    sp_arena_reset(&g.memory);
    return status;
}
