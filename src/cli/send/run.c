/*
 * Messages over connections: each line is one connection at a time, which takes message after message from
 * the plan until all are sent.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/send/send.h"
#include "os/clock.h"
#include "os/heap.h"

struct run;

struct line {
    struct run *run;
    struct client *client;
    struct sp_client_mail mail;
    struct sp_buf message;
    bool given;   /* this connection has carried a message      */
    bool shown;   /* the content of the message                 */
    bool reached; /* the stage that was wanted                */
    uint64_t began_ms;
};

struct run {
    const struct send_plan *plan;
    const struct send_parts *parts;
    struct send_setup setup;
    struct send_show *show;
    struct line *lines;
    size_t line_n;
    uint32_t begun, failures_shown;
    bool ended; /* the end of the one session was shown */
    struct send_summary summary;
    int code;
};

enum { FAILURES_SHOWN = 10 };

/* A refusal for good outweighs one for now; either outweighs success. */
static void note_code(struct run *r, int code)
{
    if (code != EX_OK && (r->code == EX_OK || r->code == EX_TEMPFAIL))
        r->code = code;
}

static bool is_single(const struct run *r) { return r->plan->repeat == 1; }

/* --- a message ------------------------------------------------------------------------------- */

static enum sp_client_until until_of(enum send_stage stage)
{
    return stage == SEND_STAGE_MAIL   ? SP_CLIENT_UNTIL_MAIL
           : stage == SEND_STAGE_RCPT ? SP_CLIENT_UNTIL_RCPT
           : stage == SEND_STAGE_DATA ? SP_CLIENT_UNTIL_DATA
                                      : SP_CLIENT_UNTIL_END;
}

static bool has_eight_bit_header(struct sp_view message)
{
    struct sp_view rest = message, line;
    while (sp_client_reply_line(&rest, &line) && line.len > 0)
        if (send_has_eight_bit(line))
            return true;
    return false;
}

static bool make_mail(struct line *l)
{
    const struct send_plan *p = l->run->plan;
    if (send_message_make(p, l->run->parts, &l->message))
        return false;
    struct sp_view message = sp_buf_view(&l->message);
    l->mail = (struct sp_client_mail){.sender = p->sender,
                                      .recipients = p->recipients,
                                      .recipient_n = p->recipient_n,
                                      .asked = p->asked,
                                      .parameters = p->parameters,
                                      .size = message.len,
                                      .wall_ms = os_wall_ms(),
                                      .eight_bit = send_has_eight_bit(message),
                                      .utf8_header = has_eight_bit_header(message),
                                      .send_eight_bit = true,
                                      .chunk = p->chunk,
                                      .until = until_of(p->until),
                                      .extra = p->extra,
                                      .extra_rcpt = p->extra_rcpt};
    if (p->binary)
        l->mail.parameters.body = SP_BODY_BINARYMIME;
    return true;
}

/* --- the client's voice ---------------------------------------------------------------------- */

static const struct client_handlers handlers;
static void open_line(struct line *l);

static bool wants_more(const struct run *r) { return r->begun < r->plan->repeat; }

static void close_line(struct line *l)
{
    client_free(l->client);
    l->client = NULL;
    for (size_t i = 0; i < l->run->line_n; i++)
        if (l->run->lines[i].client)
            return;
    dns_free(l->run->setup.dns); /* nothing is left to wait for: the loop ends */
    l->run->setup.dns = NULL;
}

/* As far as was wanted: QUIT, or nothing. */
static void leave(struct line *l)
{
    l->reached = true;
    if (l->run->plan->drop)
        close_line(l);
    else
        client_quit(l->client);
}

static void on_ready(void *ctx)
{
    struct line *l = ctx;
    struct run *r = l->run;
    bool early = r->plan->until != SEND_STAGE_NONE && r->plan->until < SEND_STAGE_MAIL;
    if (early || (l->given && !(r->plan->reuse && wants_more(r)))) {
        leave(l);
        return;
    }
    if (!make_mail(l)) {
        r->code = EX_DATAERR;
        client_quit(l->client);
        return;
    }
    r->begun += l->given; /* the first was counted when the connection was begun for it */
    l->given = true;
    l->shown = false;
    l->began_ms = os_mono_ms();
    client_mail(l->client, &l->mail);
}

static int on_content(void *ctx, uint64_t offset, struct sp_view *piece_out)
{
    struct line *l = ctx;
    struct sp_view message = sp_buf_view(&l->message);
    if (!l->shown && is_single(l->run))
        send_show_content(l->run->show, message);
    l->shown = true;
    *piece_out = sp_view_from(message, (size_t)offset);
    return SP_OK;
}

static void count(struct send_summary *m, const struct client_verdict *v)
{
    bool refused = v->fate == SP_CLIENT_BOUNCE || (v->fate == SP_CLIENT_RETRY && v->code / 100 == 5);
    m->accepted += v->fate == SP_CLIENT_DELIVERED;
    m->refused += refused;
    m->deferred += v->fate == SP_CLIENT_RETRY && !refused;
    m->unknown += v->fate == SP_CLIENT_UNKNOWN;
}

