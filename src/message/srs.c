#include "message/srs.h"

#include "base/base64.h"
#include "base/view.h"

enum {
    TEXT_MAX = 512, /* what is read of a local part, and of what is signed */
    STAMP_LEN = 2,
    STAMP_BITS = 5,
    TAG_LEN = 4,
    DIGEST_TEXT = (MESSAGE_SRS_DIGEST + 2) / 3 * 4
};

static const struct sp_view base32 = SP_LIT_INIT("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");

/* --- local parts ------------------------------------------------------------------------------ */

/* Without quotes and backslashes. SP_ERR_LONG. */
static int unquote(struct sp_view local, uint8_t out[TEXT_MAX], struct sp_view *plain_out)
{
    bool quoted = local.len > 1 && local.p[0] == '"' && local.p[local.len - 1] == '"';
    size_t n = 0, end = quoted ? local.len - 1 : local.len;
    for (size_t i = quoted; i < end; i++) {
        if (quoted && local.p[i] == '\\' && i + 1 < end)
            i++;
        if (n == TEXT_MAX)
            return SP_ERR_LONG;
        out[n++] = local.p[i];
    }
    *plain_out = sp_view_make(out, n);
    return SP_OK;
}

static bool is_atext(uint8_t c)
{
    static const struct sp_view marks = SP_LIT_INIT("!#$%&'*+-/=?^_`{|}~");
    return c >= 0x80 || sp_ascii_alpha(c) || sp_ascii_digit(c) || sp_view_find(marks, c, 0) < marks.len;
}

/* RFC 5321 4.1.2, Dot-string */
static bool is_dot_string(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] == '.' ? i == 0 || i + 1 == v.len || v.p[i - 1] == '.' : !is_atext(v.p[i]))
            return false;
    return v.len > 0;
}

static void add_local(struct sp_buf *out, struct sp_view plain)
{
    if (is_dot_string(plain)) {
        (void)sp_buf_add(out, plain); /* these stick */
        return;
    }
    (void)sp_buf_add_u8(out, '"');
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.p[i] == '"' || plain.p[i] == '\\')
            (void)sp_buf_add_u8(out, '\\');
        (void)sp_buf_add_u8(out, plain.p[i]);
    }
    (void)sp_buf_add_u8(out, '"');
}

/* --- words ------------------------------------------------------------------------------------- */

static bool is_separator(uint8_t c) { return c == '=' || c == '+' || c == '-'; }

/* Does it begin with this tag and a separator? */
static bool has_tag(struct sp_view local, struct sp_view tag)
{
    return local.len > TAG_LEN && sp_view_starts_nocase(local, tag) && is_separator(local.p[TAG_LEN]);
}

/* What stands before the next =; false: there is none. */
static bool cut(struct sp_view *rest, struct sp_view *word_out)
{
    size_t at = sp_view_find(*rest, '=', 0);
    if (at == rest->len)
        return false;
    *word_out = sp_view_sub(*rest, 0, at);
    *rest = sp_view_from(*rest, at + 1);
    return true;
}

/* A quoted local part may hold what no domain does. What is signed has no marks between its parts, so that
 * who has "a@b.c"@d signed could move the end of its domain behind the @. */
static bool is_host(struct sp_view v)
{
    static const struct sp_view marks = SP_LIT_INIT("-._:[]");
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] < 0x80 && !sp_ascii_alpha(v.p[i]) && !sp_ascii_digit(v.p[i]) &&
            sp_view_find(marks, v.p[i], 0) == marks.len)
            return false;
    return v.len > 0;
}

/* A view that is being put together in memory of the caller. */
struct text {
    size_t len;
    uint8_t p[TEXT_MAX];
};

/* SP_ERR_LONG */
static int add(struct text *t, struct sp_view v)
{
    if (v.len > TEXT_MAX - t->len)
        return SP_ERR_LONG;
    if (v.len)
        memcpy(t->p + t->len, v.p, v.len);
    t->len += v.len;
    return SP_OK;
}

