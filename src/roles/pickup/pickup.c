#include "roles/pickup/pickup.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AGAIN_MS = 5000 }; /* after the queue could not take it */

static struct pickup *pickup_of(struct role *r) { return r->state; }

static struct os_edge *queue_of(const struct pickup *p) { return role_peer(p->role, IPC_QUEUE, 0); }

/* --- one file after the other --------------------------------------------------------------- */

static void end_parcel(struct pickup *p, void (*how)(struct pickup *p, struct parcel *parcel))
{
    struct parcel *parcel = p->parcel;
    p->parcel = NULL;
    p->wait = PICKUP_IDLE;
    how(p, parcel);
    os_later_ask(&p->turn);
}

/* It stays as it is, under its id. */
static void try_later(struct pickup *p, const char *why)
{
    if (!p->troubled && why)
        os_log(OS_WARN, "maildrop-waits", OS_STR("why", why),
               OS_STR("note", "it is tried again until it works"));
    p->troubled = p->troubled || why;
    if (p->parcel)
        parcel_free(p->parcel);
    p->parcel = NULL;
    p->wait = PICKUP_IDLE;
    p->left = true;
    os_timer_set(&p->again, AGAIN_MS);
}

static void finish(struct pickup *p)
{
    p->troubled = false;
    if (p->wait == PICKUP_SUBMIT)
        os_log(OS_INFO, "picked-up", OS_STR("id", p->parcel->name), OS_STR("user", p->parcel->user),
               OS_NUM("size", p->parcel->size), OS_NUM("recipients", p->parcel->recipients.n));
    if (p->wait == PICKUP_BOUNCE || !pickup_owes_report(p->parcel)) {
        end_parcel(p, parcel_finish);
        return;
    }
    p->wait = PICKUP_BOUNCE;
    struct os_edge *queue = queue_of(p);
    int status = queue ? pickup_report(p, p->parcel, queue) : SP_ERR_CLOSED;
    if (status == SP_ERR_CLOSED) {
        try_later(p, NULL);
    } else if (status != SP_OK) {
        os_log(OS_WARN, "not-bounced", OS_STR("id", p->parcel->name),
               OS_STR("why", "the report is too large"));
        end_parcel(p, parcel_finish);
    }
}

static void submit(struct pickup *p)
{
    struct parcel *parcel = p->parcel;
    struct os_edge *queue = queue_of(p);
    struct ipc_message m = {
        .type = IPC_TYPE_submit,
        .as.submit = {.tag = ++p->tag,
                      .id = parcel->id,
                      .received_ms = parcel->received_ms,
                      .client = SP_LIT("local"),
                      .user = sp_view_of(parcel->user),
                      .sender = parcel->sender,
                      .parameters = parcel->parameters,
                      .recipients = sp_buf_view(&parcel->recipients.list),
                      .size = parcel->size,
                      .spooled = parcel->spooled,
                      .content = parcel->spooled ? (struct sp_view){0} : sp_buf_view(&parcel->content)}};
    int status = queue ? os_edge_send(queue, &m) : SP_ERR_CLOSED;
    if (status == SP_ERR_CLOSED) {
        try_later(p, NULL);
    } else if (status != SP_OK) {
        parcel->fault = "its envelope is larger than one message between processes";
        end_parcel(p, parcel_refuse);
    } else {
        p->wait = PICKUP_SUBMIT;
        sp_buf_fini(&parcel->content);
    }
}

static void drop_spool(struct pickup *p)
{
    struct ipc_message drop = {.type = IPC_TYPE_spool_drop, .as.spool_drop = {.id = p->parcel->id}};
    if (p->parcel->spooled && queue_of(p))
        (void)os_edge_send(queue_of(p), &drop); /* a queue that is gone sweeps it */
    p->parcel->spooled = false;
}

static void read_and_submit(struct pickup *p)
{
    struct parcel *parcel = p->parcel;
    parcel_read(p, parcel);
    if (parcel->fault || parcel->later || parcel->recipients.n == 0)
        drop_spool(p);
    if (parcel->later)
        try_later(p, "the file of the queue cannot be written");
    else if (parcel->fault)
        end_parcel(p, parcel_refuse);
    else if (parcel->recipients.n == 0)
        finish(p);
    else
        submit(p);
}

/* A large message goes into a file of the queue. */
static void want_spool(struct pickup *p)
{
    struct ipc_message want = {.type = IPC_TYPE_spool_want,
                               .as.spool_want = {.tag = ++p->tag, .id = p->parcel->id}};
    if (os_edge_send(queue_of(p), &want) == SP_OK)
        p->wait = PICKUP_SPOOL;
    else
        try_later(p, NULL);
}

static void take_turn(void *ctx)
{
    struct pickup *p = ctx;
    if (p->parcel || p->stopping || !queue_of(p))
        return;
    p->parcel = pickup_claim(p);
    if (!p->parcel)
        os_timer_set(&p->again, pickup_pause_ms(p));
    else if (p->parcel->fault)
        end_parcel(p, parcel_refuse);
    else if (p->parcel->octets > PICKUP_SUBMIT_MAX)
        want_spool(p);
    else
        read_and_submit(p);
}

static void look_again(void *ctx)
{
    struct pickup *p = ctx;
    os_later_ask(&p->turn);
}

/* --- the queue's answers --------------------------------------------------------------------- */

