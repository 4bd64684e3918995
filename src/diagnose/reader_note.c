/* Lines in which a program tells of a conversation in its own words: which one it is, and whether they are of
 * one. */
#include "diagnose/reader.h"

#include <string.h>

#include "base/view.h"
#include "diagnose/mask.h"
#include "diagnose/prefix.h"
#include "diagnose/structured.h"
#include "diagnose/text.h"

/* "4F1B2C3D4E: to=<...>": a queued message. */
static struct sp_view queue_id(struct sp_view rest)
{
    enum { SHORTEST = 6, LONGEST = 24 };
    size_t end = sp_view_find(rest, ':', 0), digits = 0, i = 0;
    if (end == rest.len || end < SHORTEST || end > LONGEST)
        end = sp_view_find(rest, ' ', 0); /* Exim's "1abcDE-000xyz-Ab => ..." */
    for (; i < end && i < rest.len &&
           (sp_ascii_alpha(rest.p[i]) || sp_ascii_digit(rest.p[i]) || rest.p[i] == '-');
         i++)
        digits += sp_ascii_digit(rest.p[i]);
    bool id = i == end && end >= SHORTEST && end <= LONGEST && digits > 0 && end < rest.len;
    return sp_view_sub(rest, 0, id ? end : 0);
}

/* qmail writes a reply into its log with underscores for spaces. */
static struct sp_view spaced(struct diagnose *d, struct sp_view line)
{
    if (line.p == d->scratch || diagnose_find(line, "_said:_") == line.len)
        return line;
    for (size_t i = 0; i < line.len; i++)
        d->scratch[i] = line.p[i] == '_' ? ' ' : line.p[i];
    return sp_view_make(d->scratch, line.len);
}

/* Python's traceback: a frame, and the line of source below it, which names exceptions that may not be
 * raised. */
static bool is_source(struct diagnose *d, struct sp_view line, struct sp_view rest)
{
    enum { INDENT = 4 };
    struct sp_view text = sp_view_trim(rest);
    bool frame = sp_view_starts(text, SP_LIT("File \"")) && diagnose_find(text, "\", line ") < text.len;
    size_t at = text.len > 0 ? (size_t)(text.p - line.p) : 0;
    bool below = d->frame && at >= INDENT && memcmp(line.p + at - INDENT, "    ", INDENT) == 0;
    d->frame = frame;
    return frame || below;
}

bool diagnose_reader_note_line(struct diagnose *d, struct sp_view line, struct sp_view key)
{
    struct note n;
    struct place place;
    struct sp_view ignored, none = {NULL, 0};
    struct sp_view rest = diagnose_prefix_skip(line, &ignored);
    diagnose_note_read(spaced(d, line), &n);
    bool talking = d->now && d->now->used && d->now->lines > 0;
    if (line.p == d->line && is_source(d, line, rest))
        return false;
    if (n.kind == NOTE_NOTHING || diagnose_note_is_foreign(rest) ||
        (!talking && diagnose_note_is_elsewhere(&n, line)))
        return false;
    struct sp_view id = queue_id(rest);
    diagnose_mask_quote(line, none, d->lines, &place);
    struct session *s = diagnose_reader_find(d, id.len > 0 ? id : key);
    s->touched = d->lines;
    diagnose_reader_take_note(d, s, &n, &place);
    return true;
}

void diagnose_reader_note_record(struct diagnose *d, struct sp_view line, const struct diagnose_line *l)
{
    struct sp_view error;
    struct diagnose_reply_line reply;
    struct place place;
    if (diagnose_reader_note_line(d, l->text, l->key) || !diagnose_json_error(line, d->scratch, &error) ||
        diagnose_reader_note_line(d, error, l->key))
        return;
    bool mail = diagnose_find(line, "smtp") < line.len || diagnose_find(line, "mail") < line.len;
    if (!mail || !diagnose_reply_read(error, &reply) || reply.code < 400 || !diagnose_code_known(reply.code))
        return;
    struct session *s = diagnose_reader_find(d, l->key);
    diagnose_mask_quote(error, (struct sp_view){NULL, 0}, d->lines, &place);
    s->touched = d->lines;
    diagnose_reader_take_note(
        d, s, &(struct note){.kind = NOTE_REPLY, .code = reply.code, .text = reply.text}, &place);
}
