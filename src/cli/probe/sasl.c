/*
 * Each mechanism up to its first 334, decoded, and cancelled with `*` (RFC 4954 4). No response is ever sent,
 * so no secret can be.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/view.h"
#include "cli/probe/probe.h"

enum { AGAIN_MAX = 4, CANCELS_MAX = 3 };

/* What the first 334 without an initial response must be. */
enum first { EMPTY, USER_NAME, MESSAGE_ID, DIGEST, ANYTHING };

static const struct {
    const char *name;
    enum first first;
    bool old;
} known[] = {
    {"PLAIN", EMPTY, false},
    {"LOGIN", USER_NAME, false},
    {"CRAM-MD5", MESSAGE_ID, true},
    {"DIGEST-MD5", DIGEST, true},
    {"NTLM", ANYTHING, true},
    {"SCRAM-SHA-1", EMPTY, false},
    {"SCRAM-SHA-256", EMPTY, false},
    {"SCRAM-SHA-512", EMPTY, false},
    {"SCRAM-SHA-1-PLUS", EMPTY, false},
    {"SCRAM-SHA-256-PLUS", EMPTY, false},
    {"SCRAM-SHA-512-PLUS", EMPTY, false},
    {"XOAUTH2", EMPTY, false},
    {"OAUTHBEARER", EMPTY, false},
    {"EXTERNAL", EMPTY, false},
    {"ANONYMOUS", ANYTHING, false},
};

static bool is_right(const char *name, struct sp_view decoded)
{
    enum first first = ANYTHING;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(known[i].name, name) == 0)
            first = known[i].first;
    switch (first) {
    case EMPTY:
        return decoded.len == 0;
    case USER_NAME: /* nobody's standard: what clients go by is that a name is asked for */
        return sp_view_is_like(decoded, SP_LIT("*user*"));
    case MESSAGE_ID: /* RFC 2195 2 */
        return decoded.len > 2 && decoded.p[0] == '<' && decoded.p[decoded.len - 1] == '>';
    case DIGEST: /* RFC 2831 2.1.1 */
        return sp_view_is_like(decoded, SP_LIT("*nonce=*"));
    case ANYTHING:
        break;
    }
    return true;
}

/* The words behind 334: shown, decoded, judged. */
static void take_challenge(struct probe_look *l, struct probe_mechanism *m)
{
    struct probe_findings *f = &l->port->findings;
    struct sp_view text = smtp_client_reply_view(&l->wire.reply).text;
    uint8_t octets[SP_CLIENT_LINE_MAX];
    char shown[PROBE_ARGUMENT_MAX];
    size_t n = 0;
    bool dashes = text.len == 1 && text.p[0] == '='; /* "=" for nothing, as in a command */
    probe_clean(text, m->challenge, sizeof m->challenge);
    if (!dashes && sp_base64_decode(text, octets, &n)) {
        probe_tell(f, PROBE_MECHANISM_NOT_BASE64, m->name, m->challenge, NULL);
        return;
    }
    probe_clean(sp_view_make(octets, n), m->decoded, sizeof m->decoded);
    if (n > 0)
        snprintf(shown, sizeof shown, "`334 %s` = \"%s\"", m->challenge, m->decoded);
    else
        snprintf(shown, sizeof shown, "`334`");
    if (is_right(m->name, sp_view_make(octets, n)))
        probe_tell(f, PROBE_MECHANISM, m->name, shown, NULL);
    else
        probe_tell(f, PROBE_MECHANISM_STRANGE, m->name, shown, NULL);
}

/* false: this connection is of no more use. */
static bool cancel(struct probe_look *l, const struct probe_mechanism *m)
{
    struct probe_findings *f = &l->port->findings;
    for (int i = 0; i < CANCELS_MAX; i++) {
        enum probe_step step = probe_wire_ask(&l->wire, "*");
        if (step != PROBE_DONE)
            return probe_step_failed(l, step, "`*`");
        if (l->wire.code == 501) {
            probe_tell_as(f, PROBE_CANCEL, PROBE_LEVEL_OK, NULL, NULL, NULL);
            return true;
        }
        if (l->wire.code == 421)
            return false;
        if (l->wire.code != 334) {
            probe_tell(f, PROBE_CANCEL, m->name, l->wire.text, NULL);
            return true;
        }
    }
    probe_tell(f, PROBE_CHALLENGE_ENDLESS, m->name, NULL, NULL);
    return false;
}

