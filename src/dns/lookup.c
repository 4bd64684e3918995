/* One question. libunbound may answer inside the call that asks (from its memory); it is told from the loop.
 */
#include "dns/resolver.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/loop.h"

#include <stdlib.h>
#include <unbound-event.h>

enum { PACKET_MAX = 65535, RCODE_FAILED = 2, RCODE_NO_NAME = 3, SECURE_BOGUS = 1, SECURE = 2 };

struct dns_lookup {
    struct dns *dns;
    int id; /* libunbound's, to cancel it */
    bool asked;
    enum dns_type type;
    struct dns_answer found;
    char *why;
    struct sp_buf packet;
    struct os_timer timer;
    struct os_later later;
    void (*answer)(void *ctx, const struct dns_answer *found);
    void *ctx;
};

static void end(struct dns_lookup *l)
{
    struct dns *d = l->dns;
    if (l->asked)
        (void)ub_cancel(d->ub, l->id); /* fails only for what has just been answered */
    os_timer_fini(&l->timer);
    os_later_fini(&l->later);
    sp_buf_fini(&l->packet);
    free(l->why);
    free(l);
    dns_release(d);
}

void dns_lookup_cancel(struct dns_lookup *l) { end(l); }

static void decide(struct dns_lookup *l, enum dns_verdict verdict)
{
    l->found.verdict = verdict;
    os_later_ask(&l->later);
}

/* Does the answer hold a record of the type? What is only an alias that leads nowhere does not. */
static bool has_record(struct dns_lookup *l)
{
    struct dns_packet p = l->found.packet;
    struct dns_record r;
    return dns_packet_next_of(&p, l->type, &r) == SP_OK;
}

static void take_answer(void *ctx, int rcode, void *packet, int len, int secure, char *why_bogus, int limited)
{
    (void)limited;
    struct dns_lookup *l = ctx;
    l->asked = false;
    if (secure == SECURE_BOGUS) {
        l->why = os_text(sp_view_of(why_bogus));
        l->found.why = l->why;
        decide(l, DNS_BOGUS);
        return;
    }
    l->found.secure = secure == SECURE;
    /* The code stands in the packet, and in the argument when there is none. */
    if (rcode == 0 && len > 0 && sp_buf_add(&l->packet, sp_view_make(packet, (size_t)len)) == SP_OK &&
        dns_packet_open(sp_buf_view(&l->packet), &l->found.packet) == SP_OK)
        rcode = (int)l->found.packet.rcode;
    else if (rcode == 0)
        rcode = RCODE_FAILED;
    if (rcode == RCODE_NO_NAME)
        decide(l, DNS_NO_NAME);
    else if (rcode != 0)
        decide(l, DNS_FAILED);
    else
        decide(l, has_record(l) ? DNS_FOUND : DNS_NO_DATA);
}

static void tell(void *ctx)
{
    struct dns_lookup *l = ctx;
    l->answer(l->ctx, &l->found);
    end(l);
}

static void time_out(void *ctx)
{
    struct dns_lookup *l = ctx;
    if (!l->asked)
        return; /* it is just being told */
    (void)ub_cancel(l->dns->ub, l->id);
    l->asked = false;
    decide(l, DNS_TIMEOUT);
}

static bool is_name(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!sp_ascii_alpha(v.p[i]) && !sp_ascii_digit(v.p[i]) && v.p[i] != '-' && v.p[i] != '_' &&
            v.p[i] != '.')
            return false;
    return v.len > 0 && v.len <= DNS_NAME_MAX;
}

struct dns_lookup *dns_ask(struct dns *d, struct sp_view name, enum dns_type type, uint32_t timeout_ms,
                           void (*answer)(void *ctx, const struct dns_answer *found), void *ctx)
{
    struct dns_lookup *l = os_new(sizeof *l);
    char text[DNS_NAME_MAX + 1] = "";
    *l = (struct dns_lookup){.dns = d, .type = type, .found = {.why = ""}, .answer = answer, .ctx = ctx};
    dns_hold(d);
    os_timer_init(&l->timer, d->base, time_out, l);
    os_later_init(&l->later, d->base, tell, l);
    sp_buf_init(&l->packet, &os_heap, PACKET_MAX);
    if (!is_name(name)) {
        decide(l, DNS_BAD_NAME);
        return l;
    }
    memcpy(text, name.p, name.len);
    os_timer_set(&l->timer, timeout_ms);
    l->asked = true;
    if (ub_resolve_event(d->ub, text, (int)type, DNS_CLASS_IN, l, take_answer, &l->id)) {
        l->asked = false;
        decide(l, DNS_FAILED);
    }
    return l;
}
