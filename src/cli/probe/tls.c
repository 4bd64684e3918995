/* The handshake after STARTTLS, and what the certificate is worth. */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "base/view.h"
#include "cli/probe/probe.h"
#include "os/clock.h"
#include "os/heap.h"

enum { DAY_MS = 86400000, DATE_MAX = 40, CHAIN_TEXT_MAX = 500 };

/* --- STARTTLS --------------------------------------------------------------------------------- */

/* Once more with what nobody should speak any more. */
bool probe_speaks_old_tls(struct probe_look *l)
{
    if (!l->probe->old_tls || probe_wire_dial(&l->wire, &l->address) != PROBE_DONE)
        return false;
    bool first = l->port->role == PROBE_AS_SUBMISSIONS;
    bool ready = first || (probe_wire_hear(&l->wire, l->wire.timeout_ms) == PROBE_DONE &&
                           probe_wire_ask(&l->wire, "EHLO probe.invalid") == PROBE_DONE &&
                           probe_wire_ask(&l->wire, "STARTTLS") == PROBE_DONE && l->wire.code == 220);
    if (!ready || probe_wire_secure(&l->wire, l->probe->old_tls, &l->expected) != PROBE_DONE)
        return false;
    probe_tell(&l->port->findings, PROBE_TLS_OLD, os_stream_tls(l->wire.stream)->version, NULL, NULL);
    return true;
}

bool probe_secure(struct probe_look *l)
{
    struct probe_findings *f = &l->port->findings;
    enum probe_step step = probe_wire_ask(&l->wire, "STARTTLS");
    if (step != PROBE_DONE)
        return probe_step_failed(l, step, "STARTTLS");
    if (l->wire.code != 220) {
        probe_tell(f, PROBE_STARTTLS_REFUSED, l->wire.text, NULL, NULL);
        return false;
    }
    step = probe_wire_secure(&l->wire, l->probe->tls, &l->expected);
    if (step == PROBE_DONE)
        return true;
    if (step != PROBE_CLOSED)
        return probe_step_failed(l, step, "TLS");
    char why[PROBE_WIRE_TEXT_MAX];
    memcpy(why, l->wire.why, sizeof why);
    if (!probe_speaks_old_tls(l))
        probe_tell(f, PROBE_TLS_FAILED, why, NULL, NULL);
    return false;
}

/* --- names ------------------------------------------------------------------------------------- */

/* RFC 6125 6.4.3: `*` stands for the left-most label alone. */
static bool name_fits(struct sp_view pattern, struct sp_view name)
{
    if (pattern.len > 2 && pattern.p[0] == '*' && pattern.p[1] == '.') {
        size_t dot = sp_view_find(name, '.', 0);
        return dot > 0 && dot < name.len &&
               sp_view_eq_nocase(sp_view_from(pattern, 1), sp_view_from(name, dot));
    }
    return sp_view_eq_nocase(pattern, name);
}

/* The common name counts where there are no others, as OpenSSL has it. */
static struct sp_view names_of(const struct os_tls_certificate *c)
{
    if (c->names[0])
        return sp_view_of(c->names);
    const char *cn = strstr(c->subject, "CN=");
    return cn ? sp_view_make(cn + 3, strcspn(cn + 3, ",+")) : (struct sp_view){0};
}

static bool is_for(const struct os_tls_certificate *c, const char *wanted)
{
    struct sp_view rest = names_of(c), name;
    while (sp_view_word(&rest, ' ', &name))
        if (name_fits(name, sp_view_of(wanted)))
            return true;
    return false;
}

static bool is_address(const char *name)
{
    struct os_address a;
    char text[PROBE_HOST_MAX + 4];
    snprintf(text, sizeof text, strchr(name, ':') ? "[%s]:1" : "%s:1", name);
    return os_address_parse(sp_view_of(text), &a) == SP_OK;
}

/* --- verdicts ------------------------------------------------------------------------------------ */

static void date_text(int64_t ms, char text[DATE_MAX])
{
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, DATE_MAX);
    (void)sp_buf_add_rfc3339(&b, ms, false); /* a date that cannot be said is left empty */
    snprintf(text, DATE_MAX, "%.*s", b.len > 10 ? 10 : (int)b.len, (const char *)b.p);
    sp_buf_fini(&b);
}

/* Servers do not look at each other's certificates unless DANE or MTA-STS says so. */
static enum probe_level level_of(const struct probe_look *l)
{
    return l->port->role != PROBE_AS_MX ? PROBE_LEVEL_FAULT : PROBE_LEVEL_WARNING;
}

static bool judge_dates(struct probe_look *l, const struct os_tls_certificate *c)
{
    int64_t now = os_wall_ms(), left_days = (c->not_after_ms - now) / DAY_MS;
    char date[DATE_MAX], days[DATE_MAX], limit[DATE_MAX];
    struct probe_findings *f = &l->port->findings;
    date_text(now < c->not_before_ms ? c->not_before_ms : c->not_after_ms, date);
    if (now < c->not_before_ms || now >= c->not_after_ms) {
        probe_tell_as(f, now < c->not_before_ms ? PROBE_CERTIFICATE_EARLY : PROBE_CERTIFICATE_EXPIRED,
                      level_of(l), date, NULL, NULL);
        return false;
    }
    snprintf(days, sizeof days, "%lld", (long long)left_days);
    snprintf(limit, sizeof limit, "%u", l->probe->plan->warn_days);
    if (left_days < (int64_t)l->probe->plan->warn_days)
        probe_tell(f, PROBE_CERTIFICATE_ENDS, days, date, limit);
    return true;
}

