/* Findings: noted, counted, put in words. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/view.h"
#include "cli/probe/probe.h"
#include "os/heap.h"

static char *clean_copy(const char *text)
{
    char room[PROBE_ARGUMENT_MAX];
    if (!text)
        return NULL;
    probe_clean(sp_view_of(text), room, sizeof room);
    return os_text(sp_view_of(room));
}

static bool is_known(const struct probe_findings *f, enum probe_finding_id id, const char *one)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->list[i].id == id &&
            strcmp(f->list[i].arguments[0] ? f->list[i].arguments[0] : "", one ? one : "") == 0)
            return true;
    return false;
}

void probe_tell_as(struct probe_findings *f, enum probe_finding_id id, enum probe_level level,
                   const char *one, const char *two, const char *three)
{
    char *first = clean_copy(one);
    if (f->n == PROBE_FINDINGS_MAX || is_known(f, id, first)) {
        free(first);
        return;
    }
    f->list[f->n++] = (struct probe_finding){id, level, {first, clean_copy(two), clean_copy(three)}};
}

void probe_tell(struct probe_findings *f, enum probe_finding_id id, const char *one, const char *two,
                const char *three)
{
    probe_tell_as(f, id, probe_kind(id)->level, one, two, three);
}

bool probe_has(const struct probe_findings *f, enum probe_finding_id id, enum probe_level at_least)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->list[i].id == id && f->list[i].level >= at_least)
            return true;
    return false;
}

void probe_findings_fini(struct probe_findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        for (size_t k = 0; k < PROBE_ARGUMENTS; k++)
            free(f->list[i].arguments[k]);
    f->n = 0;
}

/* --- words ------------------------------------------------------------------------------------ */

static char *fill(const char *template, const struct probe_finding *f)
{
    struct sp_buf out;
    sp_buf_init(&out, &os_heap, 1 << 14);
    for (const char *c = template; *c; c++) {
        if (c[0] == '{' && c[1] >= '1' && c[1] <= '0' + PROBE_ARGUMENTS && c[2] == '}') {
            const char *argument = f->arguments[c[1] - '1'];
            sp_buf_add_str(&out, argument ? argument : "");
            c += 2;
        } else {
            sp_buf_add_u8(&out, (uint8_t)*c);
        }
    }
    char *text = os_text(sp_buf_view(&out));
    sp_buf_fini(&out);
    return text;
}

char *probe_text(const struct probe_finding *f, enum reference_lang lang)
{
    const struct probe_kind *k = probe_kind(f->id);
    return fill(reference_in(f->level == PROBE_LEVEL_OK && k->good.en ? &k->good : &k->text, lang), f);
}

char *probe_fix(const struct probe_finding *f, enum reference_lang lang)
{
    const struct probe_kind *k = probe_kind(f->id);
    return f->level == PROBE_LEVEL_OK || !k->fix.en ? NULL : fill(reference_in(&k->fix, lang), f);
}

/* --- the sum ----------------------------------------------------------------------------------- */

static void add(struct probe_count *c, const struct probe_findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        c->n[f->list[i].level]++;
}

struct probe_count probe_count(const struct probe_result *r)
{
    struct probe_count c = {.reached =
                                r->is_domain && r->host_n == 0 && probe_has(&r->findings, PROBE_MX_NULL, 0)};
    add(&c, &r->findings);
    for (size_t i = 0; i < r->host_n; i++) {
        add(&c, &r->hosts[i].findings);
        for (size_t k = 0; k < r->hosts[i].port_n; k++) {
            add(&c, &r->hosts[i].ports[k].findings);
            c.reached = c.reached || r->hosts[i].ports[k].reached;
        }
    }
    return c;
}

enum probe_exit probe_exit_of(const struct probe_plan *plan, const struct probe_count *count)
{
    if (!count->reached)
        return PROBE_UNREACHABLE;
    if (count->n[PROBE_LEVEL_FAULT] > 0)
        return PROBE_FAULTY;
    return plan->strict && count->n[PROBE_LEVEL_WARNING] > 0 ? PROBE_WARNED : PROBE_FINE;
}
