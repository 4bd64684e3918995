/* What comes back of the message: its header, or all of it. */
#include "message/dsn_own.h"

#include "base/utf8.h"
#include "base/view.h"
#include "message/encode.h"

/* Up to and with the end of the last field's line; whole lines only. */
static struct sp_view header_of(struct sp_view content)
{
    struct sp_view head = sp_view_sub(content, 0, DSN_HEADER_MAX);
    size_t end = 0;
    for (;;) {
        size_t lf = sp_view_find(head, '\n', end);
        size_t len = lf - end;
        if (lf == head.len || len == 0 || (len == 1 && head.p[end] == '\r'))
            return sp_view_sub(head, 0, end);
        end = lf + 1;
    }
}

enum form { PLAIN, EIGHT_BIT, OTHER };

/* Lines that any server takes; that a server with 8BITMIME takes; what is no text in lines. */
static enum form form_of(struct sp_view text)
{
    enum form form = PLAIN;
    size_t line = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        bool bare = (c == '\n' && (i == 0 || text.p[i - 1] != '\r')) ||
                    (c == '\r' && (i + 1 == text.len || text.p[i + 1] != '\n'));
        line = c == '\n' ? 0 : line + 1;
        if (bare || line > DSN_LINE_MAX || c == 0)
            return OTHER;
        if (c >= 0x80)
            form = EIGHT_BIT;
        else if (c == 0x7f && form == PLAIN)
            form = EIGHT_BIT;
    }
    return form;
}

static void add_quoted_printable(struct sp_buf *out, struct sp_view text)
{
    struct message_encode e;
    message_encode_begin(&e, false);
    while (text.len) {
        size_t n = 0;
        while (n < text.len && !(text.p[n] == '\r' && n + 1 < text.len && text.p[n + 1] == '\n'))
            n++;
        message_encode_octets(&e, sp_view_sub(text, 0, n), out);
        if (n < text.len)
            message_encode_line_end(&e, out);
        text = sp_view_from(text, n < text.len ? n + 2 : n);
    }
    message_encode_end(&e, out);
}

static bool has_high(struct sp_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] >= 0x80)
            return true;
    return false;
}

/* A header in UTF-8 makes it a message/global, to whom it ever goes (RFC 6532 3.7). Octets that are no UTF-8
 * are of no charset that could be named. */
static bool is_global(const struct dsn_writing *w, struct sp_view header)
{
    return w->utf8 || (has_high(header) && sp_utf8_is(header));
}

/* 8bit wherever it may be (RFC 6532 3.7, 6533 6): a server without 8BITMIME is given it encoded, see
 * convert.h. */
static bool add_whole(const struct dsn_writing *w, bool global, enum form form)
{
    dsn_add_part(w, global          ? "Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n"
                    : form == PLAIN ? "Content-Type: message/rfc822\r\n"
                                    : "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n");
    sp_buf_add(w->out, w->d->content);
    return form != PLAIN;
}

static bool add_header(const struct dsn_writing *w, bool global, struct sp_view header)
{
    enum form form = form_of(header);
    if (global && form != OTHER) {
        dsn_add_part(w, "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n");
        sp_buf_add(w->out, header);
        return true;
    }
    dsn_add_part(
        w, form == PLAIN
               ? "Content-Type: text/rfc822-headers\r\n"
               : "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n");
    if (form == PLAIN)
        sp_buf_add(w->out, header);
    else
        add_quoted_printable(w->out, header);
    return false;
}

bool dsn_add_returned(const struct dsn_writing *w)
{
    struct sp_view header = header_of(w->d->content);
    enum form form = w->d->whole ? form_of(w->d->content) : OTHER;
    bool global = is_global(w, header);
    return form != OTHER ? add_whole(w, global, form) : add_header(w, global, header);
}