static int add_all(struct text *t, const struct sp_view *parts, size_t n)
{
    int status = SP_OK;
    for (size_t i = 0; i < n && !status; i++)
        status = add(t, parts[i]);
    return status;
}

#define ADD_ALL(t, ...)                                                                                      \
    add_all(t, (const struct sp_view[]){__VA_ARGS__},                                                        \
            sizeof((const struct sp_view[]){__VA_ARGS__}) / sizeof(struct sp_view))

/* --- hash and day ------------------------------------------------------------------------------ */

static void make_hash(const struct message_srs *srs, size_t secret, const struct text *signs,
                      uint8_t out[DIGEST_TEXT])
{
    uint8_t digest[MESSAGE_SRS_DIGEST];
    struct text lower;
    for (lower.len = 0; lower.len < signs->len; lower.len++)
        lower.p[lower.len] = sp_ascii_lower(signs->p[lower.len]);
    srs->digest(srs->ctx, secret, sp_view_make(lower.p, lower.len), digest);
    sp_base64_encode(sp_view_make(digest, sizeof digest), out);
}

static void to_lower(uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = sp_ascii_lower(p[i]);
}

/* In the same time for each wrong one. */
static bool is_signed(const struct message_srs *srs, struct sp_view hash, const struct text *signs)
{
    uint8_t said[MESSAGE_SRS_HASH_MOST], right[DIGEST_TEXT];
    bool found = false;
    if (hash.len < srs->hash_len || hash.len > sizeof said)
        return false;
    memcpy(said, hash.p, hash.len);
    to_lower(said, hash.len);
    for (size_t i = 0; i < srs->secret_n; i++) {
        make_hash(srs, i, signs, right);
        to_lower(right, sizeof right);
        found |= sp_view_eq_secret(sp_view_make(said, hash.len), sp_view_make(right, hash.len));
    }
    return found;
}

static bool read_stamp(struct sp_view stamp, uint32_t *day_out)
{
    uint32_t day = 0;
    for (size_t i = 0; i < stamp.len; i++) {
        size_t digit = sp_view_find(base32, sp_ascii_upper(stamp.p[i]), 0);
        if (digit == base32.len)
            return false;
        day = day << STAMP_BITS | (uint32_t)digit;
    }
    *day_out = day;
    return stamp.len == STAMP_LEN;
}

/* --- encode ------------------------------------------------------------------------------------ */

/* Append TAG=HASH=, the words, and the domain. `signs` is what the hash is made of. */
static int put(const struct message_srs *srs, struct sp_view tag, const struct text *signs,
               const struct text *words, struct sp_buf *out)
{
    uint8_t hash[DIGEST_TEXT];
    struct text plain = {0};
    size_t before = out->len;
    make_hash(srs, 0, signs, hash);
    int status = ADD_ALL(&plain, tag, SP_LIT("="), sp_view_make(hash, srs->hash_len), SP_LIT("="),
                         sp_view_make(words->p, words->len));
    if (status)
        return status;
    add_local(out, sp_view_make(plain.p, plain.len));
    if (out->len - before > MESSAGE_SRS_LOCAL_MAX) {
        out->len = before;
        return SP_ERR_LONG;
    }
    (void)sp_buf_add_u8(out, '@');
    (void)sp_buf_add(out, srs->domain);
    return sp_buf_status(out);
}

static int encode_first(const struct message_srs *srs, struct sp_view plain, struct sp_view domain,
                        uint32_t day, struct sp_buf *out)
{
    struct text signs = {0}, words = {0};
    uint8_t stamp[STAMP_LEN] = {base32.p[day >> STAMP_BITS & 31], base32.p[day & 31]};
    struct sp_view tt = sp_view_make(stamp, sizeof stamp);
    int status = ADD_ALL(&signs, tt, domain, plain);
    if (!status)
        status = ADD_ALL(&words, tt, SP_LIT("="), domain, SP_LIT("="), plain);
    return status ? status : put(srs, SP_LIT("SRS0"), &signs, &words, out);
}

