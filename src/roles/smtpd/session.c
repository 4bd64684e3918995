#include "roles/smtpd/session.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "roles/smtpd/decide.h"
#include "roles/smtpd/exchange.h"
#include "roles/smtpd/log.h"
#include "roles/smtpd/mail.h"
#include "roles/smtpd/room.h"
#include "roles/smtpd/terms.h"
#include "roles/smtpd/trace.h"

#include <stdio.h>
#include <stdlib.h>

/* Replies that the client does not read: above this nothing more is done for it. */
enum { CLOGGED_LEN = 65536 };

void session_forget_user(struct session *s)
{
    free(s->user);
    free(s->senders);
    s->user = s->senders = NULL;
}

/* --- end ------------------------------------------------------------------------------------------ */

static void end(struct session *s, const char *why)
{
    struct smtpd *smtpd = s->smtpd;
    bool shown = trace_end(s, why);
    log_ended(s, why, shown);
    exchange_drop(s, why ? "" : sp_server_last_reason(s->engine));
    if (s->mail)
        mail_drop(s->mail);
    if (s->over)
        os_stream_finish(s->stream);
    else
        os_stream_free(s->stream);
    tally_leave(smtpd->tally, terms_key(&s->address));
    wheel_remove(&smtpd->wheel, &s->timer);
    *(s->prev ? &s->prev->next : &smtpd->sessions) = s->next;
    if (s->next)
        s->next->prev = s->prev;
    sp_server_free(s->engine);
    terms_unref(s->terms);
    free(s->hello);
    session_forget_user(s);
    free(s);
    if (--smtpd->session_n == 0 && smtpd->stopping)
        os_timer_set(&smtpd->last_words, SMTPD_LAST_WORDS_MS);
}

/* --- the engine's turn ------------------------------------------------------------------------------ */

/* A call of the engine failed: it cannot go on, and we cannot mend it. */
static void check(struct session *s, int status)
{
    if (status == SP_ERR_CLOSED)
        s->over = true;
    else if (status != SP_OK)
        os_panic("engine", "session %s: the engine answered %d", s->name, status);
}

/*
 * While it waits nothing is read, so a client that leaves is noticed with the answer only. It keeps its place
 * until then: a guesser whose refusal is held back must not get another one by closing the connection.
 */
static bool may_read(const struct session *s)
{
    return s->wait == WAIT_NOTHING && !s->handshaking && !s->over && !s->clogged && !s->held;
}

static void send_output(struct session *s)
{
    struct sp_view out = sp_server_output(s->engine);
    if (out.len == 0)
        return;
    log_replies(s, out);
    trace_server(s, out);
    os_stream_write(s->stream, out);
    sp_server_sent(s->engine, out.len);
    s->clogged = os_stream_backlog(s->stream) > CLOGGED_LEN;
}

static void start_tls(struct session *s)
{
    send_output(s);
    s->handshaking = true;
    os_stream_start_tls(s->stream, s->terms->tls, NULL, s->terms->options.timeouts.tls_ms);
}

/* true: there was an event. */
static bool advance(struct session *s)
{
    struct sp_server_event ev;
    bool any = false;
    while (s->wait == WAIT_NOTHING && !s->handshaking && !s->over &&
           sp_server_event(s->engine, &ev) != SP_SERVER_NOTHING) {
        any = true;
        if (ev.type == SP_SERVER_CLOSED)
            s->over = true;
        else if (ev.type == SP_SERVER_START_TLS)
            start_tls(s);
        else
            check(s, decide(s, &ev));
    }
    return any;
}

/* The last thing that every way into a session does. false: the session is no more. */
static bool settle(struct session *s)
{
    send_output(s);
    if (s->over) {
        end(s, NULL);
        return false;
    }
    /* A handshake has a deadline of its own. */
    wheel_set(&s->smtpd->wheel, &s->timer,
              s->handshaking            ? UINT64_MAX
              : s->wait == WAIT_SILENCE ? s->greet_at_ms
                                        : sp_server_deadline(s->engine));
    return true;
}

void session_go_on(struct session *s)
{
    s->wait = WAIT_NOTHING;
    advance(s);
    if (settle(s) && (may_read(s) || s->wait == WAIT_SILENCE))
        os_stream_resume(s->stream);
}

/* --- the connection's handlers ------------------------------------------------------------------------ */

static size_t take_input(void *ctx, struct sp_view in)
{
    struct session *s = ctx;
    size_t total = 0, used = 1;
    bool any = true; /* an event can come of octets that were read already: mended line ends */
    if (s->wait == WAIT_SILENCE) {
        check(s, decide_silence(s, false));
        advance(s);
    }
    s->held = s->smtpd->queue_full;
    while (may_read(s) && total < in.len && (used > 0 || any)) {
        enum sp_server_reads reads = sp_server_reads(s->engine);
        check(s, sp_server_feed(s->engine, sp_view_from(in, total), os_mono_ms(), &used));
        trace_client(s, sp_view_sub(in, total, used), reads);
        total += used;
        s->read_octets += used;
        any = advance(s);
        /* Short commands may have long replies: what the client does not take stops the reading, not the
         * engine. */
        if (sp_server_output(s->engine).len >= SP_SERVER_OUTPUT_PAUSE)
            send_output(s);
    }
    if (!settle(s))
        return in.len;
    if (!may_read(s))
        os_stream_pause(s->stream);
    return total;
}

