#include "message/dsn.h"

#include "base/time.h"
#include "base/view.h"

enum {
    FOLD_AT = 76,         /* columns of what we write                                 */
    LINE_MAX = 998,       /* RFC 5322 2.1.1                                           */
    HEADER_MAX = 32 << 10 /* of the message's header, so that a bounce stays small    */
};

/* --- text of strangers --------------------------------------------------------------------- */

static uint8_t printable(uint8_t c) { return c >= 0x20 && c < 0x7f ? c : '?'; }

/* At most half a line of it: nothing that was accepted is longer. */
static void add_printable(struct sp_buf *out, struct sp_view text)
{
    for (size_t i = 0; i < text.len && i < LINE_MAX / 2; i++)
        sp_buf_add_u8(out, printable(text.p[i]));
}

/* Text in lines, broken at spaces where it can be; `indent` begins each further line. */
static void add_folded(struct sp_buf *out, size_t column, const char *indent, struct sp_view text)
{
    struct sp_view word;
    for (bool first = true; sp_view_word(&text, ' ', &word); first = false) {
        if (!first && column + 1 + word.len > FOLD_AT) {
            sp_buf_add_str(out, "\r\n");
            sp_buf_add_str(out, indent);
            column = sp_view_of(indent).len;
        } else if (!first) {
            sp_buf_add_u8(out, ' ');
            column++;
        }
        add_printable(out, word);
        column += word.len < LINE_MAX / 2 ? word.len : LINE_MAX / 2;
    }
    sp_buf_add_str(out, "\r\n");
}

static void add_field(struct sp_buf *out, const char *name, const char *type, struct sp_view text)
{
    size_t start = out->len;
    sp_buf_add_str(out, name);
    sp_buf_add_str(out, ": ");
    sp_buf_add_str(out, type);
    add_folded(out, out->len - start, "    ", text);
}

static void add_date(struct sp_buf *out, const char *name, int64_t ms)
{
    sp_buf_add_str(out, name);
    sp_buf_add_str(out, ": ");
    sp_buf_add_rfc5322(out, ms);
    sp_buf_add_str(out, "\r\n");
}

/* --- header and text for people ------------------------------------------------------------ */

static void add_boundary(struct sp_buf *out, const struct message_dsn *d, const char *end)
{
    sp_buf_add_str(out, "=_sallyport_");
    sp_buf_add_str(out, d->id);
    sp_buf_add_str(out, end);
}

static void add_part(struct sp_buf *out, const struct message_dsn *d, const char *header)
{
    sp_buf_add_str(out, "\r\n--");
    add_boundary(out, d, "\r\n");
    sp_buf_add_str(out, header);
    sp_buf_add_str(out, "\r\n");
}

static void add_header(struct sp_buf *out, const struct message_dsn *d)
{
    sp_buf_add_str(out, "From: Mail Delivery System <MAILER-DAEMON@");
    sp_buf_add_str(out, d->hostname);
    sp_buf_add_str(out, ">\r\nTo: <");
    add_printable(out, d->sender);
    sp_buf_add_str(out, ">\r\nSubject: Undelivered mail returned to sender\r\n");
    add_date(out, "Date", d->now_ms);
    sp_buf_add_str(out, "Message-ID: <");
    sp_buf_add_str(out, d->id);
    sp_buf_add_u8(out, '@');
    sp_buf_add_str(out, d->hostname);
    sp_buf_add_str(out, ">\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
                        "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"");
    add_boundary(out, d, "\"\r\n\r\nThis is a report about a message, in MIME format.\r\n");
}

static void add_explanation(struct sp_buf *out, const struct message_dsn_recipient *r)
{
    sp_buf_add_str(out, "\r\n<");
    add_printable(out, r->address);
    sp_buf_add_str(out, ">\r\n");
    if (r->expired)
        sp_buf_add_str(
            out, "    It was tried again and again, and the time for that is over. The last answer:\r\n");
    sp_buf_add_str(out, "    ");
    if (r->code && r->remote.len) {
        add_printable(out, r->remote);
        sp_buf_add_str(out, " said:\r\n    ");
    }
    add_folded(out, 4, "    ", r->reply.len ? r->reply : SP_LIT("no reason was given"));
}

static void add_text(struct sp_buf *out, const struct message_dsn *d)
{
    add_part(out, d, "Content-Type: text/plain; charset=us-ascii\r\n");
    sp_buf_add_str(out, "This is the mail server ");
    sp_buf_add_str(out, d->hostname);
    sp_buf_add_str(out, ".\r\n\r\nYour message of ");
    sp_buf_add_rfc5322(out, d->received_ms);
    sp_buf_add_str(out, "\r\n(queue id ");
    sp_buf_add_str(out, d->failed_id);
    sp_buf_add_str(out, d->recipient_n == 1 ? ") could not be delivered to this recipient:\r\n"
                                            : ") could not be delivered to these recipients:\r\n");
    for (size_t i = 0; i < d->recipient_n; i++)
        add_explanation(out, &d->recipients[i]);
    sp_buf_add_str(out, "\r\nIt will not be tried again. The header of the message is attached.\r\n");
}

/* --- the part for programs ----------------------------------------------------------------- */

/* class.subject.detail of RFC 3463 2, of class 4 or 5. */
static bool is_status(struct sp_view v)
{
    size_t dots = 0, digits = 0;
    if (v.len < 5 || (v.p[0] != '4' && v.p[0] != '5') || v.p[1] != '.')
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] == '.' && digits > 0) {
            dots++;
            digits = 0;
        } else if (!sp_ascii_digit(v.p[i]) || ++digits > 3) {
            return false;
        }
    }
    return dots == 2 && digits > 0;
}

