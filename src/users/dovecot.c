#include "users/dovecot.h"

#include "base/base64.h"
#include "base/view.h"
#include "os/heap.h"
#include "users/dovecot_line.h"
#include "users/dovecot_wire.h"

#include <stdlib.h>

enum { RESPONSE_MAX = 2048, VERSION_MAJOR = 1, MECHANISMS_MAX = 512 };

struct open_question {
    struct open_question *next;
    uint32_t number;
    void (*done)(void *ctx, enum users_answer answer, struct sp_view user);
    void (*challenge)(void *ctx, struct sp_view challenge); /* NULL: it is a password, asked as PLAIN */
    void *ctx;
    bool waits;  /* for Dovecot, not for the client */
    bool failed; /* the answer is known: it could not be asked */
};

struct users_dovecot {
    struct users_wire wire;
    struct os_timer late;
    struct os_later fail;                      /* tell those that could not be asked */
    struct sp_buf mechanisms, next_mechanisms; /* "SCRAM-SHA-256 PLAIN" */
    void (*news)(void *ctx);
    void *news_ctx;
    bool greeted; /* its VERSION was right */
    uint32_t last_number;
    size_t open_n;
    struct open_question *open, **open_end; /* the oldest first */
};

/* --- questions ---------------------------------------------------------------------------- */

static struct open_question *find(const struct users_dovecot *d, uint32_t number)
{
    struct open_question *q = d->open;
    while (q && q->number != number)
        q = q->next;
    return q;
}

/* A client may think for long; Dovecot may not. */
static void watch_time(struct users_dovecot *d)
{
    for (const struct open_question *q = d->open; q; q = q->next)
        if (q->waits) {
            os_timer_set(&d->late, USERS_DOVECOT_MS);
            return;
        }
    os_timer_stop(&d->late);
}

/* Take a question out and answer it. */
static void answer(struct users_dovecot *d, uint32_t number, enum users_answer what, struct sp_view user)
{
    struct open_question **at = &d->open, *q;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    if (!(q = *at))
        return; /* forgotten */
    *at = q->next;
    if (d->open_end == &q->next)
        d->open_end = at;
    d->open_n--;
    watch_time(d);
    if (q->done)
        q->done(q->ctx, what, user);
    free(q);
}

static void answer_failed(void *ctx)
{
    struct users_dovecot *d = ctx;
    for (struct open_question *q = d->open; q;) {
        uint32_t number = q->number;
        bool failed = q->failed;
        q = q->next;
        if (failed) {
            answer(d, number, USERS_AWAY, (struct sp_view){0});
            q = d->open; /* `done` may have changed the list */
        }
    }
}

static void note_lost(void *ctx)
{
    struct users_dovecot *d = ctx;
    d->greeted = false;
    sp_buf_clear(&d->next_mechanisms);
    for (struct open_question *q = d->open; q; q = q->next)
        q->failed = true;
    if (d->open)
        os_later_ask(&d->fail);
}

static void note_late(void *ctx)
{
    struct users_dovecot *d = ctx;
    users_wire_lose(&d->wire, "it does not answer");
}

/* Dovecot need not go on with it. */
static void cancel(struct users_dovecot *d, uint32_t number)
{
    if (d->wire.fd < 0)
        return;
    sp_buf_add_str(&d->wire.out, "CANCEL\t");
    sp_buf_add_dec(&d->wire.out, number);
    sp_buf_add_u8(&d->wire.out, '\n');
    users_wire_send(&d->wire);
}

/* --- what Dovecot says -------------------------------------------------------------------- */

static void take_challenge(struct users_dovecot *d, const struct users_dovecot_line *l)
{
    struct open_question *q = find(d, l->number);
    uint8_t challenge[USERS_WIRE_LINE_MAX];
    size_t len = 0;
    if (!q)
        return; /* forgotten */
    if (!q->done || !q->challenge || !q->waits || sp_base64_decode(l->value, challenge, &len) != SP_OK) {
        cancel(d, q->number); /* PLAIN with an initial response has nothing more to say */
        answer(d, q->number, USERS_AWAY, (struct sp_view){0});
        return;
    }
    q->waits = false;
    watch_time(d);
    q->challenge(q->ctx, sp_view_make(challenge, len));
}