static void on_outcome(void *ctx, size_t recipient, const struct client_verdict *v)
{
    struct line *l = ctx;
    struct run *r = l->run;
    bool good = v->fate == SP_CLIENT_DELIVERED || v->fate == SP_CLIENT_NONE;
    note_code(r, good ? EX_OK : send_code_of(v));
    count(&r->summary, v);
    if (is_single(r) || (!good && r->failures_shown++ < FAILURES_SHOWN))
        send_show_outcome(r->show, r->plan->recipients[recipient], v);
}

static void on_done(void *ctx)
{
    struct line *l = ctx;
    struct send_summary *m = &l->run->summary;
    uint64_t took = os_mono_ms() - l->began_ms;
    m->shortest_ms = m->messages == 0 || took < m->shortest_ms ? took : m->shortest_ms;
    m->longest_ms = took > m->longest_ms ? took : m->longest_ms;
    m->total_ms += took;
    m->messages++;
}

static void show_end(struct run *r, const struct client_verdict *failure)
{
    if (!r->ended)
        send_show_end(r->show, failure, NULL, r->code);
    r->ended = true;
}

static void on_ended(void *ctx, const struct client_verdict *v)
{
    struct line *l = ctx;
    struct run *r = l->run;
    bool stopped = l->reached || (r->plan->until == SEND_STAGE_BANNER && strcmp(v->phase, "QUIT") == 0);
    if (l->given || stopped) {
        if (is_single(r))
            show_end(r, NULL);
    } else {
        r->summary.failed++;
        note_code(r, send_code_of(v));
        if (is_single(r))
            show_end(r, v);
        else if (r->failures_shown++ < FAILURES_SHOWN)
            send_show_outcome(r->show, sp_view_of(v->phase), v);
    }
    client_free(l->client);
    l->client = NULL;
    if (wants_more(r) && !(r->code == EX_DATAERR && l->message.failed))
        open_line(l);
    else
        close_line(l);
}

static void on_note(void *ctx, const struct client_note *n)
{
    struct line *l = ctx;
    if (is_single(l->run))
        send_show_note(l->run->show, n, l->client);
    if (n->type == CLIENT_NOTE_UP && l->run->plan->until == SEND_STAGE_CONNECT) {
        l->reached = true;
        client_abandon(l->client, SP_LIT("stopped here, as was wanted"));
    }
}

static const struct client_handlers handlers = {on_ready, on_content, on_outcome, on_done, on_ended, on_note};

/*
 * A connection is begun for a message, which counts from here on: else connections that are being opened at
 * the same time would all bring the last one, and a server that is not there would be dialled for ever.
 */
static void open_line(struct line *l)
{
    struct run *r = l->run;
    l->given = l->reached = false;
    r->begun++;
    r->summary.connections++;
    l->client = client_new(r->setup.base, r->setup.dns, &r->setup.options, &handlers, l);
    if (!l->client) {
        r->code = cli_usage_fault("send", "'%s' cannot stand in EHLO", r->plan->hello);
        r->begun = r->plan->repeat;
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

static int dump(const struct send_plan *p, const struct send_parts *parts)
{
    struct sp_buf message;
    sp_buf_init(&message, &os_heap, SIZE_MAX / 4);
    int code = send_message_make(p, parts, &message);
    if (!code)
        (void)fwrite(message.p, 1, message.len, stdout); /* a failure shows when it is flushed */
    sp_buf_fini(&message);
    return code;
}

static void send_all(struct run *r)
{
    uint64_t began = os_mono_ms();
    r->show = send_show_new(r->plan);
    r->line_n = r->plan->parallel;
    r->lines = os_new(r->line_n * sizeof *r->lines);
    for (size_t i = 0; i < r->line_n; i++) {
        r->lines[i] = (struct line){.run = r};
        sp_buf_init(&r->lines[i].message, &os_heap, SIZE_MAX / 4);
    }
    for (size_t i = 0; i < r->line_n; i++)
        open_line(&r->lines[i]);
    (void)event_base_dispatch(r->setup.base); /* ends when nothing is left to wait for */
    r->summary.took_ms = os_mono_ms() - began;
    if (!is_single(r))
        send_show_end(r->show, NULL, &r->summary, r->code);
    else
        show_end(r, NULL);
    for (size_t i = 0; i < r->line_n; i++)
        sp_buf_fini(&r->lines[i].message);
    free(r->lines);
    send_show_free(r->show);
}

int send_run(const struct send_plan *plan, const struct send_parts *parts)
{
    struct run r = {.plan = plan, .parts = parts};
    if (plan->dump)
        return dump(plan, parts);
    int code = send_setup(plan, &r.setup);
    if (!code)
        send_all(&r);
    send_setdown(&r.setup);
    return code ? code : r.code;
}
