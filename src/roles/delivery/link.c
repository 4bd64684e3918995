/*
 * One connection to a server, used for mail after mail.
 *
 * Four cases are not what the outcome says, and are tried anew at once:
 * - a server closes idle connections, and the close crosses with our MAIL: nothing of the mail was answered,
 * so it goes over another connection;
 * - a server takes only so many mails over a connection, and says so at the next MAIL (452, as OpenSMTPD
 * does, or 421): the same;
 * - a server takes only so many recipients in a transaction (452, 552): the others go in the next one;
 * - a server offers CHUNKING and does not know BDAT, as where a filter in between passes EHLO on: by DATA,
 * then.
 */
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/delivery/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    IDLE_MS = 10000,
    KEPT_MOST = 500, /* connections at once; of more, one that has carried a single mail is not kept idle */
    BLOCK = 65536,
    ENOUGH_MS = 5000,
    STARVED_TOLD_MS = 60000
};

bool delivery_link_is_idle(const struct delivery_link *l)
{
    return l->client && !l->attempt && client_is_ready(l->client);
}

static struct delivery_link *link_of(struct delivery_racer *r) { return r->link; }

static enum ipc_outcome_kind kind_of(enum sp_client_fate fate)
{
    switch (fate) {
    case SP_CLIENT_DELIVERED:
        return IPC_OUTCOME_DELIVERED;
    case SP_CLIENT_BOUNCE:
        return IPC_OUTCOME_FAILED;
    case SP_CLIENT_UNKNOWN:
        return IPC_OUTCOME_UNKNOWN;
    default:
        return IPC_OUTCOME_DEFERRED;
    }
}

static struct delivery_outcome outcome_of(const struct delivery_link *l, const struct client_verdict *v)
{
    return (struct delivery_outcome){.kind = kind_of(v->fate),
                                     .end = v->dsn                                      ? IPC_END_PASSED
                                            : l->pool->route->kind == CONFIG_ROUTE_LMTP ? IPC_END_FINAL
                                                                                        : IPC_END_RELAYED,
                                     .stage = delivery_stage_of(v->phase),
                                     .code = v->code,
                                     .enhanced = v->enhanced,
                                     .reply = v->text,
                                     .remote = v->remote,
                                     .tls = l->tls};
}

/* --- a mail ------------------------------------------------------------------------------ */

void delivery_link_begin(struct delivery_link *l, struct delivery_attempt *a)
{
    size_t n = 0;
    os_timer_stop(&l->idle);
    l->attempt = a;
    l->crowded_n = l->taken_n = 0;
    l->lost = false;
    delivery_talk_begin(l);
    for (size_t i = 0; i < a->target_n && n < DELIVERY_RECIPIENTS; i++) {
        if (a->targets[i].settled || a->targets[i].postponed)
            continue;
        l->crowded[n] = false;
        l->targets[n] = i;
        l->asked[n] = a->targets[i].parameters;
        l->recipients[n++] = a->targets[i].address;
    }
    l->mail = (struct sp_client_mail){
        .sender = a->sender,
        .recipients = l->recipients,
        .recipient_n = n,
        .asked = l->asked,
        .parameters = a->parameters,
        .size = a->size,
        .wall_ms = os_wall_ms(),
        .eight_bit = a->eight_bit,
        .send_eight_bit = !a->declared_eight_bit, /* its sender did not ask for more than trying */
        .chunk = l->pool->no_chunks ? 0 : SP_CLIENT_CHUNK_DEFAULT,
    };
    l->mail.parameters.hold_until_ms = 0; /* the queue has held it: whoever sends it earlier means it */
    client_mail(l->client, &l->mail);
}

static int read_block(struct delivery_link *l, uint64_t offset, struct sp_view *piece_out)
{
    ssize_t n;
    if (!l->block)
        l->block = os_new(BLOCK);
    do
        n = pread(l->attempt->fd, l->block, BLOCK, (off_t)offset);
    while (n < 0 && errno == EINTR);
    if (n < 0 || (n == 0 && offset < l->attempt->size)) {
        l->unreadable = true;
        os_log(OS_WARN, "content-unreadable", OS_STR("id", l->attempt->id_text),
               OS_STR("why", n < 0 ? strerror(errno) : "the file is shorter than the message"));
        return SP_ERR_IO;
    }
    *piece_out = sp_view_make(l->block, (size_t)n);
    return SP_OK;
}

