#include "roles/smtpd/smtpd.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/smtpd/doors.h"
#include "roles/smtpd/exchange.h"
#include "roles/smtpd/identity.h"
#include "roles/smtpd/mail.h"
#include "roles/smtpd/room.h"
#include "roles/smtpd/session.h"
#include "roles/smtpd/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct smtpd smtpd_self;

/* --- what the supervisor gives ------------------------------------------------------------------------ */

static void take_tally(struct smtpd *smtpd, const struct ipc_tally *m)
{
    smtpd->tally = tally_open(m->fd, m->rows, smtpd->role->index);
    if (!smtpd->tally)
        os_panic("tally", "the shared counts cannot be opened: %s", strerror(errno));
    close(m->fd);
}

/* --- stop ------------------------------------------------------------------------------------------- */

static void leave_now(void *ctx) { role_exit(((struct smtpd *)ctx)->role); }

/* A message whose final dot has arrived is finished, though much of it may not have been read yet. */
static void shut_down_sessions(void *ctx)
{
    struct smtpd *smtpd = ctx;
    bool patient = os_mono_ms() < smtpd->finish_by_ms, again = false;
    if (smtpd->session_n == 0)
        role_exit(smtpd->role);
    struct session *next;
    for (struct session *s = smtpd->sessions; s; s = next) {
        next = s->next;
        if (patient && session_is_receiving(s))
            again = true;
        else
            session_shut_down(s);
    }
    if (again)
        os_timer_set(&smtpd->look, SMTPD_LOOK_MS);
}

static void stop(struct role *r, uint32_t grace_ms)
{
    struct smtpd *smtpd = r->state;
    if (smtpd->stopping)
        return;
    smtpd->stopping = true;
    doors_close(smtpd);
    smtpd->finish_by_ms = os_mono_ms() + grace_ms / 2;
    os_timer_set(&smtpd->grace, grace_ms);
    os_timer_set(&smtpd->look, 0); /* behind what is ready to be read now */
}

/* --- the queue's edge ---------------------------------------------------------------------------------- */

static void release_all(struct smtpd *smtpd)
{
    if (!smtpd->queue_full)
        return;
    smtpd->queue_full = false;
    for (struct session *s = smtpd->sessions; s; s = s->next)
        if (s->held)
            session_release(s);
}

static void note_peer_drained(struct role *r, struct os_edge *peer)
{
    if (os_edge_peer(peer) == IPC_QUEUE)
        release_all(r->state);
    else if (os_edge_peer(peer) == IPC_CONSOLE)
        trace_report(r->state);
}

static void note_peer_up(struct role *r, struct os_edge *peer)
{
    if (os_edge_peer(peer) == IPC_CONSOLE)
        trace_report(r->state);
}

static void note_peer_gone(struct role *r, struct os_edge *peer)
{
    struct smtpd *smtpd = r->state;
    if (os_edge_peer(peer) == IPC_QUEUE) {
        mail_note_queue_gone(smtpd, os_edge_peer_index(peer));
        release_all(smtpd);
    } else if (os_edge_peer(peer) == IPC_AUTH) {
        exchange_note_auth_gone(smtpd, os_edge_peer_index(peer));
    }
}

/* --- life ------------------------------------------------------------------------------------------------
 */

static void prepare(struct smtpd *smtpd, struct role *r)
{
    uint64_t seed;
    os_random(&seed, sizeof seed);
    smtpd->role = r;
    r->state = smtpd;
    sp_buf_init(&smtpd->ticket_keys, &os_heap, (size_t)OS_TLS_TICKET_KEY_LEN * OS_TLS_TICKET_KEY_N);
    sp_table_init(&smtpd->exchanges, &os_heap, seed);
    sp_table_init(&smtpd->mails, &os_heap, seed ^ UINT64_C(0x9e3779b97f4a7c15));
    smtpd->ids.process = smtpd->names.process = r->index;
    wheel_init(&smtpd->wheel, r->base, session_note_due, smtpd);
    os_timer_init(&smtpd->door_timer, r->base, doors_rest_over, smtpd);
    os_timer_init(&smtpd->grace, r->base, leave_now, smtpd);
    os_timer_init(&smtpd->last_words, r->base, leave_now, smtpd);
    os_timer_init(&smtpd->look, r->base, shut_down_sessions, smtpd);
}

/* Each process of auth says it; sessions that come from now on are offered it. */
static void take_source_mechanisms(struct smtpd *smtpd, struct sp_view names)
{
    if (sp_view_eq(names, sp_view_of(smtpd->source_mechanisms)))
        return;
    free(smtpd->source_mechanisms);
    smtpd->source_mechanisms = os_text(names);
    doors_renew(smtpd);
}

static void take_message(struct role *r, struct os_edge *from, const struct ipc_message *m)
{
    struct smtpd *smtpd = &smtpd_self;
    if (!smtpd->role)
        prepare(smtpd, r);
    switch (os_edge_peer(from)) {
    case IPC_QUEUE:
        mail_take_message(smtpd, m);
        return;
    case IPC_AUTH:
        if (m->type == IPC_TYPE_source_mechanisms) {
            take_source_mechanisms(smtpd, m->as.source_mechanisms.names);
            return;
        }
        exchange_take_message(smtpd, m);
        return;
    default:
        break;
    }
    if (m->type == IPC_TYPE_tls_identity)
        identity_take(smtpd, &m->as.tls_identity);
    else if (m->type == IPC_TYPE_client_authorities)
        identity_take_authorities(smtpd, &m->as.client_authorities);
    else if (m->type == IPC_TYPE_ticket_keys)
        identity_take_tickets(smtpd, m->as.ticket_keys.keys);
    else if (m->type == IPC_TYPE_tally)
        take_tally(smtpd, &m->as.tally);
    else if (m->type == IPC_TYPE_listener)
        doors_open(smtpd, m->as.listener.name, m->as.listener.fd);
}

static void start(struct role *r)
{
    struct smtpd *smtpd = r->state;
    if (!smtpd || !smtpd->tally || !smtpd->next_tls)
        os_panic("start", "the supervisor gave no certificate or no shared counts");
    identity_use(smtpd);
    room_init(smtpd);
}

static void reload(struct role *r)
{
    identity_use(r->state);
    doors_renew(r->state);
}

const struct role_ops smtpd_ops = {.start = start,
                                   .reload = reload,
                                   .message = take_message,
                                   .peer_up = note_peer_up,
                                   .peer_gone = note_peer_gone,
                                   .peer_drained = note_peer_drained,
                                   .stop = stop};
