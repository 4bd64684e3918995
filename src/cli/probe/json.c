/* What was found as JSON; the fields are documented in docs/probe.md. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "base/view.h"
#include "cli/catalogue.h"
#include "cli/probe/probe.h"
#include "os/heap.h"

#define X(n, word, en, vi) word,
static const char *const levels[PROBE_LEVEL_N] = {PROBE_LEVELS(X)};
#undef X

/* What a server said was made printable before; a certificate's names may be no UTF-8. */
static json_t *text(const char *s)
{
    json_t *t = json_string(s);
    char clean[PROBE_ARGUMENT_MAX];
    if (t)
        return t;
    probe_clean(sp_view_of(s), clean, sizeof clean);
    return json_string(clean);
}

static json_t *text_or_null(const char *s) { return s && *s ? text(s) : json_null(); }

static json_t *finding(const struct probe_finding *f, enum reference_lang lang)
{
    char *said = probe_text(f, lang), *fix = probe_fix(f, lang);
    json_t *o = json_pack("{s:s, s:s, s:o, s:o}", "id", probe_kind(f->id)->id, "level", levels[f->level],
                          "text", text(said), "fix", text_or_null(fix));
    json_t *rfc = json_array();
    for (const char *const *r = probe_kind(f->id)->rfc; *r; r++)
        json_array_append_new(rfc, json_string(*r));
    json_object_set_new(o, "rfc", rfc);
    free(said);
    free(fix);
    return o;
}

static json_t *findings(const struct probe_findings *f, enum reference_lang lang)
{
    json_t *list = json_array();
    for (int level = PROBE_LEVEL_FAULT; level >= PROBE_LEVEL_OK; level--)
        for (size_t i = 0; i < f->n; i++)
            if ((int)f->list[i].level == level)
                json_array_append_new(list, finding(&f->list[i], lang));
    return list;
}

static json_t *keywords(const struct probe_keywords *k)
{
    json_t *list = json_array();
    for (size_t i = 0; i < k->n; i++)
        json_array_append_new(list, text(k->lines[i]));
    return list;
}

static json_t *date(int64_t ms)
{
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, 64);
    json_t *d = sp_buf_add_rfc3339(&b, ms, false) ? json_null() : json_stringn((const char *)b.p, b.len);
    sp_buf_fini(&b);
    return d;
}

static json_t *chain(const struct probe_port *p)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->chain_n; i++) {
        const struct os_tls_certificate *c = &p->chain[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:s}", "subject", text(c->subject),
                                              "issuer", text(c->issuer), "names", text(c->names),
                                              "not_before", date(c->not_before_ms), "not_after",
                                              date(c->not_after_ms), "sha256", c->sha256));
    }
    return list;
}

static json_t *mechanisms(const struct probe_port *p)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->mechanism_n; i++) {
        const struct probe_mechanism *m = &p->mechanisms[i];
        json_t *o =
            json_pack("{s:s, s:o}", "name", m->name, "code", m->code ? json_integer(m->code) : json_null());
        json_object_set_new(o, "challenge", m->code == 334 ? text(m->challenge) : json_null());
        json_object_set_new(o, "decoded", m->code == 334 ? text(m->decoded) : json_null());
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *port(const struct probe_port *p, enum reference_lang lang)
{
    static const char *const ways[] = {"none", "starttls", "implicit"};
    json_t *o = json_pack("{s:i, s:s, s:b, s:o}", "port", p->number, "role", probe_role_word(p->role),
                          "reached", p->reached, "address", text_or_null(p->remote));
    json_t *tls =
        json_pack("{s:s, s:o, s:o, s:b, s:o}", "how", ways[p->tls], "version", text_or_null(p->version),
                  "cipher", text_or_null(p->cipher), "trusted", p->safe, "chain", chain(p));
    json_object_set_new(o, "tls", tls);
    json_object_set_new(o, "keywords_in_clear", keywords(&p->clear));
    json_object_set_new(o, "keywords_in_tls", keywords(&p->secured));
    json_object_set_new(o, "mechanisms", mechanisms(p));
    json_object_set_new(o, "login", text_or_null(p->login));
    json_object_set_new(o, "findings", findings(&p->findings, lang));
    return o;
}

static json_t *host(const struct probe_host *h, enum reference_lang lang)
{
    json_t *ports = json_array();
    for (size_t i = 0; i < h->port_n; i++)
        json_array_append_new(ports, port(&h->ports[i], lang));
    return json_pack("{s:o, s:o, s:o}", "host", text(h->name), "findings", findings(&h->findings, lang),
                     "ports", ports);
}

static json_t *settings(const struct probe_plan *plan, const struct probe_result *r)
{
    const struct probe_host *h = NULL;
    const struct probe_port *p = probe_best_port(r, &h);
    json_t *o = json_object();
    for (int i = 0; p && i < PROBE_CLIENT_N; i++) {
        char *words = probe_settings(plan, h, p, (enum probe_client)i);
        json_object_set_new(o, probe_client_title((enum probe_client)i), text(words));
        free(words);
    }
    return o;
}

static json_t *result(const struct probe_plan *plan, const struct probe_result *r)
{
    static const char *const words[] = {"fine", "warnings", "faults", "unreachable"};
    struct probe_count count = probe_count(r);
    enum probe_exit code = probe_exit_of(plan, &count);
    json_t *hosts = json_array(), *counts = json_object();
    for (size_t i = 0; i < r->host_n; i++)
        json_array_append_new(hosts, host(&r->hosts[i], plan->lang));
    for (size_t i = 0; i < PROBE_LEVEL_N; i++)
        json_object_set_new(counts, levels[i], json_integer(count.n[i]));
    json_t *o = json_pack("{s:s, s:s, s:i, s:o, s:b}", "target", r->target->host, "verdict", words[code],
                          "exit", (int)code, "counts", counts, "domain", r->is_domain);
    json_object_set_new(o, "findings", findings(&r->findings, plan->lang));
    json_object_set_new(o, "hosts", hosts);
    json_object_set_new(o, "settings", settings(plan, r));
    return o;
}

void probe_show_json(const struct probe_plan *plan, const struct probe_result *results, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, result(plan, &results[i]));
    cli_json_print(list);
}
