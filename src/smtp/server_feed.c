/* Octets from the client: lines, answers and the message, as the phase reads them. */
#include "smtp/server.h"

enum { TLS_RECORD_HANDSHAKE = 0x16 };

/* Version 2 of the PROXY protocol; version 1 begins with a word. One that comes in pieces is refused line by
 * line, and its LF closes the session. */
static const struct sp_view proxy_signature = SP_LIT_INIT("\r\n\r\n\0\r\nQUIT\n");

static size_t line_limit(void *ctx, struct sp_view start)
{
    struct sp_server *s = ctx;
    const struct smtp_word *word = smtp_word_find(sp_view_sub(start, 0, sp_view_find(start, ' ', 0)));
    s->line_max = smtp_phases[s->phase].reads == READS_ANSWERS ? SMTP_LINE_AUTH_MAX : word->line_max;
    s->long_chunk = word->input == IN_BDAT;
    return s->line_max;
}

static void release_line(struct sp_server *s)
{
    if (s->line_read)
        smtp_line_release(&s->line);
    s->line_read = false;
    if (s->xtext.p)
        sp_buf_fini(&s->xtext);
}

/* A password goes at once; what a question borrows goes with the next feed. */
static void finish_line(struct sp_server *s)
{
    s->line_read = true;
    if (!s->asked || s->exchange)
        release_line(s);
}

static void take_bad_line(struct sp_server *s, enum smtp_line_result result)
{
    bool in_sasl = smtp_phases[s->phase].reads == READS_ANSWERS;
    s->word = NULL;
    if (result == SMTP_LINE_NOMEM)
        s->dead = SP_ERR_NOMEM;
    else if (result == SMTP_LINE_BARE_LF)
        smtp_server_happen(s, IN_BARE_LF);
    else if (!in_sasl && s->long_chunk)
        smtp_server_happen(s, IN_BAD_CHUNK);
    else
        smtp_server_happen(s, !in_sasl && s->line_max == SMTP_LINE_AUTH_MAX ? IN_LONG_AUTH : IN_LONG);
}

static size_t take_line(struct sp_server *s, struct sp_view in)
{
    size_t used;
    struct sp_view line;
    bool at_start = s->line.len == 0 && !s->line.skipping;
    if (at_start && in.p[0] == TLS_RECORD_HANDSHAKE && s->rules[s->phase][IN_TLS_HELLO].who != ABSENT) {
        smtp_server_happen(s, IN_TLS_HELLO);
        return in.len;
    }
    if (at_start && sp_view_starts(in, proxy_signature) && s->rules[s->phase][IN_PROXY].who != ABSENT) {
        smtp_server_happen(s, IN_PROXY);
        return in.len;
    }
    enum smtp_line_result result = smtp_line_take(&s->line, in, line_limit, s, &used, &line);
    if (result == SMTP_LINE_PARTIAL)
        return used;
    s->since_ms = s->now_ms;
    if (result != SMTP_LINE_WHOLE)
        take_bad_line(s, result);
    else if (smtp_phases[s->phase].reads == READS_ANSWERS)
        smtp_server_answer(s, line);
    else
        smtp_server_command(s, line, used == in.len);
    finish_line(s);
    return used;
}

static size_t take_message(struct sp_server *s, struct sp_view in)
{
    struct smtp_content *m = &s->message;
    struct sp_view piece;
    bool end;
    size_t used = smtp_content_take(m, in, &piece, &end);
    bool bare = m->bare_lf || m->bare_cr;
    s->since_ms = s->now_ms;
    if (!bare)
        s->size += piece.len;
    bool big = s->size > s->options.max_message_octets;
    bool clean = smtp_server_note_content(s, piece);
    if (piece.len > 0 && !bare && !big && clean) {
        s->content = piece;
        s->facts |= FACT_CONTENT;
    }
    if (end) {
        s->question.as.end.size = s->size;
        s->question.as.end.recipient = 0;
        smtp_server_happen(s, m->bare_lf   ? IN_END_BARE_LF
                              : m->bare_cr ? IN_END_BARE_CR
                              : big        ? IN_END_BIG
                                           : smtp_server_end(s));
    }
    return used;
}

static size_t take(struct sp_server *s, struct sp_view in)
{
    if (s->held)
        return smtp_server_chunk_throw(s, in);
    switch (smtp_phases[s->phase].reads) {
    case READS_MESSAGE:
        return take_message(s, in);
    case READS_CHUNK:
        return smtp_server_chunk_take(s, in);
    default:
        return take_line(s, in);
    }
}

int sp_server_feed(struct sp_server *s, struct sp_view in, uint64_t now_ms, size_t *used_out)
{
    *used_out = 0;
    if (s->dead)
        return s->dead;
    if (s->phase == P_CLOSED)
        return SP_ERR_CLOSED;
    if (now_ms > s->now_ms)
        s->now_ms = now_ms;
    if (s->asked || s->facts || in.len == 0)
        return SP_OK;
    if (smtp_phases[s->phase].reads == READS_NOTHING)
        return SP_ERR_MISUSE;
    release_line(s);
    size_t used = 0;
    while (used < in.len && !s->asked && !s->facts && s->dead == SP_OK &&
           (used == 0 || s->out.len - s->out_sent < SP_SERVER_OUTPUT_PAUSE)) {
        struct sp_view rest = sp_view_from(in, used);
        enum sp_server_reads reads = sp_server_reads(s);
        used += take(s, rest);
        if (sp_server_reads(s) != reads)
            break;
    }
    *used_out = s->phase == P_CLOSED ? in.len : used;
    return smtp_server_settle(s);
}
