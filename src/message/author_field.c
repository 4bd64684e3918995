/* The addresses in one field: RFC 5322 3.4 and 4.4, RFC 6532. */
#include "message/author.h"

#include "base/view.h"

#include <string.h>

/* --- words -------------------------------------------------------------------------------- */

enum kind { END, ATOM, QUOTED, LITERAL, MARK, BAD };

struct token {
    enum kind kind;
    struct sp_view text; /* of an atom or literal; of a quoted string between its quotes, as written */
    uint8_t mark;
};

struct parser {
    struct sp_view in;
    size_t at;
    struct token token;
    uint8_t local[MESSAGE_AUTHOR_ADDRESS_MAX], domain[MESSAGE_AUTHOR_ADDRESS_MAX];
    size_t local_len, domain_len;
    bool local_quoted; /* it has octets that an atom may not have */
    message_author_may *may;
    void *ctx;
    struct sp_buf *refused;
    bool any, refused_one;
};

/* atext of RFC 5322 3.2.3 and RFC 6532 3.2. */
static bool is_atext(uint8_t c)
{
    return c >= 0x80 || sp_ascii_alpha(c) || sp_ascii_digit(c) || (c && memchr("!#$%&'*+-/=?^_`{|}~", c, 19));
}

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* Behind a comment, which may hold others. false: it has no end. */
static bool skip_comment(struct parser *p)
{
    unsigned depth = 0;
    for (; p->at < p->in.len; p->at++) {
        uint8_t c = p->in.p[p->at];
        if (c == '\\')
            p->at++;
        else if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0) {
            p->at++;
            return true;
        }
    }
    return false;
}

static bool skip_blanks(struct parser *p)
{
    while (p->at < p->in.len) {
        if (p->in.p[p->at] == '(') {
            if (!skip_comment(p))
                return false;
        } else if (is_blank(p->in.p[p->at])) {
            p->at++;
        } else {
            break;
        }
    }
    return true;
}

/* Up to the octet that closes it; a backslash takes the next one along. */
static void take_enclosed(struct parser *p, enum kind kind, uint8_t close)
{
    size_t from = ++p->at;
    while (p->at < p->in.len && p->in.p[p->at] != close)
        p->at += p->in.p[p->at] == '\\' ? 2 : 1;
    if (p->at >= p->in.len) {
        p->token.kind = BAD;
        return;
    }
    p->token = (struct token){.kind = kind, .text = sp_view_sub(p->in, from, p->at - from)};
    p->at++;
}

static void next(struct parser *p)
{
    p->token = (struct token){.kind = BAD};
    if (!skip_blanks(p))
        return;
    if (p->at >= p->in.len) {
        p->token.kind = END;
        return;
    }
    uint8_t c = p->in.p[p->at];
    size_t from = p->at;
    if (c == '"') {
        take_enclosed(p, QUOTED, '"');
    } else if (c == '[') {
        take_enclosed(p, LITERAL, ']');
    } else if (is_atext(c)) {
        while (p->at < p->in.len && is_atext(p->in.p[p->at]))
            p->at++;
        p->token = (struct token){.kind = ATOM, .text = sp_view_sub(p->in, from, p->at - from)};
    } else if (memchr("<>@,:;.", c, 7)) {
        p->token = (struct token){.kind = MARK, .mark = c};
        p->at++;
    } /* else BAD: NUL, control octets, ')' and ']' without a beginning, a backslash */
}

static bool is_mark(const struct parser *p, uint8_t mark)
{
    return p->token.kind == MARK && p->token.mark == mark;
}

static bool is_word(const struct parser *p) { return p->token.kind == ATOM || p->token.kind == QUOTED; }

/* --- addresses ---------------------------------------------------------------------------- */

static bool add(uint8_t *to, size_t *len, struct sp_view v)
{
    if (v.len > MESSAGE_AUTHOR_ADDRESS_MAX - *len)
        return false;
    if (v.len)
        memcpy(to + *len, v.p, v.len);
    *len += v.len;
    return true;
}

/* A word of a local part; the backslashes of a quoted string, and line ends folded into it, go. */
static bool add_word(struct parser *p)
{
    struct sp_view v = p->token.text;
    if (p->token.kind == ATOM)
        return add(p->local, &p->local_len, v);
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] == '\r' || v.p[i] == '\n')
            continue;
        if (v.p[i] == '\\')
            i++;
        p->local_quoted = p->local_quoted || (!is_atext(v.p[i]) && v.p[i] != '.');
        if (!add(p->local, &p->local_len, sp_view_sub(v, i, 1)))
            return false;
    }
    return true;
}

