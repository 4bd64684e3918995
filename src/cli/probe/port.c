/* One port, from the connection to the last question. */
#include <stdio.h>
#include <string.h>

#include "base/view.h"
#include "cli/probe/probe.h"
#include "os/clock.h"

enum {
    SILENT_MS = 3000,        /* after which a server that has not greeted is asked whether it speaks TLS */
    GREETING_SLOW_MS = 5000, /* above it some clients hang up                                           */
    NUMBER_MAX = 24
};

static const char *number(char text[NUMBER_MAX], uint64_t n)
{
    snprintf(text, NUMBER_MAX, "%llu", (unsigned long long)n);
    return text;
}

static const char *tenths(char text[NUMBER_MAX], uint64_t ms)
{
    snprintf(text, NUMBER_MAX, "%llu.%llu", (unsigned long long)(ms / 1000),
             (unsigned long long)(ms % 1000 / 100));
    return text;
}

const char *probe_name(const struct probe *p, const struct probe_host *host)
{
    return p->plan->server_name ? p->plan->server_name : host->name;
}

/* --- what else may answer ------------------------------------------------------------------------ */

/* Services that people mistake for SMTP, by how they begin. */
static const struct {
    const char *begins, *name;
} others[] = {{"SSH-", "SSH"},
              {"+OK", "POP3"},
              {"-ERR", "POP3"},
              {"* OK", "IMAP"},
              {"* PREAUTH", "IMAP"},
              {"* BYE", "IMAP"},
              {"* BAD", "IMAP"},
              {"HTTP/", "HTTP"},
              {"<!DOCTYPE", "HTTP"},
              {"<html", "HTTP"},
              {"\"IMPLEMENTATION\"", "ManageSieve"},
              {"-DENIED", "Redis"},
              {"RFB 0", "VNC"}};

static const char *other_service(const char *text)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (sp_view_starts_nocase(sp_view_of(text), sp_view_of(others[i].begins)))
            return others[i].name;
    return NULL;
}

bool probe_step_failed(struct probe_look *l, enum probe_step step, const char *what)
{
    struct probe_findings *f = &l->port->findings;
    char text[NUMBER_MAX];
    const char *other = step == PROBE_GARBAGE ? other_service(l->wire.text) : NULL;
    switch (step) {
    case PROBE_DONE:
        break;
    case PROBE_LATE:
        probe_tell(f, PROBE_REPLY_LATE, what, number(text, l->wire.timeout_ms / 1000), NULL);
        break;
    case PROBE_CLOSED:
        probe_tell(f, PROBE_CLOSED_EARLY, what, NULL, NULL);
        break;
    case PROBE_GARBAGE:
        if (other)
            probe_tell(f, PROBE_NOT_SMTP, other, l->wire.text, NULL);
        else
            probe_tell(f, PROBE_REPLY_MALFORMED, what, l->wire.text, NULL);
        break;
    case PROBE_ENDLESS:
        probe_tell(f, PROBE_REPLY_ENDLESS, what, NULL, NULL);
        break;
    case PROBE_SPENT:
        probe_tell(f, PROBE_BUDGET_SPENT, number(text, l->probe->plan->limit_ms / 1000), NULL, NULL);
        break;
    }
    return false;
}

/* --- dialling -------------------------------------------------------------------------------------- */

static bool is_refused(const char *why) { return strcmp(why, "Connection refused") == 0; }

static bool is_silent(const char *why) { return strstr(why, "timed out") != NULL; }

/* The first address that takes a connection. */
static bool dial(struct probe_look *l)
{
    enum probe_step step = PROBE_CLOSED;
    for (size_t i = 0; i < l->host->addresses.n && step != PROBE_DONE && step != PROBE_SPENT; i++) {
        struct os_address to = l->host->addresses.addresses[i];
        if (to.as.any.sa_family == AF_INET6)
            to.as.v6.sin6_port = htons(l->port->number);
        else
            to.as.v4.sin_port = htons(l->port->number);
        l->address = to;
        os_address_text(&to, l->port->remote);
        step = probe_wire_dial(&l->wire, &to);
    }
    l->port->reached = step == PROBE_DONE;
    if (step == PROBE_DONE)
        return true;
    char text[NUMBER_MAX];
    struct probe_findings *f = &l->port->findings;
    const char *why = l->wire.why;
    if (step == PROBE_SPENT)
        return probe_step_failed(l, step, "");
    bool ours = l->port->asked_for;
    if (is_refused(why))
        probe_tell(f, ours ? PROBE_NOTHING_LISTENS : PROBE_PORT_CLOSED, NULL, NULL, NULL);
    else if (step == PROBE_LATE || is_silent(why))
        probe_tell_as(f, PROBE_NO_ANSWER, ours ? PROBE_LEVEL_FAULT : PROBE_LEVEL_WARNING,
                      number(text, l->wire.timeout_ms / 1000), NULL, NULL);
    else
        probe_tell(f, PROBE_CONNECT_FAILED, why, NULL, NULL);
    return false;
}

