#include "roles/delivery/tls_report.h"

#include "base/view.h"
#include "os/heap.h"
#include "roles/delivery/dial.h"
#include "roles/delivery/search.h"

#include <stdlib.h>

enum { STRINGS_MAX = 2048, WHY_MAX = 400 };

struct delivery_aim {
    unsigned refs;
    char domain[DNS_NAME_MAX + 1];
    struct sts_policy *policy; /* NULL: none */
};

struct delivery_aim *delivery_aim_new(const struct delivery_search *s)
{
    if (!s->route->delivery->role->config->tls_reports.contact)
        return NULL;
    struct delivery_aim *aim = os_new(sizeof *aim);
    aim->refs = 1;
    memcpy(aim->domain, s->name, sizeof aim->domain); /* both have the same room */
    if (s->policy) {
        aim->policy = os_new(sizeof *aim->policy);
        *aim->policy = *s->policy;
    }
    return aim;
}

struct delivery_aim *delivery_aim_ref(struct delivery_aim *aim)
{
    if (aim)
        aim->refs++;
    return aim;
}

void delivery_aim_unref(struct delivery_aim *aim)
{
    if (!aim || --aim->refs > 0)
        return;
    free(aim->policy);
    free(aim);
}

/* --- telling --------------------------------------------------------------------------------- */

static void tell(struct delivery *d, struct ipc_tls_session *told)
{
    struct os_edge *queue = role_peer_for(d->role, IPC_QUEUE, 0);
    struct ipc_message m = {.type = IPC_TYPE_tls_session};
    if (told->result == IPC_TLS_RESULT_SUCCESS)
        told->sending_ip = told->mx = told->helo = told->receiving_ip = told->reason = (struct sp_view){0};
    told->reason = sp_view_sub(told->reason, 0, WHY_MAX);
    m.as.tls_session = *told;
    if (queue)
        (void)os_edge_send(queue, &m); /* without a queue there is nobody who counts */
}

/* The policy as its owner would write it, and the hosts that it names (RFC 8460 4.4). */
struct policy_text {
    struct sp_buf strings, patterns;
};

static void describe(struct policy_text *t, const struct sts_policy *p)
{
    sp_buf_init(&t->strings, &os_heap, STRINGS_MAX + 400);
    sp_buf_init(&t->patterns, &os_heap, STRINGS_MAX + 400);
    if (!p)
        return;
    sp_buf_add_str(&t->strings, "version: STSv1\nmode: ");
    sp_buf_add_str(&t->strings, sts_mode_word(p->mode));
    for (size_t i = 0; i < p->mx_n && t->strings.len < STRINGS_MAX; i++) {
        sp_buf_add_str(&t->strings, "\nmx: ");
        sp_buf_add_str(&t->strings, p->mx[i]);
        sp_buf_add_str(&t->patterns, i ? "\n" : "");
        sp_buf_add_str(&t->patterns, p->mx[i]);
    }
    sp_buf_add_str(&t->strings, "\nmax_age: ");
    sp_buf_add_dec(&t->strings, p->max_age_s);
}

static void put(struct ipc_tls_session *told, const struct policy_text *t)
{
    told->policy = IPC_TLS_POLICY_STS;
    told->strings = sp_buf_view(&t->strings);
    told->patterns = sp_buf_view(&t->patterns);
}

static void forget(struct policy_text *t)
{
    sp_buf_fini(&t->strings);
    sp_buf_fini(&t->patterns);
}

void delivery_tls_add_record(struct sp_buf *text, const struct dns_tlsa *t)
{
    const uint8_t numbers[] = {t->usage, t->selector, t->matching};
    if (text->len + 2 * t->data.len + 16 > STRINGS_MAX)
        return; /* certificates in full are rare, and longer than a report should be */
    sp_buf_add_str(text, text->len ? "\n" : "");
    for (size_t i = 0; i < sizeof numbers; i++) {
        sp_buf_add_dec(text, numbers[i]);
        sp_buf_add_u8(text, ' ');
    }
    sp_buf_add_hex(text, t->data);
}

/* --- sessions ---------------------------------------------------------------------------------- */

static enum ipc_tls_result result_of(enum os_tls_fault fault)
{
    static const enum ipc_tls_result results[] = {
        [OS_TLS_FAULT_NONE] = IPC_TLS_RESULT_SUCCESS,
        [OS_TLS_FAULT_HANDSHAKE] = IPC_TLS_RESULT_VALIDATION_FAILURE,
        [OS_TLS_FAULT_EXPIRED] = IPC_TLS_RESULT_CERTIFICATE_EXPIRED,
        [OS_TLS_FAULT_NAME] = IPC_TLS_RESULT_CERTIFICATE_HOST_MISMATCH,
        [OS_TLS_FAULT_UNTRUSTED] = IPC_TLS_RESULT_CERTIFICATE_NOT_TRUSTED,
        [OS_TLS_FAULT_TLSA] = IPC_TLS_RESULT_TLSA_INVALID,
    };
    return results[fault];
}

