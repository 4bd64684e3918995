/* What failed while dialling: which of the failures is told, and which addresses are left alone for a while.
 */
#include "base/view.h"
#include "os/clock.h"
#include "os/log.h"
#include "roles/delivery/dial.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 2000 };

/* --- what is told ------------------------------------------------------------------------------- */

/* How much a failure tells: who answered, if wrongly, is nearer to the cause than an address where nobody is.
 */
static int weight_of(const char *phase)
{
    return strcmp(phase, "DNS") == 0 ? 1 : strcmp(phase, "CONNECT") == 0 ? 2 : 3;
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

void delivery_dial_note_host(struct delivery_link *l, const char *enhanced, const char *what, const char *why)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text, "host %.255s: %s%s%.900s", l->dial.host->name, what, *why ? ": " : "",
                   why);
    const struct delivery_outcome o = {.kind = IPC_OUTCOME_DEFERRED,
                                       .enhanced = sp_view_of(enhanced),
                                       .reply = sp_view_of(text),
                                       .remote = ""};
    delivery_dial_note(l, &o, "DNS");
}

/* A server that says 4yz wants less of us; all else is a server that is not there for us. */
enum ipc_health delivery_dial_health(const struct delivery_dial *dial)
{
    return dial->failure.code / 100 == 4 ? IPC_HEALTH_BUSY : IPC_HEALTH_DOWN;
}

/* --- dead addresses ------------------------------------------------------------------------- */

static struct sp_view key_of(const struct os_address *a, char text[OS_ADDRESS_TEXT])
{
    os_address_text(a, text);
    return sp_view_of(text);
}

bool delivery_dial_is_left_alone(const struct delivery_link *l, const struct os_address *a, bool last_resort)
{
    char text[OS_ADDRESS_TEXT];
    const struct delivery_trouble *t = delivery_trouble_find(l->pool->delivery, key_of(a, text));
    return t && !last_resort && os_mono_ms() - t->last_ms < t->pause_ms;
}

void delivery_dial_note_left_alone(struct delivery_link *l)
{
    const struct os_address *a = &l->dial.addresses.addresses[0];
    char text[OS_ADDRESS_TEXT], host[OS_ADDRESS_TEXT], remote[CLIENT_REMOTE_MAX];
    if (l->dial.addresses.n == 0)
        return;
    const struct delivery_trouble *t = delivery_trouble_find(l->pool->delivery, key_of(a, text));
    if (!t)
        return;
    os_address_host(a, host);
    (void)snprintf(remote, sizeof remote, "%.255s [%.64s]:%u", l->dial.host->name, host, os_address_port(a));
    const struct delivery_outcome o = {.kind = IPC_OUTCOME_DEFERRED,
                                       .enhanced = SP_LIT("4.4.1"),
                                       .reply = sp_buf_view(&t->text),
                                       .remote = remote};
    delivery_dial_note(l, &o, "CONNECT");
}

void delivery_dial_note_address(const struct delivery_link *l, const struct client_verdict *v)
{
    char text[OS_ADDRESS_TEXT];
    if (l->pool->route->socket || (strcmp(v->phase, "CONNECT") != 0 && strcmp(v->phase, "GREETING") != 0))
        return;
    struct sp_view key = key_of(&l->dial.one.addresses[0], text);
    if (delivery_trouble_note(l->pool->delivery, key, v->text) && l->pool->site.host_n > 1)
        os_log(OS_INFO, "host-down", OS_STR("remote", v->remote), OS_VIEW("why", v->text));
}

void delivery_dial_done(struct delivery_link *l)
{
    const struct delivery_pool *p = l->pool;
    char text[OS_ADDRESS_TEXT];
    int64_t address_s = delivery_trouble_end(p->delivery, key_of(&l->dial.one.addresses[0], text));
    int64_t pool_s = delivery_trouble_end(p->delivery, sp_view_of(p->name));
    int64_t lasted_s = address_s > pool_s ? address_s : pool_s;
    if (lasted_s >= 0)
        os_log(OS_INFO, "remote-back", OS_STR("route", p->route->name),
               OS_STR("remote", client_remote(l->client)), OS_NUM("after-s", lasted_s));
}
