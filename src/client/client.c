/*
 * The work loop: drain the session's events, answer its questions, send its output, until nothing moves.
 *
 * Owners may free the client from any handler; it goes when the outermost call from the loop is left.
 */
#include "base/view.h"
#include "client/state.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum {
    BACKLOG = 128 << 10
}; /* octets given to the stream and not yet sent, above which no content is added */

/* --- answering --------------------------------------------------------------------------- */

/* false: the owner has nothing to say now. */
static bool answer_next(struct client *c)
{
    if (c->ready)
        return false;
    if (c->options->xclient.len > 0 && !c->told_xclient) {
        c->told_xclient = true;
        return sp_client_xclient(c->session, c->options->xclient, os_mono_ms()) == SP_OK;
    }
    if (client_login(c))
        return true;
    if (!sp_client_may_mail(c->session)) /* LIMITS: what waits goes over another connection */
        return sp_client_quit(c->session, os_mono_ms()) == SP_OK;
    c->ready = true;
    c->on->ready(c->ctx);
    return !c->ready;
}

/* One event. false: nothing moves until something comes from outside. */
static bool take_event(struct client *c)
{
    struct sp_client_event e;
    switch (sp_client_event(c->session, &e)) {
    case SP_CLIENT_NOTHING:
        return false;
    case SP_CLIENT_REPLY:
        client_story_reply(c, e.as.reply.phase, &e.as.reply.reply);
        client_note_event(c, CLIENT_NOTE_REPLY, &e);
        break;
    case SP_CLIENT_SENT:
        client_note_event(c, CLIENT_NOTE_SENT, &e);
        break;
    case SP_CLIENT_OUTCOME:
        client_tell_outcome(c, &e);
        break;
    case SP_CLIENT_MAIL_DONE:
        client_forget_mail(c);
        c->on->mail_done(c->ctx);
        break;
    case SP_CLIENT_AUTH_DONE:
        client_login_done(c, &e);
        break;
    case SP_CLIENT_FAILED:
        client_fail(c, e.as.failed.fate, e.as.failed.phase, &e.as.failed.reply);
        break;
    case SP_CLIENT_ASK_NEXT:
        return answer_next(c);
    case SP_CLIENT_ASK_ANSWER:
        client_login_answer(c, e.as.challenge);
        break;
    case SP_CLIENT_ASK_CONTENT:
        return client_give_content(c);
    case SP_CLIENT_START_TLS:
        c->handshaking = true;
        client_start_tls(c);
        break;
    case SP_CLIENT_CLOSED:
        client_tell_end(c);
        return false;
    }
    return true;
}

/* Hand over the output; returns the octets. */
static size_t send_output(struct client *c)
{
    size_t total = 0;
    for (;;) {
        struct sp_view out = sp_client_output(c->session);
        if (out.len == 0 || os_stream_backlog(c->stream) > BACKLOG)
            return total;
        os_stream_write(c->stream, out);
        sp_client_sent(c->session, out.len, os_mono_ms());
        total += out.len;
    }
}

/* The timer is set anew only to go off earlier: most deadlines move away before they are due. */
static void set_timer(struct client *c)
{
    uint64_t due = sp_client_deadline(c->session), now = os_mono_ms();
    if (due == UINT64_MAX || (c->timer_ms > 0 && c->timer_ms <= due))
        return;
    c->timer_ms = due;
    os_timer_set(&c->timer, due > now ? due - now : 0);
}

static bool talks(const struct client *c) { return c->stage == CLIENT_TALKING && !c->freed; }

void client_work(struct client *c)
{
    if (c->working || !talks(c))
        return;
    c->working = true;
    do {
        while (talks(c) && take_event(c))
            ;
    } while (talks(c) && send_output(c) > 0);
    c->working = false;
    if (talks(c))
        set_timer(c);
}

static void timer_due(void *ctx)
{
    struct client *c = ctx;
    client_enter(c);
    c->timer_ms = 0;
    if (talks(c)) {
        sp_client_tick(c->session, os_mono_ms());
        client_work(c);
        if (talks(c))
            set_timer(c);
    }
    client_leave(c);
}

/* --- life -------------------------------------------------------------------------------- */

