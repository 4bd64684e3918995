/*
 * MAIL and RCPT with what the server offers of their parameters. Values that may hold anything go as xtext
 * (RFC 3461 4) or, in an address type utf-8, in its form for ASCII (RFC 6533 3).
 */
#include "smtp/client_session.h"

#include "base/view.h"
#include "smtp/grammar.h"

enum { PARAMETERS_MAX = 1000 };

bool smtp_client_is_parameters(struct sp_view v) { return v.len <= PARAMETERS_MAX && smtp_printable_is(v); }

bool smtp_client_is_chunked(const struct sp_client *s)
{
    const struct sp_client_mail *m = s->mail.mail;
    bool binary = m->parameters.body == SP_BODY_BINARYMIME && s->capabilities.binary;
    return s->capabilities.chunking && (binary || m->chunk > 0);
}

static bool is_xchar(uint8_t c) { return c > ' ' && c <= '~' && c != '+' && c != '='; }

static void add_xtext(struct sp_buf *b, struct sp_view v)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < v.len; i++) {
        if (is_xchar(v.p[i])) {
            sp_buf_add_u8(b, v.p[i]);
            continue;
        }
        sp_buf_add_u8(b, '+');
        sp_buf_add_u8(b, (uint8_t)digits[v.p[i] >> 4]);
        sp_buf_add_u8(b, (uint8_t)digits[v.p[i] & 15]);
    }
}

/* One character of UTF-8, which the caller has made sure of; returns its length. */
static size_t decode_one(struct sp_view v, uint32_t *point_out)
{
    uint8_t c = v.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t point = n == 1 ? c : n == 2 ? c & 0x1fu : n == 3 ? c & 0x0fu : c & 0x07u;
    for (size_t i = 1; i < n && i < v.len; i++)
        point = point << 6 | (v.p[i] & 0x3fu);
    *point_out = point;
    return n;
}

/* utf-8-addr-xtext: \x{HEX} for what is not plain ASCII. */
static void add_utf8_xtext(struct sp_buf *b, struct sp_view v)
{
    static const char digits[] = "0123456789ABCDEF";
    while (v.len > 0) {
        uint32_t point;
        size_t n = decode_one(v, &point);
        v = sp_view_from(v, n);
        if (point < 0x80 && is_xchar((uint8_t)point) && point != '\\') {
            sp_buf_add_u8(b, (uint8_t)point);
            continue;
        }
        unsigned shift = 20;
        sp_buf_add_str(b, "\\x{");
        while (shift > 4 && point >> shift == 0)
            shift -= 4;
        for (shift += 4; shift > 0; shift -= 4)
            sp_buf_add_u8(b, (uint8_t)digits[point >> (shift - 4) & 15]);
        sp_buf_add_u8(b, '}');
    }
}

static void add_number(struct sp_buf *b, const char *name, int64_t n)
{
    sp_buf_add_str(b, name);
    if (n < 0)
        sp_buf_add_u8(b, '-');
    sp_buf_add_dec(b, (uint64_t)(n < 0 ? -n : n));
}

/* --- MAIL ----------------------------------------------------------------------------------- */

static void add_body(struct sp_buf *b, const struct sp_client_mail *m, const struct sp_client_capabilities *c)
{
    if (m->parameters.body == SP_BODY_BINARYMIME && c->binary)
        sp_buf_add_str(b, " BODY=BINARYMIME");
    else if (c->eight_bit && (m->eight_bit || m->parameters.body != SP_BODY_7BIT))
        sp_buf_add_str(b, " BODY=8BITMIME");
}

static void add_dsn(struct sp_buf *b, const struct sp_mail_parameters *p)
{
    if (p->ret != SP_RET_UNSAID)
        sp_buf_add_str(b, p->ret == SP_RET_FULL ? " RET=FULL" : " RET=HDRS");
    if (p->envid.len > 0) {
        sp_buf_add_str(b, " ENVID=");
        add_xtext(b, p->envid);
    }
}

/* Whole seconds; a deadline that has passed is told as such where it may be (RFC 2852 4: negative with N). */
static void add_times(struct sp_buf *b, const struct sp_client_mail *m,
                      const struct sp_client_capabilities *c)
{
    const struct sp_mail_parameters *p = &m->parameters;
    if (p->by != SP_BY_UNSAID && c->deliver_by) {
        add_number(b, " BY=", (p->by_ms - m->wall_ms) / 1000);
        sp_buf_add_str(b, p->by == SP_BY_RETURN ? ";R" : ";N");
        if (p->by_trace)
            sp_buf_add_u8(b, 'T');
    }
    if (p->hold_until_ms > m->wall_ms && c->future_release)
        add_number(b, " HOLDFOR=", (p->hold_until_ms - m->wall_ms + 999) / 1000);
}

