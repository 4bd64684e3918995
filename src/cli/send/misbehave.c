/*
 * Mistakes on purpose: each over a connection of its own, its answer judged by what the RFC says to it. What
 * came before the answer must have been accepted; else nothing is known.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/catalogue.h"
#include "cli/send/trial.h"
#include "os/heap.h"

bool send_misbehave_knows(const char *name)
{
    const struct send_mistake *m = send_mistakes;
    while (m->name && strcmp(m->name, name) != 0)
        m++;
    return m->name || strcmp(name, "all") == 0 || strcmp(name, "list") == 0;
}

/* --- the octets ------------------------------------------------------------------------------ */

static void expand(const struct send_plan *p, struct sp_view v, struct sp_buf *out)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] != '%' || i + 1 == v.len) {
            sp_buf_add_u8(out, v.p[i]);
            continue;
        }
        switch (v.p[++i]) {
        case 'F':
            sp_buf_add(out, p->sender);
            break;
        case 'T':
            sp_buf_add(out, p->recipients[0]);
            break;
        case 'H':
            sp_buf_add_str(out, p->hello);
            break;
        default:
            sp_buf_add_u8(out, v.p[i]);
        }
    }
}

static size_t step_n(const struct send_mistake *m)
{
    size_t n = 0;
    while (n < SEND_STEPS_MAX && m->steps[n].octets.len > 0)
        n++;
    return n;
}

/* --- the session ------------------------------------------------------------------------------ */

static void end_trial(struct send_trial *t)
{
    client_free(t->client);
    t->client = NULL;
    dns_free(t->setup.dns);
    t->setup.dns = NULL;
}

static void say_step(struct send_trial *t)
{
    const struct send_step *step = &t->mistake->steps[t->step++];
    struct sp_buf octets;
    sp_buf_init(&octets, &os_heap, SP_CLIENT_RAW_MAX);
    expand(t->plan, step->octets, &octets);
    t->due = step->replies;
    t->code = 0;
    client_raw(t->client, sp_buf_view(&octets), step->replies);
    sp_buf_fini(&octets);
}

static void on_ready(void *ctx)
{
    struct send_trial *t = ctx;
    t->ready = true;
    /* A refusal on the way there is the end of it: DATA without recipients would be another mistake. */
    bool refused = t->step > 0 && t->step < step_n(t->mistake) && t->code / 100 > 3 &&
                   strcmp(t->mistake->name, "many-errors") != 0;
    t->before = t->before || refused;
    if (t->step < step_n(t->mistake) && !refused) {
        say_step(t);
        return;
    }
    t->over = true;
    if (t->mistake->hang_up)
        end_trial(t);
    else
        client_quit(t->client);
}

static void note_reply(struct send_trial *t, const struct sp_client_reply *reply)
{
    struct sp_view rest = reply->lines, line;
    if (t->got.len > 0)
        sp_buf_add_u8(&t->got, '\n');
    for (bool first = true; sp_client_reply_line(&rest, &line); first = false) {
        sp_buf_add_str(&t->got, first ? "" : " / ");
        sp_buf_add(&t->got, line);
    }
    t->code = reply->code;
}

static void on_note(void *ctx, const struct client_note *n)
{
    struct send_trial *t = ctx;
    if (n->type != CLIENT_NOTE_REPLY)
        return;
    const char *phase = n->event->as.reply.phase;
    bool greeting = t->mistake->at == SEND_AT_CONNECT && strcmp(phase, "GREETING") == 0;
    if (greeting)
        t->ready = t->over = true;
    if (greeting || strcmp(phase, "RAW") == 0)
        note_reply(t, &n->event->as.reply.reply);
}

static void on_ended(void *ctx, const struct client_verdict *v)
{
    struct send_trial *t = ctx;
    bool early = t->mistake->at == SEND_AT_CONNECT && strcmp(v->phase, "CONNECT") != 0;
    /* Hung up before every reply was there: that is an answer, too, but for silence. */
    t->ready = t->ready || early;
    if (!t->ready || !t->over) {
        sp_buf_clear(&t->why);
        sp_buf_add(&t->why, v->text);
    }
    end_trial(t);
}

