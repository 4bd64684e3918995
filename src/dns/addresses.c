/* The addresses of a host: two questions, AAAA and A, and one answer. */
#include "dns/resolver.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/loop.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { FAMILIES = 2, PER_FAMILY = DNS_ADDRESSES_MAX / FAMILIES };

struct family {
    struct dns_query *query;
    enum dns_type type;
    struct dns_lookup *lookup; /* NULL: not asked, or answered */
    enum dns_verdict verdict;
    bool secure;
    char *why;
    struct os_address found[PER_FAMILY];
    size_t n;
};

struct dns_query {
    struct dns *dns;
    uint16_t port;
    struct family families[FAMILIES]; /* IPv6, IPv4 */
    char name[DNS_NAME_MAX + 1];
    struct os_later later;
    void (*answer)(void *ctx, const struct dns_addresses *found);
    void *ctx;
};

static void make_address(struct family *f, struct sp_view data)
{
    struct os_address *a = &f->found[f->n++];
    *a = (struct os_address){0};
    if (f->type == DNS_TYPE_A) {
        a->as.v4.sin_family = AF_INET;
        a->as.v4.sin_port = htons(f->query->port);
        memcpy(&a->as.v4.sin_addr, data.p, 4);
        a->len = sizeof a->as.v4;
    } else {
        a->as.v6.sin6_family = AF_INET6;
        a->as.v6.sin6_port = htons(f->query->port);
        memcpy(&a->as.v6.sin6_addr, data.p, 16);
        a->len = sizeof a->as.v6;
    }
}

static void end_query(struct dns_query *q)
{
    for (struct family *f = q->families; f < q->families + FAMILIES; f++) {
        if (f->lookup)
            dns_lookup_cancel(f->lookup);
        free(f->why);
    }
    os_later_fini(&q->later);
    free(q);
}

void dns_query_cancel(struct dns_query *q) { end_query(q); }

/* What may change outweighs what will not: one family's "no data" says nothing of the other. */
static const struct family *decisive(const struct dns_query *q)
{
    const struct family *v6 = &q->families[0], *v4 = &q->families[1];
    return !dns_is_final(v6->verdict) || v4->verdict == DNS_FOUND ? v6 : v4;
}

/* IPv6 and IPv4 in turn, so that a family without a route costs one attempt, not eight. */
static void gather(const struct dns_query *q, struct dns_addresses *out)
{
    const struct family *v6 = &q->families[0], *v4 = &q->families[1];
    *out = (struct dns_addresses){.verdict = DNS_FOUND, .why = "", .secure = v6->secure && v4->secure};
    memcpy(out->name, q->name, sizeof out->name);
    for (size_t i = 0; i < PER_FAMILY; i++) {
        if (i < v6->n)
            out->addresses[out->n++] = v6->found[i];
        if (i < v4->n)
            out->addresses[out->n++] = v4->found[i];
    }
    if (out->n == 0) {
        out->verdict = decisive(q)->verdict;
        out->why = decisive(q)->why ? decisive(q)->why : "";
    }
}

static void tell(void *ctx)
{
    struct dns_query *q = ctx;
    struct dns_addresses found;
    gather(q, &found);
    q->answer(q->ctx, &found);
    end_query(q);
}

static void tell_when_both(struct dns_query *q)
{
    if (!q->families[0].lookup && !q->families[1].lookup)
        tell(q);
}

static void take_answer(void *ctx, const struct dns_answer *found)
{
    struct family *f = ctx;
    struct dns_packet packet = found->packet;
    struct dns_record r;
    f->lookup = NULL;
    f->verdict = found->verdict;
    f->secure = found->secure;
    f->why = os_text(sp_view_of(found->why));
    while (found->verdict == DNS_FOUND && f->n < PER_FAMILY &&
           dns_packet_next_of(&packet, f->type, &r) == SP_OK) {
        if (r.data.len != (f->type == DNS_TYPE_A ? 4 : 16))
            continue;
        make_address(f, r.data);
        if (dns_packet_name(&packet, r.owner, f->query->name, NULL))
            f->query->name[0] = '\0';
    }
    tell_when_both(f->query);
}

/* A numeric address answers itself. */
static bool is_numeric(struct dns_query *q, struct sp_view host)
{
    static const int families[FAMILIES] = {AF_INET6, AF_INET};
    uint8_t raw[16];
    char text[OS_ADDRESS_TEXT];
    if (host.len == 0 || host.len >= sizeof text)
        return false;
    memcpy(text, host.p, host.len);
    text[host.len] = '\0';
    for (int i = 0; i < FAMILIES; i++) {
        if (inet_pton(families[i], text, raw) != 1)
            continue;
        make_address(&q->families[i], sp_view_make(raw, i == 0 ? 16 : 4));
        q->families[i].verdict = DNS_FOUND;
        q->families[1 - i].verdict = DNS_NO_DATA;
        return true;
    }
    return false;
}

struct dns_query *dns_addresses(struct dns *d, struct sp_view host, uint16_t port, uint32_t timeout_ms,
                                void (*answer)(void *ctx, const struct dns_addresses *found), void *ctx)
{
    struct dns_query *q = os_new(sizeof *q);
    *q = (struct dns_query){.dns = d, .port = port, .answer = answer, .ctx = ctx};
    for (int i = 0; i < FAMILIES; i++)
        q->families[i] = (struct family){.query = q, .type = i == 0 ? DNS_TYPE_AAAA : DNS_TYPE_A};
    os_later_init(&q->later, d->base, tell, q);
    if (host.len > 1 && host.p[0] == '[' && host.p[host.len - 1] == ']')
        host = sp_view_sub(host, 1, host.len - 2);
    if (is_numeric(q, host)) {
        os_later_ask(&q->later);
        return q;
    }
    for (struct family *f = q->families; f < q->families + FAMILIES; f++)
        f->lookup = dns_ask(d, host, f->type, timeout_ms, take_answer, f);
    return q;
}
