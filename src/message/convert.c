/*
 * Decisions:
 * - A part below multipart/signed is not changed: that would break the signature (RFC 1847 2.1). 5.6.2.
 * - Octets over 127 in a header, or in a part that does not say that it is 8bit, cannot be converted: what
 * they mean is not known. 5.6.3.
 * - Only CRLF ends a line. The CRLF before a boundary is the boundary's (RFC 2046 5.1.1).
 */
#include "message/convert.h"

#include "base/view.h"
#include "message/encode.h"
#include "message/mime.h"

enum { BOUNDARY_MAX = 70, LINE_KEPT = 512 /* a longer line is no boundary */ };

enum mode { HEADER, COPY, ENCODE };

struct level {
    uint8_t boundary[BOUNDARY_MAX];
    size_t len;
    bool is_signed;
};

struct message_convert {
    const struct sp_allocator *alloc;
    enum message_convert_to to;
    enum mode mode;
    struct sp_buf header; /* of the message or part that begins                               */
    struct sp_buf line;   /* of which the end has not come                                    */
    bool line_begun;      /* a part of the line is given out: it is no boundary               */
    bool after_cr;        /* the line so far ends in a CR                                     */
    bool line_end_due;    /* a CRLF that may be a boundary's                                  */
    struct message_encode encode;
    struct level levels[MESSAGE_CONVERT_DEPTH_MAX];
    size_t depth;
    const char *enhanced, *fault;
};

int message_convert_new(enum message_convert_to to, const struct sp_allocator *alloc,
                        struct message_convert **convert_out)
{
    struct message_convert *c = alloc->resize(alloc->ctx, NULL, 0, sizeof *c);
    if (!c)
        return SP_ERR_NOMEM;
    *c = (struct message_convert){.alloc = alloc, .to = to, .mode = HEADER};
    sp_buf_init(&c->header, alloc, MESSAGE_CONVERT_HEADER_MAX);
    sp_buf_init(&c->line, alloc, LINE_KEPT * 2);
    *convert_out = c;
    return SP_OK;
}

void message_convert_free(struct message_convert *c)
{
    if (!c)
        return;
    sp_buf_fini(&c->header);
    sp_buf_fini(&c->line);
    c->alloc->resize(c->alloc->ctx, c, sizeof *c, 0);
}

const char *message_convert_fault(const struct message_convert *c, const char **enhanced_out)
{
    *enhanced_out = c->enhanced;
    return c->fault;
}

static void refuse(struct message_convert *c, const char *enhanced, const char *fault)
{
    if (c->fault)
        return;
    c->enhanced = enhanced;
    c->fault = fault;
}

static bool has_eight_bit(struct sp_view v)
{
    uint8_t any = 0;
    for (size_t i = 0; i < v.len; i++)
        any |= v.p[i];
    return any & 0x80;
}

/* --- headers ---------------------------------------------------------------------------------- */

/* The header with another Content-Transfer-Encoding. */
static void put_header(struct message_convert *c, const char *encoding, struct sp_buf *out)
{
    struct sp_view rest = sp_buf_view(&c->header), field, name, value;
    while (message_mime_field(&rest, &field, &name, &value)) {
        if (encoding && sp_view_eq_nocase(name, SP_LIT("Content-Transfer-Encoding"))) {
            sp_buf_add(out, name);
            sp_buf_add_str(out, ": ");
            sp_buf_add_str(out, encoding);
            sp_buf_add(out, SP_LIT("\r\n"));
        } else {
            sp_buf_add(out, field);
        }
    }
}

static bool is_too_much(const struct message_convert *c, enum message_mime_encoding encoding)
{
    return encoding == MESSAGE_BINARY || (encoding == MESSAGE_8BIT && c->to == MESSAGE_TO_SEVEN_BIT);
}

static bool is_below_signed(const struct message_convert *c)
{
    for (size_t i = 0; i < c->depth; i++)
        if (c->levels[i].is_signed)
            return true;
    return false;
}

