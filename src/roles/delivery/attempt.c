/* An attempt from its message to its result. Queue logs the outcomes, once they are stored. */
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/delivery/delivery.h"
#include "sallyport/smtp_server.h"

#include <stdlib.h>
#include <unistd.h>

enum { OUTCOMES_MAX = IPC_PAYLOAD_MAX, ENHANCED_MAX = 16 };

static size_t count_targets(struct sp_view list)
{
    struct ipc_target t;
    size_t n = 0;
    while (ipc_next_target(&list, &t))
        n++;
    return n;
}

/* Copy v to *at and move on. */
static struct sp_view keep(uint8_t **at, struct sp_view v)
{
    struct sp_view kept = {*at, v.len};
    if (v.len > 0)
        memcpy(*at, v.p, v.len);
    *at += v.len;
    return kept;
}

static bool has_eight_bit(struct sp_view v)
{
    uint8_t any = 0;
    for (size_t i = 0; i < v.len; i++)
        any |= v.p[i];
    return any & 0x80;
}

/* Does the header say "TLS-Required: No"? RFC 8689 5: better late on an open link than never. */
static bool waives_tls(struct sp_view content)
{
    while (content.len > 0) {
        size_t end = sp_view_find(content, '\n', 0), name = SP_LIT("tls-required:").len;
        struct sp_view line = sp_view_sub(content, 0, end);
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0)
            return false;
        if (sp_view_starts_nocase(line, SP_LIT("tls-required:")))
            return sp_view_eq_nocase(sp_view_trim(sp_view_from(line, name)), SP_LIT("no"));
        content = sp_view_from(content, end + 1);
    }
    return false;
}

static bool file_waives_tls(int fd)
{
    enum { HEADER_MAX = 65536 };
    uint8_t *head = os_new(HEADER_MAX);
    ssize_t n = pread(fd, head, HEADER_MAX, 0);
    bool waives = n > 0 && waives_tls(sp_view_make(head, (size_t)n));
    free(head);
    return waives;
}

struct delivery_attempt *delivery_attempt_new(struct delivery *d, struct os_edge *queue,
                                              const struct ipc_attempt *m)
{
    size_t n = count_targets(m->targets);
    size_t fixed = sizeof(struct delivery_attempt) + n * sizeof(struct delivery_target);
    if (n == 0) {
        if (m->fd >= 0)
            close(m->fd);
        return NULL;
    }
    struct delivery_attempt *a = os_new(fixed + m->sender.len + m->route.len + m->content.len +
                                        m->targets.len + m->parameters.envid.len + m->parameters.auth.len);
    uint8_t *at = (uint8_t *)a + fixed;
    struct sp_view list = m->targets;
    *a = (struct delivery_attempt){
        .delivery = d,
        .lease = m->lease,
        .id = m->id,
        .queue = queue,
        .fd = m->fd,
        .size = m->size,
        .connections = m->connections,
        .site = "",
        .declared_eight_bit = m->parameters.body != SP_BODY_7BIT,
        .target_n = n,
        .open_n = n,
        .parameters = m->parameters,
    };
    a->parameters.envid = keep(&at, m->parameters.envid);
    a->parameters.auth = keep(&at, m->parameters.auth);
    a->sender = keep(&at, m->sender);
    a->route = keep(&at, m->route);
    a->content = keep(&at, m->content);
    for (size_t i = 0; i < n; i++) {
        struct ipc_target t;
        if (!ipc_next_target(&list, &t))
            break;
        a->targets[i] = (struct delivery_target){
            .recipient = t.recipient, .address = keep(&at, t.address), .parameters = t.parameters};
        a->targets[i].parameters.orcpt = keep(&at, t.parameters.orcpt);
    }
    a->eight_bit = m->fd >= 0 ? a->declared_eight_bit : has_eight_bit(a->content);
    a->plain_will_do =
        !m->parameters.require_tls && (m->fd >= 0 ? file_waives_tls(m->fd) : waives_tls(a->content));
    message_id_text(a->id, a->id_text);
    sp_buf_init(&a->outcomes, &os_heap, OUTCOMES_MAX);
    sp_buf_init(&a->talk, &os_heap, DELIVERY_TALK_MAX);
    return a;
}

/* --- outcomes ---------------------------------------------------------------------------- */

/* A reason of ours that is not final has a code that is not final (RFC 3463 2). */
static struct sp_view fit_enhanced(const struct delivery_outcome *o, uint8_t store[ENHANCED_MAX])
{
    bool lasting = o->enhanced.len > 0 && o->enhanced.len <= ENHANCED_MAX && o->enhanced.p[0] == '5';
    if (o->kind != IPC_OUTCOME_DEFERRED || o->code > 0 || !lasting)
        return o->enhanced;
    memcpy(store, o->enhanced.p, o->enhanced.len);
    store[0] = '4';
    return sp_view_make(store, o->enhanced.len);
}

void delivery_attempt_settle(struct delivery_attempt *a, size_t target, const struct delivery_outcome *o)
{
    struct delivery_target *t = &a->targets[target];
    uint8_t store[ENHANCED_MAX];
    o = delivery_detour_telling(t, o);
    if (t->settled)
        os_panic("delivery-twice", "a second outcome for a recipient of %s", a->id_text);
    struct ipc_outcome outcome = {
        .recipient = t->recipient,
        .kind = (uint8_t)o->kind,
        .end = (uint8_t)o->end,
        .stage = (uint8_t)o->stage,
        .code = (uint32_t)o->code,
        .enhanced = fit_enhanced(o, store),
        .reply = o->reply,
        .remote = sp_view_of(o->remote),
        .tls = sp_view_of(o->tls),
    };
    ipc_add_outcome(&a->outcomes, &outcome);
    t->settled = true;
    a->open_n--;
    if (o->kind == IPC_OUTCOME_DELIVERED)
        delivery_done_add(&a->delivery->done, a->id, t->recipient);
}

void delivery_attempt_settle_open(struct delivery_attempt *a, const struct delivery_outcome *o)
{
    for (size_t i = 0; i < a->target_n; i++)
        if (!a->targets[i].settled)
            delivery_attempt_settle(a, i, o);
}

void delivery_attempt_finish(struct delivery_attempt *a)
{
    struct ipc_message m = {.type = IPC_TYPE_attempt_result};
    m.as.attempt_result.lease = a->lease;
    m.as.attempt_result.outcomes = sp_buf_view(&a->outcomes);
    m.as.attempt_result.health = (uint8_t)a->health;
    m.as.attempt_result.site = sp_view_of(a->site);
    m.as.attempt_result.talk = sp_buf_view(&a->talk);
    if (sp_buf_status(&a->outcomes))
        os_panic("delivery-outcomes", "the outcomes of %s do not fit a message", a->id_text);
    if (a->queue && os_edge_send(a->queue, &m) == SP_ERR_LONG)
        os_panic("delivery-outcomes", "the outcomes of %s do not fit a message", a->id_text);
    delivery_attempt_drop(a);
}

void delivery_attempt_drop(struct delivery_attempt *a)
{
    if (a->fd >= 0)
        close(a->fd);
    for (size_t i = 0; i < a->target_n; i++)
        delivery_detour_forget(&a->targets[i]);
    sp_buf_fini(&a->outcomes);
    sp_buf_fini(&a->talk);
    delivery_aim_unref(a->aim);
    free(a);
}
