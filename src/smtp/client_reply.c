/*
 * Gathering a reply. The limits stand against a server that never ends its reply: without them each
 * connection could be made to hold memory without end.
 */
#include "smtp/client_reply.h"

#include "base/view.h"

void smtp_client_reply_init(struct smtp_client_reply *r, const struct sp_allocator *alloc, bool lf)
{
    *r = (struct smtp_client_reply){.lf = lf};
    sp_buf_init(&r->octets, alloc, SP_CLIENT_REPLY_MAX);
}

void smtp_client_reply_fini(struct smtp_client_reply *r) { sp_buf_fini(&r->octets); }

bool smtp_client_reply_begun(const struct smtp_client_reply *r) { return !r->whole && r->octets.len > 0; }

static void begin(struct smtp_client_reply *r)
{
    sp_buf_clear(&r->octets);
    r->line_start = r->line_n = 0;
    r->code = 0;
    r->whole = false;
    r->fault = NULL;
}

static int refuse(struct smtp_client_reply *r, const char *fault)
{
    r->fault = fault;
    return SP_ERR_SYNTAX;
}

/* The code of a line's three digits, or 0. */
static int code_of(struct sp_view line)
{
    if (line.len < 3 || line.p[0] < '2' || line.p[0] > '5' || !sp_ascii_digit(line.p[1]) ||
        !sp_ascii_digit(line.p[2]))
        return 0;
    return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
}

/* A line is complete, its end included. */
static int end_line(struct smtp_client_reply *r)
{
    struct sp_view line = sp_view_from(sp_buf_view(&r->octets), r->line_start);
    bool crlf = line.len >= 2 && line.p[line.len - 2] == '\r';
    if (!crlf && !r->lf)
        return refuse(r, "a reply line ended in a bare LF");
    line.len -= crlf ? 2 : 1;
    int code = code_of(line);
    if (code == 0)
        return refuse(r, "no reply: a line did not begin with a code from 200 to 599");
    if (line.len > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return refuse(r, "no reply: neither space nor hyphen behind the code");
    if (r->line_n > 0 && code != r->code)
        return refuse(r, "the lines of one reply had different codes");
    r->code = code;
    if (++r->line_n > SP_CLIENT_LINES_MAX)
        return refuse(r, "a reply had too many lines");
    r->whole = line.len == 3 || line.p[3] == ' ';
    if (!r->whole)
        r->line_start = r->octets.len;
    return SP_OK;
}

int smtp_client_reply_feed(struct smtp_client_reply *r, struct sp_view in, size_t *used_out)
{
    size_t used = 0;
    int status = SP_OK;
    if (r->whole || r->fault)
        begin(r);
    while (!status && !r->whole && used < in.len) {
        size_t end = sp_view_find(in, '\n', used);
        bool ended = end < in.len;
        size_t n = end + (ended ? 1 : 0) - used;
        if (r->octets.len - r->line_start + n > SP_CLIENT_LINE_MAX)
            status = refuse(r, "a reply line was too long");
        else if ((status = sp_buf_add(&r->octets, sp_view_sub(in, used, n))) == SP_ERR_LONG)
            status = refuse(r, "a reply was too long");
        used += n;
        if (!status && ended)
            status = end_line(r);
    }
    *used_out = used;
    return status;
}

/* "5.1.1" at the start of the text, when its class is the code's (RFC 2034 4). */
static struct sp_view enhanced_of(int code, struct sp_view text)
{
    size_t at = 0, dots = 0, digits = 0;
    for (; at < text.len && (sp_ascii_digit(text.p[at]) || text.p[at] == '.'); at++) {
        bool dot = text.p[at] == '.';
        if ((dot && digits == 0) || (!dot && digits == 3))
            return (struct sp_view){0};
        dots += dot;
        digits = dot ? 0 : digits + 1;
    }
    bool ends = at == text.len || text.p[at] == ' ' || text.p[at] == '\t';
    bool fits = dots == 2 && digits > 0 && text.p[0] == '0' + code / 100 && text.p[1] == '.';
    return ends && fits ? sp_view_sub(text, 0, at) : (struct sp_view){0};
}

static struct sp_view without_end(struct sp_view line)
{
    if (line.len > 0 && line.p[line.len - 1] == '\n')
        line.len--;
    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    return line;
}

struct sp_client_reply smtp_client_reply_view(const struct smtp_client_reply *r)
{
    struct sp_view lines = sp_buf_view(&r->octets);
    struct sp_view text = sp_view_from(without_end(sp_view_from(lines, r->line_start)), 4);
    return (struct sp_client_reply){
        .code = r->code, .enhanced = enhanced_of(r->code, text), .text = text, .lines = lines};
}

bool sp_client_reply_line(struct sp_view *rest, struct sp_view *line_out)
{
    if (rest->len == 0)
        return false;
    size_t end = sp_view_find(*rest, '\n', 0);
    size_t n = end < rest->len ? end + 1 : end;
    *line_out = without_end(sp_view_sub(*rest, 0, n));
    *rest = sp_view_from(*rest, n);
    return true;
}