static void take_mechanism(struct users_dovecot *d, struct sp_view name)
{
    if (d->next_mechanisms.len)
        sp_buf_add_u8(&d->next_mechanisms, ' ');
    sp_buf_add(&d->next_mechanisms, name);
}

static void use_mechanisms(struct users_dovecot *d)
{
    struct sp_view now = sp_buf_view(&d->mechanisms), next = sp_buf_view(&d->next_mechanisms);
    users_wire_note_ready(&d->wire);
    if (sp_buf_status(&d->next_mechanisms) || sp_view_eq(now, next))
        return;
    sp_buf_clear(&d->mechanisms);
    sp_buf_add(&d->mechanisms, next);
    if (d->news)
        d->news(d->news_ctx);
}

static void take_line(void *ctx, struct sp_view line)
{
    struct users_dovecot *d = ctx;
    struct users_dovecot_line l = users_dovecot_parse(line);
    if (l.word == USERS_DOVECOT_BAD) {
        users_wire_lose(&d->wire, "it speaks another protocol");
    } else if (l.word == USERS_DOVECOT_VERSION) {
        d->greeted = l.number == VERSION_MAJOR;
        if (!d->greeted)
            users_wire_lose(&d->wire, "it speaks another version of the protocol than 1.x");
    } else if (l.word != USERS_DOVECOT_OTHER && !d->greeted) {
        users_wire_lose(&d->wire, "it speaks before its VERSION");
    } else if (l.word == USERS_DOVECOT_MECH && l.usable) {
        take_mechanism(d, l.value);
    } else if (l.word == USERS_DOVECOT_DONE) {
        use_mechanisms(d);
    } else if (l.word == USERS_DOVECOT_OK || l.word == USERS_DOVECOT_FAIL) {
        d->wire.complained = false;
        answer(d, l.number, l.answer, l.value);
    } else if (l.word == USERS_DOVECOT_CONT) {
        d->wire.complained = false;
        take_challenge(d, &l);
    }
}

/* --- asking ------------------------------------------------------------------------------- */

/* Addresses have no octet that would need an escape. */
static void write_question(struct users_dovecot *d, uint32_t number, const struct users_question *q)
{
    sp_buf_reserve(&d->wire.out, sp_base64_encoded_len(q->response.len) + 256);
    sp_buf_add_str(&d->wire.out, "AUTH\t");
    sp_buf_add_dec(&d->wire.out, number);
    sp_buf_add_u8(&d->wire.out, '\t');
    sp_buf_add(&d->wire.out, q->mechanism);
    sp_buf_add_str(&d->wire.out, "\tservice=smtp");
    if (q->client.len) {
        sp_buf_add_str(&d->wire.out, "\trip=");
        sp_buf_add(&d->wire.out, q->client);
    }
    sp_buf_add_str(&d->wire.out, q->tls ? "\tsecured=tls" : "\tsecured"); /* the listener lets PLAIN be */
    if (q->has_response) {
        sp_buf_add_str(&d->wire.out, "\tresp="); /* the last one: what follows it is taken as its own */
        sp_buf_add_base64(&d->wire.out, q->response);
    }
    sp_buf_add_u8(&d->wire.out, '\n');
}

uint32_t users_dovecot_begin(struct users_dovecot *d, const struct users_question *q)
{
    struct open_question *o = os_new(sizeof *o);
    if (++d->last_number == 0)
        d->last_number = 1;
    uint32_t number = d->last_number;
    *o = (struct open_question){
        .number = number, .done = q->done, .challenge = q->challenge, .ctx = q->ctx, .waits = true};
    *d->open_end = o;
    d->open_end = &o->next;
    d->open_n++;
    watch_time(d);
    if (d->open_n > USERS_DOVECOT_WAITING_MAX || q->response.len > USERS_DOVECOT_RESPONSE_MAX ||
        !users_wire_open(&d->wire)) {
        o->failed = true;
        os_later_ask(&d->fail);
        return number;
    }
    write_question(d, number, q);
    users_wire_send(&d->wire);
    return number;
}