static void add_auth(struct sp_buf *b, struct sp_view auth)
{
    bool ascii = true;
    for (size_t i = 0; i < auth.len; i++)
        ascii = ascii && auth.p[i] < 0x80;
    sp_buf_add_str(b, " AUTH=");
    if (!ascii || sp_view_eq(auth, SP_LIT("<>")))
        sp_buf_add_str(b, "<>"); /* who it is cannot be said */
    else
        add_xtext(b, auth);
}

void smtp_client_say_mail(struct sp_client *s)
{
    const struct sp_client_mail *m = s->mail.mail;
    const struct sp_client_capabilities *c = &s->capabilities;
    struct sp_buf *b = &s->out.octets;
    sp_buf_add_str(b, "MAIL FROM:<");
    sp_buf_add(b, m->sender);
    sp_buf_add_u8(b, '>');
    if (c->size && m->size > 0) {
        sp_buf_add_str(b, " SIZE=");
        sp_buf_add_dec(b, m->size);
    }
    add_body(b, m, c);
    if (s->mail.utf8 && c->utf8)
        sp_buf_add_str(b, " SMTPUTF8");
    if (m->parameters.require_tls)
        sp_buf_add_str(b, " REQUIRETLS");
    if (c->dsn)
        add_dsn(b, &m->parameters);
    add_times(b, m, c);
    if (m->parameters.priority != 0 && c->priority)
        add_number(b, " MT-PRIORITY=", m->parameters.priority);
    if (m->parameters.auth.len > 0 && c->auth.len > 0)
        add_auth(b, m->parameters.auth);
    if (m->extra.len > 0) {
        sp_buf_add_u8(b, ' ');
        sp_buf_add(b, m->extra);
    }
    sp_buf_add(b, SP_LIT("\r\n"));
    s->mail.mail_sent = true;
    s->mails_n++;
}

/* --- RCPT ----------------------------------------------------------------------------------- */

static void add_notify(struct sp_buf *b, uint8_t notify)
{
    static const struct {
        uint8_t bit;
        const char *word;
    } words[] = {{SP_NOTIFY_SUCCESS, "SUCCESS"}, {SP_NOTIFY_FAILURE, "FAILURE"}, {SP_NOTIFY_DELAY, "DELAY"}};
    sp_buf_add_str(b, " NOTIFY=");
    if (notify & SP_NOTIFY_NEVER) {
        sp_buf_add_str(b, "NEVER");
        return;
    }
    bool first = true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!(notify & words[i].bit))
            continue;
        sp_buf_add_str(b, first ? "" : ",");
        sp_buf_add_str(b, words[i].word);
        first = false;
    }
}

static void add_orcpt(struct sp_buf *b, struct sp_view orcpt)
{
    size_t type = sp_view_find(orcpt, ';', 0);
    struct sp_view address = sp_view_from(orcpt, type + 1);
    sp_buf_add_str(b, " ORCPT=");
    sp_buf_add(b, sp_view_sub(orcpt, 0, type));
    sp_buf_add_u8(b, ';');
    if (sp_view_eq_nocase(sp_view_sub(orcpt, 0, type), SP_LIT("utf-8")))
        add_utf8_xtext(b, address);
    else
        add_xtext(b, address);
}

void smtp_client_say_rcpt(struct sp_client *s, size_t recipient)
{
    const struct sp_client_mail *m = s->mail.mail;
    struct sp_buf *b = &s->out.octets;
    sp_buf_add_str(b, "RCPT TO:<");
    sp_buf_add(b, m->recipients[recipient]);
    sp_buf_add_u8(b, '>');
    if (m->asked && s->capabilities.dsn) {
        const struct sp_rcpt_parameters *p = &m->asked[recipient];
        if (p->notify != 0)
            add_notify(b, p->notify);
        if (p->orcpt.len > 0)
            add_orcpt(b, p->orcpt);
    }
    if (m->extra_rcpt.len > 0) {
        sp_buf_add_u8(b, ' ');
        sp_buf_add(b, m->extra_rcpt);
    }
    sp_buf_add(b, SP_LIT("\r\n"));
}
