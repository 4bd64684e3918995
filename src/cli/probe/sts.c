/* MTA-STS (RFC 8461): the record, the policy, and whether the mail servers keep to it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "cli/probe/probe.h"
#include "os/file.h"
#include "os/heap.h"
#include "roles/delivery/sts_policy.h"
#include "roles/fetch/transfer.h"

enum { TEXT_MAX = 500, PEM_MAX = 1 << 20 };

struct record {
    size_t n; /* that begin with v=STSv1 */
    bool good;
    enum dns_verdict verdict;
    char text[TEXT_MAX];
};

static void take_txt(void *ctx, const struct dns_answer *found)
{
    struct record *s = ctx;
    struct dns_packet packet = found->packet;
    struct dns_record r;
    char text[TEXT_MAX], id[STS_ID_MAX + 1];
    size_t len;
    s->verdict = found->verdict;
    if (found->verdict != DNS_FOUND)
        return;
    while (dns_packet_next_of(&packet, DNS_TYPE_TXT, &r) == SP_OK) {
        if (dns_record_txt(&r, text, sizeof text, &len) ||
            !sp_view_starts(sp_view_make(text, len), SP_LIT("v=STSv1")))
            continue;
        s->n++;
        s->good = sts_record_id(sp_view_make(text, len), id) == SP_OK;
        probe_clean(sp_view_make(text, len), s->text, sizeof s->text);
    }
}

struct fetched {
    bool done;
    char fault[TEXT_MAX];
    const char *wrong;
    struct sts_policy *policy;
};

static void take_policy(void *ctx, const struct fetch_result *result)
{
    struct fetched *f = ctx;
    f->done = true;
    if (result->fault)
        snprintf(f->fault, sizeof f->fault, "%s", result->fault);
    else if (sts_policy_parse(result->document, f->policy, &f->wrong) == SP_OK)
        f->wrong = NULL;
    else if (!f->wrong)
        f->wrong = "?";
}

static void judge_policy(struct probe_result *r, const struct sts_policy *policy)
{
    char age[32];
    snprintf(age, sizeof age, "%u", policy->max_age_s);
    probe_tell(&r->findings, PROBE_STS, sts_mode_word(policy->mode), age, NULL);
    for (size_t i = 0; i < r->host_n && policy->mode != STS_NONE; i++)
        if (!sts_policy_allows(policy, r->hosts[i].name))
            probe_tell_as(&r->findings, PROBE_STS_MX,
                          policy->mode == STS_ENFORCE ? PROBE_LEVEL_FAULT : PROBE_LEVEL_WARNING,
                          r->hosts[i].name, NULL, NULL);
}

void probe_sts(struct probe *p, struct probe_result *r)
{
    struct record s = {0};
    char name[DNS_NAME_MAX + 32], url[DNS_NAME_MAX + 64];
    snprintf(name, sizeof name, "_mta-sts.%s", r->target->host);
    probe_ask_dns(p, name, DNS_TYPE_TXT, take_txt, &s);
    if (s.n == 0) {
        probe_tell(&r->findings, PROBE_STS_ABSENT, NULL, NULL, NULL);
        return;
    }
    if (s.n > 1 || !s.good) {
        probe_tell(&r->findings, PROBE_STS_RECORD, s.text, NULL, NULL);
        return;
    }
    struct fetched f = {.policy = os_new(sizeof *f.policy)};
    struct fetch_transfer *t = fetch_transfer_new(p->base, &p->dns);
    snprintf(url, sizeof url, "https://mta-sts.%s/.well-known/mta-sts.txt", r->target->host);
    struct sp_buf authorities;
    sp_buf_init(&authorities, &os_heap, PEM_MAX);
    if (p->plan->ca_file && os_file_read(AT_FDCWD, p->plan->ca_file, &authorities))
        sp_buf_clear(&authorities); /* it was read a moment ago; the system's then */
    const struct fetch_wanted wanted = {.url = url, .authorities_pem = sp_buf_view(&authorities)};
    fetch_transfer_begin(t, &wanted, take_policy, &f);
    while (!f.done) /* the transfer keeps to a deadline of its own */
        event_base_loop(p->base, EVLOOP_ONCE);
    fetch_transfer_free(t);
    sp_buf_fini(&authorities);
    if (f.fault[0])
        probe_tell(&r->findings, PROBE_STS_FETCH, url, f.fault, NULL);
    else if (f.wrong)
        probe_tell(&r->findings, PROBE_STS_POLICY, f.wrong, NULL, NULL);
    else
        judge_policy(r, f.policy);
    r->sts_enforced = !f.fault[0] && !f.wrong && f.policy->mode == STS_ENFORCE;
    free(f.policy);
}
