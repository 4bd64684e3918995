/* The parameters of MAIL and RCPT. What is decoded lives in s->xtext until the next feed. */
#include "base/time.h"
#include "base/utf8.h"
#include "smtp/server.h"

enum { ENVID_MAX = 100, ORCPT_MAX = 500 };

static enum smtp_reply_id wrong_value(struct sp_server *s, const struct smtp_parameter *p,
                                      struct sp_view what)
{
    return smtp_server_complain(s, p->at, what, R_BAD_PARAMETER);
}

static int64_t wall_of(const struct sp_server *s) { return s->wall_base_ms + (int64_t)s->now_ms; }

/* --- MAIL --------------------------------------------------------------------------------- */

/* size-value = 1*20DIGIT ; RFC 1870 3 */
static enum smtp_reply_id take_size(struct sp_server *s, const struct smtp_parameter *p)
{
    uint64_t size = 0;
    int status = p->value.len > 20 ? SP_ERR_SYNTAX : sp_view_u64(p->value, UINT64_MAX, &size);
    if (status == SP_ERR_SYNTAX)
        return wrong_value(s, p, SP_LIT("SIZE= is a number of octets, 1 to 20 digits"));
    if (status == SP_ERR_RANGE || size > s->options.max_message_octets)
        return R_TOO_BIG;
    s->question.as.mail.size = size;
    return R_NONE;
}

/* body-value = "7BIT" / "8BITMIME" / "BINARYMIME" ; RFC 6152 2, 3030 3 */
static enum smtp_reply_id take_body(struct sp_server *s, const struct smtp_parameter *p)
{
    static const struct sp_view words[] = {SP_LIT_INIT("7BIT"), SP_LIT_INIT("8BITMIME"),
                                           SP_LIT_INIT("BINARYMIME")};
    bool binary = smtp_server_offers(s, SP_EXT_BINARYMIME);
    for (uint8_t i = 0; i <= (binary ? SP_BODY_BINARYMIME : SP_BODY_8BITMIME); i++)
        if (sp_view_eq_nocase(p->value, words[i])) {
            s->question.as.mail.parameters.body = i;
            return R_NONE;
        }
    return wrong_value(
        s, p, binary ? SP_LIT("BODY= is 7BIT, 8BITMIME or BINARYMIME") : SP_LIT("BODY= is 7BIT or 8BITMIME"));
}

/* "AUTH=" xtext of a mailbox, or "<>" ; RFC 4954 5 */
static enum smtp_reply_id take_auth(struct sp_server *s, const struct smtp_parameter *p)
{
    struct sp_path mailbox;
    struct smtp_fault fault;
    size_t len = 0;
    if (sp_view_eq(p->value, SP_LIT("<>"))) {
        s->question.as.mail.parameters.auth = p->value;
        return R_NONE;
    }
    uint8_t *room = s->xtext.p + s->xtext.len;
    int status = smtp_xtext_decode(p->value, room, &len);
    struct sp_view text = {room, len};
    bool utf8 = smtp_server_offers(s, SP_EXT_SMTPUTF8);
    if (status != SP_OK || smtp_mailbox_parse(text, utf8, &mailbox, &fault) != SP_OK)
        return wrong_value(s, p, SP_LIT("AUTH= is <> or a mailbox in xtext"));
    s->xtext.len += len;
    s->question.as.mail.parameters.auth = text;
    return R_NONE;
}

/* RFC 6531 3.4 */
static enum smtp_reply_id take_utf8(struct sp_server *s, const struct smtp_parameter *p)
{
    (void)p;
    s->question.as.mail.parameters.utf8 = true;
    return R_NONE;
}

