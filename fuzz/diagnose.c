/*
 * Any octets as a log: a report with a verdict and a line that the log has, the same however it is cut, and
 * nothing in a quote that would speak to a terminal.
 */
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "diagnose/diagnose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
    if (!condition)
        abort();
}

static bool is_clean(const char *s)
{
    for (; *s; s++)
        if (((unsigned char)*s < ' ' && *s != '\t') || *s == 127)
            return false;
    return true;
}

static void check(const struct diagnose_report *r)
{
    insist(r->finding_n >= 1 && r->finding_n <= DIAGNOSE_FINDINGS_MAX &&
           r->challenge_n <= DIAGNOSE_CHALLENGES_MAX);
    for (size_t i = 0; i < r->finding_n; i++) {
        const struct diagnose_finding *f = &r->findings[i];
        insist(f->line <= r->lines && f->confidence >= 0 && f->confidence <= 1 && is_clean(f->quote));
    }
    for (size_t i = 0; i < r->challenge_n; i++)
        insist(is_clean(r->challenges[i].text) && is_clean(r->challenges[i].decoded));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t piece = size ? data[0] % 17 + 1u : 1;
    struct diagnose *whole = diagnose_new(), *cut = diagnose_new();
    diagnose_feed(whole, sp_view_make(data, size));
    for (size_t at = 0; at < size; at += piece)
        diagnose_feed(cut, sp_view_sub(sp_view_make(data, size), at, piece));
    const struct diagnose_report *a = diagnose_end(whole), *b = diagnose_end(cut);
    check(a);
    insist(a->findings[0].id == b->findings[0].id && a->findings[0].line == b->findings[0].line);
    diagnose_free(whole);
    diagnose_free(cut);
    return 0;
}