static int give_content(void *ctx, uint64_t offset, struct sp_view *piece_out)
{
    struct delivery_link *l = link_of(ctx);
    if (l->attempt->fd >= 0)
        return read_block(l, offset, piece_out);
    *piece_out = sp_view_from(l->attempt->content, (size_t)offset);
    return SP_OK;
}

/* Nothing of this mail was answered, over a connection that has worked before. */
static bool was_stale(const struct delivery_link *l, const struct client_verdict *v)
{
    bool unanswered =
        strcmp(v->phase, "MAIL") == 0 || strcmp(v->phase, "RSET") == 0 || strcmp(v->phase, "READY") == 0;
    bool worn_out = strcmp(v->phase, "MAIL") == 0 && v->code == 452;
    return l->mail_n > 0 && v->fate == SP_CLIENT_RETRY &&
           (worn_out || (unanswered && (v->code == 0 || v->code == 421)));
}

static bool was_misled(const struct delivery_link *l, const struct client_verdict *v)
{
    bool chunk = strcmp(v->phase, "BDAT") == 0 || strcmp(v->phase, "BDAT_LAST") == 0;
    return chunk && l->mail.chunk > 0 && (v->code == 500 || v->code == 502);
}

static void use_no_chunks(struct delivery_link *l, const struct client_verdict *v)
{
    l->lost = true;
    if (!l->pool->no_chunks)
        os_log(OS_INFO, "no-chunks", OS_STR("remote", v->remote), OS_VIEW("why", v->text));
    l->pool->no_chunks = true;
}

static bool was_crowded(const struct client_verdict *v)
{
    bool told = strcmp(v->phase, "RCPT") == 0 && (v->code == 452 || v->code == 552);
    bool known = v->code == 0 && sp_view_eq(v->enhanced, SP_LIT("4.5.3")); /* LIMITS said so */
    return v->fate == SP_CLIENT_RETRY && (told || known);
}

static void keep_crowd(struct delivery_link *l, size_t recipient, const struct client_verdict *v)
{
    l->crowded[recipient] = true;
    if (l->crowded_n++ > 0)
        return;
    sp_buf_clear(&l->crowd_text);
    sp_buf_add(&l->crowd_text, v->enhanced);
    sp_buf_add(&l->crowd_text, v->text);
    struct sp_view all = sp_buf_view(&l->crowd_text);
    l->crowd = outcome_of(l, v);
    l->crowd.enhanced = sp_view_sub(all, 0, v->enhanced.len);
    l->crowd.reply = sp_view_from(all, v->enhanced.len);
}

static void take_outcome(void *ctx, size_t recipient, const struct client_verdict *v)
{
    struct delivery_link *l = link_of(ctx);
    struct delivery_outcome o = outcome_of(l, v);
    if (was_crowded(v)) {
        keep_crowd(l, recipient, v);
    } else if (was_stale(l, v)) {
        l->lost = true;
    } else if (was_misled(l, v)) {
        use_no_chunks(l, v);
    } else {
        l->taken_n += v->fate == SP_CLIENT_DELIVERED;
        delivery_detour_settle(l, l->targets[recipient], &o);
    }
}

static void end_mail(void *ctx)
{
    struct delivery_link *l = link_of(ctx);
    struct delivery_attempt *a = l->attempt;
    l->mail_n++;
    a->health = l->lost ? IPC_HEALTH_UNTOLD : IPC_HEALTH_GOOD;
    for (size_t i = 0; i < l->mail.recipient_n && l->taken_n == 0 && !l->lost; i++)
        if (l->crowded[i])
            delivery_detour_settle(l, l->targets[i], &l->crowd);
    if (a->open_n == 0) {
        l->attempt = NULL;
        delivery_talk_tell(l, a);
        delivery_attempt_finish(a);
    } else if (a->open_n == a->postponed_n) {
        delivery_detour_begin(l);
    }
}

/* --- a connection -------------------------------------------------------------------------- */

/* What was demanded, and what there is. */
static void describe_tls(struct delivery_link *l)
{
    const struct os_tls_facts *tls = client_tls(l->client);
    const char *policy = delivery_policy_word(delivery_dial_policy(&l->dial));
    if (tls)
        (void)snprintf(l->tls, sizeof l->tls, "%s, %s, %s", policy, tls->version,
                       tls->peer_verified ? "verified" : "not verified");
    else
        (void)snprintf(l->tls, sizeof l->tls, "%s, %s", policy,
                       l->pool->route->socket ? "on this machine" : "in clear");
}