static int no_content(void *ctx, uint64_t offset, struct sp_view *piece_out)
{
    (void)ctx, (void)offset, (void)piece_out;
    return SP_ERR_ABSENT;
}

static void no_outcome(void *ctx, size_t recipient, const struct client_verdict *v)
{
    (void)ctx, (void)recipient, (void)v;
}

static void no_mail(void *ctx) { (void)ctx; }

static const struct client_handlers handlers = {on_ready, no_content, no_outcome, no_mail, on_ended, on_note};

static int run_trial(struct send_trial *t)
{
    struct sp_buf early;
    int code = send_setup(t->plan, &t->setup);
    struct client_options *o = &t->setup.options;
    sp_buf_init(&early, &os_heap, SP_CLIENT_RAW_MAX);
    sp_buf_add(&early, o->preamble);
    if (t->mistake->at == SEND_AT_CONNECT) {
        expand(t->plan, t->mistake->steps[0].octets, &early);
        t->step = 1;
        o->session.greeting_only = true;
    }
    o->preamble = sp_buf_view(&early);
    o->session.no_hello = t->mistake->at == SEND_AT_BANNER;
    if (t->mistake->at == SEND_AT_CLEAR)
        o->session.tls = SP_CLIENT_TLS_OFF;
    if (t->mistake->at != SEND_AT_READY)
        o->credentials = NULL;
    if (!code) {
        t->client = client_new(t->setup.base, t->setup.dns, o, &handlers, t);
        if (t->client)
            (void)event_base_dispatch(t->setup.base); /* ends when nothing is left to wait for */
        else
            code = cli_usage_fault("send", "'%s' cannot stand in EHLO", t->plan->hello);
    }
    sp_buf_fini(&early);
    send_setdown(&t->setup);
    return code;
}

void send_misbehave_list(const struct send_plan *plan)
{
    json_t *list = json_array();
    for (const struct send_mistake *m = send_mistakes; m->name; m++) {
        if (plan->json)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", m->name, "what",
                                                  reference_in(&m->text, plan->lang), "rfc", m->rfc,
                                                  "expected", m->good, "allowed", m->allowed));
        else
            printf("%-24s %s (RFC %s)\n", m->name, reference_in(&m->text, plan->lang), m->rfc);
    }
    if (plan->json)
        cli_json_print(json_incref(list));
    json_decref(list);
}

/* A wrong answer outweighs one that could not be had. */
static int code_of(enum send_verdict verdict, int before)
{
    if (verdict == SEND_WRONG || before == EX_PROTOCOL)
        return EX_PROTOCOL;
    return verdict == SEND_UNTRIED ? EX_UNAVAILABLE : before;
}

int send_misbehave(const struct send_plan *plan)
{
    bool all = strcmp(plan->misbehave, "all") == 0;
    json_t *list = json_array();
    int code = EX_OK, worst = EX_OK;
    for (const struct send_mistake *m = send_mistakes; m->name && !code; m++) {
        if (!all && strcmp(m->name, plan->misbehave) != 0)
            continue;
        struct send_trial t = {.plan = plan, .mistake = m};
        sp_buf_init(&t.got, &os_heap, 1 << 20);
        sp_buf_init(&t.why, &os_heap, CLIENT_TEXT_MAX * 2);
        code = run_trial(&t);
        enum send_verdict verdict = send_judge(&t);
        worst = code_of(verdict, worst);
        if (!code && plan->json)
            json_array_append_new(list, send_json_trial(&t, verdict));
        else if (!code)
            send_print_trial(&t, verdict);
        sp_buf_fini(&t.got);
        sp_buf_fini(&t.why);
    }
    if (plan->json && !code)
        cli_json_print(json_pack("{s:s, s:i, s:O, s:i}", "host", plan->host, "port", plan->port,
                                 "misbehaviour", list, "exit_code", worst));
    json_decref(list);
    return code ? code : worst;
}