/* --- the greeting ------------------------------------------------------------------------------------ */

static bool has_name(const char *text)
{
    const char *name = strlen(text) > 4 ? text + 4 : "";
    size_t n = strcspn(name, " ");
    return name[0] == '[' || memchr(name, '.', n) != NULL ||
           sp_view_eq_nocase(sp_view_make(name, n), SP_LIT("localhost"));
}

static bool judge_greeting(struct probe_look *l, uint64_t waited_ms)
{
    struct probe_findings *f = &l->port->findings;
    const struct probe_wire *w = &l->wire;
    char took[NUMBER_MAX], limit[NUMBER_MAX];
    uint64_t ms = waited_ms + w->took_ms;
    if (w->code == 220) {
        probe_tell(f, PROBE_GREETING, w->text, number(took, ms), NULL);
        if (!has_name(w->text))
            probe_tell(f, PROBE_GREETING_NAME, w->text, NULL, NULL);
    } else {
        probe_tell(f,
                   w->code / 100 == 4   ? PROBE_GREETING_4XX
                   : w->code / 100 == 5 ? PROBE_GREETING_5XX
                                        : PROBE_GREETING_OTHER,
                   w->text, NULL, NULL);
    }
    if (ms > GREETING_SLOW_MS)
        probe_tell(f, PROBE_GREETING_SLOW, tenths(took, ms), number(limit, GREETING_SLOW_MS / 1000), NULL);
    return w->code == 220;
}

/* Handshake on a new connection, then a greeting. */
static enum probe_step greet_within_tls(struct probe_look *l)
{
    enum probe_step step = probe_wire_dial(&l->wire, &l->address);
    if (step == PROBE_DONE)
        step = probe_wire_secure(&l->wire, l->probe->tls, &l->expected);
    if (step != PROBE_DONE)
        return step;
    l->port->tls = PROBE_TLS_IMPLICIT;
    return probe_wire_hear(&l->wire, l->wire.timeout_ms);
}

static bool expects_tls(const struct probe_look *l) { return l->port->role == PROBE_AS_SUBMISSIONS; }

static void tell_unexpected_tls(struct probe_look *l)
{
    char text[NUMBER_MAX];
    if (l->port->role == PROBE_AS_ANY) {
        l->port->role = PROBE_AS_SUBMISSIONS;
        probe_tell(&l->port->findings, PROBE_TLS_FIRST_FOUND, NULL, NULL, NULL);
    } else {
        probe_tell(&l->port->findings, PROBE_TLS_FIRST_OCTET, number(text, l->port->number), NULL, NULL);
    }
}

/* It waits for us to speak, as other services do, or it is too slow. */
static bool find_out_silence(struct probe_look *l)
{
    char text[NUMBER_MAX];
    if (probe_wire_dial(&l->wire, &l->address) == PROBE_DONE) {
        enum probe_step step = probe_wire_ask(&l->wire, "EHLO probe.invalid");
        if (step == PROBE_GARBAGE && other_service(l->wire.text))
            return probe_step_failed(l, step, "EHLO");
    }
    probe_tell(&l->port->findings, PROBE_GREETING_NONE, number(text, l->wire.timeout_ms / 1000), NULL, NULL);
    return false;
}

/* Does another connection get through a handshake? This one goes on waiting for its greeting. */
static bool speaks_tls(struct probe_look *l)
{
    struct probe_wire spare;
    probe_wire_init(&spare, l->probe->base, l->wire.timeout_ms, l->wire.limit_ms);
    bool yes = probe_wire_dial(&spare, &l->address) == PROBE_DONE &&
               probe_wire_secure(&spare, l->probe->tls, &l->expected) == PROBE_DONE;
    probe_wire_fini(&spare);
    return yes;
}

/* A port that should begin in clear. */
static bool greet_in_clear(struct probe_look *l)
{
    uint32_t patience = l->wire.timeout_ms < SILENT_MS ? l->wire.timeout_ms / 2 : SILENT_MS;
    enum probe_step step = probe_wire_hear(&l->wire, patience);
    uint64_t waited_ms = 0;
    if (step == PROBE_LATE && l->wire.heard == 0) {
        if (speaks_tls(l)) {
            step = greet_within_tls(l);
            tell_unexpected_tls(l);
            return step == PROBE_DONE ? judge_greeting(l, 0) : probe_step_failed(l, step, "the connection");
        }
        uint64_t began_ms = os_mono_ms();
        step = probe_wire_hear(&l->wire, l->wire.timeout_ms);
        waited_ms = patience + (os_mono_ms() - began_ms) - (step == PROBE_DONE ? l->wire.took_ms : 0);
    }
    if (step == PROBE_LATE && l->wire.heard == 0)
        return find_out_silence(l);
    return step == PROBE_DONE ? judge_greeting(l, waited_ms) : probe_step_failed(l, step, "the connection");
}

