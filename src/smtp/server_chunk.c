/*
 * BDAT (RFC 3030 2): the count, the octets, and the reply that waits for them. The octets of a chunk that is
 * refused belong to its command: the phase does not change before they are thrown away and the reply is said.
 */
#include "smtp/run.h"
#include "smtp/server.h"

/*
 * bdat-cmd   = "BDAT" SP chunk-size [ SP end-marker ] CR LF
 * chunk-size = 1*DIGIT
 * end-marker = "LAST"
 */
bool smtp_server_chunk(struct sp_server *s, struct sp_view args)
{
    struct sp_view size, marker = {0}, more;
    uint64_t n;
    if (!sp_view_word(&args, ' ', &size) || sp_view_u64(size, UINT64_MAX, &n) != SP_OK)
        return false;
    bool marked = sp_view_word(&args, ' ', &marker);
    if ((marked && !sp_view_eq_nocase(marker, SP_LIT("LAST"))) || sp_view_word(&args, ' ', &more))
        return false;
    s->chunk_left = n;
    s->chunk_last = marked;
    return true;
}

bool smtp_server_chunk_is_big(const struct sp_server *s)
{
    uint64_t max = s->options.max_message_octets;
    return s->chunk_left > max || s->size > max - s->chunk_left;
}

/* Lines of text end in CRLF; the next server may get them by DATA. */
static void note_lines(struct sp_server *s, struct sp_view piece)
{
    for (size_t at = 0; at < piece.len && s->body != SP_BODY_BINARYMIME;) {
        if (s->after_cr) {
            bool lf = piece.p[at] == '\n';
            s->bare_cr = s->bare_cr || !lf;
            s->after_cr = false;
            at += lf;
            continue;
        }
        size_t cr = sp_view_find(piece, '\r', at);
        size_t plain = at > 0 ? smtp_run_plain(piece, at, cr) : 0;
        if (plain > at) {
            s->after_cr = piece.p[plain - 1] == '\r';
            at = plain;
            continue;
        }
        s->bare_lf = s->bare_lf || memchr(piece.p + at, '\n', cr - at);
        s->after_cr = cr < piece.len;
        at = cr + 1;
    }
}

bool smtp_server_note_content(struct sp_server *s, struct sp_view piece)
{
    if (s->body != SP_BODY_BINARYMIME && piece.len > 0)
        s->nul = s->nul || memchr(piece.p, 0, piece.len);
    if (s->body == SP_BODY_7BIT && s->options.refuse_undeclared_8bit)
        for (size_t i = 0; i < piece.len && !s->wide; i++)
            s->wide = piece.p[i] > 127;
    return !s->nul && !s->wide;
}

enum smtp_input smtp_server_end(const struct sp_server *s)
{
    if (s->bare_lf || s->bare_cr || s->after_cr)
        return s->bare_lf ? IN_END_BARE_LF : IN_END_BARE_CR;
    return s->nul ? IN_END_NUL : s->wide ? IN_END_8BIT : IN_END;
}

static void end_chunk(struct sp_server *s)
{
    s->question.as.end.size = s->size;
    s->question.as.end.recipient = 0;
    smtp_server_happen(s, s->chunk_last ? smtp_server_end(s) : IN_CHUNK_END);
}

void smtp_server_chunk_begin(struct sp_server *s)
{
    if (s->chunk_left == 0)
        end_chunk(s);
}

size_t smtp_server_chunk_take(struct sp_server *s, struct sp_view in)
{
    size_t n = in.len < s->chunk_left ? in.len : (size_t)s->chunk_left;
    struct sp_view piece = sp_view_sub(in, 0, n);
    s->since_ms = s->now_ms;
    s->size += n;
    s->chunk_left -= n;
    note_lines(s, piece);
    if (smtp_server_note_content(s, piece) && !s->bare_lf && !s->bare_cr) {
        s->content = piece;
        s->facts |= FACT_CONTENT;
    }
    if (s->chunk_left == 0)
        end_chunk(s);
    return n;
}

/* --- refused ------------------------------------------------------------------------------ */

void smtp_server_chunk_hold(struct sp_server *s, enum smtp_held how, unsigned what)
{
    s->held = (uint8_t)how;
    s->held_what = (uint16_t)what;
    if (s->chunk_left == 0)
        smtp_server_chunk_unhold(s);
}

void smtp_server_chunk_hold_refusal(struct sp_server *s, const struct sp_refusal *refusal)
{
    s->held_refusal = *refusal;
    sp_buf_clear(&s->held_text);
    if (sp_buf_add(&s->held_text, sp_view_sub(refusal->text, 0, SMTP_REPLY_MAX)) != SP_OK)
        s->dead = SP_ERR_NOMEM;
    s->held_refusal.text = sp_buf_view(&s->held_text);
    smtp_server_chunk_hold(s, HELD_CALLER, s->asked->no.next);
    s->asked = NULL;
}

static void say_held_refusal(struct sp_server *s)
{
    if (!smtp_server_bear(s, s->held_refusal.code))
        return;
    for (uint32_t n = smtp_server_replies_due(s); n > 0; n--)
        smtp_server_say_refusal(s, &s->held_refusal);
    smtp_server_decline(s, (uint8_t)s->held_what);
}

void smtp_server_chunk_unhold(struct sp_server *s)
{
    enum smtp_held how = s->held;
    s->held = HELD_NOTHING;
    if (how == HELD_REFUSAL)
        smtp_server_refuse(s, s->held_what);
    else if (how == HELD_INPUT)
        smtp_server_happen(s, s->held_what);
    else if (how == HELD_CALLER)
        say_held_refusal(s);
    sp_buf_fini(&s->held_text);
}

size_t smtp_server_chunk_throw(struct sp_server *s, struct sp_view in)
{
    /* The time of a command is that for all of it: nobody is to be kept busy with octets for nothing. */
    size_t n = in.len < s->chunk_left ? in.len : (size_t)s->chunk_left;
    s->chunk_left -= n;
    if (s->chunk_left == 0)
        smtp_server_chunk_unhold(s);
    return n;
}
