#include "base/view.h"
#include "cli/sendmail/sendmail.h"
#include "os/heap.h"

enum { ADDRESS_MAX = 512 };

/* Where the reader is: an address is gathered from what stands in <>, or else from what stands outside of
 * comments. */
struct reader {
    struct sp_view in;
    size_t at;
    const char *domain;
    struct sp_buf *out;
    bool (*found)(void *ctx, struct sp_view address);
    void *ctx;
    struct sp_buf address;
    bool has_at, bracketed, in_brackets, blank, bad;
    size_t copied, end; /* of the value: written to out; the last octet of the address and one */
};

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static bool is_mark(uint8_t c) { return c == '.' || c == '@'; }

static void begin_address(struct reader *r)
{
    sp_buf_clear(&r->address);
    r->has_at = r->bracketed = r->in_brackets = r->blank = false;
    r->end = r->at;
}

/* Two words without a dot between them are no address, unless a < comes and makes them a name. */
static void gather(struct reader *r, struct sp_view octets)
{
    bool joins = r->address.len == 0 || is_mark(octets.p[0]) || is_mark(r->address.p[r->address.len - 1]);
    if (r->bracketed && !r->in_brackets)
        r->bad = true;
    if (r->blank && !joins)
        sp_buf_add_u8(&r->address, ' ');
    r->blank = false;
    sp_buf_add(&r->address, octets);
    r->end = r->at + octets.len;
}

static void copy_until(struct reader *r, size_t at)
{
    sp_buf_add(r->out, sp_view_sub(r->in, r->copied, at - r->copied));
    r->copied = at;
}

/* A quoted string that is folded, or worse: nothing of it may be in an envelope. */
static bool has_control(struct sp_view address)
{
    for (size_t i = 0; i < address.len; i++)
        if (address.p[i] < 0x20 || address.p[i] == 0x7f)
            return true;
    return false;
}

static void end_address(struct reader *r)
{
    if (r->in_brackets || sp_buf_status(&r->address) != SP_OK || has_control(sp_buf_view(&r->address)))
        r->bad = true;
    if (r->address.len > 0 && !r->bad) {
        if (!r->has_at) {
            copy_until(r, r->end);
            sp_buf_add_u8(r->out, '@');
            sp_buf_add_str(r->out, r->domain);
            sp_buf_add_u8(&r->address, '@');
            sp_buf_add_str(&r->address, r->domain);
        }
        if (sp_view_find(sp_buf_view(&r->address), ' ', 0) < r->address.len && r->address.p[0] != '"')
            r->bad = true;
        else if (r->found && !r->found(r->ctx, sp_buf_view(&r->address)))
            r->bad = true;
    }
    begin_address(r);
}

/* The octets of a comment, which may hold others, or of a quoted string. 0: it has no end. */
static size_t closed_len(struct sp_view in, uint8_t open, uint8_t close)
{
    unsigned depth = 1;
    for (size_t i = 1; i < in.len; i++) {
        if (in.p[i] == '\\')
            i++;
        else if (in.p[i] == close && --depth == 0)
            return i + 1;
        else if (in.p[i] == open)
            depth++;
    }
    return 0;
}

/* A comment, a quoted string or a [literal]. */
static size_t read_closed(struct reader *r, struct sp_view rest)
{
    uint8_t c = rest.p[0];
    size_t len = closed_len(rest, c, c == '(' ? ')' : c == '[' ? ']' : '"');
    if (len == 0)
        r->bad = true;
    else if (c == '(')
        r->blank = true;
    else
        gather(r, sp_view_sub(rest, 0, len));
    return len ? len : rest.len;
}

static void open_brackets(struct reader *r)
{
    r->bad = r->bad || r->bracketed;
    sp_buf_clear(&r->address);
    r->has_at = r->blank = false;
    r->bracketed = r->in_brackets = true;
    r->end = r->at + 1;
}

/* "group: a, b;" and the route of "<@a,@b:c@d>": what stands before the colon is no address. */
static void forget_address(struct reader *r)
{
    sp_buf_clear(&r->address);
    r->has_at = r->blank = false;
    r->end = r->at + 1;
}

static void read_mark(struct reader *r, uint8_t c)
{
    bool route = r->in_brackets && r->address.len > 0 && r->address.p[0] == '@';
    if (c == '<')
        open_brackets(r);
    else if (c == '>')
        r->bad = r->bad || !r->in_brackets, r->in_brackets = false;
    else if (c == ':')
        forget_address(r);
    else if (!route)
        end_address(r), r->end = r->at + 1;
}

static size_t read_one(struct reader *r, struct sp_view rest)
{
    uint8_t c = rest.p[0];
    if (c == '(' || c == '"' || c == '[')
        return read_closed(r, rest);
    if (is_blank(c)) {
        r->blank = true;
    } else if (c == '<' || c == '>' || c == ',' || c == ';' || c == ':') {
        read_mark(r, c);
    } else {
        r->has_at = r->has_at || c == '@';
        gather(r, sp_view_sub(rest, 0, 1));
    }
    return 1;
}

bool sendmail_addresses(struct sp_view value, const char *domain, struct sp_buf *out,
                        bool (*found)(void *ctx, struct sp_view address), void *ctx)
{
    struct reader r = {.in = value, .domain = domain, .out = out, .found = found, .ctx = ctx};
    size_t before = out->len;
    sp_buf_init(&r.address, &os_heap, ADDRESS_MAX);
    begin_address(&r);
    while (r.at < value.len && !r.bad)
        r.at += read_one(&r, sp_view_from(value, r.at));
    if (!r.bad)
        end_address(&r);
    copy_until(&r, value.len);
    if (r.bad) {
        out->len = before;
        sp_buf_add(out, value);
    }
    sp_buf_fini(&r.address);
    return !r.bad;
}
