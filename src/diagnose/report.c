#include "diagnose/report.h"

#include <math.h>
#include <string.h>

static bool stands(const struct noted *f) { return !f->overcome && !f->consequence; }

/* How much a finding tells; more is first. */
static double weight(const struct noted *f)
{
    double w =
        f->finding.confidence - (f->general ? 0.4 : 0) - (f->overcome ? 4 : 0) - (f->consequence ? 2 : 0);
    for (uint64_t n = f->finding.times; n > 1 && w < 10; n /= 4)
        w += 0.03;
    return w - (f->temporary ? 0.02 : 0);
}

static bool is_before(const struct noted *a, const struct noted *b)
{
    double wa = weight(a), wb = weight(b);
    return wa > wb || (wa >= wb && a->finding.line < b->finding.line);
}

static void sort(struct gathering *g)
{
    for (size_t i = 1; i < g->n; i++) {
        struct noted f = g->best[i];
        size_t at = i;
        for (; at > 0 && is_before(&f, &g->best[at - 1]); at--)
            g->best[at] = g->best[at - 1];
        g->best[at] = f;
    }
}

static void add(struct diagnose_report *r, const struct diagnose_finding *f)
{
    for (size_t i = 0; i < r->finding_n; i++)
        if (r->findings[i].id == f->id)
            return;
    if (r->finding_n < DIAGNOSE_FINDINGS_MAX)
        r->findings[r->finding_n++] = *f;
}

/* What the first finding may be instead, by the catalogue; less sure than what was seen. */
static void add_alternatives(struct diagnose_report *r)
{
    struct diagnose_finding first = r->findings[0];
    const enum diagnose_cause_id *also = diagnose_cause(first.id)->also;
    double confidence = (1 - first.confidence) * 0.6;
    for (; *also != DIAGNOSE_CAUSE_N; also++) {
        struct diagnose_finding f = first;
        f.id = *also;
        f.confidence = confidence;
        confidence *= 0.7;
        add(r, &f);
    }
}

static void conclude(struct diagnose_report *r, enum diagnose_verdict verdict, enum diagnose_cause_id id,
                     double confidence)
{
    r->verdict = verdict;
    r->confidence = confidence;
    r->findings[0] = (struct diagnose_finding){.id = id, .confidence = confidence, .times = 1};
    r->finding_n = 1;
}

void diagnose_report_make(struct gathering *g, uint64_t lines, struct diagnose_report *report_out)
{
    struct diagnose_report *r = report_out;
    memset(r, 0, sizeof *r);
    r->lines = lines;
    r->sessions = g->sessions;
    r->delivered = g->delivered;
    memcpy(r->challenges, g->challenges, sizeof r->challenges);
    r->challenge_n = g->challenge_n;
    sort(g);
    bool failed = g->n > 0 && stands(&g->best[0]);
    if (failed) {
        r->verdict = DIAGNOSE_FAILURE;
        r->confidence = g->best[0].finding.confidence;
    } else if (g->finished > 0) {
        conclude(r, DIAGNOSE_NO_FAILURE, DIAGNOSE_HEALTHY, g->delivered > 0 ? 0.95 : 0.85);
    } else {
        conclude(r, DIAGNOSE_UNDETERMINED,
                 g->talk_lines > 0 || g->sessions > 0 ? DIAGNOSE_TOO_LITTLE : DIAGNOSE_NOT_SMTP,
                 g->talk_lines > 0 ? 0.7 : 0.9);
    }
    for (size_t i = 0; i < g->n; i++) {
        struct diagnose_finding f = g->best[i].finding;
        if (i > 0 || !failed)
            f.confidence *= g->best[i].overcome ? 0.2 : 0.5;
        add(r, &f);
    }
    if (failed)
        add_alternatives(r);
}
