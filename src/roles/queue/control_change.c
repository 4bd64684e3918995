/* Requests that change what becomes of a message, or of a destination. */
#include "base/view.h"
#include "dns/idna.h"
#include "os/heap.h"
#include "roles/queue/control_own.h"

#include <stdlib.h>

/* The recipients of a message that a change concerns, with their texts. */
struct chosen {
    const struct queue_control *c;
    enum ipc_queue_change_kind change;
    struct store_settlement *list;
    size_t n, room;
    uint64_t left; /* others that are open: under way, or not in the state for it */
    struct sp_buf text;
};

static bool is_meant(const struct chosen *o, uint64_t mail, const struct store_recipient *r)
{
    bool waits = store_state_waits(r->state);
    if (waits && o->c->active && o->c->active(o->c->ctx, mail, r->number))
        return false;
    switch (o->change) {
    case IPC_QUEUE_CHANGE_HOLD:
        return waits;
    case IPC_QUEUE_CHANGE_RELEASE:
        return r->state == STORE_HELD;
    default:
        return waits || r->state == STORE_HELD;
    }
}

static void choose(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    struct chosen *o = ctx;
    if (!is_meant(o, mail->id, r)) {
        o->left += store_state_waits(r->state) || r->state == STORE_HELD;
        return;
    }
    if (o->n == o->room) {
        size_t room = o->room ? o->room * 2 : 16, each = sizeof *o->list;
        o->list = os_heap.resize(os_heap.ctx, o->list, o->room * each, room * each);
        o->room = room;
    }
    /* Texts are found again by their lengths, for the buffer moves. */
    o->list[o->n++] = (struct store_settlement){.number = r->number,
                                                .state = r->attempts ? STORE_DEFERRED : STORE_QUEUED,
                                                .next_ms = o->c->now_ms,
                                                .last_ms = r->last_ms,
                                                .code = r->code,
                                                .enhanced = {NULL, r->enhanced.len},
                                                .reply = {NULL, r->reply.len},
                                                .remote = {NULL, r->remote.len},
                                                .tls = {NULL, r->tls.len}};
    (void)sp_buf_add(&o->text, r->enhanced); /* os_heap never says no */
    (void)sp_buf_add(&o->text, r->reply);
    (void)sp_buf_add(&o->text, r->remote);
    (void)sp_buf_add(&o->text, r->tls);
}

static void find_texts(struct chosen *o)
{
    size_t at = 0;
    for (size_t i = 0; i < o->n; i++) {
        struct sp_view *views[] = {&o->list[i].enhanced, &o->list[i].reply, &o->list[i].remote,
                                   &o->list[i].tls};
        for (size_t k = 0; k < sizeof views / sizeof *views; k++) {
            views[k]->p = o->text.p + at;
            at += views[k]->len;
        }
    }
}

/* --- the changes ---------------------------------------------------------------------------- */

static void hold(struct chosen *o)
{
    for (size_t i = 0; i < o->n; i++) {
        o->list[i].state = STORE_HELD;
        if (o->list[i].reply.len == 0)
            o->list[i].reply = SP_LIT("held by the operator");
    }
}

/* The first one goes there; the others would only bring the same message again. */
static int redirect(struct chosen *o, uint64_t id, struct sp_view address, struct sp_view route)
{
    static const struct sp_view elsewhere = SP_LIT_INIT("redirected by the operator, with another recipient");
    int status = o->n ? store_redirect(o->c->store, id, o->list[0].number, address, route) : SP_OK;
    for (size_t i = 1; i < o->n; i++) {
        o->list[i].state = STORE_DELIVERED;
        o->list[i].reply = elsewhere;
    }
    return status;
}

static int write_down(struct chosen *o, const struct ipc_queue_change *m, struct sp_view address,
                      struct sp_view route)
{
    const struct queue_control *c = o->c;
    bool gone;
    int status = store_begin(c->store);
    if (status)
        return status;
    if (o->change == IPC_QUEUE_CHANGE_HOLD)
        hold(o);
    else if (o->change == IPC_QUEUE_CHANGE_REDIRECT)
        status = redirect(o, m->id, address, route);
    if (!status)
        status = store_settle(c->store, m->id, o->list, o->n, &gone);
    if (status)
        store_rollback(c->store);
    return status ? status : store_commit(c->store);
}

static int read_all(struct chosen *o, uint64_t id)
{
    enum { PAGE = 1000 };
    struct store_cursor cursor = {.mail = id, .only = true};
    int status = SP_OK;
    while (!status && !cursor.end)
        status = store_list(o->c->store, &cursor, PAGE, choose, o);
    find_texts(o);
    return status;
}

void queue_control_change(const struct queue_control *c, const struct ipc_queue_change *m)
{
    struct ipc_queue_done done = {.answer = IPC_QUEUE_DONE};
    struct chosen o = {.c = c, .change = (enum ipc_queue_change_kind)m->change};
    struct sp_view route = {0};
    struct sp_buf address;
    bool here = m->change == IPC_QUEUE_CHANGE_HOLD || m->change == IPC_QUEUE_CHANGE_RELEASE;
    sp_buf_init(&o.text, &os_heap, SIZE_MAX / 2);
    sp_buf_init(&address, &os_heap, SIZE_MAX / 2);
    if (m->change >= IPC_QUEUE_CHANGE_N)
        done.answer = IPC_QUEUE_BROKEN;
    else if (!here && !c->bounce)
        done.answer = IPC_QUEUE_UNSERVED;
    else if (m->change == IPC_QUEUE_CHANGE_REDIRECT)
        done.answer = (uint8_t)c->route(c->ctx, m->address, &address, &route);
    if (done.answer == IPC_QUEUE_DONE) {
        if (c->forget)
            c->forget(c->ctx, m->id);
        int status = read_all(&o, m->id);
        if (!status && o.n && m->change == IPC_QUEUE_CHANGE_BOUNCE)
            status = c->bounce(c->ctx, m->id);
        else if (!status && o.n)
            status = write_down(&o, m, sp_buf_view(&address), route);
        if (c->changed)
            c->changed(c->ctx, m->id, status ? 0 : o.n, (enum ipc_queue_change_kind)m->change);
        done = (struct ipc_queue_done){
            .answer = queue_control_word(c, status), .count = status ? 0 : o.n, .held = o.left};
    }
    free(o.list);
    sp_buf_fini(&o.text);
    sp_buf_fini(&address);
    queue_control_done(c, done);
}

void queue_control_suspend(const struct queue_control *c, const struct ipc_queue_suspend *m)
{
    char ascii[DNS_IDNA_MAX];
    size_t len;
    int status = store_begin(c->store);
    uint64_t n = 1;
    /* A domain as the DNS has it, which is how destinations name it; a route's name is ASCII. */
    struct sp_view name = dns_idna(m->name, ascii, &len) == SP_OK ? sp_view_make(ascii, len) : m->name;
    if (!status) {
        int changed = m->resume ? store_resume(c->store, name) : store_suspend(c->store, name, c->now_ms);
        n = changed == SP_OK;
        if (changed == SP_ERR_ABSENT || changed == SP_ERR_EXISTS)
            changed = SP_OK;
        if (changed)
            store_rollback(c->store);
        status = changed ? changed : store_commit(c->store);
    }
    if (!status && c->suspended)
        c->suspended(c->ctx, name, m->resume);
    queue_control_done(
        c, (struct ipc_queue_done){.answer = queue_control_word(c, status), .count = status ? 0 : n});
}
