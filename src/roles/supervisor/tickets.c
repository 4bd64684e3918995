#include "roles/supervisor/tickets.h"

#include "os/heap.h"

#include <string.h>

/* A ticket lives for at most as long as its key is kept: three times this. */
static const uint64_t ROTATE_MS = 8ull * 60 * 60 * 1000;

static void rotate(struct tickets *t)
{
    memmove(t->keys[1], t->keys[0], sizeof t->keys - sizeof t->keys[0]);
    os_random(t->keys[0], sizeof t->keys[0]);
    if (t->n < OS_TLS_TICKET_KEY_N)
        t->n++;
    os_timer_set(&t->timer, ROTATE_MS);
}

static void rotate_in_time(void *ctx)
{
    struct tickets *t = ctx;
    rotate(t);
    t->rotated(t->ctx);
}

void tickets_init(struct tickets *t, struct event_base *base, void (*rotated)(void *ctx), void *ctx)
{
    *t = (struct tickets){.rotated = rotated, .ctx = ctx};
    os_timer_init(&t->timer, base, rotate_in_time, t);
    rotate(t);
}

void tickets_fini(struct tickets *t)
{
    os_timer_fini(&t->timer);
    explicit_bzero(t->keys, sizeof t->keys);
    t->n = 0;
}

struct sp_view tickets_view(const struct tickets *t)
{
    return (struct sp_view){t->keys[0], t->n * OS_TLS_TICKET_KEY_LEN};
}
