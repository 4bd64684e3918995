/*
 * RFC 8460 3 wants commas, semicolons and exclamation marks of an endpoint written as %XX, so the record is
 * cut at the first two without looking at what stands between. `v` and `rua` are in lower case alone (%s in
 * the grammar).
 */
#include "message/tlsrpt.h"

#include "base/time.h"
#include "base/view.h"

#define VERSION "v=TLSRPTv1"

/* --- the record ------------------------------------------------------------------------------ */

bool message_tlsrpt_is_record(struct sp_view text)
{
    struct sp_view rest = sp_view_from(text, sizeof VERSION - 1);
    return sp_view_starts(text, SP_LIT(VERSION)) && rest.len > 0 &&
           (rest.p[0] == ';' || rest.p[0] == ' ' || rest.p[0] == '\t');
}

static bool is_name(struct sp_view v)
{
    enum { NAME_MAX_LEN = 32 };
    for (size_t i = 0; i < v.len; i++) {
        bool word = sp_ascii_alpha(v.p[i]) || sp_ascii_digit(v.p[i]);
        if (!word && (i == 0 || (v.p[i] != '_' && v.p[i] != '-' && v.p[i] != '.')))
            return false;
    }
    return v.len > 0 && v.len <= NAME_MAX_LEN;
}

/* Visible ASCII; blanks are for rua alone, between its endpoints. */
static bool is_value(struct sp_view v, bool blanks)
{
    for (size_t i = 0; i < v.len; i++)
        if ((v.p[i] < 0x21 || v.p[i] > 0x7e) && !(blanks && (v.p[i] == ' ' || v.p[i] == '\t')))
            return false;
    return v.len > 0;
}

static bool is_list_of_uris(struct sp_view list)
{
    for (size_t at = 0; at <= list.len;) {
        size_t end = sp_view_find(list, ',', at);
        struct sp_view one = sp_view_trim(sp_view_sub(list, at, end - at));
        size_t colon = sp_view_find(one, ':', 0);
        if (!is_value(one, false) || colon == 0 || colon == one.len || !sp_ascii_alpha(one.p[0]))
            return false;
        at = end + 1;
    }
    return true;
}

int message_tlsrpt_read(struct sp_view text, struct sp_view *rua_out)
{
    struct sp_view rua = {0}, rest = sp_view_trim(text);
    if (text.len > MESSAGE_TLSRPT_RECORD_MAX || !message_tlsrpt_is_record(text))
        return SP_ERR_SYNTAX;
    rest = sp_view_trim(sp_view_from(rest, sizeof VERSION - 1));
    while (rest.len > 0) {
        /* At a semicolon, and nothing need stand behind the last. */
        if (rest.p[0] != ';')
            return SP_ERR_SYNTAX;
        rest = sp_view_trim(sp_view_from(rest, 1));
        if (rest.len == 0)
            break;
        size_t end = sp_view_find(rest, ';', 0);
        struct sp_view field = sp_view_trim(sp_view_sub(rest, 0, end));
        size_t equals = sp_view_find(field, '=', 0);
        struct sp_view name = sp_view_sub(field, 0, equals), value = sp_view_from(field, equals + 1);
        bool is_rua = sp_view_eq(name, SP_LIT("rua"));
        if (equals == field.len || !is_name(name) || !is_value(value, is_rua) ||
            (is_rua && !is_list_of_uris(value)))
            return SP_ERR_SYNTAX;
        if (is_rua && rua.len == 0)
            rua = sp_view_from(text, (size_t)(value.p - text.p));
        rest = sp_view_from(rest, end);
    }
    if (rua.len == 0)
        return SP_ERR_SYNTAX;
    *rua_out = rua;
    return SP_OK;
}

/* --- endpoints ------------------------------------------------------------------------------- */

static int hex_digit(uint8_t c)
{
    return sp_ascii_digit(c)                                      ? c - '0'
           : sp_ascii_lower(c) >= 'a' && sp_ascii_lower(c) <= 'f' ? sp_ascii_lower(c) - 'a' + 10
                                                                  : -1;
}

