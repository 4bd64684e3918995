/* What the server offers, in clear and within TLS, and what that means for those who send. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "cli/probe/probe.h"

enum { SIZE_SMALL = 10000000, WORDS_MAX = 500 };

/* --- keywords ------------------------------------------------------------------------------- */

static size_t word_len(const char *text) { return strcspn(text, " "); }

static bool is_word(const char *line, const char *name)
{
    return sp_view_eq_nocase(sp_view_make(line, word_len(line)), sp_view_of(name));
}

const char *probe_keyword(const struct probe_keywords *k, const char *name)
{
    for (size_t i = 0; i < k->n; i++)
        if (is_word(k->lines[i], name))
            return k->lines[i] + word_len(k->lines[i]) + strspn(k->lines[i] + word_len(k->lines[i]), " ");
    return NULL;
}

const struct probe_keywords *probe_offer(const struct probe_port *p)
{
    return p->tls == PROBE_TLS_NONE ? &p->clear : &p->secured;
}

static void read_keywords(struct sp_view lines, struct probe_keywords *out)
{
    struct sp_view line;
    out->n = 0;
    for (bool first = true; sp_client_reply_line(&lines, &line); first = false)
        if (!first && line.len > 4 && out->n < PROBE_KEYWORDS_MAX)
            probe_clean(sp_view_from(line, 4), out->lines[out->n++], PROBE_KEYWORD_MAX);
}

static bool says_helo(struct probe_look *l, const char *refused)
{
    char line[PROBE_HOST_MAX + 8];
    snprintf(line, sizeof line, "HELO %s", l->probe->plan->hello);
    enum probe_step step = probe_wire_ask(&l->wire, line);
    if (step == PROBE_DONE && l->wire.code == 250) {
        l->port->talked = true;
        probe_tell(&l->port->findings, PROBE_NO_ESMTP, refused, NULL, NULL);
    } else if (strstr(refused, "FTP") || strstr(l->wire.text, "FTP")) {
        probe_tell(&l->port->findings, PROBE_NOT_SMTP, "FTP", refused, NULL);
    } else {
        probe_tell(&l->port->findings, PROBE_EHLO_REFUSED, refused, NULL, NULL);
    }
    return l->port->talked;
}

bool probe_ehlo(struct probe_look *l, struct probe_keywords *keywords_out)
{
    char line[PROBE_HOST_MAX + 8], refused[PROBE_WIRE_TEXT_MAX];
    snprintf(line, sizeof line, "EHLO %s", l->probe->plan->hello);
    enum probe_step step = probe_wire_ask(&l->wire, line);
    if (step != PROBE_DONE)
        return probe_step_failed(l, step, "EHLO");
    if (l->wire.code != 250) {
        memcpy(refused, l->wire.text, sizeof refused);
        return says_helo(l, refused);
    }
    l->port->talked = true;
    read_keywords(probe_wire_lines(&l->wire), keywords_out);
    return true;
}

/* --- before TLS --------------------------------------------------------------------------------- */

static bool shows_password(struct sp_view mechanism)
{
    static const char *const names[] = {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sp_view_eq_nocase(mechanism, sp_view_of(names[i])))
            return true;
    return false;
}

static void judge_auth_in_clear(struct probe_look *l, const char *mechanisms)
{
    char open[WORDS_MAX] = "";
    struct sp_view rest = sp_view_of(mechanisms), word;
    size_t n = 0;
    while (sp_view_word(&rest, ' ', &word))
        if (shows_password(word) && n + word.len + 2 < sizeof open)
            n += (size_t)snprintf(open + n, sizeof open - n, "%s%.*s", n ? " " : "", (int)word.len,
                                  (const char *)word.p);
    if (n > 0)
        probe_tell(&l->port->findings, PROBE_AUTH_IN_CLEAR, open, NULL, NULL);
    else
        probe_tell(&l->port->findings, PROBE_AUTH_IN_CLEAR_HASHED, mechanisms, NULL, NULL);
}

void probe_judge_clear(struct probe_look *l)
{
    struct probe_port *p = l->port;
    const char *auth = probe_keyword(&p->clear, "AUTH");
    if (p->role == PROBE_AS_ANY)
        p->role = auth ? PROBE_AS_SUBMISSION : PROBE_AS_MX;
    bool offered = probe_keyword(&p->clear, "STARTTLS") != NULL;
    probe_tell_as(&p->findings, PROBE_STARTTLS,
                  offered                  ? PROBE_LEVEL_OK
                  : p->role == PROBE_AS_MX ? PROBE_LEVEL_WARNING
                                           : PROBE_LEVEL_FAULT,
                  NULL, NULL, NULL);
    if (auth)
        judge_auth_in_clear(l, auth);
}

/* --- where mail would be sent --------------------------------------------------------------------- */

static void tell_differences(struct probe_port *p)
{
    const struct probe_keywords *lists[] = {&p->clear, &p->secured};
    for (int side = 0; side < 2; side++) {
        char words[WORDS_MAX] = "";
        size_t n = 0;
        for (size_t i = 0; i < lists[side]->n; i++) {
            const char *line = lists[side]->lines[i];
            char name[PROBE_KEYWORD_MAX];
            snprintf(name, sizeof name, "%.*s", (int)word_len(line), line);
            if (!probe_keyword(lists[!side], name) && !is_word(name, "STARTTLS") &&
                n + strlen(name) + 3 < sizeof words)
                n += (size_t)snprintf(words + n, sizeof words - n, "%s%s", n ? ", " : "", name);
        }
        if (n > 0)
            probe_tell(&p->findings, side ? PROBE_KEYWORDS_GAINED : PROBE_KEYWORDS_LOST, words, NULL, NULL);
    }
}

