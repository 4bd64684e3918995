/*
 * From a domain to its policy. A policy that is known and has not run out counts whatever the DNS and the web
 * server say today (RFC 8461 3.3, 5.1): whoever can hide both from us could else switch it off. A web server
 * that gives none is left alone for 5 minutes.
 */
#include "roles/delivery/sts.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/delivery/delivery.h"
#include "roles/delivery/sts_kept.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOOKUP_MS = 10000,
    DOCUMENT_MS = 20000,
    LEAVE_ALONE_MS = 300000,
    KNOWN_MAX = 4096,
    TXT_MAX = 1000,
    URL_MAX = 400
};

/* What is known of a domain. */
struct known {
    struct sts_kept kept;
    bool has_policy;
    struct sts_policy policy;
    uint64_t failed_ms; /* monotonic: its web server gave none; 0: it has not failed */
};

struct sts_question {
    struct sts_question *next;
    struct delivery_route *route;
    char domain[DNS_NAME_MAX + 1];
    char id[STS_ID_MAX + 1]; /* that the DNS names; "": none */
    struct dns_lookup *lookup;
    uint64_t tag; /* of the document that is waited for; 0: none */
    struct os_timer timer;
    void (*answer)(void *ctx, const struct sts_policy *policy);
    void *ctx;
};

/* --- what is known --------------------------------------------------------------------------- */

static void forget_all(struct delivery *d)
{
    uint64_t seed = d->policies.seed;
    size_t cursor = 0;
    struct sp_view key;
    for (void *value; sp_table_next(&d->policies, &cursor, &key, &value);)
        free(value);
    sp_table_fini(&d->policies);
    sp_table_init(&d->policies, &os_heap, seed);
}

static void read_kept(struct known *k, const char *domain)
{
    struct sp_buf text;
    const char *why = "not a file of ours";
    sp_buf_init(&text, &os_heap, STS_TEXT_MAX);
    int status = sts_kept_read(domain, &k->kept, &text);
    if (!status)
        status = sts_policy_parse(sp_buf_view(&text), &k->policy, &why);
    k->has_policy = status == SP_OK;
    if (status && status != SP_ERR_ABSENT)
        os_log(OS_WARN, "mta-sts-unreadable", OS_STR("domain", domain),
               OS_STR("why", status == SP_ERR_IO ? strerror(errno) : why),
               OS_STR("effect", "the policy is fetched anew"));
    sp_buf_fini(&text);
}

/* What this process remembers of a domain, or finds on disk. */
static struct known *know(struct delivery *d, const char *domain)
{
    struct known *k = sp_table_get(&d->policies, sp_view_of(domain));
    if (k)
        return k;
    if (d->policies.n >= KNOWN_MAX)
        forget_all(d);
    k = os_new(sizeof *k);
    read_kept(k, domain);
    int status = sp_table_put(&d->policies, sp_view_of(domain), k);
    (void)status; /* os_heap never says no */
    return k;
}

static int64_t age_s(const struct known *k) { return os_wall_ms() / 1000 - k->kept.fetched_s; }

static bool holds(const struct known *k)
{
    return k->has_policy && age_s(k) >= 0 && age_s(k) < (int64_t)k->policy.max_age_s;
}

/* --- ends ---------------------------------------------------------------------------------------- */

void sts_cancel(struct sts_question *q)
{
    struct sts_question **at = &q->route->delivery->questions;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    if (q->lookup)
        dns_lookup_cancel(q->lookup);
    os_timer_fini(&q->timer);
    delivery_route_release(q->route);
    free(q);
}

static void tell(struct sts_question *q)
{
    struct known *k = know(q->route->delivery, q->domain);
    void (*answer)(void *, const struct sts_policy *) = q->answer;
    void *ctx = q->ctx;
    bool good = holds(k) && k->policy.mode != STS_NONE;
    sts_cancel(q);
    answer(ctx, good ? &k->policy : NULL);
}

/* --- the document ------------------------------------------------------------------------------------ */

static void note_failure(struct sts_question *q, enum ipc_tls_result result, struct sp_view why)
{
    struct known *k = know(q->route->delivery, q->domain);
    k->failed_ms = os_mono_ms();
    delivery_tls_tell_no_policy(q->route->delivery, q->domain, holds(k) ? &k->policy : NULL, result, why);
    os_log(OS_INFO, "mta-sts-failed", OS_STR("domain", q->domain), OS_VIEW("why", why),
           OS_STR("effect", holds(k) ? "the policy from before counts" : "its mail goes as if it had none"));
    tell(q);
}

