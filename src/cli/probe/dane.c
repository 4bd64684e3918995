/* DANE for SMTP (RFC 7672): do the TLSA records of a mail server fit the certificate that it shows? */
#include <stdio.h>
#include <string.h>

#include "base/view.h"
#include "cli/probe/probe.h"
#include "os/clock.h"
#include "os/heap.h"

enum { RECORDS_MAX = 16, DATA_MAX = 65536 };

struct records {
    enum dns_verdict verdict;
    bool secure;
    size_t all, n;
    struct os_tls_tlsa list[RECORDS_MAX];
    struct sp_buf data;
};

static void take_tlsa(void *ctx, const struct dns_answer *found)
{
    struct records *s = ctx;
    struct dns_packet packet = found->packet;
    struct dns_record r;
    struct dns_tlsa t;
    size_t at = 0;
    s->verdict = found->verdict;
    s->secure = found->secure;
    if (found->verdict != DNS_FOUND)
        return;
    for (; dns_packet_next_of(&packet, DNS_TYPE_TLSA, &r) == SP_OK; s->all++) {
        if (s->n == RECORDS_MAX || dns_record_tlsa(&r, &t))
            continue;
        struct os_tls_tlsa *to = &s->list[s->n];
        *to = (struct os_tls_tlsa){t.usage, t.selector, t.matching, t.data};
        if (os_tls_tlsa_is_usable(to) && sp_buf_add(&s->data, t.data) == SP_OK)
            s->n++;
    }
    for (size_t i = 0; i < s->n; at += s->list[i++].data.len)
        s->list[i].data.p = s->data.p + at;
}

/* NULL: it fits. */
static const char *fault_of(struct probe *p, const struct probe_host *host, const struct records *s,
                            char *room, size_t size)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1024);
    struct os_tls_context *tls = os_tls_client_new(OS_TLS_DANE, NULL, &error);
    sp_buf_fini(&error);
    struct probe_port port = {.number = host->ports[0].number};
    struct probe_look l = {.probe = p, .host = host, .port = &port};
    const struct os_tls_expected expected = {.name = host->name, .tlsa = s->list, .tlsa_n = s->n};
    probe_wire_init(&l.wire, p->base, p->plan->timeout_ms, os_mono_ms() + p->plan->limit_ms);
    l.address = host->addresses.addresses[0];
    bool plain = tls && probe_connect_again(&l) &&
                 probe_wire_ask(&l.wire, "EHLO probe.invalid") == PROBE_DONE &&
                 probe_wire_ask(&l.wire, "STARTTLS") == PROBE_DONE && l.wire.code == 220;
    const char *fault = "no STARTTLS";
    if (plain) {
        enum probe_step step = probe_wire_secure(&l.wire, tls, &expected);
        const struct os_tls_facts *facts = step == PROBE_DONE ? os_stream_tls(l.wire.stream) : NULL;
        snprintf(room, size, "%s", facts && facts->peer_fault ? facts->peer_fault : l.wire.why);
        fault = facts && facts->dane ? NULL : room;
    }
    probe_wire_fini(&l.wire);
    os_tls_unref(tls);
    return fault;
}

static void set_port(struct os_address *a, uint16_t number)
{
    if (a->as.any.sa_family == AF_INET6)
        a->as.v6.sin6_port = htons(number);
    else
        a->as.v4.sin_port = htons(number);
}

void probe_dane(struct probe *p, const struct probe_host *host, struct probe_findings *f, bool secure)
{
    struct records s = {.verdict = DNS_FAILED};
    char name[DNS_NAME_MAX + 32], why[PROBE_WIRE_TEXT_MAX] = "";
    struct probe_host dialled = *host;
    sp_buf_init(&s.data, &os_heap, DATA_MAX);
    snprintf(name, sizeof name, "_%u._tcp.%s", host->ports[0].number, host->name);
    probe_ask_dns(p, name, DNS_TYPE_TLSA, take_tlsa, &s);
    set_port(&dialled.addresses.addresses[0], host->ports[0].number);
    if (s.verdict == DNS_NO_NAME || s.verdict == DNS_NO_DATA)
        probe_tell(f, PROBE_DANE_ABSENT, host->name, NULL, NULL);
    else if (s.verdict != DNS_FOUND)
        probe_tell(f, PROBE_DANE_FAILED, host->name, dns_verdict_text(s.verdict), NULL);
    else if (!s.secure || !secure)
        probe_tell(f, PROBE_DANE_INSECURE, host->name, NULL, NULL);
    else if (s.n == 0)
        probe_tell(f, PROBE_DANE_UNUSABLE, host->name, NULL, NULL);
    else {
        const char *fault = fault_of(p, &dialled, &s, why, sizeof why);
        probe_tell(f, fault ? PROBE_DANE_WRONG : PROBE_DANE, host->name, fault, NULL);
    }
    sp_buf_fini(&s.data);
}
