/* Questions about views of octets: compare, cut, search. Nothing allocates. */
#ifndef BASE_VIEW_H
#define BASE_VIEW_H

#include "sallyport/base.h"

#include <string.h>

/* A view of a C string of ours (never of input). NULL gives the empty view. */
static inline struct sp_view sp_view_of(const char *s)
{
    return (struct sp_view){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline struct sp_view sp_view_make(const void *p, size_t len)
{
    return (struct sp_view){(const uint8_t *)p, len};
}

static inline bool sp_view_eq(struct sp_view a, struct sp_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* The order of octets: below, equal to or above 0, as of memcmp; a beginning comes before the whole. */
static inline int sp_view_cmp(struct sp_view a, struct sp_view b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Octets from..from+len, clipped to the view. */
static inline struct sp_view sp_view_sub(struct sp_view v, size_t from, size_t len)
{
    if (from > v.len)
        from = v.len;
    if (len > v.len - from)
        len = v.len - from;
    return (struct sp_view){v.p ? v.p + from : NULL, len};
}

/* All from `from` on. */
static inline struct sp_view sp_view_from(struct sp_view v, size_t from)
{
    return sp_view_sub(v, from, v.len);
}

/* ASCII only, whatever the locale. */
static inline uint8_t sp_ascii_lower(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') ? (uint8_t)(c + 32) : c;
}

static inline uint8_t sp_ascii_upper(uint8_t c)
{
    return (c >= 'a' && c <= 'z') ? (uint8_t)(c - 32) : c;
}

/* Is every octet below 128? */
static inline bool sp_view_is_ascii(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] >= 0x80)
            return false;
    return true;
}

static inline bool sp_ascii_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static inline bool sp_ascii_alpha(uint8_t c)
{
    c = sp_ascii_lower(c);
    return c >= 'a' && c <= 'z';
}

/* Equal but for the case of ASCII letters. */
bool sp_view_eq_nocase(struct sp_view a, struct sp_view b);

bool sp_view_starts(struct sp_view v, struct sp_view prefix);
bool sp_view_starts_nocase(struct sp_view v, struct sp_view prefix);
bool sp_view_ends(struct sp_view v, struct sp_view suffix);

/* Index of the first octet c at or after `from`, or v.len when there is none. */
size_t sp_view_find(struct sp_view v, uint8_t c, size_t from);

/* Without spaces and tabs at both ends. */
struct sp_view sp_view_trim(struct sp_view v);

/* Does it fit a pattern, in any case? `*` is any octets, also none; nothing else is special. */
bool sp_view_is_like(struct sp_view v, struct sp_view pattern);

/*
 * Take the next word, separated by runs of the octet `sep`.
 *
 *   rest      what is left; shortened by the call
 *   word_out  the word, borrowed from rest
 *
 * false when only separators were left; word_out is then untouched.
 */
bool sp_view_word(struct sp_view *rest, uint8_t sep, struct sp_view *word_out);

/*
 * A whole view as an unsigned decimal number: digits only, no sign, no space.
 *
 * SP_ERR_SYNTAX  empty, or an octet is not a digit
 * SP_ERR_RANGE   larger than max
 */
SP_MUST_USE int sp_view_u64(struct sp_view v, uint64_t max, uint64_t *n_out);

/* The same octets in the same time, whatever the contents. Lengths are public. */
bool sp_view_eq_secret(struct sp_view a, struct sp_view b);

#endif
