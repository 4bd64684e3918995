/* Why recipients wait, and how their destinations are. */
#include "base/view.h"
#include "os/heap.h"
#include "roles/queue/control_own.h"

enum { PAGE = 100 };

/* --- why ------------------------------------------------------------------------------------ */

struct reasons {
    const struct queue_control *c;
    struct sp_buf list;
};

/* What its last attempt met, when it is the DNS or a TLS policy: RFC 3463, RFC 7505, RFC 8461 and RFC 7672.
 */
static enum ipc_queue_rule rule_of_failure(uint32_t code, struct sp_view enhanced)
{
    static const char *const dns[] = {"4.4.3", "4.1.2"}, *const tls[] = {"4.7.5", "4.7.4", "4.7.10",
                                                                         "4.7.11"};
    for (size_t i = 0; i < sizeof dns / sizeof *dns; i++)
        if (code == 0 && sp_view_eq(enhanced, sp_view_of(dns[i]))) /* with one it is another server's DNS */
            return IPC_QUEUE_RULE_DNS;
    for (size_t i = 0; i < sizeof tls / sizeof *tls; i++)
        if (sp_view_eq(enhanced, sp_view_of(tls[i])))
            return IPC_QUEUE_RULE_TLS;
    return IPC_QUEUE_RULE_TIME;
}

/* What the store alone knows. */
static void judge(const struct queue_control *c, const struct store_mail *mail,
                  const struct store_recipient *r, struct ipc_queue_reason *reason)
{
    if (r->state == STORE_HELD) {
        reason->rule = r->unreturned ? IPC_QUEUE_RULE_UNRETURNED : IPC_QUEUE_RULE_HELD;
    } else if (!store_state_waits(r->state)) {
        reason->rule = IPC_QUEUE_RULE_DONE;
    } else if (r->next_ms > c->now_ms && !r->parked.len) {
        bool asked = r->attempts == 0 && mail->parameters.hold_until_ms > c->now_ms;
        reason->rule = (uint8_t)(asked ? IPC_QUEUE_RULE_SENDER : rule_of_failure(r->code, r->enhanced));
        reason->until_ms = (uint64_t)r->next_ms;
    } else {
        reason->rule = IPC_QUEUE_RULE_NEXT;
    }
}

static void add_reason(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct reasons *all = ctx;
    const struct queue_control *c = all->c;
    struct ipc_queue_reason reason = {.number = r->number,
                                      .address = r->address,
                                      .state = sp_view_of(store_state_word(r->state)),
                                      .attempts = r->attempts,
                                      .reply = r->reply,
                                      .remote = r->remote};
    judge(c, mail, r, &reason);
    if (c->why)
        c->why(c->ctx, mail, r, &reason);
    else if (store_state_waits(r->state))
        reason.rule = IPC_QUEUE_RULE_STOPPED;
    (void)ipc_add_queue_reason(&all->list,
                               &reason); /* os_heap never says no; a page is far below the limit */
}

void queue_control_why(const struct queue_control *c, const struct ipc_queue_why *m)
{
    struct reasons all = {.c = c};
    struct store_cursor cursor = {.mail = m->id, .number = m->after_number, .only = true};
    sp_buf_init(&all.list, &os_heap, IPC_PAYLOAD_MAX - 64);
    int status = store_list(c->store, &cursor, PAGE, add_reason, &all);
    if (!status)
        c->send(c->ctx, &(struct ipc_message){.type = IPC_TYPE_queue_reasons,
                                              .as.queue_reasons = {.reasons = sp_buf_view(&all.list)}});
    sp_buf_fini(&all.list);
    queue_control_done(c, (struct ipc_queue_done){.answer = queue_control_word(c, status),
                                                  .more = !status && !cursor.end,
                                                  .after_number = cursor.number});
}

/* --- destinations --------------------------------------------------------------------------- */

static void add_suspension(void *ctx, struct sp_view name, int64_t since_ms)
{
    (void)ipc_add_queue_suspension(
        ctx, /* os_heap never says no; beyond the limit of a message the rest is left */
        &(struct ipc_queue_suspension){name, (uint64_t)since_ms});
}

void queue_control_destinations(const struct queue_control *c, const struct ipc_queue_destinations *m)
{
    struct sp_buf places, suspensions;
    bool more = false;
    int status = SP_OK;
    sp_buf_init(&places, &os_heap, IPC_PAYLOAD_MAX / 2 - 64);
    sp_buf_init(&suspensions, &os_heap, IPC_PAYLOAD_MAX / 2 - 64);
    if (m->after.len == 0)
        status = store_suspensions(c->store, add_suspension, &suspensions);
    if (!status && c->places)
        more = c->places(c->ctx, m->after, &places);
    struct ipc_queue_places answer = {.places = sp_buf_view(&places),
                                      .suspensions = sp_buf_view(&suspensions)};
    if (!status)
        c->send(c->ctx, &(struct ipc_message){.type = IPC_TYPE_queue_places, .as.queue_places = answer});
    sp_buf_fini(&places);
    sp_buf_fini(&suspensions);
    queue_control_done(c, (struct ipc_queue_done){.answer = queue_control_word(c, status), .more = more});
}
