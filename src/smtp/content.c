#include "smtp/content.h"

#include "base/view.h"

enum state { LINE, TEXT, TEXT_CR, DOT, DOT_CR };

void smtp_content_init(struct smtp_content *c) { *c = (struct smtp_content){.state = LINE}; }

/* From the middle of a line to behind its CR, or to the end. */
static size_t find_cr(struct smtp_content *c, struct sp_view in, size_t i)
{
    size_t cr = sp_view_find(in, '\r', i);
    c->bare_lf = c->bare_lf || memchr(in.p + i, '\n', cr - i);
    if (cr == in.len)
        return cr;
    c->state = TEXT_CR;
    return cr + 1;
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
        c->bare_cr = c->bare_cr || !*end_out;
        c->state = *end_out ? LINE : TEXT;
        i += *end_out;
    }
    return i;
}

size_t smtp_content_take(struct smtp_content *c, struct sp_view in, struct sp_view *piece_out, bool *end_out)
{
    size_t i = 0;
    *end_out = false;
    *piece_out = sp_view_sub(in, 0, 0);
    if (c->state == DOT || c->state == DOT_CR) {
        i = after_dot(c, in, 0, end_out);
        if (*end_out || i == in.len)
            return i;
    }
    size_t start = i;
    while (i < in.len) {
        if (c->state == TEXT) {
            i = find_cr(c, in, i);
        } else if (c->state == TEXT_CR) {
            bool lf = in.p[i] == '\n';
            c->bare_cr = c->bare_cr || !lf;
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