/* ret-value = "FULL" / "HDRS" ; RFC 3461 4.3 */
static enum smtp_reply_id take_ret(struct sp_server *s, const struct smtp_parameter *p)
{
    bool full = sp_view_eq_nocase(p->value, SP_LIT("FULL"));
    if (!full && !sp_view_eq_nocase(p->value, SP_LIT("HDRS")))
        return wrong_value(s, p, SP_LIT("RET= is FULL or HDRS"));
    s->question.as.mail.parameters.ret = full ? SP_RET_FULL : SP_RET_HDRS;
    return R_NONE;
}

/* ENVID=xtext, at most 100 octets ; RFC 3461 4.4 */
static enum smtp_reply_id take_envid(struct sp_server *s, const struct smtp_parameter *p)
{
    size_t len = 0;
    uint8_t *room = s->xtext.p + s->xtext.len;
    int status = p->value.len > ENVID_MAX ? SP_ERR_LONG : smtp_xtext_decode(p->value, room, &len);
    struct sp_view text = {room, len};
    if (status != SP_OK || !smtp_printable_is(text))
        return wrong_value(s, p, SP_LIT("ENVID= is at most 100 octets of xtext, printable when decoded"));
    s->xtext.len += len;
    s->question.as.mail.parameters.envid = text;
    return R_NONE;
}

/* RFC 8689 3 */
static enum smtp_reply_id take_require_tls(struct sp_server *s, const struct smtp_parameter *p)
{
    (void)p;
    s->question.as.mail.parameters.require_tls = true;
    return s->tls ? R_NONE : R_REQUIRETLS_IN_CLEAR;
}

/*
 * by-value = by-time ";" by-mode [by-trace] ; RFC 2852 4
 * by-time  = ["-" / "+"] 1*9DIGIT
 * by-mode  = "N" / "R"
 * by-trace = "T"
 */
static enum smtp_reply_id take_by(struct sp_server *s, const struct smtp_parameter *p)
{
    struct sp_mail_parameters *m = &s->question.as.mail.parameters;
    size_t semicolon = sp_view_find(p->value, ';', 0);
    struct sp_view time = sp_view_sub(p->value, 0, semicolon), mode = sp_view_from(p->value, semicolon + 1);
    bool minus = sp_view_starts(time, SP_LIT("-"));
    if (minus || sp_view_starts(time, SP_LIT("+")))
        time = sp_view_from(time, 1);
    bool trace = mode.len == 2 && sp_ascii_upper(mode.p[1]) == 'T';
    uint8_t letter = mode.len == 1 || trace ? sp_ascii_upper(mode.p[0]) : 0;
    uint64_t seconds = 0;
    if (!smtp_number_is(time, 9) || sp_view_u64(time, UINT64_MAX, &seconds) != SP_OK ||
        (letter != 'N' && letter != 'R'))
        return wrong_value(s, p, SP_LIT("BY= is seconds;N or seconds;R, and T behind it for a trace"));
    if (letter == 'R' && (minus || seconds == 0))
        return wrong_value(s, p, SP_LIT("with R the time is at least one second"));
    m->by = letter == 'R' ? SP_BY_RETURN : SP_BY_NOTIFY;
    m->by_trace = trace;
    m->by_ms = wall_of(s) + (int64_t)seconds * (minus ? -1000 : 1000);
    return R_NONE;
}

static enum smtp_reply_id hold_until(struct sp_server *s, const struct smtp_parameter *p, int64_t until_ms)
{
    int64_t now_ms = wall_of(s);
    if (s->question.as.mail.parameters.hold_until_ms)
        return wrong_value(s, p, SP_LIT("HOLDFOR= or HOLDUNTIL=, not both"));
    if (until_ms <= now_ms)
        return wrong_value(s, p, SP_LIT("that time is over"));
    if (until_ms - now_ms > (int64_t)s->options.max_hold_s * 1000)
        return wrong_value(s, p, SP_LIT("that is later than EHLO says behind FUTURERELEASE"));
    s->question.as.mail.parameters.hold_until_ms = until_ms;
    return R_NONE;
}