uint32_t users_dovecot_ask(struct users_dovecot *d, const struct users_password_question *q)
{
    struct sp_buf response;
    sp_buf_init(&response, &os_heap, RESPONSE_MAX);
    sp_buf_reserve(&response, 2 + q->user.len + q->password.len);
    sp_buf_add_u8(&response, 0);
    sp_buf_add(&response, q->user);
    sp_buf_add_u8(&response, 0);
    sp_buf_add(&response, q->password);
    const struct users_question whole = {.mechanism = SP_LIT("PLAIN"),
                                         .has_response = true,
                                         .response = sp_buf_view(&response),
                                         .client = q->client,
                                         .tls = q->tls,
                                         .done = q->done,
                                         .ctx = q->ctx};
    uint32_t number = users_dovecot_begin(d, &whole);
    sp_buf_fini_secret(&response);
    return number;
}

void users_dovecot_continue(struct users_dovecot *d, uint32_t number, struct sp_view response)
{
    struct open_question *q = find(d, number);
    if (!q || q->waits || q->failed)
        return; /* its failure is on the way */
    q->waits = true;
    watch_time(d);
    if (response.len > USERS_DOVECOT_RESPONSE_MAX) {
        cancel(d, number);
        q->failed = true;
        os_later_ask(&d->fail);
        return;
    }
    sp_buf_reserve(&d->wire.out, sp_base64_encoded_len(response.len) + 32);
    sp_buf_add_str(&d->wire.out, "CONT\t");
    sp_buf_add_dec(&d->wire.out, number);
    sp_buf_add_u8(&d->wire.out, '\t');
    sp_buf_add_base64(&d->wire.out, response);
    sp_buf_add_u8(&d->wire.out, '\n');
    users_wire_send(&d->wire);
}

void users_dovecot_forget(struct users_dovecot *d, uint32_t number)
{
    struct open_question *q = find(d, number);
    if (!q)
        return;
    q->done = NULL;
    if (q->waits)
        return; /* its answer is waited for, so that the number means nothing else before */
    cancel(d, number);
    answer(d, number, USERS_AWAY, (struct sp_view){0});
}

void users_dovecot_watch(struct users_dovecot *d, void (*news)(void *ctx), void *ctx)
{
    d->news = news;
    d->news_ctx = ctx;
    users_wire_keep(&d->wire);
}

struct sp_view users_dovecot_mechanisms(const struct users_dovecot *d) { return sp_buf_view(&d->mechanisms); }

/* --- life --------------------------------------------------------------------------------- */

struct users_dovecot *users_dovecot_new(struct event_base *base, const char *path)
{
    struct users_dovecot *d = os_new(sizeof *d);
    users_wire_init(&d->wire, base, path);
    d->wire.line = take_line;
    d->wire.lost = note_lost;
    d->wire.ctx = d;
    d->open_end = &d->open;
    sp_buf_init(&d->mechanisms, &os_heap, MECHANISMS_MAX);
    sp_buf_init(&d->next_mechanisms, &os_heap, MECHANISMS_MAX);
    os_timer_init(&d->late, base, note_late, d);
    os_later_init(&d->fail, base, answer_failed, d);
    return d;
}

void users_dovecot_free(struct users_dovecot *d)
{
    if (!d)
        return;
    for (struct open_question *q; (q = d->open);) {
        d->open = q->next;
        free(q);
    }
    users_wire_fini(&d->wire);
    sp_buf_fini(&d->mechanisms);
    sp_buf_fini(&d->next_mechanisms);
    os_timer_fini(&d->late);
    os_later_fini(&d->fail);
    free(d);
}