static void take_policy(struct sts_question *q, struct sp_view text)
{
    struct known *k = know(q->route->delivery, q->domain);
    struct sts_policy policy;
    const char *why;
    if (sts_policy_parse(text, &policy, &why)) {
        note_failure(q, IPC_TLS_RESULT_STS_POLICY_INVALID, sp_view_of(why));
        return;
    }
    k->policy = policy;
    k->has_policy = true;
    k->failed_ms = 0;
    k->kept.fetched_s = os_wall_ms() / 1000;
    memcpy(k->kept.id, q->id, sizeof k->kept.id);
    if (sts_kept_write(q->domain, &k->kept, text))
        os_log(OS_WARN, "mta-sts-not-kept", OS_STR("domain", q->domain), OS_STR("why", strerror(errno)),
               OS_STR("effect", "the next start does not know the policy"));
    os_log(OS_INFO, "mta-sts-policy", OS_STR("domain", q->domain), OS_STR("mode", sts_mode_word(policy.mode)),
           OS_STR("id", q->id), OS_NUM("servers", policy.mx_n), OS_NUM("max-age-s", policy.max_age_s));
    tell(q);
}

void sts_take_document(struct delivery *d, const struct ipc_document_here *m)
{
    struct sts_question *q = d->questions;
    while (q && q->tag != m->tag)
        q = q->next;
    if (!q || m->tag == 0)
        return; /* given up since then */
    if (m->fault.len > 0)
        note_failure(q,
                     m->untrusted ? IPC_TLS_RESULT_STS_WEBPKI_INVALID : IPC_TLS_RESULT_STS_POLICY_FETCH_ERROR,
                     m->fault);
    else
        take_policy(q, m->document);
}

void sts_lose_fetch(struct delivery *d)
{
    for (struct sts_question *q = d->questions; q; q = q->next)
        if (q->tag)
            os_timer_set(&q->timer, 0);
}

static void give_up(void *ctx)
{
    note_failure(ctx, IPC_TLS_RESULT_STS_POLICY_FETCH_ERROR, SP_LIT("its policy did not come in time"));
}

/* https://mta-sts.DOMAIN/.well-known/mta-sts.txt (RFC 8461 3.3). */
static void fetch(struct sts_question *q)
{
    struct delivery *d = q->route->delivery;
    struct os_edge *peer = role_peer_for(d->role, IPC_FETCH, 0);
    char url[URL_MAX], port[8] = "";
    if (q->route->mta_sts_port != 443)
        (void)snprintf(port, sizeof port, ":%u", q->route->mta_sts_port); /* fits */
    int n = snprintf(url, sizeof url, "https://mta-sts.%s%s/.well-known/mta-sts.txt", q->domain, port);
    struct ipc_message m = {.type = IPC_TYPE_document_wanted};
    m.as.document_wanted.tag = q->tag = ++d->last_tag;
    m.as.document_wanted.url = sp_view_make(url, (size_t)n);
    m.as.document_wanted.authorities_pem = sp_buf_view(&q->route->authorities_pem);
    bool sent = peer && os_edge_send(peer, &m) == SP_OK;
    os_timer_set(&q->timer, sent ? DOCUMENT_MS : 0);
}

/* --- the record -------------------------------------------------------------------------------------- */

/* RFC 8461 3.1: one record that begins with v=STSv1, or it counts as none. */
static void take_id(struct sts_question *q, const struct dns_answer *found)
{
    struct dns_packet packet = found->packet;
    struct dns_record r;
    char text[TXT_MAX], id[STS_ID_MAX + 1];
    size_t len, n = 0;
    while (dns_packet_next_of(&packet, DNS_TYPE_TXT, &r) == SP_OK) {
        if (dns_record_txt(&r, text, sizeof text, &len) ||
            !sp_view_starts(sp_view_make(text, len), SP_LIT("v=STSv1")))
            continue;
        n++;
        if (sts_record_id(sp_view_make(text, len), id) == SP_OK)
            memcpy(q->id, id, sizeof id);
    }
    if (n != 1)
        q->id[0] = '\0';
}

static void take_record(void *ctx, const struct dns_answer *found)
{
    struct sts_question *q = ctx;
    struct known *k = know(q->route->delivery, q->domain);
    q->lookup = NULL;
    if (found->verdict == DNS_FOUND)
        take_id(q, found);
    bool newest = holds(k) && strcmp(k->kept.id, q->id) == 0 && age_s(k) < (int64_t)k->policy.max_age_s / 2;
    bool left_alone = k->failed_ms > 0 && os_mono_ms() - k->failed_ms < LEAVE_ALONE_MS;
    if (q->id[0] && !newest && !left_alone)
        fetch(q);
    else
        tell(q);
}

struct sts_question *sts_ask(struct delivery_route *route, const char *domain,
                             void (*answer)(void *ctx, const struct sts_policy *policy), void *ctx)
{
    struct delivery *d = route->delivery;
    struct sts_question *q = os_new(sizeof *q);
    char name[DNS_NAME_MAX + 16];
    *q = (struct sts_question){.next = d->questions, .route = route, .answer = answer, .ctx = ctx};
    (void)snprintf(q->domain, sizeof q->domain, "%s", domain); /* both have the same room */
    os_timer_init(&q->timer, d->role->base, give_up, q);
    route->use_n++;
    d->questions = q;
    int n = snprintf(name, sizeof name, "_mta-sts.%s", domain);
    q->lookup = dns_ask(d->dns, sp_view_make(name, (size_t)n), DNS_TYPE_TXT, LOOKUP_MS, take_record, q);
    return q;
}
