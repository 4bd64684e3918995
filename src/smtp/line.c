#include "smtp/line.h"

#include "base/view.h"

enum { SHORT = 512, FIRST = 128 };

void smtp_line_init(struct smtp_line *l, const struct sp_allocator *alloc)
{
    *l = (struct smtp_line){.alloc = alloc};
}

static void overwrite(uint8_t *p, size_t n)
{
    volatile uint8_t *v = p;
    while (n-- > 0)
        v[n] = 0;
}

void smtp_line_release(struct smtp_line *l)
{
    if (l->held) {
        overwrite(l->held, l->len);
        l->alloc->resize(l->alloc->ctx, l->held, l->cap, 0);
    }
    smtp_line_init(l, l->alloc);
}

/* Not a plain resize: that could leave a copy of a password behind. */
static bool hold(struct smtp_line *l, struct sp_view more)
{
    if (more.len > l->cap - l->len) {
        size_t cap = l->cap ? l->cap : FIRST;
        while (cap < l->len + more.len)
            cap *= 2;
        uint8_t *p = l->alloc->resize(l->alloc->ctx, NULL, 0, cap);
        if (!p)
            return false;
        size_t len = l->len;
        if (len > 0)
            memcpy(p, l->held, len);
        bool skipping = l->skipping, cr = l->cr;
        smtp_line_release(l);
        *l = (struct smtp_line){l->alloc, p, len, cap, skipping, cr};
    }
    if (more.len > 0)
        memcpy(l->held + l->len, more.p, more.len);
    l->len += more.len;
    return true;
}

/* The first octets of a line that is in two places. */
static size_t limit_of(struct smtp_line *l, struct sp_view more, smtp_line_limit *limit, void *ctx)
{
    uint8_t start[32];
    size_t n = l->len < sizeof(start) ? l->len : sizeof(start);
    if (n > 0)
        memcpy(start, l->held, n);
    struct sp_view rest = sp_view_sub(more, 0, sizeof(start) - n);
    if (rest.len > 0)
        memcpy(start + n, rest.p, rest.len);
    size_t octets = limit(ctx, (struct sp_view){start, n + rest.len});
    overwrite(start, sizeof(start));
    return octets;
}

enum smtp_line_result smtp_line_take(struct smtp_line *l, struct sp_view in, smtp_line_limit *limit,
                                     void *ctx, size_t *used_out, struct sp_view *line_out)
{
    size_t lf = sp_view_find(in, '\n', 0);
    bool ended = lf < in.len;
    struct sp_view part = sp_view_sub(in, 0, ended ? lf + 1 : in.len);
    *used_out = part.len;
    if (ended && !(lf > 0 ? in.p[lf - 1] == '\r' : l->cr))
        return SMTP_LINE_BARE_LF;
    if (part.len > 0)
        l->cr = in.p[part.len - 1] == '\r';
    if (!l->skipping && l->len + part.len > SHORT)
        l->skipping = l->len + part.len > limit_of(l, part, limit, ctx);
    if (l->skipping) {
        bool cr = l->cr;
        smtp_line_release(l);
        l->skipping = !ended;
        l->cr = cr;
        return ended ? SMTP_LINE_LONG : SMTP_LINE_PARTIAL;
    }
    if (ended && l->len == 0) {
        l->cr = false;
        *line_out = sp_view_sub(part, 0, part.len - 2);
        return SMTP_LINE_WHOLE;
    }
    if (!hold(l, part))
        return SMTP_LINE_NOMEM;
    if (!ended)
        return SMTP_LINE_PARTIAL;
    l->cr = false;
    *line_out = (struct sp_view){l->held, l->len - 2};
    return SMTP_LINE_WHOLE;
}
