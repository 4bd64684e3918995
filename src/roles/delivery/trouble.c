#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "roles/delivery/delivery.h"

#include <stdlib.h>

enum { PAUSE_FIRST_MS = 5000, PAUSE_MOST_MS = 300000, TEXT_MAX = 2000 };

static void trouble_free(struct delivery_trouble *t)
{
    if (!t)
        return;
    sp_buf_fini(&t->text);
    free(t);
}

void delivery_trouble_forget_all(struct delivery *d)
{
    uint64_t seed = d->troubles.seed;
    size_t cursor = 0;
    struct sp_view key;
    for (void *value; sp_table_next(&d->troubles, &cursor, &key, &value);)
        trouble_free(value);
    sp_table_fini(&d->troubles);
    sp_table_init(&d->troubles, &os_heap, seed);
}

static struct delivery_trouble *obtain(struct delivery *d, struct sp_view key, uint64_t now_ms)
{
    struct delivery_trouble *t = sp_table_get(&d->troubles, key);
    if (t)
        return t;
    /* Whoever names so many dead hosts gains that they are dialled anew, no more. */
    if (d->troubles.n >= DELIVERY_TROUBLES_MAX)
        delivery_trouble_forget_all(d);
    t = os_new(sizeof *t);
    t->since_ms = now_ms;
    sp_buf_init(&t->text, &os_heap, TEXT_MAX);
    int status = sp_table_put(&d->troubles, key, t);
    (void)status; /* os_heap never says no */
    return t;
}

bool delivery_trouble_note(struct delivery *d, struct sp_view key, struct sp_view text)
{
    uint64_t now_ms = os_mono_ms();
    struct delivery_trouble *t = obtain(d, key, now_ms);
    struct sp_view kept = sp_view_sub(text, 0, TEXT_MAX);
    bool news = !sp_view_eq(sp_buf_view(&t->text), kept);
    t->last_ms = now_ms;
    t->pause_ms = t->pause_ms == 0                  ? PAUSE_FIRST_MS
                  : t->pause_ms < PAUSE_MOST_MS / 2 ? t->pause_ms * 2
                                                    : PAUSE_MOST_MS;
    sp_buf_clear(&t->text);
    sp_buf_add(&t->text, kept);
    return news;
}

const struct delivery_trouble *delivery_trouble_find(const struct delivery *d, struct sp_view key)
{
    return sp_table_get(&d->troubles, key);
}

int64_t delivery_trouble_end(struct delivery *d, struct sp_view key)
{
    struct delivery_trouble *t = sp_table_take(&d->troubles, key);
    int64_t lasted_s = t ? (int64_t)((os_mono_ms() - t->since_ms) / 1000) : -1;
    trouble_free(t);
    return lasted_s;
}