/* TLS came up: is it what the domain wants, whether that is enforced or in testing? */
static void judge_up(const struct delivery_racer *r, const struct client_tls_story *story,
                     struct ipc_tls_session *told)
{
    if (r->host->policy == DELIVERY_DANE_UNUSABLE) {
        told->result = IPC_TLS_RESULT_TLSA_INVALID;
        told->reason = SP_LIT("none of its TLSA records can be used (RFC 7672 3.1)");
    } else if (told->policy == IPC_TLS_POLICY_STS &&
               !sts_policy_allows(r->link->aim->policy, r->host->host->name)) {
        told->result = IPC_TLS_RESULT_VALIDATION_FAILURE;
        told->reason = SP_LIT("the MTA-STS policy does not name this host");
    } else if (told->policy == IPC_TLS_POLICY_STS) {
        told->result = (uint8_t)result_of(story->fault);
        told->reason = sp_view_of(story->why);
    }
}

static void judge(const struct delivery_racer *r, const struct client_tls_story *story,
                  struct ipc_tls_session *told)
{
    if (story->end == CLIENT_TLS_UP) {
        judge_up(r, story, told);
        return;
    }
    told->result = story->end == CLIENT_TLS_LACKING ? IPC_TLS_RESULT_STARTTLS_NOT_SUPPORTED
                                                    : (uint8_t)result_of(story->fault);
    told->reason = sp_view_of(story->why);
}

static bool is_told(const struct delivery_link *l) { return l->aim && !l->pool->site.plain_will_do; }

void delivery_tls_tell_session(const struct delivery_racer *r)
{
    const struct delivery_dial_host *h = r->host;
    const struct delivery_link *l = r->link;
    if (!h || !r->client || !is_told(l) || h->policy == DELIVERY_OFF)
        return;
    const struct client_tls_story *story = client_tls_story(r->client);
    if (story->end == CLIENT_TLS_UNKNOWN)
        return;
    char receiving[OS_ADDRESS_TEXT];
    os_address_host(&r->one.addresses[0], receiving);
    struct policy_text text;
    struct ipc_tls_session told = {.domain = sp_view_of(l->aim->domain),
                                   .sending_ip = sp_view_of(story->local),
                                   .mx = sp_view_of(h->host->name),
                                   .helo = sp_view_of(story->helo),
                                   .receiving_ip = sp_view_of(receiving)};
    bool by_tlsa = h->policy == DELIVERY_DANE || h->policy == DELIVERY_DANE_UNUSABLE;
    describe(&text, by_tlsa ? NULL : l->aim->policy);
    if (by_tlsa) {
        told.policy = IPC_TLS_POLICY_TLSA;
        told.strings = sp_buf_view(&h->tlsa_text);
        told.patterns = sp_view_of(h->base);
    } else if (l->aim->policy) {
        put(&told, &text);
    }
    judge(r, story, &told);
    tell(l->pool->delivery, &told);
    forget(&text);
}

/* --- what comes before a session ------------------------------------------------------------------ */

/* A question whose time is over says nothing of the domain: we may be cut off ourselves. */
static bool says_something(enum dns_verdict verdict) { return verdict == DNS_BOGUS || verdict == DNS_FAILED; }

void delivery_tls_tell_no_tlsa(const struct delivery_dial_host *h, enum dns_verdict verdict, const char *why)
{
    const struct delivery_link *l = h->link;
    if (!is_told(l) || !says_something(verdict))
        return;
    struct ipc_tls_session told = {.domain = sp_view_of(l->aim->domain),
                                   .policy = IPC_TLS_POLICY_TLSA,
                                   .patterns = sp_view_of(h->base),
                                   .result = IPC_TLS_RESULT_DNSSEC_INVALID,
                                   .mx = sp_view_of(h->host->name),
                                   .reason = sp_view_of(*why ? why : dns_verdict_text(verdict))};
    tell(l->pool->delivery, &told);
}

void delivery_tls_tell_no_mx(const struct delivery_search *s, const char *why)
{
    struct delivery *d = s->route->delivery;
    struct ipc_tls_session told = {.domain = sp_view_of(s->name),
                                   .policy = IPC_TLS_POLICY_TLSA,
                                   .result = IPC_TLS_RESULT_DNSSEC_INVALID,
                                   .reason = sp_view_of(*why ? why : dns_verdict_text(DNS_BOGUS))};
    if (d->role->config->tls_reports.contact)
        tell(d, &told);
}

void delivery_tls_tell_no_host(struct delivery *d, const struct delivery_aim *aim, const char *host)
{
    if (!aim)
        return;
    struct policy_text text;
    struct ipc_tls_session told = {.domain = sp_view_of(aim->domain),
                                   .result = IPC_TLS_RESULT_VALIDATION_FAILURE,
                                   .mx = sp_view_of(host),
                                   .reason = SP_LIT("the MTA-STS policy names none of the domain's hosts")};
    describe(&text, aim->policy);
    put(&told, &text);
    tell(d, &told);
    forget(&text);
}

void delivery_tls_tell_no_policy(struct delivery *d, const char *domain, const struct sts_policy *policy,
                                 enum ipc_tls_result result, struct sp_view why)
{
    if (!d->role->config->tls_reports.contact)
        return;
    struct policy_text text;
    struct ipc_tls_session told = {.domain = sp_view_of(domain), .result = (uint8_t)result, .reason = why};
    describe(&text, policy);
    put(&told, &text);
    tell(d, &told);
    forget(&text);
}