static struct sp_view status_of(const struct message_dsn_recipient *r)
{
    if (r->expired)
        return SP_LIT("4.4.7");
    return is_status(r->enhanced) ? r->enhanced : SP_LIT("5.0.0");
}

static void add_recipient(struct sp_buf *out, const struct message_dsn_recipient *r)
{
    sp_buf_add_str(out, "\r\n");
    add_field(out, "Final-Recipient", "rfc822; ", r->address);
    sp_buf_add_str(out, "Action: failed\r\n");
    add_field(out, "Status", "", status_of(r));
    struct sp_view rest = r->remote, host;
    if (r->code && sp_view_word(&rest, ' ', &host))
        add_field(out, "Remote-MTA", "dns; ", host);
    if (r->reply.len)
        add_field(out, "Diagnostic-Code", r->code ? "smtp; " : "x-sallyport; ", r->reply);
    if (r->last_ms)
        add_date(out, "Last-Attempt-Date", r->last_ms);
}

static void add_status(struct sp_buf *out, const struct message_dsn *d)
{
    add_part(out, d, "Content-Type: message/delivery-status\r\n");
    add_field(out, "Reporting-MTA", "dns; ", sp_view_of(d->hostname));
    add_field(out, "X-Sallyport-Queue-ID", "", sp_view_of(d->failed_id));
    add_date(out, "Arrival-Date", d->received_ms);
    for (size_t i = 0; i < d->recipient_n; i++)
        add_recipient(out, &d->recipients[i]);
}

/* --- the message's header ------------------------------------------------------------------ */

/* Up to and with the end of the last field's line; whole lines only. */
static struct sp_view header_of(struct sp_view content)
{
    struct sp_view head = sp_view_sub(content, 0, HEADER_MAX);
    size_t end = 0;
    for (;;) {
        size_t lf = sp_view_find(head, '\n', end);
        size_t len = lf - end;
        if (lf == head.len || len == 0 || (len == 1 && head.p[end] == '\r'))
            return sp_view_sub(head, 0, end);
        end = lf + 1;
    }
}

static bool is_plain(struct sp_view text)
{
    size_t line = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        bool bare = (c == '\n' && (i == 0 || text.p[i - 1] != '\r')) ||
                    (c == '\r' && (i + 1 == text.len || text.p[i + 1] != '\n'));
        line = c == '\n' ? 0 : line + 1;
        if (bare || line > LINE_MAX || c >= 0x7f || c == 0)
            return false;
    }
    return true;
}

/* RFC 2045 6.7, with CRLF kept as line ends. */
static void add_quoted_printable(struct sp_buf *out, struct sp_view text)
{
    size_t column = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        bool at_end = i + 1 == text.len || text.p[i + 1] == '\r' || text.p[i + 1] == '\n';
        if ((c == '\r' && i + 1 < text.len && text.p[i + 1] == '\n') ||
            (c == '\n' && i && text.p[i - 1] == '\r')) {
            sp_buf_add_u8(out, c);
            column = 0;
            continue;
        }
        if (column > FOLD_AT - 4) {
            sp_buf_add_str(out, "=\r\n");
            column = 0;
        }
        if (c > 0x20 && c < 0x7f && c != '=') {
            sp_buf_add_u8(out, c);
            column++;
        } else if ((c == ' ' || c == '\t') && !at_end) {
            sp_buf_add_u8(out, c);
            column++;
        } else {
            static const char hex[] = "0123456789ABCDEF";
            sp_buf_add_u8(out, '=');
            sp_buf_add_u8(out, (uint8_t)hex[c >> 4]);
            sp_buf_add_u8(out, (uint8_t)hex[c & 15]);
            column += 3;
        }
    }
}

int message_add_dsn(struct sp_buf *out, const struct message_dsn *d)
{
    struct sp_view header = header_of(d->content);
    bool plain = is_plain(header);
    add_header(out, d);
    add_text(out, d);
    add_status(out, d);
    add_part(out, d,
             plain ? "Content-Type: text/rfc822-headers\r\n"
                   : "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n");
    if (plain)
        sp_buf_add(out, header);
    else
        add_quoted_printable(out, header);
    sp_buf_add_str(out, "\r\n--");
    add_boundary(out, d, "--\r\n");
    return sp_buf_status(out);
}