static void note_drained(void *ctx)
{
    struct session *s = ctx;
    if (!s->clogged)
        return;
    s->clogged = false;
    if (may_read(s))
        os_stream_resume(s->stream);
}

static void note_secure(void *ctx, const struct os_tls_facts *tls)
{
    struct session *s = ctx;
    trace_tls(s, tls);
    s->handshaking = false;
    if (!tls->peer_verified) /* without a certificate that is good there is nothing to offer; who tries hears
                                why */
        sp_server_withhold(s->engine, SP_LIT("EXTERNAL"));
    session_forget_user(s);
    if (s->terms->implicit_tls)
        check(s, sp_server_open(s->engine, true, os_mono_ms()));
    else
        check(s, sp_server_secured(s->engine, os_mono_ms()));
    sp_server_set_wall(s->engine, os_wall_ms());
    session_go_on(s);
}

static void note_closed(void *ctx, const char *why)
{
    struct session *s = ctx;
    s->over = false; /* nothing more can be said */
    end(s, why);
}

static const struct os_stream_handlers handlers = {
    .input = take_input, .drained = note_drained, .ready = note_secure, .closed = note_closed};

/* --- begin ------------------------------------------------------------------------------------------------
 */

void session_begin(struct smtpd *smtpd, int fd, const struct session_door *door)
{
    struct session *s = os_new(sizeof *s);
    struct terms *terms = door->terms;
    s->smtpd = smtpd;
    s->terms = terms_ref(terms);
    s->address = door->from;
    s->at_door = door->refusal;
    s->proxied = door->proxied;
    os_address_host(&s->address, s->client);
    s->born_ms = os_mono_ms();
    s->born_wall_ms = (uint64_t)os_wall_ms();
    s->number = message_id_next(&smtpd->names, (int64_t)s->born_wall_ms);
    s->name[0] = 's';
    message_id_text(s->number, s->name + 1);
    s->next = smtpd->sessions;
    if (s->next)
        s->next->prev = s;
    smtpd->sessions = s;
    smtpd->session_n++;
    struct sp_server_options options = terms->options; /* the engine copies them */
    if (terms_trusts_peer(terms, &s->address))
        options.extensions |= SP_EXT_XCLIENT | SP_EXT_XFORWARD;
    if (sp_server_new(&options, &room_heap, &s->engine) != SP_OK)
        os_panic("engine", "a session cannot be made");
    s->stream = os_stream_accepted(smtpd->role->base, fd, &handlers, s);
    trace_begin(s);
    if (terms->implicit_tls) {
        s->handshaking = true;
        os_stream_start_tls(s->stream, terms->tls, NULL, terms->options.timeouts.tls_ms);
        return;
    }
    check(s, sp_server_open(s->engine, false, s->born_ms));
    sp_server_set_wall(s->engine, os_wall_ms());
    session_go_on(s);
}

/* --- from outside ----------------------------------------------------------------------------------------
 */

void session_note_stored(struct session *s, const char *id_text)
{
    (void)snprintf(s->end_text, sizeof s->end_text, "Queued as %s", id_text); /* fits */
    s->mails++;
    check(s, sp_server_yes(s->engine, sp_view_of(s->end_text)));
    session_go_on(s);
}

void session_note_not_stored(struct session *s, enum smtpd_refusal why)
{
    s->end_text[0] = 0;
    s->end_refusal = why;
    check(s, sp_server_no(s->engine, smtpd_refusal(why)));
    session_go_on(s);
}

bool session_is_receiving(struct session *s)
{
    bool waits = s->wait == WAIT_SPOOL || s->held;
    bool came = s->read_octets != s->seen_octets;
    s->seen_octets = s->read_octets;
    return s->mail && (waits || came);
}

/* Who waits for the answer to END is still told; the engine sees to it. */
void session_shut_down(struct session *s)
{
    if (s->handshaking) {
        end(s, "the server stops");
        return;
    }
    check(s, sp_server_shutdown(s->engine));
    if (s->wait == WAIT_SUBMIT)
        return;
    exchange_drop(s, "shutting-down");
    session_go_on(s);
}

void session_release(struct session *s)
{
    s->held = false;
    if (may_read(s))
        os_stream_resume(s->stream);
}

void session_note_due(void *ctx, struct wheel_entry *e)
{
    struct session *s = (struct session *)((char *)e - offsetof(struct session, timer));
    (void)ctx;
    check(s, sp_server_tick(s->engine, os_mono_ms()));
    if (s->wait == WAIT_SILENCE)
        check(s, decide_silence(s, true));
    advance(s);
    (void)settle(s);
}