/* EXTERNAL may say no at once: we showed no certificate. 503 in clear, 530 and 538 want TLS first. */
static void take_refusal(struct probe_look *l, const struct probe_mechanism *m)
{
    bool external = strcasecmp(m->name, "EXTERNAL") == 0;
    if (l->wire.code / 100 == 2)
        probe_tell(&l->port->findings, PROBE_MECHANISM_OPEN, m->name, l->wire.text, NULL);
    else if (!external)
        probe_tell(&l->port->findings, PROBE_MECHANISM_REFUSED, m->name, l->wire.text, NULL);
}

/* false: the connection is gone, or must be given up. */
static bool try_mechanism(struct probe_look *l, struct probe_mechanism *m)
{
    char line[80];
    snprintf(line, sizeof line, "AUTH %s", m->name);
    enum probe_step step = probe_wire_ask(&l->wire, line);
    if (step != PROBE_DONE && step != PROBE_CLOSED)
        return probe_step_failed(l, step, line);
    if (step == PROBE_CLOSED || l->wire.code == 421)
        return false;
    m->code = l->wire.code;
    if (l->wire.code == 334) {
        take_challenge(l, m);
        return cancel(l, m);
    }
    take_refusal(l, m);
    return l->wire.code / 100 != 2;
}

static bool is_name(struct sp_view word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!sp_ascii_alpha(word.p[i]) && !sp_ascii_digit(word.p[i]) && word.p[i] != '-' && word.p[i] != '_')
            return false;
    return word.len > 0 && word.len < sizeof((struct probe_mechanism *)NULL)->name;
}

static void list_mechanisms(struct probe_port *p, const char *words)
{
    struct sp_view rest = sp_view_of(words), word;
    while (sp_view_word(&rest, ' ', &word) && p->mechanism_n < PROBE_MECHANISMS_MAX)
        if (is_name(word))
            snprintf(p->mechanisms[p->mechanism_n++].name, sizeof p->mechanisms->name, "%.*s", (int)word.len,
                     (const char *)word.p);
    for (size_t i = 0; i < p->mechanism_n; i++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (known[k].old && strcasecmp(known[k].name, p->mechanisms[i].name) == 0)
                probe_tell(&p->findings, PROBE_MECHANISM_OLD, p->mechanisms[i].name, NULL, NULL);
}

static void tell_untried(struct probe_port *p, size_t from)
{
    char names[PROBE_ARGUMENT_MAX] = "";
    size_t n = 0;
    for (size_t i = from; i < p->mechanism_n; i++)
        if (p->mechanisms[i].code == 0 && n + sizeof p->mechanisms->name + 3 < sizeof names)
            n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", p->mechanisms[i].name);
    if (n > 0)
        probe_tell(&p->findings, PROBE_MECHANISMS_UNASKED, names, NULL, NULL);
}

/* A server may limit how often it is tried: then go on with another connection, a few times. */
void probe_sasl(struct probe_look *l)
{
    struct probe_port *p = l->port;
    const char *words = probe_keyword(probe_offer(p), "AUTH");
    unsigned again = 0;
    bool good = true;
    if (!words)
        return;
    list_mechanisms(p, words);
    for (size_t i = 0; i < p->mechanism_n; i++) {
        if (!good && (again++ == AGAIN_MAX || !probe_ready_again(l))) {
            tell_untried(p, i);
            break;
        }
        good = try_mechanism(l, &p->mechanisms[i]);
    }
    if (!good && !probe_ready_again(l))
        probe_wire_hang_up(&l->wire);
}
