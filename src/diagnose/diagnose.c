/* The reader: octets to lines, lines to the conversations they belong to. */
#include "diagnose/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "diagnose/mask.h"
#include "diagnose/prefix.h"
#include "os/heap.h"

struct diagnose *diagnose_new(void) { return os_new(sizeof(struct diagnose)); }

void diagnose_free(struct diagnose *d)
{
    if (!d)
        return;
    memset(d->line, 0, sizeof d->line);
    memset(d->scratch, 0, sizeof d->scratch);
    explicit_bzero(&d->secrets, sizeof d->secrets);
    free(d);
}

/* --- lines --------------------------------------------------------------------------------- */

static bool is_tls_record(struct sp_view line)
{
    enum { ALERT = 0x15, HANDSHAKE = 0x16, SSL3 = 3, MINOR_MAX = 4, LENGTH_MAX = 0x41 };
    if (line.len > 4 && (line.p[0] == ALERT || line.p[0] == HANDSHAKE) && line.p[1] == SSL3 &&
        line.p[2] <= MINOR_MAX && line.p[3] <= LENGTH_MAX)
        return true;
    if (sp_view_find(line, '\\', 0) == line.len && sp_view_find(line, '^', 0) == line.len)
        return false;
    return memmem(line.p, line.len, "\\x15\\x03", 8) || memmem(line.p, line.len, "\\x16\\x03", 8) ||
           memmem(line.p, line.len, "^U^C", 4);
}

static enum diagnose_expect expected(const struct diagnose *d)
{
    const struct session *s = d->now;
    if (!s || !s->used)
        return DIAGNOSE_EXPECT_COMMAND;
    if (s->in_data)
        return DIAGNOSE_EXPECT_CONTENT;
    return diagnose_session_waits_for_answer(s) ? DIAGNOSE_EXPECT_ANSWER : DIAGNOSE_EXPECT_COMMAND;
}

static void take_line(struct diagnose *d)
{
    struct diagnose_line l;
    struct place place;
    struct sp_view raw = sp_view_make(d->line, d->len), none = {NULL, 0};
    d->lines++;
    if (!d->trace && is_tls_record(raw) && (!d->now || d->now->lines == 0)) {
        diagnose_mask_quote(raw, none, d->lines, &place);
        diagnose_session_note(diagnose_reader_find(d, none), DIAGNOSE_PLAIN_TO_TLS_PORT, 0.85, &place, NULL);
        return;
    }
    struct sp_view line = sp_view_make(d->line, diagnose_clean(d->line, d->len));
    diagnose_secrets_learn_named(&d->secrets, line);
    if (diagnose_reader_take_trace(d, line))
        return;
    diagnose_line_read(&d->style, line, expected(d), d->scratch, &l);
    struct diagnose_reply_line reply;
    if (l.kind == DIAGNOSE_LINE_SERVER && !diagnose_reply_read(l.text, &reply) &&
        sp_view_find(l.text, '\n', 0) == l.text.len)
        l.kind = DIAGNOSE_LINE_NOTE; /* a program's own words behind the server's mark */
    switch (l.kind) {
    case DIAGNOSE_LINE_CLIENT:
    case DIAGNOSE_LINE_SERVER:
        diagnose_reader_say(d, line, &l);
        break;
    case DIAGNOSE_LINE_NOTE:
        if (l.text.len > 0 && l.text.p == d->scratch)
            diagnose_reader_note_record(d, line, &l);
        else if (l.text.len > 0)
            (void)diagnose_reader_note_line(d, line, l.key);
        break;
    case DIAGNOSE_LINE_ECHO:
        break;
    }
}

void diagnose_feed(struct diagnose *d, struct sp_view octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        uint8_t c = octets.p[i];
        bool head = d->octets++ < 2;
        if (head && (c == 0xff || c == 0xfe))
            d->wide = true;
        if ((d->wide && (c == 0 || head)))
            continue;
        if (c == '\n') {
            take_line(d);
            d->len = 0;
        } else if (d->len < LINE_SIZE) {
            d->line[d->len++] = c;
        }
    }
}

const struct diagnose_report *diagnose_end(struct diagnose *d)
{
    if (d->len > 0)
        take_line(d);
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (d->sessions[i].used)
            diagnose_session_end(&d->sessions[i], &d->gathered);
    diagnose_report_make(&d->gathered, d->lines, &d->report);
    for (size_t i = 0; i < d->report.finding_n; i++)
        diagnose_secrets_hide(&d->secrets, d->report.findings[i].quote);
    for (size_t i = 0; i < d->report.challenge_n; i++) {
        diagnose_secrets_hide(&d->secrets, d->report.challenges[i].text);
        diagnose_secrets_hide(&d->secrets, d->report.challenges[i].decoded);
    }
    return &d->report;
}