static bool is_atom(uint8_t c)
{
    return sp_ascii_alpha(c) || sp_ascii_digit(c) || (c != 0 && memchr("!#$%&'*+-/=?^_`{|}~", c, 19));
}

/* Atoms with dots between them; labels of a host name have only letters, digits and hyphens. */
static bool is_dotted(struct sp_view v, bool domain)
{
    bool dot = true;
    for (size_t i = 0; i < v.len; i++) {
        bool label = sp_ascii_alpha(v.p[i]) || sp_ascii_digit(v.p[i]) || v.p[i] == '-';
        if (v.p[i] == '.' ? dot : domain ? !label : !is_atom(v.p[i]))
            return false;
        dot = v.p[i] == '.';
    }
    return !dot;
}

/* RFC 6068: the address behind "mailto:", without the header fields that may stand behind '?'. */
static bool take_address(struct sp_view uri, struct message_tlsrpt_place *place)
{
    struct sp_view text = sp_view_sub(uri, 0, sp_view_find(uri, '?', 0));
    size_t n = 0, at = 0;
    for (size_t i = 0; i < text.len; i++) {
        int c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.p[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = high << 4 | low;
            i += 2;
        }
        if (n == MESSAGE_TLSRPT_ADDRESS_MAX)
            return false;
        place->address[n++] = (uint8_t)c;
    }
    struct sp_view address = sp_view_make(place->address, n);
    at = sp_view_find(address, '@', 0);
    if (!is_dotted(sp_view_sub(address, 0, at), false) || !is_dotted(sp_view_from(address, at + 1), true))
        return false;
    place->address_len = n;
    return true;
}

/* Behind this field, to the value of the next rua. */
static void skip_to_rua(struct sp_view *rest)
{
    struct sp_view rua = SP_LIT("rua=");
    *rest = sp_view_from(*rest, sp_view_find(*rest, ';', 0));
    while (rest->len > 0) {
        *rest = sp_view_trim(sp_view_from(*rest, 1));
        if (sp_view_starts(*rest, rua)) {
            *rest = sp_view_from(*rest, rua.len);
            return;
        }
        *rest = sp_view_from(*rest, sp_view_find(*rest, ';', 0));
    }
}

bool message_tlsrpt_next(struct sp_view *rua, struct message_tlsrpt_place *place_out)
{
    struct sp_view one, mailto = SP_LIT("mailto:"), https = SP_LIT("https://");
    size_t comma = sp_view_find(*rua, ',', 0), end = sp_view_find(*rua, ';', 0);
    if (rua->len == 0)
        return false;
    one = sp_view_trim(sp_view_sub(*rua, 0, comma < end ? comma : end));
    if (comma < end)
        *rua = sp_view_from(*rua, comma + 1);
    else
        skip_to_rua(rua);
    place_out->uri = one;
    place_out->address_len = 0;
    place_out->kind = MESSAGE_TLSRPT_UNUSABLE;
    if (sp_view_starts_nocase(one, mailto) && take_address(sp_view_from(one, mailto.len), place_out))
        place_out->kind = MESSAGE_TLSRPT_MAILTO;
    else if (sp_view_starts_nocase(one, https) && one.len > https.len)
        place_out->kind = MESSAGE_TLSRPT_HTTPS;
    return true;
}

/* --- the mail -------------------------------------------------------------------------------- */

static void add(struct sp_buf *out, const char *text) { (void)sp_buf_add_str(out, text); /* sticks */ }

int message_tlsrpt_file_name(struct sp_buf *out, struct sp_view submitter, struct sp_view domain,
                             int64_t begin_ms, int64_t end_ms, const char *unique)
{
    sp_buf_add(out, submitter);
    sp_buf_add_u8(out, '!');
    sp_buf_add(out, domain);
    sp_buf_add_u8(out, '!');
    sp_buf_add_dec(out, (uint64_t)begin_ms / 1000);
    sp_buf_add_u8(out, '!');
    sp_buf_add_dec(out, (uint64_t)end_ms / 1000);
    sp_buf_add_u8(out, '!');
    add(out, unique);
    add(out, ".json.gz");
    return sp_buf_status(out);
}

