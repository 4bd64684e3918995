#include "smtp/content.h"

#include "base/view.h"
#include "smtp/run.h"

/* FIXED_LF: the next octet is an LF that stood alone, its CR was put in before it. */
enum state { LINE, TEXT, TEXT_CR, DOT, DOT_CR, FIXED_LF };
enum { INSERT_NOTHING = 0, INSERT_CRLF = 2, INSERT_LF = '\n', INSERT_CR = '\r' };

void smtp_content_init(struct smtp_content *c, bool fixes)
{
    *c = (struct smtp_content){.state = LINE, .fixes = fixes};
}

/* Static octets that make a CR or LF alone a CRLF. */
static struct sp_view inserted(struct smtp_content *c)
{
    uint8_t what = c->insert;
    c->insert = INSERT_NOTHING;
    return what == INSERT_CR ? SP_LIT("\r") : what == INSERT_LF ? SP_LIT("\n") : SP_LIT("\r\n");
}

static void note_bare_cr(struct smtp_content *c, uint8_t missing)
{
    if (c->fixes)
        c->insert = missing;
    else
        c->bare_cr = true;
}

/* From the middle of a line to behind its CR at cr, to an LF that is to be mended, or to the end. */
static size_t take_line(struct smtp_content *c, struct sp_view in, size_t i, size_t cr)
{
    const uint8_t *lf = memchr(in.p + i, '\n', cr - i);
    if (lf && c->fixes) {
        c->insert = INSERT_CR;
        c->state = FIXED_LF;
        return (size_t)(lf - in.p);
    }
    c->bare_lf = c->bare_lf || lf;
    if (cr == in.len)
        return cr;
    c->state = TEXT_CR;
    return cr + 1;
}

/* Over ordinary lines in one go. The octet before i is of this view and of this line, or the LF before it. */
static size_t pass_over(struct smtp_content *c, struct sp_view in, size_t i, size_t cr)
{
    size_t end = smtp_run_plain(in, i, cr);
    if (end > i)
        c->state = in.p[end - 1] == '\r' ? TEXT_CR : in.p[end - 1] == '\n' ? LINE : TEXT;
    return end;
}

/* The dot that begins a line is held back: it is stuffing, or the end. */
static size_t after_dot(struct smtp_content *c, struct sp_view in, size_t i, bool *end_out)
{
    if (c->state == DOT && i < in.len) {
        c->state = in.p[i] == '\r' ? DOT_CR : TEXT;
        i += in.p[i] == '\r';
    }
    if (c->state == DOT_CR && i < in.len) {
        *end_out = in.p[i] == '\n';
        if (!*end_out)
            note_bare_cr(c, INSERT_CRLF); /* the CR itself was held back too */
        c->state = *end_out ? LINE : TEXT;
        i += *end_out;
    }
    return i;
}

static size_t take(struct smtp_content *c, struct sp_view in, struct sp_view *piece_out, bool *end_out)
{
    size_t i = 0;
    if (c->state == DOT || c->state == DOT_CR) {
        i = after_dot(c, in, 0, end_out);
        if (*end_out || i == in.len || c->insert)
            return i;
    }
    size_t start = i;
    while (i < in.len && !c->insert) {
        if (c->state == TEXT) {
            struct sp_view near = sp_view_sub(in, 0, i + SMTP_RUN_LOOK);
            size_t cr = sp_view_find(near, '\r', i);
            size_t end = i > 0 ? pass_over(c, in, i, cr) : i;
            i = end > i ? end : take_line(c, near, i, cr);
        } else if (c->state == FIXED_LF) {
            c->state = TEXT;
            i++;
        } else if (c->state == TEXT_CR) {
            bool lf = in.p[i] == '\n';
            if (!lf)
                note_bare_cr(c, INSERT_LF);
            c->state = lf ? LINE : TEXT;
            i += lf;
        } else if (in.p[i] != '.') {
            c->state = TEXT;
        } else {
            c->state = DOT;
            *piece_out = sp_view_sub(in, start, i - start);
            return after_dot(c, in, i + 1, end_out);
        }
    }
    *piece_out = sp_view_sub(in, start, i - start);
    return i;
}

size_t smtp_content_take(struct smtp_content *c, struct sp_view in, struct sp_view *piece_out, bool *end_out)
{
    size_t used = 0;
    *end_out = false;
    *piece_out = sp_view_sub(in, 0, 0);
    if (!c->insert)
        used = take(c, in, piece_out, end_out);
    if (used == 0 && c->insert)
        *piece_out = inserted(c);
    return used;
}
