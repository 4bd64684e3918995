#include "base/view.h"

bool sp_view_eq_nocase(struct sp_view a, struct sp_view b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (sp_ascii_lower(a.p[i]) != sp_ascii_lower(b.p[i]))
            return false;
    return true;
}

bool sp_view_starts(struct sp_view v, struct sp_view prefix)
{
    return v.len >= prefix.len && sp_view_eq(sp_view_sub(v, 0, prefix.len), prefix);
}

bool sp_view_starts_nocase(struct sp_view v, struct sp_view prefix)
{
    return v.len >= prefix.len && sp_view_eq_nocase(sp_view_sub(v, 0, prefix.len), prefix);
}

bool sp_view_ends(struct sp_view v, struct sp_view suffix)
{
    return v.len >= suffix.len && sp_view_eq(sp_view_from(v, v.len - suffix.len), suffix);
}

size_t sp_view_find(struct sp_view v, uint8_t c, size_t from)
{
    if (from >= v.len)
        return v.len;
    const uint8_t *hit = memchr(v.p + from, c, v.len - from);
    return hit ? (size_t)(hit - v.p) : v.len;
}

static bool blank(uint8_t c) { return c == ' ' || c == '\t'; }

struct sp_view sp_view_trim(struct sp_view v)
{
    while (v.len > 0 && blank(v.p[0]))
        v = sp_view_from(v, 1);
    while (v.len > 0 && blank(v.p[v.len - 1]))
        v.len--;
    return v;
}

bool sp_view_is_like(struct sp_view v, struct sp_view pattern)
{
    size_t p = 0, at = 0, star = pattern.len, from = 0;
    while (at < v.len) {
        if (p < pattern.len && pattern.p[p] == '*') {
            star = p++;
            from = at;
        } else if (p < pattern.len && sp_ascii_lower(pattern.p[p]) == sp_ascii_lower(v.p[at])) {
            p++;
            at++;
        } else if (star < pattern.len) {
            p = star + 1;
            at = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.p[p] == '*')
        p++;
    return p == pattern.len;
}

bool sp_view_word(struct sp_view *rest, uint8_t sep, struct sp_view *word_out)
{
    size_t start = 0;
    while (start < rest->len && rest->p[start] == sep)
        start++;
    if (start == rest->len) {
        *rest = sp_view_from(*rest, start);
        return false;
    }
    size_t end = sp_view_find(*rest, sep, start);
    *word_out = sp_view_sub(*rest, start, end - start);
    *rest = sp_view_from(*rest, end);
    return true;
}

int sp_view_u64(struct sp_view v, uint64_t max, uint64_t *n_out)
{
    if (v.len == 0)
        return SP_ERR_SYNTAX;
    uint64_t n = 0;
    bool over = false;
    for (size_t i = 0; i < v.len; i++) {
        if (!sp_ascii_digit(v.p[i]))
            return SP_ERR_SYNTAX;
        uint64_t digit = (uint64_t)(v.p[i] - '0');
        over = over || digit > max || n > (max - digit) / 10;
        n = over ? 0 : n * 10 + digit;
    }
    if (over)
        return SP_ERR_RANGE;
    *n_out = n;
    return SP_OK;
}

bool sp_view_eq_secret(struct sp_view a, struct sp_view b)
{
    if (a.len != b.len)
        return false;
    volatile uint8_t differ = 0;
    for (size_t i = 0; i < a.len; i++)
        differ = (uint8_t)(differ | (a.p[i] ^ b.p[i]));
    return differ == 0;
}
