/* For queue, who has neither the DNS nor the web: where a domain wants its reports (RFC 8460 3), and posting
 * them. */
#include "base/view.h"
#include "message/tlsrpt.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/delivery/delivery.h"
#include "roles/delivery/tls_report.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOKUP_MS = 30000, POST_MS = 30000 };

/* One question of a queue. */
struct delivery_errand {
    struct delivery_errand *next;
    struct delivery *delivery;
    struct os_edge *queue;
    uint64_t tag;
    struct dns_lookup *lookup; /* NULL: it is a post */
    /* A post: tried with the certificate looked at, and once more without when that is what was wrong. */
    uint64_t document; /* the tag that fetch knows */
    char *url;
    struct sp_buf report;
    bool unverified;
    struct os_timer timer;
};

static void errand_free(struct delivery_errand *p)
{
    struct delivery_errand **at = &p->delivery->errands;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    if (p->lookup)
        dns_lookup_cancel(p->lookup);
    os_timer_fini(&p->timer);
    sp_buf_fini(&p->report);
    free(p->url);
    free(p);
}

static void end_post(struct delivery_errand *p, struct sp_view fault)
{
    struct ipc_message m = {.type = IPC_TYPE_tls_posted};
    m.as.tls_posted.tag = p->tag;
    m.as.tls_posted.fault = fault;
    m.as.tls_posted.unverified = p->unverified;
    (void)os_edge_send(p->queue, &m); /* a queue that is gone asks again */
    errand_free(p);
}

static void give_up(void *ctx) { end_post(ctx, SP_LIT("the web server did not answer in time")); }

static struct delivery_errand *errand_new(struct delivery *d, struct os_edge *queue, uint64_t tag)
{
    struct delivery_errand *p = os_new(sizeof *p);
    *p = (struct delivery_errand){.next = d->errands, .delivery = d, .queue = queue, .tag = tag};
    os_timer_init(&p->timer, d->role->base, give_up, p);
    sp_buf_init(&p->report, &os_heap, IPC_PAYLOAD_MAX);
    d->errands = p;
    return p;
}

/* --- the record ------------------------------------------------------------------------------ */

/* One record that begins with v=TLSRPTv1, or the domain counts as one without. */
static enum ipc_tls_place choose(const struct dns_answer *found, char text[MESSAGE_TLSRPT_RECORD_MAX],
                                 struct sp_view *record_out)
{
    struct dns_packet packet = found->packet;
    struct dns_record r;
    struct sp_view rua;
    char one[MESSAGE_TLSRPT_RECORD_MAX];
    size_t len, n = 0;
    while (dns_packet_next_of(&packet, DNS_TYPE_TXT, &r) == SP_OK) {
        if (dns_record_txt(&r, one, sizeof one, &len) || !message_tlsrpt_is_record(sp_view_make(one, len)))
            continue;
        memcpy(text, one, len);
        *record_out = sp_view_make(text, len);
        n++;
    }
    return n == 1 && message_tlsrpt_read(*record_out, &rua) == SP_OK ? IPC_TLS_PLACE_FOUND
                                                                     : IPC_TLS_PLACE_NONE;
}

static void take_record(void *ctx, const struct dns_answer *found)
{
    struct delivery_errand *p = ctx;
    char text[MESSAGE_TLSRPT_RECORD_MAX];
    struct sp_view record = {0};
    enum ipc_tls_place answer = IPC_TLS_PLACE_AWAY;
    p->lookup = NULL;
    if (found->verdict == DNS_FOUND)
        answer = choose(found, text, &record);
    else if (found->verdict == DNS_NO_NAME || found->verdict == DNS_NO_DATA)
        answer = IPC_TLS_PLACE_NONE;
    struct ipc_message m = {.type = IPC_TYPE_tls_place_here};
    m.as.tls_place_here.tag = p->tag;
    m.as.tls_place_here.answer = (uint8_t)answer;
    m.as.tls_place_here.record = answer == IPC_TLS_PLACE_FOUND ? record : (struct sp_view){0};
    (void)os_edge_send(p->queue, &m); /* a queue that is gone asks again */
    errand_free(p);
}

void delivery_take_place_wanted(struct delivery *d, struct os_edge *queue,
                                const struct ipc_tls_place_wanted *m)
{
    struct delivery_errand *p = errand_new(d, queue, m->tag);
    char name[DNS_NAME_MAX + 16];
    struct sp_view domain = sp_view_sub(m->domain, 0, DNS_NAME_MAX);
    int n = snprintf(name, sizeof name, "_smtp._tls.%.*s", (int)domain.len, (const char *)domain.p);
    p->lookup = dns_ask(d->dns, sp_view_make(name, (size_t)n), DNS_TYPE_TXT, LOOKUP_MS, take_record, p);
}

/* --- posting ----------------------------------------------------------------------------------- */

/* Whoever may vouch for a domain's policy may vouch for its receiver of reports. */
static struct sp_view authorities_of(const struct delivery *d)
{
    for (const struct delivery_route *r = d->routes; r; r = r->next)
        if (!r->retired && r->kind == CONFIG_ROUTE_MX && r->authorities_pem.len > 0)
            return sp_buf_view(&r->authorities_pem);
    return (struct sp_view){0};
}

static void post(struct delivery_errand *p)
{
    struct delivery *d = p->delivery;
    struct os_edge *fetch = role_peer_for(d->role, IPC_FETCH, 0);
    struct ipc_message m = {.type = IPC_TYPE_document_wanted};
    m.as.document_wanted.tag = p->document = ++d->last_tag;
    m.as.document_wanted.url = sp_view_of(p->url);
    m.as.document_wanted.authorities_pem = authorities_of(d);
    m.as.document_wanted.any_certificate = p->unverified;
    m.as.document_wanted.type = SP_LIT("application/tlsrpt+gzip");
    m.as.document_wanted.body = sp_buf_view(&p->report);
    m.as.document_wanted.public_only = !d->role->config->tls_reports.private_addresses;
    bool sent = fetch && os_edge_send(fetch, &m) == SP_OK;
    os_timer_set(&p->timer, sent ? POST_MS : 0);
}

void delivery_take_post(struct delivery *d, struct os_edge *queue, const struct ipc_tls_post *m)
{
    struct delivery_errand *p = errand_new(d, queue, m->tag);
    p->url = os_text(m->url);
    (void)sp_buf_add(&p->report, m->report); /* os_heap never says no, and it came in such a message */
    post(p);
}

bool delivery_take_posted(struct delivery *d, const struct ipc_document_here *m)
{
    struct delivery_errand *p = d->errands;
    while (p && (p->document == 0 || p->document != m->tag))
        p = p->next;
    if (!p)
        return false;
    if (m->untrusted && !p->unverified) {
        /* RFC 8460 3: a certificate that is not good is no reason to keep a report back; it may be the very
         * thing that is reported. */
        p->unverified = true;
        post(p);
    } else {
        end_post(p, m->fault);
    }
    return true;
}

void delivery_lose_posts(struct delivery *d)
{
    for (struct delivery_errand *p = d->errands; p; p = p->next)
        if (p->url)
            os_timer_set(&p->timer, 0);
}

void delivery_forget_errands(struct delivery *d, const struct os_edge *queue)
{
    for (struct delivery_errand *p = d->errands, *next; p; p = next) {
        next = p->next;
        if (p->queue == queue)
            errand_free(p);
    }
}