static void log_up(const struct delivery_link *l)
{
    const struct os_tls_facts *tls = client_tls(l->client);
    const struct sasl_credentials *login = l->pool->route->options.credentials;
    os_log(OS_INFO, "remote-connected", OS_STR("route", l->pool->route->name),
           OS_STR("remote", client_remote(l->client)),
           OS_STR("policy", delivery_policy_word(delivery_dial_policy(&l->dial))),
           OS_STR("tls", tls ? tls->version : "no"), OS_STR("cipher", tls ? tls->cipher : NULL),
           OS_STR("certificate", tls ? tls->peer_name : NULL),
           OS_STR("verified", !tls                 ? NULL
                              : tls->peer_verified ? "yes"
                                                   : "no"),
           OS_VIEW("user", login ? login->user : SP_LIT("")));
}

static void log_end(const struct delivery_link *l, const struct client_verdict *v)
{
    os_log(OS_INFO, "remote-ended", OS_STR("route", l->pool->route->name), OS_STR("remote", v->remote),
           OS_NUM("mails", l->mail_n), OS_VIEW("why", v->text));
}

/* A site that cannot be reached is worth a line when that begins, and when the reason changes. */
static void log_failed(const struct delivery_link *l)
{
    const struct delivery_dial *dial = &l->dial;
    const struct delivery_pool *p = l->pool;
    if (delivery_trouble_note(p->delivery, sp_view_of(p->name), dial->failure.reply))
        os_log(OS_INFO, "remote-failed", OS_STR("route", p->route->name), OS_STR("remote", dial->remote),
               OS_STR("phase", dial->phase), OS_VIEW("why", dial->failure.reply),
               OS_NUM("waiting", p->waiting_n));
}

/* The fault is ours, and no trouble of the site. Who is idle gives back what is short. */
static void yield(const struct delivery_link *l)
{
    struct delivery *d = l->pool->delivery;
    uint64_t now_ms = os_mono_ms();
    if (d->starved_ms == 0 || now_ms - d->starved_ms >= STARVED_TOLD_MS) {
        d->starved_ms = now_ms;
        os_log(OS_WARN, "dial-starved", OS_STR("remote", l->dial.remote),
               OS_VIEW("why", l->dial.failure.reply), OS_NUM("connections", d->link_n),
               OS_STR("advice", "raise the hard limit of open files (ulimit -Hn, LimitNOFILE=) or lower the "
                                "connections of routes; the mail is tried again"));
    }
    for (struct delivery_pool *p = d->pools; p; p = p->next)
        for (struct delivery_link *at = p->links, *next; at; at = next) {
            next = at->next;
            if (delivery_link_is_idle(at))
                delivery_link_leave(at);
        }
}

/* Mail to many places makes a connection to each, most of which nobody will need again. */
static bool is_worth_keeping(const struct delivery_link *l)
{
    const struct delivery_pool *p = l->pool;
    bool may = !p->retired && !p->delivery->stopping && !l->avoided;
    return may && (l->mail_n > 1 || p->delivery->link_n <= KEPT_MOST);
}

static void take_next(void *ctx)
{
    struct delivery_link *l = link_of(ctx);
    struct delivery_pool *p = l->pool;
    if (!l->was_ready) {
        p->dialling_n--;
        p->dialling_detour_n -= l->avoided != 0;
        l->was_ready = true;
        describe_tls(l);
        log_up(l);
        delivery_tls_tell_session(l->dial.winner);
        delivery_dial_done(l);
    }
    if (l->attempt && l->lost) { /* it takes no more: the mail waits for another connection */
        client_quit(l->client);
        return;
    }
    if (l->attempt &&
        !l->attempt->queue) { /* nobody waits for the rest of it, and the next queue gives it anew */
        delivery_attempt_drop(l->attempt);
        l->attempt = NULL;
    }
    struct delivery_attempt *a = l->attempt ? l->attempt : delivery_pool_next(p, l);
    bool makes_room = !a && delivery_pool_needs_room(p);
    p->making_room = p->making_room || makes_room;
    if (a)
        delivery_link_begin(l, a);
    else if (is_worth_keeping(l) && !makes_room)
        os_timer_set(&l->idle, IDLE_MS);
    else
        client_quit(l->client);
}

void delivery_link_leave(struct delivery_link *l)
{
    os_timer_stop(&l->idle);
    client_quit(l->client);
}

