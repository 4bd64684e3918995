/*
 * One libunbound context on the loop. It may answer inside the call that asks (from /etc/hosts), and a
 * query has two questions, A and AAAA; so answers are gathered, and told from the loop.
 */
#include "dns/dns.h"

#include "base/view.h"
#include "dns/packet.h"
#include "os/heap.h"
#include "os/loop.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <unbound-event.h>
#include <unbound.h>

enum { NAME_MAX_OCTETS = 253, QUESTIONS = 2, PER_QUESTION = DNS_ADDRESSES_MAX / QUESTIONS };

struct dns {
    struct ub_ctx *ub;
    struct event_base *base;
};

struct question {
    struct dns_query *query;
    int type;
    int id; /* libunbound's, to cancel it */
    bool asked, answered;
    enum dns_verdict verdict;
    struct os_address found[PER_QUESTION];
    size_t n;
};

struct dns_query {
    struct dns *dns;
    uint16_t port;
    struct question questions[QUESTIONS]; /* AAAA, A */
    struct os_timer timer;
    struct os_later later;
    void (*answer)(void *ctx, const struct dns_addresses *found);
    void *ctx;
};

#define X(n, text) text,
static const char *const verdict_texts[DNS_VERDICT_N] = {DNS_VERDICTS(X)};
#undef X

const char *dns_verdict_text(enum dns_verdict verdict) { return verdict_texts[verdict]; }

/* --- the resolver ------------------------------------------------------------------------ */

struct dns *dns_new(struct event_base *base, struct sp_buf *error)
{
    struct dns *d = os_new(sizeof *d);
    d->base = base;
    d->ub = ub_ctx_create_event(base);
    int status = d->ub ? UB_NOERROR : UB_NOMEM;
    if (!status) {
        status = ub_ctx_resolvconf(d->ub, NULL);
        if (status == UB_READFILE)
            status = UB_NOERROR; /* then it asks the root servers itself */
    }
    if (!status) {
        status = ub_ctx_hosts(d->ub, NULL);
        if (status == UB_READFILE)
            status = UB_NOERROR;
    }
    if (!status)
        return d;
    sp_buf_add_str(error, "the resolver cannot start: ");
    sp_buf_add_str(error, ub_strerror(status));
    dns_free(d);
    return NULL;
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    if (d->ub)
        ub_ctx_delete(d->ub);
    free(d);
}

/* --- one question ------------------------------------------------------------------------ */

static void make_address(struct question *q, struct sp_view data)
{
    struct os_address *a = &q->found[q->n++];
    *a = (struct os_address){0};
    if (q->type == DNS_TYPE_A) {
        a->as.v4.sin_family = AF_INET;
        a->as.v4.sin_port = htons(q->query->port);
        memcpy(&a->as.v4.sin_addr, data.p, 4);
        a->len = sizeof a->as.v4;
    } else {
        a->as.v6.sin6_family = AF_INET6;
        a->as.v6.sin6_port = htons(q->query->port);
        memcpy(&a->as.v6.sin6_addr, data.p, 16);
        a->len = sizeof a->as.v6;
    }
}

static enum dns_verdict read_answer(struct question *q, struct sp_view octets)
{
    struct dns_packet packet;
    struct dns_record r;
    size_t size = q->type == DNS_TYPE_A ? 4 : 16;
    if (dns_packet_open(octets, &packet))
        return DNS_FAILED;
    if (packet.rcode == 3)
        return DNS_NO_NAME;
    if (packet.rcode != 0)
        return DNS_FAILED;
    while (q->n < PER_QUESTION && dns_packet_next(&packet, &r) == SP_OK)
        if (r.class == DNS_CLASS_IN && (int)r.type == q->type && r.data.len == size)
            make_address(q, r.data);
    return q->n > 0 ? DNS_FOUND : DNS_NO_DATA;
}

static void end_question(struct question *q, enum dns_verdict verdict)
{
    q->answered = true;
    q->verdict = verdict;
    for (int i = 0; i < QUESTIONS; i++)
        if (!q->query->questions[i].answered)
            return;
    os_later_ask(&q->query->later);
}

static void take_answer(void *ctx, int rcode, void *packet, int len, int secure, char *why_bogus, int limited)
{
    (void)why_bogus, (void)limited;
    struct question *q = ctx;
    q->asked = false;
    if (rcode == 3)
        end_question(q, DNS_NO_NAME);
    else if (rcode != 0 || secure == 1 || len < 0)
        end_question(q, DNS_FAILED);
    else
        end_question(q, read_answer(q, sp_view_make(packet, (size_t)len)));
}