/* A port that should begin with TLS. */
static bool greet_secured(struct probe_look *l)
{
    char text[NUMBER_MAX], why[PROBE_WIRE_TEXT_MAX];
    enum probe_step step = greet_within_tls(l);
    if (l->port->tls == PROBE_TLS_IMPLICIT)
        return step == PROBE_DONE ? judge_greeting(l, 0) : probe_step_failed(l, step, "the connection");
    snprintf(why, sizeof why, "%s", l->wire.why);
    if (step == PROBE_SPENT)
        return probe_step_failed(l, step, "TLS");
    if (probe_wire_dial(&l->wire, &l->address) == PROBE_DONE) {
        step = probe_wire_hear(&l->wire, l->wire.timeout_ms);
        if (step == PROBE_DONE) {
            probe_tell(&l->port->findings, PROBE_PLAIN_ON_TLS_PORT, number(text, l->port->number), NULL,
                       NULL);
            return judge_greeting(l, 0);
        }
        if (step == PROBE_GARBAGE)
            return probe_step_failed(l, step, "the connection");
    }
    if (probe_speaks_old_tls(l))
        return false;
    probe_tell(&l->port->findings, PROBE_TLS_FAILED, why[0] ? why : "no answer", NULL, NULL);
    return false;
}

bool probe_connect_again(struct probe_look *l)
{
    if (probe_wire_dial(&l->wire, &l->address) != PROBE_DONE)
        return false;
    if (l->port->tls == PROBE_TLS_IMPLICIT &&
        probe_wire_secure(&l->wire, l->probe->tls, &l->expected) != PROBE_DONE)
        return false;
    return probe_wire_hear(&l->wire, l->wire.timeout_ms) == PROBE_DONE && l->wire.code == 220;
}

static bool says_ehlo(struct probe_look *l)
{
    char line[PROBE_HOST_MAX + 8];
    snprintf(line, sizeof line, "EHLO %s", l->probe->plan->hello);
    return probe_wire_ask(&l->wire, line) == PROBE_DONE && l->wire.code == 250;
}

bool probe_ready_again(struct probe_look *l)
{
    if (!probe_connect_again(l) || !says_ehlo(l))
        return false;
    if (l->port->tls != PROBE_TLS_STARTTLS)
        return true;
    return probe_wire_ask(&l->wire, "STARTTLS") == PROBE_DONE && l->wire.code == 220 &&
           probe_wire_secure(&l->wire, l->probe->tls, &l->expected) == PROBE_DONE && says_ehlo(l);
}

/* --- the whole ------------------------------------------------------------------------------------------ */

static void note_facts(struct probe_look *l)
{
    const struct os_tls_facts *facts = l->wire.stream ? os_stream_tls(l->wire.stream) : NULL;
    if (!facts)
        return;
    snprintf(l->port->version, sizeof l->port->version, "%s", facts->version);
    snprintf(l->port->cipher, sizeof l->port->cipher, "%s", facts->cipher);
    probe_tell(&l->port->findings, PROBE_TLS, facts->version, facts->cipher, NULL);
    probe_judge_certificate(l);
}

static void say_quit(struct probe_look *l)
{
    enum probe_step step = probe_wire_ask(&l->wire, "QUIT");
    if (step == PROBE_DONE)
        probe_tell_as(&l->port->findings, PROBE_QUIT, l->wire.code == 221 ? PROBE_LEVEL_OK : PROBE_LEVEL_NOTE,
                      l->wire.text, NULL, NULL);
    probe_wire_hang_up(&l->wire);
}

/* EHLO, TLS where it is offered, EHLO again. */
static bool introduce(struct probe_look *l)
{
    struct probe_port *p = l->port;
    if (p->tls == PROBE_TLS_IMPLICIT) {
        note_facts(l);
        return probe_ehlo(l, &p->secured);
    }
    if (!probe_ehlo(l, &p->clear))
        return false;
    probe_judge_clear(l);
    if (!probe_keyword(&p->clear, "STARTTLS"))
        return true;
    if (!probe_secure(l))
        return false;
    p->tls = PROBE_TLS_STARTTLS;
    note_facts(l);
    return probe_ehlo(l, &p->secured);
}

static void converse(struct probe_look *l)
{
    if (!introduce(l))
        return;
    probe_judge_offer(l);
    probe_sasl(l);
    say_quit(l);
    if (l->probe->plan->order)
        probe_order(l);
    probe_login(l);
}

void probe_port_look(struct probe *p, const struct probe_host *host, struct probe_port *port)
{
    struct probe_look l = {.probe = p, .host = host, .port = port};
    l.expected.name = probe_name(p, host);
    probe_wire_init(&l.wire, p->base, p->plan->timeout_ms, os_mono_ms() + p->plan->limit_ms);
    if (dial(&l) && (expects_tls(&l) ? greet_secured(&l) : greet_in_clear(&l)))
        converse(&l);
    if (l.wire.bare_lf)
        probe_tell(&port->findings, PROBE_BARE_LF, NULL, NULL, NULL);
    if (os_mono_ms() >= l.wire.limit_ms)
        probe_step_failed(&l, PROBE_SPENT, "");
    probe_wire_fini(&l.wire);
}