/* word *("." word), from the current token on: RFC 5322 4.4 has blanks around the dots. */
static bool take_local(struct parser *p)
{
    p->local_len = 0;
    p->local_quoted = false;
    for (;;) {
        if (!is_word(p) || !add_word(p))
            return false;
        next(p);
        if (!is_mark(p, '.'))
            return true;
        if (!add(p->local, &p->local_len, SP_LIT(".")))
            return false;
        next(p);
    }
}

static bool take_domain(struct parser *p)
{
    p->domain_len = 0;
    if (p->token.kind == LITERAL) {
        bool whole = add(p->domain, &p->domain_len, SP_LIT("[")) &&
                     add(p->domain, &p->domain_len, p->token.text) &&
                     add(p->domain, &p->domain_len, SP_LIT("]"));
        next(p);
        return whole && sp_view_find(sp_view_make(p->domain, p->domain_len), '\\', 0) == p->domain_len;
    }
    for (;;) {
        if (p->token.kind != ATOM || !add(p->domain, &p->domain_len, p->token.text))
            return false;
        next(p);
        if (!is_mark(p, '.'))
            return true;
        if (!add(p->domain, &p->domain_len, SP_LIT(".")))
            return false;
        next(p);
    }
}

static void judge(struct parser *p)
{
    struct sp_view local = sp_view_make(p->local, p->local_len),
                   domain = sp_view_make(p->domain, p->domain_len);
    p->any = true;
    if (p->may(p->ctx, local, domain) || p->refused_one)
        return;
    p->refused_one = true;
    sp_buf_add(p->refused, local);
    sp_buf_add_u8(p->refused, '@');
    sp_buf_add(p->refused, domain);
}

/* local "@" domain, from the current token on. */
static bool take_address(struct parser *p)
{
    if (!take_local(p) || !is_mark(p, '@'))
        return false;
    next(p);
    if (!take_domain(p))
        return false;
    judge(p);
    return true;
}

/* "@a,@b:" of RFC 5322 4.4, which leads nowhere today. */
static bool skip_route(struct parser *p)
{
    while (is_mark(p, '@') || is_mark(p, ',')) {
        bool at = is_mark(p, '@');
        next(p);
        if (at && !take_domain(p))
            return false;
    }
    if (!is_mark(p, ':'))
        return false;
    next(p);
    return true;
}

static bool take_angle(struct parser *p)
{
    next(p);
    if ((is_mark(p, '@') && !skip_route(p)) || !take_address(p) || !is_mark(p, '>'))
        return false;
    next(p);
    return true;
}

/* Where what begins here leads: words and dots are a name when '<' or ':' follows, else a local part. */
static uint8_t look_ahead(const struct parser *p)
{
    struct parser ahead = *p;
    while (is_word(&ahead) || is_mark(&ahead, '.'))
        next(&ahead);
    return ahead.token.kind == MARK ? ahead.token.mark : 0;
}

static void skip_phrase(struct parser *p)
{
    while (is_word(p) || is_mark(p, '.')) /* dots: RFC 5322 4.1 */
        next(p);
}

/* in_group: a ':' would be a group within a group. */
static bool take_one(struct parser *p, bool in_group, bool *group_out)
{
    uint8_t mark = look_ahead(p);
    *group_out = false;
    if (mark == '@' && is_word(p))
        return take_address(p);
    if (mark != '<' && (mark != ':' || in_group || !is_word(p)))
        return false;
    skip_phrase(p);
    if (mark == '<')
        return take_angle(p);
    next(p);
    *group_out = true;
    return true;
}

static bool take_list(struct parser *p)
{
    bool in_group = false, group = false;
    for (;;) {
        while (is_mark(p, ',')) /* empty elements: RFC 5322 4.4 */
            next(p);
        if (in_group && is_mark(p, ';')) {
            in_group = false;
            next(p);
        } else if (p->token.kind == END) {
            return !in_group;
        } else if (!take_one(p, in_group, &group)) {
            return false;
        } else {
            in_group = in_group || group;
            if (!group && p->token.kind != END && !is_mark(p, ',') && !(in_group && is_mark(p, ';')))
                return false;
        }
    }
}

enum message_author_verdict message_author_read(struct sp_view value, message_author_may *may, void *ctx,
                                                struct sp_buf *refused_out)
{
    struct parser p = {.in = value, .may = may, .ctx = ctx, .refused = refused_out};
    for (size_t i = 0; i < value.len; i++)
        if (value.p[i] == 0 || (value.p[i] == '\r' && (i + 1 == value.len || value.p[i + 1] != '\n')) ||
            (value.p[i] == '\n' && (i == 0 || value.p[i - 1] != '\r')))
            return MESSAGE_AUTHOR_MALFORMED;
    next(&p);
    if (!take_list(&p) || !p.any)
        return MESSAGE_AUTHOR_MALFORMED;
    return p.refused_one ? MESSAGE_AUTHOR_REFUSED : MESSAGE_AUTHOR_FINE;
}