static const char *why_not(uint8_t why)
{
    return why == IPC_SUBMIT_DISK_FULL ? "the disk is nearly full"
                                       : "the queue's store has failed; see its log";
}

/* The id is taken: by this very message, if it was submitted before. Of one that was made just now, the clock
 * has gone back, and somebody else has it. */
static void note_refused(struct pickup *p, uint8_t why)
{
    if (why == IPC_SUBMIT_EXISTS && !p->parcel->fresh && p->wait == PICKUP_SUBMIT)
        finish(p);
    else if (why == IPC_SUBMIT_EXISTS && p->parcel->fresh && p->wait != PICKUP_BOUNCE)
        end_parcel(p, parcel_rename);
    else
        try_later(p, why_not(why));
}

static void note_spool(struct pickup *p, int fd)
{
    p->parcel->spool = fd;
    p->parcel->spooled = true;
    read_and_submit(p);
}

static void take_answer(struct pickup *p, const struct ipc_message *m)
{
    switch (m->type) {
    case IPC_TYPE_spool_here:
        if (p->parcel && p->wait == PICKUP_SPOOL && m->as.spool_here.tag == p->tag)
            note_spool(p, m->as.spool_here.fd);
        else if (m->as.spool_here.fd >= 0)
            close(m->as.spool_here.fd);
        break;
    case IPC_TYPE_spool_no:
        if (p->parcel && p->wait == PICKUP_SPOOL && m->as.spool_no.tag == p->tag)
            note_refused(p, m->as.spool_no.why);
        break;
    case IPC_TYPE_submit_yes:
        if (p->parcel && p->wait >= PICKUP_SUBMIT && m->as.submit_yes.tag == p->tag)
            finish(p);
        break;
    case IPC_TYPE_submit_no:
        if (p->parcel && p->wait >= PICKUP_SUBMIT && m->as.submit_no.tag == p->tag)
            note_refused(p, m->as.submit_no.why);
        break;
    default: /* nothing else is allowed on this edge */
        break;
    }
}

/* --- life ------------------------------------------------------------------------------------ */

static struct pickup *obtain(struct role *r)
{
    if (r->state)
        return r->state;
    struct pickup *p = os_new(sizeof *p);
    p->role = r;
    p->maildrop = p->watch = -1;
    p->ids.process = MESSAGE_ID_PROCESS_PICKUP;
    p->left = true;
    uint64_t seed;
    os_random(&seed, sizeof seed);
    sp_table_init(&p->taken, &os_heap, seed);
    r->state = p;
    return p;
}

/* How many changes there were and to what does not matter. */
static void note_changed(evutil_socket_t fd, short what, void *ctx)
{
    struct pickup *p = ctx;
    uint8_t events[4096];
    (void)what;
    while (read((int)fd, events, sizeof events) > 0)
        continue;
    p->found = true;
    os_later_ask(&p->turn);
}

/* Names for inotify are paths, so the folder is the working one for a moment. */
static void watch_maildrop(struct pickup *p)
{
    p->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    bool watched = p->watch >= 0 && fchdir(p->maildrop) == 0 &&
                   inotify_add_watch(p->watch, ".", IN_MOVED_TO | IN_CREATE | IN_CLOSE_WRITE) >= 0;
    int why = errno;
    if (fchdir(p->role->folder) != 0)
        os_panic("folder", "the role's folder cannot be entered again: %s", strerror(errno));
    if (!watched) {
        os_log(OS_WARN, "maildrop-not-watched", OS_STR("why", strerror(why)),
               OS_STR("effect", "mail of local programs is found once a minute"));
        return;
    }
    p->changed = event_new(p->role->base, p->watch, EV_READ | EV_PERSIST, note_changed, p);
    if (!p->changed || event_add(p->changed, NULL) != 0)
        os_panic("maildrop", "cannot watch a descriptor");
}

static void start(struct role *r)
{
    struct pickup *p = obtain(r);
    if (p->maildrop < 0 || r->folder < 0)
        os_panic("start", "the supervisor gave no maildrop");
    (void)umask(077);
    (void)getpwuid(0); /* whatever it loads, it loads now */
    os_later_init(&p->turn, r->base, take_turn, p);
    os_timer_init(&p->again, r->base, look_again, p);
    watch_maildrop(p);
    os_later_ask(&p->turn);
}

static void take_message(struct role *r, struct os_edge *from, const struct ipc_message *m)
{
    struct pickup *p = obtain(r);
    if (m->type == IPC_TYPE_maildrop)
        p->maildrop = m->as.maildrop.fd;
    else if (os_edge_peer(from) == IPC_QUEUE)
        take_answer(p, m);
}

static void greet_peer(struct role *r, struct os_edge *peer)
{
    (void)peer;
    os_later_ask(&pickup_of(r)->turn);
}

/* What it was asked may be stored or not: it is asked again under the same id. */
static void lose_peer(struct role *r, struct os_edge *peer)
{
    struct pickup *p = pickup_of(r);
    (void)peer;
    if (p->parcel)
        try_later(p, NULL);
}

static void leave(struct role *r, uint32_t grace_ms)
{
    (void)grace_ms;
    role_exit(r); /* what is under way is asked for again by the next one */
}

const struct role_ops pickup_ops = {
    .start = start, .message = take_message, .peer_up = greet_peer, .peer_gone = lose_peer, .stop = leave};