/* The connection is up, and so is TLS where it comes first; or the handshake after STARTTLS is done. */
void client_talk(struct client *c, bool tls)
{
    int status;
    if (c->handshaking) {
        c->handshaking = false;
        status = sp_client_secured(c->session, os_mono_ms());
    } else {
        c->stage = CLIENT_TALKING;
        client_unfail(c);
        status = sp_client_new(&c->session_options, &os_heap, &c->session);
        if (!status)
            status = sp_client_open(c->session, tls, os_mono_ms());
    }
    if (status)
        os_panic("client-talk", "the session refused to go on: %d", status);
    os_stream_resume(c->stream);
    client_work(c);
}

static bool is_hello(struct sp_view hello)
{
    struct sp_client *s = NULL;
    const struct sp_client_options o = {.hello = hello};
    bool good = sp_client_new(&o, &os_heap, &s) == SP_OK;
    sp_client_free(s);
    return good;
}

struct client *client_new(struct event_base *base, struct dns *dns, const struct client_options *options,
                          const struct client_handlers *handlers, void *ctx)
{
    if (!is_hello(options->session.hello))
        return NULL;
    struct client *c = os_new(sizeof *c);
    *c = (struct client){.base = base, .dns = dns, .options = options, .on = handlers, .ctx = ctx};
    c->session_options = options->session;
    if (!options->tls)
        c->session_options.tls = SP_CLIENT_TLS_OFF;
    sp_buf_init(&c->why, &os_heap, CLIENT_TEXT_MAX * 2);
    sp_buf_init(&c->text, &os_heap, CLIENT_TEXT_MAX * 2);
    sp_buf_init(&c->converted, &os_heap, SIZE_MAX / 4);
    os_timer_init(&c->timer, base, timer_due, c);
    client_dial(c);
    return c;
}

static void destroy(struct client *c)
{
    if (c->query)
        dns_query_cancel(c->query);
    if (c->stream)
        os_stream_free(c->stream);
    client_login_forget(c);
    client_forget_mail(c);
    sp_buf_fini(&c->converted);
    sp_client_free(c->session);
    os_timer_fini(&c->timer);
    sp_buf_fini(&c->why);
    sp_buf_fini(&c->text);
    free(c);
}

void client_enter(struct client *c) { c->depth++; }

void client_leave(struct client *c)
{
    if (--c->depth == 0 && c->freed)
        destroy(c);
}

void client_free(struct client *c)
{
    if (!c)
        return;
    c->freed = true;
    if (c->depth == 0)
        destroy(c);
}

/* --- the owner's words ------------------------------------------------------------------------ */

bool client_is_ready(const struct client *c) { return c->ready; }

void client_expect(struct client *c, int status, const char *what)
{
    if (status)
        os_panic("client-misuse", "%s was refused by the session: %d", what, status);
    client_enter(c);
    client_work(c);
    client_leave(c);
}

void client_quit(struct client *c)
{
    c->ready = false;
    client_expect(c, sp_client_quit(c->session, os_mono_ms()), "QUIT");
}

void client_raw(struct client *c, struct sp_view octets, unsigned replies)
{
    c->ready = false;
    client_expect(c, sp_client_raw(c->session, octets, replies, os_mono_ms()), "octets");
}

void client_abandon(struct client *c, struct sp_view why)
{
    client_enter(c);
    if (c->stage == CLIENT_TALKING) {
        sp_client_eof(c->session, why);
        client_work(c);
    } else if (c->stage == CLIENT_DIALLING) {
        if (c->query)
            dns_query_cancel(c->query);
        c->query = NULL;
        client_fail_here(c, SP_CLIENT_RETRY, "CONNECT", "4.4.1", why);
        client_tell_end(c);
    }
    client_leave(c);
}

const char *client_remote(const struct client *c) { return c->remote; }

const struct sp_client *client_session(const struct client *c) { return c->session; }

const struct os_tls_facts *client_tls(const struct client *c)
{
    return c->stream ? os_stream_tls(c->stream) : NULL;
}

bool client_certificate(const struct client *c, size_t i, struct os_tls_certificate *certificate_out)
{
    return c->stream && os_stream_certificate(c->stream, i, certificate_out);
}
