/* How many messages each user of this machine may hand in. Who has had enough waits; nothing of it is lost.
 */
#include "roles/pickup/pickup.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

enum { HOUR_MS = 3600000 };

static void begin_hour(struct pickup *p, int64_t now)
{
    uint64_t seed = p->taken.seed;
    sp_table_fini(&p->taken);
    sp_table_init(&p->taken, &os_heap, seed);
    p->taken_ms = now;
}

bool pickup_count(struct pickup *p, uid_t uid)
{
    uintptr_t most = p->role->config->limits.maildrop_messages;
    int64_t now = os_wall_ms();
    struct sp_view key = sp_view_make(&uid, sizeof uid);
    if (uid == 0 || most == 0)
        return true;
    if (now < p->taken_ms || now - p->taken_ms >= HOUR_MS)
        begin_hour(p, now);
    uintptr_t n = (uintptr_t)sp_table_get(&p->taken, key);
    if (n == most)
        os_log(OS_WARN, "maildrop-limited", OS_NUM("uid", uid), OS_NUM("messages", most),
               OS_STR("note",
                      "further ones of this user wait for the next hour; the limit is maildrop-messages"));
    if (n > most)
        return false;
    int status = sp_table_put(&p->taken, key, (void *)(n + 1)); /* one more than the limit: it was said */
    (void)status;                                               /* os_heap never says no */
    return n < most;
}
