/* What failed while dialling: which of the failures is told, and which addresses are left alone for a while.
 */
#include "base/view.h"
#include "os/clock.h"
#include "os/log.h"
#include "roles/delivery/dial.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 2000, ANSWERED = 3 };

/* --- what is told ------------------------------------------------------------------------------- */

/* How much a failure tells: who answered, if wrongly, is nearer to the cause than an address where nobody is.
 */
static int weight_of(const char *phase)
{
    return strcmp(phase, "DNS") == 0 ? 1 : strcmp(phase, "CONNECT") == 0 ? 2 : ANSWERED;
}

bool delivery_dial_was_answered(const struct delivery_dial *dial)
{
    return dial->phase && weight_of(dial->phase) == ANSWERED;
}

void delivery_dial_note(struct delivery_link *l, const struct delivery_outcome *o, const char *phase)
{
    struct delivery_dial *dial = &l->dial;
    if (dial->phase && weight_of(phase) <= weight_of(dial->phase))
        return;
    sp_buf_clear(&dial->failure_text);
    sp_buf_add(&dial->failure_text, o->enhanced);
    sp_buf_add(&dial->failure_text, o->reply);
    struct sp_view all = sp_buf_view(&dial->failure_text);
    (void)snprintf(dial->remote, sizeof dial->remote, "%s", o->remote); /* cut when it does not fit */
    dial->failure = *o;
    dial->failure.enhanced = sp_view_sub(all, 0, o->enhanced.len);
    dial->failure.reply = sp_view_from(all, o->enhanced.len);
    dial->failure.remote = dial->remote;
    dial->phase = phase;
}

void delivery_dial_note_host(struct delivery_dial_host *h, const char *enhanced, const char *what,
                             const char *why)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text, "host %.255s: %s%s%.900s", h->host->name, what, *why ? ": " : "", why);
    const struct delivery_outcome o = {.kind = IPC_OUTCOME_DEFERRED,
                                       .enhanced = sp_view_of(enhanced),
                                       .reply = sp_view_of(text),
                                       .remote = ""};
    delivery_talk_say(h->link, text, (struct sp_view){0});
    delivery_dial_note(h->link, &o, "DNS");
}

/* A server that says 4yz wants less of us; all else is a server that is not there for us. */
enum ipc_health delivery_dial_health(const struct delivery_dial *dial)
{
    if (dial->starved)
        return IPC_HEALTH_UNTOLD;
    return dial->failure.code / 100 == 4 ? IPC_HEALTH_BUSY : IPC_HEALTH_DOWN;
}

/* --- dead addresses ------------------------------------------------------------------------- */

static struct sp_view key_of(const struct os_address *a, char text[OS_ADDRESS_TEXT])
{
    os_address_text(a, text);
    return sp_view_of(text);
}

/* "connect to mx.example [192.0.2.1]:25: ", in front of the reason why that came to nothing. */
static size_t write_attempt(char text[TEXT_MAX], const char *remote)
{
    return (size_t)snprintf(text, TEXT_MAX, "connect to %.*s: ", CLIENT_REMOTE_MAX, remote); /* fits */
}

/* The reason alone: the next who is led to this address may know it by another host's name. */
static struct sp_view reason_of(const struct client_verdict *v)
{
    char attempt[TEXT_MAX];
    size_t len = write_attempt(attempt, v->remote);
    return sp_view_starts_nocase(v->text, sp_view_make(attempt, len)) ? sp_view_from(v->text, len) : v->text;
}

/* What is known of it stands for what would come of dialling it. */
static void note_left_alone(struct delivery_dial_host *h, const struct os_address *a,
                            const struct delivery_trouble *t)
{
    char host[OS_ADDRESS_TEXT], remote[CLIENT_REMOTE_MAX], text[TEXT_MAX];
    struct sp_view why = sp_buf_view(&t->text);
    os_address_host(a, host);
    (void)snprintf(remote, sizeof remote, "%.255s [%.64s]:%u", h->host->name, host, os_address_port(a));
    bool reply = why.len > 0 && sp_ascii_digit(why.p[0]); /* at the door; else there was no connection */
    size_t len = reply ? 0 : write_attempt(text, remote);
    why = sp_view_sub(why, 0, sizeof text - len);
    memcpy(text + len, why.p, why.len);
    const struct delivery_outcome o = {.kind = IPC_OUTCOME_DEFERRED,
                                       .enhanced = SP_LIT("4.4.1"),
                                       .reply = sp_view_make(text, len + why.len),
                                       .remote = remote};
    delivery_talk_say(h->link, "left alone, since it failed a moment ago: ", o.reply);
    delivery_dial_note(h->link, &o, "CONNECT");
}

bool delivery_dial_leave_alone(struct delivery_dial_host *h, uint8_t address)
{
    struct delivery_dial *dial = &h->link->dial;
    const struct os_address *a = &h->addresses.addresses[address];
    char text[OS_ADDRESS_TEXT];
    const struct delivery_trouble *t = delivery_trouble_find(h->link->pool->delivery, key_of(a, text));
    if (!t || os_mono_ms() - t->last_ms >= t->pause_ms)
        return false;
    if (!dial->spare_host || t->last_ms < dial->spare_ms) {
        dial->spare_host = h;
        dial->spare_address = address;
        dial->spare_ms = t->last_ms;
    }
    note_left_alone(h, a, t);
    return true;
}

void delivery_dial_note_address(const struct delivery_racer *r, const struct client_verdict *v)
{
    const struct delivery_pool *p = r->link->pool;
    char text[OS_ADDRESS_TEXT];
    if (!r->host || v->starved || (strcmp(v->phase, "CONNECT") != 0 && strcmp(v->phase, "GREETING") != 0))
        return;
    bool news = delivery_trouble_note(p->delivery, key_of(&r->one.addresses[0], text), reason_of(v));
    if (news && (p->site.host_n > 1 || r->host->addresses.n > 1))
        os_log(OS_INFO, "host-down", OS_STR("remote", v->remote), OS_VIEW("why", v->text));
}

void delivery_dial_forgive(const struct delivery_racer *winner)
{
    const struct delivery_pool *p = winner->link->pool;
    char text[OS_ADDRESS_TEXT];
    int64_t pool_s = delivery_trouble_end(p->delivery, sp_view_of(p->name)), address_s = -1;
    if (winner->host)
        address_s = delivery_trouble_end(p->delivery, key_of(&winner->one.addresses[0], text));
    int64_t lasted_s = address_s > pool_s ? address_s : pool_s;
    if (lasted_s >= 0)
        os_log(OS_INFO, "remote-back", OS_STR("route", p->route->name),
               OS_STR("remote", client_remote(winner->client)), OS_NUM("after-s", lasted_s));
}