static void push(struct message_convert *c, const struct message_mime *m)
{
    if (m->boundary.len == 0 || m->boundary.len > BOUNDARY_MAX)
        refuse(c, "5.6.3", "the message cannot be converted: a multipart has no boundary");
    else if (c->depth == MESSAGE_CONVERT_DEPTH_MAX)
        refuse(c, "5.6.3", "the message cannot be converted: too many parts within parts");
    if (c->fault)
        return;
    struct level *l = &c->levels[c->depth++];
    *l = (struct level){.len = m->boundary.len, .is_signed = sp_view_eq_nocase(m->subtype, SP_LIT("signed"))};
    memcpy(l->boundary, m->boundary.p, m->boundary.len);
}

/* A header is complete: what becomes of what follows? */
static void end_header(struct message_convert *c, struct sp_buf *out)
{
    struct sp_view header = sp_buf_view(&c->header);
    struct message_mime m = message_mime_read(header);
    bool much = is_too_much(c, m.encoding), multipart = sp_view_eq_nocase(m.type, SP_LIT("multipart"));
    bool message = sp_view_eq_nocase(m.type, SP_LIT("message")) &&
                   sp_view_eq_nocase(m.subtype, SP_LIT("rfc822")) && m.encoding != MESSAGE_ENCODED;
    /* message/global and its relatives are lines of text, which may be encoded (RFC 6532 3.7, 6533 6). */
    bool global =
        sp_view_eq_nocase(m.type, SP_LIT("message")) && sp_view_starts_nocase(m.subtype, SP_LIT("global"));
    bool text = sp_view_eq_nocase(m.type, SP_LIT("text")) || m.type.len == 0 || global;
    const char *plain = c->to == MESSAGE_TO_SEVEN_BIT ? "7bit" : "8bit";
    if (has_eight_bit(header) && c->to == MESSAGE_TO_SEVEN_BIT)
        refuse(c, "5.6.3", "the message cannot be converted: a header has octets over 127");
    if (much && is_below_signed(c))
        refuse(c, "5.6.2", "the message may not be converted: its signature would break");
    c->mode = COPY;
    if (multipart)
        push(c, &m);
    if (much && !multipart && !message) {
        bool base64 = !text || m.encoding == MESSAGE_BINARY;
        message_encode_begin(&c->encode, base64);
        c->mode = ENCODE;
        plain = base64 ? "base64" : "quoted-printable";
    } else if (message) {
        c->mode = HEADER;
    }
    put_header(c, much ? plain : NULL, out);
    sp_buf_clear(&c->header);
}

/* --- lines ------------------------------------------------------------------------------------ */

static void put_line_end(struct message_convert *c, struct sp_buf *out)
{
    if (c->mode == ENCODE)
        message_encode_line_end(&c->encode, out);
    else
        sp_buf_add(out, SP_LIT("\r\n"));
    c->line_end_due = false;
}

/* Octets of a body's line. */
static void put_octets(struct message_convert *c, struct sp_view v, struct sp_buf *out)
{
    if (c->line_end_due)
        put_line_end(c, out);
    if (c->mode == ENCODE) {
        message_encode_octets(&c->encode, v, out);
        return;
    }
    if (c->to == MESSAGE_TO_SEVEN_BIT && has_eight_bit(v))
        refuse(c, "5.6.3",
               "the message cannot be converted: a part that does not say so has octets over 127");
    sp_buf_add(out, v);
}

static void end_part(struct message_convert *c, struct sp_buf *out)
{
    if (c->mode == ENCODE)
        message_encode_end(&c->encode, out);
    if (c->mode == HEADER && c->header.len > 0) { /* a part that is a header alone */
        put_header(c, NULL, out);
        sp_buf_clear(&c->header);
    }
    c->mode = COPY;
}