static void leave_when_idle(void *ctx)
{
    struct delivery_link *l = ctx;
    if (delivery_link_is_idle(l))
        client_quit(l->client);
}

static void remove_link(struct delivery_link *l)
{
    struct delivery_pool *p = l->pool;
    struct delivery_link **at = &p->links;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    p->link_n--;
    p->delivery->link_n--;
    p->dialling_n -= !l->was_ready;
    p->detour_link_n -= l->avoided != 0;
    p->dialling_detour_n -= l->avoided && !l->was_ready;
    p->making_room = false;
    if (l->attempt)
        delivery_pool_give_back(p, l->attempt);
    delivery_dial_end(&l->dial);
    delivery_talk_fini(&l->talk);
    delivery_aim_unref(l->aim);
    os_timer_fini(&l->idle);
    sp_buf_fini(&l->crowd_text);
    free(l->block);
    free(l);
}

static void over(struct delivery_link *l)
{
    struct delivery_pool *p = l->pool;
    struct delivery *d = p->delivery;
    remove_link(l);
    delivery_pool_feed(p);
    delivery_pool_may_go(p);
    delivery_link_ended(d);
}

/* It never came to mail: what waits for it has failed, unless other connections carry that. */
void delivery_link_failed(struct delivery_link *l)
{
    struct delivery_pool *p = l->pool;
    if (l->dial.starved)
        yield(l);
    if (l->avoided) {
        delivery_detour_failed(l);
        over(l);
        return;
    }
    if (!l->abandoned && !l->dial.starved)
        log_failed(l);
    if (p->link_n == p->dialling_n)
        delivery_pool_settle_waiting(p, l);
    else
        p->enough_till_ms = os_mono_ms() + ENOUGH_MS;
    over(l);
}

static void end_link(void *ctx, const struct client_verdict *v)
{
    struct delivery_link *l = link_of(ctx);
    if (!l->was_ready) {
        delivery_race_lost(ctx, v);
        return;
    }
    log_end(l, v);
    over(l);
}

void delivery_link_abandon(struct delivery_link *l, struct sp_view why)
{
    l->abandoned = true;
    if (l->client) {
        client_abandon(l->client, why);
        return;
    }
    const struct delivery_outcome o = {
        .kind = IPC_OUTCOME_DEFERRED, .enhanced = SP_LIT("4.4.1"), .reply = why, .remote = ""};
    delivery_dial_note(l, &o, "DNS");
    delivery_link_failed(l);
}

/* Why no AUTH can be done, or why another mechanism is tried: of all notes the one that an operator looks
 * for. */
static void take_note(void *ctx, const struct client_note *n)
{
    struct delivery_link *l = link_of(ctx);
    delivery_talk_note(l, n);
    if (n->type == CLIENT_NOTE_UP)
        delivery_race_won(ctx);
    if (n->type == CLIENT_NOTE_AUTH)
        os_log(OS_INFO, "remote-auth", OS_STR("route", l->pool->route->name),
               OS_STR("remote", client_remote(l->client)), OS_STR("why", n->text));
}

const struct client_handlers delivery_link_handlers = {
    .note = take_note,
    .ready = take_next,
    .content = give_content,
    .outcome = take_outcome,
    .mail_done = end_mail,
    .ended = end_link,
};

/* The attempt that waits for the next link: those before it have theirs. */
static struct delivery_aim *aim_of_next(const struct delivery_pool *p)
{
    const struct delivery_attempt *a = p->waiting;
    for (size_t i = p->dialling_detour_n; a && i < p->dialling_n; i++)
        a = a->next;
    return a ? delivery_aim_ref(a->aim) : NULL;
}

void delivery_link_open(struct delivery_pool *p, struct delivery_attempt *detour)
{
    struct delivery_link *l = os_new(sizeof *l);
    l->aim = detour ? delivery_aim_ref(detour->aim) : aim_of_next(p);
    l->pool = p;
    l->born = p->taken_n;
    l->next = p->links;
    l->attempt = detour;
    l->avoided = detour ? detour->seen : 0;
    os_timer_init(&l->idle, p->delivery->role->base, leave_when_idle, l);
    sp_buf_init(&l->crowd_text, &os_heap, CLIENT_TEXT_MAX + 64);
    delivery_talk_init(&l->talk);
    p->links = l;
    p->link_n++;
    p->delivery->link_n++;
    p->dialling_n++;
    p->detour_link_n += detour != NULL;
    p->dialling_detour_n += detour != NULL;
    delivery_dial_begin(l);
}