/* opaque: of SRS0, from its separator on; first: the domain that made it */
static int encode_again(const struct message_srs *srs, struct sp_view first, struct sp_view opaque,
                        struct sp_buf *out)
{
    struct text signs = {0}, words = {0};
    int status = ADD_ALL(&signs, first, opaque);
    if (!status)
        status = ADD_ALL(&words, first, SP_LIT("="), opaque);
    return status ? status : put(srs, SP_LIT("SRS1"), &signs, &words, out);
}

/* HASH=DOMAIN=OPAQUE behind SRS1 and its separator. */
static bool read_again(struct sp_view local, struct sp_view *hash_out, struct sp_view *first_out,
                       struct sp_view *opaque_out)
{
    struct sp_view rest = sp_view_from(local, TAG_LEN + 1);
    if (!cut(&rest, hash_out) || !cut(&rest, first_out) || !is_host(*first_out))
        return false;
    *opaque_out = rest;
    return rest.len > 1 && is_separator(rest.p[0]);
}

int message_srs_encode(const struct message_srs *srs, struct sp_view local, struct sp_view domain,
                       uint32_t day, struct sp_buf *address_out)
{
    uint8_t text[TEXT_MAX];
    struct sp_view plain, hash, first, opaque;
    int status = unquote(local, text, &plain);
    if (status)
        return status;
    if (!is_host(domain))
        return SP_ERR_SYNTAX;
    if (has_tag(plain, SP_LIT("SRS0")))
        return encode_again(srs, domain, sp_view_from(plain, TAG_LEN), address_out);
    if (has_tag(plain, SP_LIT("SRS1")) && read_again(plain, &hash, &first, &opaque))
        return encode_again(srs, first, opaque, address_out);
    return encode_first(srs, plain, domain, day % MESSAGE_SRS_DAYS, address_out);
}

/* --- decode ------------------------------------------------------------------------------------ */

static int add_address(struct sp_buf *out, struct sp_view plain, struct sp_view domain)
{
    add_local(out, plain);
    (void)sp_buf_add_u8(out, '@');
    (void)sp_buf_add(out, domain);
    return sp_buf_status(out);
}

static int decode_first(const struct message_srs *srs, struct sp_view local, uint32_t day, struct sp_buf *out)
{
    struct sp_view rest = sp_view_from(local, TAG_LEN + 1), hash, stamp, domain;
    struct text signs = {0};
    uint32_t then;
    if (!cut(&rest, &hash) || !cut(&rest, &stamp) || !cut(&rest, &domain) || !is_host(domain) ||
        rest.len == 0)
        return SP_ERR_SYNTAX;
    if (!read_stamp(stamp, &then) || ADD_ALL(&signs, stamp, domain, rest) || !is_signed(srs, hash, &signs))
        return SP_ERR_SYNTAX;
    /* A day more on both sides: a clock that is behind the one that signed. */
    if ((day + 1 + MESSAGE_SRS_DAYS - then) % MESSAGE_SRS_DAYS > srs->max_age_days + 1)
        return SP_ERR_RANGE;
    return add_address(out, rest, domain);
}

static int decode_again(const struct message_srs *srs, struct sp_view local, struct sp_buf *out)
{
    struct sp_view hash, first, opaque;
    struct text signs = {0}, plain = {0};
    if (!read_again(local, &hash, &first, &opaque) || ADD_ALL(&signs, first, opaque) ||
        !is_signed(srs, hash, &signs) || ADD_ALL(&plain, SP_LIT("SRS0"), opaque))
        return SP_ERR_SYNTAX;
    return add_address(out, sp_view_make(plain.p, plain.len), first);
}

int message_srs_decode(const struct message_srs *srs, struct sp_view local, uint32_t day,
                       struct sp_buf *address_out)
{
    uint8_t text[TEXT_MAX];
    struct sp_view plain;
    if (unquote(local, text, &plain) != SP_OK)
        return SP_ERR_ABSENT;
    if (has_tag(plain, SP_LIT("SRS0")))
        return decode_first(srs, plain, day % MESSAGE_SRS_DAYS, address_out);
    if (has_tag(plain, SP_LIT("SRS1")))
        return decode_again(srs, plain, address_out);
    return SP_ERR_ABSENT;
}