static void add_boundary(struct sp_buf *out, const struct message_tlsrpt_mail *m, const char *end)
{
    add(out, "=_sallyport_");
    add(out, m->id);
    add(out, end);
}

static void add_header(struct sp_buf *out, const struct message_tlsrpt_mail *m)
{
    add(out, "From: <");
    sp_buf_add(out, m->from);
    add(out, ">\r\nTo: ");
    for (size_t i = 0; i < m->to.len; i++) {
        sp_buf_add_u8(out, m->to.p[i]);
        if (m->to.p[i] == ',')
            add(out, "\r\n\t"); /* in front of the blank: a line holds one address */
    }
    add(out, "\r\nSubject: Report Domain: ");
    sp_buf_add(out, m->domain);
    add(out, "\r\n\tSubmitter: ");
    sp_buf_add(out, m->submitter);
    add(out, "\r\n\tReport-ID: <");
    sp_buf_add(out, m->report_id);
    add(out, ">\r\nDate: ");
    sp_buf_add_rfc5322(out, m->now_ms);
    add(out, "\r\nMessage-ID: <");
    add(out, m->id);
    sp_buf_add_u8(out, '@');
    add(out, m->hostname);
    add(out, ">\r\nTLS-Report-Domain: ");
    sp_buf_add(out, m->domain);
    add(out, "\r\nTLS-Report-Submitter: ");
    sp_buf_add(out, m->submitter);
    add(out, "\r\nTLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
             "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n\tboundary=\"");
    add_boundary(out, m, "\"\r\n\r\nThis is a report about TLS, in MIME format.\r\n");
}

static void add_text(struct sp_buf *out, const struct message_tlsrpt_mail *m)
{
    add(out, "\r\n--");
    add_boundary(out, m, "\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n");
    add(out, "This is the mail server ");
    add(out, m->hostname);
    add(out,
        ".\r\n\r\nThe attached report says how TLS went on the connections over which it sent\r\nmail to ");
    sp_buf_add(out, m->domain);
    add(out, "\r\nfrom ");
    sp_buf_add_rfc3339(out, m->begin_ms, false);
    add(out, " to ");
    sp_buf_add_rfc3339(out, m->end_ms, false);
    add(out, ":\r\n\r\n    sessions with TLS as it should be: ");
    sp_buf_add_dec(out, m->good_n);
    add(out, "\r\n    sessions where it failed:          ");
    sp_buf_add_dec(out, m->bad_n);
    add(out, "\r\n\r\nIt is sent because the DNS asks for it (RFC 8460), at _smtp._tls.");
    sp_buf_add(out, m->domain);
    add(out, "\r\n");
}

static void add_report(struct sp_buf *out, const struct message_tlsrpt_mail *m)
{
    enum { LINE_OCTETS = 57 }; /* 76 characters (RFC 2045 6.8) */
    add(out, "\r\n--");
    add_boundary(out, m,
                 "\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n");
    add(out, "Content-Disposition: attachment;\r\n\tfilename=\"");
    sp_buf_add(out, m->file_name);
    add(out, "\"\r\n\r\n");
    for (size_t at = 0; at < m->report.len; at += LINE_OCTETS) {
        sp_buf_add_base64(out, sp_view_sub(m->report, at, LINE_OCTETS));
        add(out, "\r\n");
    }
    add(out, "\r\n--");
    add_boundary(out, m, "--\r\n");
}

int message_add_tlsrpt(struct sp_buf *out, const struct message_tlsrpt_mail *m)
{
    add_header(out, m);
    add_text(out, m);
    add_report(out, m);
    return sp_buf_status(out);
}