/* future-release-integer = 1*9DIGIT ; RFC 4865 4 */
static enum smtp_reply_id take_hold_for(struct sp_server *s, const struct smtp_parameter *p)
{
    uint64_t seconds = 0;
    if (!smtp_number_is(p->value, 9) || sp_view_u64(p->value, UINT64_MAX, &seconds) != SP_OK)
        return wrong_value(s, p, SP_LIT("HOLDFOR= is a number of seconds, 1 to 9 digits"));
    return hold_until(s, p, wall_of(s) + (int64_t)seconds * 1000);
}

/* future-release-date-time = date-time of RFC 3339 ; RFC 4865 4 */
static enum smtp_reply_id take_hold_until(struct sp_server *s, const struct smtp_parameter *p)
{
    int64_t until_ms;
    if (sp_rfc3339_parse(p->value, &until_ms) != SP_OK)
        return wrong_value(s, p, SP_LIT("HOLDUNTIL= is a time as 2026-11-24T05:04:50Z"));
    return hold_until(s, p, until_ms);
}

/* priority-value = (["-"] NZDIGIT) / "0" ; RFC 6710 4.1 */
static enum smtp_reply_id take_priority(struct sp_server *s, const struct smtp_parameter *p)
{
    struct sp_view digit = p->value;
    bool minus = sp_view_starts(digit, SP_LIT("-"));
    if (minus)
        digit = sp_view_from(digit, 1);
    if (!smtp_number_is(digit, 1) || (minus && digit.p[0] == '0'))
        return wrong_value(s, p, SP_LIT("MT-PRIORITY= is a number from -9 to 9"));
    int n = digit.p[0] - '0';
    s->question.as.mail.parameters.priority = (int8_t)(minus ? -n : n);
    return R_NONE;
}

/* --- RCPT --------------------------------------------------------------------------------- */

/*
 * notify-esmtp-value  = "NEVER" / 1#notify-list-element ; RFC 3461 4.1
 * notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"
 */
static enum smtp_reply_id take_notify(struct sp_server *s, const struct smtp_parameter *p)
{
    static const struct {
        struct sp_view word;
        uint8_t bit;
    } words[] = {{SP_LIT_INIT("NEVER"), SP_NOTIFY_NEVER},
                 {SP_LIT_INIT("SUCCESS"), SP_NOTIFY_SUCCESS},
                 {SP_LIT_INIT("FAILURE"), SP_NOTIFY_FAILURE},
                 {SP_LIT_INIT("DELAY"), SP_NOTIFY_DELAY}};
    uint8_t set = 0;
    for (size_t at = 0; at <= p->value.len;) {
        size_t comma = sp_view_find(p->value, ',', at);
        struct sp_view word = sp_view_sub(p->value, at, comma - at);
        uint8_t bit = 0;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            bit |= sp_view_eq_nocase(word, words[i].word) ? words[i].bit : 0;
        if (bit == 0 || (set & bit) || ((set | bit) & SP_NOTIFY_NEVER && (set | bit) != SP_NOTIFY_NEVER))
            return wrong_value(s, p,
                               SP_LIT("NOTIFY= is NEVER, or a list of SUCCESS, FAILURE, DELAY, each once"));
        set |= bit;
        at = comma + 1;
    }
    s->question.as.rcpt.parameters.notify = set;
    return R_NONE;
}

static bool is_address_type(struct sp_view type)
{
    for (size_t i = 0; i < type.len; i++)
        if (!sp_ascii_alpha(type.p[i]) && !sp_ascii_digit(type.p[i]) && type.p[i] != '-')
            return false;
    return type.len > 0;
}

/*
 * ORCPT= original-recipient-address = addr-type ";" xtext, at most 500 octets ; RFC 3461 4.2
 * The xtext of the type utf-8 has its own form, and may be UTF-8 in a mail with SMTPUTF8 ; RFC 6533 3
 * Postfix writes an address in UTF-8 as the type rfc822: in a mail with SMTPUTF8 it is taken for what it is.
 */