static bool judge_name(struct probe_look *l, const struct os_tls_certificate *c)
{
    const char *wanted = l->expected.name;
    char names[PROBE_ARGUMENT_MAX];
    struct sp_view all = names_of(c);
    if (is_for(c, wanted))
        return true;
    snprintf(names, sizeof names, "%.*s", (int)all.len, (const char *)all.p); /* cut when there are many */
    bool by_address = is_address(wanted);
    probe_tell_as(&l->port->findings, by_address ? PROBE_CERTIFICATE_BY_ADDRESS : PROBE_CERTIFICATE_NAME,
                  by_address ? PROBE_LEVEL_NOTE : level_of(l), wanted, names, NULL);
    return by_address;
}

static bool is_about(const char *fault, const char *what) { return fault && strstr(fault, what) != NULL; }

/* Why the chain is not trusted; NULL: it is, or what is wrong besides hides it. */
static const char *chain_fault(struct probe_look *l, const char *fault, char why[PROBE_WIRE_TEXT_MAX])
{
    if (is_about(fault, "expired") || is_about(fault, "not yet valid"))
        return NULL;
    if (!is_about(fault, "mismatch"))
        return fault;
    /* A wrong name hides the chain's own verdict: ask again by a name that the certificate has. */
    char own[OS_TLS_NAME_LEN];
    struct sp_view rest = names_of(&l->port->chain[0]), name;
    struct probe_look other = *l;
    bool named = sp_view_word(&rest, ' ', &name) && name.len < sizeof own;
    if (!named)
        return NULL;
    snprintf(own, sizeof own, "%.*s", (int)name.len, (const char *)name.p);
    if (own[0] == '*')
        own[0] = 'a';
    other.expected.name = own;
    probe_wire_init(&other.wire, l->probe->base, l->wire.timeout_ms, l->wire.limit_ms);
    const struct os_tls_facts *facts = NULL;
    if (probe_ready_again(&other) && (facts = os_stream_tls(other.wire.stream)) && facts->peer_fault)
        snprintf(why, PROBE_WIRE_TEXT_MAX, "%s", facts->peer_fault);
    bool bad = facts && facts->peer_fault && !is_about(why, "mismatch");
    probe_wire_fini(&other.wire);
    return bad ? why : NULL;
}

static bool judge_chain(struct probe_look *l, const char *fault)
{
    struct probe_findings *f = &l->port->findings;
    const struct os_tls_certificate *leaf = &l->port->chain[0];
    char room[PROBE_WIRE_TEXT_MAX];
    const char *why = chain_fault(l, fault, room);
    bool own = strcmp(leaf->subject, leaf->issuer) == 0;
    if (!why)
        return true;
    if (own && is_about(why, "self-signed"))
        probe_tell_as(f, PROBE_CERTIFICATE_SELF_SIGNED, level_of(l), NULL, NULL, NULL);
    else if (is_about(why, "issuer certificate") || is_about(why, "first certificate"))
        probe_tell_as(f, PROBE_CERTIFICATE_CHAIN, level_of(l), leaf->issuer, NULL, NULL);
    else
        probe_tell_as(f, PROBE_CERTIFICATE_UNTRUSTED, level_of(l), why, NULL, NULL);
    return false;
}

static void tell_certificate(struct probe_look *l)
{
    const struct probe_port *p = l->port;
    char date[DATE_MAX], names[PROBE_ARGUMENT_MAX];
    struct sp_view all = names_of(&p->chain[0]);
    date_text(p->chain[0].not_after_ms, date);
    snprintf(names, sizeof names, "%.*s", (int)all.len, (const char *)all.p); /* cut when there are many */
    probe_tell(&l->port->findings, PROBE_CERTIFICATE, names, p->chain[0].issuer, date);
}

static void tell_chain(struct probe_look *l)
{
    char text[CHAIN_TEXT_MAX] = "";
    size_t n = 0;
    for (size_t i = 0; i < l->port->chain_n && n < sizeof text - 1; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s < ", l->port->chain[i].subject);
    const struct os_tls_certificate *last = &l->port->chain[l->port->chain_n - 1];
    if (n < sizeof text - 1)
        snprintf(text + n, sizeof text - n, "%s", last->issuer);
    probe_tell(&l->port->findings, PROBE_CERTIFICATE_TRUSTED, text, NULL, NULL);
}

void probe_judge_certificate(struct probe_look *l)
{
    struct probe_port *p = l->port;
    const struct os_tls_facts *facts = os_stream_tls(l->wire.stream);
    while (p->chain_n < PROBE_CHAIN_MAX &&
           os_stream_certificate(l->wire.stream, p->chain_n, &p->chain[p->chain_n]))
        p->chain_n++;
    if (p->chain_n == 0) {
        probe_tell(&p->findings, PROBE_CERTIFICATE_NONE, NULL, NULL, NULL);
        return;
    }
    tell_certificate(l);
    bool dates = judge_dates(l, &p->chain[0]), name = judge_name(l, &p->chain[0]);
    bool chain = judge_chain(l, facts->peer_fault);
    if (dates && chain)
        tell_chain(l);
    p->safe = dates && chain && name && is_for(&p->chain[0], l->expected.name);
}