/* Is the line a boundary, of this multipart or of one around it? */
static bool is_boundary(struct message_convert *c, struct sp_view line, struct sp_buf *out)
{
    if (!sp_view_starts(line, SP_LIT("--")))
        return false;
    struct sp_view rest = sp_view_from(line, 2);
    for (size_t i = c->depth; i > 0; i--) {
        const struct level *l = &c->levels[i - 1];
        if (!sp_view_starts(rest, sp_view_make(l->boundary, l->len)))
            continue;
        struct sp_view behind = sp_view_from(rest, l->len);
        bool closes = sp_view_starts(behind, SP_LIT("--"));
        if (!closes && sp_view_trim(behind).len > 0)
            continue;
        end_part(c, out);
        if (c->line_end_due)
            put_line_end(c, out);
        sp_buf_add(out, line);
        c->depth = closes ? i - 1 : i;
        c->mode = closes ? COPY : HEADER;
        return true;
    }
    return false;
}

/* A line, or a piece of it; `whole` when it begins here and ends with `ended`. */
static void take_piece(struct message_convert *c, struct sp_view v, bool ended, struct sp_buf *out)
{
    bool whole = !c->line_begun;
    c->line_begun = !ended;
    if (whole && is_boundary(c, v, out)) {
        c->line_end_due = false;
        if (ended)
            sp_buf_add(out, SP_LIT("\r\n"));
        return;
    }
    if (c->mode == HEADER) {
        bool empty = whole && v.len == 0;
        if (empty && ended)
            end_header(c, out);
        else
            sp_buf_add(&c->header, v);
        if (empty && ended)
            sp_buf_add(out, SP_LIT("\r\n"));
        else if (ended)
            sp_buf_add(&c->header, SP_LIT("\r\n"));
        return;
    }
    if (v.len > 0 || c->line_end_due)
        put_octets(c, v, out);
    c->line_end_due = ended;
}

static void add_to_line(struct message_convert *c, struct sp_view v, struct sp_buf *out)
{
    while (v.len > 0) {
        struct sp_view some = sp_view_sub(v, 0, LINE_KEPT);
        sp_buf_add(&c->line, some);
        v = sp_view_from(v, some.len);
        if (c->line.len < LINE_KEPT)
            break;
        take_piece(c, sp_buf_view(&c->line), false, out);
        sp_buf_clear(&c->line);
    }
}

static int status_of(const struct message_convert *c, const struct sp_buf *out)
{
    if (c->header.failed == SP_ERR_LONG)
        return SP_ERR_SYNTAX;
    if (c->header.failed || c->line.failed)
        return SP_ERR_NOMEM;
    return c->fault ? SP_ERR_SYNTAX : sp_buf_status(out);
}

int message_convert_feed(struct message_convert *c, struct sp_view in, struct sp_buf *out)
{
    while (in.len > 0 && !c->fault) {
        size_t lf = sp_view_find(in, '\n', 0);
        bool before = lf == 0 ? c->after_cr : lf < in.len && in.p[lf - 1] == '\r';
        bool ends = lf < in.len && before;
        size_t n = lf < in.len ? lf + 1 : in.len;
        struct sp_view piece = sp_view_sub(in, 0, ends ? (lf == 0 ? 0 : lf - 1) : n);
        if (c->after_cr && !(ends && lf == 0))
            add_to_line(c, SP_LIT("\r"), out);
        bool cr = !ends && n > 0 && in.p[n - 1] == '\r';
        if (cr)
            piece.len--;
        c->after_cr = cr;
        in = sp_view_from(in, n);
        add_to_line(c, piece, out);
        if (ends) {
            take_piece(c, sp_buf_view(&c->line), true, out);
            sp_buf_clear(&c->line);
        }
    }
    if (c->header.failed == SP_ERR_LONG)
        refuse(c, "5.6.3", "the message cannot be converted: a header is too long");
    return status_of(c, out);
}

int message_convert_end(struct message_convert *c, struct sp_buf *out)
{
    if (c->after_cr)
        add_to_line(c, SP_LIT("\r"), out);
    if (c->line.len > 0)
        take_piece(c, sp_buf_view(&c->line), false, out);
    sp_buf_clear(&c->line);
    bool due = c->line_end_due, encoded = c->mode == ENCODE;
    if (due)
        put_line_end(c, out);
    end_part(c, out);
    if (due && encoded && c->encode.base64)
        sp_buf_add(out, SP_LIT("\r\n"));
    return status_of(c, out);
}