static enum smtp_reply_id take_orcpt(struct sp_server *s, const struct smtp_parameter *p)
{
    size_t semicolon = sp_view_find(p->value, ';', 0), len = 0;
    struct sp_view type = sp_view_sub(p->value, 0, semicolon),
                   address = sp_view_from(p->value, semicolon + 1);
    bool utf8 = sp_view_eq_nocase(type, SP_LIT("utf-8"));
    uint8_t *room = s->xtext.p + s->xtext.len;
    bool good = p->value.len <= ORCPT_MAX && is_address_type(type) && address.len > 0 &&
                (s->utf8 || smtp_ascii_is(address));
    if (good) {
        memcpy(room, type.p, type.len);
        room[type.len] = ';';
        good = (utf8 ? smtp_utf8_xtext_decode(address, room + type.len + 1, &len)
                     : smtp_xtext_decode(address, room + type.len + 1, &len)) == SP_OK;
    }
    if (good && s->utf8 && sp_view_eq_nocase(type, SP_LIT("rfc822")) &&
        !smtp_ascii_is((struct sp_view){room + type.len + 1, len})) {
        utf8 = true;
        type = SP_LIT("utf-8"); /* an octet shorter */
        memmove(room + type.len + 1, room + type.len + 2, len);
        memcpy(room, "utf-8;", type.len + 1);
    }
    struct sp_view text = {room, type.len + 1 + len};
    if (!good || !(utf8 ? sp_utf8_is_text(text) : smtp_printable_is(text)))
        return wrong_value(
            s, p,
            SP_LIT("ORCPT= is rfc822;address, or utf-8;address, the address in xtext, at most 500 octets"));
    s->xtext.len += text.len;
    s->question.as.rcpt.parameters.orcpt = text;
    return R_NONE;
}

/* --- all ---------------------------------------------------------------------------------- */

static const struct known {
    struct sp_view keyword;
    enum smtp_reply_id (*take)(struct sp_server *s, const struct smtp_parameter *p);
    bool has_value, decodes;
    uint8_t verb;   /* that must be offered with it, or 0   */
    uint16_t offer; /* enum sp_server_extension, or 0       */
} of_mail[] =
    {
        {SP_LIT_INIT("SIZE"), take_size, true, false, 0, 0},
        {SP_LIT_INIT("BODY"), take_body, true, false, 0, 0},
        {SP_LIT_INIT("AUTH"), take_auth, true, true, IN_AUTH, 0},
        {SP_LIT_INIT("SMTPUTF8"), take_utf8, false, false, 0, SP_EXT_SMTPUTF8},
        {SP_LIT_INIT("RET"), take_ret, true, false, 0, SP_EXT_DSN},
        {SP_LIT_INIT("ENVID"), take_envid, true, true, 0, SP_EXT_DSN},
        {SP_LIT_INIT("REQUIRETLS"), take_require_tls, false, false, 0, SP_EXT_REQUIRETLS},
        {SP_LIT_INIT("BY"), take_by, true, false, 0, SP_EXT_DELIVERBY},
        {SP_LIT_INIT("HOLDFOR"), take_hold_for, true, false, 0, SP_EXT_FUTURERELEASE},
        {SP_LIT_INIT("HOLDUNTIL"), take_hold_until, true, false, 0, SP_EXT_FUTURERELEASE},
        {SP_LIT_INIT("MT-PRIORITY"), take_priority, true, false, 0, SP_EXT_MT_PRIORITY},
},
  of_rcpt[] = {
      {SP_LIT_INIT("NOTIFY"), take_notify, true, false, 0, SP_EXT_DSN},
      {SP_LIT_INIT("ORCPT"), take_orcpt, true, true, 0, SP_EXT_DSN},
};