static void ask(struct question *q, const char *name)
{
    q->asked = true;
    if (ub_resolve_event(q->query->dns->ub, name, q->type, DNS_CLASS_IN, q, take_answer, &q->id)) {
        q->asked = false;
        end_question(q, DNS_FAILED);
    }
}

/* --- a query ----------------------------------------------------------------------------- */

static void end_query(struct dns_query *q)
{
    for (int i = 0; i < QUESTIONS; i++)
        if (q->questions[i].asked)
            (void)ub_cancel(q->dns->ub, q->questions[i].id); /* fails only for what has just been answered */
    os_timer_fini(&q->timer);
    os_later_fini(&q->later);
    free(q);
}

void dns_query_cancel(struct dns_query *q) { end_query(q); }

/* IPv6 and IPv4 in turn, so that a family without a route costs one attempt, not eight. */
static void gather(const struct dns_query *q, struct dns_addresses *out)
{
    const struct question *v6 = &q->questions[0], *v4 = &q->questions[1];
    *out = (struct dns_addresses){.verdict = DNS_FOUND};
    for (size_t i = 0; i < PER_QUESTION; i++) {
        if (i < v6->n)
            out->addresses[out->n++] = v6->found[i];
        if (i < v4->n)
            out->addresses[out->n++] = v4->found[i];
    }
    if (out->n > 0)
        return;
    /* What may change outweighs what will not: one family's "no data" says nothing of the other. */
    out->verdict = v4->verdict;
    if (!dns_is_final(v6->verdict) || v4->verdict == DNS_FOUND)
        out->verdict = v6->verdict;
}

static void tell(void *ctx)
{
    struct dns_query *q = ctx;
    struct dns_addresses found;
    gather(q, &found);
    void (*answer)(void *, const struct dns_addresses *) = q->answer;
    void *to = q->ctx;
    end_query(q);
    answer(to, &found);
}

static void time_out(void *ctx)
{
    struct dns_query *q = ctx;
    for (int i = 0; i < QUESTIONS; i++) {
        if (q->questions[i].answered)
            continue;
        if (q->questions[i].asked)
            (void)ub_cancel(q->dns->ub, q->questions[i].id);
        q->questions[i].asked = false;
        end_question(&q->questions[i], DNS_TIMEOUT);
    }
}

/* A numeric address answers itself. */
static bool is_numeric(struct dns_query *q, const char *name)
{
    uint8_t raw[16];
    int families[QUESTIONS] = {AF_INET6, AF_INET};
    for (int i = 0; i < QUESTIONS; i++) {
        if (inet_pton(families[i], name, raw) != 1)
            continue;
        make_address(&q->questions[i], sp_view_make(raw, i == 0 ? 16 : 4));
        end_question(&q->questions[1 - i], DNS_NO_DATA);
        end_question(&q->questions[i], DNS_FOUND);
        return true;
    }
    return false;
}

static bool is_name(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!sp_ascii_alpha(v.p[i]) && !sp_ascii_digit(v.p[i]) && v.p[i] != '-' && v.p[i] != '_' &&
            v.p[i] != '.' && v.p[i] != ':')
            return false;
    return v.len > 0 && v.len <= NAME_MAX_OCTETS;
}

struct dns_query *dns_addresses(struct dns *d, struct sp_view host, uint16_t port, uint32_t timeout_ms,
                                void (*answer)(void *ctx, const struct dns_addresses *found), void *ctx)
{
    struct dns_query *q = os_new(sizeof *q);
    *q = (struct dns_query){.dns = d, .port = port, .answer = answer, .ctx = ctx};
    for (int i = 0; i < QUESTIONS; i++)
        q->questions[i] = (struct question){.query = q, .type = i == 0 ? DNS_TYPE_AAAA : DNS_TYPE_A};
    os_timer_init(&q->timer, d->base, time_out, q);
    os_later_init(&q->later, d->base, tell, q);
    if (host.len > 1 && host.p[0] == '[' && host.p[host.len - 1] == ']')
        host = sp_view_sub(host, 1, host.len - 2);
    char name[NAME_MAX_OCTETS + 1] = "";
    if (!is_name(host)) {
        end_question(&q->questions[0], DNS_BAD_NAME);
        end_question(&q->questions[1], DNS_BAD_NAME);
        return q;
    }
    memcpy(name, host.p, host.len);
    if (is_numeric(q, name))
        return q;
    os_timer_set(&q->timer, timeout_ms);
    for (int i = 0; i < QUESTIONS; i++)
        ask(&q->questions[i], name);
    return q;
}