static void human(uint64_t octets, char text[WORDS_MAX])
{
    static const char *const units[] = {"", " kB", " MB", " GB", " TB"};
    size_t unit = 0;
    uint64_t n = octets * 10;
    for (; n >= 10000 && unit + 1 < sizeof units / sizeof *units; unit++)
        n /= 1000;
    if (n % 10)
        snprintf(text, WORDS_MAX, "%llu.%llu%s", (unsigned long long)(n / 10), (unsigned long long)(n % 10),
                 units[unit]);
    else
        snprintf(text, WORDS_MAX, "%llu%s", (unsigned long long)(n / 10), unit ? units[unit] : " octets");
}

static void judge_size(struct probe_port *p)
{
    const char *words = probe_keyword(probe_offer(p), "SIZE");
    char text[WORDS_MAX];
    uint64_t n = 0;
    if (!words) {
        probe_tell(&p->findings, PROBE_SIZE, NULL, NULL, NULL);
    } else if (sp_view_u64(sp_view_of(words), UINT64_MAX / 100, &n) || n == 0) {
        probe_tell(&p->findings, PROBE_SIZE_OPEN, NULL, NULL, NULL);
    } else {
        human(n, text);
        if (n < SIZE_SMALL)
            probe_tell(&p->findings, PROBE_SIZE_SMALL, text, NULL, NULL);
        else
            probe_tell_as(&p->findings, PROBE_SIZE, PROBE_LEVEL_OK, text, NULL, NULL);
    }
}

/* Keywords of which it is told whether they are there. */
static const struct {
    const char *keyword;
    enum probe_finding_id id;
} known[] = {{"PIPELINING", PROBE_PIPELINING},
             {"8BITMIME", PROBE_EIGHTBITMIME},
             {"SMTPUTF8", PROBE_SMTPUTF8},
             {"CHUNKING", PROBE_CHUNKING},
             {"DSN", PROBE_DSN},
             {"ENHANCEDSTATUSCODES", PROBE_ENHANCEDSTATUSCODES}};

static bool is_told_elsewhere(const char *line)
{
    static const char *const names[] = {"SIZE", "LIMITS", "AUTH", "STARTTLS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_word(line, names[i]))
            return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_word(line, known[i].keyword))
            return true;
    return sp_view_starts_nocase(sp_view_of(line), SP_LIT("AUTH="));
}

static void judge_keywords(struct probe_port *p)
{
    const struct probe_keywords *offer = probe_offer(p);
    char others[WORDS_MAX] = "";
    size_t n = 0;
    judge_size(p);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        probe_tell_as(&p->findings, known[i].id,
                      probe_keyword(offer, known[i].keyword) ? PROBE_LEVEL_OK
                                                             : probe_kind(known[i].id)->level,
                      NULL, NULL, NULL);
    if (probe_keyword(offer, "LIMITS"))
        probe_tell(&p->findings, PROBE_LIMITS, probe_keyword(offer, "LIMITS"), NULL, NULL);
    for (size_t i = 0; i < offer->n; i++) {
        const char *line = offer->lines[i];
        if (sp_view_starts_nocase(sp_view_of(line), SP_LIT("AUTH=")))
            probe_tell(&p->findings, PROBE_AUTH_OLD_SYNTAX, NULL, NULL, NULL);
        if (!is_told_elsewhere(line) && n + strlen(line) + 3 < sizeof others)
            n += (size_t)snprintf(others + n, sizeof others - n, "%s%s", n ? ", " : "", line);
    }
    if (n > 0)
        probe_tell(&p->findings, PROBE_KEYWORDS_OTHER, others, NULL, NULL);
}

void probe_judge_offer(struct probe_look *l)
{
    struct probe_port *p = l->port;
    const char *auth = probe_keyword(probe_offer(p), "AUTH");
    if (p->role == PROBE_AS_ANY)
        p->role = auth ? PROBE_AS_SUBMISSION : PROBE_AS_MX;
    if (p->tls == PROBE_TLS_STARTTLS) {
        tell_differences(p);
        if (auth && !probe_keyword(&p->clear, "AUTH"))
            probe_tell(&p->findings, PROBE_AUTH_BEHIND_TLS, NULL, NULL, NULL);
    }
    if (p->tls != PROBE_TLS_NONE)
        probe_tell_as(&p->findings, PROBE_STARTTLS_INSIDE,
                      probe_keyword(&p->secured, "STARTTLS") ? PROBE_LEVEL_WARNING : PROBE_LEVEL_OK, NULL,
                      NULL, NULL);
    if (!auth && p->role != PROBE_AS_MX)
        probe_tell(&p->findings, PROBE_AUTH_MISSING, NULL, NULL, NULL);
    if (auth && p->role == PROBE_AS_MX)
        probe_tell(&p->findings, PROBE_AUTH_ON_MX, auth, NULL, NULL);
    if (probe_offer(p)->n > 0)
        judge_keywords(p);
}