/* REQUIRETLS in clear is told from what is not known at all. */
static bool is_known(const struct sp_server *s, const struct known *k)
{
    bool offered = k->offer == 0 || smtp_server_offers(s, k->offer) ||
                   (k->offer == SP_EXT_REQUIRETLS && (s->options.extensions & SP_EXT_REQUIRETLS));
    return offered && (k->verb == 0 || (smtp_server_met(s, k->verb) & NEED_OFFERED));
}

uint8_t *smtp_server_decode_room(struct sp_server *s, size_t line)
{
    if (sp_buf_reserve(&s->xtext, s->xtext.cap ? 0 : line + 1) != SP_OK) {
        s->dead = SP_ERR_NOMEM;
        return NULL;
    }
    return s->xtext.p + s->xtext.len;
}

static enum smtp_reply_id take_one(struct sp_server *s, const struct smtp_parameter *p, size_t line,
                                   const struct known *known, size_t known_n, unsigned *seen)
{
    for (unsigned i = 0; i < known_n; i++) {
        const struct known *k = &known[i];
        if (!sp_view_eq_nocase(k->keyword, p->keyword) || !is_known(s, k))
            continue;
        if (*seen & 1u << i)
            return smtp_server_complain(s, p->at, SP_LIT("each parameter stands once"),
                                        R_DUPLICATE_PARAMETER);
        *seen |= 1u << i;
        if (p->has_value != k->has_value)
            return wrong_value(
                s, p, k->has_value ? SP_LIT("it takes a value, KEYWORD=value") : SP_LIT("it takes no value"));
        if (k->decodes && !smtp_server_decode_room(s, line))
            return R_NONE;
        return k->take(s, p);
    }
    return smtp_server_complain(s, p->at, SP_LIT("EHLO lists the extensions, and with them the parameters"),
                                R_UNKNOWN_PARAMETER);
}

static enum smtp_reply_id take_all(struct sp_server *s, struct sp_view line, size_t at,
                                   const struct known *known, size_t known_n)
{
    struct smtp_parameter p;
    unsigned seen = 0;
    int status;
    while ((status = smtp_parameter_next(line, &at, &p, &s->fault)) == SP_OK) {
        if (!s->esmtp)
            return smtp_server_complain(s, p.at, SP_LIT("say EHLO, or send the address alone"),
                                        R_PARAMETER_AFTER_HELO);
        s->named = p.keyword;
        enum smtp_reply_id wrong = take_one(s, &p, line.len, known, known_n, &seen);
        if (wrong != R_NONE)
            return wrong;
        s->named = (struct sp_view){0};
    }
    return status == SP_ERR_ABSENT ? R_NONE : R_BAD_PARAMETER;
}

enum smtp_reply_id smtp_server_mail_parameters(struct sp_server *s, struct sp_view line, size_t at)
{
    const struct sp_mail_parameters *m = &s->question.as.mail.parameters;
    enum smtp_reply_id wrong = take_all(s, line, at, of_mail, sizeof(of_mail) / sizeof(of_mail[0]));
    if (wrong != R_NONE)
        return wrong;
    if (m->by && m->hold_until_ms && m->by_ms < m->hold_until_ms)
        return smtp_server_complain(s, at, SP_LIT("BY= ends before the message may be sent"),
                                    R_BAD_PARAMETER);
    return m->utf8 || smtp_ascii_is(s->question.as.mail.sender.text) ? R_NONE : R_ADDRESS_NEEDS_SMTPUTF8;
}

enum smtp_reply_id smtp_server_rcpt_parameters(struct sp_server *s, struct sp_view line, size_t at)
{
    enum smtp_reply_id wrong = take_all(s, line, at, of_rcpt, sizeof(of_rcpt) / sizeof(of_rcpt[0]));
    if (wrong != R_NONE)
        return wrong;
    return s->utf8 || smtp_ascii_is(s->question.as.rcpt.recipient.text) ? R_NONE : R_ADDRESS_NEEDS_SMTPUTF8;
}
